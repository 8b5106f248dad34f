package worker

import (
	"context"
	"time"

	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store/system"
)

// mostHelped bounds the runs of other processes that one process helps with at
// once. They take no slot: what is due here does not wait for them.
const mostHelped = 2

// tryHelp helps with a run that another process has begun, unless it looked a
// while ago and found nothing to do.
func (w *Worker) tryHelp(ctx context.Context, ref system.SyncRef) {
	helping, cancel := context.WithCancel(ctx)
	if w.Helper == nil || !w.enterHelp(ref.Sync, cancel) {
		cancel()
		return
	}
	w.runs.Go(func() {
		defer w.leaveHelp(ref.Sync)
		defer cancel()
		err := w.Helper.Help(helping, ref.Org, ref.Sync, w.id)
		if err != nil && !errs.Is(err, errs.Canceled) && !errs.Is(err, errs.Conflict) {
			w.Log.Warn("helping a run ended", "sync", ref.Sync, "error", err, "kind", errs.KindOf(err).String())
		}
	})
}

func (w *Worker) enterHelp(s id.Sync, cancel context.CancelFunc) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	at, before := w.helped[s]
	if w.helping >= mostHelped || w.running[s] != nil || before && time.Since(at) < w.term()/6 {
		return false
	}
	w.helping++
	w.running[s] = cancel
	return true
}

func (w *Worker) leaveHelp(s id.Sync) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.helping--
	delete(w.running, s)
	if len(w.helped) > mostDue {
		clear(w.helped)
	}
	w.helped[s] = time.Now()
}
