package csfle

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/errs"
)

// LocalMasterKey is a master key of 96 bytes that this process holds itself:
// the "local" provider of MongoDB's drivers. Data keys are wrapped with
// AEAD_AES_256_CBC_HMAC_SHA_512, a random IV and no associated data, to 160
// bytes. It prints as its fingerprint and is safe for concurrent use.
type LocalMasterKey struct {
	box         box
	fingerprint string
}

var _ MasterKey = (*LocalMasterKey)(nil)

const wrappedSize = ivSize + keySize + blockLen + tagSize // 160

// NewLocalMasterKey makes a master key of exactly 96 bytes, which it copies;
// any other length is errs.Invalid. The caller may wipe key afterwards.
func NewLocalMasterKey(key []byte) (*LocalMasterKey, error) {
	b, err := newBox(key)
	if err != nil {
		return nil, errs.New(errs.Invalid, "csfle.local_master_key", fmt.Sprintf("a local master key must have exactly %d bytes, not %d", keySize, len(key)))
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("mooring/csfle local master key fingerprint v1"))
	return &LocalMasterKey{box: b, fingerprint: hex.EncodeToString(mac.Sum(nil)[:8])}, nil
}

// GenerateLocalMasterKey makes a random master key that lives as long as the
// process, for tests and demonstrations. CreateLocalMasterKey keeps one.
func GenerateLocalMasterKey() *LocalMasterKey {
	key := newKeyBytes()
	defer clear(key)
	m, err := NewLocalMasterKey(key)
	if err != nil {
		panic(err) // the length is right
	}
	return m
}

// Fingerprint returns 16 hexadecimal digits: the start of an HMAC-SHA-256
// under the key. They tell two keys apart and nothing else.
func (m *LocalMasterKey) Fingerprint() string { return m.fingerprint }

// String names the key by its fingerprint.
func (m *LocalMasterKey) String() string { return "local master key " + m.fingerprint }

// Format prints the fingerprint whatever the verb.
func (m *LocalMasterKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, m.String()) }

// Matches reports whether masterKey is {provider: "local"}, which every local
// master key writes: only Unwrap tells them apart.
func (m *LocalMasterKey) Matches(masterKey bson.Raw) bool {
	return masterKeyProblem(masterKey) == "" && providerOf(masterKey) == "local"
}

// Wrap implements MasterKey.
func (m *LocalMasterKey) Wrap(_ context.Context, key []byte) ([]byte, bson.Raw, error) {
	const op = "csfle.wrap"
	if len(key) != keySize {
		return nil, nil, errs.New(errs.Invalid, op, "a data key must have 96 bytes")
	}
	doc, err := bson.Marshal(bson.D{{Key: "provider", Value: "local"}})
	if err != nil {
		return nil, nil, wrap(err, op, "the masterKey document can't be written")
	}
	return m.box.seal(make([]byte, 0, wrappedSize), randomIV(), key, nil), doc, nil
}

// Unwrap implements MasterKey.
func (m *LocalMasterKey) Unwrap(_ context.Context, keyMaterial []byte, masterKey bson.Raw) ([]byte, error) {
	const op = "csfle.unwrap"
	if !m.Matches(masterKey) {
		return nil, errs.New(errs.Corrupt, op, "the data key was not wrapped by a local master key")
	}
	if len(keyMaterial) != wrappedSize {
		return nil, errs.New(errs.Corrupt, op, "a data key wrapped by a local master key must have 160 bytes")
	}
	key, err := m.box.open(keyMaterial, nil)
	if err != nil || len(key) != keySize {
		clear(key)
		return nil, errs.New(errs.Corrupt, op, "the master key "+m.fingerprint+" did not wrap this data key, or it was changed")
	}
	return key, nil
}

// newKeyBytes returns 96 random bytes.
func newKeyBytes() []byte {
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // never fails: it aborts the process instead
	return key
}
