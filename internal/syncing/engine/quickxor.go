package engine

import "encoding/binary"

// quickXor is OneDrive's and SharePoint's QuickXorHash: each byte is XORed into
// a ring of 160 bits at a place that moves by 11 bits a byte; the length is
// XORed into the last 64 bits.
type quickXor struct {
	ring   [quickXorSize]byte
	length uint64
}

const (
	quickXorSize  = 20
	quickXorBits  = quickXorSize * 8
	quickXorShift = 11
)

func newQuickXor() *quickXor { return &quickXor{} }

func (q *quickXor) Write(p []byte) (int, error) {
	at := int(q.length % quickXorBits * quickXorShift % quickXorBits)
	for _, b := range p {
		i, shift := at/8, at%8
		q.ring[i] ^= b << shift
		if shift > 0 {
			q.ring[(i+1)%quickXorSize] ^= b >> (8 - shift)
		}
		if at += quickXorShift; at >= quickXorBits {
			at -= quickXorBits
		}
	}
	q.length += uint64(len(p))
	return len(p), nil
}

func (q *quickXor) Sum(b []byte) []byte {
	out := q.ring
	tail := out[quickXorSize-8:]
	binary.LittleEndian.PutUint64(tail, binary.LittleEndian.Uint64(tail)^q.length)
	return append(b, out[:]...)
}

func (q *quickXor) Reset()         { *q = quickXor{} }
func (q *quickXor) Size() int      { return quickXorSize }
func (q *quickXor) BlockSize() int { return 64 }
