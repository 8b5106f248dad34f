package csfle

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/secret"
)

// Sealer seals secrets at rest, each bound to its place and its use, under
// data keys that belong to one organization each. It is safe for concurrent
// use.
type Sealer struct{ keys *Keyring }

// NewSealer makes a Sealer over a Keyring.
func NewSealer(keys *Keyring) *Sealer { return &Sealer{keys} }

// KeyName is the alternate name of an organization's n-th data key: "<org>/<n>".
func KeyName(org id.Org, n int) string { return keyPrefix(org) + strconv.Itoa(n) }

func keyPrefix(org id.Org) string { return string(org) + "/" }

// Seal seals v for the binding under the data key of that name, which must be
// one of the binding's organization and exist (see EnsureKey; errs.NotFound).
// What comes out is a CSFLE value that any official MongoDB driver with the
// key vault decrypts to the document {org, record, field, use, value}. Its
// length tells that of the secret to within 16 bytes. A binding that is
// incomplete, a secret that is not UTF-8, and the marker that stands for a
// secret in responses are errs.Invalid.
func (s *Sealer) Seal(ctx context.Context, keyName string, b Binding, v secret.String) (bson.Binary, error) {
	const op = "csfle.seal"
	if err := b.check(op); err != nil {
		return bson.Binary{}, err
	}
	value := v.Reveal()
	switch {
	case !strings.HasPrefix(keyName, keyPrefix(b.Org)):
		return bson.Binary{}, errs.New(errs.Invalid, op, "the data key "+quoteShort(keyName)+" is not one of organization "+string(b.Org))
	case v.IsMarker():
		return bson.Binary{}, errs.New(errs.Invalid, op, "the marker that stands for a secret can't be sealed as one")
	case !utf8.ValidString(value):
		return bson.Binary{}, errs.New(errs.Invalid, op, "a secret must be valid UTF-8")
	}
	doc := b.encode(value)
	defer clear(doc)
	return s.keys.EncryptWith(ctx, keyName, Random, bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: doc})
}

// Open returns the secret that was sealed for exactly this binding. A value
// that was changed, that was sealed for another organization, record or field
// (moved), or for another use (re-targeted) is errs.Corrupt; the message names
// what differs. A value whose data key was destroyed is errs.NotFound.
func (s *Sealer) Open(ctx context.Context, b Binding, sealed bson.Binary) (secret.String, error) {
	const op = "csfle.open"
	if err := b.check(op); err != nil {
		return secret.String{}, err
	}
	keyID, err := checkPayload(sealed)
	if err != nil {
		return secret.String{}, err
	}
	key, err := s.keys.byID(ctx, keyID)
	if err != nil {
		return secret.String{}, err
	}
	owned := func(name string) bool { return strings.HasPrefix(name, keyPrefix(b.Org)) }
	if !slices.ContainsFunc(key.names, owned) {
		return secret.String{}, errs.New(errs.Corrupt, op, "the sealed value was moved: its data key is another organization's (org)")
	}
	v, err := key.open(sealed.Data)
	if err != nil {
		return secret.String{}, err
	}
	defer clear(v.Value)
	return openBound(op, b, v)
}

func openBound(op string, expected Binding, v bson.RawValue) (secret.String, error) {
	if v.Type != bson.TypeEmbeddedDocument {
		return secret.String{}, errs.New(errs.Corrupt, op, "the sealed value is not a bound secret")
	}
	got, value, ok := decode(bson.Raw(v.Value))
	if !ok {
		return secret.String{}, errs.New(errs.Corrupt, op, "the sealed value is not a bound secret")
	}
	switch differs := got.mismatch(expected); differs {
	case "":
		return secret.New(value), nil
	case "use":
		return secret.String{}, errs.New(errs.Corrupt, op, "the secret was sealed for another use than the record now has (use)")
	default:
		return secret.String{}, errs.New(errs.Corrupt, op, "the sealed value was moved from where it was sealed ("+differs+")")
	}
}

// Reseal seals what a sealed value of an organization holds again, under
// another of its data keys and with the binding that it has. A value that is
// under that key already comes back as it is, with changed false. One that was
// changed or is another organization's is errs.Corrupt, one whose key was
// destroyed errs.NotFound; every other kind says nothing about the value.
func (s *Sealer) Reseal(ctx context.Context, org id.Org, keyName string, sealed bson.Binary) (_ bson.Binary, changed bool, err error) {
	const op = "csfle.reseal"
	if !strings.HasPrefix(keyName, keyPrefix(org)) {
		return bson.Binary{}, false, errs.New(errs.Invalid, op, "the data key "+quoteShort(keyName)+" is not one of organization "+quoteShort(string(org)))
	}
	to, err := s.keys.byName(ctx, keyName)
	if errs.Is(err, errs.Corrupt) || errs.Is(err, errs.NotFound) {
		err = internal(err, op, "the data key to seal under can't be used")
	}
	if err != nil {
		return bson.Binary{}, false, err
	}
	keyID, err := checkPayload(sealed)
	if err != nil || keyID == to.id {
		return sealed, false, err
	}
	from, err := s.keys.byID(ctx, keyID)
	if errs.Is(err, errs.Corrupt) { // perhaps for want of a master key
		err = internal(err, op, "the data key of the sealed value can't be used")
	}
	if err != nil {
		return bson.Binary{}, false, err
	}
	v, err := from.open(sealed.Data)
	if err != nil {
		return bson.Binary{}, false, err
	}
	defer clear(v.Value)
	if b, _, ok := decode(bson.Raw(v.Value)); !ok || v.Type != bson.TypeEmbeddedDocument || b.Org != org {
		return bson.Binary{}, false, errs.New(errs.Corrupt, op, "the sealed value is not a secret bound to this organization")
	}
	out, err := to.seal(Random, v)
	return out, err == nil, err
}

// EnsureKey returns the id of the organization's n-th data key (n from 1 on),
// creating it when there is none. Several that race for it end with the same.
func (s *Sealer) EnsureKey(ctx context.Context, org id.Org, n int) (KeyID, error) {
	const op = "csfle.ensure_key"
	if err := checkOrg(op, org); err != nil {
		return KeyID{}, err
	}
	if n < 1 {
		return KeyID{}, errs.New(errs.Invalid, op, "data keys are numbered from 1 on")
	}
	name := KeyName(org, n)
	doc, err := s.keys.getByName(ctx, name)
	if !errs.Is(err, errs.NotFound) {
		return doc.ID, wrap(err, op, "the data key "+name+" can't be looked up")
	}
	created, err := s.keys.CreateKey(ctx, name)
	if !errs.Is(err, errs.AlreadyExists) {
		return created, err
	}
	doc, err = s.keys.getByName(ctx, name)
	return doc.ID, wrap(err, op, "the data key "+name+" can't be looked up")
}

// DestroyOrg destroys every data key of an organization (see
// Keyring.DestroyKeys) and returns their ids: nothing that was sealed for the
// organization can be opened any more. before, unless nil, is called with each
// batch of ids ahead of its deletion, so that the list from which a restore
// destroys them again is never behind; when it fails, the batch stays. The
// caller keeps others from creating keys of the organization meanwhile. After
// a failure the ids destroyed so far are returned, and calling again goes on.
func (s *Sealer) DestroyOrg(ctx context.Context, org id.Org, before func(context.Context, []KeyID) error) ([]KeyID, error) {
	const op = "csfle.destroy_org"
	if err := checkOrg(op, org); err != nil {
		return nil, err
	}
	var destroyed []KeyID
	for {
		page, err := s.keys.vault.List(ctx, keyPrefix(org), "", 100)
		if err != nil || len(page) == 0 {
			return destroyed, wrap(err, op, "the organization's data keys can't be listed")
		}
		batch := make([]KeyID, len(page))
		for i, doc := range page {
			batch[i] = doc.ID
		}
		if before != nil {
			if err := before(ctx, slices.Clone(batch)); err != nil {
				return destroyed, wrap(err, op, "the keys to destroy can't be noted")
			}
		}
		for _, keyID := range batch {
			if err := s.keys.DestroyKeys(ctx, keyID); err != nil {
				return destroyed, err
			}
			destroyed = append(destroyed, keyID)
		}
	}
}
