package mongo

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/id"
	"mooring/internal/store"
	"mooring/internal/store/system"
	"mooring/internal/webhook"
)

type webhooks struct {
	*collection[webhook.Webhook, id.Webhook]
}

func newWebhooks(s *Store) webhooks {
	return webhooks{define(s, collection[webhook.Webhook, id.Webhook]{
		name: "webhooks", noun: "webhook",
		head: func(d *webhook.Webhook) head[id.Webhook] {
			return head[id.Webhook]{&d.ID, &d.Org, &d.Revision, &d.CreatedAt, &d.Outbox}
		},
	})}
}

// List implements store.Webhooks.
func (c webhooks) List(ctx context.Context, org id.Org, p store.Page) (store.List[webhook.Webhook], error) {
	return c.list(ctx, org, ofOrg(org), p)
}

// Remove implements store.Webhooks. The deliveries go last, again: a deliverer
// that had read the webhook may have left one meanwhile.
func (c webhooks) Remove(ctx context.Context, org id.Org, w id.Webhook) error {
	if err := c.take(ctx, org, w); err != nil {
		return err
	}
	return c.s.removeAll(ctx, c.op("remove"), "deliveries", ofWebhook(org, w))
}

func ofWebhook(org id.Org, w id.Webhook) bson.D {
	return append(ofOrg(org), bson.E{Key: "webhook_id", Value: string(w)})
}

type deliveries struct {
	*collection[webhook.Delivery, string]
}

func newDeliveries(s *Store) deliveries {
	return deliveries{define(s, collection[webhook.Delivery, string]{
		name: "deliveries", noun: "delivery",
		head: func(d *webhook.Delivery) head[string] {
			return head[string]{&d.ID, &d.Org, &d.Revision, &d.CreatedAt, nil}
		},
	})}
}

// List implements store.Deliveries.
func (c deliveries) List(ctx context.Context, org id.Org, hook id.Webhook, state string, p store.Page) (store.List[webhook.Delivery], error) {
	filter := ofWebhook(org, hook)
	if state != "" {
		filter = append(filter, bson.E{Key: "state", Value: state})
	}
	return c.list(ctx, org, filter, p, string(hook))
}

// Due implements store.Deliveries.
func (c deliveries) Due(ctx context.Context, org id.Org, w id.Webhook, now time.Time, limit int) ([]webhook.Delivery, error) {
	if err := checkLimit(c.op("due"), limit); err != nil {
		return nil, err
	}
	return c.all(ctx, "due", find{filter: dueDeliveries(org, w, now), sort: bson.D{{Key: "next_at", Value: 1}}, limit: limit})
}

func dueDeliveries(org id.Org, w id.Webhook, now time.Time) bson.D {
	return append(ofWebhook(org, w), bson.E{Key: "next_at", Value: bson.D{{Key: "$lte", Value: cut(now)}}})
}

// Remove implements store.Deliveries.
func (c deliveries) Remove(ctx context.Context, org id.Org, i string) error {
	_, err := c.s.remove(ctx, c.op("remove"), c.name, c.key(org, i))
	return err
}

// DueWebhooks implements system.System.
func (y *System) DueWebhooks(ctx context.Context, now time.Time, limit int) ([]system.WebhookRef, error) {
	const op = "store.due_webhooks"
	if err := checkLimit(op, limit); err != nil {
		return nil, err
	}
	var out []system.WebhookRef
	last := map[id.Org]int64{}
	for skip := 0; ; skip += queryChunk {
		found, err := y.s.webhooks.all(ctx, "due", find{
			filter: bson.D{{Key: "status", Value: string(webhook.Active)}, {Key: "retry_at", Value: bson.D{{Key: "$lte", Value: cut(now)}}}},
			sort:   bson.D{{Key: "retry_at", Value: 1}, {Key: "_id", Value: 1}}, limit: queryChunk, skip: skip,
		})
		if err != nil {
			return nil, err
		}
		for _, w := range found {
			due, err := y.due(ctx, op, w, last, now)
			if err != nil {
				return nil, err
			}
			if due {
				out = append(out, system.WebhookRef{Org: w.Org, Webhook: w.ID})
			}
			if len(out) == limit {
				return out, nil
			}
		}
		if len(found) < queryChunk {
			return out, nil
		}
	}
}

// due reports whether a webhook has events or deliveries to be sent. last keeps
// the last sequences that were read.
func (y *System) due(ctx context.Context, op string, w webhook.Webhook, last map[id.Org]int64, now time.Time) (bool, error) {
	n, known := last[w.Org]
	if !known {
		var err error
		if n, err = (events{y.s}).Last(ctx, w.Org); err != nil {
			return false, err
		}
		last[w.Org] = n
	}
	if w.Position < n {
		return true, nil
	}
	found, err := y.s.first(ctx, op, "deliveries", find{filter: dueDeliveries(w.Org, w.ID, now), fields: idOnly})
	return found != nil, err
}
