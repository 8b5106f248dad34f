package engine_test

import (
	"context"
	"strconv"
	"sync"
	"testing"

	"mooring/internal/provider/providertest"
	"mooring/internal/syncing/engine"
)

// TestProgressRunsAheadOfTheLedger: who watches a run sees what it found and
// what arrives before the record of it is written, and nothing once it has ended.
func TestProgressRunsAheadOfTheLedger(t *testing.T) {
	src := providertest.NewFlat(providertest.FlatOptions{})
	for i := range 8 {
		src.Put(strconv.Itoa(i), []byte("0123456789"))
	}
	w := newWorld(t, src, nil)
	var mu sync.Mutex // transfers step at once
	var staged, last engine.Progress
	var saw, ahead bool
	w.engine.Hooks.Step = func(step string) {
		if step != engine.StepStaged {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		run := w.current().CurrentRun
		p, ok := w.engine.Progress(run)
		saw = saw || ok
		if live, err := w.store.Runs().Get(context.Background(), w.org, run); err == nil && live.Ledger.Synced == 0 && p.Bytes > 0 {
			ahead = true
		}
		staged, last = last, p
	}
	run := w.ok()
	if !saw || !ahead || last.Bytes == 0 || last.BytesKnown != 80 || staged.Bytes > last.Bytes {
		t.Errorf("progress before the end: %+v, seen %v, ahead of the ledger %v", last, saw, ahead)
	}
	if p, ok := w.engine.Progress(run.ID); ok {
		t.Errorf("an ended run has progress: %+v", p)
	}
}
