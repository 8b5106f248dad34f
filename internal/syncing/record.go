package syncing

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/event"
	"mooring/internal/id"
	"mooring/internal/key"
)

// Outcome is what became of one item.
type Outcome string

// The outcomes of the ledger's identity, then what stands beside it.
const (
	Synced     Outcome = "synced"
	Unchanged  Outcome = "unchanged"
	Filtered   Outcome = "filtered"
	Duplicate  Outcome = "duplicate"
	Skipped    Outcome = "skipped"
	FailedItem Outcome = "failed"
)

// Record is the page record: the one document through which a page of outcomes
// becomes true. Its insert under the unique (sync, pass, shard, seq) is the
// fence; everything it says is then applied by an idempotent redo, in order of
// seq within its shard, and done again after a crash or a takeover.
type Record struct {
	ID     string    `bson:"_id"` // RecordID
	Org    id.Org    `bson:"internal_id"`
	Sync   id.Sync   `bson:"sync_config_id"`
	Bucket id.Bucket `bson:"bucket_id"`
	Pass   id.Pass   `bson:"pass_id"`
	Shard  string    `bson:"shard"`
	Seq    int64     `bson:"seq"` // from 1 within the shard
	Run    id.Run    `bson:"run_id"`
	Fence  int64     `bson:"fence"` // of the lease held

	Next   Position `bson:"next"`           // where the shard stands when this is applied
	Hold   bool     `bson:"hold,omitempty"` // the shard stays where it is: the record keeps others from appending
	Ended  bool     `bson:"ended"`          // the shard's last record
	Ledger Ledger   `bson:"ledger"`         // of this record

	Place   []Placement     `bson:"place,omitempty"`
	Put     []bucket.Object `bson:"put,omitempty"`     // upserted by id
	Remove  []Removal       `bson:"remove,omitempty"`  // catalogue rows and files that go
	Promote []Promotion     `bson:"promote,omitempty"` // duplicates that are the first of their content now
	Freed   []key.Key       `bson:"freed,omitempty"`   // reservations of names that are no longer used
	Seen    []id.Object     `bson:"seen,omitempty"`    // unordered enumerations: met and unchanged
	Absent  []Absence       `bson:"absent,omitempty"`  // noted, judged later
	Missing int64           `bson:"missing,omitempty"` // absences in all: under policy ignore they are only counted
	Settled []id.Object     `bson:"settled,omitempty"` // absences dealt with by the delete phase
	Dead    []DeadLetter    `bson:"dead,omitempty"`    // opened or replaced
	Closed  []string        `bson:"closed,omitempty"`  // dead letters removed, by id
	Tree    []TreeChange    `bson:"tree,omitempty"`
	Events  []event.Event   `bson:"events,omitempty"`
	At      time.Time       `bson:"at"`
}

// MaxRecordBytes bounds the outcomes of one record, in BSON bytes.
const MaxRecordBytes = 4 << 20

// Placement moves staged content to its final name; Old, when set, is a former
// name of the same object that goes.
type Placement struct {
	Staged string `bson:"staged,omitempty"` // "" when only a rename: Old to Name
	Name   string `bson:"name"`
	Old    string `bson:"old,omitempty"`
	Size   int64  `bson:"size"`
}

// Removal takes an object's file away; Row too when its record goes.
type Removal struct {
	Object id.Object `bson:"object"`
	Name   string    `bson:"name"`
	Row    bool      `bson:"row"`
}

// Promotion makes a duplicate the first object of its content, if it still has
// it when the record is applied: the object may belong to another sync.
type Promotion struct {
	Object id.Object `bson:"object"`
	SHA256 string    `bson:"sha256"`
}

// Absence is a catalogued item that an enumeration did not meet.
type Absence struct {
	Object   id.Object `bson:"object"`
	SourceID key.Key   `bson:"source_id"`
	Name     string    `bson:"name"`
}

// TreeChange is a change to the id-to-parent index of a source with folders.
type TreeChange struct {
	Node Node `bson:"node"`
	Gone bool `bson:"gone,omitempty"`
}

// Node is one folder of a source with folders.
type Node struct {
	ID     string `bson:"id"`
	Parent string `bson:"parent"`
	Name   string `bson:"name"`
}

// RecordID builds a record's id: sorting by it sorts by pass, shard and seq.
func RecordID(p id.Pass, shard string, seq int64) string {
	const digits = "0123456789"
	var b [12]byte
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = digits[seq%10]
		seq /= 10
	}
	return string(p) + "/" + shard + "/" + string(b[:])
}

// DeadLetterID derives a dead letter's id from what it stands for.
func DeadLetterID(s id.Sync, sourceID key.Key) string {
	h := sha256.Sum256([]byte(string(s) + "\x00" + string(sourceID)))
	return "dl_" + hex.EncodeToString(h[:16])
}

// Fold adds a record's effect to its shard. A record that is folded already
// changes nothing, so that a redo is idempotent; one that is out of turn is a
// fault of ours and refused.
func (s *Shard) Fold(r Record) error {
	switch {
	case r.Seq <= s.Applied:
		return nil
	case r.Seq != s.Applied+1:
		return errs.New(errs.Internal, "shard.fold", "a page record is out of turn")
	}
	if s.Run != r.Run {
		s.Run, s.RunLedger = r.Run, Ledger{}
	}
	s.Applied, s.UpdatedAt = r.Seq, r.At
	if !r.Hold {
		s.Position = r.Next
	}
	s.Ended = s.Ended || r.Ended
	s.Absent += r.Missing
	s.RunLedger.Add(r.Ledger)
	s.Ledger.Add(r.Ledger)
	return nil
}
