package worker_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mooring/csfle"
	"mooring/internal/access"
	"mooring/internal/audit"
	"mooring/internal/connection"
	"mooring/internal/connection/config"
	connectionservice "mooring/internal/connection/service"
	"mooring/internal/connection/vault"
	"mooring/internal/errs"
	"mooring/internal/event"
	"mooring/internal/health"
	"mooring/internal/id"
	"mooring/internal/provider/driver"
	"mooring/internal/store"
	"mooring/internal/store/sqlite"
	"mooring/internal/syncing"
	webhookservice "mooring/internal/webhook/service"
	"mooring/internal/worker"
)

// process is what one process does by itself, on a clock that is set. Its
// provider and its receiver work or do not, as they are told.
type process struct {
	t      *testing.T
	store  *sqlite.Store
	worker *worker.Worker
	org    id.Org
	conn   id.Connection
	sync   id.Sync

	ahead                     atomic.Int64 // of the real clock
	down                      atomic.Bool
	checks, runs, told, tried atomic.Int32
	good                      atomic.Int32 // news of the connection
}

func (p *process) now() time.Time { return time.Now().Round(0).Add(time.Duration(p.ahead.Load())) }

// jump sets the clock.
func (p *process) jump(to time.Duration) { p.ahead.Store(int64(to)) }

// Check is the provider's answer.
func (p *process) Check(context.Context, string) (driver.Report, error) {
	p.checks.Add(1)
	if p.down.Load() {
		return driver.Report{}, &errs.Error{Kind: errs.Unauthenticated, Origin: errs.Provider, Scope: errs.ScopeConnection, Code: "Refused", Msg: "refused"}
	}
	return driver.Report{}, nil
}

// Browse is never asked for.
func (p *process) Browse(context.Context, string, string, int) (driver.Listing, error) {
	return driver.Listing{}, nil
}

func (p *process) Close() error { return nil }

// Run is a run that ends at once.
func (p *process) Run(ctx context.Context, org id.Org, s id.Sync, _ store.Lease, _ id.Worker) (syncing.Run, error) {
	run := syncing.Run{ID: id.NewRun(), Status: syncing.RunCompleted, PassEnded: true}
	_, err := p.store.Syncs().Update(ctx, org, s, func(s *syncing.Sync) error {
		if err := s.Begin(run.ID, p.now()); err != nil {
			return err
		}
		s.Finish(run, nil, p.now())
		return nil
	})
	p.runs.Add(1)
	return run, err
}

func (p *process) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if p.tried.Add(1); p.down.Load() {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	p.told.Add(1)
	if strings.Contains(string(body), event.ConnectionRecovered) {
		p.good.Add(1)
	}
}

func newProcess(t *testing.T) *process {
	t.Helper()
	p := &process{t: t, org: id.NewOrg()}
	var err error
	if p.store, err = sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir(), Now: p.now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.store.Close() })
	if _, err := p.store.Organizations().Insert(t.Context(), p.org, access.Organization{ID: p.org, Name: "o", DataKey: 1, CreatedAt: p.now(), UpdatedAt: p.now()}); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	sealer := csfle.NewSealer(csfle.NewKeyring(p.store.KeyVault(), csfle.GenerateLocalMasterKey(), csfle.KeyringOptions{}))
	connections := connectionservice.New(connectionservice.Deps{
		Connections: p.store.Connections(), Organizations: p.store.Organizations(), Sealer: sealer, Now: p.now, CheckEvery: 30 * time.Minute,
		Opener: connectionservice.OpenerFunc(func(context.Context, string, config.Config, driver.Tokens) (connectionservice.Prober, error) {
			return p, nil
		}),
	})
	secrets, receiver := vault.Vault{Sealer: sealer, Organizations: p.store.Organizations()}, httptest.NewServer(p)
	t.Cleanup(receiver.Close)
	c, err := connections.Create(t.Context(), p.org, audit.System(), connectionservice.CreateRequest{Name: "c", Provider: "s3", ProviderConfig: map[string]any{
		"region":      "eu-west-1",
		"credentials": map[string]any{"type": "access_key", "access_key_id": "AKIA" + strings.Repeat("A", 16), "secret_access_key": strings.Repeat("k", 40)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	hooks := &webhookservice.Service{Store: p.store, Vault: secrets, Client: http.DefaultClient, Now: p.now}
	if _, _, err := hooks.Create(t.Context(), p.org, audit.System(), "usr_a", webhookservice.Draft{URL: &receiver.URL}); err != nil {
		t.Fatal(err)
	}
	p.conn, p.sync = c.ID, id.NewSync()
	due := p.now()
	_, err = p.store.Syncs().Insert(t.Context(), p.org, syncing.Sync{
		ID: p.sync, Org: p.org, Bucket: id.NewBucket(), Connection: p.conn, Mode: syncing.Continuous, PollingSeconds: 900, Status: syncing.Pending, NextSyncAt: &due, CreatedAt: due, UpdatedAt: due,
	})
	if err != nil {
		t.Fatal(err)
	}
	p.worker = (&worker.Worker{Store: p.store, System: p.store.System(), Runner: p, Log: log, Now: p.now, Poll: time.Millisecond, Exclusive: true}).Init()
	monitor := &health.Monitor{System: p.store.System(), Checker: checks{connections}, Log: log, Now: p.now, Poll: time.Millisecond}
	deliverer := &webhookservice.Deliverer{Store: p.store, System: p.store.System(), Vault: secrets, Client: http.DefaultClient, Log: log, Now: p.now, Poll: time.Millisecond}
	work(t, p.worker.Run, monitor.Run, deliverer.Run)
	return p
}

type checks struct{ *connectionservice.Service }

func (c checks) CheckDue(ctx context.Context, org id.Org, conn id.Connection, due time.Time) error {
	_, err := c.Service.CheckDue(ctx, org, conn, due)
	return err
}

// work runs loops until the test ends.
func work(t *testing.T, loops ...func(context.Context)) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{}, len(loops))
	for _, run := range loops {
		go func() { run(ctx); done <- struct{}{} }()
	}
	t.Cleanup(func() {
		cancel()
		for range loops {
			<-done
		}
	})
}

// until waits for something that must come to pass while nobody touches the process.
func (p *process) until(what string, is func() bool) {
	p.t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatal("never: ", what)
		}
	}
}

// passing waits for something while the clock goes on, faster than the real one:
// checks are spread over some minutes.
func (p *process) passing(what string, is func() bool) {
	p.t.Helper()
	p.until(what, func() bool {
		p.ahead.Add(int64(time.Second))
		return is()
	})
}

func (p *process) status() connection.Status {
	c, err := p.store.Connections().Get(p.t.Context(), p.org, p.conn)
	if err != nil {
		p.t.Error(err)
	}
	return c.Status
}

// A clock that runs ahead for a while and is set right leaves nothing undone:
// what was checked, run and told meanwhile is so again within minutes.
func TestAClockThatJumpsAheadAndBackStopsNothing(t *testing.T) {
	for name, jump := range map[string]time.Duration{"a year": 365 * 24 * time.Hour, "three hours": 3 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			p := newProcess(t)
			p.until("the first run", func() bool { return p.runs.Load() > 0 })
			p.down.Store(true)
			runs := p.runs.Load()
			p.jump(jump)
			p.until("a check, a run and a message while the clock is ahead", func() bool {
				return p.status() == connection.Failed && p.runs.Load() > runs && p.tried.Load() > 0
			})
			p.settled()
			p.down.Store(false)
			runs = p.runs.Load()
			p.jump(0)
			p.until("a run", func() bool { return p.runs.Load() > runs })
			p.until("what waited for the receiver", func() bool { return p.told.Load() > 0 })
			p.passing("a check", func() bool { return p.status() == connection.Active })
			p.passing("the news of it", func() bool { return p.good.Load() > 0 })
		})
	}
}

// The other direction: a clock that is set back for a while, and on again.
func TestAClockThatJumpsBackAndAheadStopsNothing(t *testing.T) {
	p := newProcess(t)
	p.until("the first run", func() bool { return p.runs.Load() > 0 })
	for _, to := range []time.Duration{-time.Hour, 0, 2 * time.Hour, time.Hour} {
		runs, checks := p.runs.Load(), p.checks.Load()
		p.jump(to)
		p.until("a run", func() bool { return p.runs.Load() > runs })
		p.passing("a check", func() bool { return p.checks.Load() > checks })
	}
}

// settled waits until the receiver that is down was noted to be.
func (p *process) settled() {
	p.until("a webhook that rests", func() bool {
		list, err := p.store.Webhooks().List(p.t.Context(), p.org, store.Page{Limit: 1})
		return err == nil && len(list.Items) == 1 && list.Items[0].RestedAt != nil
	})
}
