// Package sha256x2 hashes streams with SHA-256, two of them at once where that
// is faster: each round of the hash waits for the one before, so that a processor
// with instructions for it (x86-64 with SHA) has time for a second stream in
// between. Two streams take two thirds of the time that they take one after the
// other. Everywhere else, and for all that has no second stream, it is
// crypto/sha256, which also keeps the state and ends each hash.
package sha256x2

import (
	"bytes"
	"crypto/fips140"
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"hash"
	"sync/atomic"
)

// Hash is one stream. It is for one goroutine; those of others hash with it.
type Hash struct {
	sum     hash.Hash // of all but pending
	n       int64     // bytes of sum
	pending []byte
	hashed  chan struct{} // has one when another stream has hashed pending
	state   []byte        // for reuse
}

// New begins a stream.
func New() *Hash { return &Hash{sum: sha256.New(), hashed: make(chan struct{}, 1)} }

// worth is the least that is worth waiting for another stream.
const worth = 32 << 10

// waiting is the stream whose pending bytes anybody may hash who takes it from here.
var waiting atomic.Pointer[Hash]

// Write hashes p, now or until the next Write, Settle or Sum: p must stay as it
// is until then.
func (h *Hash) Write(p []byte) {
	h.Settle()
	if !faster || len(p) < worth || h.n%sha256.BlockSize != 0 {
		h.add(p)
		return
	}
	h.pending = p
	for {
		if other := waiting.Swap(nil); other != nil {
			both(h, other)
			h.pending = nil
			other.hashed <- struct{}{}
			return
		}
		if waiting.CompareAndSwap(nil, h) {
			return
		}
	}
}

// Settle returns when all that was written is hashed. A stream that is given up
// must be settled too.
func (h *Hash) Settle() {
	switch {
	case h.pending == nil:
		return
	case waiting.CompareAndSwap(h, nil):
		h.add(h.pending)
	default:
		<-h.hashed
	}
	h.pending = nil
}

// Sum returns the hash of all that was written.
func (h *Hash) Sum() []byte {
	h.Settle()
	return h.sum.Sum(nil)
}

func (h *Hash) add(p []byte) {
	h.sum.Write(p)
	h.n += int64(len(p))
}

// both hashes what is pending of two streams that are at the end of a block.
func both(a, b *Hash) {
	n := min(len(a.pending), len(b.pending)) / sha256.BlockSize
	var h, g [8]uint32
	a.export(&h)
	b.export(&g)
	blocks(&h, &g, &a.pending[0], &b.pending[0], n)
	a.resume(&h, n)
	b.resume(&g, n)
	a.add(a.pending[n*sha256.BlockSize:])
	b.add(b.pending[n*sha256.BlockSize:])
}

// What crypto/sha256 marshals: four bytes, the state, the block begun, the length.
const (
	stateAt  = 4
	lengthAt = stateAt + sha256.Size + sha256.BlockSize
	stateLen = lengthAt + 8
)

func (h *Hash) export(to *[8]uint32) {
	var err error
	if h.state, err = h.sum.(encoding.BinaryAppender).AppendBinary(h.state[:0]); err != nil {
		panic("sha256x2: " + err.Error())
	}
	for i := range to {
		to[i] = binary.BigEndian.Uint32(h.state[stateAt+4*i:])
	}
}

// resume goes on from a state that is n blocks after the exported one.
func (h *Hash) resume(from *[8]uint32, n int) {
	for i, word := range from {
		binary.BigEndian.PutUint32(h.state[stateAt+4*i:], word)
	}
	h.n += int64(n) * sha256.BlockSize
	binary.BigEndian.PutUint64(h.state[lengthAt:], uint64(h.n))
	if err := h.sum.(encoding.BinaryUnmarshaler).UnmarshalBinary(h.state); err != nil {
		panic("sha256x2: " + err.Error())
	}
}

// faster reports whether two streams are hashed at once: not where FIPS 140 is
// asked for, of whose module this is no part. A Go whose crypto/sha256 marshals
// otherwise gives up that, and nothing else.
var faster = supported && !fips140.Enabled() && agrees()

func agrees() bool {
	state, err := sha256.New().(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil || len(state) != stateLen {
		return false
	}
	a, b := New(), New()
	a.pending, b.pending = bytes.Repeat([]byte("a"), 3*sha256.BlockSize), bytes.Repeat([]byte("b"), 2*sha256.BlockSize+1)
	want := [2][sha256.Size]byte{sha256.Sum256(a.pending), sha256.Sum256(b.pending)}
	both(a, b)
	return bytes.Equal(a.sum.Sum(nil), want[0][:]) && bytes.Equal(b.sum.Sum(nil), want[1][:])
}
