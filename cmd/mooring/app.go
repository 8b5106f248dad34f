package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"mooring/csfle"
	accessservice "mooring/internal/access/service"
	"mooring/internal/api"
	auditservice "mooring/internal/audit/service"
	"mooring/internal/backup"
	"mooring/internal/bucket"
	bucketservice "mooring/internal/bucket/service"
	"mooring/internal/config"
	"mooring/internal/connection"
	connectionconfig "mooring/internal/connection/config"
	connectionservice "mooring/internal/connection/service"
	"mooring/internal/connection/tokens"
	"mooring/internal/connection/vault"
	"mooring/internal/errs"
	"mooring/internal/health"
	"mooring/internal/id"
	"mooring/internal/keys"
	"mooring/internal/metrics"
	"mooring/internal/oauth"
	"mooring/internal/outbound"
	"mooring/internal/provider"
	"mooring/internal/provider/all"
	"mooring/internal/provider/driver"
	"mooring/internal/sink"
	"mooring/internal/store"
	"mooring/internal/store/system"
	"mooring/internal/surface"
	"mooring/internal/syncing/engine"
	syncingservice "mooring/internal/syncing/service"
	"mooring/internal/usage"
	"mooring/internal/web"
	webhookservice "mooring/internal/webhook/service"
	"mooring/internal/worker"
)

// app is a process on a data directory: every part, wired.
type app struct {
	settings    *config.Server
	log         *slog.Logger
	store       *opened
	system      system.System
	metrics     *metrics.Metrics
	trails      *auditservice.Trails
	open        func(ctx context.Context, name string, c connectionconfig.Config, t driver.Tokens) (*provider.Source, error)
	guard       *outbound.Guard
	outbound    *health.Outbound
	usage       *usage.Counter
	keys        *keys.Service
	syncs       *syncingservice.Service
	access      *accessservice.Service
	tokens      *tokens.Keeper
	connections *connectionservice.Service
	connect     *oauth.Service
	worker      *worker.Worker
	monitor     *health.Monitor
	webhooks    *webhookservice.Service
	deliverer   *webhookservice.Deliverer
	handler     http.Handler
	url         string // where it is served, once it is
	founded     bool   // the store is new
	first       id.Org // whose admin key is in admin.key
}

// openApp opens a store and wires what works on it. A new data directory gets its
// master key, organization and admin key; a shared store gets them by initialise.
func openApp(ctx context.Context, settings *config.Server, log *slog.Logger) (_ *app, err error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	a := &app{settings: settings, log: log, metrics: metrics.New(version)}
	defer func() {
		if err != nil {
			a.close()
		}
	}()
	if a.store, err = openStore(ctx, settings); err != nil {
		return nil, err
	}
	a.system = a.store.system
	if err := backup.Refuse(ctx, a.system); err != nil {
		return nil, err
	}
	key, err := masterKey(ctx, a.system, settings)
	if err != nil {
		return nil, err
	}
	chain, err := auditChain(ctx, a.system, key)
	if err != nil {
		return nil, err
	}
	a.system.ChainAudit(chain)
	a.trails = &auditservice.Trails{Audit: a.store.Audit(), Chain: chain, Now: time.Now}
	a.guard = outbound.New(outbound.Options{AllowNetworks: settings.Networks(), Proxy: settings.Proxy()})
	a.usage = &usage.Counter{Store: a.store.Usage(), Log: log, Now: time.Now}
	a.outbound = &health.Outbound{Ask: a.guard.Isolated, Log: log}
	a.access = &accessservice.Service{Store: a.store, System: a.system, Now: time.Now}
	ring := csfle.NewKeyring(a.store.KeyVault(), key, csfle.KeyringOptions{})
	a.keys = &keys.Service{Store: a.store, System: a.system, Master: key, Ring: ring, Now: time.Now, Shared: settings.Shared()}
	a.wireConnections(csfle.NewSealer(ring))
	if err := a.wireSyncs(ctx); err != nil {
		return nil, err
	}
	return a, a.found(ctx)
}

// found makes the first organization of a new store, or finds it.
func (a *app) found(ctx context.Context) error {
	orgs, err := a.system.Organizations(ctx, "", 1)
	if err != nil {
		return err
	}
	if len(orgs) > 0 {
		a.first = orgs[0].ID
		return nil
	}
	if a.settings.Shared() {
		return notInitialised(a.settings)
	}
	f, err := a.access.Found(ctx, "default", "admin@localhost.invalid", a.keepFirst)
	a.first, a.founded = f.Organization.ID, err == nil
	return err
}

// sources opens connections' configurations through the one guarded transport
// and the budgets that all of this process share.
func (a *app) sources() func(ctx context.Context, name string, c connectionconfig.Config, t driver.Tokens) (*provider.Source, error) {
	deps := provider.Deps{
		Registry: all.Adapters(), Endpoints: a.settings.ProviderEndpoints(), Budgets: provider.NewBudgets(0), Metrics: a.metrics,
		Options: driver.Options{Transport: a.guard, OwnIdentity: ambient{}, Now: time.Now},
	}
	return func(ctx context.Context, name string, c connectionconfig.Config, t driver.Tokens) (*provider.Source, error) {
		deps := deps
		deps.Options.Tokens, deps.Metrics = t, a.usage.Metrics(ctx, a.metrics)
		return provider.Open(ctx, name, c, deps)
	}
}

func (a *app) wireConnections(sealer *csfle.Sealer) {
	a.open = a.sources()
	a.tokens = tokens.New(tokens.Deps{
		Store: a.store.Tokens(), Connections: a.store.Connections(), Vault: vault.Vault{Sealer: sealer, Organizations: a.store.Organizations()},
		Exclusive: !a.settings.Shared(), // the data directory's lock says so
	})
	a.connections = connectionservice.New(connectionservice.Deps{
		Connections: a.store.Connections(), Organizations: a.store.Organizations(), Sealer: sealer, Tokens: a.tokens, OAuthClients: a.oauthClients(), Log: a.log,
		Opener: connectionservice.OpenerFunc(func(ctx context.Context, name string, c connectionconfig.Config, t driver.Tokens) (connectionservice.Prober, error) {
			return a.open(ctx, name, c, t)
		}),
		Shared: func(ctx context.Context) (bool, error) {
			orgs, err := a.system.Organizations(ctx, "", 2)
			return len(orgs) > 1, err
		},
		Isolated: a.outbound.Isolated, RetainCredentials: a.settings.Retain, CheckEvery: a.settings.CheckEvery,
		For: usage.For, Activated: func(ctx context.Context, org id.Org, c id.Connection) { a.syncs.Awaken(ctx, org, c) },
	})
	a.connect = a.wireOAuth(sealer)
	a.wireWebhooks(sealer)
	a.monitor = &health.Monitor{System: a.system, Checker: checker{a.connections}, Log: a.log, Now: time.Now}
}

func (a *app) wireWebhooks(sealer *csfle.Sealer) {
	v, client := vault.Vault{Sealer: sealer, Organizations: a.store.Organizations()}, a.guard.Client(false)
	a.deliverer = &webhookservice.Deliverer{Store: a.store, System: a.system, Vault: v, Client: client, Log: a.log, Now: time.Now}
	a.webhooks = &webhookservice.Service{Store: a.store, Vault: v, Client: client, Now: time.Now, Allowed: a.guard.Check, Wake: a.deliverer.Wake}
}

func (a *app) wireSyncs(ctx context.Context) error {
	destinations, err := openDestinations(ctx, a.settings)
	if err != nil {
		return err
	}
	if err := engine.CleanScratch(a.settings.DataDir); err != nil { // the directory's lock says that nobody else is here
		a.log.Warn("what sorting left behind stays", "error", err)
	}
	buckets := &bucketservice.Service{Store: a.store, Destinations: destinations, Now: time.Now, Wake: func() { a.worker.SweepNow() }}
	eng := &engine.Engine{
		Store: a.store, Now: time.Now, Log: a.log, Health: reporter{a.connections, a.log}, Scratch: a.settings.DataDir,
		Open: func(ctx context.Context, org id.Org, c id.Connection) (engine.Source, error) {
			opened, err := a.connections.OpenConfig(ctx, org, c)
			if err != nil {
				return nil, err
			}
			src, err := a.open(usage.For(ctx, org, c), opened.Config.Provider, opened.Config, opened.Tokens)
			if err != nil {
				return nil, err
			}
			return engine.From(src), nil
		},
		Sinks: func(ctx context.Context, b bucket.Bucket) (sink.Sink, error) { return buckets.Sink(ctx, b) },
	}
	a.worker = (&worker.Worker{
		Store: a.store, System: a.system, Runner: usage.Runs{Runner: observed{eng, a.metrics}, Store: a.store, Log: a.log}, Buckets: buckets, Forget: eng.Forget, Log: a.log, Now: time.Now, Exclusive: !a.settings.Shared(), Syncs: a.settings.Syncs,
		Trails: watchedTrails{a.trails, a.metrics}, RetainAudit: time.Duration(a.settings.AuditDays) * 24 * time.Hour,
		Verifier: func(ctx context.Context, org id.Org, s id.Sync, l store.Lease, w id.Worker, repair bool, begun func(id.Run)) error {
			_, err := eng.Verify(ctx, org, s, l, w, repair, begun)
			return err
		},
		Helper: eng,
	}).Init()
	if !a.worker.Exclusive {
		eng.Claims, a.deliverer.Claims = a.worker, a.worker
	}
	a.metrics.Watch(census(a.system), a.worker.Running, a.log)
	a.syncs = &syncingservice.Service{Store: a.store, Now: time.Now, Wake: a.worker.Wake, Stop: a.worker.Interrupt, Log: a.log}
	guard := &surface.Guard{}
	programs := api.New(api.Server{
		Guard:  guard,
		Access: a.access, Connections: a.connections, OAuth: a.connect, Buckets: buckets, Syncs: a.syncs, Degraded: a.outbound.Degraded, Engine: eng, Verify: a.verify, Store: a.store, Trails: a.trails, Webhooks: a.webhooks, Log: a.log,
		Observer: a.metrics, Metrics: a.metrics.Handler(), Operator: func() id.Org { return a.first },
		Version: version, TrustedProxies: a.settings.Proxies(), Providers: providers(),
	})
	people := web.New(web.Server{
		Guard: guard, Access: a.access, Connections: a.connections, OAuth: a.connect, Buckets: buckets, Syncs: a.syncs, Engine: eng, Verify: a.verify, Store: a.store,
		Trails: a.trails, Webhooks: a.webhooks, Log: a.log, Observer: a.metrics, Version: version, PublicURL: a.settings.PublicURL, TLS: a.settings.TLSCert != "",
		TrustedProxies: a.settings.Proxies(), Providers: providers(),
	})
	a.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if api.Owns(r.URL.Path) {
			programs.ServeHTTP(w, r)
		} else {
			people.ServeHTTP(w, r)
		}
	})
	return nil
}

// verify has the worker of this process hash a sync's files anew.
func (a *app) verify(ctx context.Context, org id.Org, s id.Sync, repair bool) (string, error) {
	run, err := a.worker.Verify(ctx, org, s, repair)
	return string(run), err
}

func providers() (names []string) {
	for name := range all.Adapters() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// work runs what is due until ctx ends.
func (a *app) work(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(debug.FreeOSMemory) // what starting took
	running.Go(func() { a.worker.Run(ctx) })
	running.Go(func() { a.outbound.Watch(ctx) })
	running.Go(func() { a.worker.Stand(ctx, "health", a.monitor.Run) })
	running.Go(func() { a.deliverer.Run(ctx) })
	running.Go(func() { a.sweepTokens(ctx) })
	running.Go(func() { a.usage.Run(ctx) })
	running.Go(func() {
		if err := a.keys.Resume(ctx); err != nil && ctx.Err() == nil {
			a.log.Error("destroying keys that were to be destroyed", "error", err)
		}
	})
	running.Go(func() { worker.Relay(ctx, a.system, a.log) })
	running.Wait()
}

func (a *app) close() {
	if a.tokens != nil { // what a token endpoint is giving would else be lost
		ctx, cancel := context.WithTimeout(context.Background(), shutdownGrace)
		a.tokens.Close(ctx)
		cancel()
	}
	if a.guard != nil {
		a.guard.Close()
	}
	if a.store == nil {
		return
	}
	_ = os.Remove(filepath.Join(a.settings.DataDir, socketName))
	if err := a.store.Close(); err != nil {
		a.log.Error("closing the store", "error", err)
	}
}

// checker lets the monitor check through the connections' service.
type checker struct{ connections *connectionservice.Service }

func (c checker) CheckDue(ctx context.Context, org id.Org, conn id.Connection, due time.Time) error {
	result, err := c.connections.CheckDue(ctx, org, conn, due)
	if err == nil && !result.Success {
		err = errs.New(errs.Unavailable, "check", result.Message)
	}
	return err
}

// reporter tells a connection how the syncs that used it fared.
type reporter struct {
	connections *connectionservice.Service
	log         *slog.Logger
}

func attempt(a engine.Attempt) connection.Attempt {
	return connection.Attempt{ID: a.ID, Began: a.Began, Generation: a.CredentialsGeneration, Source: connection.SourceSync}
}

func (r reporter) SyncFailed(ctx context.Context, org id.Org, c id.Connection, a engine.Attempt, cause error) {
	_, err := r.connections.RecordFailure(ctx, org, c, attempt(a), cause)
	r.complain(c, err)
}

func (r reporter) SyncSucceeded(ctx context.Context, org id.Org, c id.Connection, a engine.Attempt) {
	r.complain(c, r.connections.RecordSuccess(ctx, org, c, attempt(a)))
}

func (r reporter) complain(c id.Connection, err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		r.log.Error("recording how a sync fared with its connection", "connection", c, "error", err)
	}
}
