// Package worker runs what is due: syncs, verifications, the removal of what
// was deleted, and retention. Any number of workers share a store: each piece of
// work is done under a lease.
package worker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

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

// Buckets removes the content and the rows of buckets that were deleted.
type Buckets interface {
	Remove(ctx context.Context, org id.Org, b id.Bucket) error
}

// Worker takes work until its context ends. The zero values of the options
// stand for the defaults named.
type Worker struct {
	Store   store.Store
	System  system.System
	Runner  Runner
	Buckets Buckets
	Log     *slog.Logger
	Now     func() time.Time

	// Exclusive says that no other process can be on this store (the data
	// directory is locked): a lease left by a killed process is taken at once.
	Exclusive bool
	Syncs     int           // runs at once, default 4
	Term      time.Duration // of leases, default 30 s
	Poll      time.Duration // of the due queue, default 1 s
	Retain    time.Duration // of ended runs, default 90 days

	id      id.Worker
	leases  observer
	wake    chan struct{}
	mu      sync.Mutex
	running map[id.Sync]context.CancelFunc
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
	w.id, w.wake, w.running = id.NewWorker(), make(chan struct{}, 1), map[id.Sync]context.CancelFunc{}
	w.leases = observer{seen: map[string]sighting{}, now: time.Now}
	return w
}

// ID names this worker in leases and runs.
func (w *Worker) ID() id.Worker { return w.id }

// Wake looks at the due queue now rather than at the next poll.
func (w *Worker) Wake() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
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
	var runs sync.WaitGroup
	defer runs.Wait()
	poll := time.NewTicker(or(w.Poll, defaultPoll))
	defer poll.Stop()
	var swept time.Time
	for {
		w.dispatch(ctx, slots, &runs)
		if time.Since(swept) > time.Minute {
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

// dispatch starts runs for what is due, as far as there are free slots.
func (w *Worker) dispatch(ctx context.Context, slots chan struct{}, runs *sync.WaitGroup) {
	due, err := w.System.DueSyncs(ctx, w.Now(), 4*cap(slots)+len(slots))
	if err != nil {
		w.complain(ctx, "reading the due queue", err)
		return
	}
	for _, ref := range due {
		if w.busy(ref.Sync) {
			continue
		}
		select {
		case slots <- struct{}{}:
		default:
			return
		}
		lease, err := w.acquire(ctx, "sync/"+string(ref.Sync))
		if err != nil {
			<-slots
			if !errors.Is(err, errHeld) {
				w.complain(ctx, "acquiring a lease", err)
			}
			continue
		}
		work, cancel := context.WithCancel(ctx)
		w.setRunning(ref.Sync, cancel)
		runs.Go(func() {
			defer func() { <-slots; w.Wake() }()
			defer w.setRunning(ref.Sync, nil)
			defer cancel()
			w.one(work, cancel, ref, lease)
		})
	}
}

// one executes a run while its lease is held and renewed.
func (w *Worker) one(ctx context.Context, cancel context.CancelFunc, ref system.SyncRef, lease store.Lease) {
	holding, done := context.WithCancel(context.WithoutCancel(ctx))
	var held sync.WaitGroup
	held.Go(func() { w.hold(holding, lease, cancel) })
	run, err := w.Runner.Run(ctx, ref.Org, ref.Sync, lease, w.id)
	done()
	held.Wait()
	release, end := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
	defer end()
	if err := w.Store.Leases().Release(release, lease); err != nil {
		w.complain(release, "releasing a lease", err)
	}
	log := w.Log.With("sync", ref.Sync, "run", run.ID, "status", run.Status)
	if err != nil && !errs.Is(err, errs.Canceled) {
		log.Warn("run ended", "error", err, "kind", errs.KindOf(err).String())
		return
	}
	log.Info("run ended", "ledger", run.Ledger.String(), "suspect", run.Suspect)
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
