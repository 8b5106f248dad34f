package service

import (
	"context"
	"time"

	"mooring/internal/id"
	"mooring/internal/store"
	"mooring/internal/webhook"
)

const (
	sweepEvery = time.Hour
	sweepBatch = 500

	// keepEvents is how long an event is kept, whether or not somebody has got it,
	// and waitEvents how long at most one that a webhook has not got.
	keepEvents = 7 * 24 * time.Hour
	waitEvents = 30 * 24 * time.Hour
)

// Sweep removes events that are old enough.
func (d *Deliverer) Sweep(ctx context.Context) {
	var after id.Org
	for {
		orgs, err := d.System.Organizations(ctx, after, 100)
		if err != nil || len(orgs) == 0 {
			return
		}
		for _, o := range orgs {
			after = o.ID
			if err := d.expire(ctx, o.ID); err != nil && ctx.Err() == nil {
				d.Log.Error("removing old events", "organization", o.ID, "error", err)
			}
		}
	}
}

func (d *Deliverer) expire(ctx context.Context, org id.Org) error {
	got, err := d.got(ctx, org)
	if err != nil {
		return err
	}
	now := d.Now()
	for {
		list, err := d.Store.Events().List(ctx, org, 0, sweepBatch)
		if err != nil {
			return err
		}
		n := 0
		for n < len(list) && list[n].Time.Before(now.Add(-keepEvents)) && (list[n].Sequence <= got || list[n].Time.Before(now.Add(-waitEvents))) {
			n++
		}
		if n == 0 {
			return nil
		}
		if err := d.Store.Events().Drop(ctx, org, list[n-1].Sequence); err != nil || n < sweepBatch {
			return err
		}
	}
}

// got is the last event that every webhook which wants events has got.
func (d *Deliverer) got(ctx context.Context, org id.Org) (int64, error) {
	least, err := d.Store.Events().Last(ctx, org)
	if err != nil {
		return 0, err
	}
	list, err := d.Store.Webhooks().List(ctx, org, store.Page{Limit: 1000})
	for _, w := range list.Items {
		if w.Status != webhook.Disabled {
			least = min(least, w.Position)
		}
	}
	return least, err
}
