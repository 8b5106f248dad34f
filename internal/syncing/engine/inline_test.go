package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"testing"

	"mooring/internal/provider/driver"
	"mooring/internal/provider/providertest"
	"mooring/internal/syncing/engine"
)

// wide gives pages of rows whose content is made when they are asked for.
type wide struct {
	portable
	pages, rows int
	unordered   bool
	look        func()
}

func (s wide) Changes(_ context.Context, _ driver.Scope, cur driver.Cursor) (driver.Page, error) {
	n := 0
	_, _ = fmt.Sscan(string(cur), &n)
	p := driver.Page{Snapshot: true, Ordered: !s.unordered, More: n+1 < s.pages, Next: fmt.Append(nil, n+1)}
	for i := range s.rows {
		id := fmt.Sprintf("row%05d", n*s.rows+i)
		p.Changes = append(p.Changes, driver.Change{Item: driver.Item{
			ID: id, Name: id, Path: id, Rel: id, Size: driver.MaxInline, Version: id, Inline: bytes.Repeat([]byte(id[3:]+"\n"), driver.MaxInline/6+1)[:driver.MaxInline],
		}})
	}
	s.look()
	return p, nil
}

func (wide) Splitter() (driver.Splitter, bool) { return nil, false }

// A gibibyte of rows, each as large as may be, passes through in the memory of
// little more than a page.
func TestRowsOfAMebibyteTakeBoundedMemory(t *testing.T) {
	for _, unordered := range []bool{false, true} {
		w := newWorld(t, providertest.NewRows(providertest.RowsOptions{}), nil)
		w.engine.Limits = engine.Limits{InlineBytes: 8 << 20}
		var heap heapPeak
		src := wide{portable: portable{w.src}, pages: 8, rows: 32, unordered: unordered, look: func() { runtime.GC(); heap.look() }}
		if !testing.Short() {
			src.pages = 32
		}
		w.engine.Open = opener(src)
		if run := w.ok(); run.Ledger.Synced != int64(src.pages*src.rows) {
			t.Errorf("%v", run.Ledger)
		}
		t.Logf("unordered %v: %d MiB of rows, heap %d MiB", unordered, src.pages*src.rows, heap.bytes>>20)
		if heap.bytes > 100<<20 {
			t.Errorf("unordered %v: the heap grew to %d MiB", unordered, heap.bytes>>20)
		}
	}
}
