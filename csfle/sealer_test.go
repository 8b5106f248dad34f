package csfle

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/secret"
)

const (
	orgA         = id.Org("int_aaaaaaaaaaaaaaaaaaaaaaaa")
	orgB         = id.Org("int_bbbbbbbbbbbbbbbbbbbbbbbb")
	sampleSecret = "canary-s3cr3t-v4lue"
	sampleUse    = "1897f1971067c10c4494eb5be2aadb0bad15b80bec09a72a41768832bcc6faf0" // of sampleBinding
)

func newSealer(t testing.TB, orgs ...id.Org) (*Sealer, *MemoryVault) {
	t.Helper()
	ring, vault := newRing(t, KeyringOptions{})
	s := NewSealer(ring)
	for _, o := range orgs {
		must(s.EnsureKey(t.Context(), o, 1))(t)
	}
	return s, vault
}

func sampleBinding() Binding {
	return Binding{Org: orgA, Record: "conn_abc", Field: "provider_config.secret_access_key", Use: UseDigest("endpoint", "https://s3.example")}
}

func sealedSample(t testing.TB) (*Sealer, Binding, bson.Binary) {
	t.Helper()
	s, _ := newSealer(t, orgA, orgB)
	b := sampleBinding()
	return s, b, must(s.Seal(t.Context(), KeyName(orgA, 1), b, secret.New(sampleSecret)))(t)
}

func TestSealAndOpen(t *testing.T) {
	s, b, sealed := sealedSample(t)
	if got := must(s.Open(t.Context(), b, sealed))(t); got.Reveal() != sampleSecret {
		t.Errorf("opened to %q", got.Reveal())
	}
	if bytes.Contains(sealed.Data, []byte(sampleSecret)) || sealed.Data[0] != byte(Random) {
		t.Error("the sealed value holds the secret, or is not of algorithm Random")
	}
	again := must(s.Seal(t.Context(), KeyName(orgA, 1), b, secret.New(sampleSecret)))(t)
	if bytes.Equal(again.Data, sealed.Data) {
		t.Error("sealed twice to equal bytes")
	}
}

// What an official driver gets when it decrypts.
func TestSealedDocument(t *testing.T) {
	s, b, sealed := sealedSample(t)
	v := must(s.keys.Decrypt(t.Context(), sealed))(t)
	want := document(t, bson.D{
		{Key: "org", Value: string(b.Org)}, {Key: "record", Value: b.Record}, {Key: "field", Value: b.Field},
		{Key: "use", Value: bson.Binary{Data: b.Use}}, {Key: "value", Value: sampleSecret},
	})
	if v.Type != bson.TypeEmbeddedDocument || !bytes.Equal(v.Value, want) {
		t.Errorf("decrypts to %v", v)
	}
}

func TestMovedAndRetargetedSecretsAreRefused(t *testing.T) {
	s, b, sealed := sealedSample(t)
	for what, test := range map[string]struct {
		change func(*Binding)
		names  string
	}{
		"org":            {func(b *Binding) { b.Org = orgB }, "(org)"},
		"record":         {func(b *Binding) { b.Record = "conn_abd" }, "(record)"},
		"record prefix":  {func(b *Binding) { b.Record = "conn_ab" }, "(record)"},
		"field":          {func(b *Binding) { b.Field += "x" }, "(field)"},
		"use":            {func(b *Binding) { b.Use = UseDigest("endpoint", "https://evil.example") }, "(use)"},
		"record and use": {func(b *Binding) { b.Record, b.Use = "x", UseDigest() }, "(record, use)"},
		"shifted fields": {func(b *Binding) { b.Record, b.Field = "conn_abcp", "rovider_config.secret_access_key" }, "(record, field)"},
	} {
		moved := b
		test.change(&moved)
		got, err := s.Open(t.Context(), moved, sealed)
		if !errs.Is(err, errs.Corrupt) || !got.IsZero() {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if msg := err.Error(); !strings.Contains(msg, test.names) || strings.Contains(msg, sampleSecret) || strings.Contains(msg, "evil") ||
			strings.Contains(msg, b.Record) || strings.Contains(msg, hex.EncodeToString(b.Use)) {
			t.Errorf("%s: the message must name %s and no value: %s", what, test.names, msg)
		}
	}
}

// A document forged under another organization's key, naming ours, is refused
// although all four fields agree; and one under ours that names another.
func TestSecretsUnderAnotherOrganizationsKey(t *testing.T) {
	s, b, _ := sealedSample(t)
	forge := func(keyName string, named Binding) bson.Binary {
		v := bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: named.encode(sampleSecret)}
		return must(s.keys.EncryptWith(t.Context(), keyName, Random, v))(t)
	}
	_, err := s.Open(t.Context(), b, forge(KeyName(orgB, 1), b))
	wantKind(t, "another organization's key", err, errs.Corrupt)
	other := b
	other.Org = orgB
	_, err = s.Open(t.Context(), b, forge(KeyName(orgA, 1), other))
	wantKind(t, "another organization's secret", err, errs.Corrupt)
	if err != nil && !strings.Contains(err.Error(), "(org)") {
		t.Errorf("org is not named: %v", err)
	}
	if v := must(s.Open(t.Context(), b, forge(KeyName(orgA, 1), b)))(t); v.Reveal() != sampleSecret {
		t.Error("the forgery itself is wrong")
	}
}

func TestOpenRefusesOtherValues(t *testing.T) {
	s, b, _ := sealedSample(t)
	whole := bson.D{
		{Key: "org", Value: string(b.Org)}, {Key: "record", Value: b.Record}, {Key: "field", Value: b.Field},
		{Key: "use", Value: bson.Binary{Data: b.Use}}, {Key: "value", Value: "x"},
	}
	for what, v := range map[string]any{
		"a bare string":   "x",
		"no field":        without(whole, "field"),
		"no value":        without(whole, "value"),
		"another field":   append(slices.Clone(whole), bson.E{Key: "more", Value: 1}),
		"a field twice":   append(slices.Clone(whole), whole[4]),
		"another name":    append(slices.Clone(whole[:4]), bson.E{Key: "Value", Value: "x"}),
		"another order":   bson.D{whole[1], whole[0], whole[2], whole[3], whole[4]},
		"use a string":    with(whole, "use", string(b.Use)),
		"use a subtype":   with(whole, "use", bson.Binary{Subtype: 4, Data: b.Use}),
		"value a binary":  with(whole, "value", bson.Binary{Data: []byte("x")}),
		"value a number":  with(whole, "value", int32(1)),
		"an array":        bson.A{string(b.Org), b.Record, b.Field, bson.Binary{Data: b.Use}, "x"},
		"an empty object": bson.D{},
	} {
		sealed := must(s.keys.EncryptWith(t.Context(), KeyName(orgA, 1), Random, value(t, v)))(t)
		_, err := s.Open(t.Context(), b, sealed)
		wantKind(t, what, err, errs.Corrupt)
	}
	array := bson.RawValue{Type: bson.TypeArray, Value: document(t, whole)}
	_, err := s.Open(t.Context(), b, must(s.keys.EncryptWith(t.Context(), KeyName(orgA, 1), Random, array))(t))
	wantKind(t, "an array with such keys", err, errs.Corrupt)
	det := must(s.keys.EncryptWith(t.Context(), KeyName(orgA, 1), Deterministic, value(t, "x")))(t)
	_, err = s.Open(t.Context(), b, det)
	wantKind(t, "algorithm Deterministic", err, errs.Corrupt)
	_, err = s.Open(t.Context(), b, bson.Binary{})
	wantKind(t, "nothing", err, errs.Corrupt)
}

func TestSealRefusals(t *testing.T) {
	s, b, sealed := sealedSample(t)
	name := KeyName(orgA, 1)
	for what, change := range map[string]func(*Binding){
		"no org":         func(b *Binding) { b.Org = "" },
		"org with slash": func(b *Binding) { b.Org = "int_a/1" },
		"no record":      func(b *Binding) { b.Record = "" },
		"bad record":     func(b *Binding) { b.Record = "\xff" },
		"no field":       func(b *Binding) { b.Field = "" },
		"bad field":      func(b *Binding) { b.Field = "\xff" },
		"no use":         func(b *Binding) { b.Use = nil },
		"short use":      func(b *Binding) { b.Use = b.Use[:31] },
	} {
		bad := b
		change(&bad)
		_, err := s.Seal(t.Context(), string(bad.Org)+"/1", bad, secret.New("x"))
		wantKind(t, "sealing with "+what, err, errs.Invalid)
		_, err = s.Open(t.Context(), bad, sealed)
		wantKind(t, "opening with "+what, err, errs.Invalid)
	}
	_, err := s.Seal(t.Context(), KeyName(orgB, 1), b, secret.New("x"))
	wantKind(t, "another organization's key", err, errs.Invalid)
	_, err = s.Seal(t.Context(), KeyName(orgA, 2), b, secret.New("x"))
	wantKind(t, "a key that does not exist", err, errs.NotFound)
	_, err = s.Seal(t.Context(), name, b, secret.New(secret.Marker))
	wantKind(t, "the marker", err, errs.Invalid)
	_, err = s.Seal(t.Context(), name, b, secret.New("canary\xff"))
	wantKind(t, "not UTF-8", err, errs.Invalid)
	if err != nil && strings.Contains(err.Error(), "canary") {
		t.Errorf("the error tells the secret: %v", err)
	}
}

func TestBindingRoundTripProperty(t *testing.T) {
	s, _ := newSealer(t, orgA)
	text := rapid.StringN(1, 60, -1)
	rapid.Check(t, func(rt *rapid.T) {
		b := Binding{
			Org: orgA, Record: text.Draw(rt, "record"), Field: text.Draw(rt, "field"),
			Use: UseDigest(rapid.SliceOf(rapid.String()).Draw(rt, "use")...),
		}
		want := rapid.StringN(-1, 3000, -1).Draw(rt, "value")
		if want == secret.Marker {
			return
		}
		if doc := b.encode(want); cap(doc) != len(doc) || !isOneValue(bson.TypeEmbeddedDocument, doc) {
			rt.Fatalf("encoded to %d bytes of %d: %x", len(doc), cap(doc), doc)
		}
		sealed, err := s.Seal(t.Context(), KeyName(orgA, 1), b, secret.New(want))
		if err != nil {
			rt.Fatal(err)
		}
		got, err := s.Open(t.Context(), b, sealed)
		if err != nil || got.Reveal() != want {
			rt.Fatalf("opened to %q, %v", got.Reveal(), err)
		}
	})
}

func TestUseDigest(t *testing.T) {
	lists := [][]string{
		{}, {""}, {"", ""}, {"a"}, {"a", ""}, {"", "a"}, {"ab"}, {"a", "b"}, {"b", "a"}, {"a", "b", ""}, {"a\x00b"},
		{"\x00\x00\x00\x00\x00\x00\x00\x01a"},
	}
	seen := map[string][]string{}
	for _, l := range lists {
		d := UseDigest(l...)
		if prior, dup := seen[string(d)]; dup || len(d) != 32 {
			t.Errorf("%q and %q have one digest, or it is not of 32 bytes", l, prior)
		}
		seen[string(d)] = l
	}
	// Fixed: what is sealed holds it.
	if got := hex.EncodeToString(UseDigest("endpoint", "https://s3.example")); got != sampleUse {
		t.Errorf("the digest changed: %s", got)
	}
}

func TestEnsureKey(t *testing.T) {
	s, vault := newSealer(t)
	first := must(s.EnsureKey(t.Context(), orgA, 1))(t)
	if again := must(s.EnsureKey(t.Context(), orgA, 1))(t); again != first {
		t.Error("a second key was created")
	}
	if second := must(s.EnsureKey(t.Context(), orgA, 2))(t); second == first {
		t.Error("the second number has the first key")
	}
	if doc := must(vault.GetByAltName(t.Context(), string(orgA)+"/2"))(t); len(doc.AltNames) != 1 {
		t.Error("a key must have exactly one name")
	}
	for _, n := range []int{0, -1} {
		_, err := s.EnsureKey(t.Context(), orgA, n)
		wantKind(t, fmt.Sprint(n), err, errs.Invalid)
	}
	for _, org := range []id.Org{"", "a/b", "a b"} {
		_, err := s.EnsureKey(t.Context(), org, 1)
		wantKind(t, string(org), err, errs.Invalid)
	}
}

// absentFirst lets every caller miss the key once, so that all try to create it.
type absentFirst struct {
	KeyVault
	misses sync.WaitGroup
	once   sync.Map
}

func (v *absentFirst) GetByAltName(ctx context.Context, name string) (KeyDocument, error) {
	if _, seen := v.once.LoadOrStore(ctx, true); !seen {
		v.misses.Done()
		v.misses.Wait()
		return KeyDocument{}, errs.New(errs.NotFound, "", "not yet")
	}
	return v.KeyVault.GetByAltName(ctx, name)
}

func TestRacingCreatorsConverge(t *testing.T) {
	vault := &absentFirst{KeyVault: new(MemoryVault)}
	s := NewSealer(NewKeyring(vault, GenerateLocalMasterKey(), KeyringOptions{}))
	ids := make([]KeyID, 16)
	vault.misses.Add(len(ids))
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(t.Context()) // tells the callers apart
			defer cancel()
			var err error
			if ids[i], err = s.EnsureKey(ctx, orgA, 1); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if slices.ContainsFunc(ids, func(k KeyID) bool { return k != ids[0] }) || ids[0] == (KeyID{}) {
		t.Errorf("the racers ended with %v", ids)
	}
	if n := len(allKeys(t, vault)); n != 1 {
		t.Errorf("%d keys exist", n)
	}
}

func TestDestroyOrg(t *testing.T) {
	s, b, sealed := sealedSample(t)
	neighbour := orgA + "a" // its keys sort beside ours
	must(s.EnsureKey(t.Context(), neighbour, 1))(t)
	var want []KeyID
	for n := 1; n <= 130; n++ { // more than a page
		want = append(want, must(s.EnsureKey(t.Context(), orgA, n))(t))
	}
	var noted []KeyID
	got := must(s.DestroyOrg(t.Context(), orgA, func(ctx context.Context, ids []KeyID) error {
		for _, keyID := range ids { // noted ahead of the deletion
			must(s.keys.vault.Get(ctx, keyID))(t)
		}
		noted = append(noted, ids...)
		return nil
	}))(t)
	compare := func(a, b KeyID) int { return bytes.Compare(a[:], b[:]) }
	slices.SortFunc(want, compare)
	for what, ids := range map[string][]KeyID{"returned": got, "noted": noted} {
		if slices.SortFunc(ids, compare); !slices.Equal(ids, want) {
			t.Errorf("%s are %d ids, want %d", what, len(ids), len(want))
		}
	}
	_, err := s.Open(t.Context(), b, sealed)
	wantKind(t, "after the shredding", err, errs.NotFound)
	left := must(s.keys.vault.List(t.Context(), "", "", 10))(t)
	if len(left) != 2 {
		t.Errorf("other organizations have %d keys left, want 2", len(left))
	}
	if again := must(s.DestroyOrg(t.Context(), orgA, nil))(t); len(again) != 0 {
		t.Errorf("again: %v", again)
	}
	_, err = s.DestroyOrg(t.Context(), "", nil)
	wantKind(t, "no organization", err, errs.Invalid)
}

func TestDestroyOrgKeepsWhatCannotBeNoted(t *testing.T) {
	s, b, sealed := sealedSample(t)
	ids, err := s.DestroyOrg(t.Context(), orgA, func(context.Context, []KeyID) error { return errors.New("no") })
	if err == nil || len(ids) != 0 {
		t.Errorf("%v, %v", ids, err)
	}
	must(s.Open(t.Context(), b, sealed))(t)
}

func TestReseal(t *testing.T) {
	s, vault := newSealer(t, orgA, orgB)
	bind := sampleBinding()
	sealed := must(s.Seal(t.Context(), KeyName(orgA, 1), bind, secret.New("value")))(t)
	old := must(vault.GetByAltName(t.Context(), KeyName(orgA, 1)))(t)
	must(s.EnsureKey(t.Context(), orgA, 2))(t)
	again, changed, err := s.Reseal(t.Context(), orgA, KeyName(orgA, 2), sealed)
	if err != nil || !changed {
		t.Fatalf("changed %v, %v", changed, err)
	}
	same, changed, err := s.Reseal(t.Context(), orgA, KeyName(orgA, 2), again)
	if err != nil || changed || !bytes.Equal(same.Data, again.Data) {
		t.Errorf("what is under the key already was changed: %v %v", changed, err)
	}
	if err := s.keys.DestroyKeys(t.Context(), old.ID); err != nil {
		t.Fatal(err)
	}
	if v := must(s.Open(t.Context(), bind, again))(t); v.Reveal() != "value" {
		t.Error("another value came out")
	}
	moved := bind
	moved.Record = "conn_other"
	_, err = s.Open(t.Context(), moved, again)
	wantKind(t, "moved after it was sealed again", err, errs.Corrupt)
	_, _, err = s.Reseal(t.Context(), orgA, KeyName(orgA, 2), sealed)
	wantKind(t, "its key is gone", err, errs.NotFound)
}

func TestResealRefuses(t *testing.T) {
	s, _ := newSealer(t, orgA, orgB)
	must(s.EnsureKey(t.Context(), orgA, 2))(t)
	foreign := sampleBinding()
	foreign.Org = orgB
	byOther := must(s.Seal(t.Context(), KeyName(orgB, 1), foreign, secret.New("value")))(t)
	_, _, err := s.Reseal(t.Context(), orgA, KeyName(orgA, 2), byOther)
	wantKind(t, "another organization's", err, errs.Corrupt)
	own := must(s.Seal(t.Context(), KeyName(orgA, 1), sampleBinding(), secret.New("value")))(t)
	_, _, err = s.Reseal(t.Context(), orgA, KeyName(orgB, 1), own)
	wantKind(t, "under another organization's key", err, errs.Invalid)
	_, _, err = s.Reseal(t.Context(), orgA, KeyName(orgA, 9), own)
	wantKind(t, "under a key that does not exist", err, errs.Internal)
	own.Data[40] ^= 1
	_, _, err = s.Reseal(t.Context(), orgA, KeyName(orgA, 2), own)
	wantKind(t, "a changed value", err, errs.Corrupt)
	plain := must(s.keys.EncryptWith(t.Context(), KeyName(orgA, 1), Random, value(t, "no secret of ours")))(t)
	_, _, err = s.Reseal(t.Context(), orgA, KeyName(orgA, 2), plain)
	wantKind(t, "what is no bound secret", err, errs.Corrupt)
}

// A data key that can't be unwrapped says nothing about the value: it must not
// look like one that is lost anyway.
func TestResealWithoutTheMasterKey(t *testing.T) {
	s, vault := newSealer(t, orgA)
	sealed := must(s.Seal(t.Context(), KeyName(orgA, 1), sampleBinding(), secret.New("value")))(t)
	other := NewSealer(NewKeyring(vault, GenerateLocalMasterKey(), KeyringOptions{}))
	must(other.EnsureKey(t.Context(), orgA, 2))(t)
	_, _, err := other.Reseal(t.Context(), orgA, KeyName(orgA, 2), sealed)
	wantKind(t, "with another master key", err, errs.Internal)
}
