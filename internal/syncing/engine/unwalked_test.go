package engine_test

import (
	"testing"

	"mooring/internal/provider/providertest"
	"mooring/internal/syncing"
)

// A folder enters the scope, and one that the index knows in it has moved on by
// the time it is walked: a later page tells where to. What is in it has to come.
func TestAFolderThatMovedOnBeforeItWasWalked(t *testing.T) {
	f := providertest.NewFeed(providertest.FeedOptions{PageSize: 1})
	scope, outside := f.Folder(providertest.Root, "scope"), f.Folder(providertest.Root, "outside")
	outer := f.Folder(outside, "outer")
	inner := f.Folder(outer, "inner")
	file := f.File(inner, "file", []byte("content"))
	w := newWorld(t, f, func(s *syncing.Sync) { s.SourcePath = scope })
	w.ok()
	f.Rename(outer, "outer 2")
	f.Rename(inner, "inner 2") // the index knows both from now on, outside
	w.ok()
	w.holds(nil)
	f.Move(outer, scope)
	f.Move(inner, scope)
	w.ok()
	w.holds(map[string]string{file: "content"})
	if got := w.objects()[file].SourcePath; got != "inner 2/file" {
		t.Errorf("it is at %q", got)
	}
}
