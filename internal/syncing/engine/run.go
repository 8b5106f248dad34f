package engine

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"mooring/internal/bucket"
	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/key"
	"mooring/internal/provider/driver"
	"mooring/internal/sink"
	"mooring/internal/store"
	"mooring/internal/syncing"
)

// runner is one run.
type runner struct {
	*Engine
	log    *slog.Logger
	limits Limits
	org    id.Org
	worker id.Worker
	lease  store.Lease

	sync   syncing.Sync // as it was when the run began
	bucket bucket.Bucket
	conn   connection.Connection
	run    syncing.Run
	prev   syncing.Run // the run before, if it is known
	pass   syncing.Pass
	src    Source
	sink   sink.Sink
	view   view // filters and mapping

	progress progress

	pool    *pool
	buffers chan []byte  // of parts of large items; nil where none was needed yet
	left    atomic.Int64 // transfers that the run may still attempt
	cut     atomic.Bool  // the run stopped at its limit of transfers
	begun   bool         // the pass, by this run
	kept    string       // what the delete phase has to say

	helping bool         // the run is another process's
	opened  bool         // other processes may work on the pass
	looked  atomic.Int64 // when the shard of the record being applied was read last; see sure
	ready   func() error // opens the source, once

	incomplete atomic.Bool  // noted in the pass
	unused     atomic.Bool  // content was staged that no record places
	staged     atomic.Int64 // staging names given

	mu        sync.Mutex // serializes commits
	waiting   bool       // a record may be inserted that is not applied
	dirty     atomic.Bool
	droppable []string          // records that are applied and wait for the sink
	freed     []key.Key         // reservations that go with them
	folders   map[string]string // names of folders by their path, as far as known
	marking   bool              // an unordered enumeration notes in objects that it met them
	told      bool              // that the run began
}

// finalGrace bounds what a run writes to close itself after it was stopped.
const finalGrace = 15 * time.Second

// errLost says that somebody else works on the sync: this run writes nothing more.
var errLost = errs.New(errs.Conflict, "sync.run", "another worker has taken the sync over")

// Run executes one run of a sync whose lease the caller holds and renews. A run
// that ends early because ctx does is CANCELED and can be resumed. The error
// says why a run did not end well; what followed for the sync is stored then,
// but for a Conflict: the sync or its connection was not ready, or somebody
// else has taken it over.
func (e *Engine) Run(ctx context.Context, org id.Org, s id.Sync, l store.Lease, w id.Worker) (syncing.Run, error) {
	r := &runner{
		Engine: e, org: org, worker: w, lease: l, limits: e.Limits.withDefaults(), folders: map[string]string{},
		log: e.Log.With("sync", string(s), "organization", string(org)),
	}
	for _, prepare := range []func(context.Context) error{func(ctx context.Context) error { return r.load(ctx, s) }, r.recover, r.begin} {
		if err := prepare(ctx); err != nil {
			r.putOff(ctx, err)
			return syncing.Run{}, err
		}
	}
	e.running.Store(r.run.ID, &r.progress)
	defer e.running.Delete(r.run.ID)
	err := r.work(ctx)
	return r.finish(ctx, err)
}

// putOff lets a sync wait whose run could not even begin, so that it is not
// tried again at once for ever. There is no run to count it by.
func (r *runner) putOff(ctx context.Context, err error) {
	if k := errs.KindOf(err); r.sync.ID == "" || k == errs.Conflict || k == errs.Canceled {
		return
	}
	_, updateErr := r.Store.Syncs().Update(ctx, r.org, r.sync.ID, func(s *syncing.Sync) error {
		s.Stumble(syncing.Failure(err), r.now())
		return nil
	})
	r.log.Warn("no run could begin", "error", err, "put_off", updateErr == nil)
}

// load reads what the run is about and whether it may start.
func (r *runner) load(ctx context.Context, s id.Sync) error {
	var err error
	if r.sync, err = r.Store.Syncs().Get(ctx, r.org, s); err != nil {
		return err
	}
	if err := r.sync.Runnable(); err != nil {
		return err
	}
	if r.conn, err = r.Store.Connections().Get(ctx, r.org, r.sync.Connection); err != nil {
		return err
	}
	if r.bucket, err = r.Store.Buckets().Get(ctx, r.org, r.sync.Bucket); err != nil {
		return err
	}
	if r.conn.Status != connection.Active || r.bucket.Status != bucket.Active {
		_, err := r.Store.Syncs().Update(ctx, r.org, s, func(s *syncing.Sync) error {
			s.WaitForConnection(r.now())
			return nil
		})
		if err == nil && r.bucket.Status != bucket.Active {
			err = errs.New(errs.Conflict, "sync.run", "the bucket is being deleted")
		}
		if err == nil {
			err = ErrConnectionNotActive
		}
		return err
	}
	r.sink, err = r.Sinks(ctx, r.bucket)
	return ours(err, "opening the destination failed")
}

// errSuspended ends a run whose connection may be contacted no more.
var errSuspended = errs.New(errs.Conflict, "sync.connection", "the connection was suspended or archived: the sync waits for it")

// suspended takes a refusal to open the connection for what it says: it was
// suspended after the run had looked at it.
func suspended(err error) error {
	if e := errs.From(err); e.Kind == errs.Conflict && e.Origin == errs.Ours {
		return errSuspended
	}
	return err
}

// errDeleted ends a run whose sync was deleted, perhaps in another process.
var errDeleted = errs.New(errs.Canceled, "sync.deleted", "the sync was deleted")

// allowed fails once the connection was suspended or archived, or the sync was
// deleted. A failed check alone does not stop a run: what it meets itself says more.
func (r *runner) allowed(ctx context.Context) error {
	if s, err := r.Store.Syncs().Get(ctx, r.org, r.sync.ID); err != nil || s.DeletedAt != nil {
		return cmp.Or(err, error(errDeleted))
	}
	c, err := r.Store.Connections().Get(ctx, r.org, r.sync.Connection)
	if err == nil && (c.Status == connection.Suspended || c.Status == connection.Archived) {
		err = errSuspended
	}
	return err
}

// work does everything between the begin and the end of the run.
func (r *runner) work(ctx context.Context) error {
	if err := r.connect(ctx); err != nil {
		return err
	}
	defer func() { _ = r.src.Close() }()
	if err := r.findPass(ctx); err != nil {
		return err
	}
	if r.pass.State == syncing.Enumerating {
		if err := r.enumerate(ctx); err != nil {
			return err
		}
	}
	if r.cut.Load() || r.pass.State == syncing.Done {
		return r.flush(ctx)
	}
	return r.conclude(ctx)
}

// connect opens the source, and makes ready what transfers need.
func (r *runner) connect(ctx context.Context) error {
	src, err := r.Open(ctx, r.org, r.sync.Connection)
	if err != nil {
		return suspended(err)
	}
	if r.view, err = newView(r.sync, r.bucket); err != nil {
		_ = src.Close()
		return err
	}
	r.src, r.pool = src, newPool(r.limits.Transfers, r.limits.BytesInFlight)
	r.buffers = make(chan []byte, r.limits.PartsAhead)
	for range r.limits.PartsAhead {
		r.buffers <- nil
	}
	r.left.Store(r.sync.MaxObjectsPerRun)
	return nil
}

// enumerate works the retries and every shard that has not ended.
func (r *runner) enumerate(ctx context.Context) error {
	if err := r.retryLetters(ctx); err != nil {
		return err
	}
	err := r.workShards(ctx)
	if err == nil || errs.Is(err, errs.CursorExpired) {
		err = cmp.Or(r.dismiss(ctx), err)
	}
	if !errs.Is(err, errs.CursorExpired) {
		return err
	}
	if r.begun && !r.pass.Feed && r.sync.Expired >= expiredQuietly {
		// Nothing is old in a pass that this run has begun: to enumerate anew at
		// once, again, would come to the same, for ever.
		if lost := r.expire(ctx); lost != nil {
			return lost
		}
		return err
	}
	return r.abandon(ctx)
}

// expiredQuietly is how many passes in a row may end by a dead cursor before that
// is a failure: a feed's, and an enumeration's that followed.
const expiredQuietly = 2

// scope is what the run enumerates, whole.
func (r *runner) scope() driver.Scope {
	return driver.Scope{Path: r.sync.SourcePath, Unordered: r.sync.Unordered}
}

// takeTransfer counts an attempted transfer against the run's limit.
func (r *runner) takeTransfer() bool {
	if r.sync.MaxObjectsPerRun <= 0 {
		return true
	}
	if r.left.Add(-1) >= 0 {
		return true
	}
	r.cut.Store(true)
	return false
}

// mine changes the sync, unless somebody else has taken it over.
func (r *runner) mine(ctx context.Context, change func(*syncing.Sync) error) error {
	s, err := r.Store.Syncs().Update(ctx, r.org, r.sync.ID, func(s *syncing.Sync) error {
		if s.CurrentRun != r.run.ID {
			return errLost
		}
		return change(s)
	})
	if err == nil {
		r.sync = s
	}
	return err
}

// minePass changes the pass, likewise.
func (r *runner) minePass(ctx context.Context, change func(*syncing.Pass) error) error {
	p, err := r.updatePass(ctx, change)
	if err == nil {
		r.pass = p
	}
	return err
}

// updatePass is minePass for those who work beside others: r.pass stays as it is.
func (r *runner) updatePass(ctx context.Context, change func(*syncing.Pass) error) (syncing.Pass, error) {
	return r.Store.Passes().Update(ctx, r.org, r.pass.ID, func(p *syncing.Pass) error {
		if p.Run != r.run.ID {
			return errLost
		}
		p.UpdatedAt = r.now()
		return change(p)
	})
}

// flush makes everything applied so far durable and drops its records.
func (r *runner) flush(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.settle(ctx, 1)
}

// settle makes the sink durable, if anything has changed, and drops applied
// records once there are enough of them or they have lost their reason. The
// caller holds r.mu.
func (r *runner) settle(ctx context.Context, enough int) error {
	settled := r.dirty.Swap(false)
	if settled {
		if err := r.sink.Settle(ctx); err != nil {
			r.dirty.Store(true)
			return ours(err, "making the destination durable failed")
		}
		r.step(StepSettled)
	}
	if len(r.droppable) == 0 || !settled && len(r.droppable) < enough {
		return nil
	}
	if len(r.freed) > 0 {
		if err := r.Store.Catalogue().Release(ctx, r.org, r.bucket.ID, r.freed); err != nil {
			return err
		}
		r.freed = nil
	}
	if err := r.Store.Pages().Drop(ctx, r.org, r.sync.ID, r.droppable); err != nil {
		return err
	}
	r.droppable = nil
	r.step(StepDropped)
	return nil
}
