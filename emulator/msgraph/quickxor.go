package msgraph

import "encoding/binary"

const (
	quickBits = 160
	quickStep = 11 // bits by which each byte is further on than the one before
)

// quickXorHash is the checksum of OneDrive and SharePoint, as Microsoft describes
// it: a ring of 160 bits into which each byte is XORed, 11 bits further on than
// the one before it. At last the length is XORed into the end.
type quickXorHash struct {
	ring [quickBits / 8]byte
	n    uint64
}

// Write never fails.
func (q *quickXorHash) Write(p []byte) (int, error) {
	bit := int(q.n * quickStep % quickBits)
	for _, b := range p {
		at, shift := bit/8, bit%8
		q.ring[at] ^= b << shift
		if shift > 0 {
			q.ring[(at+1)%len(q.ring)] ^= b >> (8 - shift)
		}
		if bit += quickStep; bit >= quickBits {
			bit -= quickBits
		}
	}
	q.n += uint64(len(p))
	return len(p), nil
}

func (q *quickXorHash) sum() [quickBits / 8]byte {
	out := q.ring
	end := out[len(out)-8:]
	binary.LittleEndian.PutUint64(end, binary.LittleEndian.Uint64(end)^q.n)
	return out
}
