package csfle

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/errs"
)

// MasterKeyCheck is what a store keeps so that a process which was given
// another master key notices before it seals anything. It holds nothing
// secret.
//
// What is wrapped in it is random and known by a digest only: were it known,
// whoever can write to the vault could plant it as a data key and read what is
// sealed under it, since wrapped keys are not bound to their documents.
type MasterKeyCheck struct {
	Fingerprint string   `bson:"fingerprint"` // of the master key, for people
	MasterKey   bson.Raw `bson:"masterKey"`   // as in a data key document
	KeyMaterial []byte   `bson:"keyMaterial"` // 96 random bytes, wrapped
	Digest      []byte   `bson:"digest"`      // HMAC-SHA-256 under those bytes
}

// NewMasterKeyCheck makes a check value for a master key.
func NewMasterKeyCheck(ctx context.Context, m MasterKey) (MasterKeyCheck, error) {
	probe := newKeyBytes()
	defer clear(probe)
	material, doc, err := m.Wrap(ctx, probe)
	if err != nil {
		return MasterKeyCheck{}, wrap(err, "csfle.new_check", "the master key's check value can't be made")
	}
	return MasterKeyCheck{Fingerprint: m.Fingerprint(), MasterKey: doc, KeyMaterial: material, Digest: checkDigest(probe)}, nil
}

// Verify returns nil when m is the master key the check was made with (or,
// made by WithPrevious, holds it). No key (a nil interface) and another key
// are errs.Invalid and say which fingerprint is expected; a damaged check value
// is errs.Corrupt; other kinds mean that the key could not be asked.
func (c MasterKeyCheck) Verify(ctx context.Context, m MasterKey) error {
	const op = "csfle.verify_check"
	if m == nil {
		return errs.New(errs.Invalid, op, "no master key was given: the store expects the one with fingerprint "+quoteFingerprint(c.Fingerprint))
	}
	probe, err := unwrapMaterial(ctx, m, c.KeyMaterial, c.MasterKey)
	defer clear(probe)
	switch {
	case err == nil && hmac.Equal(checkDigest(probe), c.Digest):
		return nil
	case err != nil && !errs.Is(err, errs.Corrupt):
		return wrap(err, op, "the master key can't be checked")
	case err == nil || m.Fingerprint() == c.Fingerprint:
		return errs.New(errs.Corrupt, op, "the store's check value for the master key "+quoteFingerprint(c.Fingerprint)+" is damaged")
	}
	return errs.New(errs.Invalid, op, "this is another master key ("+m.Fingerprint()+") than the store expects ("+quoteFingerprint(c.Fingerprint)+")")
}

// quoteFingerprint keeps the whole name of a key in a key service.
func quoteFingerprint(s string) string { return strconv.Quote(s[:min(len(s), 300)]) }

func checkDigest(probe []byte) []byte {
	mac := hmac.New(sha256.New, probe)
	mac.Write([]byte("mooring/csfle master key check v1"))
	return mac.Sum(nil)
}
