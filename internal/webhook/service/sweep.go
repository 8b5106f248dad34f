package service

import (
	"context"
	"math"
	"time"

	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store"
	"mooring/internal/webhook"
)

const (
	sweepEvery = time.Hour
	sweepBatch = 500

	// keepEvents is how long an event is kept, whether or not somebody has got it,
	// and waitEvents how long at most one that a webhook has not got; and a
	// delivery that was given up.
	keepEvents = 7 * 24 * time.Hour
	waitEvents = 30 * 24 * time.Hour
)

// sweeping sweeps now and every hour until ctx ends.
func (d *Deliverer) sweeping(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		d.sweepOnce(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// sweepOnce sweeps, unless another process is at it.
func (d *Deliverer) sweepOnce(ctx context.Context) {
	if d.Claims == nil {
		d.Sweep(ctx)
		return
	}
	claim, err := d.Claims.Claim(ctx, "sweep/webhooks")
	if err != nil {
		if !errs.Is(err, errs.Conflict) && ctx.Err() == nil {
			d.Log.Error("acquiring a lease", "error", err)
		}
		return
	}
	defer claim.Release()
	d.Sweep(claim.Context)
}

// Sweep removes events, and deliveries that were given up, which are old enough.
func (d *Deliverer) Sweep(ctx context.Context) {
	var after id.Org
	for {
		orgs, err := d.System.Organizations(ctx, after, 100)
		if err != nil && ctx.Err() == nil {
			d.Log.Error("listing organizations whose events are old", "error", err)
		}
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

// expire goes in steps of many events, of which it reads the last alone: one
// may be large.
func (d *Deliverer) expire(ctx context.Context, org id.Org) error {
	got, err := d.got(ctx, org)
	if err != nil {
		return err
	}
	first, err := d.Store.Events().List(ctx, org, 0, 1)
	if err != nil || len(first) == 0 {
		return err
	}
	now := d.Now()
	for at, step := first[0].Sequence-1, int64(sweepBatch); step > 0; {
		list, err := d.Store.Events().List(ctx, org, at+step-1, 1)
		if err != nil {
			return err
		}
		if len(list) == 0 || list[0].Time.After(now.Add(-keepEvents)) || list[0].Sequence > got && list[0].Time.After(now.Add(-waitEvents)) {
			step /= 2
			continue
		}
		at += step
		if err := d.Store.Events().Drop(ctx, org, at); err != nil {
			return err
		}
	}
	return nil
}

// got is the last event that every webhook which wants events has got, its
// deliveries that wait included.
func (d *Deliverer) got(ctx context.Context, org id.Org) (int64, error) {
	least, err := d.Store.Events().Last(ctx, org)
	if err != nil {
		return 0, err
	}
	list, err := d.Store.Webhooks().List(ctx, org, store.Page{Limit: 1000})
	if err != nil {
		return 0, err
	}
	for _, w := range list.Items {
		waits, err := d.waits(ctx, org, w.ID)
		if err != nil {
			return 0, err
		}
		if w.Status != webhook.Disabled {
			least = min(least, w.Position, waits-1)
		}
	}
	return least, nil
}

// waits is the first event of which a delivery of a webhook waits. It removes
// deliveries that were given up long ago.
func (d *Deliverer) waits(ctx context.Context, org id.Org, w id.Webhook) (int64, error) {
	first := int64(math.MaxInt64)
	for p := (store.Page{Limit: sweepBatch}); ; {
		list, err := d.Store.Deliveries().List(ctx, org, w, "", p)
		if err != nil {
			return 0, err
		}
		for _, x := range list.Items {
			switch {
			case x.State == webhook.DeliveryPending:
				first = min(first, x.Sequence)
			case x.UpdatedAt.Before(d.Now().Add(-waitEvents)):
				if err := d.Store.Deliveries().Remove(ctx, org, x.ID); err != nil {
					return 0, err
				}
			}
		}
		if p.Cursor = list.Next; p.Cursor == "" {
			return first, nil
		}
	}
}
