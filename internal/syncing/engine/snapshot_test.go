package engine_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/event"
	"mooring/internal/id"
	"mooring/internal/provider/providertest"
	"mooring/internal/syncing"
	"mooring/internal/syncing/engine"
)

// flat makes a source with n keys in three folders.
func flat(o providertest.FlatOptions, n int) (*providertest.Flat, []string) {
	f := providertest.NewFlat(o)
	var keys []string
	for i := range n {
		k := fmt.Sprintf("d%d/f%03d", i%3, i)
		keys = append(keys, k)
		f.Put(k, []byte("content "+k))
	}
	return f, keys
}

func TestFirstRunBringsEverything(t *testing.T) {
	for name, o := range map[string]providertest.FlatOptions{
		"ordered": {PageSize: 7}, "one page": {}, "unordered": {PageSize: 7, Unordered: true},
	} {
		t.Run(name, func(t *testing.T) {
			f, keys := flat(o, 50)
			w := newWorld(t, f, nil)
			w.engine.Limits = engine.Limits{SortBytes: 2000, PageItems: 9}
			w.check(w.ok(), syncing.Ledger{Discovered: 50, Synced: 50})
			w.holds(want(f, keys...))
			opens := f.Count(providertest.Open)
			w.check(w.ok(), syncing.Ledger{Discovered: 50, Unchanged: 50})
			if n := f.Count(providertest.Open) - opens; n != 0 {
				t.Errorf("an unchanged pass opened %d items", n)
			}
			s := w.current()
			if s.Status != syncing.Active || s.Totals.Discovered != 100 || s.Totals.Synced != 50 || s.TotalBytes == 0 || s.LastSyncAt == nil {
				t.Errorf("the sync's totals are wrong: %+v", s)
			}
			b, err := w.store.Buckets().Get(context.Background(), w.org, w.bucket.ID)
			if err != nil || b.Stats.Objects != 50 {
				t.Errorf("the bucket counts %d objects, %v", b.Stats.Objects, err)
			}
			if o := w.objects()[f.ID(keys[0])]; o.Verdict != "verified: sha256" || o.SourcePath != keys[0] || o.Name != keys[0] {
				t.Errorf("an object says %q of itself: %+v", o.Verdict, o)
			}
		})
	}
}

func TestChangesAndDeletes(t *testing.T) {
	for _, unordered := range []bool{false, true} {
		f, keys := flat(providertest.FlatOptions{PageSize: 7, Unordered: unordered}, 30)
		w := newWorld(t, f, nil)
		w.ok()
		f.Put(keys[3], []byte("changed"))
		f.Put("a/new", []byte("new"))
		f.Delete(keys[10])
		f.Delete(keys[29])
		w.check(w.ok(), syncing.Ledger{Discovered: 29, Synced: 2, Unchanged: 27, Deleted: 2})
		left := append(slices.Delete(slices.Clone(keys[:29]), 10, 11), "a/new")
		w.holds(want(f, left...))
		w.check(w.ok(), syncing.Ledger{Discovered: 29, Unchanged: 29})
	}
}

func TestPolicies(t *testing.T) {
	f, keys := flat(providertest.FlatOptions{}, 5)
	w := newWorld(t, f, func(s *syncing.Sync) { s.OnDelete = syncing.Tombstone })
	w.ok()
	f.Delete(keys[0])
	w.check(w.ok(), syncing.Ledger{Discovered: 4, Unchanged: 4, Deleted: 1})
	w.holds(want(f, keys[1:]...))
	if o := w.objects()[f.ID(keys[0])]; o.State != bucket.Tombstoned {
		t.Errorf("the object is %q", o.State)
	}
	w.check(w.ok(), syncing.Ledger{Discovered: 4, Unchanged: 4})
	f.Put(keys[0], []byte("back"))
	w.check(w.ok(), syncing.Ledger{Discovered: 5, Unchanged: 4, Synced: 1})
	w.holds(want(f, keys...))

	w.edit(func(s *syncing.Sync) { s.OnDelete = syncing.Ignore })
	f.Delete(keys[1])
	w.check(w.ok(), syncing.Ledger{Discovered: 4, Unchanged: 4})
	if o := w.objects()[f.ID(keys[1])]; o.State != bucket.Present {
		t.Errorf("policy ignore made the object %q", o.State)
	}
}

func TestAbsencesThatAreSuspectDeleteNothing(t *testing.T) {
	keep := func(fault func(*providertest.Flat, []string), percent int, word string) func(*testing.T) {
		return func(t *testing.T) {
			f, keys := flat(providertest.FlatOptions{PageSize: 4}, 20)
			w := newWorld(t, f, func(s *syncing.Sync) { s.MaxDeletePercent = percent })
			w.ok()
			all := want(f, keys...)
			fault(f, keys)
			run := w.ok()
			if !run.Suspect || !strings.Contains(run.Reason, word) || run.Status != syncing.RunCompleted || run.Ledger.Deleted != 0 {
				t.Errorf("run: suspect %v, reason %q, %s, %v", run.Suspect, run.Reason, run.Status, run.Ledger)
			}
			w.holds(all)
		}
	}
	t.Run("empty", keep(func(f *providertest.Flat, _ []string) {
		f.Inject(providertest.Fault{Method: providertest.Changes, Action: providertest.EmptyListing()})
	}, 100, "empty"))
	t.Run("shrunken", keep(func(f *providertest.Flat, keys []string) {
		for _, k := range keys[:5] {
			f.Delete(k)
		}
	}, 20, "5 of 20"))
	t.Run("incomplete", keep(func(f *providertest.Flat, keys []string) {
		f.Delete(keys[0])
		f.Inject(providertest.Fault{Method: providertest.Changes, Page: 2, Action: providertest.Incomplete()})
	}, 100, "incomplete"))
}

func TestIgnoredAbsencesAlarmOnce(t *testing.T) {
	f, keys := flat(providertest.FlatOptions{}, 10)
	w := newWorld(t, f, func(s *syncing.Sync) { s.OnDelete, s.MaxDeletePercent = syncing.Ignore, 20 })
	w.ok()
	for _, k := range keys[:5] {
		f.Delete(k)
	}
	if run := w.ok(); !run.Suspect {
		t.Error("half of the source is gone, and nobody is told")
	}
	if run := w.ok(); run.Suspect {
		t.Error("what was gone before is told again")
	}
}

func TestAnAbsenceIsConfirmedByStat(t *testing.T) {
	f, keys := flat(providertest.FlatOptions{PageSize: 100}, 10)
	w := newWorld(t, f, nil)
	w.ok()
	f.Delete(keys[4])
	f.SetGate(func(_ context.Context, c providertest.Call) error {
		if c.Method == providertest.Stat {
			f.Put(keys[4], []byte("back"))
		}
		return nil
	})
	run := w.ok()
	if run.Ledger.Deleted != 0 || !strings.Contains(run.Reason, "kept") {
		t.Errorf("an object that exists was deleted: %v, %q", run.Ledger, run.Reason)
	}
	f.SetGate(nil)
	w.ok()
	w.holds(want(f, keys...))
}

func TestRefusedLookIsNoAbsence(t *testing.T) {
	f, keys := flat(providertest.FlatOptions{PageSize: 100}, 10)
	w := newWorld(t, f, nil)
	w.ok()
	all := want(f, keys...)
	f.Delete(keys[4])
	f.Inject(providertest.Fault{Method: providertest.Stat, Times: 1, Action: providertest.Fail(errs.PermissionDenied)})
	if run, err := w.run(); err == nil || run.Status != syncing.RunFailed {
		t.Errorf("a refused scope ends with %s, %v", run.Status, err)
	}
	w.holds(all)
	w.check(w.ok(), syncing.Ledger{Deleted: 1})
}

func TestMissingFileIsTransferredAgain(t *testing.T) {
	f, keys := flat(providertest.FlatOptions{}, 5)
	w := newWorld(t, f, nil)
	w.ok()
	name := filepath.Join(w.dir, "dest", string(w.org), string(w.bucket.ID), keys[2])
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	w.check(w.ok(), syncing.Ledger{Discovered: 5, Unchanged: 4, Synced: 1})
	w.holds(want(f, keys...))
	if err := os.Truncate(name, 2); err != nil {
		t.Fatal(err)
	}
	w.check(w.ok(), syncing.Ledger{Discovered: 5, Unchanged: 4, Synced: 1})
	w.holds(want(f, keys...))
}

func TestRunsContinueAtTheirLimit(t *testing.T) {
	for _, unordered := range []bool{false, true} {
		f, keys := flat(providertest.FlatOptions{PageSize: 7, Unordered: unordered}, 25)
		w := newWorld(t, f, func(s *syncing.Sync) { s.MaxObjectsPerRun = 10 })
		w.engine.Limits.Shards = 1
		for _, synced := range []int64{10, 10, 5} {
			run := w.ok()
			w.check(run, syncing.Ledger{Discovered: synced, Synced: synced})
			if ended := synced == 5; run.PassEnded != ended || w.current().NextSyncAt.After(w.clock()) != ended {
				t.Errorf("after %d: ended %v, next %v", synced, run.PassEnded, w.current().NextSyncAt)
			}
		}
		w.holds(want(f, keys...))
		w.check(w.ok(), syncing.Ledger{Discovered: 25, Unchanged: 25})
	}
}

func TestLimitHoldsOverAllShards(t *testing.T) {
	f, keys := flat(providertest.FlatOptions{PageSize: 4}, 40)
	w := newWorld(t, f, func(s *syncing.Sync) { s.MaxObjectsPerRun = 15 })
	var total int64
	for range 3 {
		run := w.ok()
		if run.Ledger.Synced > 15 {
			t.Errorf("a run of at most 15 brought %d", run.Ledger.Synced)
		}
		total += run.Ledger.Synced
	}
	if total != 40 {
		t.Errorf("three runs brought %d of 40", total)
	}
	w.holds(want(f, keys...))
}

func TestDuplicatesAreFilesOfTheirOwnAndNoNews(t *testing.T) {
	f := providertest.NewFlat(providertest.FlatOptions{})
	f.Put("a", []byte("same"))
	f.Put("b", []byte("same"))
	f.Put("c", []byte("other"))
	w := newWorld(t, f, nil)
	w.engine.Limits.Shards = 1 // the first in order is the original
	w.check(w.ok(), syncing.Ledger{Discovered: 3, Synced: 2, Duplicate: 1})
	w.holds(want(f, "a", "b", "c"))
	f.Put("d", []byte("same"))
	w.check(w.ok(), syncing.Ledger{Discovered: 4, Unchanged: 3, Duplicate: 1})
	w.holds(want(f, "a", "b", "c", "d"))
	objects := w.objects()
	if first := objects[f.ID("a")]; first.DuplicateOf != "" || objects[f.ID("b")].DuplicateOf != string(first.ID) || objects[f.ID("d")].DuplicateOf != string(first.ID) {
		t.Errorf("duplicates are not marked: %+v", objects)
	}
	told := w.told()
	if len(told) != 2 || !told[objects[f.ID("a")].ID] || !told[objects[f.ID("c")].ID] {
		t.Errorf("events name %v", slices.Collect(maps.Keys(told)))
	}
}

// told returns the objects that events named as created or changed.
func (w *world) told() map[id.Object]bool {
	w.t.Helper()
	list, err := w.store.Events().List(context.Background(), w.org, 0, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[id.Object]bool{}
	for _, e := range list {
		for _, m := range e.Messages() {
			if m.Type == event.ObjectCreated || m.Type == event.ObjectUpdated {
				out[id.Object(fmt.Sprint(m.Data["object_id"]))] = true
			}
		}
	}
	return out
}

func TestEveryKeyGetsAFileOfItsOwn(t *testing.T) {
	f := providertest.NewFlat(providertest.FlatOptions{})
	keys := []string{"a", "a/b", "A", "a//b", "../x", "CON", "é", "e\u0301", "with\nline", strings.Repeat("long", 200), "bytes\xff\xfe", ".mooring/x"}
	for _, k := range keys {
		f.Put(k, []byte("content of "+k))
	}
	w := newWorld(t, f, nil)
	w.bucket.Rules = bucket.Rules{FoldCase: true, FoldUnicode: true, MaxComponent: 255, MaxPath: 4096}
	w.reopen()
	n := int64(len(keys))
	w.check(w.ok(), syncing.Ledger{Discovered: n, Synced: n})
	w.holds(want(f, keys...))
	w.check(w.ok(), syncing.Ledger{Discovered: n, Unchanged: n})
}

func TestBrokenOrderStopsThePassAndSortsTheNext(t *testing.T) {
	for name, action := range map[string]providertest.Action{"unnoticed": providertest.BreakOrder(), "noticed": providertest.OrderError()} {
		t.Run(name, func(t *testing.T) {
			f, keys := flat(providertest.FlatOptions{PageSize: 5}, 23)
			w := newWorld(t, f, nil)
			w.ok()
			all := want(f, keys...)
			f.Inject(providertest.Fault{Method: providertest.Changes, Action: action})
			run, err := w.run()
			if !errs.Is(err, errs.Corrupt) || run.Status != syncing.RunFailed || !w.current().Unordered {
				t.Errorf("a broken order ends with %v, %s, unordered %v", err, run.Status, w.current().Unordered)
			}
			w.holds(all)
			f.Delete(keys[0])
			w.check(w.ok(), syncing.Ledger{Discovered: 22, Unchanged: 22, Deleted: 1})
			w.holds(want(f, keys[1:]...))
		})
	}
}

func TestWhatAUserDeletedStaysDeleted(t *testing.T) {
	f, keys := flat(providertest.FlatOptions{}, 4)
	w := newWorld(t, f, nil)
	w.ok()
	o := w.objects()[f.ID(keys[1])]
	must(t)(w.store.Catalogue().Update(context.Background(), w.org, w.bucket.ID, o.ID, func(o *bucket.Object) error { o.State = bucket.Removed; return nil }))
	if err := w.sink.Remove(context.Background(), o.Name); err != nil {
		t.Fatal(err)
	}
	run := w.ok()
	w.check(run, syncing.Ledger{Discovered: 4, Unchanged: 3, Skipped: 1})
	if run.Ledger.SkippedBy["deleted_here"] != 1 {
		t.Errorf("skipped by %v", run.Ledger.SkippedBy)
	}
	f.Put(keys[1], []byte("a new version"))
	w.check(w.ok(), syncing.Ledger{Discovered: 4, Unchanged: 3, Synced: 1})
	w.holds(want(f, keys...))
}

func TestFiltersAndSkipsAreCountedByReason(t *testing.T) {
	f := providertest.NewFlat(providertest.FlatOptions{})
	f.Put("a.txt", []byte("a"))
	f.Put("b.tmp", []byte("b"))
	f.Put("c.txt", []byte("far too large"))
	f.PutSkipped("d.txt", []byte("d"), "archived_storage_class")
	most := int64(5)
	w := newWorld(t, f, func(s *syncing.Sync) { s.Filters = &syncing.Filters{Exclude: []string{"*.tmp"}, MaxSize: &most} })
	run := w.ok()
	w.check(run, syncing.Ledger{Discovered: 4, Synced: 1, Filtered: 2, Skipped: 1})
	if l := run.Ledger; l.FilteredBy["exclude_patterns"] != 1 || l.FilteredBy["max_size_bytes"] != 1 || l.SkippedBy["archived_storage_class"] != 1 {
		t.Errorf("reasons: %v %v", l.FilteredBy, l.SkippedBy)
	}
	w.holds(want(f, "a.txt"))
	// What grew past the filter stays as it was: nobody asked to delete it.
	old := want(f, "a.txt")
	f.Put("a.txt", []byte("grown too large"))
	w.check(w.ok(), syncing.Ledger{Discovered: 4, Filtered: 3, Skipped: 1})
	w.holds(old)
}

func TestRowsComeInline(t *testing.T) {
	r := providertest.NewRows(providertest.RowsOptions{PageSize: 4})
	expect := map[string]string{}
	for i := range 9 {
		k := fmt.Sprintf("row%d", i)
		r.Put(k, map[string]any{"n": i, "text": "x"})
		expect[r.ID(k)] = fmt.Sprintf(`{"n":%d,"text":"x"}`, i)
	}
	w := newWorld(t, r, nil)
	w.check(w.ok(), syncing.Ledger{Discovered: 9, Synced: 9})
	w.holds(expect)
	if n := r.Count(providertest.Open); n != 0 {
		t.Errorf("rows with their content inline were opened %d times", n)
	}
	w.check(w.ok(), syncing.Ledger{Discovered: 9, Unchanged: 9})
}

func TestInitialOnlyCompletes(t *testing.T) {
	f, _ := flat(providertest.FlatOptions{}, 5)
	w := newWorld(t, f, func(s *syncing.Sync) { s.Mode, s.MaxObjectsPerRun = syncing.InitialOnly, 3 })
	w.ok()
	if s := w.current(); s.Status != syncing.Active {
		t.Errorf("in the middle of its pass the sync is %s", s.Status)
	}
	w.ok()
	if s := w.current(); s.Status != syncing.Completed || s.NextSyncAt != nil {
		t.Errorf("after its pass the sync is %s, next %v", s.Status, s.NextSyncAt)
	}
	if _, err := w.run(); !errs.Is(err, errs.Conflict) {
		t.Errorf("a completed sync runs: %v", err)
	}
}

func TestQuietRunsAreOneRow(t *testing.T) {
	f, _ := flat(providertest.FlatOptions{}, 5)
	w := newWorld(t, f, nil)
	for range 5 {
		w.ok()
	}
	n, err := w.store.Runs().Count(context.Background(), w.org, syncing.RunFilter{Sync: w.sync})
	run, _ := w.store.Runs().Get(context.Background(), w.org, w.current().CurrentRun)
	if err != nil || n != 2 || run.Quiet != 3 {
		t.Errorf("%d rows after one run with changes and four without, %d folded, %v", n, run.Quiet, err)
	}
}

func TestUnchangedPassesAreCheap(t *testing.T) {
	f, _ := flat(providertest.FlatOptions{}, 5000)
	w := newWorld(t, f, nil)
	w.engine.Limits.Shards = 1
	w.ok()
	steps := map[string]int{}
	w.engine.Hooks.Step = func(name string) { steps[name]++ }
	w.ok()
	if n := steps[engine.StepAppended]; n > 6 {
		t.Errorf("5 pages without a change took %d records", n)
	}
	if n := steps[engine.StepCatalogue] + steps[engine.StepPlaced] + steps[engine.StepNotes]; n != 0 {
		t.Errorf("a pass without a change wrote %d times per item", n)
	}
}
