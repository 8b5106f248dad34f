//go:build unix

package chaos

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"mooring/emulator/s3"
	"mooring/internal/bucket"
	"mooring/internal/connection"
	"mooring/internal/connection/config"
	"mooring/internal/id"
	"mooring/internal/outbound"
	"mooring/internal/provider"
	"mooring/internal/provider/driver"
	adapter "mooring/internal/provider/s3"
	"mooring/internal/secret"
	"mooring/internal/sink"
	"mooring/internal/sink/dir"
	"mooring/internal/store"
	"mooring/internal/store/mongo"
	"mooring/internal/store/sqlite"
	"mooring/internal/syncing"
	"mooring/internal/syncing/engine"
)

// setup is what a worker is started with.
type setup struct {
	Dir      string // holds the store and the destination
	Endpoint string
	IDs      ids
	Shards   int
	Page     int
	Kill     kill

	Mongo string        // a database that several workers share, instead of the store in Dir
	Skew  time.Duration // of the worker's clock
}

// ids name what the template holds.
type ids struct {
	Org    id.Org
	Conn   id.Connection
	Bucket id.Bucket
	Sync   id.Sync

	Failing id.Connection // whose checks all fail
}

// kill says where a worker dies: at the Nth time it meets a step. The zero
// kill is none.
type kill struct {
	Step string
	Nth  int
}

const (
	sourceBucket  = "source"
	maxDelete     = 50
	transfers     = 4
	leaseTerm     = time.Minute
	storeDir      = "store"
	contentDir    = "content"
	bucketName    = "chaos"
	maxRunsOfPass = 50
)

func (s setup) store(ctx context.Context) (store.Store, error) {
	if s.Mongo != "" {
		return mongo.Open(ctx, mongo.Options{URI: secret.New(s.Mongo)})
	}
	return sqlite.Open(ctx, sqlite.Options{Dir: filepath.Join(s.Dir, storeDir)})
}

// sinks syncs file by file: a sync of the whole file system would wait for
// whatever else the machine writes.
func (s setup) sinks() (func(context.Context, bucket.Bucket) (sink.Sink, error), error) {
	d, err := dir.New(filepath.Join(s.Dir, contentDir), dir.Options{MinFree: -1, SyncEach: true})
	if err != nil {
		return nil, err
	}
	return d.Bucket, nil
}

// prepare makes a store with one organization's connection, bucket and sync.
func (s *setup) prepare(ctx context.Context) error {
	st, err := s.store(ctx)
	if err != nil {
		return err
	}
	defer st.Close()
	now := time.Now().UTC().Truncate(time.Millisecond)
	s.IDs = ids{id.NewOrg(), id.NewConnection(), id.NewBucket(), id.NewSync(), id.NewConnection()}
	c := connection.Connection{
		ID: s.IDs.Conn, Org: s.IDs.Org, Provider: "s3", Name: bucketName, Status: connection.Active, CreatedAt: now, UpdatedAt: now,
		Config: config.Sealed{Provider: "s3", Credential: "access_key"},
	}
	if _, err := st.Connections().Insert(ctx, s.IDs.Org, c); err != nil {
		return err
	}
	failing := c
	failing.ID, failing.Name = s.IDs.Failing, "failing"
	if _, err := st.Connections().Insert(ctx, s.IDs.Org, failing); err != nil {
		return err
	}
	b := bucket.Bucket{
		ID: s.IDs.Bucket, Org: s.IDs.Org, Namespace: "ns_chaos", Name: bucketName, Status: bucket.Active, Destination: "default",
		CreatedAt: now, UpdatedAt: now,
	}
	if b.Rules, err = s.rules(ctx, b); err != nil {
		return err
	}
	if _, err := st.Buckets().Insert(ctx, s.IDs.Org, b); err != nil {
		return err
	}
	sy := syncing.Sync{
		ID: s.IDs.Sync, Org: s.IDs.Org, Namespace: "ns_chaos", Bucket: s.IDs.Bucket, Connection: s.IDs.Conn, Provider: "s3", SourcePath: sourceBucket,
		Mode: syncing.Continuous, PollingSeconds: 300, OnDelete: syncing.Delete, MaxDeletePercent: maxDelete, Status: syncing.Pending,
		NextSyncAt: &now, CreatedAt: now, UpdatedAt: now,
	}
	if _, err := st.Syncs().Insert(ctx, s.IDs.Org, sy); err != nil {
		return err
	}
	return st.Close()
}

func (s setup) rules(ctx context.Context, b bucket.Bucket) (bucket.Rules, error) {
	open, err := s.sinks()
	if err != nil {
		return bucket.Rules{}, err
	}
	part, err := open(ctx, b)
	if err != nil {
		return bucket.Rules{}, err
	}
	return part.Rules(), nil
}

// work runs the sync until a run ends its pass, as a worker does that holds
// the lease. A worker before it is dead, so that its lease may be taken at once.
func (s setup) work(ctx context.Context) error {
	if s.Mongo != "" {
		return s.share(ctx)
	}
	st, err := s.store(ctx)
	if err != nil {
		return err
	}
	defer st.Close()
	open, err := s.sinks()
	if err != nil {
		return err
	}
	guard := outbound.New(outbound.Options{AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	defer guard.Close()
	e := &engine.Engine{
		Store: st, Sinks: open, Now: time.Now, Scratch: s.Dir,
		Open: func(ctx context.Context, _ id.Org, _ id.Connection) (engine.Source, error) {
			return s.source(ctx, guard)
		},
		Log:    slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo})),
		Limits: engine.Limits{PageItems: s.Page, Shards: s.Shards, Transfers: transfers},
		Hooks:  engine.Hooks{Step: s.Kill.hook()},
	}
	worker, name := id.NewWorker(), "sync/"+string(s.IDs.Sync)
	seen, err := st.Leases().Read(ctx, name)
	if err != nil {
		return err
	}
	lease, err := st.Leases().Acquire(ctx, seen, worker, leaseTerm)
	if err != nil {
		return err
	}
	for range maxRunsOfPass {
		run, err := e.Run(ctx, s.IDs.Org, s.IDs.Sync, lease, worker)
		if err != nil {
			return err
		}
		if run.PassEnded {
			return nil
		}
	}
	return fmt.Errorf("the pass has not ended after %d runs", maxRunsOfPass)
}

func (s setup) source(ctx context.Context, guard *outbound.Guard) (engine.Source, error) {
	c := config.Config{
		Provider: "s3", Credential: "access_key",
		Fields:      map[string]any{"region": "us-east-1", "endpoint_url": s.Endpoint, "use_ssl": false, "verify_ssl": true},
		Credentials: map[string]any{"access_key_id": s3.DefaultAccessKeyID},
		Secrets:     map[string]secret.String{"secret_access_key": secret.New(s3.DefaultSecretAccessKey)},
	}
	src, err := provider.Open(ctx, "s3", c, provider.Deps{Registry: provider.Registry{"s3": adapter.Open}, Options: driver.Options{Transport: guard}})
	if err != nil {
		return nil, err
	}
	return engine.From(src), nil
}
