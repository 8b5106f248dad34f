package worker

import (
	"context"
	"errors"

	"mooring/internal/id"
	"mooring/internal/store"
	"mooring/internal/syncing"
)

const sweepBatch = 100

// sweep removes what was deleted or is older than its retention. Every step may
// be interrupted and is taken up again by the next sweep, of any worker.
func (w *Worker) sweep(ctx context.Context) {
	if _, err := w.System.Relay(ctx, 10*sweepBatch); err != nil {
		w.complain(ctx, "relaying outboxes", err)
	}
	syncs, err := w.System.DeletedSyncs(ctx, sweepBatch)
	if err != nil {
		w.complain(ctx, "listing deleted syncs", err)
	}
	for _, s := range syncs {
		w.Interrupt(s.Sync)
		if err := w.under(ctx, "sync/"+string(s.Sync), func() error { return w.Store.Syncs().Remove(ctx, s.Org, s.Sync) }); err != nil {
			w.complain(ctx, "removing a deleted sync", err)
		}
	}
	buckets, err := w.System.DeletingBuckets(ctx, sweepBatch)
	if err != nil {
		w.complain(ctx, "listing deleted buckets", err)
	}
	for _, b := range buckets {
		if err := w.under(ctx, "bucket/"+string(b.Bucket), func() error { return w.Buckets.Remove(ctx, b.Org, b.Bucket) }); err != nil {
			w.complain(ctx, "removing a deleted bucket", err)
		}
	}
	w.expireRuns(ctx)
}

// under does short work under a lease, or nothing while somebody else holds it.
func (w *Worker) under(ctx context.Context, lease string, work func() error) error {
	l, err := w.acquire(ctx, lease)
	if errors.Is(err, errHeld) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = w.Store.Leases().Release(context.WithoutCancel(ctx), l) }()
	return work()
}

// expireRuns removes ended runs past their retention, the oldest last in each
// organization's list.
func (w *Worker) expireRuns(ctx context.Context) {
	var after id.Org
	before := w.Now().Add(-or(w.Retain, defaultRetain))
	for {
		orgs, err := w.System.Organizations(ctx, after, sweepBatch)
		if err != nil || len(orgs) == 0 {
			w.complainIf(ctx, "listing organizations", err)
			return
		}
		for _, o := range orgs {
			after = o.ID
			for range sweepBatch {
				old, err := w.Store.Runs().List(ctx, o.ID, syncing.RunFilter{Until: before}, store.Page{Limit: sweepBatch})
				if err != nil || len(old.Items) == 0 {
					w.complainIf(ctx, "listing old runs", err)
					break
				}
				for _, r := range old.Items {
					w.complainIf(ctx, "removing an old run", w.Store.Runs().Remove(ctx, o.ID, r.ID))
				}
			}
		}
	}
}

func (w *Worker) complainIf(ctx context.Context, what string, err error) {
	if err != nil {
		w.complain(ctx, what, err)
	}
}
