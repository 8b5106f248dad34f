// Package engine executes syncs: list, filter, diff, transfer, page record,
// apply. It streams, so that its memory is bounded whatever the size of the
// source, and every outcome passes through a page record, so that a run may be
// killed anywhere and the next one goes on with the same result.
//
// How a run flows:
//
//	recover.go   what an earlier run left is redone and closed
//	begin.go     run, pass and shards
//	retry.go     dead letters that were asked to be tried again
//	crew.go      shards are worked, some at once, beside other processes; help.go is one of these
//	shard.go     each shard: a differ fills batches, the pool transfers, commits follow in order
//	direct.go    a feed's pages; tree.go decides what is inside, below.go works what moves, enters or leaves
//	judge.go     absences are judged once, deletes.go acts on them
//	finish.go    the run is closed and folded into the sync
package engine

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/provider/driver"
	"mooring/internal/sink"
	"mooring/internal/store"
	"mooring/internal/syncing"
)

// Source is what the engine needs of an open connection: the portable source,
// whose retries and budgets are its own business.
type Source interface {
	Changes(ctx context.Context, scope driver.Scope, cur driver.Cursor) (driver.Page, error)
	Stat(ctx context.Context, scope driver.Scope, id string) (driver.Item, error)
	Open(ctx context.Context, item driver.Item, off int64) (io.ReadCloser, error)
	// Splitter reports false when the source can't be enumerated in parts.
	Splitter() (driver.Splitter, bool)
	// Ranger reports false when parts of an item can't be read by themselves.
	Ranger() (driver.Ranger, bool)
	// Attributer reports false when its items have no attributes.
	Attributer() (driver.Attributer, bool)
	// Walker reports false when it has no folders that could be walked.
	Walker() (driver.Walker, bool)
	Close() error
}

// Attempt identifies a run to the health of its connection, where it counts at
// most once.
type Attempt struct {
	ID                    string // the run's
	Began                 time.Time
	CredentialsGeneration int64 // that the run worked with
}

// Health hears how runs fared with their connection, also of those that were
// stopped, throttled or failed for a reason of ours: it decides what counts.
type Health interface {
	SyncFailed(ctx context.Context, org id.Org, c id.Connection, a Attempt, err error)
	SyncSucceeded(ctx context.Context, org id.Org, c id.Connection, a Attempt)
}

// Hooks let tests look in and stop an engine between any two of its steps.
type Hooks struct {
	// Step is called between every two steps that change something that lasts;
	// see the constants Step….
	Step func(name string)
}

// Engine executes runs. It is safe for concurrent use, for different syncs.
type Engine struct {
	Store store.Store
	// Open opens a connection, whatever its state: the engine has looked at it.
	Open func(ctx context.Context, org id.Org, c id.Connection) (Source, error)
	// Sinks opens a bucket's part of its destination.
	Sinks  func(ctx context.Context, b bucket.Bucket) (sink.Sink, error)
	Health Health // nil: nobody listens
	// Claims are leases on the shards of a pass, which then several processes may
	// work; nil: no other process works on this store.
	Claims store.Claims
	Now    func() time.Time
	// Sleep waits, or returns the context's error; nil waits on the real clock.
	Sleep   func(ctx context.Context, d time.Duration) error
	Log     *slog.Logger
	Scratch string // a folder for sorting on disk; "" is the system's
	Limits  Limits
	Hooks   Hooks

	running sync.Map // id.Run to *progress, of runs under way here
}

// Limits bound what one run takes. Zero values stand for the defaults.
type Limits struct {
	PageItems     int   // items with an effect in one record: 500
	PageBytes     int64 // content transferred for one record, but for its last item: 256 MiB
	RecordBytes   int   // of one record: syncing.MaxRecordBytes
	InlineBytes   int   // content of rows held for one record, and of a page before the next is read: 16 MiB
	Shards        int   // parts enumerated at once, in one process: 4
	Parts         int   // into which a large source is split where several processes work: 4 * Shards
	Transfers     int   // content transferred at once: 16
	BytesInFlight int64 // sizes of the items being transferred: 1 GiB
	LargeItem     int64 // content of which this much is to come is read in parts, some at once: 256 MiB
	PartBytes     int64 // of one part: 4 MiB
	PartsAhead    int   // parts in memory, of all items: 8
	ScanRows      int   // rows read from the catalogue at once: 1000
	SortBytes     int   // memory for sorting on disk: 32 MiB
	Tries         int   // for one item: 3
	ThrottleTries int   // for one request that is throttled, beyond what the source does itself: 5
}

func (l Limits) withDefaults() Limits {
	def := func(n *int, d int) {
		if *n <= 0 {
			*n = d
		}
	}
	def(&l.PageItems, 500)
	def(&l.RecordBytes, syncing.MaxRecordBytes)
	def(&l.InlineBytes, 16<<20)
	def(&l.Shards, 4)
	def(&l.Parts, 4*l.Shards)
	def(&l.Transfers, 16)
	def(&l.ScanRows, 1000)
	def(&l.SortBytes, 32<<20)
	def(&l.Tries, 3)
	def(&l.ThrottleTries, 5)
	def(&l.PartsAhead, 8)
	if l.LargeItem <= 0 {
		l.LargeItem = 256 << 20
	}
	if l.PartBytes <= 0 {
		l.PartBytes = 4 << 20
	}
	if l.PageBytes <= 0 {
		l.PageBytes = 256 << 20
	}
	if l.BytesInFlight <= 0 {
		l.BytesInFlight = 1 << 30
	}
	return l
}

// ErrConnectionNotActive is returned by Run when the connection is not ACTIVE:
// the sync waits, and nothing is counted.
var ErrConnectionNotActive error = errs.New(errs.Conflict, "sync.run", "the connection is not ACTIVE: the sync waits for it")

// step is a point at which a run may be killed.
func (e *Engine) step(name string) {
	if e.Hooks.Step != nil {
		e.Hooks.Step(name)
	}
}

// now is the time as documents hold it.
func (e *Engine) now() time.Time { return e.Now().UTC().Truncate(time.Millisecond) }

// sleep waits, or returns early with a Canceled error.
func (e *Engine) sleep(ctx context.Context, d time.Duration) error {
	if e.Sleep != nil {
		return e.Sleep(ctx, d)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
