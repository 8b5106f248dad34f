package csfle

import (
	"encoding/hex"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// malformed holds, for each BSON type, values that are not one of it.
func malformed(t testing.TB) []bson.RawValue {
	t.Helper()
	var out []bson.RawValue
	add := func(typ bson.Type, hexes ...string) {
		for _, h := range hexes {
			b, err := hex.DecodeString(strings.ReplaceAll(h, " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, bson.RawValue{Type: typ, Value: b})
		}
	}
	for _, typ := range []bson.Type{0, 0x14, 0x7e, 0x80, 0xfe} {
		add(typ, "", "00", "05000000 00")
	}
	add(bson.TypeBoolean, "", "02", "ff", "0100")
	add(bson.TypeInt32, "", "010000", "0100000000")
	for _, typ := range []bson.Type{bson.TypeDouble, bson.TypeDateTime, bson.TypeTimestamp, bson.TypeInt64} {
		add(typ, "", "00000000000000", "000000000000000000")
	}
	add(bson.TypeObjectID, strings.Repeat("00", 11), strings.Repeat("00", 13))
	add(bson.TypeDecimal128, strings.Repeat("00", 15), strings.Repeat("00", 17))
	for _, typ := range []bson.Type{bson.TypeString, bson.TypeJavaScript, bson.TypeSymbol} {
		add(typ, "", "0000", "00000000", "00000000 00", "01000000", "01000000 61", "02000000 6100 00", "03000000 6100",
			"ffffffff 00", "00000080 00", "ffffff7f 00")
	}
	add(bson.TypeBinary, "", "00000000", "01000000 00", "01000000 00 0000", "ffffffff 00", "ffffff7f 00",
		"03000000 02 000000", "05000000 02 02000000 00", "05000000 02 00000000 00", "04000000 02 ffffffff")
	add(bson.TypeRegex, "", "61", "6100", "6100 69", "6100 6900 00")
	add(bson.TypeDBPointer, "01000000 00", "01000000 00"+strings.Repeat("00", 11), "01000000 00"+strings.Repeat("00", 13))
	for _, typ := range []bson.Type{bson.TypeEmbeddedDocument, bson.TypeArray} {
		add(typ, "", "04000000", "05000000", "05000000 01", "05000000 00 00", "06000000 00", "ffffffff 00",
			"06000000 00 00",                           // an element of type 0
			"07000000 10 61",                           // a key that does not end
			"08000000 10 6100 00",                      // a value that is cut off
			"0c000000 10 6100 01000000",                // no terminator
			"0d000000 10 6100 01000000 00 00",          // too long a value
			"09000000 08 6100 02 00",                   // a bad value
			"0e000000 03 6100 06000000 00 00 00",       // a bad document inside
			"10000000 04 6100 08000000 10 00 00 00 00", // deeper still
		)
	}
	add(bson.TypeCodeWithScope, "", "04000000", "0e000000 01000000 00 05000000 0000", "0d000000 01000000 00 05000000 00",
		"0f000000 01000000 00 05000000 00 00", "0e000000 01000000 00 06000000 00")
	return out
}

func TestValueSizeRefuses(t *testing.T) {
	for _, v := range malformed(t) {
		if isOneValue(v.Type, v.Value) {
			t.Errorf("%v %x passes as one value", v.Type, v.Value)
		}
	}
}

func TestValueSizeMeasures(t *testing.T) {
	for _, s := range samples(t) {
		if n := valueSize(s.v.Type, append(s.v.Value, "trailing"...)); n != len(s.v.Value) {
			t.Errorf("%v: size %d, want %d", s.v.Type, n, len(s.v.Value))
		}
	}
}

func TestValueSizeBoundsNesting(t *testing.T) {
	nested := func(levels int) []byte {
		doc := []byte{5, 0, 0, 0, 0}
		for range levels - 1 {
			inner := append([]byte{byte(bson.TypeEmbeddedDocument), 0}, doc...)
			n := len(inner) + 5
			doc = append([]byte{byte(n), byte(n >> 8), byte(n >> 16), 0}, append(inner, 0)...)
		}
		return doc
	}
	if !isOneValue(bson.TypeEmbeddedDocument, nested(maxNesting)) {
		t.Error("the deepest nesting is refused")
	}
	if isOneValue(bson.TypeEmbeddedDocument, nested(maxNesting+1)) {
		t.Error("a deeper nesting is taken")
	}
}

func FuzzValueSize(f *testing.F) {
	for _, s := range samples(f) {
		f.Add(byte(s.v.Type), s.v.Value)
	}
	for _, v := range malformed(f) {
		f.Add(byte(v.Type), v.Value)
	}
	f.Fuzz(func(t *testing.T, typ byte, b []byte) {
		n := valueSize(bson.Type(typ), b)
		if n > len(b) {
			t.Fatalf("size %d of %d bytes", n, len(b))
		}
		if n < 0 {
			return
		}
		if !isOneValue(bson.Type(typ), b[:n:n]) {
			t.Fatal("a prefix of its own size is not one value")
		}
		if err := (bson.RawValue{Type: bson.Type(typ), Value: b[:n:n]}).Validate(); err != nil {
			t.Fatalf("the driver refuses it: %v", err)
		}
	})
}
