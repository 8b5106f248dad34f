//go:build unix

package chaos

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"mooring/emulator/s3"
)

// storage is the source: the emulator and what its bucket holds.
type storage struct {
	*s3.Server
	objects map[string][]byte // that a sync brings, by key
	others  map[string]string // that it does not, with the outcome that they have
}

// oddKeys are what a folder or a protocol might stumble over.
var oddKeys = []string{
	"a", "a/b", "a/b/c", "a//b", "../up", "..", "./here", "dir/../sibling", ".hidden", ".mooring/staging/x",
	"with space", " leading and trailing ", "100%", "a+b&c=d?e#f", "<xml>&amp;", "back\\slash", "tilde~1", "quote\"'",
	"Case", "case", "Gr\u00fc\u00dfe", "Gru\u0308\u00dfe", "emoji \U0001f6a2", "CON", "nul.txt", "control\x01\x1f", "line\nbreak",
	strings.Repeat("long", 75), strings.Repeat("deep/", 40) + "end",
}

func newStorage(t *testing.T, rng *rand.Rand) *storage {
	t.Helper()
	server, err := s3.Start(s3.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	s := &storage{Server: server, objects: map[string][]byte{}, others: map[string]string{}}
	if err := s.CreateBucket(sourceBucket); err != nil {
		t.Fatal(err)
	}
	for _, k := range oddKeys {
		s.put(t, k, content(rng, 1+rng.IntN(2000)), s3.PutOptions{})
	}
	for i := range 8 {
		s.put(t, fmt.Sprintf("plain/%03d", i), content(rng, rng.IntN(5000)), s3.PutOptions{})
	}
	same := content(rng, 700)
	for _, k := range []string{"copies/1", "copies/2", "z-copy"} {
		s.put(t, k, same, s3.PutOptions{})
	}
	s.put(t, "empty/1", nil, s3.PutOptions{})
	s.put(t, "empty/2", nil, s3.PutOptions{})
	s.put(t, "parts", content(rng, 40_000), s3.PutOptions{PartSize: 8192, Checksum: s3.CRC64NVME})
	s.refuse(t, "glacier", "skipped", s3.PutOptions{StorageClass: "GLACIER"})
	return s
}

// content is new bytes: no two calls give the same.
func content(rng *rand.Rand, n int) []byte {
	b := make([]byte, n+8)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func (s *storage) put(t *testing.T, key string, data []byte, o s3.PutOptions) {
	t.Helper()
	if err := s.Put(sourceBucket, key, data, o); err != nil {
		t.Fatal(err)
	}
	s.objects[key] = data
}

// refuse puts an object that can't be read.
func (s *storage) refuse(t *testing.T, key, outcome string, o s3.PutOptions) {
	t.Helper()
	if err := s.Put(sourceBucket, key, []byte("out of reach"), o); err != nil {
		t.Fatal(err)
	}
	s.others[key] = outcome
}

// change is what happens to the source between two passes. It returns how many
// contents have come and how many objects have gone.
func (s *storage) change(t *testing.T, rng *rand.Rand) (news, gone int) {
	t.Helper()
	keys := slices.Sorted(maps.Keys(s.objects))
	rng.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	for _, k := range keys[:6] {
		if err := s.Delete(sourceBucket, k); err != nil {
			t.Fatal(err)
		}
		delete(s.objects, k)
		gone++
	}
	for _, k := range keys[6:11] {
		s.put(t, k, content(rng, 1+rng.IntN(3000)), s3.PutOptions{})
		news++
	}
	s.put(t, "copies/new", s.objects[keys[20]], s3.PutOptions{})
	for i := range 6 {
		s.put(t, fmt.Sprintf("later/%d/%s", i, keys[i]), content(rng, 1+rng.IntN(3000)), s3.PutOptions{})
		news++
	}
	return news + 1, gone
}
