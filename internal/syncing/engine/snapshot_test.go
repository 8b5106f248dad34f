package engine_test

import (
	"fmt"
	"testing"

	"mooring/internal/provider/providertest"
	"mooring/internal/syncing"
)

func TestFirstRunBringsEverything(t *testing.T) {
	f := providertest.NewFlat(providertest.FlatOptions{PageSize: 7})
	var keys []string
	for i := range 50 {
		k := fmt.Sprintf("d%d/f%03d", i%3, i)
		keys = append(keys, k)
		f.Put(k, []byte("content "+k))
	}
	w := newWorld(t, f, nil)
	w.check(w.ok(), syncing.Ledger{Discovered: 50, Synced: 50})
	w.holds(want(f, keys...))
	opens := f.Count(providertest.Open)
	w.check(w.ok(), syncing.Ledger{Discovered: 50, Unchanged: 50})
	if n := f.Count(providertest.Open) - opens; n != 0 {
		t.Errorf("an unchanged pass opened %d items", n)
	}
}
