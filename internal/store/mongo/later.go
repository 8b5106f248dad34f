package mongo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/connection"
	"mooring/internal/store/system"
	"mooring/internal/syncing"
	"mooring/internal/webhook"
)

// LaterConnections implements system.System.
func (y *System) LaterConnections(ctx context.Context, after system.Point, limit int) ([]connection.Connection, error) {
	return dueAfter(ctx, y.s.connections.collection, bson.D{}, "next_check_at", after, limit)
}

// LaterSyncs implements system.System.
func (y *System) LaterSyncs(ctx context.Context, after system.Point, limit int) ([]syncing.Sync, error) {
	return dueAfter(ctx, y.s.syncs.collection, bson.D{{Key: "derived.queue", Value: queueDue}}, "derived.at", after, limit)
}

// LaterWebhooks implements system.System.
func (y *System) LaterWebhooks(ctx context.Context, after system.Point, limit int) ([]webhook.Webhook, error) {
	return dueAfter(ctx, y.s.webhooks.collection, bson.D{{Key: "status", Value: string(webhook.Active)}}, "retry_at", after, limit)
}

// dueAfter reads on in a queue, whose index begins with what is asked besides. The
// first condition bounds the index, which the second alone would not.
func dueAfter[T any, ID ~string](ctx context.Context, c *collection[T, ID], besides bson.D, queue string, after system.Point, limit int) ([]T, error) {
	if err := checkLimit(c.op("later"), limit); err != nil {
		return nil, err
	}
	at := cut(after.At)
	return c.all(ctx, "later", find{
		filter: also(besides,
			bson.D{{Key: queue, Value: bson.D{{Key: "$gte", Value: at}}}},
			bson.D{{Key: "$or", Value: bson.A{bson.D{{Key: queue, Value: bson.D{{Key: "$gt", Value: at}}}}, bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: after.ID}}}}}}}),
		sort: bson.D{{Key: queue, Value: 1}, {Key: "_id", Value: 1}}, limit: limit,
	})
}
