package mongo

import (
	"context"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/access"
	"mooring/internal/audit"
	"mooring/internal/bucket"
	"mooring/internal/connection"
	"mooring/internal/id"
	"mooring/internal/store/system"
)

// System is what of a store crosses organizations.
type System struct{ s *Store }

// System returns the part of the store that crosses organizations.
func (s *Store) System() *System { return &System{s} }

// KeyByHash implements system.System.
func (y *System) KeyByHash(ctx context.Context, hash string) (access.APIKey, error) {
	return y.s.apiKeys.one(ctx, "by_hash", find{filter: bson.D{{Key: "key_hash", Value: hash}}})
}

// Organizations implements system.System.
func (y *System) Organizations(ctx context.Context, after id.Org, limit int) ([]access.Organization, error) {
	if err := checkLimit("store.organizations.list", limit); err != nil {
		return nil, err
	}
	q := find{filter: bson.D{}, sort: bson.D{{Key: "created_at", Value: 1}, {Key: "_id", Value: 1}}, limit: limit}
	if after != "" {
		o, err := y.s.organizations.Get(ctx, after, after)
		if err != nil {
			return nil, err
		}
		q.filter = also(q.filter,
			bson.D{{Key: "created_at", Value: bson.D{{Key: "$gte", Value: o.CreatedAt}}}},
			bson.D{{Key: "$or", Value: bson.A{bson.D{{Key: "created_at", Value: bson.D{{Key: "$gt", Value: o.CreatedAt}}}}, bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: string(after)}}}}}}})
	}
	return y.s.organizations.all(ctx, "list", q)
}

// DueSyncs implements system.System. Triggered syncs, for which somebody
// waits, come before those whose time has come.
func (y *System) DueSyncs(ctx context.Context, now time.Time, limit int) ([]system.SyncRef, error) {
	const op = "store.due_syncs"
	if err := checkLimit(op, limit); err != nil {
		return nil, err
	}
	out, err := y.queue(ctx, op, bson.D{{Key: "derived.queue", Value: queueTriggered}}, limit)
	if err != nil || len(out) == limit {
		return out, err
	}
	due, err := y.queue(ctx, op, dueSyncs(now), limit-len(out))
	return append(out, due...), err
}

func dueSyncs(now time.Time) bson.D {
	return bson.D{{Key: "derived.queue", Value: queueDue}, {Key: "derived.at", Value: bson.D{{Key: "$lte", Value: cut(now)}}}}
}

// DeletedSyncs implements system.System, longest deleted first.
func (y *System) DeletedSyncs(ctx context.Context, limit int) ([]system.SyncRef, error) {
	const op = "store.deleted_syncs"
	if err := checkLimit(op, limit); err != nil {
		return nil, err
	}
	return y.queue(ctx, op, bson.D{{Key: "derived.queue", Value: queueDeleted}}, limit)
}

func (y *System) queue(ctx context.Context, op string, filter bson.D, limit int) ([]system.SyncRef, error) {
	found, err := y.s.find(ctx, op, "syncs", find{
		filter: filter, sort: bson.D{{Key: "derived.at", Value: 1}, {Key: "_id", Value: 1}}, fields: bson.D{{Key: "internal_id", Value: 1}}, limit: limit,
	})
	if err != nil {
		return nil, err
	}
	var out []system.SyncRef
	for _, r := range found {
		out = append(out, system.SyncRef{Org: id.Org(r.Lookup("internal_id").StringValue()), Sync: id.Sync(r.Lookup("_id").StringValue())})
	}
	return out, nil
}

// DeletingBuckets implements system.System.
func (y *System) DeletingBuckets(ctx context.Context, limit int) ([]system.BucketRef, error) {
	const op = "store.deleting_buckets"
	if err := checkLimit(op, limit); err != nil {
		return nil, err
	}
	found, err := y.s.find(ctx, op, "buckets", find{
		filter: bson.D{{Key: "status", Value: bucket.Deleting}}, sort: byID(1), fields: bson.D{{Key: "internal_id", Value: 1}}, limit: limit,
	})
	if err != nil {
		return nil, err
	}
	var out []system.BucketRef
	for _, r := range found {
		out = append(out, system.BucketRef{Org: id.Org(r.Lookup("internal_id").StringValue()), Bucket: id.Bucket(r.Lookup("_id").StringValue())})
	}
	return out, nil
}

// DueConnections implements system.System.
func (y *System) DueConnections(ctx context.Context, now time.Time, except []string, limit int) ([]system.DueConnection, error) {
	const op = "store.due_connections"
	if err := checkLimit(op, limit); err != nil {
		return nil, err
	}
	filter := bson.D{{Key: "next_check_at", Value: bson.D{{Key: "$lte", Value: cut(now)}}}}
	if len(except) > 0 {
		filter = append(filter, bson.E{Key: "derived.host", Value: bson.D{{Key: "$nin", Value: except}}})
	}
	found, err := y.s.find(ctx, op, "connections", find{
		filter: filter, sort: bson.D{{Key: "next_check_at", Value: 1}, {Key: "_id", Value: 1}},
		fields: bson.D{{Key: "internal_id", Value: 1}, {Key: "next_check_at", Value: 1}, {Key: "derived.host", Value: 1}}, limit: limit,
	})
	if err != nil {
		return nil, err
	}
	var out []system.DueConnection
	for _, r := range found {
		out = append(out, system.DueConnection{
			Org: id.Org(r.Lookup("internal_id").StringValue()), Connection: id.Connection(r.Lookup("_id").StringValue()),
			Host: r.Lookup("derived", "host").StringValue(), Due: r.Lookup("next_check_at").Time().UTC(),
		})
	}
	return out, nil
}

// Census implements system.System.
func (y *System) Census(ctx context.Context, now time.Time) (out system.Census, err error) {
	const op = "store.census"
	found, err := y.s.group(ctx, op, "connections", bson.D{}, bson.D{
		{Key: "_id", Value: bson.D{{Key: "provider", Value: "$provider_type"}, {Key: "status", Value: "$status"}}}, {Key: "n", Value: bson.D{{Key: "$sum", Value: 1}}},
	})
	if err != nil {
		return out, err
	}
	for _, r := range found {
		out.Connections = append(out.Connections, system.ConnectionCount{
			Provider: r.Lookup("_id", "provider").StringValue(), Status: connection.Status(r.Lookup("_id", "status").StringValue()), N: r.Lookup("n").AsInt64(),
		})
	}
	out.SyncDelay, err = y.overdue(ctx, op, "syncs", "derived.at", dueSyncs(now), now)
	if err == nil {
		out.CheckDelay, err = y.overdue(ctx, op, "connections", "next_check_at", bson.D{{Key: "next_check_at", Value: bson.D{{Key: "$lte", Value: cut(now)}}}}, now)
	}
	return out, err
}

// overdue is how long the first of a queue has been due.
func (y *System) overdue(ctx context.Context, op, collection, field string, filter bson.D, now time.Time) (time.Duration, error) {
	found, err := y.s.first(ctx, op, collection, find{filter: filter, sort: bson.D{{Key: field, Value: 1}}, fields: bson.D{{Key: field, Value: 1}}})
	if err != nil || found == nil {
		return 0, err
	}
	at, err := found.LookupErr(strings.Split(field, ".")...)
	if err != nil {
		return 0, err
	}
	return now.Sub(at.Time()), nil
}

// ChainAudit implements system.System.
func (y *System) ChainAudit(c *audit.Chain) { y.s.chain = c }
