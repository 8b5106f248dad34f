package gdrive

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"sync"

	"mooring/emulator/noise"
)

// content is what a binary file holds. It never changes; its hashes are computed
// when they are first asked for.
type content struct {
	size int64
	data []byte // nil when generated
	seed uint64

	once              sync.Once
	md5, sha1, sha256 string
}

func bytesContent(data []byte) *content {
	return &content{size: int64(len(data)), data: bytes.Clone(data)}
}

func generatedContent(seed uint64, n int64) *content { return &content{size: n, seed: seed} }

// open reads n bytes from off on.
func (c *content) open(off, n int64) io.Reader {
	if c.data != nil {
		return bytes.NewReader(c.data[off : off+n])
	}
	return io.LimitReader(noise.Reader(c.seed, off), n)
}

// sum computes the hashes.
func (c *content) sum() *content {
	c.once.Do(func() {
		m, s1, s2 := md5.New(), sha1.New(), sha256.New()
		_, _ = io.Copy(io.MultiWriter(m, s1, s2), c.open(0, c.size))
		c.md5, c.sha1, c.sha256 = hex.EncodeToString(m.Sum(nil)), hex.EncodeToString(s1.Sum(nil)), hex.EncodeToString(s2.Sum(nil))
	})
	return c
}

// GeneratedContent is what a file made by Generated holds.
func GeneratedContent(seed uint64, n int64) []byte {
	out := make([]byte, n)
	_, _ = io.ReadFull(noise.Reader(seed, 0), out)
	return out
}
