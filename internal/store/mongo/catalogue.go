package mongo

import (
	"context"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/bucket"
	"mooring/internal/id"
	"mooring/internal/key"
	"mooring/internal/store"
)

// catalogue holds objects under organization/bucket/object and names under
// organization/bucket/source.
type catalogue struct{ s *Store }

var _ store.Catalogue = catalogue{}

// objectParts is how many parts of an object's _id come before its own id.
const objectParts = 2

func ofBucket(org id.Org, b id.Bucket) bson.D {
	return append(ofOrg(org), bson.E{Key: "bucket_id", Value: string(b)})
}

// entryFields are what an entry needs of an object.
var entryFields = bson.D{
	{Key: "sync_config_id", Value: 1}, {Key: "source_id", Value: 1}, {Key: "version", Value: 1}, {Key: "size", Value: 1},
	{Key: "name", Value: 1}, {Key: "state", Value: 1}, {Key: "mapping", Value: 1}, {Key: "source_path", Value: 1},
}

func (c catalogue) entries(ctx context.Context, op string, filter bson.D, limit int) ([]bucket.Entry, error) {
	found, err := rows[bucket.Object](ctx, c.s, op, "objects", objectParts, find{filter: filter, sort: bson.D{{Key: "source_id", Value: 1}}, fields: entryFields, limit: limit})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	out := make([]bucket.Entry, len(found))
	for i, o := range found {
		out[i] = bucket.Entry{
			ID: o.ID, Sync: o.Sync, SourceID: o.SourceID, Version: o.Version, Size: o.Size, Name: o.Name, State: o.State, Mapping: o.Mapping, Path: o.SourcePath,
		}
	}
	return out, nil
}

// between is the range of source ids after one and, unless it is "", before another.
func between(after, to key.Key) bson.D {
	out := bson.D{{Key: "$gt", Value: after.Encode()}}
	if to != "" {
		out = append(out, bson.E{Key: "$lt", Value: to.Encode()})
	}
	return out
}

// Scan implements store.Catalogue.
func (c catalogue) Scan(ctx context.Context, org id.Org, b id.Bucket, conn id.Connection, after, to key.Key, limit int) ([]bucket.Entry, error) {
	const op = "store.catalogue.scan"
	if err := checkLimit(op, limit); err != nil {
		return nil, err
	}
	return c.entries(ctx, op, append(ofBucket(org, b), bson.E{Key: "connection_id", Value: string(conn)}, bson.E{Key: "source_id", Value: between(after, to)}), limit)
}

// Unseen implements store.Catalogue.
func (c catalogue) Unseen(ctx context.Context, org id.Org, b id.Bucket, s id.Sync, pass id.Pass, after key.Key, limit int) ([]bucket.Entry, error) {
	const op = "store.catalogue.unseen"
	if err := checkLimit(op, limit); err != nil {
		return nil, err
	}
	return c.entries(ctx, op, append(ofBucket(org, b), bson.E{Key: "sync_config_id", Value: string(s)}, bson.E{Key: "source_id", Value: between(after, "")},
		bson.E{Key: "state", Value: bucket.Present}, bson.E{Key: "seen_pass", Value: bson.D{{Key: "$ne", Value: string(pass)}}}), limit)
}

// objects returns the objects that a question selects.
func (c catalogue) objects(ctx context.Context, op string, q find) ([]bucket.Object, error) {
	q.fields = plain
	return rows[bucket.Object](ctx, c.s, op, "objects", objectParts, q)
}

// Lookup implements store.Catalogue.
func (c catalogue) Lookup(ctx context.Context, org id.Org, b id.Bucket, ids []id.Object) (map[id.Object]bucket.Object, error) {
	out := make(map[id.Object]bucket.Object, len(ids))
	for chunk := range slices.Chunk(ids, queryChunk) {
		found, err := c.objects(ctx, "store.catalogue.lookup", find{filter: bson.D{{Key: "_id", Value: in(rowIDs(chunk, string(org), string(b)))}}})
		if err != nil {
			return nil, err
		}
		for _, o := range found {
			out[o.ID] = o
		}
	}
	return out, nil
}

// Get implements store.Catalogue.
func (c catalogue) Get(ctx context.Context, org id.Org, b id.Bucket, o id.Object) (bucket.Object, error) {
	found, err := c.Lookup(ctx, org, b, []id.Object{o})
	if err != nil {
		return bucket.Object{}, err
	}
	got, ok := found[o]
	if !ok {
		return got, notFound("store.catalogue.get", "object")
	}
	return got, nil
}

// ByContent implements store.Catalogue.
func (c catalogue) ByContent(ctx context.Context, org id.Org, b id.Bucket, sums []string) (map[string]id.Object, error) {
	out := make(map[string]id.Object, len(sums))
	asked := slices.DeleteFunc(slices.Compact(slices.Sorted(slices.Values(sums))), func(s string) bool { return s == "" })
	for chunk := range slices.Chunk(asked, queryChunk) {
		found, err := rows[bucket.Object](ctx, c.s, "store.catalogue.by_content", "objects", objectParts, find{
			filter: append(ofBucket(org, b), bson.E{Key: "sha256", Value: in(chunk)}, bson.E{Key: "state", Value: bucket.Present}, bson.E{Key: "duplicate_of", Value: nil}),
			fields: bson.D{{Key: "sha256", Value: 1}, {Key: "created_at", Value: 1}},
		})
		if err != nil {
			return nil, err
		}
		slices.SortFunc(found, func(a, b bucket.Object) int { return b.CreatedAt.Compare(a.CreatedAt) })
		for _, o := range found { // the oldest comes last
			out[o.SHA256] = o.ID
		}
	}
	return out, nil
}

// Duplicates implements store.Catalogue.
func (c catalogue) Duplicates(ctx context.Context, org id.Org, b id.Bucket, sum string, limit int) ([]bucket.Object, error) {
	const op = "store.catalogue.duplicates"
	if err := checkLimit(op, limit); err != nil || sum == "" {
		return nil, err
	}
	return c.objects(ctx, op, find{
		filter: append(ofBucket(org, b), bson.E{Key: "sha256", Value: sum}, bson.E{Key: "state", Value: bucket.Present}, bson.E{Key: "duplicate_of", Value: bson.D{{Key: "$ne", Value: nil}}}),
		sort:   bson.D{{Key: "created_at", Value: 1}, {Key: "source_id", Value: 1}}, limit: limit,
	})
}

// InFolder implements store.Catalogue.
func (c catalogue) InFolder(ctx context.Context, org id.Org, b id.Bucket, conn id.Connection, parent string, after id.Object, limit int) ([]bucket.Object, error) {
	const op = "store.catalogue.in_folder"
	if err := checkLimit(op, limit); err != nil || parent == "" {
		return nil, err
	}
	return c.objects(ctx, op, find{
		filter: append(ofBucket(org, b), bson.E{Key: "connection_id", Value: string(conn)}, bson.E{Key: "parent", Value: parent},
			bson.E{Key: "_id", Value: below(string(after), string(org), string(b))}),
		sort: byID(1), limit: limit,
	})
}

// Stats implements store.Catalogue.
func (c catalogue) Stats(ctx context.Context, org id.Org, b id.Bucket) (bucket.Stats, error) {
	now := cut(c.s.now())
	out := bucket.Stats{UpdatedAt: &now}
	found, err := c.s.group(ctx, "store.catalogue.stats", "objects", append(ofBucket(org, b), bson.E{Key: "state", Value: bucket.Present}), bson.D{
		{Key: "_id", Value: nil}, {Key: "n", Value: bson.D{{Key: "$sum", Value: 1}}}, {Key: "bytes", Value: bson.D{{Key: "$sum", Value: "$size"}}},
		{Key: "last", Value: bson.D{{Key: "$max", Value: "$created_at"}}},
	})
	if err != nil || len(found) == 0 {
		return out, err
	}
	out.Objects, out.Bytes = found[0].Lookup("n").AsInt64(), found[0].Lookup("bytes").AsInt64()
	if ms, ok := found[0].Lookup("last").DateTimeOK(); ok {
		out.LastAt = new(time.UnixMilli(ms).UTC())
	}
	return out, nil
}

// CountSync implements store.Catalogue.
func (c catalogue) CountSync(ctx context.Context, org id.Org, b id.Bucket, s id.Sync) (int64, error) {
	return c.s.count(ctx, "store.catalogue.count_sync", "objects", append(ofBucket(org, b),
		bson.E{Key: "sync_config_id", Value: string(s)}, bson.E{Key: "state", Value: bucket.Present}))
}
