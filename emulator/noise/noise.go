// Package noise makes content that takes no memory: the same seed gives the same
// bytes, which don't compress.
package noise

import (
	"encoding/binary"
	"io"
)

// Reader is the endless stream of a seed from an offset on. It is not safe for
// concurrent use.
func Reader(seed uint64, off int64) io.Reader { return &stream{seed: seed, off: off} }

type stream struct {
	seed uint64
	off  int64
}

func (s *stream) Read(p []byte) (int, error) {
	var word [8]byte
	for i := 0; i < len(p); {
		binary.LittleEndian.PutUint64(word[:], Mix(Mix(s.seed)^uint64(s.off/8)))
		c := copy(p[i:], word[s.off%8:])
		i, s.off = i+c, s.off+int64(c)
	}
	return len(p), nil
}

// Mix spreads the bits of a number (splitmix64, by Sebastiano Vigna, in the public domain).
func Mix(z uint64) uint64 {
	z += 0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}
