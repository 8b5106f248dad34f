// Package access is who may do what: organizations, users, namespaces, API keys
// and the permission table. Its service, which authenticates and issues keys,
// is in the package service below it.
package access

import (
	"time"

	"mooring/internal/audit"
	"mooring/internal/id"
	"mooring/internal/outbox"
)

// Organization is a tenant.
type Organization struct {
	ID       id.Org `bson:"_id"`
	Revision int64  `bson:"revision"`
	Name     string `bson:"name"`
	DataKey  int    `bson:"data_key"` // n of the current data key <internal_id>/<n>
	// KeysDestroyedAt is when the organization was shredded: nothing is sealed for
	// it any more.
	KeysDestroyedAt *time.Time     `bson:"keys_destroyed_at,omitempty"`
	Audit           audit.Settings `bson:"audit_settings"`
	CreatedAt       time.Time      `bson:"created_at"`
	UpdatedAt       time.Time      `bson:"updated_at"`
	Outbox          outbox.Outbox  `bson:"outbox,omitempty"`
}

// User belongs to one organization. Email is unique within it, in lower case.
type User struct {
	ID        id.User       `bson:"_id"`
	Org       id.Org        `bson:"internal_id"`
	Revision  int64         `bson:"revision"`
	Email     string        `bson:"email"`
	Name      string        `bson:"name"`
	CreatedAt time.Time     `bson:"created_at"`
	UpdatedAt time.Time     `bson:"updated_at"`
	Outbox    outbox.Outbox `bson:"outbox,omitempty"`
}

// Namespace groups buckets. Name is unique within the organization.
type Namespace struct {
	ID        id.Namespace  `bson:"_id"`
	Org       id.Org        `bson:"internal_id"`
	Revision  int64         `bson:"revision"`
	Name      string        `bson:"namespace_name"`
	CreatedAt time.Time     `bson:"created_at"`
	UpdatedAt time.Time     `bson:"updated_at"`
	Outbox    outbox.Outbox `bson:"outbox,omitempty"`
}

// Permission is one of the contract's, each including those before it.
type Permission string

// The permissions, weakest first.
const (
	Read   Permission = "read"
	Write  Permission = "write"
	Delete Permission = "delete"
	Admin  Permission = "admin"
)

// Key states.
const (
	KeyActive  = "active"
	KeyRevoked = "revoked"
	KeyExpired = "expired" // derived from ExpiresAt when read
)

// AdminKeyName is the name of the key made at first start. It can't be changed,
// rotated or revoked over the API, only by the operator.
const AdminKeyName = "admin-key"

// APIKey is stored without its plaintext. Name is unique per user among keys
// that are not revoked.
type APIKey struct {
	ID          id.APIKey     `bson:"_id"`
	Org         id.Org        `bson:"internal_id"`
	Revision    int64         `bson:"revision"`
	User        id.User       `bson:"user_id"`
	Hash        string        `bson:"key_hash"`   // hex SHA-256 of the key, which has 190 random bits; unique
	Prefix      string        `bson:"key_prefix"` // its first 10 characters
	Name        string        `bson:"name"`
	Description string        `bson:"description"`
	Permissions []Permission  `bson:"permissions"`
	Scopes      []Scope       `bson:"scopes,omitempty"`              // empty: unrestricted
	RateLimit   *int          `bson:"rate_limit_override,omitempty"` // requests per minute
	Status      string        `bson:"status"`
	ExpiresAt   *time.Time    `bson:"expires_at,omitempty"`
	LastUsedAt  *time.Time    `bson:"last_used_at,omitempty"`
	CreatedAt   time.Time     `bson:"created_at"`
	UpdatedAt   time.Time     `bson:"updated_at"`
	CreatedBy   string        `bson:"created_by"`
	RevokedAt   *time.Time    `bson:"revoked_at,omitempty"`
	RevokedBy   string        `bson:"revoked_by,omitempty"`
	Outbox      outbox.Outbox `bson:"outbox,omitempty"`
}

// Scope narrows a key to resources. ResourceID may hold * as a wildcard.
type Scope struct {
	ResourceType string   `bson:"resource_type"`
	ResourceID   string   `bson:"resource_id"`
	Operations   []string `bson:"operations,omitempty"`
}
