package service

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"mooring/internal/errs"
	"mooring/internal/event"
	"mooring/internal/id"
	"mooring/internal/secret"
	"mooring/internal/store"
	"mooring/internal/store/system"
	"mooring/internal/webhook"
)

// Deliverer sends messages, each at least once and in no promised order. Every
// webhook is served by itself: one that is slow or down delays no other.
type Deliverer struct {
	Store  store.Store
	System system.System
	Vault  Vault
	Client *http.Client // guarded, and without redirects
	Log    *slog.Logger
	Now    func() time.Time
	Poll   time.Duration // of the due queue, a second when 0

	once    sync.Once
	wake    chan struct{}
	mu      sync.Mutex
	serving map[id.Webhook]bool
}

const (
	maxServed  = 64 // webhooks at once
	perWebhook = 8  // messages of one at once
	turnEvents = 20 // events of one before it queues up again
	turnRetry  = 50
)

func (d *Deliverer) init() {
	d.once.Do(func() { d.wake, d.serving = make(chan struct{}, 1), map[id.Webhook]bool{} })
}

// Wake looks at what is due now rather than at the next poll.
func (d *Deliverer) Wake() {
	d.init()
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Run sends what is due until ctx ends; what is being sent then is sent again.
func (d *Deliverer) Run(ctx context.Context) {
	d.init()
	slots := make(chan struct{}, maxServed)
	var running sync.WaitGroup
	defer running.Wait()
	poll := time.NewTicker(either(d.Poll, time.Second))
	defer poll.Stop()
	var swept time.Time
	for {
		if d.Now().Sub(swept) > sweepEvery {
			d.Sweep(ctx)
			swept = d.Now()
		}
		due, err := d.System.DueWebhooks(ctx, d.Now(), 2*maxServed)
		if err != nil && ctx.Err() == nil {
			d.Log.Error("reading which webhooks are due", "error", err)
		}
		for _, ref := range due {
			if !d.take(ref.Webhook) {
				continue
			}
			select {
			case slots <- struct{}{}:
				running.Go(func() {
					defer func() { <-slots; d.leave(ref.Webhook) }()
					d.serve(ctx, ref)
				})
			default: // all slots are taken: the next poll
				d.leave(ref.Webhook)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
		case <-d.wake:
		}
	}
}

func (d *Deliverer) take(w id.Webhook) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.serving[w] {
		return false
	}
	d.serving[w] = true
	return true
}

func (d *Deliverer) leave(w id.Webhook) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.serving, w)
}

// serve gives one webhook a turn.
func (d *Deliverer) serve(ctx context.Context, ref system.WebhookRef) {
	more, err := d.Turn(ctx, ref)
	if err != nil && ctx.Err() == nil && !errs.Is(err, errs.NotFound) {
		d.Log.Error("serving a webhook", "webhook", ref.Webhook, "error", err)
	}
	if more {
		d.Wake()
	}
}

// turn is the service of one webhook for a while.
type turn struct {
	*Deliverer
	ref     system.WebhookRef
	hook    webhook.Webhook
	secrets []secret.String
}

// Turn sends some of what a webhook has not got yet, and reports whether more waits.
func (d *Deliverer) Turn(ctx context.Context, ref system.WebhookRef) (more bool, err error) {
	hook, err := d.Store.Webhooks().Get(ctx, ref.Org, ref.Webhook)
	if err != nil || hook.Status != webhook.Active || hook.RetryAt.After(d.Now()) {
		return false, err
	}
	t := &turn{Deliverer: d, ref: ref, hook: hook}
	for _, s := range hook.Live(d.Now()) {
		plain, err := d.Vault.Open(ctx, binding(ref.Org, ref.Webhook), s.Value)
		if err != nil {
			return false, err
		}
		t.secrets = append(t.secrets, plain)
	}
	again, err := t.retry(ctx)
	if err != nil {
		return false, err
	}
	more, err = t.forward(ctx)
	return more || again, err
}

// retry sends deliveries whose time has come.
func (t *turn) retry(ctx context.Context) (more bool, err error) {
	due, err := t.Store.Deliveries().Due(ctx, t.ref.Org, t.ref.Webhook, t.Now(), turnRetry)
	if err != nil || len(due) == 0 {
		return false, err
	}
	var messages []event.Message
	for _, x := range due {
		m, err := t.message(ctx, x)
		if err != nil {
			return false, err
		}
		messages = append(messages, m)
	}
	results := t.send(ctx, messages)
	for i, x := range due {
		switch r := results[i]; {
		case ctx.Err() != nil:
			return false, ctx.Err()
		case r.ok():
			err = t.Store.Deliveries().Remove(ctx, t.ref.Org, x.ID)
		default:
			_, err = t.Store.Deliveries().Update(ctx, t.ref.Org, x.ID, func(x *webhook.Delivery) error {
				t.postpone(x, r)
				return nil
			})
		}
		if err != nil && !errs.Is(err, errs.NotFound) {
			return false, err
		}
	}
	return len(due) == turnRetry, nil
}

// message finds what a delivery is about; a zero one when the event is gone.
func (t *turn) message(ctx context.Context, x webhook.Delivery) (event.Message, error) {
	list, err := t.Store.Events().List(ctx, t.ref.Org, x.Sequence-1, 1)
	if err != nil || len(list) == 0 || list[0].Sequence != x.Sequence {
		return event.Message{}, err
	}
	if all := list[0].Messages(); x.Part < len(all) {
		return all[x.Part], nil
	}
	return event.Message{}, nil
}

// postpone takes note of one more failure of a delivery.
func (t *turn) postpone(x *webhook.Delivery, r result) {
	now := t.Now().UTC().Truncate(time.Millisecond)
	x.Attempts++
	x.LastStatus, x.LastError, x.UpdatedAt = r.status, r.text(), now
	if wait, ok := webhook.Pause(x.Attempts, r.after); ok {
		next := now.Add(wait)
		x.NextAt = &next
		return
	}
	x.State, x.NextAt = webhook.DeliveryParked, nil
}

// forward sends the events behind the webhook's position. Where the receiver is
// down it stays where it is, and the whole webhook waits.
func (t *turn) forward(ctx context.Context) (more bool, err error) {
	list, err := t.Store.Events().List(ctx, t.ref.Org, t.hook.Position, turnEvents)
	if err != nil {
		return false, err
	}
	at, sent := t.hook.Position, false
	var last result
	for i, e := range list {
		wanted := t.wanted(e)
		results := t.send(ctx, wanted)
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if down, r := allDown(results); down && !t.works(ctx, list[i+1:]) {
			return false, t.rest(ctx, at, r)
		}
		if err := t.keep(ctx, wanted, results); err != nil {
			return false, err
		}
		for _, r := range results {
			if sent = sent || r.ok(); r.ok() || last.status == 0 {
				last = r
			}
		}
		at = e.Sequence
	}
	if len(list) == 0 {
		return false, nil
	}
	return len(list) == turnEvents, t.advance(ctx, at, sent, last)
}

func (t *turn) wanted(e event.Event) (out []event.Message) {
	for _, m := range e.Messages() {
		if t.hook.Wants(m) {
			out = append(out, m)
		}
	}
	return out
}

// works asks with the next message there is whether the receiver is down, or
// merely does not take what came before: that must not hold up all the rest.
func (t *turn) works(ctx context.Context, rest []event.Event) bool {
	if t.hook.Failures == 0 {
		return false // a short outage: wait first
	}
	for _, e := range rest {
		if wanted := t.wanted(e); len(wanted) > 0 {
			return t.send(ctx, wanted[:1])[0].ok()
		}
	}
	return false
}

// keep makes deliveries of the messages that were not taken.
func (t *turn) keep(ctx context.Context, wanted []event.Message, results []result) error {
	now := t.Now().UTC().Truncate(time.Millisecond)
	for i, m := range wanted {
		if results[i].ok() {
			continue
		}
		x := webhook.Delivery{
			ID: webhook.DeliveryID(t.ref.Webhook, m.ID), Org: t.ref.Org, Webhook: t.ref.Webhook, Message: m.ID, Sequence: m.Sequence, Part: m.Part, Type: m.Type,
			State: webhook.DeliveryPending, CreatedAt: now, UpdatedAt: now,
		}
		t.postpone(&x, results[i])
		if _, err := t.Store.Deliveries().Insert(ctx, t.ref.Org, x); err != nil && !errs.Is(err, errs.AlreadyExists) {
			return err
		}
	}
	return nil
}

// advance notes how far the webhook is.
func (t *turn) advance(ctx context.Context, at int64, sent bool, r result) error {
	now := t.Now().UTC().Truncate(time.Millisecond)
	_, err := t.Store.Webhooks().Update(ctx, t.ref.Org, t.ref.Webhook, func(w *webhook.Webhook) error {
		w.Position = max(w.Position, at)
		if sent {
			w.Failures, w.LastSentAt, w.LastStatus, w.LastError = 0, &now, r.status, ""
		}
		return nil
	})
	return err
}

// rest has a webhook wait whose receiver is down, and parks it in the end.
func (t *turn) rest(ctx context.Context, at int64, r result) error {
	now := t.Now().UTC().Truncate(time.Millisecond)
	_, err := t.Store.Webhooks().Update(ctx, t.ref.Org, t.ref.Webhook, func(w *webhook.Webhook) error {
		w.Position = max(w.Position, at)
		w.Failures++
		w.LastStatus, w.LastError = r.status, r.text()
		wait, ok := webhook.Pause(w.Failures, r.after)
		switch {
		case r.status == http.StatusGone:
			w.Status, w.StatusReason = webhook.Parked, "the receiver answered that it is gone (410)"
		case !ok:
			w.Status, w.StatusReason = webhook.Parked, "the receiver was down for days: "+r.text()
		default:
			w.RetryAt = now.Add(wait)
		}
		return nil
	})
	return err
}

func either(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}
