package mongo

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/bucket"
	"mooring/internal/id"
	"mooring/internal/store"
	"mooring/internal/store/internal/objects"
	"mooring/internal/store/internal/paging"
)

// listFields are the fields by which objects are filtered, where a document has another name for one.
var listFields = map[string]string{"status": "state", "content_hash": "sha256"}

func listField(name string) string {
	if f, ok := listFields[name]; ok {
		return f
	}
	return name
}

// List implements store.Catalogue. Without a sort it is newest first.
func (c catalogue) List(ctx context.Context, org id.Org, b id.Bucket, f bucket.Filter, p store.Page) (store.List[bucket.Object], error) {
	var empty store.List[bucket.Object]
	by, desc, err := objects.Order(f)
	if err != nil {
		return empty, err
	}
	limit, err := paging.Limit(p)
	if err != nil {
		return empty, err
	}
	filter, err := objectFilter(org, b, f)
	if err != nil {
		return empty, err
	}
	list := paging.List("objects", string(org), string(b), by.Field, fmt.Sprint(desc))
	direction := map[bool]int{false: 1, true: -1}[desc]
	q := find{filter: filter, sort: bson.D{{Key: by.Field, Value: direction}, {Key: "_id", Value: direction}}, limit: limit + 1, skip: p.Offset}
	if p.Cursor != "" {
		at, err := paging.Position(list, p.Cursor, by.Like, "")
		if err != nil {
			return empty, err
		}
		q.filter, q.skip = also(filter, beyond(by, at[0], rowID(string(org), string(b), at[1].(string)), desc)...), 0
	}
	items, err := c.objects(ctx, "store.catalogue.list", q)
	if err != nil || len(items) <= limit {
		return store.List[bucket.Object]{Items: items}, err
	}
	last := &items[limit-1]
	next, err := paging.Cursor(list, by.Of(last), string(last.ID))
	return store.List[bucket.Object]{Items: items[:limit], Next: next}, err
}

// beyond selects what comes after a position in a list of objects. The first
// condition bounds the index, which the second alone would not.
func beyond(by objects.Sort, value any, row string, desc bool) []bson.D {
	if ms, ok := value.(int64); ok && by.Field != "size" {
		value = time.UnixMilli(ms).UTC()
	}
	past := map[bool]string{false: "$gt", true: "$lt"}[desc]
	return []bson.D{
		{{Key: by.Field, Value: bson.D{{Key: past + "e", Value: value}}}},
		{{Key: "$or", Value: bson.A{bson.D{{Key: by.Field, Value: bson.D{{Key: past, Value: value}}}}, bson.D{{Key: "_id", Value: bson.D{{Key: past, Value: row}}}}}}},
	}
}

func objectFilter(org id.Org, b id.Bucket, f bucket.Filter) (bson.D, error) {
	out := ofBucket(org, b)
	for _, given := range f.Where {
		c, err := objects.Parse(given)
		if err != nil {
			return nil, err
		}
		out = also(out, bson.D{condition(c)})
	}
	if f.Search != "" {
		out = append(out, contains("derived.folded", fold(f.Search)))
	}
	return out, nil
}

func condition(c objects.Condition) bson.E {
	values := make(bson.A, len(c.Values))
	for i, v := range c.Values {
		if t, ok := v.(time.Time); ok {
			v = cut(t)
		}
		values[i] = v
	}
	field := listField(c.Field)
	switch c.Op {
	case "in":
		if len(values) == 1 {
			return bson.E{Key: field, Value: values[0]}
		}
		return bson.E{Key: field, Value: bson.D{{Key: "$in", Value: values}}}
	case "prefix":
		return begins(field, values[0].(string))
	}
	return bson.E{Key: field, Value: bson.D{{Key: "$" + c.Op, Value: values[0]}}}
}
