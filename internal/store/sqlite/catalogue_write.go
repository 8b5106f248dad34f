package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store/internal/doc"
)

// writeChunk bounds the rows of one bulk write, so that interactive writes
// need not wait long for their turn.
const writeChunk = 250

// objectRow is an object made ready for the writer in the caller's goroutine.
type objectRow struct {
	id      string
	created int64
	doc     []byte
	columns []any // the others, in the order of the two statements
	version string
	removed bool
	newest  int64 // its revision
}

const (
	insertObject = "INSERT INTO objects (id, created, doc, bucket, connection, sync, source, path, name, version, size, state, mapping, present, sha, original, parent, mime, seen, updated)" +
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
	updateObject = "UPDATE objects SET doc = ?, bucket = ?, connection = ?, sync = ?, source = ?, path = ?, name = ?, version = ?, size = ?, state = ?, mapping = ?," +
		" present = ?, sha = ?, original = ?, parent = ?, mime = ?, seen = ?, updated = ? WHERE n = ?"
)

func (c catalogue) prepare(ctx context.Context, org id.Org, b id.Bucket, o *bucket.Object) (objectRow, error) {
	if o.Org != org || o.Bucket != b {
		return objectRow{}, errs.New(errs.Invalid, "store.catalogue.upsert", "an object must carry the organization and the bucket that it is stored for")
	}
	if o.ID != id.ObjectOf(b, o.Connection, string(o.SourceID)) {
		return objectRow{}, errs.New(errs.Invalid, "store.catalogue.upsert", "an object's id must be the one derived from bucket, connection and source id")
	}
	at, err := c.s.makeAtoms(ctx, org, string(b), string(o.Connection), string(o.Sync))
	if err != nil {
		return objectRow{}, err
	}
	d, err := doc.Encode(o)
	if err != nil {
		return objectRow{}, err
	}
	present := o.State == bucket.Present
	var name, parent, sum any
	if o.Name != o.SourcePath {
		name = o.Name
	}
	if o.Parent != "" {
		parent = o.Parent
	}
	if raw := rawSum(o.SHA256); raw != nil {
		sum = raw
	}
	return objectRow{id: string(o.ID), created: o.CreatedAt.UnixMilli(), doc: d, version: o.Version, removed: o.State == bucket.Removed, newest: o.Revision, columns: []any{
		at[0], at[1], at[2], o.SourceID.Encode(), o.SourcePath, name, o.Version, o.Size, o.State, o.Mapping,
		present, sum, present && o.DuplicateOf == "", parent, o.MIME, o.SeenPass, o.UpdatedAt.UnixMilli(),
	}}, nil
}

// Upsert implements store.Catalogue. A call is one or more bulk writes that
// are queued together; if one fails, the call can be made again.
func (c catalogue) Upsert(ctx context.Context, org id.Org, b id.Bucket, objects []bucket.Object) error {
	const op = "store.catalogue.upsert"
	if len(objects) == 0 {
		return nil
	}
	rows := make([]objectRow, 0, len(objects))
	place := make(map[id.Object]int, len(objects)) // of an object given twice, the last counts
	for i := range objects {
		row, err := c.prepare(ctx, org, b, &objects[i])
		if err != nil {
			return err
		}
		if at, twice := place[objects[i].ID]; twice {
			rows[at] = row
			continue
		}
		place[objects[i].ID] = len(rows)
		rows = append(rows, row)
	}
	at, err := c.s.atom(ctx, org, string(b))
	if err != nil {
		return err
	}
	return inChunks(ctx, c.s, op, rows, func(t *tx, chunk []objectRow) error { return upsertRows(t, at, chunk) })
}

// inChunks queues a bulk write for each chunk of a list and waits for all.
func inChunks[T any](ctx context.Context, s *Store, op string, list []T, do func(*tx, []T) error) error {
	var jobs []*job
	var first error
	for chunk := range slices.Chunk(list, writeChunk) {
		j, err := s.w.queue(ctx, op, bulk, func(t *tx) error { return do(t, chunk) })
		if err != nil {
			first = err
			break
		}
		jobs = append(jobs, j)
	}
	for _, j := range jobs {
		if err := s.w.wait(ctx, op, j); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func upsertRows(t *tx, at int64, rows []objectRow) error {
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.id
	}
	type row struct {
		n       int64
		removed bool
		version string
		newest  int64 // its revision
	}
	known := map[string]row{}
	err := t.each("SELECT id, n, state = '"+bucket.Removed+"', version, doc FROM objects WHERE bucket = ? AND id IN (SELECT value FROM json_each(?))", []any{at, texts(ids)},
		func(r *sql.Rows) error {
			var i string
			var at row
			var stored sql.RawBytes
			err := r.Scan(&i, &at.n, &at.removed, &at.version, &stored)
			if err == nil {
				at.newest, _ = bson.Raw(stored).Lookup("revision").AsInt64OK()
			}
			known[i] = at
			return err
		})
	if err != nil {
		return err
	}
	for _, r := range rows {
		at, exists := known[r.id]
		switch {
		case at.removed && !r.removed && (r.version == at.version || r.version == ""):
			continue // a user deleted it
		case exists && !at.removed && !r.removed && at.newest > r.newest:
			continue // somebody has changed it since
		case exists:
			_, err = t.exec(updateObject, slices.Concat([]any{r.doc}, r.columns, []any{at.n})...)
		default:
			_, err = t.exec(insertObject, slices.Concat([]any{r.id, r.created, r.doc}, r.columns)...)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Update implements store.Catalogue. Objects have no revision: what is
// compared is the whole document.
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
	at, stored, err := c.stored(ctx, org, b, o, &cur)
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
	row, err := c.prepare(ctx, org, b, &cur)
	if err != nil {
		return zero, err
	}
	if doc.Equal(before, row.doc) {
		err := doc.Decode(before, &zero)
		return zero, err
	}
	args := slices.Concat([]any{row.doc}, row.columns, []any{stored.n, at, stored.doc, stored.seen})
	err = c.s.w.write(ctx, op, interactive, func(t *tx) error {
		n, err := t.exec(updateObject+" AND bucket = ? AND doc = ? AND seen = ?", args...)
		if err == nil && n == 0 {
			return errLost
		}
		return err
	})
	if err != nil {
		return zero, err
	}
	err = doc.Decode(row.doc, &zero)
	return zero, err
}

// storedObject is an object's row as an update found it.
type storedObject struct {
	n    int64
	doc  []byte
	seen string
}

func (c catalogue) stored(ctx context.Context, org id.Org, b id.Bucket, o id.Object, into *bucket.Object) (at int64, row storedObject, err error) {
	const op = "store.catalogue.update"
	at, known, err := c.s.findAtom(ctx, org, string(b))
	if err != nil {
		return at, row, err
	}
	var created int64
	if known {
		known, err = c.s.row(ctx, op, "SELECT n, doc, seen, created FROM objects WHERE bucket = ? AND id = ?", []any{at, string(o)},
			&row.n, &row.doc, &row.seen, &created)
	}
	if err == nil && !known {
		err = notFound(op, "object")
	}
	if err != nil {
		return at, row, err
	}
	err = doc.Decode(row.doc, into)
	into.SeenPass, into.CreatedAt = row.seen, time.UnixMilli(created).UTC()
	return at, row, err
}

// MarkSeen implements store.Catalogue.
func (c catalogue) MarkSeen(ctx context.Context, org id.Org, b id.Bucket, pass id.Pass, ids []id.Object) error {
	at, known, err := c.s.findAtom(ctx, org, string(b))
	if err != nil || !known {
		return err
	}
	return inChunks(ctx, c.s, "store.catalogue.mark_seen", ids, func(t *tx, chunk []id.Object) error {
		_, err := t.exec("UPDATE objects SET seen = ? WHERE bucket = ? AND id IN (SELECT value FROM json_each(?))", string(pass), at, texts(chunk))
		return err
	})
}

// Remove implements store.Catalogue.
func (c catalogue) Remove(ctx context.Context, org id.Org, b id.Bucket, ids []id.Object) error {
	at, known, err := c.s.findAtom(ctx, org, string(b))
	if err != nil || !known {
		return err
	}
	return inChunks(ctx, c.s, "store.catalogue.remove", ids, func(t *tx, chunk []id.Object) error {
		list, sources := texts(chunk), make([]string, len(chunk))
		for i, o := range chunk {
			sources[i] = bucket.FileSource(o).Encode()
		}
		if _, err := t.exec("DELETE FROM names WHERE bucket = ? AND source IN (SELECT value FROM json_each(?))", at, texts(sources)); err != nil {
			return err
		}
		_, err := t.exec("DELETE FROM objects WHERE bucket = ? AND id IN (SELECT value FROM json_each(?))", at, list)
		return err
	})
}

// Drop implements store.Catalogue.
func (c catalogue) Drop(ctx context.Context, org id.Org, b id.Bucket, limit int) (more bool, err error) {
	const op = "store.catalogue.drop"
	if err := checkLimit(op, limit); err != nil {
		return false, err
	}
	at, known, err := c.s.findAtom(ctx, org, string(b))
	if err != nil || !known {
		return false, err
	}
	for _, query := range []string{
		"DELETE FROM objects WHERE n IN (SELECT n FROM objects WHERE bucket = ? LIMIT ?)",
		"DELETE FROM names WHERE bucket = ?1 AND source IN (SELECT source FROM names WHERE bucket = ?1 LIMIT ?2)",
	} {
		for limit > 0 {
			chunk := min(limit, removeChunk)
			var n int64
			if err := c.s.w.write(ctx, op, bulk, func(t *tx) (err error) {
				n, err = t.exec(query, at, chunk)
				return err
			}); err != nil {
				return true, err
			}
			limit -= int(n)
			if int(n) < chunk {
				break
			}
		}
	}
	var left bool
	_, err = c.s.row(ctx, op, "SELECT EXISTS (SELECT 1 FROM objects WHERE bucket = ?1) OR EXISTS (SELECT 1 FROM names WHERE bucket = ?1)", []any{at}, &left)
	return left, err
}
