package mongo

import (
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/key"
	"mooring/internal/store"
	"mooring/internal/store/internal/doc"
	"mooring/internal/store/internal/paging"
	"mooring/internal/syncing"
)

// deadLetters are under organization/sync/letter.
type deadLetters struct{ s *Store }

var _ store.DeadLetters = deadLetters{}

// Put implements store.DeadLetters. Revision is the store's: it moves when a
// letter changes, so that putting the same letters again changes nothing.
func (d deadLetters) Put(ctx context.Context, org id.Org, letters []syncing.DeadLetter) error {
	const op = "store.dead_letters.put"
	for _, l := range letters {
		if l.Org != org || l.Sync == "" || l.ID == "" {
			return errs.New(errs.Invalid, op, "a dead letter must carry its id, its sync and the organization that it is stored for")
		}
	}
	for _, l := range letters {
		if err := d.put(ctx, op, org, l); err != nil {
			return err
		}
	}
	return nil
}

// put writes a letter, by compare-and-swap on its revision.
func (d deadLetters) put(ctx context.Context, op string, org id.Org, l syncing.DeadLetter) error {
	for {
		old, found, err := d.stored(ctx, op, org, l.Sync, l.ID)
		if err != nil {
			return err
		}
		if !found {
			l.Revision = 1
			err = d.s.insertRow(ctx, op, "dead_letters", l, string(org), string(l.Sync), l.ID)
			if errs.Is(err, errs.AlreadyExists) {
				continue
			}
			return err
		}
		if done, err := d.replace(ctx, op, org, old, l); err != nil || done {
			return err
		}
	}
}

// stored returns a letter as it is.
func (d deadLetters) stored(ctx context.Context, op string, org id.Org, s id.Sync, letter string) (l syncing.DeadLetter, found bool, err error) {
	list, err := rows[syncing.DeadLetter](ctx, d.s, op, "dead_letters", syncParts, find{filter: byID(rowID(string(org), string(s), letter))})
	if err != nil || len(list) == 0 {
		return l, false, err
	}
	return list[0], true, nil
}

// replace makes a letter what it shall be, if it still has its revision, and
// reports whether it does.
func (d deadLetters) replace(ctx context.Context, op string, org id.Org, old, l syncing.DeadLetter) (done bool, err error) {
	l.CreatedAt, l.Revision = old.CreatedAt, old.Revision
	before, err := doc.Encode(old)
	if err != nil {
		return false, err
	}
	after, err := doc.Encode(l)
	if err != nil || doc.Equal(before, after) {
		return err == nil, err
	}
	l.Revision++
	if after, err = doc.Encode(l); err != nil {
		return false, err
	}
	change, err := difference(before, after)
	if err != nil {
		return false, err
	}
	still := bson.D{{Key: "_id", Value: rowID(string(org), string(l.Sync), l.ID)}, {Key: "revision", Value: old.Revision}}
	return d.s.updateOne(ctx, op, "dead_letters", still, change.update())
}

// Close implements store.DeadLetters.
func (d deadLetters) Close(ctx context.Context, org id.Org, s id.Sync, ids []string) error {
	return d.s.removeListed(ctx, "store.dead_letters.close", "dead_letters", ids, string(org), string(s))
}

// Get implements store.DeadLetters.
func (d deadLetters) Get(ctx context.Context, org id.Org, s id.Sync, letter string) (syncing.DeadLetter, error) {
	l, found, err := d.stored(ctx, "store.dead_letters.get", org, s, letter)
	if err == nil && !found {
		err = notFound("store.dead_letters.get", "dead letter")
	}
	return l, err
}

// Scan implements store.DeadLetters.
func (d deadLetters) Scan(ctx context.Context, org id.Org, s id.Sync, after, to key.Key, limit int) ([]syncing.DeadLetter, error) {
	const op = "store.dead_letters.scan"
	if err := checkLimit(op, limit); err != nil {
		return nil, err
	}
	return rows[syncing.DeadLetter](ctx, d.s, op, "dead_letters", syncParts, find{
		filter: append(ofSync(org, s), bson.E{Key: "source_id", Value: between(after, to)}), sort: bson.D{{Key: "source_id", Value: 1}}, limit: limit,
	})
}

// Lookup implements store.DeadLetters.
func (d deadLetters) Lookup(ctx context.Context, org id.Org, s id.Sync, ids []string) (map[string]syncing.DeadLetter, error) {
	out := make(map[string]syncing.DeadLetter, len(ids))
	for chunk := range slices.Chunk(ids, queryChunk) {
		found, err := rows[syncing.DeadLetter](ctx, d.s, "store.dead_letters.lookup", "dead_letters", syncParts, find{
			filter: bson.D{{Key: "_id", Value: in(rowIDs(chunk, string(org), string(s)))}},
		})
		if err != nil {
			return nil, err
		}
		for _, l := range found {
			out[l.ID] = l
		}
	}
	return out, nil
}

// List implements store.DeadLetters, newest first.
func (d deadLetters) List(ctx context.Context, org id.Org, s id.Sync, f syncing.DeadLetterFilter, p store.Page) (store.List[syncing.DeadLetter], error) {
	var empty store.List[syncing.DeadLetter]
	limit, err := paging.Limit(p)
	if err != nil {
		return empty, err
	}
	list := paging.List("dead_letters", string(org), string(s))
	q := find{filter: letterFilter(org, s, f, nil), sort: newestFirst("created_at"), limit: limit + 1, skip: p.Offset}
	if p.Cursor != "" {
		at, err := paging.Position(list, p.Cursor, int64(0), "")
		if err != nil {
			return empty, err
		}
		at[1] = rowID(string(org), string(s), at[1].(string))
		q.filter, q.skip = also(q.filter, before("created_at", at)...), 0
	}
	items, err := rows[syncing.DeadLetter](ctx, d.s, "store.dead_letters.list", "dead_letters", syncParts, q)
	if err != nil || len(items) <= limit {
		return store.List[syncing.DeadLetter]{Items: items}, err
	}
	last := items[limit-1]
	next, err := paging.Cursor(list, last.CreatedAt.UnixMilli(), last.ID)
	return store.List[syncing.DeadLetter]{Items: items[:limit], Next: next}, err
}

// Count implements store.DeadLetters.
func (d deadLetters) Count(ctx context.Context, org id.Org, s id.Sync, f syncing.DeadLetterFilter) (int64, error) {
	return d.s.count(ctx, "store.dead_letters.count", "dead_letters", letterFilter(org, s, f, nil))
}

// SetStatus implements store.DeadLetters. Letters that have the status already are not counted.
func (d deadLetters) SetStatus(ctx context.Context, org id.Org, s id.Sync, f syncing.DeadLetterFilter, ids []string, status string) (total int64, err error) {
	const op = "store.dead_letters.set_status"
	filter := also(letterFilter(org, s, f, ids), bson.D{{Key: "status", Value: bson.D{{Key: "$ne", Value: status}}}})
	for {
		found, err := rows[syncing.DeadLetter](ctx, d.s, op, "dead_letters", syncParts, find{filter: filter, limit: removeChunk})
		if err != nil {
			return total, err
		}
		for _, old := range found {
			l := old
			l.Status = status
			if now := cut(d.s.now()); now.After(l.UpdatedAt) {
				l.UpdatedAt = now
			}
			done, err := d.replace(ctx, op, org, old, l)
			if err != nil {
				return total, err
			}
			if done {
				total++
			}
		}
		if len(found) == 0 {
			return total, nil
		}
	}
}

// Purge implements store.DeadLetters.
func (d deadLetters) Purge(ctx context.Context, org id.Org, s id.Sync, f syncing.DeadLetterFilter, ids []string) (int64, error) {
	return d.s.remove(ctx, "store.dead_letters.purge", "dead_letters", letterFilter(org, s, f, ids))
}

func letterFilter(org id.Org, s id.Sync, f syncing.DeadLetterFilter, ids []string) bson.D {
	out := ofSync(org, s)
	if f.Status != "" {
		out = append(out, bson.E{Key: "status", Value: f.Status})
	}
	if f.ByKind {
		out = append(out, bson.E{Key: "kind", Value: f.Kind.String()})
	}
	if len(ids) > 0 {
		out = append(out, bson.E{Key: "_id", Value: in(rowIDs(ids, string(org), string(s)))})
	}
	return out
}
