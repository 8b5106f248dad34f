package engine_test

import (
	"context"
	"fmt"
	"testing"

	"mooring/internal/errs"
	"mooring/internal/provider/providertest"
	"mooring/internal/syncing"
)

// drive makes a feed with two folders and three files.
func drive() (f *providertest.Feed, a, b string, files []string) {
	f = providertest.NewFeed(providertest.FeedOptions{PageSize: 3})
	a = f.Folder(providertest.Root, "A")
	b = f.Folder(a, "B")
	files = []string{
		f.File(providertest.Root, "top.txt", []byte("top")),
		f.File(a, "one.txt", []byte("one")),
		f.File(b, "two.txt", []byte("two")),
	}
	return f, a, b, files
}

func feedWant(f *providertest.Feed, ids ...string) map[string]string {
	out := map[string]string{}
	for _, i := range ids {
		out[i] = string(f.Content(i))
	}
	return out
}

// paths checks where objects stand, by their source paths and names.
func (w *world) paths(want map[string]string) {
	w.t.Helper()
	objects := w.objects()
	for source, path := range want {
		if o := objects[source]; o.SourcePath != path || o.Name != path {
			w.t.Errorf("%s: path %q, name %q, want %q", source, o.SourcePath, o.Name, path)
		}
	}
}

func TestFeedEnumeratesThenFollows(t *testing.T) {
	f, a, _, files := drive()
	w := newWorld(t, f, nil)
	w.check(w.ok(), syncing.Ledger{Discovered: 3, Synced: 3})
	w.holds(feedWant(f, files...))
	w.paths(map[string]string{files[0]: "top.txt", files[1]: "A/one.txt", files[2]: "A/B/two.txt"})
	if w.current().FeedCursor == nil {
		t.Fatal("the feed's cursor was not kept")
	}
	w.check(w.ok(), syncing.Ledger{})

	f.Write(files[1], []byte("one, changed"))
	added := f.File(a, "three.txt", []byte("three"))
	f.Delete(files[0])
	w.check(w.ok(), syncing.Ledger{Discovered: 2, Synced: 2, Deleted: 1})
	w.holds(feedWant(f, files[1], files[2], added))
}

func TestFolderRenameMovesAllBelowWithoutDownload(t *testing.T) {
	f, a, b, files := drive()
	w := newWorld(t, f, nil)
	w.ok()
	opens := f.Count(providertest.Open)
	f.Rename(a, "Z")
	w.check(w.ok(), syncing.Ledger{Discovered: 2, Unchanged: 2, Moved: 2})
	w.paths(map[string]string{files[0]: "top.txt", files[1]: "Z/one.txt", files[2]: "Z/B/two.txt"})
	w.holds(feedWant(f, files...))

	f.Move(b, providertest.Root)
	f.Rename(files[0], "bottom.txt")
	w.check(w.ok(), syncing.Ledger{Discovered: 2, Unchanged: 2, Moved: 2})
	w.paths(map[string]string{files[0]: "bottom.txt", files[1]: "Z/one.txt", files[2]: "B/two.txt"})
	w.holds(feedWant(f, files...))
	if n := f.Count(providertest.Open) - opens; n != 0 {
		t.Errorf("moves opened %d items", n)
	}
	// Back and forth: names are freed and taken again.
	f.Rename(a, "A")
	w.ok()
	f.Rename(a, "Z")
	w.ok()
	w.paths(map[string]string{files[1]: "Z/one.txt"})
	w.holds(feedWant(f, files...))
}

func TestFolderGoneTakesAllBelow(t *testing.T) {
	f, a, _, files := drive()
	w := newWorld(t, f, nil)
	w.ok()
	f.Delete(a)
	w.check(w.ok(), syncing.Ledger{Deleted: 2})
	w.holds(feedWant(f, files[0]))
}

func TestMoveOutOfTheScopeAndBackIn(t *testing.T) {
	f := providertest.NewFeed(providertest.FeedOptions{PageSize: 2})
	scope, other := f.Folder(providertest.Root, "in"), f.Folder(providertest.Root, "out")
	sub := f.Folder(scope, "sub")
	x, y := f.File(sub, "x", []byte("x")), f.File(scope, "y", []byte("y"))
	w := newWorld(t, f, func(s *syncing.Sync) { s.SourcePath = scope })
	w.ok()
	w.holds(feedWant(f, x, y))
	f.Move(sub, other)
	w.check(w.ok(), syncing.Ledger{Deleted: 1})
	w.holds(feedWant(f, y))
	f.Move(sub, scope)
	w.check(w.ok(), syncing.Ledger{Discovered: 1, Synced: 1})
	w.holds(feedWant(f, x, y))
}

func TestDeadCursorEnumeratesAnewWithoutDownloads(t *testing.T) {
	f, _, b, files := drive()
	w := newWorld(t, f, nil)
	w.ok()
	opens := f.Count(providertest.Open)
	f.Delete(files[0])
	f.Rename(b, "C")
	f.ExpireCursors()
	run := w.ok()
	if run.PassEnded {
		t.Error("a pass with a dead cursor counts as ended")
	}
	w.check(w.ok(), syncing.Ledger{Discovered: 2, Unchanged: 2, Moved: 1, Deleted: 1})
	w.holds(feedWant(f, files[1], files[2]))
	w.paths(map[string]string{files[1]: "A/one.txt", files[2]: "A/C/two.txt"})
	if n := f.Count(providertest.Open) - opens; n != 0 {
		t.Errorf("enumerating anew opened %d items", n)
	}
	if w.current().FeedCursor == nil {
		t.Error("the new cursor was not kept")
	}
}

func TestItemsBeforeTheirFolders(t *testing.T) {
	f := providertest.NewFeed(providertest.FeedOptions{PageSize: 2, ChildrenFirst: true})
	parent, path := providertest.Root, ""
	want, paths := map[string]string{}, map[string]string{}
	for i := range 6 {
		name := fmt.Sprint("d", i)
		parent, path = f.Folder(parent, name), path+name+"/"
		file := f.File(parent, "f", []byte(path))
		want[file], paths[file] = path, path+"f"
	}
	w := newWorld(t, f, nil)
	w.check(w.ok(), syncing.Ledger{Discovered: 6, Synced: 6})
	w.holds(want)
	w.paths(paths)
}

func TestSuspectFeedTellsAgain(t *testing.T) {
	f, a, _, files := drive()
	w := newWorld(t, f, func(s *syncing.Sync) { s.MaxDeletePercent = 50 })
	w.ok()
	f.Delete(a)
	run := w.ok()
	if !run.Suspect || run.Ledger.Deleted != 0 {
		t.Fatalf("deleting 2 of 3 by a feed is not suspect: %+v", run)
	}
	w.edit(func(s *syncing.Sync) { s.MaxDeletePercent = 100 })
	w.check(w.ok(), syncing.Ledger{Deleted: 2})
	w.holds(feedWant(f, files[0]))
}

func TestFeedRetriesDeadLetters(t *testing.T) {
	f, _, _, files := drive()
	f.Inject(providertest.Fault{Method: providertest.Open, ID: files[1], Times: 3, Action: providertest.FailWith(itemError(errs.PermissionDenied))})
	w := newWorld(t, f, nil)
	w.check(w.ok(), syncing.Ledger{Discovered: 3, Synced: 2, Failed: 1})
	w.check(w.ok(), syncing.Ledger{}) // the feed does not tell of it again
	n, err := w.store.DeadLetters().SetStatus(context.Background(), w.org, w.sync, syncing.DeadLetterFilter{}, nil, syncing.DeadRetry)
	if n != 1 || err != nil {
		t.Fatal(n, err)
	}
	w.check(w.ok(), syncing.Ledger{Discovered: 1, Synced: 1})
	w.holds(feedWant(f, files...))
	w.paths(map[string]string{files[1]: "A/one.txt"})
	w.letters(0)
}

// letters checks how many dead letters there are, and returns them.
func (w *world) letters(n int) []syncing.DeadLetter {
	w.t.Helper()
	list, err := w.store.DeadLetters().Scan(context.Background(), w.org, w.sync, "", "", 100)
	if err != nil || len(list) != n {
		w.t.Errorf("%d dead letters, want %d (%v): %+v", len(list), n, err, list)
	}
	return list
}
