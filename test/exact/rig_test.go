package exact_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"mooring/internal/bucket"
	"mooring/internal/connection"
	"mooring/internal/connection/config"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/key"
	"mooring/internal/outbound"
	"mooring/internal/provider"
	"mooring/internal/provider/driver"
	"mooring/internal/sink"
	"mooring/internal/sink/dir"
	"mooring/internal/store"
	"mooring/internal/store/sqlite"
	"mooring/internal/syncing"
	"mooring/internal/syncing/engine"
)

// itemsToSync is how many items the test of scale has: MOORING_TEST_ITEMS, a
// multiple of 1000, else 20,000.
func itemsToSync(t testing.TB) int {
	text := os.Getenv("MOORING_TEST_ITEMS")
	switch {
	case text == "" && testing.Short():
		return 5_000
	case text == "":
		return 20_000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 5_000 || n%1000 != 0 {
		t.Fatalf("MOORING_TEST_ITEMS is a multiple of 1000 from 5000 on, such as 100000, not %q", text)
	}
	return n
}

// rig is one sync with everything real, over a provider's emulator, on a clock
// that moves when somebody waits.
type rig struct {
	t        testing.TB
	dir      string
	deps     provider.Deps
	provider string
	config   config.Config
	store    *sqlite.Store
	sink     sink.Sink
	engine   *engine.Engine
	clock    *clock
	log      *lines
	org      id.Org
	bucket   bucket.Bucket
	conn     connection.Connection
	sync     id.Sync

	mu     sync.Mutex
	failed []error // what runs reported of the connection
}

// setup says what a rig connects to.
type setup struct {
	provider  string
	open      driver.Opener
	config    map[string]any // provider_config as a client sends it
	endpoints map[string]string
	path      string // source_path
	clock     *clock // shared with the emulator; nil: its own
	edit      func(*syncing.Sync)
	tokens    driver.Tokens // nil: in memory, shared by all sources of the rig
}

func newRig(t testing.TB, s setup) *rig {
	t.Helper()
	if s.clock == nil {
		s.clock = newClock()
	}
	if s.tokens == nil {
		s.tokens = provider.NewTokens(s.clock.Now)
	}
	c, err := config.Decode(s.provider, s.config, errs.NewFields("provider_config"))
	if err != nil {
		t.Fatal(err)
	}
	guard := outbound.New(outbound.Options{AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	t.Cleanup(guard.Close)
	r := &rig{
		t: t, dir: t.TempDir(), provider: s.provider, config: c, clock: s.clock, log: &lines{}, org: id.NewOrg(),
		deps: provider.Deps{
			Registry: provider.Registry{s.provider: s.open}, Budgets: provider.NewBudgets(0), Sleep: s.clock.Sleep,
			Options: driver.Options{Transport: guard, Endpoints: s.endpoints, Tokens: s.tokens, Now: s.clock.Now},
		},
	}
	r.found(s)
	return r
}

// found stores the bucket, the connection and the sync.
func (r *rig) found(s setup) {
	r.t.Helper()
	now := r.clock.Now()
	r.bucket = bucket.Bucket{
		ID: id.NewBucket(), Org: r.org, Namespace: id.NewNamespace(), Name: "b", Status: bucket.Active, Destination: "default",
		Rules: bucket.Rules{MaxComponent: 255, MaxPath: 4096}, CreatedAt: now, UpdatedAt: now,
	}
	r.conn = connection.Connection{ID: id.NewConnection(), Org: r.org, Provider: s.provider, Name: "c", Status: connection.Active, CreatedAt: now, UpdatedAt: now}
	row := syncing.Sync{
		ID: id.NewSync(), Org: r.org, Namespace: r.bucket.Namespace, Bucket: r.bucket.ID, Connection: r.conn.ID, Provider: s.provider, SourcePath: s.path,
		Mode: syncing.Continuous, PollingSeconds: 300, OnDelete: syncing.Delete, MaxDeletePercent: 100, Status: syncing.Pending, NextSyncAt: &now, CreatedAt: now, UpdatedAt: now,
	}
	if s.edit != nil {
		s.edit(&row)
	}
	r.sync = row.ID
	r.open()
	r.t.Cleanup(func() { _ = r.store.Close() })
	ctx := context.Background()
	_, err1 := r.store.Buckets().Insert(ctx, r.org, r.bucket)
	_, err2 := r.store.Connections().Insert(ctx, r.org, r.conn)
	_, err3 := r.store.Syncs().Insert(ctx, r.org, row)
	for _, err := range []error{err1, err2, err3} {
		if err != nil {
			r.t.Fatal(err)
		}
	}
}

// open opens store and destination, as a process that starts does.
func (r *rig) open() {
	r.t.Helper()
	ctx := context.Background()
	var err error
	if r.store, err = sqlite.Open(ctx, sqlite.Options{Dir: filepath.Join(r.dir, "data"), Now: r.clock.Now}); err != nil {
		r.t.Fatal(err)
	}
	d, err := dir.New(filepath.Join(r.dir, "dest"), dir.Options{MinFree: -1})
	if err != nil {
		r.t.Fatal(err)
	}
	if r.sink, err = d.Bucket(ctx, r.bucket); err != nil {
		r.t.Fatal(err)
	}
	var out io.Writer = r.log
	if os.Getenv("EXACT_LOG") != "" {
		out = io.MultiWriter(r.log, os.Stderr)
	}
	r.engine = &engine.Engine{
		Store: r.store, Log: slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug})), Now: r.clock.Now, Sleep: r.clock.Sleep,
		Health: r, Scratch: r.t.TempDir(),
		Open: func(ctx context.Context, _ id.Org, _ id.Connection) (engine.Source, error) {
			src, err := provider.Open(ctx, r.provider, r.config, r.deps)
			if err != nil {
				return nil, err
			}
			return engine.From(src), nil
		},
		Sinks: func(context.Context, bucket.Bucket) (sink.Sink, error) { return r.sink, nil },
	}
}

// reopen closes the store and opens everything anew, as a restart does.
func (r *rig) reopen() {
	r.t.Helper()
	if err := r.store.Close(); err != nil {
		r.t.Fatal(err)
	}
	old := r.engine
	r.open()
	r.engine.Limits, r.engine.Hooks = old.Limits, old.Hooks
}

// SyncFailed implements engine.Health.
func (r *rig) SyncFailed(_ context.Context, _ id.Org, _ id.Connection, _ engine.Attempt, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = append(r.failed, err)
}

// SyncSucceeded implements engine.Health.
func (r *rig) SyncSucceeded(context.Context, id.Org, id.Connection, engine.Attempt) {}

// failures are those reported that count against the connection.
func (r *rig) failures() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, err := range r.failed {
		if connection.FaultOf(err, r.config.SecretList()).Countable() {
			n++
		}
	}
	return n
}

// run executes one run, whatever its end.
func (r *rig) run(ctx context.Context) (syncing.Run, error) {
	return r.engine.Run(ctx, r.org, r.sync, store.Lease{Fence: 1}, "wrk_test")
}

// must executes one run that has to end well, with a ledger that balances.
func (r *rig) must() syncing.Run {
	r.t.Helper()
	run, err := r.run(context.Background())
	if err != nil {
		r.t.Fatalf("run: %v", err)
	}
	if !run.Ledger.Balanced() {
		r.t.Fatalf("the ledger does not balance: %v", run.Ledger)
	}
	return run
}

// file is what a source holds under an id.
type file struct {
	Path   string // below the source path, slash-separated
	Size   int64
	SHA256 string // in hex
}

// exact checks that the bucket holds what the source does, by source id: in the
// catalogue, in the files, nothing more. An empty Path or SHA256 is not compared.
func (r *rig) exact(want map[string]file) {
	r.t.Helper()
	objects, left := r.objects(), r.files()
	for source, f := range want {
		o, known := objects[source]
		if !known || o.State != bucket.Present {
			r.t.Errorf("%s (%s) is missing", source, f.Path)
			continue
		}
		delete(objects, source)
		if f.Path != "" && o.SourcePath != f.Path {
			r.t.Errorf("%s is at %q, want %q", source, o.SourcePath, f.Path)
		}
		sum, there := left[o.Name]
		delete(left, o.Name)
		if !there || sum != o.SHA256 || f.SHA256 != "" && sum != f.SHA256 {
			r.t.Errorf("%s (%s): the file's hash is %q, the catalogue's %q, want %q", source, f.Path, sum, o.SHA256, f.SHA256)
		}
	}
	for source, o := range objects {
		if o.State == bucket.Present {
			r.t.Errorf("%s (%s) is in the bucket, but not at the source", source, o.SourcePath)
		}
	}
	for name := range left {
		r.t.Errorf("the file %q is nobody's", name)
	}
}

// objects returns the catalogue by source id.
func (r *rig) objects() map[string]bucket.Object {
	r.t.Helper()
	ctx, out := context.Background(), map[string]bucket.Object{}
	for after := key.Key(""); ; {
		entries, err := r.store.Catalogue().Scan(ctx, r.org, r.bucket.ID, r.conn.ID, after, "", 1000)
		if err != nil {
			r.t.Fatal(err)
		}
		ids := make([]id.Object, len(entries))
		for i, e := range entries {
			ids[i], after = e.ID, e.SourceID
		}
		found, err := r.store.Catalogue().Lookup(ctx, r.org, r.bucket.ID, ids)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, o := range found {
			out[string(o.SourceID)] = o
		}
		if len(entries) < 1000 {
			return out
		}
	}
}

// files returns the hash of each file of the destination, by name.
func (r *rig) files() map[string]string {
	r.t.Helper()
	out := map[string]string{}
	err := r.sink.Names(context.Background(), func(name string, _ int64) error {
		f, err := r.sink.Open(context.Background(), name, 0)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		h := sha256.New()
		_, err = io.Copy(h, f)
		out[name] = hex.EncodeToString(h.Sum(nil))
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

// letters counts the dead letters.
func (r *rig) letters() int64 {
	r.t.Helper()
	n, err := r.store.DeadLetters().Count(context.Background(), r.org, r.sync, syncing.DeadLetterFilter{})
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

// everything returns all that the rig wrote: its files of database and content,
// and its log at debug level.
func (r *rig) everything() map[string][]byte {
	r.t.Helper()
	out := map[string][]byte{"log": r.log.bytes()}
	err := filepath.WalkDir(r.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		out[path], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

// clock moves when somebody waits.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

// Now returns the time, a millisecond later each time it is asked.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Millisecond)
	return c.now
}

// Advance moves the time.
func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Sleep moves the time instead of waiting.
func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.Advance(d)
	return ctx.Err()
}

// lines keeps what is logged.
type lines struct {
	mu  sync.Mutex
	buf []byte
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = append(l.buf, p...)
	return len(p), nil
}

func (l *lines) bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]byte(nil), l.buf...)
}
