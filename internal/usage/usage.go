// Package usage counts what connections do, by day. Calls to providers are
// counted in memory and added to the store once a minute, so that counting costs
// no write each: a process that is killed loses what it has counted since.
// What runs brought comes from their own records, each once.
package usage

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/provider"
	"mooring/internal/store"
	"mooring/internal/syncing"
)

// Counter counts calls. It is safe for concurrent use.
type Counter struct {
	Store store.Usage
	Log   *slog.Logger
	Now   func() time.Time
	Every time.Duration // between two writes, default 1 min

	mu   sync.Mutex
	held map[day]*connection.Usage
}

const (
	flushEvery = time.Minute
	lastFlush  = 10 * time.Second // what a shutdown may take
)

// whose is a connection, as the mark of a context.
type whose struct {
	org  id.Org
	conn id.Connection
}

type day struct {
	whose
	day string
}

type key struct{}

// For marks a context in which a source is opened with the connection it is opened for.
func For(ctx context.Context, org id.Org, conn id.Connection) context.Context {
	return context.WithValue(ctx, key{}, whose{org, conn})
}

// Metrics counts what a source does that is opened in ctx, and tells next. A
// source that is opened for no connection is not counted.
func (c *Counter) Metrics(ctx context.Context, next provider.Metrics) provider.Metrics {
	w, ok := ctx.Value(key{}).(whose)
	if !ok {
		return next
	}
	return counting{next, c, w}
}

type counting struct {
	provider.Metrics
	counter *Counter
	whose   whose
}

// Call implements provider.Metrics.
func (m counting) Call(provider, method, kind string, took time.Duration) {
	m.Metrics.Call(provider, method, kind, took)
	m.counter.count(m.whose, kind)
}

func (c *Counter) count(w whose, kind string) {
	k := day{w, connection.DayOf(c.Now())}
	part := connection.Usage{Org: w.org, Connection: w.conn, Day: k.day, Requests: 1}
	switch kind {
	case "ok", errs.Canceled.String():
	case errs.Throttled.String():
		part.Throttles = 1
	default:
		part.Errors = map[string]int64{kind: 1}
	}
	c.hold(k, part)
}

func (c *Counter) hold(k day, part connection.Usage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held == nil {
		c.held = map[day]*connection.Usage{}
	}
	if held := c.held[k]; held != nil {
		held.Add(part)
		return
	}
	c.held[k] = &part
}

// Run writes what was counted, once a minute and when ctx ends.
func (c *Counter) Run(ctx context.Context) {
	every := c.Every
	if every <= 0 {
		every = flushEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.Flush(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastFlush)
			defer cancel()
			c.Flush(last)
			return
		}
	}
}

// Flush writes what was counted. What can't be written is held on.
func (c *Counter) Flush(ctx context.Context) {
	c.mu.Lock()
	held := c.held
	c.held = nil
	c.mu.Unlock()
	parts := map[id.Org][]connection.Usage{}
	for _, part := range held {
		parts[part.Org] = append(parts[part.Org], *part)
	}
	var failed error
	for org, of := range parts {
		slices.SortFunc(of, inKeyOrder) // rows go in several times faster
		err := failed                   // once is enough
		if err == nil {
			err = c.Store.Add(ctx, org, of)
		}
		if err == nil {
			continue
		}
		failed = err
		for _, part := range of {
			c.hold(day{whose{org, part.Connection}, part.Day}, part)
		}
	}
	if failed != nil && ctx.Err() == nil {
		c.Log.Warn("usage waits to be written", "error", failed)
	}
}

func inKeyOrder(a, b connection.Usage) int {
	return cmp.Or(cmp.Compare(a.Connection, b.Connection), cmp.Compare(a.Day, b.Day))
}

// Runner executes runs; see worker.Runner.
type Runner interface {
	Run(ctx context.Context, org id.Org, s id.Sync, l store.Lease, w id.Worker) (syncing.Run, error)
}

// Runs is a Runner whose runs are counted when they have ended. A run whose
// process died before that is counted when the next one of its sync has ended.
type Runs struct {
	Runner
	Store store.Store
	Log   *slog.Logger
}

// Run executes a run.
func (r Runs) Run(ctx context.Context, org id.Org, s id.Sync, l store.Lease, w id.Worker) (syncing.Run, error) {
	before, lookErr := r.Store.Syncs().Get(ctx, org, s)
	run, err := r.Runner.Run(ctx, org, s, l, w)
	if lookErr == nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastFlush)
		defer cancel()
		if err := r.fold(ctx, before, run); err != nil {
			r.Log.Warn("the usage of a run is not counted", "sync", s, "run", run.ID, "error", err)
		}
	}
	return run, err
}

func (r Runs) fold(ctx context.Context, before syncing.Sync, run syncing.Run) error {
	runs := []syncing.Run{run}
	if before.CurrentRun != "" && before.CurrentRun != run.ID {
		prev, err := r.Store.Runs().Get(ctx, before.Org, before.CurrentRun)
		if err != nil && !errs.Is(err, errs.NotFound) {
			return err
		}
		runs = []syncing.Run{prev, run}
	}
	var parts []connection.Usage
	for _, run := range runs {
		if part, ended := OfRun(before.Connection, run); ended {
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		return nil
	}
	return r.Store.Usage().Add(ctx, before.Org, parts)
}

// OfRun is what a run adds to the usage of its connection; ended is false for
// one that has not ended, and for a verification, which contacts nobody.
func OfRun(conn id.Connection, run syncing.Run) (part connection.Usage, ended bool) {
	if run.EndedAt == nil || run.Kind != syncing.KindSync {
		return part, false
	}
	return connection.Usage{
		Org: run.Org, Connection: conn, Day: connection.DayOf(*run.EndedAt), Syncs: 1,
		Objects: run.Ledger.Synced + run.Ledger.Duplicate, Bytes: run.Ledger.Bytes,
		Runs: map[string]int64{string(run.Sync): run.Number},
	}, true
}
