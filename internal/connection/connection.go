// Package connection is the storage connection: its fields and limits, and its
// lifecycle as pure functions. Its service, which tests and stores connections,
// is in the package service below it; the providers' configurations are in config.
package connection

import (
	"time"

	"mooring/internal/connection/config"
	"mooring/internal/id"
	"mooring/internal/outbox"
)

// Status is the state of a connection.
type Status string

// The states. Archived is final.
const (
	Active    Status = "ACTIVE"
	Suspended Status = "SUSPENDED"
	Failed    Status = "FAILED"
	Archived  Status = "ARCHIVED"
)

// Who suspended a connection.
const (
	BySystem = "system"
	ByUser   = "user"
)

// FailureLimit is how many consecutive counted failures suspend.
const FailureLimit = 5

// Connection is one storage connection of an organization. The same document
// is stored in every store.
type Connection struct {
	ID          id.Connection  `bson:"_id"`
	Org         id.Org         `bson:"internal_id"`
	Revision    int64          `bson:"revision"` // moved by the store at each update
	Provider    string         `bson:"provider_type"`
	Config      config.Sealed  `bson:"provider_config"`
	RefreshFrom string         `bson:"refresh_lineage,omitempty"` // see Lineage
	Name        string         `bson:"name"`
	Description *string        `bson:"description"`
	Metadata    map[string]any `bson:"metadata"`

	Status       Status     `bson:"status"`
	SuspendedBy  string     `bson:"suspended_by,omitempty"`
	StatusReason string     `bson:"status_reason,omitempty"`
	LastError    *string    `bson:"last_error"`
	Failures     int        `bson:"consecutive_failures"`
	Evidence     []Evidence `bson:"evidence,omitempty"` // the counted failures since the last success, oldest first
	// Settled are attempts that a success cleared although they did not begin
	// before it, so that time alone could not keep them from counting again.
	Settled []Settled `bson:"settled,omitempty"`

	// CredentialsGeneration grows with each replacement of the configuration.
	CredentialsGeneration int64      `bson:"credentials_generation"`
	CredentialsDestroyed  bool       `bson:"credentials_destroyed,omitempty"`
	LastSuccessAt         *time.Time `bson:"last_success_at,omitempty"` // when the last successful attempt began
	LastCheckedAt         *time.Time `bson:"last_checked_at,omitempty"`
	NextCheckAt           *time.Time `bson:"next_check_at,omitempty"`
	LastUsedAt            *time.Time `bson:"last_used_at,omitempty"`

	// CheckInterval is the time between checks while all is well, in seconds;
	// nil: the server's.
	CheckInterval *int64 `bson:"check_interval_seconds,omitempty"`
	// CredentialsExpireAt is when a user says that the credentials expire, and
	// ExpiryTold the one of these times that an event was raised of.
	CredentialsExpireAt *time.Time `bson:"credentials_expire_at,omitempty"`
	ExpiryTold          *time.Time `bson:"expiry_told,omitempty"`

	CreatedAt time.Time     `bson:"created_at"`
	UpdatedAt time.Time     `bson:"updated_at"`
	CreatedBy string        `bson:"created_by_user_id"`
	Outbox    outbox.Outbox `bson:"outbox,omitempty"`
}

// IsActive is derived: true exactly when the status is ACTIVE.
func (c *Connection) IsActive() bool { return c.Status == Active }

// Evidence is one counted failure.
type Evidence struct {
	Attempt   string    `bson:"attempt"` // an attempt counts once
	Began     time.Time `bson:"began"`
	Time      time.Time `bson:"time"`
	Source    string    `bson:"source"` // "check", "sync" or "test"
	Scope     string    `bson:"scope"`
	Kind      string    `bson:"kind"`
	Code      string    `bson:"code,omitempty"`
	RequestID string    `bson:"request_id,omitempty"`
	Message   string    `bson:"message"` // scrubbed, as in last_error
}

// Settled is an attempt that counted and was cleared.
type Settled struct {
	Attempt string    `bson:"attempt"`
	Began   time.Time `bson:"began"`
}

// Filter selects connections of a list. Zero fields select all.
type Filter struct {
	Provider string
	Status   Status
	IsActive *bool
	// UnusedSince selects those that were never used, or last before it.
	UnusedSince time.Time
	Search      string // part of a name, in any case
}
