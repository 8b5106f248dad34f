package mongo

import (
	"bytes"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/audit"
	"mooring/internal/errs"
	"mooring/internal/event"
	"mooring/internal/outbox"
)

// delta is an update that changes the fields that differ and nothing else, so
// that what other updates write beside it stays.
type delta struct {
	set, unset, pushed bson.D
}

func fieldsOf(raw bson.Raw) (bson.D, error) {
	elements, err := raw.Elements()
	if err != nil {
		return nil, errs.Wrap(err, errs.Corrupt, "store.encode", "a document can't be read")
	}
	out := make(bson.D, 0, len(elements))
	for _, e := range elements {
		if e.Key() != "outbox" { // it is written on its own
			out = append(out, bson.E{Key: e.Key(), Value: e.Value()})
		}
	}
	return out, nil
}

// difference is the way from one document to another of the same _id.
func difference(before, after bson.Raw) (delta, error) {
	var d delta
	old, err := fieldsOf(before)
	if err != nil {
		return d, err
	}
	fields, err := fieldsOf(after)
	if err != nil {
		return d, err
	}
	was := make(map[string]bson.RawValue, len(old))
	for _, e := range old {
		was[e.Key] = e.Value.(bson.RawValue)
	}
	for _, e := range fields {
		v := e.Value.(bson.RawValue)
		if o, ok := was[e.Key]; !ok || o.Type != v.Type || !bytes.Equal(o.Value, v.Value) {
			d.set = append(d.set, e)
		}
		delete(was, e.Key)
	}
	for _, e := range old {
		if _, gone := was[e.Key]; gone {
			d.unset = append(d.unset, bson.E{Key: e.Key, Value: ""})
		}
	}
	return d, nil
}

// derive adds the derived fields that differ; both lists hold the same fields.
func (d *delta) derive(old, now bson.D) {
	for i, e := range now {
		if old[i].Value != e.Value {
			d.set = append(d.set, bson.E{Key: "derived." + e.Key, Value: e.Value})
		}
	}
}

// push adds to the outbox what a revision tells.
func (d *delta) push(box outbox.Outbox, revision int64) {
	if box.Empty() {
		return
	}
	d.set = append(d.set, bson.E{Key: "derived.waiting", Value: revision})
	if len(box.Audit) > 0 {
		d.pushed = append(d.pushed, bson.E{Key: "outbox.audit", Value: each[audit.Entry]{box.Audit}})
	}
	if len(box.Events) > 0 {
		d.pushed = append(d.pushed, bson.E{Key: "outbox.events", Value: each[event.Event]{box.Events}})
	}
}

type each[T any] struct {
	List []T `bson:"$each"`
}

func (d *delta) update() bson.D {
	out := bson.D{{Key: "$set", Value: d.set}}
	if d.unset != nil {
		out = append(out, bson.E{Key: "$unset", Value: d.unset})
	}
	if d.pushed != nil {
		out = append(out, bson.E{Key: "$push", Value: d.pushed})
	}
	return out
}
