package mongo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/outbox"
	"mooring/internal/store/internal/doc"
)

// boxed are the collections whose records have an outbox, and the field that
// holds their organization.
var boxed = map[string]string{
	"organizations": "_id", "users": "internal_id", "namespaces": "internal_id", "api_keys": "internal_id", "connections": "internal_id",
	"consents": "internal_id", "buckets": "internal_id", "syncs": "internal_id", "runs": "internal_id", "webhooks": "internal_id",
	"sessions": "internal_id",
}

// Relay implements system.System. What waits is also relayed by the call that
// wrote it; here comes what that did not finish.
func (y *System) Relay(ctx context.Context, limit int) (moved int, err error) {
	const op = "store.relay"
	if err := checkLimit(op, limit); err != nil {
		return 0, err
	}
	for collection, org := range boxed {
		if moved >= limit {
			return moved, nil
		}
		found, err := y.s.find(ctx, op, collection, find{
			filter: bson.D{{Key: "derived.waiting", Value: bson.D{{Key: "$gt", Value: int64(0)}}}},
			fields: bson.D{{Key: org, Value: 1}}, limit: limit - moved,
		})
		if err != nil {
			return moved, err
		}
		for _, r := range found {
			if err := y.s.relay(ctx, collection, id.Org(r.Lookup(org).StringValue()), r.Lookup("_id").StringValue()); err != nil {
				return moved, err
			}
			moved++
		}
	}
	return moved, nil
}

// box is a record as the relay sees it.
type box struct {
	Outbox  outbox.Outbox `bson:"outbox"`
	Derived struct {
		Waiting int64 `bson:"waiting"`
	} `bson:"derived"`
}

// relay moves what waits in a record to the trail and the events and clears it.
// Any number of processes may relay the same record at once: what stands in the
// trail already is not added again, and a record whose outbox was filled anew
// since it was read is not cleared but read again.
func (s *Store) relay(ctx context.Context, collection string, org id.Org, record string) error {
	const op = "store.relay"
	for {
		b, err := s.boxOf(ctx, collection, record)
		if err != nil || b.Derived.Waiting == 0 {
			return err
		}
		// The trail's sequence is read before the outbox is read once more: so
		// what was relayed, told and pruned meanwhile is not taken for new.
		again := func() (box, error) { return s.boxOf(ctx, collection, record) }
		if len(b.Outbox.Audit) > 0 {
			if err := s.appendAudit(ctx, org, func() ([]auditEntry, error) { b, err := again(); return b.Outbox.Audit, err }); err != nil {
				return err
			}
		}
		if len(b.Outbox.Events) > 0 {
			if err := s.appendEvents(ctx, org, func() ([]eventEntry, error) { b, err := again(); return b.Outbox.Events, err }); err != nil {
				return err
			}
		}
		done, err := s.updateOne(ctx, op, collection, append(byID(record), bson.E{Key: "derived.waiting", Value: b.Derived.Waiting}),
			bson.D{{Key: "$unset", Value: bson.D{{Key: "outbox", Value: ""}, {Key: "derived.waiting", Value: ""}}}})
		if err != nil || done {
			return err
		}
	}
}

func (s *Store) boxOf(ctx context.Context, collection, record string) (b box, err error) {
	found, err := s.first(ctx, "store.relay", collection, find{filter: byID(record), fields: bson.D{{Key: "outbox", Value: 1}, {Key: "derived.waiting", Value: 1}}})
	if err != nil || found == nil {
		return b, err
	}
	if err := doc.Decode(found, &b); err != nil {
		return b, errs.Wrap(err, errs.Corrupt, "store.relay", "the outbox of a record can't be read")
	}
	return b, nil
}
