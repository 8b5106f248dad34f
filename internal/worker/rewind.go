package worker

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"mooring/internal/clock"
	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store"
	"mooring/internal/store/system"
	"mooring/internal/syncing"
	"mooring/internal/webhook"
)

const (
	rewindEvery  = time.Hour
	rewindSettle = 30 // polls, after which is looked once more
	rewindBatch  = 200
	rewindAtOnce = 8 // so that a store can commit several together
)

// rewinding looks for what a wrong clock has put off at the start, whenever this
// machine's clock is set back, and every hour: it may have been another's.
func (w *Worker) rewinding(ctx context.Context) {
	tick := time.NewTicker(or(w.Poll, defaultPoll))
	defer tick.Stop()
	var watch clock.Watch
	var looked, settled time.Time
	for due := true; ; {
		if watch.Back(w.Now()) {
			// Who had read the clock before may write after the look: there is a second.
			due, settled = true, time.Now().Add(rewindSettle*or(w.Poll, defaultPoll))
		}
		if !settled.IsZero() && time.Now().After(settled) {
			due, settled = true, time.Time{}
		}
		if due = due || time.Since(looked) > rewindEvery; due {
			err := w.Once(ctx, "rewind", w.Rewind)
			if due, looked = errors.Is(err, errHeld), time.Now(); !due {
				w.complainIf(ctx, "looking for what a wrong clock has put off", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Rewind makes due what a wrong clock has put off: checks, runs, and what is
// sent to webhooks. Each step is an update of one record, so that it may end anywhere.
func (w *Worker) Rewind(ctx context.Context) error {
	r := &rewind{Worker: w, at: w.Now().UTC().Truncate(time.Millisecond)}
	later := system.Point{At: r.at.Add(clock.Slack)}
	err := errors.Join(
		through(ctx, later, w.System.LaterConnections, r.connection),
		through(ctx, later, w.System.LaterSyncs, r.sync),
		through(ctx, system.Point{}, w.System.LaterWebhooks, r.webhook),
	)
	if n := r.made.Load(); n > 0 {
		w.Log.Warn("the clock was wrong for a while: what it had put off is due again", "records", n)
	}
	return err
}

// rewind is one look at all that is due later. Its steps say where a record
// stood in its queue.
type rewind struct {
	*Worker
	at   time.Time
	made atomic.Int64
}

func (r *rewind) connection(ctx context.Context, c *connection.Connection) (system.Point, error) {
	at := system.Point{At: *c.NextCheckAt, ID: string(c.ID)}
	if !c.Ahead(r.at) {
		return at, nil
	}
	return at, again(ctx, r, c.Org, r.Store.Connections(), c.ID, func(c *connection.Connection) { connection.Rewind(c, r.at) })
}

func (r *rewind) sync(ctx context.Context, s *syncing.Sync) (system.Point, error) {
	at := system.Point{At: *s.NextSyncAt, ID: string(s.ID)}
	if !s.Ahead(r.at) {
		return at, nil
	}
	return at, again(ctx, r, s.Org, r.Store.Syncs(), s.ID, func(s *syncing.Sync) { s.Rewind(r.at) })
}

// webhook looks at the messages too that wait by themselves, of which there are few.
func (r *rewind) webhook(ctx context.Context, h *webhook.Webhook) (system.Point, error) {
	at := system.Point{At: h.RetryAt, ID: string(h.ID)}
	if h.Ahead(r.at) {
		if err := again(ctx, r, h.Org, r.Store.Webhooks(), h.ID, func(h *webhook.Webhook) { h.Rewind(r.at) }); err != nil {
			return at, err
		}
	}
	for p := (store.Page{Limit: rewindBatch}); ; {
		list, err := r.Store.Deliveries().List(ctx, h.Org, h.ID, webhook.DeliveryPending, p)
		if err != nil {
			return at, err
		}
		for _, d := range list.Items {
			if !d.Ahead(r.at) {
				continue
			}
			if err := again(ctx, r, h.Org, r.Store.Deliveries(), d.ID, func(d *webhook.Delivery) { d.Rewind(r.at) }); err != nil {
				return at, err
			}
		}
		if p.Cursor = list.Next; p.Cursor == "" {
			return at, nil
		}
	}
}

// again changes one record. One that has gone meanwhile is not missed.
func again[T any, ID ~string](ctx context.Context, r *rewind, org id.Org, in store.Records[T, ID], i ID, change func(*T)) error {
	_, err := in.Update(ctx, org, i, func(v *T) error { change(v); return nil })
	if errs.Is(err, errs.NotFound) {
		return nil
	}
	if err == nil {
		r.made.Add(1)
	}
	return err
}

// through goes through a queue from a point on, with several records at a time,
// so that a store can commit them together.
func through[T any](ctx context.Context, at system.Point, read func(context.Context, system.Point, int) ([]T, error), step func(context.Context, *T) (system.Point, error)) error {
	for {
		some, err := read(ctx, at, rewindBatch)
		if err != nil || len(some) == 0 {
			return err
		}
		points, failed := make([]system.Point, len(some)), make([]error, len(some))
		var wg sync.WaitGroup
		for first := range rewindAtOnce {
			wg.Go(func() {
				for i := first; i < len(some) && ctx.Err() == nil; i += rewindAtOnce {
					points[i], failed[i] = step(ctx, &some[i])
				}
			})
		}
		wg.Wait()
		if err := errors.Join(ctx.Err(), errors.Join(failed...)); err != nil {
			return err
		}
		at = points[len(points)-1]
	}
}
