package kmstest

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/csfle"
	"mooring/internal/errs"
)

// Keyring proves that a keyring works over a service's master key: a data key of a
// local one is rewrapped to it, a cached data key asks the service nothing, and
// another master key of the service is refused, with the error that it returns. The
// vault that it returns holds that one data key.
func Keyring(t *testing.T, k, other csfle.MasterKey, asked func() []string) (vault *csfle.MemoryVault, refused error) {
	t.Helper()
	vault = &csfle.MemoryVault{}
	local := csfle.GenerateLocalMasterKey()
	id, err := csfle.NewKeyring(vault, local, csfle.KeyringOptions{}).CreateKey(t.Context(), "a/1")
	if err != nil {
		t.Fatal(err)
	}
	if r, err := csfle.NewKeyring(vault, csfle.WithPrevious(k, local), csfle.KeyringOptions{}).RewrapAll(t.Context(), k); err != nil || r.Rewrapped != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	ring := csfle.NewKeyring(vault, k, csfle.KeyringOptions{})
	v := bson.RawValue{Type: bson.TypeBoolean, Value: []byte{1}}
	sealed, err := ring.Encrypt(t.Context(), id, csfle.Random, v)
	if err != nil {
		t.Fatal(err)
	}
	before := len(asked())
	for range 10 {
		if got, err := ring.Decrypt(t.Context(), sealed); err != nil || !got.Equal(v) {
			t.Fatal(got, err)
		}
	}
	if n := len(asked()) - before; n != 0 {
		t.Errorf("a cached key was asked for %d times", n)
	}
	check, err := csfle.NewMasterKeyCheck(t.Context(), k)
	if err != nil || check.Verify(t.Context(), k) != nil {
		t.Fatal(err, check.Verify(t.Context(), k))
	}
	if refused = check.Verify(t.Context(), other); !errs.Is(refused, errs.Invalid) {
		t.Errorf("with another key: %v", refused)
	}
	return vault, refused
}
