package service

import (
	"context"
	"net/http"
	"slices"
	"time"

	"mooring/internal/errs"
	"mooring/internal/event"
	"mooring/internal/secret"
	"mooring/internal/store"
	"mooring/internal/store/system"
	"mooring/internal/webhook"
)

// A turn is short, so that a slow receiver, or one that has much to get, does
// not hold its place for long, and is soon sent to as its webhook says now.
const (
	perWebhook   = 8    // messages of one webhook at once
	turnMessages = 100  // that are sent
	turnEvents   = 1000 // that are read
	maxRead      = 50   // events at once
	turnRetry    = 50
	turnTime     = 30 * time.Second
	stopGrace    = 2 * time.Second
	maxPending   = 1000 // deliveries of one webhook that wait
)

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
		messages = append(messages, m) // a zero one is not sent
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
	now := t.now()
	if r.gone {
		x.State, x.NextAt, x.LastError, x.UpdatedAt = webhook.DeliveryParked, nil, r.text(), now
		return
	}
	x.Attempts++
	x.LastStatus, x.LastError, x.UpdatedAt = r.status, r.text(), now
	if wait, ok := webhook.Pause(x.Attempts, r.after); ok {
		next := now.Add(wait)
		x.NextAt = &next
		return
	}
	x.State, x.NextAt = webhook.DeliveryParked, nil
}

// place is how far a webhook is: behind the event with this sequence, and part
// of the messages of the next are dealt with too.
type place struct {
	sequence int64
	part     int
}

func before(m event.Message) place { return place{m.Sequence - 1, m.Part} }

// ahead reads the next messages for the webhook, as many as make a turn, and
// the place behind them. Events that stand for many messages are read one by
// one, so that little is in memory.
func (t *turn) ahead(ctx context.Context) (out []event.Message, at place, more bool, err error) {
	at = place{t.hook.Position, t.hook.Part}
	last, err := t.Store.Events().Last(ctx, t.ref.Org)
	if err != nil {
		return nil, at, false, err
	}
	for limit, seen := 1, 0; seen < turnEvents; {
		list, err := t.Store.Events().List(ctx, t.ref.Org, at.sequence, limit)
		if err != nil {
			return nil, at, false, err
		}
		messages := 0
		for _, e := range list {
			done := 0
			if e.Sequence == at.sequence+1 {
				done = at.part
			}
			all := e.Messages()
			for _, m := range all[min(done, len(all)):] {
				if !t.hook.Wants(m) {
					continue
				}
				if len(out) == turnMessages {
					return out, before(m), true, nil
				}
				out = append(out, m)
			}
			at, messages = place{e.Sequence, 0}, messages+len(all)
		}
		if len(list) < limit { // what is up to last and was not there is no longer kept
			if at.sequence < last {
				at = place{last, 0}
			}
			return out, at, false, nil
		}
		seen += len(list)
		if limit = min(2*limit, maxRead); messages > turnMessages {
			limit = 1
		}
	}
	return out, at, true, nil
}

// forward sends the messages behind the webhook's place. Where the receiver is
// down it stays where it is, and the whole webhook waits.
func (t *turn) forward(ctx context.Context) (more bool, err error) {
	messages, end, more, err := t.ahead(ctx)
	if err != nil || end == (place{t.hook.Position, t.hook.Part}) {
		return false, err
	}
	began, last := time.Now(), result{}
	for i := 0; i < len(messages); i += perWebhook {
		batch, rest := messages[i:min(i+perWebhook, len(messages))], messages[min(i+perWebhook, len(messages)):]
		if i > 0 && (time.Since(began) > turnTime || !t.unchanged(ctx)) {
			return true, t.advance(ctx, before(batch[0]), last)
		}
		results := t.send(ctx, batch)
		down, r := allDown(results)
		if down && ctx.Err() == nil && t.works(ctx, rest) {
			down = false
		}
		if ctx.Err() != nil { // what was sent need not be sent again
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
			defer cancel()
			return false, t.advance(ctx, before(batch[0]), last)
		}
		if !down {
			down, r, err = t.keep(ctx, batch, results)
		}
		if err != nil {
			return false, err
		}
		if down {
			return false, t.rest(ctx, before(batch[0]), last, r)
		}
		for _, r := range results {
			if r.ok() {
				last = r
			}
		}
	}
	return more, t.advance(ctx, end, last)
}

// unchanged reports whether the webhook is still to be sent to as it was when
// the turn began.
func (t *turn) unchanged(ctx context.Context) bool {
	now, err := t.Store.Webhooks().Get(ctx, t.ref.Org, t.ref.Webhook)
	return err == nil && now.Revision == t.hook.Revision
}

// works asks with the next message there is whether the receiver is down, or
// merely does not take what came before: that must not hold up all the rest.
func (t *turn) works(ctx context.Context, rest []event.Message) bool {
	if t.hook.Failures == 0 || len(rest) == 0 {
		return false // a short outage: wait first
	}
	return t.send(ctx, rest[:1])[0].ok()
}

// keep makes deliveries of the messages that were not taken. Where too many wait
// already it makes none: a receiver that takes nothing, whatever it answers, is
// as good as down.
func (t *turn) keep(ctx context.Context, batch []event.Message, results []result) (full bool, why result, err error) {
	first := slices.IndexFunc(results, func(r result) bool { return !r.ok() })
	if first < 0 {
		return false, why, nil
	}
	waiting, err := t.Store.Deliveries().List(ctx, t.ref.Org, t.ref.Webhook, webhook.DeliveryPending, store.Page{Limit: 1, Offset: maxPending - 1})
	if err != nil || len(waiting.Items) > 0 {
		return err == nil, results[first], err
	}
	now := t.now()
	for i, m := range batch {
		if results[i].ok() {
			continue
		}
		x := webhook.Delivery{
			ID: webhook.DeliveryID(t.ref.Webhook, m.ID), Org: t.ref.Org, Webhook: t.ref.Webhook, Message: m.ID, Sequence: m.Sequence, Part: m.Part, Type: m.Type,
			State: webhook.DeliveryPending, CreatedAt: now, UpdatedAt: now,
		}
		t.postpone(&x, results[i])
		if _, err := t.Store.Deliveries().Insert(ctx, t.ref.Org, x); err != nil && !errs.Is(err, errs.AlreadyExists) {
			return false, why, err
		}
	}
	return false, why, nil
}

// advance notes how far the webhook is. last is the last answer of a receiver
// that took a message, zero when none did.
func (t *turn) advance(ctx context.Context, at place, last result) error {
	return t.note(ctx, at, last, nil)
}

// rest has a webhook wait whose receiver is down, and parks it in the end.
func (t *turn) rest(ctx context.Context, at place, last, r result) error {
	return t.note(ctx, at, last, func(w *webhook.Webhook) {
		w.Failures++
		w.LastStatus, w.LastError = r.status, r.text()
		wait, ok := webhook.Pause(w.Failures, r.after)
		switch {
		case r.status == http.StatusGone:
			w.Status, w.StatusReason = webhook.Parked, "the receiver answered that it is gone (410)"
		case !ok:
			w.Status, w.StatusReason = webhook.Parked, "the receiver took nothing for days: "+r.text()
		default:
			at := t.now()
			w.RetryAt, w.RestedAt = at.Add(wait), &at
		}
	})
}

// note changes the webhook after a turn. How a receiver fared says nothing of
// another one that the webhook was given meanwhile.
func (t *turn) note(ctx context.Context, at place, last result, failed func(*webhook.Webhook)) error {
	now := t.now()
	_, err := t.Store.Webhooks().Update(ctx, t.ref.Org, t.ref.Webhook, func(w *webhook.Webhook) error {
		if at.sequence > w.Position || at.sequence == w.Position && at.part > w.Part {
			w.Position, w.Part = at.sequence, at.part
		}
		if w.URL != t.hook.URL || w.Status != webhook.Active {
			return nil
		}
		if last.ok() {
			w.Failures, w.LastSentAt, w.LastStatus, w.LastError = 0, &now, last.status, ""
		}
		if failed != nil {
			failed(w)
		}
		return nil
	})
	return err
}

func (t *turn) now() time.Time { return t.Now().UTC().Truncate(time.Millisecond) }

func either(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}
