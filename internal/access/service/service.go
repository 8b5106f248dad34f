// Package service authenticates API keys and manages organizations, users,
// namespaces and keys.
package service

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"mooring/internal/access"
	"mooring/internal/audit"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/secret"
	"mooring/internal/store"
	"mooring/internal/store/system"
)

// Service is safe for concurrent use.
type Service struct {
	Store  store.Store
	System system.System
	Now    func() time.Time
}

// Principal is who a request comes from.
type Principal struct {
	Org id.Org
	Key access.APIKey
}

// Allows reports whether the principal's permissions include need.
func (p Principal) Allows(need access.Permission) bool { return access.Allows(p.Key.Permissions, need) }

// Reaches reports whether the principal's scopes cover a resource for need.
func (p Principal) Reaches(need access.Permission, r access.Resource) bool {
	return access.InScope(p.Key.Scopes, need, r)
}

// Actor is the principal as the audit trail names it.
func (p Principal) Actor(ip, userAgent string) audit.Actor {
	return audit.Actor{ID: string(p.Key.ID), Type: audit.ByAPIKey, IP: ip, UserAgent: userAgent}
}

const keyLead = "moor_"

// newKey makes a key's plaintext: 5 fixed and 37 random characters (191 bits).
func newKey() secret.String { return secret.New(keyLead + id.NewToken(37)) }

// hash is a plain SHA-256: a key has too many random bits to be guessed, and
// the hash is what it is looked up by.
func hash(key secret.String) string {
	sum := sha256.Sum256([]byte(key.Reveal()))
	return hex.EncodeToString(sum[:])
}

var errKey = errs.New(errs.Unauthenticated, "access.authenticate", "the API key is not valid: send a current one as Authorization: Bearer KEY")

// Authenticate finds whose key this is. Every refusal is the same
// Unauthenticated error, whatever is wrong with the key.
func (s *Service) Authenticate(ctx context.Context, key secret.String) (Principal, error) {
	if !strings.HasPrefix(key.Reveal(), keyLead) {
		return Principal{}, errKey
	}
	k, err := s.System.KeyByHash(ctx, hash(key))
	if errs.Is(err, errs.NotFound) {
		return Principal{}, errKey
	}
	if err != nil {
		return Principal{}, err
	}
	now := s.Now()
	if StatusOf(k, now) != access.KeyActive {
		return Principal{}, errKey
	}
	s.used(ctx, k, now)
	return Principal{Org: k.Org, Key: k}, nil
}

// used notes that a key is in use. Best effort: a key works even when the note
// can't be written.
func (s *Service) used(ctx context.Context, k access.APIKey, now time.Time) {
	if k.LastUsedAt != nil && now.Sub(*k.LastUsedAt) <= time.Minute {
		return
	}
	_, _ = s.Store.APIKeys().Update(ctx, k.Org, k.ID, func(k *access.APIKey) error {
		at := now.UTC().Truncate(time.Millisecond)
		k.LastUsedAt = &at
		return nil
	})
}

// StatusOf is a key's status with expiry taken into account.
func StatusOf(k access.APIKey, now time.Time) string {
	if k.Status == access.KeyActive && k.ExpiresAt != nil && !now.Before(*k.ExpiresAt) {
		return access.KeyExpired
	}
	return k.Status
}

func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }
