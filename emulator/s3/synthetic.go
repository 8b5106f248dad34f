package s3

import (
	"fmt"
	"io"
	"sort"
	"strings"
	"time"

	"mooring/emulator/noise"
)

// Synthetic describes a bucket of generated objects. They take no memory, so that
// a bucket of ten million can be listed.
type Synthetic struct {
	// Keys is how many objects there are.
	Keys int
	// Size of each object, the same for all.
	Size int64
	// Key names object i, counted from 0. It must be pure, and increase with i in
	// byte order. The default is 12 decimal digits.
	Key func(i int) string
	// LastModified of all objects; the default is the server's time at the start.
	LastModified time.Time
}

// key names object i.
func (y Synthetic) key(i int) string {
	if y.Key != nil {
		return y.Key(i)
	}
	return fmt.Sprintf("%012d", i)
}

// Content returns the content of object i.
func (y Synthetic) Content(i int) []byte {
	out := make([]byte, y.Size)
	_, _ = io.ReadFull(noise.Reader(uint64(i), 0), out)
	return out
}

// ETag of object i, without quotes. It is no MD5.
func (y Synthetic) ETag(i int) string {
	return fmt.Sprintf("%016x%016x-1", noise.Mix(uint64(i)), noise.Mix(uint64(y.Size)))
}

// SyntheticBucket adds a bucket of generated objects. What is written to it or
// deleted from it lies over them, in memory.
func (s *Server) SyntheticBucket(name string, y Synthetic) error {
	if y.LastModified.IsZero() {
		y.LastModified = s.now()
	}
	return s.addBucket(&bucket{name: name, base: generated{y}})
}

// generated is the layer of a synthetic bucket.
type generated struct{ Synthetic }

func (g generated) scan() scan   { return &generatedScan{g: g} }
func (g generated) close() error { return nil }

// generatedScan remembers the object it gave last, as mostly the next one is
// asked for.
type generatedScan struct {
	g    generated
	last string
	next int
}

func (s *generatedScan) ceil(key string) (*object, error) {
	i := s.next
	if before, ok := strings.CutSuffix(key, "\x00"); !ok || s.last == "" || before != s.last {
		i = sort.Search(s.g.Keys, func(i int) bool { return s.g.key(i) >= key })
	}
	if i >= s.g.Keys {
		return nil, nil
	}
	o := s.g.object(i)
	s.last, s.next = o.key, i+1
	return o, nil
}

func (g generated) object(i int) *object {
	return &object{
		key: g.key(i), size: g.Size, modified: g.LastModified, attributes: plain,
		etag: g.ETag(i), content: noiseContent(i),
	}
}

// noiseContent is the content of the object of this number.
type noiseContent uint64

func (c noiseContent) open(off, n int64) (io.ReadCloser, error) {
	return io.NopCloser(io.LimitReader(noise.Reader(uint64(c), off), n)), nil
}
