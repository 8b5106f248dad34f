package worker

import (
	"testing"
	"time"

	"mooring/internal/store"
)

// TestALeaseIsFreeOnceItStandsStill walks through what an observer sees of
// another's lease. No clock but the observer's own takes part.
func TestALeaseIsFreeOnceItStandsStill(t *testing.T) {
	now := time.Unix(0, 0)
	o := observer{seen: map[string]sighting{}, now: func() time.Time { return now }}
	const term = 30 * time.Second
	see := func(fence, beat int64) bool {
		return o.free(store.Lease{Name: "sync/a", Holder: "wrk_other", Fence: fence, Beat: beat, Until: time.Unix(1, 0)}, "wrk_self", term)
	}
	steps := []struct {
		after       time.Duration
		fence, beat int64
		free        bool
		why         string
	}{
		{0, 1, 0, false, "seen for the first time, however long ago its holder's clock says it ended"},
		{29 * time.Second, 1, 0, false, "not yet a term"},
		{1 * time.Second, 1, 1, false, "it has moved: the term begins anew"},
		{29 * time.Second, 1, 1, false, "not yet a term since it moved"},
		{1 * time.Second, 2, 1, false, "somebody else has taken it"},
		{30 * time.Second, 2, 1, true, "unchanged for a term"},
	}
	for _, s := range steps {
		now = now.Add(s.after)
		if got := see(s.fence, s.beat); got != s.free {
			t.Errorf("%s: free is %v", s.why, got)
		}
	}
	if !o.free(store.Lease{Name: "sync/b"}, "wrk_self", term) {
		t.Error("a lease that nobody holds is not free")
	}
	if !o.free(store.Lease{Name: "sync/c", Holder: "wrk_self", Fence: 3}, "wrk_self", term) {
		t.Error("our own lease is not free to us")
	}
}
