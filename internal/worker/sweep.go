package worker

import (
	"context"
	"errors"
	"time"

	"mooring/internal/connection"
	"mooring/internal/id"
	"mooring/internal/store"
	"mooring/internal/store/system"
	"mooring/internal/syncing"
)

const sweepBatch = 100

// sweep stops runs of syncs that were deleted, and removes what was deleted or is
// older than its retention: one process at a time. Every step may be interrupted
// and is taken up again by the next sweep, of any worker.
func (w *Worker) sweep(ctx context.Context) {
	err := w.Once(ctx, "sweep", func(ctx context.Context) error {
		w.removeBuckets(ctx, w.removeSyncs(ctx))
		w.everyOrganization(ctx, func(o id.Org) { w.expireRunsOf(ctx, o, w.Now().Add(-or(w.Retain, defaultRetain))) })
		w.tendTrails(ctx)
		return nil
	})
	if errors.Is(err, errHeld) {
		w.interruptDeleted(ctx)
	} else if err != nil {
		w.complain(ctx, "acquiring a lease", err)
	}
}

// interruptDeleted stops the runs of deleted syncs on this worker, which another
// one waits for.
func (w *Worker) interruptDeleted(ctx context.Context) {
	syncs, err := w.System.DeletedSyncs(ctx, sweepBatch)
	w.complainIf(ctx, "listing deleted syncs", err)
	for _, s := range syncs {
		w.Interrupt(s.Sync)
	}
}

// leftover is what of the deleted syncs is still there.
type leftover struct {
	buckets map[id.Bucket]bool // that they wrote to
	unknown bool               // there may be more
}

// removeSyncs removes deleted syncs. One whose run is under way, on this worker
// or another, is left until that has stopped: it still writes.
func (w *Worker) removeSyncs(ctx context.Context) leftover {
	left := leftover{buckets: map[id.Bucket]bool{}}
	syncs, err := w.System.DeletedSyncs(ctx, sweepBatch)
	if err != nil {
		w.complain(ctx, "listing deleted syncs", err)
	}
	left.unknown = err != nil || len(syncs) == sweepBatch
	for _, s := range syncs {
		var err error = errHeld
		if w.Interrupt(s.Sync); !w.busy(s.Sync) {
			err = w.under(ctx, leaseOf(s.Sync), func(ctx context.Context) error { return w.removeSync(ctx, s) })
		}
		if err == nil {
			continue
		}
		if !errors.Is(err, errHeld) {
			w.complain(ctx, "removing a deleted sync", err)
		}
		row, err := w.Store.Syncs().Get(ctx, s.Org, s.Sync)
		left.buckets[row.Bucket], left.unknown = true, left.unknown || err != nil
	}
	return left
}

func (w *Worker) removeSync(ctx context.Context, s system.SyncRef) error {
	if w.Forget != nil {
		w.complainIf(ctx, "removing what a deleted sync had staged", w.Forget(ctx, s.Org, s.Sync))
	}
	return w.Store.Syncs().Remove(ctx, s.Org, s.Sync)
}

// removeBuckets removes deleted buckets that no deleted sync may still write to.
func (w *Worker) removeBuckets(ctx context.Context, left leftover) {
	if left.unknown {
		return
	}
	buckets, err := w.System.DeletingBuckets(ctx, sweepBatch)
	if err != nil {
		w.complain(ctx, "listing deleted buckets", err)
	}
	for _, b := range buckets {
		if left.buckets[b.Bucket] {
			continue
		}
		err := w.under(ctx, "bucket/"+string(b.Bucket), func(ctx context.Context) error { return w.Buckets.Remove(ctx, b.Org, b.Bucket) })
		if err != nil && !errors.Is(err, errHeld) {
			w.complain(ctx, "removing a deleted bucket", err)
		}
	}
}

// Once does work that every process does now and then, unless another one is at
// it: errs.Conflict.
func (w *Worker) Once(ctx context.Context, lease string, work func(context.Context) error) error {
	if w.Exclusive {
		return work(ctx)
	}
	return w.under(ctx, lease, work)
}

// under does work under a lease, or fails with errHeld while somebody else holds
// it.
func (w *Worker) under(ctx context.Context, lease string, work func(context.Context) error) error {
	claim, err := w.Claim(ctx, lease)
	if err != nil {
		return err
	}
	defer claim.Release()
	return work(claim.Context)
}

func (w *Worker) everyOrganization(ctx context.Context, do func(id.Org)) {
	var after id.Org
	for {
		orgs, err := w.System.Organizations(ctx, after, sweepBatch)
		if err != nil || len(orgs) == 0 {
			w.complainIf(ctx, "listing organizations", err)
			return
		}
		for _, o := range orgs {
			after = o.ID
			do(o.ID)
		}
	}
}

// trailEvery is the time between two looks at the audit trails.
const trailEvery = time.Hour

// usageDays is how long connections' usage is kept.
const usageDays = 400

// tendTrails prunes audit trails and logs where they end: a log that is kept
// elsewhere shows later that nothing before was changed.
func (w *Worker) tendTrails(ctx context.Context) {
	if w.Trails == nil || !w.tended.IsZero() && w.Now().Sub(w.tended) < trailEvery {
		return
	}
	w.tended = w.Now()
	w.everyOrganization(ctx, func(org id.Org) {
		w.complainIf(ctx, "removing old usage", w.Store.Usage().Prune(ctx, org, connection.DayOf(w.Now().AddDate(0, 0, -usageDays))))
		if w.RetainAudit > 0 {
			err := w.under(ctx, "audit/"+string(org), func(ctx context.Context) error {
				_, err := w.Trails.Prune(ctx, org, w.RetainAudit)
				return err
			})
			if !errors.Is(err, errHeld) {
				w.complainIf(ctx, "pruning an audit trail", err)
			}
		}
		head, err := w.Trails.Head(ctx, org)
		w.complainIf(ctx, "reading an audit trail's head", err)
		if err == nil && head.Sequence > w.heads[org] {
			w.heads[org] = head.Sequence
			w.Log.Info("audit trail", "organization", org, "head", head.String(), "time", head.Time)
		}
	})
}

// expireRunsOf removes ended runs past their retention. One that was never closed
// is left for its sync, whose next run closes it.
func (w *Worker) expireRunsOf(ctx context.Context, org id.Org, before time.Time) {
	page := store.Page{Limit: sweepBatch}
	for range sweepBatch {
		old, err := w.Store.Runs().List(ctx, org, syncing.RunFilter{Until: before}, page)
		if err != nil {
			w.complain(ctx, "listing old runs", err)
			return
		}
		for _, r := range old.Items {
			if r.Status != syncing.RunInProgress {
				w.complainIf(ctx, "removing an old run", w.Store.Runs().Remove(ctx, org, r.ID))
			}
		}
		if page.Cursor = old.Next; page.Cursor == "" {
			return
		}
	}
}

func (w *Worker) complainIf(ctx context.Context, what string, err error) {
	if err != nil {
		w.complain(ctx, what, err)
	}
}
