package doc_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/errs"
	"mooring/internal/store/internal/doc"
)

func encode(t *testing.T, v any) []byte {
	t.Helper()
	b, err := doc.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEqual(t *testing.T) {
	a := bson.D{{Key: "x", Value: 1}, {Key: "y", Value: bson.D{{Key: "p", Value: "q"}, {Key: "r", Value: bson.A{1, 2}}}}}
	for name, c := range map[string]struct {
		b    bson.D
		want bool
	}{
		"itself":           {a, true},
		"another order":    {bson.D{{Key: "y", Value: bson.D{{Key: "r", Value: bson.A{1, 2}}, {Key: "p", Value: "q"}}}, {Key: "x", Value: 1}}, true},
		"order of a list":  {bson.D{{Key: "x", Value: 1}, {Key: "y", Value: bson.D{{Key: "p", Value: "q"}, {Key: "r", Value: bson.A{2, 1}}}}}, false},
		"another value":    {bson.D{{Key: "x", Value: 2}, {Key: "y", Value: bson.D{{Key: "p", Value: "q"}, {Key: "r", Value: bson.A{1, 2}}}}}, false},
		"another name":     {bson.D{{Key: "z", Value: 1}, {Key: "y", Value: bson.D{{Key: "p", Value: "q"}, {Key: "r", Value: bson.A{1, 2}}}}}, false},
		"swapped values":   {bson.D{{Key: "y", Value: 1}, {Key: "x", Value: bson.D{{Key: "p", Value: "q"}, {Key: "r", Value: bson.A{1, 2}}}}}, false},
		"a field more":     {append(bson.D{{Key: "w", Value: 1}}, a...), false},
		"a type like it":   {bson.D{{Key: "x", Value: int64(1)}, {Key: "y", Value: a[1].Value}}, false},
		"nothing":          {bson.D{}, false},
		"a deeper change":  {bson.D{{Key: "x", Value: 1}, {Key: "y", Value: bson.D{{Key: "p", Value: "Q"}, {Key: "r", Value: bson.A{1, 2}}}}}, false},
		"a shorter inside": {bson.D{{Key: "x", Value: 1}, {Key: "y", Value: bson.D{{Key: "p", Value: "q"}}}}, false},
	} {
		if got := doc.Equal(encode(t, a), encode(t, c.b)); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	at := time.Date(2024, 5, 6, 7, 8, 9, 123_456_789, time.FixedZone("west", -3600))
	in := map[string]any{"m": map[string]any{"l": []any{"a", map[string]any{"t": at}}}, "n": nil, "i": int64(1 << 40)}
	want := map[string]any{"m": map[string]any{"l": []any{"a", map[string]any{"t": at.UTC().Truncate(time.Millisecond)}}}, "n": nil, "i": int64(1 << 40)}
	var got struct{ V map[string]any }
	if err := doc.Decode(encode(t, struct{ V map[string]any }{in}), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.V); diff != "" {
		t.Error(diff)
	}
}

func TestRefused(t *testing.T) {
	for name, v := range map[string]any{"a func": struct{ F func() }{func() {}}, "too large": struct{ S string }{strings.Repeat("x", doc.MaxBytes)}} {
		if _, err := doc.Encode(v); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var v struct{ S string }
	if err := doc.Decode([]byte{9, 0, 0, 0, 2}, &v); !errs.Is(err, errs.Corrupt) {
		t.Errorf("a cut document: %v", err)
	}
}
