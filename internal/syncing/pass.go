package syncing

import (
	"time"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/key"
	"mooring/internal/outbox"
)

// PassState is how far a pass is.
type PassState string

// The states of a pass, in order. Each change of state is made by
// compare-and-swap on the pass.
const (
	Enumerating PassState = "ENUMERATING" // shards are being worked
	Judging     PassState = "JUDGING"     // every shard has ended cleanly; absences are judged once
	Deleting    PassState = "DELETING"    // confirmed absences follow the policy
	Done        PassState = "DONE"
)

// Pass is one traversal of the source from no cursor (or, for a feed, from
// where the last pass ended) to its end. It may span several runs.
type Pass struct {
	ID         id.Pass    `bson:"_id"`
	Org        id.Org     `bson:"internal_id"`
	Sync       id.Sync    `bson:"sync_config_id"`
	Revision   int64      `bson:"revision"`
	Number     int64      `bson:"number"` // from 1 within a sync
	State      PassState  `bson:"state"`
	Feed       bool       `bson:"feed"`     // applies a feed's changes; false: an enumeration
	Snapshot   bool       `bson:"snapshot"` // absent items are gone
	Unordered  bool       `bson:"unordered"`
	Mapping    int64      `bson:"mapping"`              // the mapping revision this pass applies
	View       string     `bson:"view,omitempty"`       // of the sync, when the pass began
	Known      int64      `bson:"known"`                // objects of this sync in the catalogue when the pass began
	Bounds     []key.Key  `bson:"bounds,omitempty"`     // where the enumeration is split into shards
	Run        id.Run     `bson:"run,omitempty"`        // that works on it: a run that was taken over changes it no more
	Open       id.Run     `bson:"open,omitempty"`       // the run, while other processes may work on its shards
	Cursor     []byte     `bson:"cursor,omitempty"`     // once done, of a feed: where the next pass goes on
	Absent     int64      `bson:"absent,omitempty"`     // absences, as judged
	Expired    bool       `bson:"expired,omitempty"`    // ended because its cursor was dead: the next pass enumerates anew
	Incomplete bool       `bson:"incomplete,omitempty"` // the provider left something out
	Suspect    string     `bson:"suspect,omitempty"`    // why nothing was deleted
	StartedAt  time.Time  `bson:"started_at"`
	EndedAt    *time.Time `bson:"ended_at,omitempty"`
	UpdatedAt  time.Time  `bson:"updated_at"`
}

// Well-known shards beside those of the enumeration, which are "000", "001", …
const (
	RetryShard  = "retry"  // dead letters asked to be tried again
	DeleteShard = "delete" // the delete phase
)

// Shard is one part of a pass with a cursor of its own, and the fold of the
// records of that part: Seq is the last record appended, Applied the last one
// whose effects are in the catalogue. Changed only by compare-and-swap.
type Shard struct {
	ID       string  `bson:"_id"` // pass + "/" + Name
	Org      id.Org  `bson:"internal_id"`
	Sync     id.Sync `bson:"sync_config_id"`
	Pass     id.Pass `bson:"pass_id"`
	Name     string  `bson:"name"`
	Revision int64   `bson:"revision"`
	From     key.Key `bson:"from"` // half-open range of source ids; "" is unbounded
	To       key.Key `bson:"to"`

	Position  Position  `bson:"position"` // after the last applied record
	Applied   int64     `bson:"applied"`
	Absent    int64     `bson:"absent"`
	Ended     bool      `bson:"ended"`
	Run       id.Run    `bson:"run,omitempty"` // whose ledger RunLedger is
	RunLedger Ledger    `bson:"run_ledger"`
	Ledger    Ledger    `bson:"ledger"` // of the pass
	UpdatedAt time.Time `bson:"updated_at"`

	Moving []id.Object `bson:"moving,omitempty"` // whose new names the latest batch has reserved: killed before its record, they have two
}

// ShardID builds a shard's id.
func ShardID(p id.Pass, name string) string { return string(p) + "/" + name }

// Position is where a shard goes on: ask for the page at Cursor again and leave
// out items up to and including After.
type Position struct {
	Cursor []byte  `bson:"cursor,omitempty"`
	After  key.Key `bson:"after"`
	Index  int     `bson:"index,omitempty"` // for pages without order: changes of the page already settled
}

// RunStatus is a TaskStatusEnum of the contract.
type RunStatus string

// The states of a run.
const (
	RunInProgress RunStatus = "IN_PROGRESS"
	RunCompleted  RunStatus = "COMPLETED"
	RunWithErrors RunStatus = "COMPLETED_WITH_ERRORS" // some items were dead-lettered
	RunFailed     RunStatus = "FAILED"
	RunCanceled   RunStatus = "CANCELED" // paused, stopped or taken over: resumes where it was
)

// Run is one execution.
type Run struct {
	ID        id.Run        `bson:"_id"`
	Org       id.Org        `bson:"internal_id"`
	Sync      id.Sync       `bson:"sync_config_id"`
	Bucket    id.Bucket     `bson:"bucket_id"`
	Provider  string        `bson:"provider_type"`
	Revision  int64         `bson:"revision"`
	Pass      id.Pass       `bson:"pass_id,omitempty"`
	Number    int64         `bson:"number"`
	Kind      string        `bson:"kind"` // KindSync or KindVerify
	Status    RunStatus     `bson:"status"`
	Suspect   bool          `bson:"suspect"`
	Reason    string        `bson:"reason,omitempty"` // why suspect, canceled or failed, for people
	ErrorKind string        `bson:"error_kind,omitempty"`
	Worker    id.Worker     `bson:"worker_id"`
	Ledger    Ledger        `bson:"ledger"` // final; while in progress: fold the shards
	PassEnded bool          `bson:"pass_ended"`
	Quiet     int64         `bson:"quiet,omitempty"` // runs before it that are folded into this row: none of them changed anything
	StartedAt time.Time     `bson:"started_at"`
	EndedAt   *time.Time    `bson:"ended_at,omitempty"`
	UpdatedAt time.Time     `bson:"updated_at"`
	Outbox    outbox.Outbox `bson:"outbox,omitempty"`
}

// Kinds of runs.
const (
	KindSync   = "sync"
	KindVerify = "verify"
)

// ChangedNothing reports a run that met only what was there already.
func (r *Run) ChangedNothing() bool {
	l := r.Ledger
	return r.Kind == KindSync && r.Status == RunCompleted && r.PassEnded && !r.Suspect &&
		l.Synced+l.Duplicate+l.Failed+l.Deleted+l.Moved+l.Remapped == 0
}

// RunFilter selects runs of a list, newest first.
type RunFilter struct {
	Bucket id.Bucket
	Sync   id.Sync
	Since  time.Time // started at or after
	Until  time.Time // started before
}

// DeadLetter is an item that failed three tries. While it is open the same
// version is skipped without a download and the item counts as present.
type DeadLetter struct {
	ID         string    `bson:"_id"` // DeadLetterID(sync, source id)
	Org        id.Org    `bson:"internal_id"`
	Sync       id.Sync   `bson:"sync_config_id"`
	Revision   int64     `bson:"revision"`
	SourceID   key.Key   `bson:"source_id"`
	SourcePath string    `bson:"source_path"`
	Version    string    `bson:"version"`
	Size       int64     `bson:"size"`
	Status     string    `bson:"status"` // DeadOpen, DeadRetry; closed ones are removed
	Kind       string    `bson:"kind"`   // errs.Kind
	Code       string    `bson:"code,omitempty"`
	Message    string    `bson:"message"` // scrubbed
	Attempts   int       `bson:"attempts"`
	Run        id.Run    `bson:"run_id"`
	CreatedAt  time.Time `bson:"created_at"`
	UpdatedAt  time.Time `bson:"updated_at"`
}

// Dead letter states.
const (
	DeadOpen  = "OPEN"
	DeadRetry = "RETRY" // tried again by the next run
)

// Again is the dead letter that has an object transferred again by the next run,
// as one that somebody asked to be retried: also where a feed would never name it.
func Again(o bucket.Object, why string, run id.Run, now time.Time) DeadLetter {
	return DeadLetter{
		ID: DeadLetterID(o.Sync, o.SourceID), Org: o.Org, Sync: o.Sync, SourceID: o.SourceID, SourcePath: o.SourcePath, Version: o.Version, Size: o.Size,
		Status: DeadRetry, Kind: errs.Corrupt.String(), Message: why, Run: run, CreatedAt: now, UpdatedAt: now,
	}
}

// DeadLetterFilter selects dead letters of a list. Zero fields select all.
type DeadLetterFilter struct {
	Status string
	Kind   errs.Kind
	ByKind bool // compare Kind
}
