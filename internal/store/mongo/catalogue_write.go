package mongo

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store/internal/doc"
)

// Objects have no revision of their own: derived.mark is another value after
// each write, and what a compare-and-swap compares.

// objectFields are the fields that an object may have.
var objectFields = sync.OnceValue(func() (out []string) {
	t := reflect.TypeFor[bucket.Object]()
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("bson"), ",")
		out = append(out, name)
	}
	return out
})

// replacement is the update that makes an object what o says, but for the time
// at which it was created, which stays.
func (c catalogue) replacement(org id.Org, b id.Bucket, o *bucket.Object) (update bson.D, raw bson.Raw, err error) {
	const op = "store.catalogue.upsert"
	if o.Org != org || o.Bucket != b {
		return nil, nil, errs.New(errs.Invalid, op, "an object must carry the organization and the bucket that it is stored for")
	}
	if o.ID != id.ObjectOf(b, o.Connection, string(o.SourceID)) {
		return nil, nil, errs.New(errs.Invalid, op, "an object's id must be the one derived from bucket, connection and source id")
	}
	raw, err = doc.Encode(o)
	if err != nil {
		return nil, nil, err
	}
	elements, err := raw.Elements()
	if err != nil {
		return nil, nil, errs.Wrap(err, errs.Corrupt, op, "a document can't be read")
	}
	set := bson.D{{Key: "derived", Value: bson.D{{Key: "mark", Value: bson.NewObjectID()}, {Key: "folded", Value: fold(o.SourcePath)}}}}
	var gone bson.D
	present := map[string]bool{"_id": true, "created_at": true}
	for _, e := range elements {
		if !present[e.Key()] {
			present[e.Key()] = true
			set = append(set, bson.E{Key: e.Key(), Value: e.Value()})
		}
	}
	for _, name := range objectFields() {
		if !present[name] {
			gone = append(gone, bson.E{Key: name, Value: ""})
		}
	}
	return bson.D{{Key: "$set", Value: set}, {Key: "$unset", Value: gone}}, raw, nil
}

// Upsert implements store.Catalogue. If it fails, the call can be made again.
func (c catalogue) Upsert(ctx context.Context, org id.Org, b id.Bucket, objects []bucket.Object) error {
	writes := make([]write, 0, len(objects))
	place := make(map[id.Object]int, len(objects)) // of an object given twice, the last counts
	for i := range objects {
		o := &objects[i]
		w, err := c.upsert(org, b, o)
		if err != nil {
			return err
		}
		if at, twice := place[o.ID]; twice {
			writes[at] = w
			continue
		}
		place[o.ID] = len(writes)
		writes = append(writes, w)
	}
	for chunk := range slices.Chunk(writes, writeChunk) {
		if err := c.upsertAll(ctx, chunk); err != nil {
			return err
		}
	}
	return nil
}

// upsert is the write of one object. It selects no object that a user has
// deleted, and none that is newer: then the insert that follows is refused.
func (c catalogue) upsert(org id.Org, b id.Bucket, o *bucket.Object) (write, error) {
	update, _, err := c.replacement(org, b, o)
	if err != nil {
		return write{}, err
	}
	filter := byID(rowID(string(org), string(b), string(o.ID)))
	if o.State != bucket.Removed {
		deleted := bson.D{{Key: "state", Value: bucket.Removed}}
		if o.Version != "" {
			deleted = append(deleted, bson.E{Key: "version", Value: o.Version})
		}
		newer := bson.D{
			{Key: "state", Value: bson.D{{Key: "$ne", Value: bucket.Removed}}}, {Key: "revision", Value: bson.D{{Key: "$gt", Value: o.Revision}}},
		}
		filter = append(filter, bson.E{Key: "$nor", Value: bson.A{deleted, newer}})
	}
	return write{filter, append(update, bson.E{Key: "$setOnInsert", Value: bson.D{{Key: "created_at", Value: o.CreatedAt}}}), true}, nil
}

// upsertAll makes writes. One that is refused met an object that a user has
// deleted, a newer one, or another process that made the object at this moment, and is then
// made again.
func (c catalogue) upsertAll(ctx context.Context, writes []write) error {
	const op = "store.catalogue.upsert"
	for {
		refused, err := c.s.bulk(ctx, op, "objects", writes)
		if err != nil || len(refused) == 0 {
			return err
		}
		var again []write
		for _, i := range refused {
			met, err := c.s.first(ctx, op, "objects", find{filter: writes[i].filter, fields: idOnly})
			if err != nil {
				return err
			}
			if met != nil {
				again = append(again, writes[i])
			}
		}
		if len(again) == 0 {
			return nil
		}
		writes = again
	}
}

// Update implements store.Catalogue.
func (c catalogue) Update(ctx context.Context, org id.Org, b id.Bucket, o id.Object, change func(*bucket.Object) error) (bucket.Object, error) {
	for {
		out, err := c.attempt(ctx, org, b, o, change)
		if !errors.Is(err, errLost) {
			return out, err
		}
	}
}

func (c catalogue) attempt(ctx context.Context, org id.Org, b id.Bucket, o id.Object, change func(*bucket.Object) error) (bucket.Object, error) {
	const op = "store.catalogue.update"
	var zero, cur bucket.Object
	i := byID(rowID(string(org), string(b), string(o)))
	found, err := c.s.first(ctx, op, "objects", find{filter: i})
	if err == nil && found == nil {
		err = notFound(op, "object")
	}
	if err == nil {
		err = decodeRow(found, objectParts, &cur)
	}
	if err != nil {
		return zero, err
	}
	before, err := doc.Encode(&cur)
	if err != nil {
		return zero, err
	}
	created, conn, source := cur.CreatedAt, cur.Connection, cur.SourceID
	if err := change(&cur); err != nil {
		return zero, err
	}
	if cur.ID != o || cur.Connection != conn || cur.SourceID != source {
		return zero, errs.New(errs.Invalid, op, "a change must leave what an object stands for as it is")
	}
	cur.CreatedAt = created
	update, after, err := c.replacement(org, b, &cur)
	if err != nil {
		return zero, err
	}
	if !doc.Equal(before, after) {
		mark := bson.E{Key: "derived.mark", Value: found.Lookup("derived", "mark")}
		err = unlessLost(c.s.updateOne(ctx, op, "objects", append(i, mark), update))
	}
	if err == nil {
		err = doc.Decode(after, &zero)
	}
	return zero, err
}

// MarkSeen implements store.Catalogue.
func (c catalogue) MarkSeen(ctx context.Context, org id.Org, b id.Bucket, pass id.Pass, ids []id.Object) error {
	seen := bson.D{{Key: "$set", Value: bson.D{{Key: "seen_pass", Value: string(pass)}, {Key: "derived.mark", Value: bson.NewObjectID()}}}}
	for chunk := range slices.Chunk(ids, queryChunk) {
		if err := c.s.updateMany(ctx, "store.catalogue.mark_seen", "objects", bson.D{{Key: "_id", Value: in(rowIDs(chunk, string(org), string(b)))}}, seen); err != nil {
			return err
		}
	}
	return nil
}

// Remove implements store.Catalogue. The names go first: an object without one
// is removed by the same call made again.
func (c catalogue) Remove(ctx context.Context, org id.Org, b id.Bucket, ids []id.Object) error {
	const op = "store.catalogue.remove"
	sources, objects := make([]string, len(ids)), make([]string, len(ids))
	for i, o := range ids {
		sources[i], objects[i] = bucket.FileSource(o).Encode(), string(o)
	}
	if err := c.s.removeListed(ctx, op, "names", sources, string(org), string(b)); err != nil {
		return err
	}
	return c.s.removeListed(ctx, op, "objects", objects, string(org), string(b))
}

// Drop implements store.Catalogue.
func (c catalogue) Drop(ctx context.Context, org id.Org, b id.Bucket, limit int) (more bool, err error) {
	const op = "store.catalogue.drop"
	if err := checkLimit(op, limit); err != nil {
		return false, err
	}
	all := bson.D{{Key: "_id", Value: below("", string(org), string(b))}}
	for _, name := range []string{"objects", "names"} {
		for limit > 0 {
			chunk := min(limit, removeChunk)
			n, err := c.s.removeSome(ctx, op, name, all, chunk)
			if err != nil {
				return true, err
			}
			if limit -= n; n < chunk {
				break
			}
		}
		left, err := c.s.first(ctx, op, name, find{filter: all, fields: idOnly})
		if err != nil || left != nil {
			return true, err
		}
	}
	return false, nil
}
