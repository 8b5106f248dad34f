package api

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// drawn sets what can be set below a value to anything.
func drawn(t *rapid.T, v reflect.Value) {
	text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[ -~]{0,12}`), rapid.Just("\u2028\x00\xff</a>&"))
	switch p := v.Addr().Interface().(type) {
	case *stamp:
		*p = stamp(time.UnixMilli(rapid.Int64Range(-1<<40, 1<<44).Draw(t, "ms")).In(time.FixedZone("x", 3600)))
		return
	case *map[string]any:
		*p, _ = anything(3).Draw(t, "map").(map[string]any)
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text.Draw(t, "text"))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "flag"))
	case reflect.Int, reflect.Int64:
		v.SetInt(rapid.Int64().Draw(t, "number"))
	case reflect.Pointer:
		if rapid.Bool().Draw(t, "given") {
			v.Set(reflect.New(v.Type().Elem()))
			drawn(t, v.Elem())
		}
	case reflect.Slice:
		if n := rapid.IntRange(-1, 3).Draw(t, "length"); n >= 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				drawn(t, v.Index(i))
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			drawn(t, v.Field(i))
		}
	default:
		t.Fatalf("a field of kind %s", v.Kind())
	}
}

// anything is what maps hold that come from a store or from a client.
func anything(depth int) *rapid.Generator[any] {
	kinds := []*rapid.Generator[any]{
		rapid.Just[any](nil), rapid.Bool().AsAny(), rapid.String().AsAny(), rapid.Int64().AsAny(), rapid.Float64Range(-1e30, 1e30).AsAny(), rapid.Int32().AsAny(),
		rapid.SliceOf(rapid.String()).AsAny(), rapid.Just[any](time.UnixMilli(1)), rapid.Just[any](map[string]any(nil)), rapid.Just[any](stamp{}),
	}
	if depth > 0 {
		kinds = append(kinds, rapid.SliceOfN(anything(depth-1), 0, 3).AsAny(),
			rapid.MapOfN(rapid.String(), anything(depth-1), 0, 20).AsAny(), rapid.MapOfN(rapid.String(), anything(depth-1), 0, 3).AsAny())
	}
	return rapid.OneOf(kinds...)
}

// TestOwnJSON: answers that write themselves are what encoding/json makes of
// them, to the byte. A field that an answer gets has to be written too.
func TestOwnJSON(t *testing.T) {
	for _, like := range []appender{storageConnectionModel{}, storageConnectionListResponse{}, stamp{}} {
		rapid.Check(t, func(t *rapid.T) {
			v := reflect.New(reflect.TypeOf(like))
			drawn(t, v.Elem())
			want, err := json.Marshal(v.Interface())
			if err != nil {
				t.Fatal(err)
			}
			if got := appendValue([]byte("before"), v.Elem().Interface()); string(got) != "before"+string(want) {
				t.Fatalf("%T\n got %s\nwant %s", like, got[len("before"):], want)
			}
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		v := anything(3).Draw(t, "value")
		want, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if got := appendValue(nil, v); string(got) != string(want) {
			t.Fatalf("%#v\n got %s\nwant %s", v, got, want)
		}
	})
}

// BenchmarkJSON writes a list of ten by its own means and by encoding/json's.
func BenchmarkJSON(b *testing.B) {
	at := stamp(time.UnixMilli(1_700_000_000_000))
	one := storageConnectionModel{
		ConnectionID: "conn_0123456789abcde", InternalID: "int_0123456789abcdef01234567", ProviderType: "s3", Name: "connection", Status: "ACTIVE", IsActive: true,
		ProviderConfig: map[string]any{"provider_type": "s3", "region": "eu-west-1", "endpoint_url": nil, "use_ssl": true, "verify_ssl": true,
			"credentials": map[string]any{"type": "access_key", "access_key_id": "AKIAEXAMPLE", "secret_access_key": "****"}},
		CreatedAt: at, UpdatedAt: at, NextCheckAt: &at, Metadata: map[string]any{},
	}
	list := storageConnectionListResponse{Total: 100_000}
	for range 10 {
		list.Results = append(list.Results, one)
	}
	b.Run("own", func(b *testing.B) {
		b.ReportAllocs()
		var buffer []byte
		for b.Loop() {
			buffer = appendValue(buffer[:0], list)
		}
	})
	b.Run("encoding", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(list); err != nil {
				b.Fatal(err)
			}
		}
	})
}
