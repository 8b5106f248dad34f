package engine_test

import (
	"testing"

	"mooring/internal/provider/providertest"
	"mooring/internal/syncing"
)

// TestADuplicateTakesTheFirstOnesPlace: a content that is in the bucket always
// has an object that was told of.
func TestADuplicateTakesTheFirstOnesPlace(t *testing.T) {
	f := providertest.NewFlat(providertest.FlatOptions{})
	for _, k := range []string{"a", "b", "c"} {
		f.Put(k, []byte("same"))
	}
	w := newWorld(t, f, func(s *syncing.Sync) { s.OnDelete, s.MaxDeletePercent = syncing.Delete, 100 })
	w.engine.Limits.Shards = 1
	w.check(w.ok(), syncing.Ledger{Discovered: 3, Synced: 1, Duplicate: 2})
	heir := w.objects()[f.ID("b")]
	if w.told()[heir.ID] {
		t.Fatal("a duplicate was told of")
	}

	f.Put("a", []byte("changed"))
	w.check(w.ok(), syncing.Ledger{Discovered: 3, Synced: 1, Unchanged: 2})
	if o := w.objects()[f.ID("b")]; o.DuplicateOf != "" || !w.told()[o.ID] {
		t.Errorf("when the first changed, the next was not told of: %+v", o)
	}

	f.Delete("b")
	w.check(w.ok(), syncing.Ledger{Discovered: 2, Unchanged: 2, Deleted: 1})
	if o := w.objects()[f.ID("c")]; o.DuplicateOf != "" || !w.told()[o.ID] {
		t.Errorf("when the first went, the next was not told of: %+v", o)
	}
}

// TestAnHeirOfTheSameRecord: the first changes in the same page in which a new
// item brings its old content.
func TestAnHeirOfTheSameRecord(t *testing.T) {
	for _, late := range []string{"0", "z"} { // listed before the first, and after it
		f := providertest.NewFlat(providertest.FlatOptions{})
		f.Put("a", []byte("same"))
		w := newWorld(t, f, nil)
		w.engine.Limits.Shards = 1
		w.ok()
		f.Put("a", []byte("changed"))
		f.Put(late, []byte("same"))
		w.ok()
		if o := w.objects()[f.ID(late)]; o.DuplicateOf != "" || !w.told()[o.ID] {
			t.Errorf("%s: the content has no first object: %+v", late, o)
		}
	}
}
