package engine_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"mooring/internal/bucket"
	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/key"
	"mooring/internal/provider/driver"
	"mooring/internal/provider/providertest"
	"mooring/internal/sink"
	"mooring/internal/sink/dir"
	"mooring/internal/store"
	"mooring/internal/store/sqlite"
	"mooring/internal/syncing"
	"mooring/internal/syncing/engine"
)

// portable makes a driver's source look like the portable one, without its
// retries: every fault of a fake reaches the engine.
type portable struct{ driver.Source }

func (p portable) Splitter() (driver.Splitter, bool) {
	s, ok := p.Source.(driver.Splitter)
	return s, ok
}

func (p portable) Ranger() (driver.Ranger, bool) {
	r, ok := p.Source.(driver.Ranger)
	return r, ok
}

func (p portable) Attributer() (driver.Attributer, bool) {
	a, ok := p.Source.(driver.Attributer)
	return a, ok
}

func (p portable) Walker() (driver.Walker, bool) {
	w, ok := p.Source.(driver.Walker)
	return w, ok
}

// world is one sync with everything real but its source: the embedded store, a
// folder as destination, a clock that moves when somebody waits.
type world struct {
	t      testing.TB
	dir    string
	src    driver.Source
	store  *sqlite.Store
	sink   sink.Sink
	engine *engine.Engine
	health *health
	org    id.Org
	bucket bucket.Bucket
	conn   connection.Connection
	sync   id.Sync

	mu  sync.Mutex
	now time.Time
}

// health notes what is reported of the connection.
type health struct {
	mu     sync.Mutex
	failed []error
	good   int
}

func (h *health) SyncFailed(_ context.Context, _ id.Org, _ id.Connection, _ engine.Attempt, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failed = append(h.failed, err)
}

// blames are the failures among them that speak against the connection.
func (h *health) blames() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, err := range h.failed {
		if connection.FaultOf(err, nil).Countable() {
			n++
		}
	}
	return n
}

func (h *health) SyncSucceeded(context.Context, id.Org, id.Connection, engine.Attempt) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.good++
}

// newWorld makes a sync of a source; edit may change it before it is stored.
func newWorld(t testing.TB, src driver.Source, edit func(*syncing.Sync)) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), src: src, health: &health{}, org: id.NewOrg(), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	now := w.clock()
	w.bucket = bucket.Bucket{
		ID: id.NewBucket(), Org: w.org, Namespace: id.NewNamespace(), Name: "b", Status: bucket.Active, Destination: "default",
		Rules: bucket.Rules{MaxComponent: 255, MaxPath: 4096}, CreatedAt: now, UpdatedAt: now,
	}
	w.conn = connection.Connection{ID: id.NewConnection(), Org: w.org, Provider: "fake", Name: "c", Status: connection.Active, CreatedAt: now, UpdatedAt: now}
	s := syncing.Sync{
		ID: id.NewSync(), Org: w.org, Namespace: w.bucket.Namespace, Bucket: w.bucket.ID, Connection: w.conn.ID, Provider: "fake", SourcePath: scopeOf(src),
		Mode: syncing.Continuous, PollingSeconds: 300, OnDelete: syncing.Delete, MaxDeletePercent: 100, Status: syncing.Pending, NextSyncAt: &now, CreatedAt: now, UpdatedAt: now,
	}
	if edit != nil {
		edit(&s)
	}
	w.sync = s.ID
	w.open()
	t.Cleanup(func() { _ = w.store.Close() })
	ctx := context.Background()
	must(t)(w.store.Buckets().Insert(ctx, w.org, w.bucket))
	must(t)(w.store.Connections().Insert(ctx, w.org, w.conn))
	must(t)(w.store.Syncs().Insert(ctx, w.org, s))
	return w
}

func scopeOf(src driver.Source) string {
	switch src.(type) {
	case *providertest.Flat:
		return "data"
	case *providertest.Rows:
		return "DB.PUBLIC.ITEMS"
	}
	return ""
}

// must fails the test on an error of a call that also returns something.
func must(t testing.TB) func(any, error) {
	return func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
}

// open opens store and destination, as a process that starts does.
func (w *world) open() {
	w.t.Helper()
	ctx := context.Background()
	var err error
	if w.store, err = sqlite.Open(ctx, sqlite.Options{Dir: filepath.Join(w.dir, "data"), Now: w.clock}); err != nil {
		w.t.Fatal(err)
	}
	d, err := dir.New(filepath.Join(w.dir, "dest"), dir.Options{MinFree: -1})
	if err != nil {
		w.t.Fatal(err)
	}
	if w.sink, err = d.Bucket(ctx, w.bucket); err != nil {
		w.t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("ENGINE_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	w.engine = &engine.Engine{
		Store: w.store, Log: log, Now: w.clock, Sleep: w.sleep, Health: w.health, Scratch: w.t.TempDir(),
		Open:  func(context.Context, id.Org, id.Connection) (engine.Source, error) { return portable{w.src}, nil },
		Sinks: func(context.Context, bucket.Bucket) (sink.Sink, error) { return w.sink, nil },
	}
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(time.Millisecond)
	return w.now
}

// sleep moves the clock instead of waiting.
func (w *world) sleep(ctx context.Context, d time.Duration) error {
	w.mu.Lock()
	w.now = w.now.Add(d)
	w.mu.Unlock()
	return ctx.Err()
}

// run executes one run.
func (w *world) run() (syncing.Run, error) {
	return w.engine.Run(context.Background(), w.org, w.sync, store.Lease{Fence: 1}, "wrk_test")
}

// ok executes one run that has to end well, and checks what holds after every
// good run.
func (w *world) ok() syncing.Run {
	w.t.Helper()
	run, err := w.run()
	if err != nil {
		w.t.Fatalf("run: %v", err)
	}
	w.sound(run)
	return run
}

// sound checks what holds after every run that has ended.
func (w *world) sound(run syncing.Run) {
	w.t.Helper()
	if !run.Ledger.Balanced() {
		w.t.Errorf("the ledger does not balance: %v", run.Ledger)
	}
	left, err := w.store.Pages().Pending(context.Background(), w.org, w.sync, "", 10)
	if err != nil || len(left) != 0 {
		w.t.Errorf("%d page records wait after a run, %v", len(left), err)
	}
	if stage, _ := filepath.Glob(filepath.Join(w.dir, "dest", "*", "*", ".mooring*", "*", "sync_*")); len(stage) != 0 {
		w.t.Errorf("staged content is left: %v", stage)
	}
}

func (w *world) current() syncing.Sync {
	w.t.Helper()
	s, err := w.store.Syncs().Get(context.Background(), w.org, w.sync)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) edit(change func(*syncing.Sync)) {
	w.t.Helper()
	must(w.t)(w.store.Syncs().Update(context.Background(), w.org, w.sync, func(s *syncing.Sync) error { change(s); return nil }))
}

// objects returns the catalogue by source id.
func (w *world) objects() map[string]bucket.Object {
	w.t.Helper()
	ctx, out := context.Background(), map[string]bucket.Object{}
	var after key.Key
	for {
		entries, err := w.store.Catalogue().Scan(ctx, w.org, w.bucket.ID, w.conn.ID, after, "", 1000)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, e := range entries {
			o, err := w.store.Catalogue().Get(ctx, w.org, w.bucket.ID, e.ID)
			if err != nil {
				w.t.Fatal(err)
			}
			out[string(e.SourceID)] = o
			after = e.SourceID
		}
		if len(entries) < 1000 {
			return out
		}
	}
}

// files returns what stands in the destination, by name.
func (w *world) files() map[string]string {
	w.t.Helper()
	out := map[string]string{}
	err := w.sink.Names(context.Background(), func(name string, _ int64) error {
		r, err := w.sink.Open(context.Background(), name, 0)
		if err != nil {
			return err
		}
		defer func() { _ = r.Close() }()
		b, err := io.ReadAll(r)
		out[name] = string(b)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// holds checks that the bucket holds exactly some content, by source id: in the
// catalogue, in the files, nothing more.
func (w *world) holds(want map[string]string) {
	w.t.Helper()
	files, objects := w.files(), w.objects()
	for source, content := range want {
		o, known := objects[source]
		if !known || o.State != bucket.Present {
			w.t.Errorf("%q is not in the catalogue", source)
			continue
		}
		got, there := files[o.Name]
		if !there || got != content {
			w.t.Errorf("%q: the file %q holds %.40q, want %.40q", source, o.Name, got, content)
		}
		sum := sha256.Sum256([]byte(content))
		if o.SHA256 != hex.EncodeToString(sum[:]) || o.Size != int64(len(content)) {
			w.t.Errorf("%q: the catalogue's hash or size is wrong", source)
		}
		delete(files, o.Name)
		delete(objects, source)
	}
	for name := range files {
		w.t.Errorf("the file %q is nobody's", name)
	}
	for source, o := range objects {
		if o.State == bucket.Present {
			w.t.Errorf("%q is in the catalogue, but not at the source", source)
		}
	}
}

// want is what a flat source holds now.
func want(f *providertest.Flat, keys ...string) map[string]string {
	out := map[string]string{}
	for _, k := range keys {
		out[f.ID(k)] = string(f.Content(f.ID(k)))
	}
	return out
}

// check compares the fields of a ledger that a test is about.
func (w *world) check(run syncing.Run, want syncing.Ledger) {
	w.t.Helper()
	got := run.Ledger
	got.Bytes, want.Bytes = 0, 0
	got.SkippedBy, got.FilteredBy, got.FailedBy, got.NotedBy = nil, nil, nil, nil
	if fmt.Sprint(got) != fmt.Sprint(want) || got.Remapped != want.Remapped {
		w.t.Errorf("ledger\n got %v\nwant %v", got, want)
	}
}

func itemError(k errs.Kind) error {
	return &errs.Error{Kind: k, Origin: errs.Provider, Scope: errs.ScopeObject, Code: "Scripted"}
}

// reopen closes the store and opens everything anew, as a restart does.
func (w *world) reopen() {
	w.t.Helper()
	_ = w.store.Close()
	old := w.engine
	w.open()
	w.engine.Limits, w.engine.Hooks = old.Limits, old.Hooks
}

func sourceKey(s string) key.Key { return key.Key(s) }

func (w *world) runIn(ctx context.Context) (syncing.Run, error) {
	return w.engine.Run(ctx, w.org, w.sync, store.Lease{Fence: 1}, "wrk_test")
}

func opener(s engine.Source) func(context.Context, id.Org, id.Connection) (engine.Source, error) {
	return func(context.Context, id.Org, id.Connection) (engine.Source, error) { return s, nil }
}

// suspend suspends the connection, or makes it active again.
func (w *world) suspend(yes bool) {
	w.t.Helper()
	must(w.t)(w.store.Connections().Update(context.Background(), w.org, w.conn.ID, func(c *connection.Connection) error {
		c.Status = connection.Active
		if yes {
			c.Status = connection.Suspended
		}
		return nil
	}))
}

// failingSink refuses content.
type failingSink struct {
	sink.Sink
	err error
}

func (s *failingSink) Stage(context.Context, string, int64) (sink.Writer, error) { return nil, s.err }
