package config_test

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"slices"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/connection/config"
	"mooring/internal/errs"
)

// read reads a stored configuration by the driver's own means.
func read(data bson.Raw) (s config.Sealed, ok bool) {
	s = config.Sealed{Fields: map[string]any{}, Credentials: map[string]any{}, Secrets: map[string]bson.Binary{}}
	elements, ok := whole(data)
	if !ok {
		return s, false
	}
	creds, given := bson.Raw(nil), false
	for _, e := range elements {
		switch v := e.Value(); e.Key() {
		case "provider_type":
			s.Provider, _ = v.StringValueOK()
		case "credentials":
			creds, given = v.Value, true
			if v.Type != bson.TypeEmbeddedDocument {
				return s, false
			}
		case "destroyed":
			if v.Unmarshal(&s.Destroyed) != nil {
				return s, false
			}
		default:
			if s.Fields[e.Key()], ok = public(v); !ok {
				return s, false
			}
		}
	}
	if !given {
		return s, true
	}
	if elements, ok = whole(creds); !ok {
		return s, false
	}
	s.Credential, _ = creds.Lookup("type").StringValueOK()
	spec, _ := config.Lookup(s.Provider)
	kind, _ := spec.Kind(s.Credential)
	for _, e := range elements {
		if e.Key() == "type" {
			continue
		}
		if subtype, sealed, is := e.Value().BinaryOK(); is && subtype == 6 {
			s.Secrets[e.Key()] = bson.Binary{Subtype: 6, Data: bytes.Clone(sealed)}
			continue
		}
		if s.Credentials[e.Key()], ok = public(e.Value()); !ok {
			return s, false
		}
		if slices.ContainsFunc(kind.Fields, func(f config.Field) bool { return f.Secret && f.Name == e.Key() }) {
			return s, false
		}
	}
	return s, true
}

// whole are the elements of a document that is as long as it says.
func whole(d bson.Raw) ([]bson.RawElement, bool) {
	if len(d) < 5 || int(binary.LittleEndian.Uint32(d)) != len(d) || d[len(d)-1] != 0 {
		return nil, false
	}
	elements, err := d.Elements()
	length := 5
	for _, e := range elements {
		length += len(e)
	}
	return elements, err == nil && length == len(d)
}

func public(v bson.RawValue) (x any, ok bool) {
	switch v.Type {
	case bson.TypeString:
		return v.StringValueOK()
	case bson.TypeBoolean:
		return v.BooleanOK()
	case bson.TypeInt32, bson.TypeInt64:
		return v.AsInt64OK()
	case bson.TypeArray:
		var list []string
		ok = v.Unmarshal(&list) == nil
		return list, ok
	}
	return nil, false
}

// TestStoredFormIsReadWhole: of a stored configuration all is read, or it is refused, as it is
// by the driver's means, whatever is missing, there twice, damaged or of another type.
func TestStoredFormIsReadWhole(t *testing.T) {
	taken, refused := 0, 0
	try := func(data []byte) {
		t.Helper()
		want, ok := read(data)
		given := bytes.Clone(data)
		var got config.Sealed
		err := got.UnmarshalBSON(given)
		clear(given) // nothing of it may be held
		switch {
		case ok != (err == nil):
			t.Fatalf("%v, want it read: %v\n%x", err, ok, data)
		case err != nil && !errs.Is(err, errs.Corrupt):
			t.Fatalf("%v\n%x", err, data)
		case ok && !reflect.DeepEqual(got, want):
			t.Fatalf("\n got %+v\nwant %+v\n%x", got, want, data)
		case ok:
			taken++
		default:
			refused++
		}
	}
	for name, text := range samples {
		s := seal(decode(t, name, text))
		s.Destroyed = []string{"another"}
		data, err := s.MarshalBSON()
		if err != nil {
			t.Fatal(err)
		}
		try(data)
		for i := range data {
			try(data[:i])
			for _, x := range []byte{0, 1, 2, 5, 8, 0xff, data[i] + 1} {
				damaged := bytes.Clone(data)
				damaged[i] = x
				try(damaged)
			}
		}
		var d bson.D
		if err := bson.Unmarshal(data, &d); err != nil {
			t.Fatal(err)
		}
		variants(d, func(d bson.D) {
			b, err := bson.Marshal(d)
			if err != nil {
				t.Fatal(err)
			}
			try(b)
		})
	}
	if taken < 100 || refused < 100 {
		t.Errorf("%d were taken, %d refused", taken, refused)
	}
}

// variants are documents with a field missing, there twice or of another value, at any depth.
func variants(d bson.D, visit func(bson.D)) {
	for i, e := range d {
		with := func(more ...bson.E) { visit(slices.Concat(d[:i:i], more, d[i+1:])) }
		with()
		with(e, e)
		for _, v := range []any{"text", nil, true, int32(5), int64(6), 1.5, bson.A{"a"}, bson.A{1}, bson.D{}, bson.D{{Key: "type", Value: 1}},
			bson.Binary{Data: []byte("b")}, bson.Binary{Subtype: 6, Data: []byte("b")}} {
			with(bson.E{Key: e.Key, Value: v})
			with(bson.E{Key: "unheard_of", Value: v}, e)
		}
		if inner, ok := e.Value.(bson.D); ok {
			variants(inner, func(x bson.D) { with(bson.E{Key: e.Key, Value: x}) })
		}
	}
}
