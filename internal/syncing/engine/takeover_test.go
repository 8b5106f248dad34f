package engine_test

import (
	"context"
	"sync/atomic"
	"testing"

	"mooring/internal/errs"
	"mooring/internal/provider/providertest"
	"mooring/internal/store"
	"mooring/internal/syncing"
	"mooring/internal/syncing/engine"
)

// A worker that was stopped for a while and does not know that it lost its
// lease can neither append a record nor change anything of the run that took
// the sync over, wherever it stood.
func TestAWorkerThatWasTakenOverStops(t *testing.T) {
	for _, at := range []int{1, 9, 17, 25, 39} {
		f, keys := flat(providertest.FlatOptions{PageSize: 8}, 40)
		w := newWorld(t, f, nil)
		w.engine.Limits = engine.Limits{PageItems: 4, Shards: 1, Transfers: 1}
		stuck, release := make(chan struct{}), make(chan struct{})
		var once atomic.Bool
		f.SetGate(func(_ context.Context, c providertest.Call) error {
			if c.Method == providertest.Open && c.N == at && !once.Swap(true) {
				close(stuck)
				<-release
			}
			return nil
		})
		ended := make(chan error)
		go func() {
			_, err := w.engine.Run(context.Background(), w.org, w.sync, store.Lease{Fence: 1}, "wrk_old")
			ended <- err
		}()
		<-stuck
		e := w.engine
		other := &engine.Engine{Store: e.Store, Open: e.Open, Sinks: e.Sinks, Health: e.Health, Now: e.Now, Sleep: e.Sleep, Log: e.Log, Scratch: e.Scratch, Limits: e.Limits, Hooks: e.Hooks}
		run, err := other.Run(context.Background(), w.org, w.sync, store.Lease{Fence: 2}, "wrk_new")
		if err != nil || run.Worker != "wrk_new" {
			t.Fatal(err)
		}
		close(release)
		if err := <-ended; !errs.Is(err, errs.Conflict) {
			t.Errorf("the old worker ends with %v", err)
		}
		w.holds(want(f, keys...))
		if s := w.current(); s.Totals.Discovered != 40 || s.CurrentRun != run.ID || s.Failures != 0 {
			t.Errorf("totals %v, failures %d", s.Totals, s.Failures)
		}
		list, _ := w.store.Runs().List(context.Background(), w.org, syncing.RunFilter{Sync: w.sync}, store.Page{})
		if len(list.Items) != 2 || list.Items[1].Status != syncing.RunCanceled || list.Items[1].Reason == "" {
			t.Errorf("the old run is %+v", list.Items)
		}
		w.check(w.ok(), syncing.Ledger{Discovered: 40, Unchanged: 40})
	}
}
