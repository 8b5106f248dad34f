// Package doc is the form of documents in every store: the BSON of the domain
// types. Times are cut to milliseconds by it, and what a map[string]any held
// comes back as the plain types map[string]any, []any and time.Time.
package doc

import (
	"bufio"
	"bytes"
	"reflect"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/errs"
)

// MaxBytes bounds a document, so that what one store takes the other takes too.
const MaxBytes = 16 << 20

var registry = newRegistry()

func newRegistry() *bson.Registry {
	r := bson.NewRegistry()
	r.RegisterTypeMapEntry(bson.TypeEmbeddedDocument, reflect.TypeFor[map[string]any]())
	r.RegisterTypeMapEntry(bson.TypeArray, reflect.TypeFor[[]any]())
	r.RegisterTypeMapEntry(bson.TypeDateTime, reflect.TypeFor[time.Time]())
	return r
}

// Encode writes a document. One that can't be written, or is too large, is errs.Invalid.
func Encode(v any) ([]byte, error) {
	b, err := bson.Marshal(v)
	if err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "store.encode", "the document can't be stored")
	}
	if len(b) > MaxBytes {
		return nil, errs.New(errs.Invalid, "store.encode", "the document is larger than 16 MiB")
	}
	return b, nil
}

// readers are buffers for the decoder, which would allocate one for each document.
var readers = sync.Pool{New: func() any { return bufio.NewReader(nil) }}

// Decode reads a document into v, which shares no memory with b afterwards.
func Decode(b []byte, v any) error {
	if read(b, v) {
		return nil
	}
	return decode(b, v)
}

// decode has the driver read a document.
func decode(b []byte, v any) error {
	r := readers.Get().(*bufio.Reader)
	defer readers.Put(r)
	r.Reset(bytes.NewReader(b))
	d := bson.NewDecoder(bson.NewDocumentReader(r))
	d.SetRegistry(registry)
	return errs.Wrap(d.Decode(v), errs.Corrupt, "store.decode", "a stored document can't be read")
}

// Equal reports whether two documents say the same. Maps are written in any
// order, so the order of fields counts nowhere.
func Equal(a, b []byte) bool {
	return bytes.Equal(a, b) || len(a) == len(b) && equalDocuments(a, b, false)
}

func equalDocuments(a, b bson.Raw, ordered bool) bool {
	as, errA := a.Elements()
	bs, errB := b.Elements()
	if errA != nil || errB != nil || len(as) != len(bs) {
		return false
	}
	if ordered {
		for i := range as {
			if !equalValues(as[i].Value(), bs[i].Value()) {
				return false
			}
		}
		return true
	}
	fields := make(map[string]bson.RawValue, len(bs))
	for _, e := range bs {
		fields[e.Key()] = e.Value()
	}
	for _, e := range as {
		v, ok := fields[e.Key()]
		if !ok || !equalValues(e.Value(), v) {
			return false
		}
	}
	return true
}

func equalValues(a, b bson.RawValue) bool {
	if a.Type != b.Type {
		return false
	}
	if bytes.Equal(a.Value, b.Value) {
		return true
	}
	switch a.Type {
	case bson.TypeEmbeddedDocument:
		return equalDocuments(a.Value, b.Value, false)
	case bson.TypeArray:
		return equalDocuments(a.Value, b.Value, true)
	}
	return false
}
