package csfle

import (
	"bytes"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/errs"
)

// tampered calls f with every changed form of a sealed value.
func tampered(sealed []byte, otherKey KeyID, f func(what string, b []byte)) {
	change := func(what string, edit func(b []byte) []byte) { f(what, edit(bytes.Clone(sealed))) }
	for i := range sealed {
		for bit := range 8 {
			change("bit flip", func(b []byte) []byte { b[i] ^= 1 << bit; return b })
		}
		change("truncation", func(b []byte) []byte { return b[:i] })
		change("truncation at the front", func(b []byte) []byte { return b[i+1:] })
	}
	for n := range 64 {
		change("extension", func(b []byte) []byte { return append(b, make([]byte, n+1)...) })
		change("insertion", func(b []byte) []byte {
			return bytes.Join([][]byte{b[:headerSize+ivSize], make([]byte, n+1), b[headerSize+ivSize:]}, nil)
		})
	}
	change("other key id", func(b []byte) []byte { copy(b[1:], otherKey[:]); return b })
	for typ := range 256 {
		if byte(typ) != sealed[headerSize-1] {
			change("other type", func(b []byte) []byte { b[headerSize-1] = byte(typ); return b })
		}
	}
	for alg := range 256 {
		if byte(alg) != sealed[0] {
			change("other algorithm", func(b []byte) []byte { b[0] = byte(alg); return b })
		}
	}
	for at := headerSize; at+2*blockLen <= len(sealed); at += blockLen {
		change("swapped blocks", func(b []byte) []byte {
			copy(b[at:], sealed[at+blockLen:at+2*blockLen])
			copy(b[at+blockLen:], sealed[at:at+blockLen])
			return b
		})
		change("removed block", func(b []byte) []byte { return append(b[:at], b[at+blockLen:]...) })
	}
}

func TestTamperedValuesAreRefused(t *testing.T) {
	ring, _ := newRing(t, KeyringOptions{})
	key := must(ring.CreateKey(t.Context(), "a"))(t)
	other := must(ring.CreateKey(t.Context(), "b"))(t)
	for _, alg := range []Algorithm{Random, Deterministic} {
		sealed := must(ring.Encrypt(t.Context(), key, alg, value(t, "a secret of some length")))(t)
		tried := 0
		tampered(sealed.Data, other, func(what string, b []byte) {
			tried++
			v, err := ring.Decrypt(t.Context(), bson.Binary{Subtype: subtypeEncrypted, Data: b})
			// A changed key id names a key that does not exist.
			if !errs.Is(err, errs.Corrupt) && !errs.Is(err, errs.NotFound) || v.Value != nil {
				t.Errorf("%v, %s: opened %x to %v, %v", alg, what, b, v, err)
			}
		})
		if _, err := ring.Decrypt(t.Context(), sealed); err != nil || tried < 1500 {
			t.Errorf("%v: %d forms tried; unchanged: %v", alg, tried, err)
		}
	}
	for subtype := range 256 {
		if byte(subtype) == subtypeEncrypted {
			continue
		}
		sealed := must(ring.Encrypt(t.Context(), key, Random, value(t, "x")))(t)
		sealed.Subtype = byte(subtype)
		_, err := ring.Decrypt(t.Context(), sealed)
		wantKind(t, "other subtype", err, errs.Corrupt)
	}
}

func TestTamperedKeysAreRefused(t *testing.T) {
	master := GenerateLocalMasterKey()
	material, doc, err := master.Wrap(t.Context(), newKeyBytes())
	if err != nil || len(material) != 160 {
		t.Fatal(len(material), err)
	}
	refused := func(what string, b []byte) {
		t.Helper()
		key, err := master.Unwrap(t.Context(), b, doc)
		if !errs.Is(err, errs.Corrupt) || key != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	for i := range material {
		for bit := range 8 {
			b := bytes.Clone(material)
			b[i] ^= 1 << bit
			refused("bit flip", b)
		}
		refused("truncation", material[:i])
	}
	for n := range 64 {
		refused("extension", append(bytes.Clone(material), make([]byte, n+1)...))
	}
	for _, n := range []int{0, 95, 97, 64, 111} { // authentic, but not of a key's length
		refused("another length", master.box.seal(nil, randomIV(), make([]byte, n), nil))
	}
	if _, err := master.Unwrap(t.Context(), material, doc); err != nil {
		t.Error(err)
	}
	_, err = GenerateLocalMasterKey().Unwrap(t.Context(), material, doc)
	wantKind(t, "another master key", err, errs.Corrupt)
	aws := document(t, bson.D{{Key: "provider", Value: "aws"}, {Key: "region", Value: "r"}, {Key: "key", Value: "k"}})
	_, err = master.Unwrap(t.Context(), material, aws)
	wantKind(t, "another provider", err, errs.Corrupt)
}

// Every changed form of a bound secret is refused too, and no error tells it.
func TestTamperedSecretsAreRefused(t *testing.T) {
	s, b, sealed := sealedSample(t)
	other := must(s.EnsureKey(t.Context(), b.Org, 2))(t)
	tampered(sealed.Data, other, func(what string, data []byte) {
		v, err := s.Open(t.Context(), b, bson.Binary{Subtype: subtypeEncrypted, Data: data})
		if !errs.Is(err, errs.Corrupt) && !errs.Is(err, errs.NotFound) || !v.IsZero() {
			t.Errorf("%s: %v", what, err)
		} else if strings.Contains(err.Error(), sampleSecret) {
			t.Errorf("%s: the error tells the secret", what)
		}
	})
}
