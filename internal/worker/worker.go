// Package worker runs what is due: syncs, verifications, the removal of what
// was deleted, and retention. Any number of workers share a store: each piece of
// work is done under a lease.
package worker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"mooring/internal/audit"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store"
	"mooring/internal/store/system"
	"mooring/internal/syncing"
)

// Runner executes one run of a sync under a lease held by the caller.
type Runner interface {
	Run(ctx context.Context, org id.Org, s id.Sync, l store.Lease, w id.Worker) (syncing.Run, error)
}

// Verifier executes one verification of a sync under a lease held by the
// caller, and calls begun once the run can be looked at.
type Verifier func(ctx context.Context, org id.Org, s id.Sync, l store.Lease, w id.Worker, repair bool, begun func(id.Run)) error

// Helper works on parts of a run that another process executes, until none is
// left to be taken.
type Helper interface {
	Help(ctx context.Context, org id.Org, s id.Sync, w id.Worker) error
}

// Buckets removes the content and the rows of buckets that were deleted.
type Buckets interface {
	Remove(ctx context.Context, org id.Org, b id.Bucket) error
}

// Trails prunes audit trails and tells where they end.
type Trails interface {
	Prune(ctx context.Context, org id.Org, keep time.Duration) (removed int64, err error)
	Head(ctx context.Context, org id.Org) (audit.Head, error)
}

// Worker takes work until its context ends. The zero values of the options
// stand for the defaults named.
type Worker struct {
	Store    store.Store
	System   system.System
	Runner   Runner
	Verifier Verifier // nil: none can be asked for
	Helper   Helper   // nil: runs of other processes are not helped
	Buckets  Buckets
	// Forget removes what a deleted sync left behind outside of the store, before
	// its rows go; nil: nothing.
	Forget func(ctx context.Context, org id.Org, s id.Sync) error
	// Trails are the audit trails; nil: they are not tended.
	Trails Trails
	Log    *slog.Logger
	Now    func() time.Time

	// Exclusive says that no other process can be on this store (the data
	// directory is locked): a lease left by a killed process is taken at once.
	Exclusive bool
	Syncs     int           // runs at once, default 4
	Term      time.Duration // of leases, default 30 s
	Poll      time.Duration // of the due queue, default 1 s
	Retain    time.Duration // of ended runs, default 90 days
	// RetainAudit is how long audit entries are kept; 0: for ever.
	RetainAudit time.Duration

	id      id.Worker
	leases  observer
	wake    chan struct{}
	asked   atomic.Bool // for a sweep
	mu      sync.Mutex
	running map[id.Sync]context.CancelFunc
	failed  map[id.Sync]time.Time // when a run ended with an error
	helped  map[id.Sync]time.Time // when there was nothing left to help with
	helping int                   // runs of other processes that are helped now
	tended  time.Time             // when the trails were
	heads   map[id.Org]int64      // of trails, as they were logged last
	base    context.Context       // of Run, nil before it
	runs    sync.WaitGroup
}

const (
	defaultSyncs  = 4
	defaultTerm   = 30 * time.Second
	defaultPoll   = time.Second
	defaultRetain = 90 * 24 * time.Hour
	stopGrace     = 20 * time.Second
)

// Init makes the worker usable; call it once, before Run, Wake or Stop.
func (w *Worker) Init() *Worker {
	w.id, w.wake = id.NewWorker(), make(chan struct{}, 1)
	w.running, w.failed, w.helped, w.heads = map[id.Sync]context.CancelFunc{}, map[id.Sync]time.Time{}, map[id.Sync]time.Time{}, map[id.Org]int64{}
	w.leases = observer{seen: map[string]sighting{}, now: time.Now}
	return w
}

// ID names this worker in leases and runs.
func (w *Worker) ID() id.Worker { return w.id }

// Running is how many syncs this worker works on now.
func (w *Worker) Running() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.running)
}

// Wake looks at the due queue now rather than at the next poll.
func (w *Worker) Wake() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// SweepNow removes what was deleted now rather than within a minute.
func (w *Worker) SweepNow() {
	w.asked.Store(true)
	w.Wake()
}

// Interrupt ends a run of a sync on this worker at its next step, for instance
// because the sync was deleted. The run is resumable.
func (w *Worker) Interrupt(s id.Sync) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if cancel := w.running[s]; cancel != nil {
		cancel()
	}
}

// Run works until ctx ends, then lets the runs under way stop at their next
// step and returns. That is never a failure of theirs.
func (w *Worker) Run(ctx context.Context) {
	slots := make(chan struct{}, orInt(w.Syncs, defaultSyncs))
	w.setBase(ctx)
	defer w.runs.Wait()
	defer w.leave()
	w.runs.Go(func() { w.rewinding(ctx) })
	poll := time.NewTicker(or(w.Poll, defaultPoll))
	defer poll.Stop()
	var swept time.Time
	for {
		w.dispatch(ctx, slots)
		if w.asked.Swap(false) || time.Since(swept) > time.Minute {
			w.sweep(ctx)
			swept = time.Now()
		}
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
		case <-w.wake:
		}
	}
}

// mostDue bounds how much of the due queue is read: its head may be what other
// processes work on.
const mostDue = 4096

// dispatch starts runs for what is due, as far as there are free slots, and helps
// with what others have begun.
func (w *Worker) dispatch(ctx context.Context, slots chan struct{}) {
	tried := map[id.Sync]bool{}
	var held []system.SyncRef
	for limit := 4*cap(slots) + len(slots); limit <= mostDue; limit *= 4 {
		due, err := w.System.DueSyncs(ctx, w.Now(), limit)
		if err != nil {
			w.complain(ctx, "reading the due queue", err)
			return
		}
		for _, ref := range due {
			if tried[ref.Sync] || w.busy(ref.Sync) || w.rests(ref.Sync) {
				continue
			}
			tried[ref.Sync] = true
			room, err := w.tryRun(ctx, slots, ref)
			if !room {
				return
			}
			if errors.Is(err, errHeld) {
				held = append(held, ref)
			} else if err != nil {
				w.complain(ctx, "acquiring a lease", err)
			}
		}
		if len(due) < limit {
			break
		}
	}
	for _, ref := range held {
		w.tryHelp(ctx, ref)
	}
}

// tryRun starts a run of a sync, unless there is no room or somebody else has it.
func (w *Worker) tryRun(ctx context.Context, slots chan struct{}, ref system.SyncRef) (room bool, _ error) {
	select {
	case slots <- struct{}{}:
	default:
		return false, nil
	}
	claim, err := w.Claim(ctx, leaseOf(ref.Sync))
	if err != nil {
		<-slots
		return true, err
	}
	if due, err := w.due(ctx, ref); err != nil || !due {
		claim.Release()
		<-slots
		return true, err
	}
	w.start(ref, claim, func() { <-slots; w.Wake() }, func(ctx context.Context) (syncing.Run, error) {
		return w.Runner.Run(ctx, ref.Org, ref.Sync, claim.Lease, w.id)
	})
	return true, nil
}

// due looks again once the lease is held: a run may have ended between the look at
// the queue and the claim, and what was due then is done.
func (w *Worker) due(ctx context.Context, ref system.SyncRef) (bool, error) {
	s, err := w.Store.Syncs().Get(ctx, ref.Org, ref.Sync)
	if errs.Is(err, errs.NotFound) {
		return false, nil
	}
	return s.Due(w.Now()), err
}

func leaseOf(s id.Sync) string { return "sync/" + string(s) }

// start does work on a sync in the background while its lease is held.
func (w *Worker) start(ref system.SyncRef, claim store.Claim, after func(), work func(context.Context) (syncing.Run, error)) {
	running, cancel := context.WithCancel(claim.Context)
	w.setRunning(ref.Sync, cancel)
	w.runs.Go(func() {
		defer after()
		defer w.setRunning(ref.Sync, nil)
		defer cancel()
		w.one(running, ref, claim, work)
	})
}

// Verify starts a verification of a sync in this process and returns the id of
// its run. It is errs.Conflict while a run of the sync is under way, here or
// elsewhere, and errs.Unavailable where no worker runs.
func (w *Worker) Verify(ctx context.Context, org id.Org, s id.Sync, repair bool) (id.Run, error) {
	base := w.enter()
	if base != nil {
		defer w.runs.Done()
	}
	if base == nil || w.Verifier == nil {
		return "", errs.New(errs.Unavailable, "worker.verify", "no worker runs in this process")
	}
	if w.busy(s) {
		return "", errBusy
	}
	claim, err := w.Claim(base, leaseOf(s))
	if errors.Is(err, errHeld) {
		return "", errBusy
	}
	if err != nil {
		return "", err
	}
	begun, failed := make(chan id.Run, 1), make(chan error, 1)
	w.start(system.SyncRef{Org: org, Sync: s}, claim, w.Wake, func(ctx context.Context) (syncing.Run, error) {
		err := w.Verifier(ctx, org, s, claim.Lease, w.id, repair, func(r id.Run) { begun <- r })
		failed <- err
		return syncing.Run{}, err
	})
	select {
	case run := <-begun:
		return run, nil
	case err := <-failed:
		select {
		case run := <-begun: // it was over at once
			return run, nil
		default:
			return "", err
		}
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// setBase notes the context of Run, for as long as it runs.
func (w *Worker) setBase(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.base = ctx
}

func (w *Worker) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.base = nil
}

// enter returns the context of Run and keeps Run from returning until
// runs.Done; nil when it does not run.
func (w *Worker) enter() context.Context {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.base != nil {
		w.runs.Add(1)
	}
	return w.base
}

var errBusy = errs.New(errs.Conflict, "worker.verify", "a run of this sync is under way: verify when it has ended")

// one executes a run while its lease is held and renewed.
func (w *Worker) one(ctx context.Context, ref system.SyncRef, claim store.Claim, work func(context.Context) (syncing.Run, error)) {
	run, err := work(ctx)
	claim.Release()
	w.noteFailure(ref.Sync, err)
	log := w.Log.With("sync", ref.Sync, "run", run.ID, "status", run.Status)
	if err != nil && !errs.Is(err, errs.Canceled) {
		log.Warn("run ended", "error", err, "kind", errs.KindOf(err).String())
		return
	}
	log.Info("run ended", "ledger", run.Ledger.String(), "suspect", run.Suspect)
}

// noteFailure remembers a run that ended with an error, until one does not.
func (w *Worker) noteFailure(s id.Sync, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if delete(w.failed, s); err != nil {
		w.failed[s] = time.Now()
	}
}

// rests reports a sync whose run has just failed. What follows is in its row,
// but should that not have been written, as on a full disk, it is tried again no
// sooner than at the next poll.
func (w *Worker) rests(s id.Sync) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	at, failed := w.failed[s]
	if failed && time.Since(at) >= or(w.Poll, defaultPoll) {
		delete(w.failed, s)
		return false
	}
	return failed
}

func (w *Worker) busy(s id.Sync) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.running[s] != nil
}

func (w *Worker) setRunning(s id.Sync, cancel context.CancelFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if cancel == nil {
		delete(w.running, s)
	} else {
		w.running[s] = cancel
	}
}

func (w *Worker) complain(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		w.Log.Error(what, "error", err)
	}
}

func (w *Worker) term() time.Duration { return or(w.Term, defaultTerm) }

func or(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

func orInt(n, otherwise int) int {
	if n > 0 {
		return n
	}
	return otherwise
}
