package mongo

import (
	"bytes"
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/audit"
	"mooring/internal/errs"
	"mooring/internal/event"
	"mooring/internal/id"
	"mooring/internal/store"
	"mooring/internal/store/internal/doc"
)

// appendAudit numbers entries, links each to the one before, and writes them.
func (s *Store) appendAudit(ctx context.Context, org id.Org, list func() ([]audit.Entry, error)) error {
	a := admission[audit.Entry]{s: s, collection: "audit", id: func(e audit.Entry) string { return string(e.ID) }}
	a.number = func(ctx context.Context, org id.Org, last int64, fresh []audit.Entry) ([]audit.Entry, error) {
		mac, err := s.lastMAC(ctx, org, last)
		if err != nil {
			return nil, err
		}
		out := make([]audit.Entry, len(fresh))
		for i, e := range fresh {
			e.Org, e.Sequence = org, last+int64(i)+1
			if s.chain != nil {
				if e.MAC, err = s.chain.Link(mac, e); err != nil {
					return nil, err
				}
			}
			out[i], mac = e, e.MAC
		}
		return out, nil
	}
	return a.appendAll(ctx, org, list)
}

// lastMAC is what the entry after a number is linked to.
func (s *Store) lastMAC(ctx context.Context, org id.Org, last int64) ([]byte, error) {
	if s.chain == nil || last == 0 {
		return nil, nil
	}
	e, err := trail{s}.Last(ctx, org)
	if errs.Is(err, errs.NotFound) {
		return nil, nil
	}
	return e.MAC, err
}

// appendEvents numbers events and writes them.
func (s *Store) appendEvents(ctx context.Context, org id.Org, list func() ([]event.Event, error)) error {
	a := admission[event.Event]{s: s, collection: "events", id: func(e event.Event) string { return string(e.ID) }}
	a.number = func(_ context.Context, org id.Org, last int64, fresh []event.Event) ([]event.Event, error) {
		out := make([]event.Event, len(fresh))
		for i, e := range fresh {
			e.Org, e.Sequence = org, last+int64(i)+1
			out[i] = e
		}
		return out, nil
	}
	return a.appendAll(ctx, org, list)
}

type events struct{ s *Store }

var _ store.Events = events{}

// Append implements store.Events.
func (e events) Append(ctx context.Context, org id.Org, list []event.Event) error {
	if len(list) == 0 {
		return nil
	}
	return e.s.appendEvents(ctx, org, func() ([]event.Event, error) { return list, nil })
}

// List implements store.Events.
func (e events) List(ctx context.Context, org id.Org, after int64, limit int) ([]event.Event, error) {
	const op = "store.events.list"
	if err := checkLimit(op, limit); err != nil {
		return nil, err
	}
	return rows[event.Event](ctx, e.s, op, "events", 1, find{filter: append(ofOrg(org), bson.E{Key: "sequence", Value: bson.D{{Key: "$gt", Value: after}}}),
		sort: bson.D{{Key: "sequence", Value: 1}}, limit: limit})
}

// Last implements store.Events.
func (e events) Last(ctx context.Context, org id.Org) (int64, error) {
	found, err := e.s.first(ctx, "store.events.last", "sequences", find{filter: byID(rowID(string(org), "events")), fields: bson.D{{Key: "last", Value: 1}}})
	if err != nil || found == nil {
		return 0, err
	}
	return found.Lookup("last").AsInt64(), nil
}

// Drop implements store.Events.
func (e events) Drop(ctx context.Context, org id.Org, upTo int64) error {
	return e.s.removeAll(ctx, "store.events.drop", "events", append(ofOrg(org), bson.E{Key: "sequence", Value: bson.D{{Key: "$lte", Value: upTo}}}))
}

type trail struct{ s *Store }

var _ store.Audit = trail{}

// Append implements store.Audit.
func (a trail) Append(ctx context.Context, org id.Org, entries []audit.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	return a.s.appendAudit(ctx, org, func() ([]audit.Entry, error) { return entries, nil })
}

// Get implements store.Audit.
func (a trail) Get(ctx context.Context, org id.Org, i id.Audit) (audit.Entry, error) {
	return a.one(ctx, "store.audit.get", find{filter: byID(rowID(string(org), string(i)))})
}

// Last implements store.Audit.
func (a trail) Last(ctx context.Context, org id.Org) (audit.Entry, error) {
	return a.one(ctx, "store.audit.last", find{filter: ofOrg(org), sort: bson.D{{Key: "sequence", Value: -1}}})
}

func (a trail) one(ctx context.Context, op string, q find) (e audit.Entry, err error) {
	q.limit = 1
	found, err := rows[audit.Entry](ctx, a.s, op, "audit", 1, q)
	if err == nil && len(found) == 0 {
		err = errs.New(errs.NotFound, op, "no such audit entry")
	}
	if err != nil {
		return e, err
	}
	return found[0], nil
}

// Scan implements store.Audit.
func (a trail) Scan(ctx context.Context, org id.Org, after int64, limit int) ([]audit.Entry, error) {
	const op = "store.audit.scan"
	if err := checkLimit(op, limit); err != nil {
		return nil, err
	}
	return rows[audit.Entry](ctx, a.s, op, "audit", 1, find{filter: append(ofOrg(org), bson.E{Key: "sequence", Value: bson.D{{Key: "$gt", Value: after}}}),
		sort: bson.D{{Key: "sequence", Value: 1}}, limit: limit})
}

// List implements store.Audit.
func (a trail) List(ctx context.Context, org id.Org, f audit.Filter, skip, limit int) ([]audit.Entry, error) {
	const op = "store.audit.list"
	if skip < 0 || limit < 1 {
		return nil, errs.New(errs.Invalid, op, "skip must not be negative and limit at least 1")
	}
	return rows[audit.Entry](ctx, a.s, op, "audit", 1, find{filter: auditFilter(org, f),
		sort: bson.D{{Key: "timestamp", Value: -1}, {Key: "sequence", Value: -1}}, skip: skip, limit: limit})
}

// Count implements store.Audit.
func (a trail) Count(ctx context.Context, org id.Org, f audit.Filter) (int64, error) {
	return a.s.count(ctx, "store.audit.count", "audit", auditFilter(org, f))
}

func auditFilter(org id.Org, f audit.Filter) bson.D {
	out := ofOrg(org)
	for _, eq := range []struct{ field, value string }{
		{"resource_type", f.ResourceType}, {"resource_id", f.ResourceID}, {"actor.id", f.ActorID}, {"action", f.Action},
	} {
		if eq.value != "" {
			out = append(out, bson.E{Key: eq.field, Value: eq.value})
		}
	}
	var at bson.D
	if !f.Start.IsZero() {
		at = append(at, bson.E{Key: "$gte", Value: ceilMillis(f.Start)})
	}
	if !f.End.IsZero() {
		at = append(at, bson.E{Key: "$lt", Value: ceilMillis(f.End)})
	}
	if at != nil {
		out = append(out, bson.E{Key: "timestamp", Value: at})
	}
	return out
}

// Checkpoint implements store.Audit.
func (a trail) Checkpoint(ctx context.Context, org id.Org) (*audit.Checkpoint, error) {
	found, err := a.s.first(ctx, "store.audit.checkpoint", "checkpoints", find{filter: byID(string(org))})
	if err != nil || found == nil {
		return nil, err
	}
	var p audit.Checkpoint
	return &p, doc.Decode(found, &p)
}

// Prune implements store.Audit. The checkpoint is kept first: a crash before
// the entries are gone leaves entries that it stands for already, which the
// next call removes and nobody who verifies the trail looks at.
func (a trail) Prune(ctx context.Context, org id.Org, p audit.Checkpoint) error {
	const op = "store.audit.prune"
	p.Org = org
	e, err := a.one(ctx, op, find{filter: append(ofOrg(org), bson.E{Key: "sequence", Value: p.Sequence})})
	if err != nil {
		return err
	}
	last, err := a.Last(ctx, org)
	if err != nil {
		return err
	}
	if last.Sequence <= p.Sequence || !bytes.Equal(e.MAC, p.MAC) {
		return errs.New(errs.Conflict, op, "the checkpoint is not that of an entry before the last")
	}
	if err := a.keep(ctx, op, p); err != nil {
		return err
	}
	return a.s.removeAll(ctx, op, "audit", append(ofOrg(org), bson.E{Key: "sequence", Value: bson.D{{Key: "$lte", Value: p.Sequence}}}))
}

// keep writes a checkpoint, unless a later one is there.
func (a trail) keep(ctx context.Context, op string, p audit.Checkpoint) error {
	b, err := doc.Encode(p)
	if err != nil {
		return err
	}
	fields, err := fieldsOf(b)
	if err != nil {
		return err
	}
	refused, err := a.s.bulk(ctx, op, "checkpoints", []write{{
		filter: bson.D{{Key: "_id", Value: string(p.Org)}, {Key: "sequence", Value: bson.D{{Key: "$lte", Value: p.Sequence}}}},
		update: bson.D{{Key: "$set", Value: fields[1:]}}, upsert: true,
	}})
	if err == nil && len(refused) > 0 {
		err = notFound(op, "audit entry")
	}
	return err
}
