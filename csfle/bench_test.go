package csfle

import (
	"strings"
	"testing"

	"mooring/internal/secret"
)

// The data key is cached, as it is in a server that works.

func BenchmarkEncrypt2KiB(b *testing.B) {
	ring, _ := newRing(b, KeyringOptions{})
	key := must(ring.CreateKey(b.Context(), "a"))(b)
	v := value(b, strings.Repeat("x", 2048))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ring.Encrypt(b.Context(), key, Random, v); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecrypt2KiB(b *testing.B) {
	ring, _ := newRing(b, KeyringOptions{})
	key := must(ring.CreateKey(b.Context(), "a"))(b)
	sealed := must(ring.Encrypt(b.Context(), key, Random, value(b, strings.Repeat("x", 2048))))(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ring.Decrypt(b.Context(), sealed); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSealString(b *testing.B) {
	s, _ := newSealer(b, orgA)
	bind, name, v := sampleBinding(), KeyName(orgA, 1), secret.New(strings.Repeat("x", 40))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Seal(b.Context(), name, bind, v); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenString(b *testing.B) {
	s, bind, sealed := sealedSample(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Open(b.Context(), bind, sealed); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnwrapKey(b *testing.B) {
	ring, vault := newRing(b, KeyringOptions{})
	doc := must(vault.Get(b.Context(), must(ring.CreateKey(b.Context(), "a"))(b)))(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ring.unwrap(b.Context(), doc); err != nil {
			b.Fatal(err)
		}
	}
}
