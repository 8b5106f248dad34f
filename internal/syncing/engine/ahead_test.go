package engine_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mooring/internal/errs"
	"mooring/internal/provider/providertest"
	"mooring/internal/syncing"
)

// parted makes a world in which an item of a MiB is a large one.
func parted(t *testing.T) (*world, *providertest.Flat, string) {
	w, f, big := single(t, providertest.FlatOptions{})
	l := &w.engine.Limits
	l.Transfers, l.LargeItem, l.PartBytes, l.PartsAhead = 8, 1<<18, 1<<16, 3
	return w, f, big
}

func TestALargeItemIsReadInPartsAtOnce(t *testing.T) {
	w, f, big := parted(t)
	together := make(chan struct{})
	var under, most atomic.Int64
	var met sync.Once
	f.SetGate(func(ctx context.Context, c providertest.Call) error {
		switch {
		case c.Method == providertest.OpenRange:
			n := under.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			if n == 3 {
				met.Do(func() { close(together) })
			}
			select {
			case <-together: // the first three wait for each other
			case <-time.After(time.Minute):
			case <-ctx.Done():
			}
			under.Add(-1)
		case c.Method == providertest.Open && c.ID != big:
			<-together // small ones do not go first
		}
		return nil
	})
	w.check(w.ok(), syncing.Ledger{Discovered: 3, Synced: 3})
	w.holds(want(f, "a", "big", "z"))
	if opens, parts := f.Count(providertest.Open), f.Count(providertest.OpenRange); opens != 3 || parts != 15 {
		t.Errorf("%d streams and %d parts, want 3 and 15", opens, parts)
	}
	if most.Load() != 3 {
		t.Errorf("%d parts at once, want 3", most.Load())
	}
}

// Where every transfer has an item of its own, parts would only be in the way.
func TestNoPartsWithoutAFreeTransfer(t *testing.T) {
	w, f, _ := parted(t)
	w.engine.Limits.Transfers = 1
	w.check(w.ok(), syncing.Ledger{Discovered: 3, Synced: 3})
	w.holds(want(f, "a", "big", "z"))
	if n := f.Count(providertest.OpenRange); n != 0 {
		t.Errorf("%d parts", n)
	}
}

func TestAPartThatFailsIsReadInTheStream(t *testing.T) {
	for name, action := range map[string]providertest.Action{
		"unavailable":   providertest.Fail(errs.Unavailable),
		"throttled":     providertest.Throttle(time.Second),
		"denied":        providertest.Fail(errs.PermissionDenied),
		"corrupt":       providertest.Fail(errs.Corrupt),
		"it breaks off": providertest.ShortRead(500_000),
	} {
		t.Run(name, func(t *testing.T) {
			w, f, big := parted(t)
			f.Inject(providertest.Fault{Method: providertest.OpenRange, ID: big, After: 4, Action: action})
			w.check(w.ok(), syncing.Ledger{Discovered: 3, Synced: 3})
			w.holds(want(f, "a", "big", "z"))
			if n := f.Count(providertest.Open); n != 4 {
				t.Errorf("%d opens, want 4: the item was started over", n)
			}
		})
	}
}

func TestAByteThatFlipsInAPartIsNoticed(t *testing.T) {
	w, f, big := parted(t)
	f.Inject(providertest.Fault{Method: providertest.OpenRange, ID: big, Action: providertest.CorruptByte(300_000)})
	run := w.ok()
	if w.check(run, syncing.Ledger{Discovered: 3, Synced: 2, Failed: 1}); run.Ledger.FailedBy["corrupt"] != 1 {
		t.Errorf("failed by %v", run.Ledger.FailedBy)
	}
	w.holds(want(f, "a", "z"))
}

func TestALargeItemThatChangesMeanwhileArrivesInItsNewVersion(t *testing.T) {
	w, f, big := parted(t)
	f.SetGate(func(_ context.Context, c providertest.Call) error {
		if c.Method == providertest.OpenRange && c.ID == big && c.N == 5 {
			f.PutGenerated("big", 8, 1<<20)
		}
		return nil
	})
	w.check(w.ok(), syncing.Ledger{Discovered: 3, Synced: 3})
	w.holds(want(f, "a", "big", "z"))
}

func TestARunThatIsStoppedLeavesNoPartBehind(t *testing.T) {
	w, f, big := parted(t)
	ctx, stop := context.WithCancel(t.Context())
	var under atomic.Int64
	f.SetGate(func(ctx context.Context, c providertest.Call) error {
		if c.Method != providertest.OpenRange || c.ID != big {
			return nil
		}
		under.Add(1)
		defer under.Add(-1)
		if c.N == 3 {
			stop()
		}
		<-ctx.Done()
		return ctx.Err()
	})
	if _, err := w.runIn(ctx); !errs.Is(err, errs.Canceled) {
		t.Errorf("%v", err)
	}
	if n := under.Load(); n != 0 {
		t.Errorf("%d parts are still under way", n)
	}
	f.SetGate(nil)
	w.ok()
	w.holds(want(f, "a", "big", "z"))
}
