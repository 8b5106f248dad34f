package csfle

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/errs"
)

// MasterKey wraps data keys: a LocalMasterKey, or a key that never leaves a
// key management service. Implementations are safe for concurrent use.
type MasterKey interface {
	// Fingerprint names the key for people: short, stable, and telling nothing
	// of the key itself.
	Fingerprint() string

	// Matches reports whether a data key with this masterKey sub-document may
	// have been wrapped by this key. False means that it certainly was not.
	// It asks nobody.
	Matches(masterKey bson.Raw) bool

	// Wrap encrypts the 96 bytes of a data key and returns what its document
	// is to hold as keyMaterial and masterKey. It keeps no reference to key.
	Wrap(ctx context.Context, key []byte) (keyMaterial []byte, masterKey bson.Raw, err error)

	// Unwrap returns the 96 bytes again, in memory that the caller may wipe.
	// Material that this key did not wrap, or that was changed, is
	// errs.Corrupt; every other kind means that the attempt said nothing
	// about the material.
	Unwrap(ctx context.Context, keyMaterial []byte, masterKey bson.Raw) ([]byte, error)
}

// WithPrevious returns a master key that wraps with current and also unwraps
// what one of the previous ones wrapped, for the time between a change of the
// master key and the end of Keyring.RewrapAll. Its fingerprint is current's.
func WithPrevious(current MasterKey, previous ...MasterKey) MasterKey {
	return &masterKeys{current, append([]MasterKey{current}, previous...)}
}

type masterKeys struct {
	MasterKey
	all []MasterKey
}

func (m *masterKeys) Matches(masterKey bson.Raw) bool {
	for _, k := range m.all {
		if k.Matches(masterKey) {
			return true
		}
	}
	return false
}

func (m *masterKeys) Unwrap(ctx context.Context, keyMaterial []byte, masterKey bson.Raw) ([]byte, error) {
	for _, k := range m.all {
		if !k.Matches(masterKey) {
			continue
		}
		key, err := k.Unwrap(ctx, keyMaterial, masterKey)
		if !errs.Is(err, errs.Corrupt) {
			return key, err
		}
	}
	return nil, errs.New(errs.Corrupt, "csfle.unwrap", "none of the master keys given wrapped this data key, or it was changed")
}

// unwrapKey unwraps the key of a document. The caller wipes it.
func unwrapKey(ctx context.Context, m MasterKey, doc KeyDocument) ([]byte, error) {
	key, err := unwrapMaterial(ctx, m, doc.KeyMaterial, doc.MasterKey)
	return key, wrap(err, "csfle.unwrap", "data key "+doc.ID.String()+" can't be unwrapped")
}

// unwrapMaterial asks the master key only for what may be its own, and
// returns nothing but 96 bytes.
func unwrapMaterial(ctx context.Context, m MasterKey, keyMaterial []byte, masterKey bson.Raw) ([]byte, error) {
	const op = "csfle.unwrap"
	if !m.Matches(masterKey) {
		return nil, errs.New(errs.Corrupt, op, "it was wrapped by a master key of provider "+quoteShort(providerOf(masterKey))+", not by "+m.Fingerprint())
	}
	key, err := m.Unwrap(ctx, keyMaterial, masterKey)
	if err != nil {
		return nil, err
	}
	if len(key) != keySize {
		clear(key)
		return nil, errs.New(errs.Corrupt, op, "a data key must have 96 bytes")
	}
	return key, nil
}
