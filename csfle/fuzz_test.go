package csfle

import (
	"bytes"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/errs"
)

// FuzzDecrypt opens arbitrary bytes with the corpus's data key in place.
// Without the key nothing can be made that opens, so whatever opens must be
// one of the seeds.
func FuzzDecrypt(f *testing.F) {
	c, key, ring := loadCorpus(f)
	genuine := map[string]bool{}
	for _, v := range c.Values {
		genuine[v.Cipher] = true
		f.Add(v.sealed(f).Data)
	}
	sealed := c.Values[0].sealed(f).Data
	f.Add(sealed[:minPayload-1])
	f.Add(append([]byte{3}, sealed[1:]...))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := ring.Decrypt(t.Context(), bson.Binary{Subtype: subtypeEncrypted, Data: b})
		if err != nil {
			if !errs.Is(err, errs.Corrupt) && !errs.Is(err, errs.NotFound) {
				t.Fatalf("an error of kind %v: %v", errs.KindOf(err), err)
			}
			return
		}
		if !genuine[encode64(b)] {
			t.Fatalf("opened %x to %v", b, v)
		}
		if b[0] == byte(Deterministic) {
			again, err := ring.Encrypt(t.Context(), key, Deterministic, v)
			if err != nil || !bytes.Equal(again.Data, b) {
				t.Fatalf("seals again to %x, %v", again.Data, err)
			}
		}
	})
}

// FuzzOpenAuthentic goes past the authentication: it seals arbitrary bytes as
// the plaintext of any type and algorithm, as a holder of the key could.
func FuzzOpenAuthentic(f *testing.F) {
	k := testKey(f, 5)
	for _, s := range samples(f) {
		f.Add(byte(Random), byte(s.v.Type), s.v.Value)
		f.Add(byte(Deterministic), byte(s.v.Type), s.v.Value)
	}
	for _, v := range malformed(f) {
		f.Add(byte(Random), byte(v.Type), v.Value)
	}
	f.Add(byte(Random), byte(bson.TypeEmbeddedDocument), sampleBinding().encode("x"))
	f.Fuzz(func(t *testing.T, alg, typ byte, plain []byte) {
		header := append(append([]byte{alg}, k.id[:]...), typ)
		payload := k.box.seal(header, randomIV(), plain, header)
		if _, err := checkPayload(bson.Binary{Subtype: subtypeEncrypted, Data: payload}); err != nil {
			return
		}
		v, err := k.open(payload)
		if err != nil {
			return
		}
		if !bytes.Equal(v.Value, plain) || byte(v.Type) != typ || v.Validate() != nil {
			t.Fatalf("opened %x to %v", plain, v)
		}
		if _, err := k.seal(Algorithm(alg), v); err != nil {
			t.Fatalf("what was opened can't be sealed again: %v", err)
		}
		if v.Type == bson.TypeEmbeddedDocument {
			if b, value, ok := decode(bson.Raw(v.Value)); ok && !bytes.Equal(b.encode(value), v.Value) {
				t.Fatalf("a bound secret is not written as it was read: %x", v.Value)
			}
		}
	})
}

func FuzzParseKeyDocument(f *testing.F) {
	for _, d := range []bson.D{
		keyDoc(), without(keyDoc(), "keyAltNames"), with(keyDoc(), "version", int64(0)), with(keyDoc(), "tenant", "x"),
		with(keyDoc(), "masterKey", bson.D{{Key: "provider", Value: "aws"}, {Key: "region", Value: "r"}, {Key: "key", Value: "k"}}),
		with(keyDoc(), "masterKey", bson.D{{Key: "provider", Value: "kmip:n"}, {Key: "keyId", Value: "1"}, {Key: "delegated", Value: true}}),
	} {
		f.Add([]byte(document(f, d)))
	}
	c, _, _ := loadCorpus(f)
	f.Add([]byte(c.DataKey))
	f.Fuzz(func(t *testing.T, b []byte) {
		doc, err := ParseKeyDocument(b)
		if err != nil {
			if !errs.Is(err, errs.Corrupt) {
				t.Fatalf("an error of kind %v: %v", errs.KindOf(err), err)
			}
			return
		}
		written, err := doc.MarshalBSON()
		if err != nil {
			t.Fatalf("what was read can't be written: %v", err)
		}
		again, err := ParseKeyDocument(written)
		if err != nil {
			t.Fatalf("what was written can't be read: %v", err)
		}
		rewritten, err := again.MarshalBSON()
		if err != nil || !bytes.Equal(rewritten, written) {
			t.Fatalf("reading and writing is not stable: %x, %x, %v", written, rewritten, err)
		}
		_, _ = doc.AltName()
	})
}
