package mongo

import (
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/audit"
	"mooring/internal/errs"
	"mooring/internal/event"
	"mooring/internal/id"
	"mooring/internal/store/internal/doc"
)

// An organization's audit entries and events are numbered without gaps, each
// once, in order. Their sequence is a document that holds the last number and,
// until they stand in their collection, the entries that were numbered last:
// numbering is one compare-and-swap, and whoever comes next first finishes what
// the one before left undone. So no process need live, and one that was stopped
// for long finds the number moved on, or writes what is there already.
//
// Entries go in one after another: a reader that has seen one has seen all that
// come before it.

type (
	auditEntry = audit.Entry
	eventEntry = event.Event
)

// sequence is the document.
type sequence struct {
	Last    int64      `bson:"last"`
	Pending []bson.Raw `bson:"pending,omitempty"`
}

// maxPending and maxPendingBytes bound what is numbered at once.
const (
	maxPending      = 100
	maxPendingBytes = 4 << 20
)

// admission is how entries of a type become numbered documents.
type admission[T any] struct {
	s          *Store
	collection string
	id         func(T) string
	// number completes entries that follow number last.
	number func(ctx context.Context, org id.Org, last int64, fresh []T) ([]T, error)
}

// appendAll numbers and writes the entries that are not there yet. list gives
// them; it is called again after each turn.
func (a admission[T]) appendAll(ctx context.Context, org id.Org, list func() ([]T, error)) error {
	for {
		left, err := a.turn(ctx, org, list)
		if err != nil || !left {
			return err
		}
	}
}

// turn numbers some entries, or finishes what somebody else numbered, and
// reports whether there may be more.
func (a admission[T]) turn(ctx context.Context, org id.Org, list func() ([]T, error)) (left bool, err error) {
	at, err := a.settle(ctx, org)
	if err != nil {
		return false, err
	}
	entries, err := list()
	if err != nil {
		return false, err
	}
	fresh, err := a.fresh(ctx, org, entries)
	if err != nil || len(fresh) == 0 {
		return false, err
	}
	some, err := a.number(ctx, org, at, fresh[:min(len(fresh), maxPending)])
	if err != nil {
		return false, err
	}
	pending, err := a.encode(org, some)
	if err != nil {
		return false, err
	}
	taken, err := a.take(ctx, org, at, pending)
	if err != nil || !taken {
		return !taken, err
	}
	return len(pending) < len(fresh), a.finish(ctx, org, at+int64(len(pending)), pending)
}

// settle returns the last number, once all entries up to it are written.
func (a admission[T]) settle(ctx context.Context, org id.Org) (int64, error) {
	const op = "store.sequence"
	found, err := a.s.first(ctx, op, "sequences", find{filter: byID(rowID(string(org), a.collection))})
	if err != nil || found == nil {
		return 0, err
	}
	var q sequence
	if err := doc.Decode(found, &q); err != nil || len(q.Pending) == 0 {
		return q.Last, err
	}
	return q.Last, a.finish(ctx, org, q.Last, q.Pending)
}

// fresh are the entries that are not written yet, each once.
func (a admission[T]) fresh(ctx context.Context, org id.Org, entries []T) ([]T, error) {
	known := map[string]bool{}
	for some := range slices.Chunk(entries, queryChunk) {
		ids := make([]string, len(some))
		for i, e := range some {
			ids[i] = rowID(string(org), a.id(e))
		}
		found, err := a.s.find(ctx, "store.sequence", a.collection, find{filter: bson.D{{Key: "_id", Value: in(ids)}}, fields: idOnly})
		if err != nil {
			return nil, err
		}
		for _, r := range found {
			known[r.Lookup("_id").StringValue()] = true
		}
	}
	var out []T
	for _, e := range entries {
		if i := rowID(string(org), a.id(e)); !known[i] {
			known[i] = true
			out = append(out, e)
		}
	}
	return out, nil
}

// encode writes as many entries as may be pending at once, and one at least.
func (a admission[T]) encode(org id.Org, entries []T) (out []bson.Raw, err error) {
	size := 0
	for _, e := range entries {
		b, err := doc.Encode(e)
		if err != nil {
			return nil, err
		}
		raw, err := withID(b, rowID(string(org), a.id(e)))
		if err != nil {
			return nil, err
		}
		if size += len(raw); size > maxPendingBytes && len(out) > 0 {
			break
		}
		out = append(out, raw)
	}
	return out, nil
}

// take numbers pending entries if the last number is still the one given.
func (a admission[T]) take(ctx context.Context, org id.Org, last int64, pending []bson.Raw) (bool, error) {
	const op = "store.sequence"
	i := rowID(string(org), a.collection)
	if last == 0 {
		err := a.s.insert(ctx, op, "sequences", bson.D{
			{Key: "_id", Value: i}, {Key: "internal_id", Value: string(org)}, {Key: "name", Value: a.collection},
			{Key: "last", Value: int64(len(pending))}, {Key: "pending", Value: pending},
		})
		if errs.Is(err, errs.AlreadyExists) {
			return false, nil
		}
		return err == nil, err
	}
	return a.s.updateOne(ctx, op, "sequences", bson.D{{Key: "_id", Value: i}, {Key: "last", Value: last}, {Key: "pending", Value: nil}},
		bson.D{{Key: "$set", Value: bson.D{{Key: "last", Value: last + int64(len(pending))}, {Key: "pending", Value: pending}}}})
}

// finish writes the entries that are pending with the number last, in order,
// and takes them out of the sequence.
func (a admission[T]) finish(ctx context.Context, org id.Org, last int64, pending []bson.Raw) error {
	const op = "store.sequence"
	for _, raw := range pending {
		fields, err := fieldsOf(raw)
		if err != nil {
			return err
		}
		err = a.s.insert(ctx, op, a.collection, fields)
		if errs.Is(err, errs.AlreadyExists) {
			err = a.present(ctx, raw)
		}
		if err != nil {
			return err
		}
	}
	_, err := a.s.updateOne(ctx, op, "sequences", bson.D{{Key: "_id", Value: rowID(string(org), a.collection)}, {Key: "last", Value: last}},
		bson.D{{Key: "$unset", Value: bson.D{{Key: "pending", Value: ""}}}})
	return err
}

// present refuses an entry whose number another one has.
func (a admission[T]) present(ctx context.Context, raw bson.Raw) error {
	const op = "store.sequence"
	found, err := a.s.first(ctx, op, a.collection, find{filter: bson.D{{Key: "_id", Value: raw.Lookup("_id")}}, fields: idOnly})
	if err == nil && found == nil {
		err = errs.New(errs.Corrupt, op, "two entries of the collection "+a.collection+" have one number: restore a backup")
	}
	return err
}
