package engine_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"mooring/internal/errs"
	"mooring/internal/provider/providertest"
	"mooring/internal/sink"
	"mooring/internal/syncing"
	"mooring/internal/syncing/engine"
)

// A disk that loses its power keeps what was settled before. So content must be
// settled before a record names it, and placements before their record goes.
func TestContentIsDurableBeforeItCounts(t *testing.T) {
	f, keys := flat(providertest.FlatOptions{PageSize: 6}, 30)
	w := newWorld(t, f, nil)
	w.engine.Limits = engine.Limits{PageItems: 4, Shards: 2}
	disk := &watchedSink{Sink: w.sink, fresh: map[string]bool{}, placed: map[string]bool{}}
	w.sink = disk
	w.engine.Hooks.Step = func(name string) {
		switch name {
		case engine.StepAppended:
			records, err := w.store.Pages().Pending(context.Background(), w.org, w.sync, "", 10)
			if err != nil {
				t.Error(err)
			}
			for _, r := range records {
				for _, p := range r.Place {
					if disk.loses(p.Staged, "") {
						t.Errorf("a record names %s, which is not on the disk yet", p.Name)
					}
				}
			}
		case engine.StepDropped:
			if disk.loses("", "any") {
				t.Error("a record was dropped before its placements were on the disk")
			}
		}
	}
	w.ok()
	f.Delete(keys[0])
	f.Put(keys[1], []byte("changed"))
	w.ok()
	w.holds(want(f, keys[1:]...))
}

// watchedSink knows what a power cut would lose.
type watchedSink struct {
	sink.Sink
	mu     sync.Mutex
	fresh  map[string]bool // closed, not settled
	placed map[string]bool // likewise
}

func (s *watchedSink) loses(staged, placed string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fresh[staged] || placed != "" && len(s.placed) > 0
}

func (s *watchedSink) Stage(ctx context.Context, staged string, size int64) (sink.Writer, error) {
	w, err := s.Sink.Stage(ctx, staged, size)
	return &watchedWriter{w, s, staged}, err
}

type watchedWriter struct {
	sink.Writer
	s      *watchedSink
	staged string
}

func (w *watchedWriter) Close() error {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	w.s.fresh[w.staged] = true
	return w.Writer.Close()
}

func (s *watchedSink) Place(ctx context.Context, staged, name string, size int64) error {
	s.mu.Lock()
	s.placed[name] = true
	s.mu.Unlock()
	return s.Sink.Place(ctx, staged, name, size)
}

func (s *watchedSink) Settle(ctx context.Context) error {
	s.mu.Lock()
	clear(s.fresh)
	clear(s.placed)
	s.mu.Unlock()
	return s.Sink.Settle(ctx)
}

// Content that a record names may be gone all the same: then the object is
// transferred again, and the sync does not stand still.
func TestContentThatIsGoneIsTransferredAgain(t *testing.T) {
	f, keys := flat(providertest.FlatOptions{}, 8)
	w := newWorld(t, f, nil)
	w.ok()
	for _, k := range keys {
		f.Put(k, []byte("a newer content of "+k))
	}
	k := &killer{w: w}
	k.arm(engine.StepAppended, 1)
	if _, err := w.run(); err == nil {
		t.Fatal("the run was not killed")
	}
	staged, _ := filepath.Glob(filepath.Join(w.dir, "dest", "*", "*", ".mooring*", "*", "sync_*"))
	if len(staged) == 0 {
		t.Fatal("nothing is staged")
	}
	for _, s := range staged {
		if err := os.Remove(s); err != nil {
			t.Fatal(err)
		}
	}
	k.arm("", 0)
	w.ok()
	w.ok()
	w.holds(want(f, keys...))
}

// A feed does not name such an object again: it is transferred all the same, also
// when the power took the placement after its record was applied.
func TestContentThatIsGoneIsTransferredAgainForAFeed(t *testing.T) {
	for _, step := range []string{engine.StepAppended, engine.StepFolded} {
		t.Run(step, func(t *testing.T) {
			f, _, _, files := drive()
			w := newWorld(t, f, nil)
			w.ok()
			f.Write(files[1], []byte("newer"))
			k := &killer{w: w}
			k.arm(step, 1)
			if _, err := w.run(); err == nil {
				t.Fatal("the run was not killed")
			}
			for _, pattern := range []string{".mooring*/*/sync_*", "A/one.txt"} {
				lost, _ := filepath.Glob(filepath.Join(w.dir, "dest", "*", "*", pattern))
				for _, s := range lost {
					if err := os.Remove(s); err != nil {
						t.Fatal(err)
					}
				}
			}
			k.arm("", 0)
			w.ok()
			w.ok()
			w.holds(feedWant(f, files...))
			w.letters(0)
		})
	}
}

// A record that can't be applied keeps its run open; the next one applies it
// and closes that run with every item counted.
func TestARecordThatCannotBeAppliedWaits(t *testing.T) {
	f, keys := flat(providertest.FlatOptions{}, 8)
	w := newWorld(t, f, nil)
	whole := w.sink
	w.sink = unplaceable{whole}
	run, err := w.run()
	if !errs.Is(err, errs.Unavailable) || run.Status != syncing.RunInProgress || run.Reason == "" {
		t.Fatalf("run %s, %q, %v", run.Status, run.Reason, err)
	}
	if s := w.current(); s.LastError == nil || !s.NextSyncAt.After(w.clock()) || s.Totals.Discovered != 0 {
		t.Errorf("the sync says %v, next %v", s.LastError, s.NextSyncAt)
	}
	w.sink = whole
	second := w.ok()
	w.holds(want(f, keys...))
	first, err := w.store.Runs().Get(context.Background(), w.org, run.ID)
	if err != nil || first.Status != syncing.RunFailed || first.Ledger.Synced == 0 || first.Ledger.Synced+second.Ledger.Synced != 8 {
		t.Errorf("the first run is %s with %v, %v", first.Status, first.Ledger, err)
	}
	if s := w.current(); s.Totals.Synced != 8 || s.Failures != 0 {
		t.Errorf("totals %v", s.Totals)
	}
}

type unplaceable struct{ sink.Sink }

func (unplaceable) Place(context.Context, string, string, int64) error {
	return errs.New(errs.Unavailable, "sink", "the disk does not answer")
}

// An item that a feed tells of and then takes back is gone, however long its
// content takes to arrive.
func TestAnItemThatIsTakenBackIsGone(t *testing.T) {
	f := providertest.NewFeed(providertest.FeedOptions{PageSize: 2})
	y := f.File(providertest.Root, "y", []byte("y"))
	w := newWorld(t, f, nil)
	w.ok()
	x := f.File(providertest.Root, "x", make([]byte, 4<<20))
	z := f.File(providertest.Root, "z", []byte("z"))
	f.Write(y, []byte("y, changed"))
	opened := make(chan struct{})
	var once sync.Once
	f.SetGate(func(_ context.Context, c providertest.Call) error {
		switch {
		case c.Method == providertest.Read && c.ID == x:
			once.Do(func() { close(opened) })
		case c.Method == providertest.Changes && c.Page == 2:
			<-opened
			f.Delete(x)
		}
		return nil
	})
	w.ok()
	f.SetGate(nil)
	w.holds(feedWant(f, y, z))
}
