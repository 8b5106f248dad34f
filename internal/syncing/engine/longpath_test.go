package engine_test

import (
	"strings"
	"testing"

	"mooring/internal/provider/providertest"
	"mooring/internal/syncing"
)

// TestPathsHaveAnEnd: whoever may make folders can't fill memory and records with
// their names. What is that deep is skipped, and what was there before stays.
func TestPathsHaveAnEnd(t *testing.T) {
	f := providertest.NewFeed(providertest.FeedOptions{})
	at := f.Folder(providertest.Root, "top")
	top, long := at, strings.Repeat("語", 10_000)
	moved := f.File(top, "moved", []byte("moved"))
	for range 3 {
		at = f.Folder(at, long)
	}
	file := f.File(at, "file", []byte("file"))
	inside, deep := f.Folder(providertest.Root, "inside"), f.File(at, "deep", []byte("deep"))
	under := f.File(inside, "under", []byte("under"))
	w := newWorld(t, f, nil)
	run := w.ok()
	w.check(run, syncing.Ledger{Discovered: 4, Synced: 2, Skipped: 2})
	if run.Ledger.SkippedBy["path_too_long"] != 2 {
		t.Errorf("skipped by %v", run.Ledger.SkippedBy)
	}
	w.holds(feedWant(f, moved, under))

	f.Move(moved, at)  // a change of the item
	f.Move(inside, at) // and of a folder above one
	f.Delete(deep)
	w.ok()
	w.holds(feedWant(f, moved, under))
	w.paths(map[string]string{moved: "top/moved", under: "inside/under"})

	f.ExpireCursors() // an enumeration meets them too
	w.ok()
	w.holds(feedWant(f, moved, under))

	f.Move(at, top)
	w.ok()
	w.ok()
	w.holds(feedWant(f, moved, under, file))
	if got := w.objects()[under].SourcePath; got != "top/"+long+"/inside/under" {
		t.Errorf("back, %s is at %.40q", under, got)
	}
}
