package worker_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store"
	"mooring/internal/store/sqlite"
	"mooring/internal/store/system"
	"mooring/internal/syncing"
	"mooring/internal/worker"
)

// runner notes what it is asked to run and holds on until it is let go.
type runner struct {
	started chan store.Lease
	release chan struct{}
	ended   chan error
	most    atomic.Int32
	now     atomic.Int32
	st      store.Store
}

func newRunner(st store.Store) *runner {
	return &runner{started: make(chan store.Lease, 100), release: make(chan struct{}), ended: make(chan error, 100), st: st}
}

func (r *runner) Run(ctx context.Context, org id.Org, s id.Sync, l store.Lease, _ id.Worker) (syncing.Run, error) {
	if n := r.now.Add(1); n > r.most.Load() {
		r.most.Store(n)
	}
	defer r.now.Add(-1)
	r.started <- l
	select {
	case <-ctx.Done():
		r.ended <- ctx.Err()
		return syncing.Run{Status: syncing.RunCanceled}, ctx.Err()
	case <-r.release:
	}
	_, err := r.st.Syncs().Update(context.WithoutCancel(ctx), org, s, func(s *syncing.Sync) error {
		s.NextSyncAt, s.TriggerDone = nil, s.Triggered
		return nil
	})
	r.ended <- err
	return syncing.Run{Status: syncing.RunCompleted}, err
}

// stubborn goes on after it was told to stop.
type stubborn struct{ started, release chan struct{} }

func (r *stubborn) Run(ctx context.Context, _ id.Org, _ id.Sync, _ store.Lease, _ id.Worker) (syncing.Run, error) {
	close(r.started)
	<-r.release
	return syncing.Run{}, ctx.Err()
}

// refused fails at once and leaves the sync due, as when nothing can be written.
type refused struct{ runs atomic.Int32 }

func (r *refused) Run(context.Context, id.Org, id.Sync, store.Lease, id.Worker) (syncing.Run, error) {
	r.runs.Add(1)
	return syncing.Run{}, errs.New(errs.Unavailable, "test", "the disk is full")
}

func open(t *testing.T) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func addSync(t *testing.T, s store.Store, org id.Org) id.Sync {
	t.Helper()
	due := time.Now().Add(-time.Second)
	sy, err := s.Syncs().Insert(t.Context(), org, syncing.Sync{ID: id.NewSync(), Org: org, Bucket: id.NewBucket(), Status: syncing.Active, NextSyncAt: &due, CreatedAt: due, UpdatedAt: due})
	if err != nil {
		t.Fatal(err)
	}
	return sy.ID
}

func start(t *testing.T, w *worker.Worker) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() { w.Run(ctx); close(done) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

func make1(s *sqlite.Store, r worker.Runner) *worker.Worker {
	return (&worker.Worker{Store: s, System: s.System(), Runner: r, Log: slog.New(slog.DiscardHandler), Now: time.Now, Poll: 5 * time.Millisecond, Term: time.Second}).Init()
}

// counting is a worker whose looks at the due queue are counted.
type counting struct {
	*worker.Worker
	looked chan struct{}
}

type countedSystem struct {
	system.System
	looked chan struct{}
}

func (c countedSystem) DueSyncs(ctx context.Context, now time.Time, limit int) ([]system.SyncRef, error) {
	select {
	case c.looked <- struct{}{}:
	default:
	}
	return c.System.DueSyncs(ctx, now, limit)
}

func counted(s *sqlite.Store, r worker.Runner) counting {
	w, looked := make1(s, r), make(chan struct{})
	w.System = countedSystem{w.System, looked}
	return counting{w, looked}
}

// looks waits until the worker has looked at the due queue n times more.
func (c counting) looks(t *testing.T, n int) {
	t.Helper()
	for range n {
		select {
		case <-c.looked:
		case <-time.After(10 * time.Second):
			t.Fatal("the worker does not look")
		}
	}
}

func TestOneRunAtATimeOfASync(t *testing.T) {
	s := open(t)
	r := newRunner(s)
	org := id.NewOrg()
	addSync(t, s, org)
	one, two := counted(s, r), counted(s, r) // two workers on the same store
	start(t, one.Worker)
	start(t, two.Worker)
	<-r.started
	one.looks(t, 10)
	two.looks(t, 10)
	close(r.release)
	if err := <-r.ended; err != nil {
		t.Fatal(err)
	}
	if r.most.Load() != 1 || len(r.started) != 0 {
		t.Errorf("%d runs at once, %d more started", r.most.Load(), len(r.started))
	}
}

func TestAStopInterruptsAndReleases(t *testing.T) {
	s := open(t)
	r := newRunner(s)
	sid := addSync(t, s, id.NewOrg())
	stop := start(t, make1(s, r))
	held := <-r.started
	stop()
	if err := <-r.ended; !errs.Is(err, errs.Canceled) {
		t.Errorf("the run ended with %v", err)
	}
	l, err := s.Leases().Read(t.Context(), "sync/"+string(sid))
	if err != nil || l.Holder != "" || l.Fence != held.Fence {
		t.Errorf("the lease is %+v, %v", l, err)
	}
	again := newRunner(s)
	start(t, make1(s, again))
	if next := <-again.started; next.Fence != held.Fence+1 {
		t.Errorf("fence %d after %d", next.Fence, held.Fence)
	}
}

func TestAnInterruptedRunIsTakenUpAgain(t *testing.T) {
	s := open(t)
	r := newRunner(s)
	sid := addSync(t, s, id.NewOrg())
	w := make1(s, r)
	start(t, w)
	<-r.started
	w.Interrupt(sid)
	if err := <-r.ended; !errs.Is(err, errs.Canceled) {
		t.Errorf("the run ended with %v", err)
	}
	<-r.started // still due: it starts again
}

func TestASyncThatFailsAndStaysDueRestsUntilTheNextPoll(t *testing.T) {
	s, r := open(t), &refused{}
	addSync(t, s, id.NewOrg())
	c := counted(s, r)
	c.Poll = time.Hour
	start(t, c.Worker)
	over := make(chan struct{})
	defer close(over)
	go func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-over:
				return
			case <-tick.C:
				c.Wake()
			}
		}
	}()
	for r.runs.Load() == 0 {
		c.looks(t, 1)
	}
	c.looks(t, 20)
	if n := r.runs.Load(); n != 1 {
		t.Errorf("it was run %d times between two polls", n)
	}
}

func TestALostLeaseEndsTheRun(t *testing.T) {
	s := open(t)
	r := newRunner(s)
	sid := addSync(t, s, id.NewOrg())
	start(t, make1(s, r))
	held := <-r.started
	l, err := s.Leases().Read(t.Context(), "sync/"+string(sid))
	if err != nil {
		t.Fatal(err)
	}
	for { // somebody who judged it free; a renewal may come in between
		if _, err = s.Leases().Acquire(t.Context(), l, "wrk_thief", time.Hour); err == nil {
			break
		}
		if l, err = s.Leases().Read(t.Context(), held.Name); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-r.ended; !errs.Is(err, errs.Canceled) {
		t.Errorf("the run ended with %v", err)
	}
}

func TestAnExclusiveWorkerTakesAKilledProcessesLease(t *testing.T) {
	s := open(t)
	sid := addSync(t, s, id.NewOrg())
	l, err := s.Leases().Read(t.Context(), "sync/"+string(sid))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Leases().Acquire(t.Context(), l, "wrk_killed", time.Hour); err != nil {
		t.Fatal(err)
	}
	r := newRunner(s)
	w := make1(s, r)
	w.Exclusive, w.Term = true, time.Hour
	start(t, w)
	if got := <-r.started; got.Fence != 2 {
		t.Errorf("fence %d", got.Fence)
	}
}
