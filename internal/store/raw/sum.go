package raw

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/errs"
)

// Sum is a count and a hash of a set of documents. The order of the documents
// counts nowhere, and neither does that of the fields within one: maps are
// written in any order, and each store reads in an order of its own. It finds
// damage and mistakes, not somebody who means to deceive.
type Sum struct {
	N   int64
	acc [4]uint64 // the sum of the documents' SHA-256, modulo 2^256
	buf []byte
}

// Add adds a document.
func (s *Sum) Add(doc bson.Raw) (err error) {
	if s.buf, err = canonical(s.buf[:0], doc, false, 0); err != nil {
		return err
	}
	h := sha256.Sum256(s.buf)
	var carry uint64
	for i := range s.acc {
		s.acc[i], carry = bits.Add64(s.acc[i], binary.LittleEndian.Uint64(h[8*i:]), carry)
	}
	s.N++
	return nil
}

// Equal reports whether two sums are of the same documents.
func (s *Sum) Equal(o *Sum) bool { return s.N == o.N && s.acc == o.acc }

// Hex is the hash as text.
func (s *Sum) Hex() string {
	var b [32]byte
	for i, v := range s.acc {
		binary.BigEndian.PutUint64(b[8*i:], v)
	}
	return hex.EncodeToString(b[:])
}

// maxDepth bounds how deep documents nest, as MongoDB does.
const maxDepth = 100

const emptyDocument = 5 // bytes

// canonical appends a document with its fields in order of their names.
func canonical(out []byte, doc bson.Raw, array bool, depth int) ([]byte, error) {
	elements, err := doc.Elements()
	if err != nil || depth > maxDepth {
		return out, errs.New(errs.Corrupt, "raw.sum", "a document can't be read")
	}
	if !array {
		slices.SortFunc(elements, func(a, b bson.RawElement) int { return slices.Compare([]byte(a.Key()), []byte(b.Key())) })
	}
	for _, e := range elements {
		v := e.Value()
		if depth == 0 && e.Key() == "outbox" && len(v.Value) <= emptyDocument {
			continue // one store writes it, the other does not
		}
		out = append(append(append(out, byte(v.Type)), e.Key()...), 0)
		switch v.Type {
		case bson.TypeEmbeddedDocument, bson.TypeArray:
			if out, err = canonical(out, v.Value, v.Type == bson.TypeArray, depth+1); err != nil {
				return out, err
			}
		default:
			out = append(out, v.Value...)
		}
	}
	return append(out, 0), nil
}
