package engine_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"mooring/internal/bucket"
	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/provider/providertest"
	"mooring/internal/sink"
	"mooring/internal/store"
	"mooring/internal/syncing"
	"mooring/internal/syncing/engine"
)

// An object that a user deletes while its letter waits to be tried again stays
// deleted, and its letter ends with that.
func TestARetryOfADeletedObjectEndsItsLetter(t *testing.T) {
	w, f, _ := single(t, providertest.FlatOptions{})
	w.ok()
	ctx := context.Background()
	o := w.objects()[f.ID("a")]
	if err := os.Truncate(filepath.Join(w.dir, "dest", string(w.org), string(w.bucket.ID), o.Name), 1); err != nil {
		t.Fatal(err)
	}
	must(t)(w.engine.Verify(ctx, w.org, w.sync, store.Lease{Fence: 1}, "wrk_test", true, nil))
	w.letters(1)
	must(t)(w.store.Catalogue().Update(ctx, w.org, w.bucket.ID, o.ID, func(o *bucket.Object) error { o.State = bucket.Removed; return nil }))
	if err := w.sink.Remove(ctx, o.Name); err != nil {
		t.Fatal(err)
	}
	w.ok()
	w.letters(0)
	w.holds(want(f, "big", "z"))
}

// A connection that is suspended while a run is under way is contacted no more,
// and nothing is counted.
func TestASuspensionStopsARunUnderWay(t *testing.T) {
	for _, status := range []connection.Status{connection.Suspended, connection.Archived} {
		f, keys := flat(providertest.FlatOptions{PageSize: 8}, 64)
		w := newWorld(t, f, nil)
		w.engine.Limits = engine.Limits{PageItems: 4, Shards: 1, Transfers: 1}
		set := func(to connection.Status) {
			must(t)(w.store.Connections().Update(context.Background(), w.org, w.conn.ID, func(c *connection.Connection) error { c.Status = to; return nil }))
		}
		f.SetGate(func(_ context.Context, c providertest.Call) error {
			if c.Method == providertest.Open && c.N == 5 {
				set(status)
			}
			return nil
		})
		run, err := w.run()
		if !errs.Is(err, errs.Conflict) || run.Status != syncing.RunCanceled || run.Reason == "" {
			t.Errorf("%s: the run ended %s (%q), %v", status, run.Status, run.Reason, err)
		}
		w.sound(run)
		if n := f.Count(providertest.Open); n > 20 {
			t.Errorf("%s: %d items were read after all", status, n)
		}
		if s := w.current(); s.Failures != 0 || !s.NextSyncAt.After(w.clock()) || w.health.blames() != 0 {
			t.Errorf("%s: %d failures, next %v", status, s.Failures, s.NextSyncAt)
		}
		set(connection.Active)
		w.ok()
		w.holds(want(f, keys...))
	}
}

// Opening may be refused for the same reason, just after the run had looked.
func TestASuspensionBeforeOpeningCountsNothing(t *testing.T) {
	w, _, _ := single(t, providertest.FlatOptions{})
	w.engine.Open = func(context.Context, id.Org, id.Connection) (engine.Source, error) {
		return nil, errs.New(errs.Conflict, "connection.use", "the connection is SUSPENDED")
	}
	run, err := w.run()
	if s := w.current(); !errs.Is(err, errs.Conflict) || run.Status != syncing.RunCanceled || s.Failures != 0 || !s.NextSyncAt.After(w.clock()) {
		t.Errorf("run %s, %v: %d failures, next %v", run.Status, err, s.Failures, s.NextSyncAt)
	}
}

// A destination that can't be opened puts the sync off, whatever it says.
func TestADestinationThatIsNotDefinedPutsOff(t *testing.T) {
	w, _, _ := single(t, providertest.FlatOptions{})
	w.engine.Sinks = func(context.Context, bucket.Bucket) (sink.Sink, error) {
		return nil, errs.New(errs.Conflict, "bucket.sink", "it is no longer defined")
	}
	if _, err := w.run(); err == nil {
		t.Fatal("it ran")
	}
	if s := w.current(); s.LastError == nil || !s.NextSyncAt.After(w.clock()) {
		t.Errorf("it is due at once again, for ever: %v", s.NextSyncAt)
	}
}

// A server that never knows its own cursors is a failure, not a reason to begin
// again at once, for ever.
func TestAListingWhoseCursorsAlwaysDieFails(t *testing.T) {
	f, keys := flat(providertest.FlatOptions{PageSize: 4}, 12)
	w := newWorld(t, f, nil)
	f.Inject(providertest.Fault{Method: providertest.Changes, Page: 2, Action: providertest.FailWith(&errs.Error{Kind: errs.CursorExpired, Origin: errs.Provider, Scope: errs.ScopePath})})
	w.engine.Limits.Shards = 1
	for range 2 { // once may be chance: the next run begins again at once
		if run := w.ok(); run.PassEnded {
			t.Error("a pass that a dead cursor ended counts as ended")
		}
	}
	for n := 1; n <= 2; n++ {
		run, err := w.run()
		s := w.current()
		if err == nil || run.Status != syncing.RunFailed || s.Failures != n || !s.NextSyncAt.After(w.clock()) {
			t.Fatalf("run %s, %v: %d failures, next %v", run.Status, err, s.Failures, s.NextSyncAt)
		}
		w.sound(run)
	}
	f.ClearFaults()
	w.ok()
	w.holds(want(f, keys...))
}

// What a killed process staged for a sync goes with the sync, and nothing else.
func TestForgetRemovesWhatASyncStaged(t *testing.T) {
	w, _, _ := single(t, providertest.FlatOptions{})
	ctx := context.Background()
	for _, name := range []string{string(w.sync) + "-x-1", "sync_other-x-1"} {
		s, err := w.sink.Stage(ctx, name, -1)
		if err == nil {
			err = s.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.engine.Forget(ctx, w.org, w.sync); err != nil {
		t.Fatal(err)
	}
	var left []string
	_ = w.sink.Sweep(ctx, func(n string) bool { left = append(left, n); return true })
	if len(left) != 1 || left[0] != "sync_other-x-1" {
		t.Errorf("left: %v", left)
	}
}

func TestCleanScratchRemovesWhatSortingLeft(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"mooring-sort-1/2", "else"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := engine.CleanScratch(dir); err != nil {
		t.Fatal(err)
	}
	if list, _ := os.ReadDir(dir); len(list) != 1 || list[0].Name() != "else" {
		t.Errorf("left: %v", list)
	}
}

// A change that closes a letter and tells that its object is gone is settled as
// a whole: a feed tells of it once.
func TestAKillBetweenALetterAndItsObjectLosesNothing(t *testing.T) {
	f := providertest.NewFeed(providertest.FeedOptions{PageSize: 50})
	var files []string
	for i := range 20 {
		files = append(files, f.File(providertest.Root, string(rune('a'+i)), []byte{byte(i)}))
	}
	w := newWorld(t, f, nil)
	w.ok()
	last := files[19]
	f.Write(last, []byte("a version that fails"))
	f.Inject(providertest.Fault{Method: providertest.Open, ID: last, Action: providertest.FailWith(itemError(errs.PermissionDenied))})
	w.ok()
	w.letters(1)
	for _, i := range files {
		f.Delete(i)
	}
	f.File(providertest.Root, "new", []byte("new")) // or the listing would be of nothing
	w.engine.Limits.PageItems = 1                   // 20 works a record: the letter is the last of the first
	ctx, kill := context.WithCancel(context.Background())
	defer kill()
	w.engine.Hooks.Step = func(name string) {
		if name == engine.StepFolded {
			kill()
		}
	}
	if _, err := w.runIn(ctx); !errors.Is(err, context.Canceled) && !errs.Is(err, errs.Canceled) {
		t.Fatalf("it was not stopped: %v", err)
	}
	w.engine.Hooks.Step = nil
	w.ok()
	w.letters(0)
	for source, o := range w.objects() {
		if source == last && o.State == bucket.Present {
			t.Error("an object whose item is gone is kept for ever")
		}
	}
}

// A letter that is retried after its folder has moved gets the path of now.
func TestARetriedItemHasThePathOfNow(t *testing.T) {
	f, a, _, files := drive()
	w := newWorld(t, f, nil)
	f.Inject(providertest.Fault{Method: providertest.Open, ID: files[1], Action: providertest.FailWith(itemError(errs.PermissionDenied))})
	w.ok()
	f.Rename(a, "Z")
	w.ok()
	f.ClearFaults()
	must(t)(w.store.DeadLetters().SetStatus(context.Background(), w.org, w.sync, syncing.DeadLetterFilter{}, nil, syncing.DeadRetry))
	w.ok()
	w.paths(map[string]string{files[1]: "Z/one.txt", files[2]: "Z/B/two.txt"})
	w.holds(feedWant(f, files...))
}

// brokenDrop is a store whose records can't be dropped for a while.
type brokenDrop struct{ store.Store }

func (s brokenDrop) Pages() store.Pages { return brokenPages{s.Store.Pages()} }

type brokenPages struct{ store.Pages }

func (brokenPages) Drop(context.Context, id.Org, id.Sync, []string) error {
	return errs.New(errs.Unavailable, "store.pages.drop", "the disk is full")
}

// A name that a record has freed may be another's by the time that the record is
// done again.
func TestARedoLeavesAFreedNameToItsNewOwner(t *testing.T) {
	f, _, _, files := drive()
	w := newWorld(t, f, nil)
	w.ok()
	old := w.objects()[files[0]].Name
	f.Rename(files[0], "renamed.txt")
	f.Write(files[0], []byte("changed"))
	w.engine.Store = brokenDrop{w.store}
	if _, err := w.run(); err == nil {
		t.Fatal("records were dropped")
	}
	w.engine.Store = w.store

	// Another sync takes the name.
	ctx := context.Background()
	claims := []bucket.Claim{{Source: "o/other", Candidates: []bucket.Candidate{{Name: old, Folded: old}}}}
	if got, err := w.store.Catalogue().Reserve(ctx, w.org, w.bucket.ID, claims); err != nil || got[0] != old {
		t.Fatalf("the name was not freed: %v, %v", got, err)
	}
	s, err := w.sink.Stage(ctx, "sync_other-x-1", -1)
	if err == nil {
		_, err = s.Write([]byte("theirs"))
	}
	if err == nil {
		err = s.Close()
	}
	if err == nil {
		err = w.sink.Place(ctx, "sync_other-x-1", old, 6)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.ok()
	if w.files()[old] != "theirs" {
		t.Error("the file of another owner was removed")
	}
}

// What a user deletes between a record and its application stays deleted, and
// what the record brought of it goes again.
func TestADeletionDuringACommitHolds(t *testing.T) {
	w, f, _ := single(t, providertest.FlatOptions{})
	w.engine.Limits.Shards = 1
	w.ok()
	ctx := context.Background()
	o := w.objects()[f.ID("a")]
	if err := w.sink.Remove(ctx, o.Name); err != nil { // so that it is brought again
		t.Fatal(err)
	}
	deleted := false
	w.engine.Hooks.Step = func(name string) {
		if name != engine.StepAppended || deleted {
			return
		}
		deleted = true
		must(t)(w.store.Catalogue().Update(ctx, w.org, w.bucket.ID, o.ID, func(o *bucket.Object) error { o.State = bucket.Removed; return nil }))
	}
	w.ok()
	w.holds(want(f, "big", "z"))
	w.engine.Hooks.Step = nil
	w.check(w.ok(), syncing.Ledger{Discovered: 3, Unchanged: 2, Skipped: 1})
}

// lateStore lets a user delete an object just before the rows of a record are written.
type lateStore struct {
	store.Store
	before func()
}

func (s lateStore) Catalogue() store.Catalogue { return lateCatalogue{s.Store.Catalogue(), s.before} }

type lateCatalogue struct {
	store.Catalogue
	before func()
}

func (c lateCatalogue) Upsert(ctx context.Context, org id.Org, b id.Bucket, list []bucket.Object) error {
	if len(list) > 0 {
		c.before()
	}
	return c.Catalogue.Upsert(ctx, org, b, list)
}

// However late a user deletes, the version deleted does not come back, and a
// newer one is not lost.
func TestADeletionAtTheLastMomentHolds(t *testing.T) {
	for _, newer := range []bool{false, true} {
		w, f, _ := single(t, providertest.FlatOptions{})
		w.engine.Limits.Shards = 1
		w.ok()
		ctx := context.Background()
		o := w.objects()[f.ID("a")]
		if newer {
			f.Put("a", []byte("a newer version"))
		} else if err := w.sink.Remove(ctx, o.Name); err != nil { // so that it is brought again
			t.Fatal(err)
		}
		deleted := false
		w.engine.Store = lateStore{w.store, func() {
			if deleted {
				return
			}
			deleted = true
			must(t)(w.store.Catalogue().Update(ctx, w.org, w.bucket.ID, o.ID, func(o *bucket.Object) error { o.State = bucket.Removed; return nil }))
		}}
		w.ok()
		all := want(f, "a", "big", "z")
		if !newer {
			delete(all, f.ID("a"))
		}
		w.holds(all)
	}
}
