package msgraph

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"io"
	"sync"
)

// content is the bytes of a file, kept or generated. It never changes.
type content struct {
	data      []byte
	generated bool
	seed      uint64
	size      int64

	quick func() string // quickXorHash in base64, computed when first asked for
}

func newContent(c content) *content {
	c.quick = sync.OnceValue(func() string {
		q := &quickXorHash{}
		_, _ = io.Copy(q, c.open(0, c.size))
		sum := q.sum()
		return base64.StdEncoding.EncodeToString(sum[:])
	})
	return &c
}

// dataContent keeps a copy of bytes.
func dataContent(data []byte) *content {
	return newContent(content{data: bytes.Clone(data), size: int64(len(data))})
}

// open reads n bytes from an offset.
func (c *content) open(off, n int64) io.Reader {
	if c.generated {
		return io.LimitReader(&noise{c.seed, off}, n)
	}
	return bytes.NewReader(c.data[off : off+n])
}

func (c *content) sha256() string {
	h := sha256.New()
	_, _ = io.Copy(h, c.open(0, c.size))
	return hex.EncodeToString(h.Sum(nil))
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
