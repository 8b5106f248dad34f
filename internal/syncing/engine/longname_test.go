package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"mooring/internal/provider/providertest"
	"mooring/internal/syncing"
)

// TestNamesOf64KiB: keys of 64 KiB, of one name or of thousands of folders, and of
// megabytes, end neither a run nor what stands beside them. One name arrives, in
// records that stay small; what would cost far more than it holds is an outcome.
func TestNamesOf64KiB(t *testing.T) {
	for name, o := range map[string]providertest.FlatOptions{"ordered": {}, "unordered": {Unordered: true}} {
		t.Run(name, func(t *testing.T) {
			f, keys := flat(o, 20)
			w := newWorld(t, f, nil)
			for i := range 6 {
				k := fmt.Sprintf("long/%03d", i)
				k += strings.Repeat("n", 64<<10-len(k))
				f.Put(k, fmt.Appendf(nil, "long %d", i))
				keys = append(keys, k)
				f.Put(fmt.Sprintf("deep/%03d", i)+strings.Repeat("/d", 32_000), fmt.Appendf(nil, "deep %d", i))
			}
			slashes := strings.Repeat("/", 100)
			f.Put(slashes, []byte("slashes"))
			keys = append(keys, slashes)
			for _, where := range []string{"a", "m", "z"} {
				f.Put(where+strings.Repeat("x", 2<<20), []byte("vast"))
			}
			for range 2 {
				run := w.ok()
				if run.Ledger.SkippedBy["path_too_long"] != 9 || run.Ledger.Failed != 0 || run.Ledger.Synced+run.Ledger.Unchanged != 27 {
					t.Fatalf("%+v", run.Ledger)
				}
				w.holds(want(f, keys...))
			}
			if s := w.current(); s.Status != syncing.Active {
				t.Errorf("the sync is %s", s.Status)
			}
		})
	}
}
