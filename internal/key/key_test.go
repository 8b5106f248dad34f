package key_test

import (
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"mooring/internal/key"
)

func raw(t *rapid.T, label string) key.Key {
	return key.Key(rapid.SliceOf(rapid.SampledFrom([]byte{0, 1, 0x1f, ' ', '!', '"', '/', '0', 'a', '}', '~', 0x7f, 0x80, 0xc3, 0xef, 0xff})).Draw(t, label))
}

func TestEncodingKeepsOrderAndPrefixes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := raw(t, "a"), raw(t, "b")
		if strings.Compare(string(a), string(b)) != strings.Compare(a.Encode(), b.Encode()) {
			t.Fatalf("order of %q and %q is lost", a, b)
		}
		if strings.HasPrefix(string(a), string(b)) != strings.HasPrefix(a.Encode(), b.Encode()) {
			t.Fatalf("prefix of %q and %q is lost", a, b)
		}
		back, err := key.Decode(a.Encode())
		if err != nil || back != a {
			t.Fatalf("%q came back as %q, %v", a, back, err)
		}
		for _, c := range a.Encode() {
			if c < 0x21 || c > 0x7E {
				t.Fatalf("%q is not printable ASCII", a.Encode())
			}
		}
	})
}

func TestDecodeRefusesOtherForms(t *testing.T) {
	for _, s := range []string{"!", "!4", "!zz", "~61", "!61", "~FF", "a b", "é"} {
		if k, err := key.Decode(s); err == nil {
			t.Errorf("%q was read as %q", s, k)
		}
	}
}

func TestBSONRoundTrip(t *testing.T) {
	type doc struct {
		K key.Key `bson:"k"`
	}
	for _, k := range []key.Key{"", "a/b", "sp ace", "\x00\xff", "é"} {
		b, err := bson.Marshal(doc{k})
		if err != nil {
			t.Fatal(err)
		}
		var d doc
		if err := bson.Unmarshal(b, &d); err != nil || d.K != k {
			t.Errorf("%q came back as %q, %v", k, d.K, err)
		}
		if got := bson.Raw(b).Lookup("k").StringValue(); got != k.Encode() {
			t.Errorf("stored as %q", got)
		}
	}
}
