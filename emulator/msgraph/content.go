package msgraph

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"sync"

	"mooring/emulator/noise"
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
		return io.LimitReader(noise.Reader(c.seed, off), n)
	}
	return bytes.NewReader(c.data[off : off+n])
}

func (c *content) sha256() string {
	h := sha256.New()
	_, _ = io.Copy(h, c.open(0, c.size))
	return hex.EncodeToString(h.Sum(nil))
}
