package worker

import (
	"context"
	"errors"
	"sync"
	"time"

	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store"
)

// observer decides when a lease held by another may be taken: once its fence
// and beat have been seen unchanged for its term on this process's own clock.
type observer struct {
	mu   sync.Mutex
	seen map[string]sighting
	now  func() time.Time // monotonic
}

type sighting struct {
	fence, beat int64
	since       time.Time
}

// free notes what is seen of a lease and reports whether it may be acquired.
func (o *observer) free(l store.Lease, self id.Worker, term time.Duration) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if l.Holder == "" || l.Holder == self {
		delete(o.seen, l.Name)
		return true
	}
	now := o.now()
	s, ok := o.seen[l.Name]
	if !ok || s.fence != l.Fence || s.beat != l.Beat {
		o.seen[l.Name] = sighting{l.Fence, l.Beat, now}
		return false
	}
	return now.Sub(s.since) >= term
}

// errHeld says that somebody else works on it.
var errHeld = errs.New(errs.Conflict, "worker.lease", "another worker holds the lease")

// Claim implements store.Claims.
func (w *Worker) Claim(ctx context.Context, name string) (store.Claim, error) {
	seen, err := w.Store.Leases().Read(ctx, name)
	if err != nil {
		return store.Claim{}, err
	}
	if !w.Exclusive && !w.leases.free(seen, w.id, w.term()) {
		return store.Claim{}, errHeld
	}
	began := time.Now()
	l, err := w.Store.Leases().Acquire(ctx, seen, w.id, w.term())
	if errs.Is(err, errs.Conflict) {
		return store.Claim{}, errHeld
	}
	if err != nil {
		return store.Claim{}, err
	}
	w.Log.Debug("lease acquired", "lease", name, "fence", l.Fence, "worker", w.id)
	held, lost := context.WithCancel(ctx)
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	var renewal sync.WaitGroup
	renewal.Go(func() { w.hold(renewing, l, began, lost) })
	release := func() {
		stop()
		renewal.Wait()
		lost()
		w.release(ctx, l)
	}
	return store.Claim{Lease: l, Taken: seen.Holder != "", Context: held, Release: release}, nil
}

// release frees a lease, also when the work ended because ctx did.
func (w *Worker) release(ctx context.Context, l store.Lease) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
	defer cancel()
	if err := w.Store.Leases().Release(ctx, l); err != nil {
		w.complain(ctx, "releasing a lease", err)
	}
	w.Log.Debug("lease released", "lease", l.Name, "fence", l.Fence, "worker", w.id)
}

// hold renews a lease until the context ends, and cancels work when it is lost
// or could not be renewed for most of a term, counted from before the request
// that was granted: somebody else may take it after a whole one.
func (w *Worker) hold(ctx context.Context, l store.Lease, renewed time.Time, lost context.CancelFunc) {
	tick := time.NewTicker(w.term() / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		began, last := time.Now(), renewed.Add(w.term()*3/4)
		request, cancel := context.WithDeadline(ctx, last)
		next, err := w.Store.Leases().Renew(request, l, w.term())
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			l, renewed = next, began
			w.Log.Debug("lease renewed", "lease", l.Name, "fence", l.Fence, "beat", l.Beat, "worker", w.id, "asked", began)
		case errs.Is(err, errs.Conflict), !time.Now().Before(last):
			w.Log.Warn("lease lost", "lease", l.Name, "fence", l.Fence, "worker", w.id, "error", err)
			lost()
			return
		}
	}
}

// Stand works while this process holds a lease that others want too, until ctx
// ends: what one process at a time does for all.
func (w *Worker) Stand(ctx context.Context, name string, work func(context.Context)) {
	if w.Exclusive {
		work(ctx)
		return
	}
	poll := time.NewTicker(or(w.Poll, defaultPoll))
	defer poll.Stop()
	for ctx.Err() == nil {
		claim, err := w.Claim(ctx, name)
		if err == nil {
			work(claim.Context)
			claim.Release()
		} else if !errors.Is(err, errHeld) {
			w.complain(ctx, "acquiring a lease", err)
		}
		select {
		case <-ctx.Done():
		case <-poll.C:
		}
	}
}
