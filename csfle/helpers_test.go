package csfle

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/errs"
)

func testKey(t testing.TB, fill byte) *dataKey {
	t.Helper()
	raw := bytes.Repeat([]byte{fill}, keySize)
	for i := range raw {
		raw[i] ^= byte(i)
	}
	k, err := newDataKey(KeyID(bytes.Repeat([]byte{fill}, 16)), raw)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newRing(t testing.TB, o KeyringOptions) (*Keyring, *MemoryVault) {
	t.Helper()
	vault := new(MemoryVault)
	return NewKeyring(vault, GenerateLocalMasterKey(), o), vault
}

// value encodes any Go value.
func value(t testing.TB, v any) bson.RawValue {
	t.Helper()
	typ, b, err := bson.MarshalValue(v)
	if err != nil {
		t.Fatal(err)
	}
	return bson.RawValue{Type: typ, Value: b}
}

func document(t testing.TB, d bson.D) bson.Raw {
	t.Helper()
	b, err := bson.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func wantKind(t testing.TB, what string, err error, want errs.Kind) {
	t.Helper()
	if !errs.Is(err, want) {
		t.Errorf("%s: got error %v, want kind %v", what, err, want)
	}
}

// clock is a clock that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.UnixMilli(1700000000123).UTC()} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}
