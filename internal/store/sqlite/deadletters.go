package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/key"
	"mooring/internal/store"
	"mooring/internal/store/internal/doc"
	"mooring/internal/store/internal/paging"
	"mooring/internal/syncing"
)

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
		if _, err := d.s.atom(ctx, org, string(l.Sync)); err != nil {
			return err
		}
	}
	return inChunks(ctx, d.s, op, letters, func(t *tx, chunk []syncing.DeadLetter) error {
		for _, l := range chunk {
			at, _, err := d.s.findAtom(ctx, org, string(l.Sync))
			if err == nil {
				err = putLetter(t, at, l)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func putLetter(t *tx, at int64, l syncing.DeadLetter) error {
	var stored []byte
	found, err := t.row("SELECT doc FROM dead_letters WHERE sync = ? AND id = ?", []any{at, l.ID}, &stored)
	if err != nil {
		return err
	}
	l.Revision = 1
	if found {
		var old syncing.DeadLetter
		if err := doc.Decode(stored, &old); err != nil {
			return err
		}
		l.CreatedAt, l.Revision = old.CreatedAt, old.Revision
		if same, err := doc.Encode(l); err != nil || doc.Equal(same, stored) {
			return err
		}
		l.Revision++
	}
	b, err := doc.Encode(l)
	if err != nil {
		return err
	}
	_, err = t.exec("INSERT INTO dead_letters (sync, id, source, status, kind, created, doc) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"+
		" ON CONFLICT (sync, id) DO UPDATE SET source = ?3, status = ?4, kind = ?5, doc = ?7",
		at, l.ID, l.SourceID.Encode(), l.Status, l.Kind, l.CreatedAt.UnixMilli(), b)
	return err
}

// Close implements store.DeadLetters.
func (d deadLetters) Close(ctx context.Context, org id.Org, s id.Sync, ids []string) error {
	return d.s.deleteListed(ctx, "store.dead_letters.close", "DELETE FROM dead_letters WHERE sync = ? AND id IN (SELECT value FROM json_each(?))", org, s, ids)
}

// Get implements store.DeadLetters.
func (d deadLetters) Get(ctx context.Context, org id.Org, s id.Sync, letter string) (syncing.DeadLetter, error) {
	found, err := d.Lookup(ctx, org, s, []string{letter})
	if err != nil {
		return syncing.DeadLetter{}, err
	}
	l, ok := found[letter]
	if !ok {
		return l, notFound("store.dead_letters.get", "dead letter")
	}
	return l, nil
}

// Scan implements store.DeadLetters.
func (d deadLetters) Scan(ctx context.Context, org id.Org, s id.Sync, after, to key.Key, limit int) ([]syncing.DeadLetter, error) {
	const op = "store.dead_letters.scan"
	if err := checkLimit(op, limit); err != nil {
		return nil, err
	}
	at, known, err := d.s.findAtom(ctx, org, string(s))
	if err != nil || !known {
		return nil, err
	}
	w := &conditions{}
	w.add("sync = ? AND source > ?", at, after.Encode())
	if to != "" {
		w.add("source < ?", to.Encode())
	}
	return documents[syncing.DeadLetter](ctx, d.s, op, "SELECT doc FROM dead_letters"+w.String()+" ORDER BY source LIMIT ?", append(w.args, limit)...)
}

// Lookup implements store.DeadLetters.
func (d deadLetters) Lookup(ctx context.Context, org id.Org, s id.Sync, ids []string) (map[string]syncing.DeadLetter, error) {
	out := make(map[string]syncing.DeadLetter, len(ids))
	at, known, err := d.s.findAtom(ctx, org, string(s))
	if err != nil || !known {
		return out, err
	}
	for chunk := range slices.Chunk(ids, queryChunk) {
		found, err := documents[syncing.DeadLetter](ctx, d.s, "store.dead_letters.lookup",
			"SELECT doc FROM dead_letters WHERE sync = ? AND id IN (SELECT value FROM json_each(?))", at, texts(chunk))
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
	var position []any
	if p.Cursor != "" {
		p.Offset = 0
		if position, err = paging.Position(list, p.Cursor, int64(0), ""); err != nil {
			return empty, err
		}
	}
	at, known, err := d.s.findAtom(ctx, org, string(s))
	if err != nil || !known {
		return empty, err
	}
	w := letterConditions(at, f, nil)
	if position != nil {
		w.add("(created, id) < (?, ?)", position...)
	}
	items, err := documents[syncing.DeadLetter](ctx, d.s, "store.dead_letters.list",
		atOnce("SELECT doc FROM dead_letters"+w.String()+" ORDER BY created DESC, id DESC LIMIT ? OFFSET ?"), append(w.args, limit+1, p.Offset)...)
	if err != nil || len(items) <= limit {
		return store.List[syncing.DeadLetter]{Items: items}, err
	}
	last := items[limit-1]
	next, err := paging.Cursor(list, last.CreatedAt.UnixMilli(), last.ID)
	return store.List[syncing.DeadLetter]{Items: items[:limit], Next: next}, err
}

// Count implements store.DeadLetters.
func (d deadLetters) Count(ctx context.Context, org id.Org, s id.Sync, f syncing.DeadLetterFilter) (int64, error) {
	at, known, err := d.s.findAtom(ctx, org, string(s))
	if err != nil || !known {
		return 0, err
	}
	w := letterConditions(at, f, nil)
	return d.s.count(ctx, "store.dead_letters.count", "SELECT count(*) FROM dead_letters"+w.String(), w.args)
}

// SetStatus implements store.DeadLetters. Letters that have the status already are not counted.
func (d deadLetters) SetStatus(ctx context.Context, org id.Org, s id.Sync, f syncing.DeadLetterFilter, ids []string, status string) (int64, error) {
	return d.inBatches(ctx, "store.dead_letters.set_status", org, s, f, ids, func(t *tx, at int64, w *conditions) (int64, error) {
		w.add("status <> ?", status)
		var found []syncing.DeadLetter
		err := t.each("SELECT doc FROM dead_letters"+w.String()+" LIMIT ?", append(w.args, removeChunk), func(r *sql.Rows) error {
			var b sql.RawBytes
			if err := r.Scan(&b); err != nil {
				return err
			}
			var l syncing.DeadLetter
			err := doc.Decode(b, &l)
			found = append(found, l)
			return err
		})
		for _, l := range found {
			if err == nil {
				l.Status, l.UpdatedAt = status, later(l.UpdatedAt, cut(d.s.now()))
				err = putLetter(t, at, l)
			}
		}
		return int64(len(found)), err
	})
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Purge implements store.DeadLetters.
func (d deadLetters) Purge(ctx context.Context, org id.Org, s id.Sync, f syncing.DeadLetterFilter, ids []string) (int64, error) {
	return d.inBatches(ctx, "store.dead_letters.purge", org, s, f, ids, func(t *tx, _ int64, w *conditions) (int64, error) {
		return t.exec("DELETE FROM dead_letters WHERE (sync, id) IN (SELECT sync, id FROM dead_letters"+w.String()+" LIMIT ?)", append(w.args, removeChunk)...)
	})
}

// inBatches repeats a bounded write until it finds fewer rows than it may take.
func (d deadLetters) inBatches(ctx context.Context, op string, org id.Org, s id.Sync, f syncing.DeadLetterFilter, ids []string,
	do func(*tx, int64, *conditions) (int64, error),
) (total int64, err error) {
	at, known, err := d.s.findAtom(ctx, org, string(s))
	if err != nil || !known {
		return 0, err
	}
	for {
		var n int64
		err := d.s.w.write(ctx, op, bulk, func(t *tx) (err error) {
			n, err = do(t, at, letterConditions(at, f, ids))
			return err
		})
		if err != nil {
			return total, err
		}
		total += n
		if n < removeChunk {
			return total, nil
		}
	}
}

func letterConditions(at int64, f syncing.DeadLetterFilter, ids []string) *conditions {
	w := &conditions{}
	w.add("sync = ?", at)
	if f.Status != "" {
		w.add("status = ?", f.Status)
	}
	if f.ByKind {
		w.add("kind = ?", f.Kind.String())
	}
	if len(ids) > 0 {
		w.add("id IN (SELECT value FROM json_each(?))", texts(ids))
	}
	return w
}
