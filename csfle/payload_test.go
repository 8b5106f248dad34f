package csfle

import (
	"bytes"
	"crypto/aes"
	"strings"
	"testing"

	josecipher "github.com/go-jose/go-jose/v4/cipher"
	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"mooring/internal/errs"
)

// samples holds a value of every BSON type, and whether Random and
// Deterministic take it.
func samples(t testing.TB) []struct {
	v         bson.RawValue
	rand, det bool
} {
	oid := bson.ObjectID{1, 2, 3}
	return []struct {
		v         bson.RawValue
		rand, det bool
	}{
		{value(t, 1.5), true, false},
		{value(t, "text"), true, true},
		{value(t, bson.D{{Key: "a", Value: int32(1)}}), true, false},
		{value(t, bson.A{"a", int64(2)}), true, false},
		{value(t, bson.Binary{Subtype: 0, Data: []byte{1}}), true, true},
		{value(t, bson.Binary{Subtype: 2, Data: []byte{1}}), true, true},
		{value(t, bson.Binary{Subtype: 4, Data: oid[:]}), true, true},
		{value(t, bson.Binary{Subtype: 6, Data: []byte{1}}), false, false},
		{value(t, bson.Undefined{}), false, false},
		{value(t, oid), true, true},
		{value(t, true), true, false},
		{value(t, bson.DateTime(7)), true, true},
		{value(t, bson.Null{}), false, false},
		{value(t, bson.Regex{Pattern: "a+", Options: "i"}), true, true},
		{value(t, bson.DBPointer{DB: "d", Pointer: oid}), true, true},
		{value(t, bson.JavaScript("x")), true, true},
		{value(t, bson.Symbol("s")), true, true},
		{value(t, bson.CodeWithScope{Code: "x", Scope: bson.D{}}), true, false},
		{value(t, int32(1)), true, true},
		{value(t, bson.Timestamp{T: 1, I: 2}), true, true},
		{value(t, int64(1)), true, true},
		{value(t, bson.NewDecimal128(1, 2)), true, false},
		{value(t, bson.MinKey{}), false, false},
		{value(t, bson.MaxKey{}), false, false},
	}
}

func TestTypesTaken(t *testing.T) {
	k := testKey(t, 1)
	for _, s := range samples(t) {
		for alg, want := range map[Algorithm]bool{Random: s.rand, Deterministic: s.det} {
			sealed, err := k.seal(alg, s.v)
			if !want {
				wantKind(t, s.v.Type.String()+" "+alg.String(), err, errs.Invalid)
				continue
			}
			if err != nil {
				t.Errorf("%v %v: %v", s.v.Type, alg, err)
				continue
			}
			if len(sealed.Data) != 66+16*(len(s.v.Value)/16+1) || sealed.Data[0] != byte(alg) || sealed.Data[17] != byte(s.v.Type) {
				t.Errorf("%v %v: sealed to %x", s.v.Type, alg, sealed.Data)
			}
			if got, err := k.open(sealed.Data); err != nil || !got.Equal(s.v) {
				t.Errorf("%v %v: opens to %v, %v", s.v.Type, alg, got, err)
			}
		}
	}
	for _, alg := range []Algorithm{0, 3, 255} {
		_, err := k.seal(alg, value(t, "x"))
		wantKind(t, "unknown algorithm", err, errs.Invalid)
	}
}

func TestSealRefusesMalformedValues(t *testing.T) {
	k := testKey(t, 1)
	for _, v := range malformed(t) {
		_, err := k.seal(Random, v)
		wantKind(t, v.Type.String(), err, errs.Invalid)
	}
}

// What a holder of the key sealed against the rules is refused all the same.
func TestOpenRefusesWhatNobodyMaySeal(t *testing.T) {
	k := testKey(t, 1)
	forge := func(alg Algorithm, v bson.RawValue) error {
		header := append(append([]byte{byte(alg)}, k.id[:]...), byte(v.Type))
		payload := k.box.seal(header, randomIV(), v.Value, header)
		if _, err := checkPayload(bson.Binary{Subtype: subtypeEncrypted, Data: payload}); err != nil {
			return err
		}
		got, err := k.open(payload)
		if err == nil && !got.Equal(v) {
			t.Errorf("%v opens to %v", v.Type, got)
		}
		return err
	}
	for _, s := range samples(t) {
		for alg, allowed := range map[Algorithm]bool{Random: s.rand, Deterministic: s.det} {
			if err := forge(alg, s.v); allowed {
				if err != nil {
					t.Errorf("%v %v: %v", s.v.Type, alg, err)
				}
			} else {
				wantKind(t, s.v.Type.String()+" "+alg.String(), err, errs.Corrupt)
			}
		}
	}
	for _, v := range malformed(t) {
		wantKind(t, "malformed "+v.Type.String(), forge(Random, v), errs.Corrupt)
	}
	wantKind(t, "algorithm 3", forge(3, value(t, "x")), errs.Corrupt)
}

// An authentic tag over an empty body would make the AEAD index an empty slice.
func TestBoxRefusesAuthenticEmptyBody(t *testing.T) {
	key := make([]byte, 64)
	aead := must(josecipher.NewCBCHMAC(key, aes.NewCipher))(t)
	b := must(newBox(make([]byte, keySize)))(t)
	iv := make([]byte, ivSize)
	whole := aead.Seal(append([]byte(nil), iv...), iv, nil, nil)
	if _, err := b.open(whole, nil); err != nil {
		t.Fatalf("the box does not open what the AEAD sealed: %v", err)
	}
	for n := range whole {
		if _, err := b.open(whole[:n], nil); err == nil {
			t.Errorf("%d bytes were opened", n)
		}
	}
}

func TestKeyOf(t *testing.T) {
	k := testKey(t, 9)
	sealed := must(k.seal(Random, value(t, "x")))(t)
	if got := must(KeyOf(sealed))(t); got != k.id {
		t.Errorf("KeyOf = %v", got)
	}
	sealed.Subtype = 0
	_, err := KeyOf(sealed)
	wantKind(t, "subtype 0", err, errs.Corrupt)
	_, err = testKey(t, 8).open(sealed.Data)
	wantKind(t, "another key", err, errs.Internal)
}

func TestRandomDiffersDeterministicDoesNot(t *testing.T) {
	k, other := testKey(t, 1), testKey(t, 2)
	v := value(t, "x")
	a, b := must(k.seal(Random, v))(t), must(k.seal(Random, v))(t)
	if bytes.Equal(a.Data[18:34], b.Data[18:34]) {
		t.Error("Random used an IV twice")
	}
	a, b = must(k.seal(Deterministic, v))(t), must(k.seal(Deterministic, v))(t)
	if !bytes.Equal(a.Data, b.Data) {
		t.Error("Deterministic differs")
	}
	c := must(other.seal(Deterministic, v))(t)
	if bytes.Equal(a.Data[18:34], c.Data[18:34]) {
		t.Error("Deterministic uses one IV under two keys")
	}
}

func TestKeyBufferMayBeWiped(t *testing.T) {
	raw := bytes.Repeat([]byte{7}, keySize)
	k := must(newDataKey(KeyID{1}, raw))(t)
	v := value(t, "x")
	sealed := must(k.seal(Deterministic, v))(t)
	clear(raw)
	if again := must(k.seal(Deterministic, v))(t); !bytes.Equal(again.Data, sealed.Data) {
		t.Error("the key shares memory with the buffer it was made of")
	}
}

func TestErrorsHoldNoPlaintext(t *testing.T) {
	const canary = "canary-plaintext"
	k := testKey(t, 1)
	v := value(t, canary)
	broken := bson.RawValue{Type: v.Type, Value: v.Value[:len(v.Value)-1]}
	_, err := k.seal(Random, broken)
	_, err2 := k.seal(Deterministic, value(t, bson.D{{Key: canary, Value: canary}}))
	for _, err := range []error{err, err2} {
		if err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("got %v", err)
		}
	}
}

// drawValue draws a value that Random takes.
func drawValue(t *rapid.T, depth int) any {
	kinds := 12
	if depth == 0 {
		kinds = 10
	}
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		return rapid.String().Draw(t, "string")
	case 1:
		return rapid.Int32().Draw(t, "int32")
	case 2:
		return rapid.Int64().Draw(t, "int64")
	case 3:
		return rapid.Float64().Draw(t, "double")
	case 4:
		return rapid.Bool().Draw(t, "bool")
	case 5:
		subtype := rapid.SampledFrom([]byte{0, 1, 2, 3, 4, 5, 7, 0x80}).Draw(t, "subtype")
		return bson.Binary{Subtype: subtype, Data: rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "binary")}
	case 6:
		return bson.DateTime(rapid.Int64().Draw(t, "date"))
	case 7:
		return bson.Regex{Pattern: rapid.StringMatching(`[a-z.*]*`).Draw(t, "pattern"), Options: "i"}
	case 8:
		return bson.JavaScript(rapid.String().Draw(t, "code"))
	case 9:
		return bson.NewDecimal128(rapid.Uint64().Draw(t, "high"), rapid.Uint64().Draw(t, "low"))
	case 10:
		array := bson.A{}
		for range rapid.IntRange(0, 4).Draw(t, "length") {
			array = append(array, drawValue(t, depth-1))
		}
		return array
	default:
		doc := bson.D{}
		for range rapid.IntRange(0, 4).Draw(t, "length") {
			doc = append(doc, bson.E{Key: rapid.StringMatching(`[a-z]*`).Draw(t, "key"), Value: drawValue(t, depth-1)})
		}
		return doc
	}
}

func TestRoundTripProperty(t *testing.T) {
	k := testKey(t, 3)
	rapid.Check(t, func(rt *rapid.T) {
		v := value(t, drawValue(rt, 3))
		for _, alg := range []Algorithm{Random, Deterministic} {
			sealed, err := k.seal(alg, v)
			if alg == Deterministic && !alg.permitsValue(v.Type, v.Value) {
				continue
			}
			if err != nil {
				rt.Fatalf("%v: %v", v, err)
			}
			if _, err := checkPayload(sealed); err != nil {
				rt.Fatalf("%v: %v", v, err)
			}
			got, err := k.open(sealed.Data)
			if err != nil || !got.Equal(v) {
				rt.Fatalf("%v opens to %v, %v", v, got, err)
			}
		}
	})
}
