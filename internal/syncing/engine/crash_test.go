package engine_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"sync/atomic"
	"testing"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/event"
	"mooring/internal/key"
	"mooring/internal/provider/driver"
	"mooring/internal/provider/providertest"
	"mooring/internal/sink"
	"mooring/internal/store"
	"mooring/internal/syncing"
	"mooring/internal/syncing/engine"
)

// A killed process does nothing any more: from the kill on, store, destination
// and source of the world fail, until it is opened anew. What lasts is what was
// in the store and on the disk at that point.
type killer struct {
	w    *world
	dead atomic.Bool
}

var errDead = errs.New(errs.Internal, "test", "the process is dead")

func (k *killer) kill() {
	if !k.dead.Swap(true) {
		_ = k.w.store.Close()
	}
}

// arm opens the world anew, to be killed when a step is met for the nth time.
func (k *killer) arm(step string, n int64) {
	w := k.w
	limits := w.engine.Limits
	_ = w.store.Close()
	k.dead.Store(false)
	w.open()
	w.engine.Limits = limits
	w.sink = &mortalSink{Sink: w.sink, k: k}
	w.engine.Open = opener(&mortalSource{portable: portable{w.src}, k: k})
	var met atomic.Int64
	w.engine.Hooks.Step = func(name string) {
		if name == step && met.Add(1) == n {
			k.kill()
		}
	}
}

// lives fails the rest of what a dead process would do.
func (k *killer) lives() error {
	if k.dead.Load() {
		return errDead
	}
	return nil
}

type mortalSource struct {
	portable
	k *killer
}

func (s *mortalSource) Changes(ctx context.Context, sc driver.Scope, c driver.Cursor) (driver.Page, error) {
	if err := s.k.lives(); err != nil {
		return driver.Page{}, err
	}
	return s.portable.Changes(ctx, sc, c)
}

func (s *mortalSource) Open(ctx context.Context, it driver.Item, off int64) (io.ReadCloser, error) {
	if err := s.k.lives(); err != nil {
		return nil, err
	}
	return s.portable.Open(ctx, it, off)
}

func (s *mortalSource) Stat(ctx context.Context, sc driver.Scope, id string) (driver.Item, error) {
	if err := s.k.lives(); err != nil {
		return driver.Item{}, err
	}
	return s.portable.Stat(ctx, sc, id)
}

type mortalSink struct {
	sink.Sink
	k *killer
}

func (s *mortalSink) Stage(ctx context.Context, staged string, size int64) (sink.Writer, error) {
	if err := s.k.lives(); err != nil {
		return nil, err
	}
	return s.Sink.Stage(ctx, staged, size)
}

func (s *mortalSink) Settle(ctx context.Context) error {
	if err := s.k.lives(); err != nil {
		return err
	}
	return s.Sink.Settle(ctx)
}

func (s *mortalSink) Place(ctx context.Context, staged, name string, size int64) error {
	if err := s.k.lives(); err != nil {
		return err
	}
	return s.Sink.Place(ctx, staged, name, size)
}

func (s *mortalSink) Rename(ctx context.Context, from, to string, size int64) error {
	if err := s.k.lives(); err != nil {
		return err
	}
	return s.Sink.Rename(ctx, from, to, size)
}

func (s *mortalSink) Remove(ctx context.Context, name string) error {
	if err := s.k.lives(); err != nil {
		return err
	}
	return s.Sink.Remove(ctx, name)
}

func (s *mortalSink) Sweep(ctx context.Context, keep func(string) bool) error {
	if err := s.k.lives(); err != nil {
		return err
	}
	return s.Sink.Sweep(ctx, keep)
}

// runUntilDone runs with kills at random points until a pass has ended, and
// returns how often it was killed.
func (k *killer) runUntilDone(t *testing.T, rnd *rand.Rand, first, most int) (kills int) {
	steps := engine.Steps()
	for fence := int64(1); ; fence++ {
		step, n := "", int64(0)
		switch { // every step is met as the first in turn, then any
		case fence == 1:
			step, n = steps[first%len(steps)], 1+int64(first/len(steps)%4)
		case kills < most:
			step, n = steps[rnd.IntN(len(steps))], 1+rnd.Int64N(4)
		}
		k.arm(step, n)
		run, err := k.w.engine.Run(context.Background(), k.w.org, k.w.sync, store.Lease{Fence: fence}, "wrk_test")
		switch {
		case k.dead.Load():
			kills++
		case err != nil:
			t.Fatalf("a run that was not killed: %v", err)
		case run.PassEnded:
			k.w.sound(run)
			return kills
		case fence > 100:
			t.Fatal("it does not end")
		}
	}
}

// seeds of a crash test are MOORING_TEST_SEEDS, else n, fewer with -short.
func seeds(t *testing.T, n int) int {
	text := os.Getenv("MOORING_TEST_SEEDS")
	switch {
	case text == "" && testing.Short():
		return n / 5
	case text == "":
		return n
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("MOORING_TEST_SEEDS is a number such as 200, not %q", text)
	}
	return n
}

const crashItems = 36

func TestKilledAnywhereTheResultIsTheSame(t *testing.T) {
	total := 0
	for seed := range seeds(t, 100) {
		rnd := rand.New(rand.NewPCG(uint64(seed), 1))
		t.Run(fmt.Sprint(seed), func(t *testing.T) { total += crashFlat(t, rnd, seed) })
	}
	t.Logf("killed %d times", total)
}

func crashFlat(t *testing.T, rnd *rand.Rand, seed int) int {
	f := providertest.NewFlat(providertest.FlatOptions{PageSize: 7, Unordered: seed%3 == 2})
	var keys []string
	for i := range crashItems {
		k := fmt.Sprintf("d%d/f%02d", i%3, i)
		keys = append(keys, k)
		f.Put(k, fmt.Appendf(nil, "content %d", i%30)) // some are duplicates
	}
	w := newWorld(t, f, nil)
	w.engine.Limits = engine.Limits{PageItems: 5, Shards: 2, Transfers: 3, ScanRows: 10}
	k := &killer{w: w}
	kills := k.runUntilDone(t, rnd, seed, 2)
	w.holds(want(f, keys...))
	before := w.counted(syncing.Sync{}, crashItems)

	for i := range 6 {
		f.Put(keys[i], fmt.Appendf(nil, "changed %d", i))
		f.Delete(keys[len(keys)-1-i])
	}
	keys = keys[:len(keys)-6]
	opens := f.Count(providertest.Open)
	more := k.runUntilDone(t, rnd, seed, 2)
	w.holds(want(f, keys...))
	w.counted(before, int64(len(keys)))
	if s := w.current(); s.Totals.Deleted != 6 {
		t.Errorf("%d deletions are counted, want 6", s.Totals.Deleted)
	}
	// In flight at once: a batch being committed and one being transferred, in each of two shards.
	if n := f.Count(providertest.Open) - opens; n > 6+more*6 {
		t.Errorf("6 changed items and %d kills took %d downloads", more, n)
	}
	return kills + more
}

// counted checks that the sync's totals count each item of each pass since
// before once, whatever was killed, and that they are the sum over its runs.
func (w *world) counted(before syncing.Sync, items int64) syncing.Sync {
	w.t.Helper()
	s := w.current()
	if got, passes := s.Totals.Discovered-before.Totals.Discovered, s.PassCounter-before.PassCounter; got != passes*items {
		w.t.Errorf("%d items are counted in %d passes over %d: %v", got, passes, items, s.Totals)
	}
	list, err := w.store.Runs().List(context.Background(), w.org, syncing.RunFilter{Sync: w.sync}, store.Page{Limit: 100})
	if err != nil {
		w.t.Fatal(err)
	}
	var sum syncing.Ledger
	quiet := int64(0)
	for _, run := range list.Items {
		if run.Status == syncing.RunInProgress && run.ID == s.CurrentRun {
			w.t.Errorf("run %s is left open", run.ID)
		}
		if !run.Ledger.Balanced() {
			w.t.Errorf("the ledger of a run does not balance: %v", run.Ledger)
		}
		sum.Add(run.Ledger)
		quiet += run.Quiet // rows that are folded into this one
	}
	w.startedOnce()
	if quiet == 0 && fmt.Sprint(sum) != fmt.Sprint(s.Totals) {
		w.t.Errorf("the runs sum up to\n%v, the totals are\n%v", sum, s.Totals)
	}
	return s
}

// startedOnce checks that no run is told twice to have begun, whatever was killed.
func (w *world) startedOnce() {
	w.t.Helper()
	list, err := w.store.Events().List(context.Background(), w.org, 0, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	begun := map[any]bool{}
	for _, e := range list {
		if e.Type != event.SyncStarted {
			continue
		}
		if begun[e.Data["sync_run_id"]] {
			w.t.Errorf("run %v is told twice to have begun", e.Data["sync_run_id"])
		}
		begun[e.Data["sync_run_id"]] = true
	}
}

func TestKilledAnywhereWithAFeed(t *testing.T) {
	for seed := range seeds(t, 50) {
		rnd := rand.New(rand.NewPCG(uint64(seed), 2))
		t.Run(fmt.Sprint(seed), func(t *testing.T) { crashFeed(t, rnd, seed) })
	}
}

func crashFeed(t *testing.T, rnd *rand.Rand, seed int) {
	f := providertest.NewFeed(providertest.FeedOptions{PageSize: 4, ChildrenFirst: rnd.IntN(2) == 0})
	folders := []string{providertest.Root}
	for i := range 4 {
		folders = append(folders, f.Folder(folders[rnd.IntN(len(folders))], fmt.Sprint("d", i)))
	}
	var files []string
	for i := range 16 {
		files = append(files, f.File(folders[i%len(folders)], fmt.Sprint("f", i), fmt.Appendf(nil, "content %d", i)))
	}
	w := newWorld(t, f, nil)
	w.engine.Limits = engine.Limits{PageItems: 3, Transfers: 3}
	k := &killer{w: w}
	first := k.runUntilDone(t, rnd, seed, 2)
	w.holds(feedWant(f, files...))
	// Interrupted on its first page, an enumeration begins anew.
	if n := w.current().Totals.Discovered; n < 16 || n > int64(16+4*first) {
		t.Errorf("%d of 16 items are counted: %v", n, w.current().Totals)
	}
	opens := f.Count(providertest.Open)
	f.Rename(folders[1], "renamed")
	f.Write(files[3], []byte("changed"))
	f.Delete(files[0])
	f.Rename(files[5], "another name")
	added := f.File(folders[2], "added", []byte("added"))
	kills := k.runUntilDone(t, rnd, seed, 3)
	w.holds(feedWant(f, append(files[1:], added)...))
	if n := f.Count(providertest.Open) - opens; n > 2+2*kills {
		t.Errorf("2 changes and %d kills took %d downloads", kills, n)
	}
}

// A move that is killed before its record leaves one name, whether or not it
// comes to the same again.
func TestAMoveThatIsKilledLeavesOneName(t *testing.T) {
	for _, then := range []string{"one.txt", "another.txt", "moved.txt"} {
		f, _, _, files := drive()
		w := newWorld(t, f, nil)
		w.ok()
		f.Rename(files[1], "moved.txt")
		k := &killer{w: w}
		k.arm(engine.StepReserved, 1)
		if _, err := w.run(); err == nil {
			t.Fatal("it was not killed")
		}
		k.arm("", 0)
		f.Rename(files[1], then)
		w.ok()
		w.ok()
		w.paths(map[string]string{files[1]: "A/" + then})
		w.holds(feedWant(f, files...))
		o := w.objects()[files[1]]
		var names []string
		for _, source := range []key.Key{bucket.FileSource(o.ID), bucket.FileSource(o.ID) + "/moved"} {
			got, err := w.store.Catalogue().Reserve(context.Background(), w.org, w.bucket.ID, []bucket.Claim{{Source: source}})
			if err == nil {
				names = append(names, got...)
			}
		}
		if len(names) != 1 || names[0] != o.Name {
			t.Errorf("then %s: it has the names %q, and is at %q", then, names, o.Name)
		}
	}
}
