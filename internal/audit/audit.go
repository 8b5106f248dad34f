// Package audit is the trail of who did what: its entries, who acts, and the
// settings of an organization. An entry is written inside the record it is
// about (its outbox), in the same update, so that neither exists without the
// other; the store moves it to the trail from there.
package audit

import (
	"time"

	"mooring/internal/id"
)

// Actor types.
const (
	ByUser   = "user"
	ByAPIKey = "api_key"
	BySystem = "system"
)

// Actor is who acts, and from where.
type Actor struct {
	ID        string `bson:"id"`   // a user or key id, or "system"
	Type      string `bson:"type"` // ByUser, ByAPIKey or BySystem
	IP        string `bson:"ip,omitempty"`
	UserAgent string `bson:"user_agent,omitempty"`
}

// System is Mooring acting on its own.
func System() Actor { return Actor{ID: "system", Type: BySystem} }

// Actions of the contract that this service records.
const (
	ConnectionCreated = "storage_connection_created"
	ConnectionUpdated = "storage_connection_updated"
	ConnectionDeleted = "storage_connection_deleted"
	ConnectionTested  = "storage_connection_tested"
	ConnectionFailed  = "storage_connection_failed"
	BucketCreated     = "bucket_created"
	BucketUpdated     = "bucket_updated" // syncs too: there is no action of theirs
	BucketDeleted     = "bucket_deleted"
	BucketAccessed    = "bucket_accessed"
	UserCreated       = "user_created"
	NamespaceCreated  = "namespace_created"
	APIKeyCreated     = "api_key_created"
	APIKeyRotated     = "api_key_rotated"
	APIKeyRevoked     = "api_key_revoked"
	APIKeyScope       = "api_key_scope_updated"
	PermissionUpdated = "permission_updated"
	WebhookCreated    = "webhook_created" // these and those below are not the contract's
	WebhookUpdated    = "webhook_updated"
	WebhookDeleted    = "webhook_deleted"
	SessionOffered    = "session_link_created" // of the dashboard
	SessionStarted    = "session_started"
	SessionEnded      = "session_ended"
	MasterKeyChanged  = "master_key_changed" // of the operator
	DataKeyRotated    = "data_key_rotated"
	DataKeyRetired    = "data_key_retired"
	DataKeysDestroyed = "data_keys_destroyed"
)

// Resource types.
const (
	Organization      = "organization"
	User              = "user"
	APIKey            = "api_key"
	Namespace         = "namespace"
	Bucket            = "bucket"
	StorageConnection = "storage_connection"
	Webhook           = "webhook"
)

// Entry is one row of the trail. Changes never hold a secret: a changed secret
// is shown as the marker.
type Entry struct {
	ID           id.Audit       `bson:"_id"`
	Org          id.Org         `bson:"internal_id"`
	Sequence     int64          `bson:"sequence"` // given by the store, from 1, without gaps within an organization
	Time         time.Time      `bson:"timestamp"`
	ResourceType string         `bson:"resource_type"`
	ResourceID   string         `bson:"resource_id"`
	Action       string         `bson:"action"`
	Actor        Actor          `bson:"actor"`
	Success      bool           `bson:"success"`
	Changes      map[string]any `bson:"changes,omitempty"`
	MAC          []byte         `bson:"mac,omitempty"` // chains it to the entry before; given by the store, see Chain
}

// Settings are an organization's.
type Settings struct {
	ReadAuditing bool `bson:"read_auditing"`
}

// Filter selects entries. Zero fields select all.
type Filter struct {
	ResourceType, ResourceID, ActorID, Action string
	Start, End                                time.Time // inclusive, exclusive
}

// Match reports whether an entry is one of those that the filter selects.
func (f Filter) Match(e Entry) bool {
	is := func(want, got string) bool { return want == "" || want == got }
	return is(f.ResourceType, e.ResourceType) && is(f.ResourceID, e.ResourceID) && is(f.ActorID, e.Actor.ID) && is(f.Action, e.Action) &&
		!e.Time.Before(f.Start) && (f.End.IsZero() || e.Time.Before(f.End))
}
