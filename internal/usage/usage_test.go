package usage_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/provider"
	"mooring/internal/store"
	"mooring/internal/store/sqlite"
	"mooring/internal/syncing"
	"mooring/internal/usage"
)

const (
	org  = id.Org("int_abcdefghijklmnopqrstuvwx")
	conn = id.Connection("conn_abcdefghijklmno")
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

type silent struct{ provider.Metrics }

func (silent) Call(string, string, string, time.Duration) {}

// refusing fails to add until it is told to work.
type refusing struct {
	store.Usage
	fails bool
}

func (r *refusing) Add(ctx context.Context, org id.Org, parts []connection.Usage) error {
	if r.fails {
		return errs.New(errs.Unavailable, "test", "the disk is full")
	}
	return r.Usage.Add(ctx, org, parts)
}

func open(t *testing.T) *sqlite.Store {
	s, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func days(t *testing.T, s store.Store) []connection.Usage {
	t.Helper()
	got, err := s.Usage().List(t.Context(), org, conn, "2026-01-01", "2026-01-31")
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestCallsAreCounted by many at once, over midnight and a disk that was full.
func TestCallsAreCounted(t *testing.T) {
	s, now := open(t), noon
	r := &refusing{s.Usage(), true}
	c := &usage.Counter{Store: r, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }}
	m := c.Metrics(usage.For(t.Context(), org, conn), silent{})
	var calls sync.WaitGroup
	for range 50 {
		calls.Go(func() {
			for _, kind := range []string{"ok", "throttled", "unavailable", "canceled"} {
				m.Call("s3", "check", kind, time.Second)
			}
		})
	}
	calls.Wait()
	c.Metrics(t.Context(), silent{}).Call("s3", "check", "ok", 0) // of no connection
	c.Flush(t.Context())
	if got := days(t, s); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	r.fails = false
	now = noon.Add(24 * time.Hour)
	m.Call("s3", "list", "ok", time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c.Run(ctx) // a shutdown writes what is left
	first := connection.Usage{Org: org, Connection: conn, Day: "2026-01-02", Requests: 200, Throttles: 50, Errors: map[string]int64{"unavailable": 50}}
	second := connection.Usage{Org: org, Connection: conn, Day: "2026-01-03", Requests: 1}
	if diff := cmp.Diff([]connection.Usage{first, second}, days(t, s)); diff != "" {
		t.Error(diff)
	}
	c.Flush(t.Context())
	if got := days(t, s); got[0].Requests != 200 {
		t.Error("what was written was written again")
	}
}

// scripted gives the runs of a sync, and may die before it returns.
type scripted struct {
	s    store.Store
	sync id.Sync
	runs []syncing.Run
}

func (x *scripted) Run(ctx context.Context, org id.Org, s id.Sync, _ store.Lease, _ id.Worker) (syncing.Run, error) {
	run, err := x.s.Runs().Insert(ctx, org, x.runs[0])
	if err == nil {
		_, err = x.s.Syncs().Update(ctx, org, s, func(d *syncing.Sync) error { d.CurrentRun = run.ID; return nil })
	}
	x.runs = x.runs[1:]
	return run, err
}

// TestARunIsCountedOnce, also one whose process died before it was counted.
func TestARunIsCountedOnce(t *testing.T) {
	s := open(t)
	sy, err := s.Syncs().Insert(t.Context(), org, syncing.Sync{ID: id.NewSync(), Org: org, Connection: conn, CreatedAt: noon, UpdatedAt: noon})
	if err != nil {
		t.Fatal(err)
	}
	var runs []syncing.Run
	for n := range int64(3) {
		runs = append(runs, syncing.Run{ID: id.NewRun(), Org: org, Sync: sy.ID, Number: n + 1, Kind: syncing.KindSync, Status: syncing.RunCompleted,
			StartedAt: noon, EndedAt: &noon, Ledger: syncing.Ledger{Synced: 10, Duplicate: 1, Bytes: 100}})
	}
	x := &scripted{s, sy.ID, runs}
	run := func(r usage.Runner) {
		t.Helper()
		if _, err := r.Run(t.Context(), org, sy.ID, store.Lease{}, "wrk_a"); err != nil {
			t.Fatal(err)
		}
	}
	counted := usage.Runs{Runner: x, Store: s, Log: slog.New(slog.DiscardHandler)}
	run(x) // its process died
	run(counted)
	run(counted)
	got := days(t, s)
	if len(got) != 1 || got[0].Syncs != 3 || got[0].Objects != 33 || got[0].Bytes != 300 {
		t.Errorf("%+v", got)
	}
	if _, ended := usage.OfRun(conn, syncing.Run{Kind: syncing.KindSync}); ended {
		t.Error("a run that has not ended is counted")
	}
}
