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
// next_check_at. It bounds the time that a check takes by itself.
type Checker interface {
	Check(ctx context.Context, org id.Org, c id.Connection) error
}

// Monitor checks what is due until its context ends.
type Monitor struct {
	System  system.System
	Checker Checker
	Log     *slog.Logger
	Now     func() time.Time

	Concurrent int           // checks at once, default 16
	Timeout    time.Duration // of one check that its Checker does not end, default 2 min
	Poll       time.Duration // of the due queue, default 5 s
}

// timeout is far beyond the time that a test may take: were it to end first, a
// provider that does not answer would look like a check that we gave up, which
// never counts.
const (
	concurrent = 16
	timeout    = 2 * time.Minute
	poll       = 5 * time.Second
)

// Run checks until ctx ends and then waits for the checks under way.
func (m *Monitor) Run(ctx context.Context) {
	var checks sync.WaitGroup
	defer checks.Wait()
	slots := make(chan struct{}, either(m.Concurrent, concurrent))
	var mu sync.Mutex
	busy := map[id.Connection]bool{}
	for {
		due, err := m.System.DueConnections(ctx, m.Now(), 4*cap(slots))
		if err != nil && ctx.Err() == nil {
			m.Log.Error("reading the connections due for a check", "error", err)
		}
		for _, ref := range due {
			mu.Lock()
			again := busy[ref.Connection]
			busy[ref.Connection] = true
			mu.Unlock()
			if again {
				continue
			}
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			checks.Go(func() {
				m.check(ctx, ref)
				mu.Lock()
				delete(busy, ref.Connection)
				mu.Unlock()
				<-slots
			})
		}
		wait := either(m.Poll, poll)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait + rand.N(wait/4)): //nolint:gosec // spreads load, nothing secret
		}
	}
}

func (m *Monitor) check(ctx context.Context, ref system.ConnectionRef) {
	ctx, cancel := context.WithTimeout(ctx, either(m.Timeout, timeout))
	defer cancel()
	err := m.Checker.Check(ctx, ref.Org, ref.Connection)
	if err != nil && !errs.Is(err, errs.Canceled) {
		m.Log.Info("check failed", "connection", ref.Connection, "kind", errs.KindOf(err).String(), "error", err)
	}
}

func either[T ~int | ~int64](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}
