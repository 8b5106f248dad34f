// Package health checks connections when they are due and lets what follows
// follow: the connection's own lifecycle decides what a failure counts.
package health

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store/system"
)

// Checker checks one connection now and records the outcome, which moves its
// next_check_at. It bounds the time that a check takes by itself. It does
// nothing when the connection is no longer due since then: somebody else has
// made the check.
type Checker interface {
	CheckDue(ctx context.Context, org id.Org, c id.Connection, due time.Time) error
}

// Monitor checks what is due until its context ends. A host that its checks go
// to has no more of them under way than there is room left: one host that is
// slow takes half of the room, two a third each, and what others need is there.
type Monitor struct {
	System   system.System
	Checker  Checker
	Outbound *Outbound // nil: not watched
	Log      *slog.Logger
	Now      func() time.Time

	Concurrent int           // checks at once, default 256
	Timeout    time.Duration // of one check that its Checker does not end, default 2 min
	Poll       time.Duration // of the due queue, default 1 s
}

// timeout is far beyond the time that a test may take: were it to end first, a
// provider that does not answer would look like a check that we gave up, which
// never counts. breath is the least time between two looks at the queue.
const (
	concurrent = 256
	timeout    = 2 * time.Minute
	poll       = time.Second
	breath     = 20 * time.Millisecond
)

// Run checks until ctx ends and then waits for the checks under way.
func (m *Monitor) Run(ctx context.Context) {
	s := &sweep{Monitor: m, free: either(m.Concurrent, concurrent), busy: map[id.Connection]bool{}, hosts: map[string]int{}, ended: make(chan struct{}, 1)}
	defer s.checks.Wait()
	if m.Outbound != nil {
		s.checks.Go(func() { m.Outbound.Watch(ctx) })
	}
	var looked time.Time
	for ctx.Err() == nil {
		wait := either(m.Poll, poll)
		if time.Since(looked) >= wait {
			s.look(ctx)
			looked = time.Now()
		} else if len(s.waiting) == 0 {
			s.read(ctx, nil)
		}
		var ended chan struct{}
		if s.start(ctx) {
			ended = s.ended
		}
		next := time.NewTimer(wait + rand.N(wait/4)) //nolint:gosec // spreads load, nothing secret
		select {
		case <-ctx.Done():
		case <-next.C:
		case <-ended:
			pause(ctx, breath)
		}
		next.Stop()
	}
}

// sweep is a Monitor at work.
type sweep struct {
	*Monitor
	checks  sync.WaitGroup
	ended   chan struct{}          // tells that a check has ended
	waiting []system.DueConnection // due when they were read, and not started yet
	more    bool                   // more were due than were read

	mu    sync.Mutex
	free  int
	busy  map[id.Connection]bool
	hosts map[string]int // checks under way
}

// window is how much of the due queue is read at once, in checks that fit the
// room: a check that ends makes room for another without a look at the queue.
const window = 4

// look reads the head of the queue anew and starts what there is room for. Where
// hosts without room fill all of it, it asks for what is due beyond them: that
// may have to pass by everything that is due, so it is not done more often.
func (s *sweep) look(ctx context.Context) {
	s.read(ctx, nil)
	if !s.more {
		return
	}
	s.start(ctx)
	if full, room := s.crowded(); len(full) > 0 && room > 0 {
		head := s.waiting
		s.read(ctx, full)
		s.start(ctx)
		s.waiting, s.more = append(head, s.waiting...), true
	}
}

// read reads what is due, but for hosts.
func (s *sweep) read(ctx context.Context, except []string) {
	limit := window * either(s.Concurrent, concurrent)
	due, err := s.System.DueConnections(ctx, s.Now(), except, limit)
	if err != nil && ctx.Err() == nil {
		s.Log.Error("reading the connections due for a check", "error", err)
	}
	s.waiting, s.more = due, len(due) == limit
}

// start starts checks of what waits, as far as there is room, and reports whether
// more may be due.
func (s *sweep) start(ctx context.Context) (more bool) {
	var crowdedOut []system.DueConnection
	for _, d := range s.waiting {
		switch s.enter(d) {
		case entered:
			s.checks.Go(func() {
				defer s.leave(d)
				s.check(ctx, d)
			})
		case crowded:
			crowdedOut = append(crowdedOut, d)
		}
	}
	s.waiting = crowdedOut
	return s.more || len(s.waiting) > 0
}

// crowded returns the hosts whose share is taken, and how many checks more there
// is room for.
func (s *sweep) crowded() (hosts []string, room int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for h, n := range s.hosts {
		if n >= s.free {
			hosts = append(hosts, h)
		}
	}
	return hosts, s.free
}

type entry int

const (
	entered entry = iota
	underWay
	crowded
)

func (s *sweep) enter(d system.DueConnection) entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.busy[d.Connection]:
		return underWay
	case s.hosts[d.Host] >= s.free:
		return crowded
	}
	s.free--
	s.busy[d.Connection] = true
	s.hosts[d.Host]++
	return entered
}

func (s *sweep) leave(d system.DueConnection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free++
	delete(s.busy, d.Connection)
	if s.hosts[d.Host]--; s.hosts[d.Host] == 0 {
		delete(s.hosts, d.Host)
	}
	select {
	case s.ended <- struct{}{}:
	default:
	}
}

func (m *Monitor) check(ctx context.Context, d system.DueConnection) {
	ctx, cancel := context.WithTimeout(ctx, either(m.Timeout, timeout))
	defer cancel()
	err := m.Checker.CheckDue(ctx, d.Org, d.Connection, d.Due)
	if err != nil && !errs.Is(err, errs.Canceled) {
		m.Log.Info("check failed", "connection", d.Connection, "kind", errs.KindOf(err).String(), "error", err)
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

func either[T ~int | ~int64](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}
