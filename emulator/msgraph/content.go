package msgraph

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"io"
	"sync"
)

// content is the bytes of a file, kept or generated. It never changes.
type content struct {
	data      []byte
	generated bool
	seed      uint64
	size      int64

	once  sync.Once
	sha   [sha256.Size]byte
	quick string
}

// open reads n bytes from an offset.
func (c *content) open(off, n int64) io.Reader {
	if c.generated {
		return io.LimitReader(&noise{c.seed, off}, n)
	}
	return bytes.NewReader(c.data[off : off+n])
}

// sums are computed when they are first asked for.
func (c *content) sums() (sha [sha256.Size]byte, quickXor string) {
	c.once.Do(func() {
		h, q := sha256.New(), &quickXorHash{}
		_, _ = io.Copy(io.MultiWriter(h, q), c.open(0, c.size))
		h.Sum(c.sha[:0])
		sum := q.sum()
		c.quick = base64.StdEncoding.EncodeToString(sum[:])
	})
	return c.sha, c.quick
}

// noise is an endless stream of bytes that depend on the seed and the offset.
type noise struct {
	seed uint64
	off  int64
}

func (n *noise) Read(p []byte) (int, error) {
	var word [8]byte
	for i := 0; i < len(p); {
		binary.LittleEndian.PutUint64(word[:], mix(n.seed<<32^uint64(n.off/8)))
		c := copy(p[i:], word[n.off%8:])
		i, n.off = i+c, n.off+int64(c)
	}
	return len(p), nil
}

// mix spreads the bits of a number (splitmix64).
func mix(z uint64) uint64 {
	z += 0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}
