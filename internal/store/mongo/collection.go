package mongo

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/outbox"
	"mooring/internal/store"
	"mooring/internal/store/internal/doc"
	"mooring/internal/store/internal/paging"
)

// head is what every record has, as pointers into it.
type head[ID ~string] struct {
	id       *ID
	org      *id.Org
	revision *int64
	created  *time.Time
	outbox   *outbox.Outbox // nil for records without one
}

// collection is a collection of documents of type T. It implements store.Records.
type collection[T any, ID ~string] struct {
	s       *Store
	name    string
	noun    string // for messages
	org     string // the field that holds the organization; "" is internal_id
	created string // the field by which lists are ordered; "" is created_at
	head    func(*T) head[ID]
	derive  func(*T) bson.D // the fields of derived, the same ones for each record
	// guard are fields that are also written without a revision: an update is
	// lost if one has another value than the document it read.
	guard []string
	merge func(*T) // adds what is known beside the document
}

// define completes a declaration.
func define[T any, ID ~string](s *Store, c collection[T, ID]) *collection[T, ID] {
	c.s = s
	if c.org == "" {
		c.org = "internal_id"
	}
	if c.created == "" {
		c.created = "created_at"
	}
	return &c
}

// plain leaves out what is no part of a record as its callers know it.
var plain = bson.D{{Key: "outbox", Value: 0}, {Key: "derived", Value: 0}}

func (c *collection[T, ID]) op(verb string) string { return "store." + c.name + "." + verb }

func (c *collection[T, ID]) missing(verb string) error {
	return errs.New(errs.NotFound, c.op(verb), "no such "+c.noun)
}

// key selects one record of an organization.
func (c *collection[T, ID]) key(org id.Org, i ID) bson.D {
	if c.org == "_id" {
		return also(byID(string(i)), byID(string(org)))
	}
	return append(byID(string(i)), bson.E{Key: c.org, Value: string(org)})
}

// Insert implements store.Records.
func (c *collection[T, ID]) Insert(ctx context.Context, org id.Org, v T) (T, error) {
	var zero T
	h := c.head(&v)
	if *h.org == "" {
		*h.org = org
	}
	if org == "" || *h.org != org || *h.id == "" {
		return zero, errs.New(errs.Invalid, c.op("insert"), "a "+c.noun+" needs an id and the organization that it is stored for")
	}
	*h.revision = 1
	box := c.unbox(h)
	raw, err := doc.Encode(&v)
	if err != nil {
		return zero, err
	}
	fields, err := fieldsOf(raw)
	if err != nil {
		return zero, err
	}
	derived := c.derived(&v)
	if !box.Empty() {
		fields, derived = append(fields, bson.E{Key: "outbox", Value: box}), append(derived, bson.E{Key: "waiting", Value: int64(1)})
	}
	err = c.s.insert(ctx, c.op("insert"), c.name, append(fields, bson.E{Key: "derived", Value: derived}))
	if errs.Is(err, errs.AlreadyExists) {
		err = errs.Wrap(err, errs.AlreadyExists, c.op("insert"), "a "+c.noun+" with this id or name exists")
	}
	if err != nil {
		return zero, err
	}
	c.told(ctx, org, *h.id, box)
	err = doc.Decode(raw, &zero)
	return zero, err
}

// unbox takes the outbox out of a record.
func (c *collection[T, ID]) unbox(h head[ID]) (box outbox.Outbox) {
	if h.outbox != nil {
		box, *h.outbox = *h.outbox, outbox.Outbox{}
	}
	return box
}

func (c *collection[T, ID]) derived(v *T) bson.D {
	if c.derive == nil {
		return bson.D{}
	}
	return c.derive(v)
}

// told relays at once what a write has put into an outbox, so that its caller
// finds it. If that fails nothing is lost: the relay comes by.
func (c *collection[T, ID]) told(ctx context.Context, org id.Org, i ID, box outbox.Outbox) {
	if !box.Empty() {
		_ = c.s.relay(ctx, c.name, org, string(i))
	}
}

// Get implements store.Records.
func (c *collection[T, ID]) Get(ctx context.Context, org id.Org, i ID) (T, error) {
	return c.one(ctx, "get", find{filter: c.key(org, i)})
}

// one returns the first record that a question selects.
func (c *collection[T, ID]) one(ctx context.Context, verb string, q find) (T, error) {
	var zero T
	q.limit = 1
	found, err := c.all(ctx, verb, q)
	switch {
	case err != nil:
		return zero, err
	case len(found) == 0:
		return zero, c.missing(verb)
	}
	return found[0], nil
}

// all returns the records that a question selects.
func (c *collection[T, ID]) all(ctx context.Context, verb string, q find) ([]T, error) {
	q.fields = plain
	rows, err := c.s.find(ctx, c.op(verb), c.name, q)
	if err != nil {
		return nil, err
	}
	out := make([]T, len(rows))
	for i, r := range rows {
		if err := doc.Decode(r, &out[i]); err != nil {
			return nil, err
		}
		if c.merge != nil {
			c.merge(&out[i])
		}
	}
	return out, nil
}

// Update implements store.Records.
func (c *collection[T, ID]) Update(ctx context.Context, org id.Org, i ID, change func(*T) error) (T, error) {
	var zero T
	for {
		cur, err := c.Get(ctx, org, i)
		if err != nil {
			return zero, err
		}
		out, err := c.attempt(ctx, org, cur, change)
		if err == nil {
			return out, nil
		}
		if !errors.Is(err, errLost) {
			return zero, err
		}
	}
}

// attempt writes what change makes of cur, if cur is still what is stored; else errLost.
func (c *collection[T, ID]) attempt(ctx context.Context, org id.Org, cur T, change func(*T) error) (T, error) {
	var zero T
	before, err := doc.Encode(&cur)
	if err != nil {
		return zero, err
	}
	h, old := c.head(&cur), c.derived(&cur)
	i, revision := *h.id, *h.revision
	if err := change(&cur); err != nil {
		return zero, err
	}
	if *h.id != i || *h.org != org {
		return zero, errs.New(errs.Invalid, c.op("update"), "a change must leave the id and the organization as they are")
	}
	*h.revision = revision
	box := c.unbox(h)
	after, err := doc.Encode(&cur)
	if err != nil {
		return zero, err
	}
	if doc.Equal(before, after) && box.Empty() {
		err := doc.Decode(before, &zero)
		return zero, err
	}
	*h.revision = revision + 1
	if after, err = doc.Encode(&cur); err != nil {
		return zero, err
	}
	d, err := difference(before, after)
	if err != nil {
		return zero, err
	}
	d.derive(old, c.derived(&cur))
	d.push(box, revision+1)
	err = unlessLost(c.s.updateOne(ctx, c.op("update"), c.name, c.still(org, i, revision, before), d.update()))
	if errs.Is(err, errs.AlreadyExists) {
		err = errs.Wrap(err, errs.AlreadyExists, c.op("update"), "another "+c.noun+" has this name")
	}
	if err != nil {
		return zero, err
	}
	c.told(ctx, org, i, box)
	err = doc.Decode(after, &zero)
	return zero, err
}

// still selects a record if it is as it was read.
func (c *collection[T, ID]) still(org id.Org, i ID, revision int64, before bson.Raw) bson.D {
	out := append(c.key(org, i), bson.E{Key: "revision", Value: revision})
	for _, g := range c.guard {
		var value any // null selects a missing field too
		if v, err := before.LookupErr(g); err == nil {
			value = v
		}
		out = append(out, bson.E{Key: g, Value: value})
	}
	return out
}

// take deletes a record whose outbox is empty; a filled one is relayed before.
// A record that is missing is no error.
func (c *collection[T, ID]) take(ctx context.Context, org id.Org, i ID) error {
	for {
		if err := c.s.relay(ctx, c.name, org, string(i)); err != nil {
			return err
		}
		n, err := c.s.remove(ctx, c.op("remove"), c.name, append(c.key(org, i), bson.E{Key: "derived.waiting", Value: nil}))
		if err != nil || n > 0 {
			return err
		}
		left, err := c.s.first(ctx, c.op("remove"), c.name, find{filter: c.key(org, i), fields: idOnly})
		if err != nil || left == nil {
			return err
		}
	}
}

var idOnly = bson.D{{Key: "_id", Value: 1}}

// expire takes the records of an organization whose time has come.
func (c *collection[T, ID]) expire(ctx context.Context, org id.Org, now time.Time) error {
	found, err := c.s.find(ctx, c.op("sweep"), c.name, find{
		filter: append(ofOrg(org), bson.E{Key: "expires_at", Value: bson.D{{Key: "$lte", Value: cut(now)}}}), fields: idOnly,
	})
	if err != nil {
		return err
	}
	for _, i := range idsOf(found) {
		if err := c.take(ctx, org, ID(i)); err != nil {
			return err
		}
	}
	return nil
}

// list returns a page, newest first by (created, id). parents are what, beside
// the organization, a cursor of this list belongs to.
func (c *collection[T, ID]) list(ctx context.Context, org id.Org, filter bson.D, p store.Page, parents ...string) (store.List[T], error) {
	limit, err := paging.Limit(p)
	if err != nil {
		return store.List[T]{}, err
	}
	name := paging.List(append([]string{c.name, string(org)}, parents...)...)
	q := find{filter: filter, sort: newestFirst(c.created), limit: limit + 1, skip: p.Offset}
	if p.Cursor != "" {
		at, err := paging.Position(name, p.Cursor, int64(0), "")
		if err != nil {
			return store.List[T]{}, err
		}
		q.filter, q.skip = also(q.filter, before(c.created, at)...), 0
	}
	items, err := c.all(ctx, "list", q)
	if err != nil || len(items) <= limit {
		return store.List[T]{Items: items}, err
	}
	h := c.head(&items[limit-1])
	next, err := paging.Cursor(name, h.created.UnixMilli(), string(*h.id))
	return store.List[T]{Items: items[:limit], Next: next}, err
}

func newestFirst(created string) bson.D {
	return bson.D{{Key: created, Value: -1}, {Key: "_id", Value: -1}}
}

// before selects what comes after a position in a list that is newest first.
// The first condition bounds the index, which the second alone would not.
func before(created string, at []any) []bson.D {
	t := time.UnixMilli(at[0].(int64)).UTC()
	return []bson.D{
		{{Key: created, Value: bson.D{{Key: "$lte", Value: t}}}},
		{{Key: "$or", Value: bson.A{bson.D{{Key: created, Value: bson.D{{Key: "$lt", Value: t}}}}, bson.D{{Key: "_id", Value: bson.D{{Key: "$lt", Value: at[1]}}}}}}},
	}
}
