// Package syncing is what a sync is made of: its definition and states, passes,
// shards and runs, the ledger that always balances, the page record that every
// outcome goes through, dead letters, filters and the schema mapping. All of it
// is pure. The engine that executes it is in the package engine below, the
// service that creates and steers syncs in service.
package syncing

import (
	"time"

	"mooring/internal/id"
	"mooring/internal/outbox"
)

// Status is the state of a sync.
type Status string

// The states of a sync. A run under way does not change them.
const (
	Pending   Status = "PENDING"
	Active    Status = "ACTIVE"
	Suspended Status = "SUSPENDED"
	Completed Status = "COMPLETED"
	Failed    Status = "FAILED"
)

// Mode says whether a sync goes on after its first pass.
type Mode string

// The modes.
const (
	Continuous  Mode = "continuous"
	InitialOnly Mode = "initial_only"
)

// DeletePolicy says what follows when an item is gone at the source.
type DeletePolicy string

// The policies.
const (
	Ignore    DeletePolicy = "ignore"    // keep the object as it is
	Tombstone DeletePolicy = "tombstone" // keep the record as ARCHIVED, remove the file
	Delete    DeletePolicy = "delete"    // remove both
)

// FailureLimit is how many consecutive failed runs make a sync FAILED.
const FailureLimit = 5

// Sync binds a connection and a source path to a bucket.
type Sync struct {
	ID          id.Sync        `bson:"_id"`
	Org         id.Org         `bson:"internal_id"`
	Namespace   id.Namespace   `bson:"namespace_id"`
	Bucket      id.Bucket      `bson:"bucket_id"`
	Connection  id.Connection  `bson:"connection_id"`
	Provider    string         `bson:"provider_type"`
	Revision    int64          `bson:"revision"`
	SourcePath  string         `bson:"source_path"`
	Mode        Mode           `bson:"sync_mode"`
	Description *string        `bson:"description"`
	Metadata    map[string]any `bson:"metadata"`

	Filters          *Filters     `bson:"file_filters,omitempty"`
	Mapping          *Mapping     `bson:"schema_mapping,omitempty"`
	MappingRevision  int64        `bson:"mapping_revision"` // from 1 once a mapping is given; 0: none
	PollingSeconds   int          `bson:"polling_interval_seconds"`
	Schedule         string       `bson:"schedule,omitempty"` // five-field cron; instead of polling
	TimeZone         string       `bson:"time_zone,omitempty"`
	BatchSize        int          `bson:"batch_size"`
	SkipBatch        bool         `bson:"skip_batch_submission"`
	OnDelete         DeletePolicy `bson:"delete_policy"`
	MaxDeletePercent int          `bson:"max_delete_percent"` // 0..100 of the objects known
	MaxObjectsPerRun int64        `bson:"max_objects_per_run"`

	Status      Status     `bson:"status"`
	Paused      bool       `bson:"paused"`
	PauseReason string     `bson:"pause_reason,omitempty"`
	PausedAt    *time.Time `bson:"paused_at,omitempty"`
	PausedBy    string     `bson:"paused_by_user_id,omitempty"`
	LastError   *string    `bson:"last_error"`
	Failures    int        `bson:"consecutive_failures"`
	Outages     int        `bson:"consecutive_outages,omitempty"` // runs in a row that an outage of ours ended
	LastSyncAt  *time.Time `bson:"last_sync_at,omitempty"`        // end of the last good run
	NextSyncAt  *time.Time `bson:"next_sync_at,omitempty"`        // nil: not due by itself; the index of the due queue
	Triggered   int64      `bson:"triggered"`                     // grows with each trigger
	TriggerDone int64      `bson:"trigger_done"`                  // the Triggered that the last started run has seen
	RunCounter  int64      `bson:"sync_run_counter"`
	PassCounter int64      `bson:"pass_counter,omitempty"`
	CurrentRun  id.Run     `bson:"current_sync_run_id,omitempty"` // running or latest
	CurrentPass id.Pass    `bson:"current_pass,omitempty"`        // empty between passes
	FeedCursor  []byte     `bson:"feed_cursor,omitempty"`         // for feeds: where the next pass goes on; nil: enumerate
	FeedView    string     `bson:"feed_view,omitempty"`           // the View under which all before FeedCursor was told
	Expired     int        `bson:"expired_passes,omitempty"`      // passes in a row that a dead cursor ended
	Unordered   bool       `bson:"unordered,omitempty"`           // the source broke its promise of order: sort on disk
	HeldPass    id.Pass    `bson:"held_pass,omitempty"`           // of a feed: its absences were suspect and are judged again with the next pass
	Absent      int64      `bson:"absent,omitempty"`              // policy ignore: objects kept though gone at the source, as of the last pass

	Totals     Ledger `bson:"totals"`      // lifetime, of closed runs
	TotalBytes int64  `bson:"total_bytes"` // transferred, lifetime, of closed runs
	FoldedRun  id.Run `bson:"folded_run,omitempty"`

	DeletedAt *time.Time    `bson:"deleted_at,omitempty"` // a deleted sync is kept as a tombstone until its rows are gone
	CreatedAt time.Time     `bson:"created_at"`
	UpdatedAt time.Time     `bson:"updated_at"`
	CreatedBy string        `bson:"created_by_user_id"`
	Outbox    outbox.Outbox `bson:"outbox,omitempty"`
}

// IsActive is derived: a sync that runs or waits for its next run.
func (s *Sync) IsActive() bool { return s.Status == Pending || s.Status == Active }

// Filter selects syncs of a list. Zero fields select all.
type Filter struct {
	Bucket     id.Bucket
	Connection id.Connection
	Status     Status
	IsActive   *bool
}
