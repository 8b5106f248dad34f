package sqlite

import (
	"context"
	"database/sql"
	"time"

	"mooring/internal/id"
	"mooring/internal/store"
	"mooring/internal/store/system"
	"mooring/internal/webhook"
)

// Receivers of events. live is 1 for those that are sent to, NULL for the rest.
const schemaWebhooks = `
CREATE TABLE webhooks (id TEXT PRIMARY KEY, org TEXT NOT NULL, revision INTEGER NOT NULL, created INTEGER NOT NULL, live INTEGER, retry INTEGER NOT NULL, position INTEGER NOT NULL, doc BLOB NOT NULL);
CREATE INDEX webhooks_list ON webhooks (org, created, id);
CREATE INDEX webhooks_live ON webhooks (live, retry, id) WHERE live IS NOT NULL;

CREATE TABLE deliveries (id TEXT PRIMARY KEY, org TEXT NOT NULL, revision INTEGER NOT NULL, created INTEGER NOT NULL, webhook TEXT NOT NULL, state TEXT NOT NULL, next INTEGER, doc BLOB NOT NULL);
CREATE INDEX deliveries_list ON deliveries (org, webhook, created, id, state);
CREATE INDEX deliveries_due ON deliveries (org, webhook, next) WHERE next IS NOT NULL;
`

type webhooks struct {
	*collection[webhook.Webhook, id.Webhook]
}

func newWebhooks(s *Store) webhooks {
	return webhooks{define(s, collection[webhook.Webhook, id.Webhook]{
		table: "webhooks", noun: "webhook",
		head: func(d *webhook.Webhook) head[id.Webhook] {
			return head[id.Webhook]{&d.ID, &d.Org, &d.Revision, &d.CreatedAt, &d.Outbox}
		},
		columns: []column[webhook.Webhook]{
			{"live", func(d *webhook.Webhook) any {
				if d.Status == webhook.Active {
					return 1
				}
				return nil
			}},
			{"retry", func(d *webhook.Webhook) any { return d.RetryAt.UnixMilli() }},
			{"position", func(d *webhook.Webhook) any { return d.Position }},
		},
	})}
}

// List implements store.Webhooks.
func (c webhooks) List(ctx context.Context, org id.Org, p store.Page) (store.List[webhook.Webhook], error) {
	w := &conditions{}
	w.add("org = ?", string(org))
	return c.list(ctx, org, w, p)
}

// Remove implements store.Webhooks.
func (c webhooks) Remove(ctx context.Context, org id.Org, w id.Webhook) error {
	return c.s.w.write(ctx, c.op("remove"), interactive, func(t *tx) error {
		if _, err := t.exec("DELETE FROM deliveries WHERE org = ? AND webhook = ?", string(org), string(w)); err != nil {
			return err
		}
		_, err := t.exec("DELETE FROM webhooks WHERE org = ? AND id = ?", string(org), string(w))
		return err
	})
}

type deliveries struct {
	*collection[webhook.Delivery, string]
}

func newDeliveries(s *Store) deliveries {
	return deliveries{define(s, collection[webhook.Delivery, string]{
		table: "deliveries", noun: "delivery",
		head: func(d *webhook.Delivery) head[string] {
			return head[string]{&d.ID, &d.Org, &d.Revision, &d.CreatedAt, nil}
		},
		columns: []column[webhook.Delivery]{
			{"webhook", func(d *webhook.Delivery) any { return string(d.Webhook) }},
			{"state", func(d *webhook.Delivery) any { return d.State }},
			{"next", func(d *webhook.Delivery) any {
				if d.NextAt == nil {
					return nil
				}
				return d.NextAt.UnixMilli()
			}},
		},
	})}
}

// List implements store.Deliveries.
func (c deliveries) List(ctx context.Context, org id.Org, hook id.Webhook, state string, p store.Page) (store.List[webhook.Delivery], error) {
	w := &conditions{}
	w.add("org = ?", string(org))
	w.add("webhook = ?", string(hook))
	if state != "" {
		w.add("state = ?", state)
	}
	return c.list(ctx, org, w, p, string(hook))
}

// Due implements store.Deliveries.
func (c deliveries) Due(ctx context.Context, org id.Org, w id.Webhook, now time.Time, limit int) ([]webhook.Delivery, error) {
	if err := checkLimit(c.op("due"), limit); err != nil {
		return nil, err
	}
	return c.all(ctx, "due", " WHERE org = ? AND webhook = ? AND next <= ? ORDER BY next LIMIT ?", string(org), string(w), now.UnixMilli(), limit)
}

// Remove implements store.Deliveries.
func (c deliveries) Remove(ctx context.Context, org id.Org, i string) error {
	return c.remove(ctx, " WHERE org = ? AND id = ?", string(org), i)
}

// DueWebhooks implements system.System.
func (y *System) DueWebhooks(ctx context.Context, now time.Time, limit int) ([]system.WebhookRef, error) {
	const op = "store.due_webhooks"
	if err := checkLimit(op, limit); err != nil {
		return nil, err
	}
	var out []system.WebhookRef
	at := now.UnixMilli()
	err := y.s.each(ctx, op, "SELECT org, id FROM webhooks w WHERE live = 1 AND retry <= ? AND ("+
		"position < (SELECT last FROM sequences WHERE org = w.org AND name = 'events') OR "+
		"EXISTS (SELECT 1 FROM deliveries WHERE org = w.org AND webhook = w.id AND next <= ?)) ORDER BY retry, id LIMIT ?",
		[]any{at, at, limit}, func(r *sql.Rows) error {
			var ref system.WebhookRef
			err := r.Scan(&ref.Org, &ref.Webhook)
			out = append(out, ref)
			return err
		})
	return out, err
}
