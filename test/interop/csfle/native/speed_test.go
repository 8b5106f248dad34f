//go:build cgo && libmongocrypt

package native

import (
	"crypto/rand"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/csfle"
)

// TestSpeed prints the CPU time of both sides for strings of several sizes, a round
// of one beside a round of the other. Each opens what the other sealed.
func TestSpeed(t *testing.T) {
	const rounds = 15
	t.Logf("libmongocrypt %s; CPU ns per operation, best of %d rounds", libraryVersion(), rounds)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, c := range []struct{ size, ops int }{{40, 4000}, {2 << 10, 2000}, {64 << 10, 100}} {
		s := newSides(t, strings.Repeat("x", c.size))
		var best [4]float64
		for range rounds {
			for i, work := range []func(n int){s.weSeal, s.itSeals, s.weOpen, s.itOpens} {
				began := cpu(t)
				work(c.ops)
				if took := float64(cpu(t)-began) / float64(c.ops); best[i] == 0 || took < best[i] {
					best[i] = took
				}
			}
		}
		t.Logf("%6d bytes: seal: we %.0f, it %.0f, ratio %.2f; open: we %.0f, it %.0f, ratio %.2f",
			c.size, best[0], best[1], best[0]/best[1], best[2], best[3], best[2]/best[3])
	}
}

func cpu(t *testing.T) int64 {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// sides are both implementations with the same keys, a string and what it is sealed.
type sides struct {
	t       *testing.T
	ring    *csfle.Keyring
	library *library
	plain   bson.RawValue
	doc     []byte // {v: plain}
	sealed  bson.Binary
	wrapped []byte // {v: sealed}
}

const keyName = "k"

func newSides(t *testing.T, text string) *sides {
	t.Helper()
	random := make([]byte, 96)
	_, _ = rand.Read(random)
	master, err := csfle.NewLocalMasterKey(random)
	check(t, err)
	var vault csfle.MemoryVault
	s := &sides{t: t, ring: csfle.NewKeyring(&vault, master, csfle.KeyringOptions{})}
	_, err = s.ring.CreateKey(t.Context(), keyName)
	check(t, err)
	keys, err := vault.List(t.Context(), "", "", 1)
	check(t, err)
	key, err := keys[0].MarshalBSON()
	check(t, err)
	s.doc = document(t, text)
	s.plain = bson.Raw(s.doc).Lookup("v")
	_, id := bson.Raw(key).Lookup("_id").Binary()
	s.library, err = newLibrary(random, id, key)
	check(t, err)
	t.Cleanup(s.library.close)

	s.sealed, err = s.ring.EncryptWith(t.Context(), keyName, csfle.Random, s.plain)
	check(t, err)
	s.wrapped = document(t, s.sealed)
	if got, err := s.library.open(s.wrapped, 1); err != nil || string(got) != string(s.doc) {
		t.Fatalf("it does not open what we sealed: %v", err)
	}
	theirs, err := s.library.seal(s.doc, 1)
	check(t, err)
	subtype, data := bson.Raw(theirs).Lookup("v").Binary()
	got, err := s.ring.Decrypt(t.Context(), bson.Binary{Subtype: subtype, Data: data})
	if err != nil || !got.Equal(s.plain) {
		t.Fatalf("we don't open what it sealed: %v", err)
	}
	return s
}

func (s *sides) weSeal(n int) {
	for range n {
		_, err := s.ring.EncryptWith(s.t.Context(), keyName, csfle.Random, s.plain)
		check(s.t, err)
	}
}

func (s *sides) weOpen(n int) {
	for range n {
		_, err := s.ring.Decrypt(s.t.Context(), s.sealed)
		check(s.t, err)
	}
}

func (s *sides) itSeals(n int) {
	_, err := s.library.seal(s.doc, n)
	check(s.t, err)
}

func (s *sides) itOpens(n int) {
	_, err := s.library.open(s.wrapped, n)
	check(s.t, err)
}

func document(t *testing.T, v any) []byte {
	t.Helper()
	b, err := bson.Marshal(bson.D{{Key: "v", Value: v}})
	check(t, err)
	return b
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
