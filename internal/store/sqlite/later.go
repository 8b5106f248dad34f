package sqlite

import (
	"context"

	"mooring/internal/connection"
	"mooring/internal/store/system"
	"mooring/internal/syncing"
	"mooring/internal/webhook"
)

// LaterConnections implements system.System.
func (y *System) LaterConnections(ctx context.Context, after system.Point, limit int) ([]connection.Connection, error) {
	return dueAfter(ctx, y.s.connections.collection, "next_check IS NOT NULL AND ", "next_check", after, limit)
}

// LaterSyncs implements system.System.
func (y *System) LaterSyncs(ctx context.Context, after system.Point, limit int) ([]syncing.Sync, error) {
	return dueAfter(ctx, y.s.syncs.collection, "next_sync IS NOT NULL AND ", "next_sync", after, limit)
}

// LaterWebhooks implements system.System.
func (y *System) LaterWebhooks(ctx context.Context, after system.Point, limit int) ([]webhook.Webhook, error) {
	return dueAfter(ctx, y.s.webhooks.collection, "live = 1 AND ", "retry", after, limit)
}

// dueAfter reads on in a queue, whose index begins with what is asked besides.
func dueAfter[T any, ID ~string](ctx context.Context, c *collection[T, ID], besides, queue string, after system.Point, limit int) ([]T, error) {
	if err := checkLimit(c.op("later"), limit); err != nil {
		return nil, err
	}
	clause := " WHERE " + besides + "(" + queue + ", id) > (?, ?) ORDER BY " + queue + ", id LIMIT ?"
	return c.all(ctx, "later", clause, after.At.UnixMilli(), after.ID, limit)
}
