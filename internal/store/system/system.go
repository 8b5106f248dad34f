// Package system is the part of a store that crosses organizations: due queues,
// API keys by hash, bootstrap. Only worker, health, access/service, keys, the store
// implementations and cmd may import it.
package system

import (
	"context"
	"time"

	"mooring/internal/access"
	"mooring/internal/audit"
	"mooring/internal/connection"
	"mooring/internal/id"
	"mooring/internal/syncing"
	"mooring/internal/webhook"
)

// System is implemented by every store beside store.Store.
type System interface {
	// KeyByHash finds an API key, whatever its state, by the hex SHA-256 of its plaintext.
	KeyByHash(ctx context.Context, hash string) (access.APIKey, error)
	// Organizations lists all, oldest first, after an id.
	Organizations(ctx context.Context, after id.Org, limit int) ([]access.Organization, error)
	// DueSyncs returns syncs whose next_sync_at is not after now or that were
	// triggered (Triggered > TriggerDone), most overdue first.
	DueSyncs(ctx context.Context, now time.Time, limit int) ([]SyncRef, error)
	// DeletedSyncs and DeletingBuckets return what waits for its rows to be removed.
	DeletedSyncs(ctx context.Context, limit int) ([]SyncRef, error)
	DeletingBuckets(ctx context.Context, limit int) ([]BucketRef, error)
	// DueConnections returns connections whose next_check_at is not after now, most
	// overdue first, but for those of some hosts.
	DueConnections(ctx context.Context, now time.Time, except []string, limit int) ([]DueConnection, error)
	// Relay moves what waits in outboxes on; a store that does so within its updates returns 0.
	Relay(ctx context.Context, limit int) (moved int, err error)

	// DueWebhooks returns active webhooks whose time has come and that have
	// events or deliveries to be sent.
	DueWebhooks(ctx context.Context, now time.Time, limit int) ([]WebhookRef, error)

	// LaterConnections, LaterSyncs and LaterWebhooks return what is due after a
	// point of its queue, in order: of webhooks those that are active. They read
	// records: for a look now and then, not for every minute.
	LaterConnections(ctx context.Context, after Point, limit int) ([]connection.Connection, error)
	LaterSyncs(ctx context.Context, after Point, limit int) ([]syncing.Sync, error)
	LaterWebhooks(ctx context.Context, after Point, limit int) ([]webhook.Webhook, error)

	// Census counts what the store holds, for metrics. It reads an index over all
	// connections: ask for it every half minute, not more often.
	Census(ctx context.Context, now time.Time) (Census, error)

	// ChainAudit has the store link every audit entry that it numbers from now on
	// to the one before. Call it once, before anything is written.
	ChainAudit(c *audit.Chain)

	// Meta is the small map of facts about the store itself: schema version,
	// master key check value, audit key, list of destroyed keys. A missing one is nil.
	Meta(ctx context.Context, name string) ([]byte, error)
	// SetMeta writes a fact if it still is old (nil: missing); errs.Conflict if not.
	SetMeta(ctx context.Context, name string, old, value []byte) error
}

// Point is a place in a queue, which is ordered by time and id.
type Point struct {
	At time.Time
	ID string
}

// Census is what a store holds, over all organizations.
type Census struct {
	Connections []ConnectionCount
	SyncDelay   time.Duration // of the sync that is due longest, 0 when none is
	CheckDelay  time.Duration // of the connection whose check is due longest
}

// ConnectionCount is how many connections of a provider are in a state.
type ConnectionCount struct {
	Provider string
	Status   connection.Status
	N        int64
}

// SyncRef names a sync.
type SyncRef struct {
	Org  id.Org
	Sync id.Sync
}

// BucketRef names a bucket.
type BucketRef struct {
	Org    id.Org
	Bucket id.Bucket
}

// WebhookRef names a webhook.
type WebhookRef struct {
	Org     id.Org
	Webhook id.Webhook
}

// DueConnection is a connection that is due for a check.
type DueConnection struct {
	Org        id.Org
	Connection id.Connection
	Host       string    // that its checks go to; see config.Sealed
	Due        time.Time // its next_check_at
}
