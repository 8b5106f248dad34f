package csfle

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/errs"
)

// filledRing has n keys and a value sealed under each.
func filledRing(t *testing.T, n int) (*Keyring, *MemoryVault, *clock, []bson.Binary) {
	t.Helper()
	c := newClock()
	ring, vault := newRing(t, KeyringOptions{Now: c.now})
	var sealed []bson.Binary
	for i := range n {
		sealed = append(sealed, sealUnder(t, ring, must(ring.CreateKey(t.Context(), fmt.Sprintf("int_a/%d", i+1)))(t)))
	}
	return ring, vault, c, sealed
}

// rewrapTo changes the master key as a process does that is asked to.
func rewrapTo(t *testing.T, ring *Keyring, to MasterKey) (RewrapResult, error) {
	t.Helper()
	ring.master = WithPrevious(to, ring.master)
	return ring.RewrapAll(t.Context(), to)
}

func allKeys(t *testing.T, vault KeyVault) []KeyDocument {
	t.Helper()
	return must(vault.List(t.Context(), "", "", 100000))(t)
}

func opensWith(t *testing.T, vault KeyVault, m MasterKey, sealed []bson.Binary) {
	t.Helper()
	ring := NewKeyring(vault, m, KeyringOptions{})
	for i, s := range sealed {
		if _, err := ring.Decrypt(t.Context(), s); err != nil {
			t.Fatalf("value %d: %v", i, err)
		}
	}
}

func TestRewrapAll(t *testing.T) {
	ring, vault, c, sealed := filledRing(t, rewrapPage*2+7) // several pages
	before := allKeys(t, vault)
	c.advance(time.Hour)
	to := GenerateLocalMasterKey()
	result, err := rewrapTo(t, ring, to)
	if err != nil || result.Rewrapped != len(sealed) || result.Already != 0 || len(result.Failed) != 0 {
		t.Fatalf("%+v, %v", result, err)
	}
	opensWith(t, vault, to, sealed)
	for i, doc := range allKeys(t, vault) {
		if bytes.Equal(doc.KeyMaterial, before[i].KeyMaterial) || !doc.UpdateDate.Equal(c.now()) {
			t.Errorf("key %s was not wrapped anew", doc.AltNames[0])
		}
		doc.KeyMaterial, doc.UpdateDate = before[i].KeyMaterial, before[i].UpdateDate
		if a, b := must(doc.MarshalBSON())(t), must(before[i].MarshalBSON())(t); !bytes.Equal(a, b) {
			t.Errorf("more of the key changed: %v", bson.Raw(a))
		}
	}
	// The keyring itself goes on under the new key.
	ring.Forget()
	must(ring.Decrypt(t.Context(), sealed[0]))(t)
	later := sealUnder(t, ring, must(ring.CreateKey(t.Context(), "later"))(t))
	opensWith(t, vault, to, []bson.Binary{later})
	result, err = rewrapTo(t, ring, to)
	if err != nil || result.Rewrapped != 0 || result.Already != len(sealed)+1 {
		t.Errorf("again: %+v, %v", result, err)
	}
}

// failingVault fails Replace after some calls, or does something before it.
type failingVault struct {
	KeyVault
	left   int
	before func(old []byte, doc KeyDocument)
}

func (v *failingVault) Replace(ctx context.Context, old []byte, doc KeyDocument) error {
	if v.before != nil {
		v.before(old, doc)
	}
	if v.left--; v.left < 0 {
		return errs.New(errs.Unavailable, "", "the store is away")
	}
	return v.KeyVault.Replace(ctx, old, doc)
}

func TestRewrapIsResumed(t *testing.T) {
	ring, vault, _, sealed := filledRing(t, 10)
	from, to := ring.master, GenerateLocalMasterKey()
	ring.vault = &failingVault{KeyVault: vault, left: 4}
	result, err := rewrapTo(t, ring, to)
	wantKind(t, "interrupted", err, errs.Unavailable)
	if result.Rewrapped != 4 {
		t.Errorf("interrupted: %+v", result)
	}
	// Half way, this keyring opens everything, and new keys are under the new key.
	ring.cache.forget(keyIDs(allKeys(t, vault)))
	for _, s := range sealed {
		must(ring.Decrypt(t.Context(), s))(t)
	}
	later := sealUnder(t, ring, must(ring.CreateKey(t.Context(), "later"))(t))
	opensWith(t, vault, to, []bson.Binary{later})
	// Another process finishes.
	resumed := NewKeyring(vault, from, KeyringOptions{})
	result, err = rewrapTo(t, resumed, to)
	if err != nil || result.Rewrapped != 6 || result.Already != 5 {
		t.Errorf("resumed: %+v, %v", result, err)
	}
	opensWith(t, vault, to, append(sealed, later))
}

func keyIDs(docs []KeyDocument) (ids []KeyID) {
	for _, d := range docs {
		ids = append(ids, d.ID)
	}
	return ids
}

// Somebody else wraps, destroys or creates keys meanwhile.
func TestRewrapAmongOthers(t *testing.T) {
	ring, vault, _, sealed := filledRing(t, 5)
	from, to := ring.master, GenerateLocalMasterKey()
	docs := allKeys(t, vault)
	calls := 0
	ring.vault = &failingVault{KeyVault: vault, left: 1000, before: func(_ []byte, doc KeyDocument) {
		calls++
		switch calls {
		case 1: // replaced under the old key first: to be read and wrapped again
			other := must(rewrapped(t.Context(), from, hidden(from), docs[0]))(t)
			if err := vault.Replace(t.Context(), docs[0].KeyMaterial, *other); err != nil {
				t.Error(err)
			}
		case 3: // destroyed
			if err := vault.Delete(t.Context(), doc.ID); err != nil {
				t.Error(err)
			}
		case 4: // created behind the cursor, under the old key
			must(NewKeyring(vault, from, KeyringOptions{}).CreateKey(t.Context(), "!first"))(t)
		}
	}}
	result, err := rewrapTo(t, ring, to)
	if err != nil || result.Rewrapped != 5 || result.Already != 0 {
		t.Errorf("%+v, %v", result, err)
	}
	if left := allKeys(t, vault); len(left) != 5 || left[0].AltNames[0] != "!first" {
		t.Fatalf("%d keys are left", len(left))
	} else {
		opensWith(t, vault, to, []bson.Binary{sealed[0], sealed[2], sealed[3], sealed[4]})
		must(unwrapKey(t.Context(), to, left[0]))(t)
	}
}

// hidden hides a master key's identity, so that rewrapped wraps anew
// even what the key wrapped already.
func hidden(m MasterKey) MasterKey { return &strangerOnce{MasterKey: m} }

type strangerOnce struct {
	MasterKey
	asked bool
}

func (s *strangerOnce) Matches(doc bson.Raw) bool {
	first := !s.asked
	s.asked = true
	return !first && s.MasterKey.Matches(doc)
}

func TestRewrapLeavesWhatItCannotOpen(t *testing.T) {
	ring, vault, _, sealed := filledRing(t, 3)
	strange := must(NewKeyring(vault, GenerateLocalMasterKey(), KeyringOptions{}).CreateKey(t.Context(), "int_a/2x"))(t)
	before := must(vault.Get(t.Context(), strange))(t)
	to := GenerateLocalMasterKey()
	result, err := rewrapTo(t, ring, to)
	wantKind(t, "a key of nobody's", err, errs.Corrupt)
	if result.Rewrapped != 3 || len(result.Failed) != 1 || result.Failed[0] != strange {
		t.Errorf("%+v", result)
	}
	opensWith(t, vault, to, sealed)
	if after := must(vault.Get(t.Context(), strange))(t); !bytes.Equal(after.KeyMaterial, before.KeyMaterial) {
		t.Error("the key that can't be opened was changed")
	}
}

// A master key that wraps but can't unwrap must not cost the data.
func TestRewrapProvesTheNewWrapping(t *testing.T) {
	for what, to := range map[string]MasterKey{
		"may not decrypt":  &stubMaster{MasterKey: GenerateLocalMasterKey(), unwrap: errs.New(errs.PermissionDenied, "", "no")},
		"does not decrypt": &stubMaster{MasterKey: GenerateLocalMasterKey(), unwrap: errs.New(errs.Corrupt, "", "no")},
		"decrypts wrongly": &forgetfulMaster{GenerateLocalMasterKey()},
	} {
		ring, vault, _, sealed := filledRing(t, 2)
		from := ring.master
		if result, err := rewrapTo(t, ring, to); err == nil || result.Rewrapped != 0 {
			t.Errorf("%s: %+v, %v", what, result, err)
		}
		opensWith(t, vault, from, sealed)
	}
}

// forgetfulMaster unwraps to another key than it wrapped.
type forgetfulMaster struct{ MasterKey }

func (f *forgetfulMaster) Wrap(ctx context.Context, _ []byte) ([]byte, bson.Raw, error) {
	return f.MasterKey.Wrap(ctx, newKeyBytes())
}

// carelessMaster unwraps anything, to a key of some size.
type carelessMaster struct {
	MasterKey
	size    int
	foreign bool
}

func (c *carelessMaster) Matches(bson.Raw) bool { return !c.foreign }

func (c *carelessMaster) Unwrap(context.Context, []byte, bson.Raw) ([]byte, error) {
	return make([]byte, c.size), nil
}

func TestMasterKeysAreNotTrusted(t *testing.T) {
	_, vault, _, sealed := filledRing(t, 1)
	for what, m := range map[string]*carelessMaster{
		"matches nothing":   {size: keySize, foreign: true},
		"returns 95 bytes":  {size: 95},
		"returns 128 bytes": {size: 128},
	} {
		m.MasterKey = GenerateLocalMasterKey()
		_, err := NewKeyring(vault, m, KeyringOptions{}).Decrypt(t.Context(), sealed[0])
		wantKind(t, what, err, errs.Corrupt)
		if err != nil && !strings.Contains(err.Error(), "can't be unwrapped") {
			t.Errorf("%s: the key was used: %v", what, err)
		}
	}
}

func TestWithPrevious(t *testing.T) {
	a, b, c := GenerateLocalMasterKey(), GenerateLocalMasterKey(), GenerateLocalMasterKey()
	both := WithPrevious(a, b)
	if both.Fingerprint() != a.Fingerprint() {
		t.Error("the fingerprint is not that of the current key")
	}
	for what, test := range map[string]struct {
		by MasterKey
		ok bool
	}{"current": {a, true}, "previous": {b, true}, "another": {c, false}} {
		material, doc, err := test.by.Wrap(t.Context(), newKeyBytes())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := both.Unwrap(t.Context(), material, doc); test.ok != (err == nil) || err != nil && !errs.Is(err, errs.Corrupt) {
			t.Errorf("%s: %v", what, err)
		}
	}
	material, doc, err := both.Wrap(t.Context(), newKeyBytes())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Unwrap(t.Context(), material, doc); err != nil {
		t.Errorf("it does not wrap with the current key: %v", err)
	}
	key, err := WithPrevious(&carelessMaster{MasterKey: a, size: keySize, foreign: true}, b).Unwrap(t.Context(), material, doc)
	if !errs.Is(err, errs.Corrupt) {
		t.Errorf("a key was asked for what is not its own: %d bytes, %v", len(key), err)
	}
	away := WithPrevious(&stubMaster{MasterKey: a, unwrap: errs.New(errs.Unavailable, "", "away")}, b)
	_, err = away.Unwrap(t.Context(), material, doc)
	wantKind(t, "the current key's service is away", err, errs.Unavailable)
	if both.Matches(document(t, bson.D{{Key: "provider", Value: "kmip"}, {Key: "keyId", Value: "1"}})) {
		t.Error("it matches a provider that none of its keys has")
	}
}
