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
	told    map[telling]int   // what events must say of them
	shared  map[string]bool   // keys whose content others have too: which of them is told of depends on the order
}

// telling is one thing that events say of one object.
type telling struct{ kind, key string }

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
	s := &storage{Server: server, objects: map[string][]byte{}, told: map[telling]int{}, shared: map[string]bool{}}
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
		s.share(t, k, same)
	}
	s.share(t, "empty/1", nil)
	s.share(t, "empty/2", nil)
	s.put(t, "parts", content(rng, 40_000), s3.PutOptions{PartSize: 8192, Checksum: s3.CRC64NVME})
	if err := s.Put(sourceBucket, "glacier", []byte("out of reach"), s3.PutOptions{StorageClass: "GLACIER"}); err != nil { // skipped
		t.Fatal(err)
	}
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
	kind := "created"
	if _, known := s.objects[key]; known {
		kind = "updated"
	}
	s.told[telling{kind, key}]++
	s.objects[key] = data
}

// share puts an object whose content others have too.
func (s *storage) share(t *testing.T, key string, data []byte) {
	t.Helper()
	s.put(t, key, data, s3.PutOptions{})
	s.shared[key] = true
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
		s.told[telling{"deleted", k}]++
		gone++
	}
	for _, k := range keys[6:11] {
		s.put(t, k, content(rng, 1+rng.IntN(3000)), s3.PutOptions{})
		news++
	}
	s.share(t, "copies/new", s.objects[keys[20]])
	for i := range 6 {
		s.put(t, fmt.Sprintf("later/%d/%s", i, keys[i]), content(rng, 1+rng.IntN(3000)), s3.PutOptions{})
		news++
	}
	return news + 1, gone
}
