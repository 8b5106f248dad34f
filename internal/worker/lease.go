package worker

import (
	"context"
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

// acquire takes a lease or fails with errHeld.
func (w *Worker) acquire(ctx context.Context, name string) (store.Lease, error) {
	l, err := w.Store.Leases().Read(ctx, name)
	if err != nil {
		return l, err
	}
	if !w.Exclusive && !w.leases.free(l, w.id, w.term()) {
		return l, errHeld
	}
	l, err = w.Store.Leases().Acquire(ctx, l, w.id, w.term())
	if errs.Is(err, errs.Conflict) {
		return l, errHeld
	}
	return l, err
}

// hold renews a lease until the context ends, and cancels work when it is lost
// or can't be renewed for a whole term: by then somebody else may have taken it.
func (w *Worker) hold(ctx context.Context, l store.Lease, lost context.CancelFunc) {
	tick := time.NewTicker(w.term() / 4)
	defer tick.Stop()
	renewed := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		next, err := w.Store.Leases().Renew(ctx, l, w.term())
		switch {
		case err == nil:
			l, renewed = next, time.Now()
		case errs.Is(err, errs.Conflict), time.Since(renewed) > w.term()*3/4:
			w.Log.Warn("lease lost", "lease", l.Name, "fence", l.Fence, "error", err)
			lost()
			return
		}
	}
}
