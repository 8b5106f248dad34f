package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"mooring/internal/provider/driver"
	"mooring/internal/provider/providertest"
	"mooring/internal/syncing"
	"mooring/internal/syncing/engine"
)

// noted are rows of which the source notes something of each third.
type noted struct{ *providertest.Rows }

func (s noted) Changes(ctx context.Context, sc driver.Scope, cur driver.Cursor) (driver.Page, error) {
	p, err := s.Rows.Changes(ctx, sc, cur)
	for i := range p.Changes {
		if it := &p.Changes[i].Item; it.Columns["n"] == 0 {
			it.Note = "null_watermark"
		}
	}
	return p, err
}

// What a source notes of items is counted once for each pass that meets them,
// whatever becomes of them, wherever the process is killed.
func TestNotesAreCountedOnce(t *testing.T) {
	const rows = 18
	for seed := range seeds(t, 30) {
		rnd := rand.New(rand.NewPCG(uint64(seed), 3))
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			src := noted{providertest.NewRows(providertest.RowsOptions{PageSize: 5, Unordered: seed%3 == 2})}
			for i := range rows {
				src.Put(fmt.Sprintf("r%02d", i), map[string]any{"n": i % 3, "text": fmt.Sprint("row ", i/2)})
			}
			w := newWorld(t, src, func(s *syncing.Sync) {
				s.SourcePath = "DB.PUBLIC.ITEMS"
				s.Filters = &syncing.Filters{Exclude: []string{"r03*"}}
			})
			w.engine.Limits = engine.Limits{PageItems: 4, Transfers: 2}
			k := &killer{w: w}
			k.runUntilDone(t, rnd, seed, 2)
			before := w.counted(syncing.Sync{}, rows)
			k.runUntilDone(t, rnd, seed, 2)
			after := w.counted(before, rows)
			if got := after.Totals.NotedBy["null_watermark"]; got != after.PassCounter*rows/3 {
				t.Errorf("%d notes in %d passes over %d", got, after.PassCounter, rows/3)
			}
		})
	}
}
