package sqlite

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/key"
	"mooring/internal/store"
	"mooring/internal/store/internal/doc"
)

type catalogue struct{ s *Store }

var _ store.Catalogue = catalogue{}

// entryColumns stand in objects_key, so that a scan reads that index alone.
// A name is NULL when it is the path.
const entryColumns = "sync, source, version, size, ifnull(name, path), state, mapping, path"

// entries reads entries of a query for an id (NULL when it has to be derived
// for a connection) and entryColumns.
func (c catalogue) entries(ctx context.Context, op string, org id.Org, b id.Bucket, conn id.Connection, query string, args ...any) ([]bucket.Entry, error) {
	var out []bucket.Entry
	var syncs []int64
	err := c.s.each(ctx, op, query, args, func(r *sql.Rows) error {
		var e bucket.Entry
		var i sql.NullString
		var source string
		var sync int64
		if err := r.Scan(&i, &sync, &source, &e.Version, &e.Size, &e.Name, &e.State, &e.Mapping, &e.Path); err != nil {
			return err
		}
		var err error
		if e.SourceID, err = key.Decode(source); err != nil {
			return errs.Wrap(err, errs.Corrupt, op, "a source id in the catalogue can't be read")
		}
		if e.ID = id.Object(i.String); !i.Valid {
			e.ID = id.ObjectOf(b, conn, string(e.SourceID))
		}
		out, syncs = append(out, e), append(syncs, sync)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i, n := range syncs {
		name, err := c.s.atomName(ctx, org, n)
		if err != nil {
			return nil, err
		}
		out[i].Sync = id.Sync(name)
	}
	return out, nil
}

// Scan implements store.Catalogue.
func (c catalogue) Scan(ctx context.Context, org id.Org, b id.Bucket, conn id.Connection, after, to key.Key, limit int) ([]bucket.Entry, error) {
	const op = "store.catalogue.scan"
	if err := checkLimit(op, limit); err != nil {
		return nil, err
	}
	at, known, err := c.s.findAtoms(ctx, org, string(b), string(conn))
	if err != nil || !known {
		return nil, err
	}
	w := &conditions{}
	w.add("bucket = ? AND connection = ? AND source > ?", at[0], at[1], after.Encode())
	if to != "" {
		w.add("source < ?", to.Encode())
	}
	return c.entries(ctx, op, org, b, conn, "SELECT NULL, "+entryColumns+" FROM objects INDEXED BY objects_key"+w.String()+
		" ORDER BY source LIMIT ?", append(w.args, limit)...)
}

// Unseen implements store.Catalogue.
func (c catalogue) Unseen(ctx context.Context, org id.Org, b id.Bucket, s id.Sync, pass id.Pass, after key.Key, limit int) ([]bucket.Entry, error) {
	const op = "store.catalogue.unseen"
	if err := checkLimit(op, limit); err != nil {
		return nil, err
	}
	at, known, err := c.s.findAtoms(ctx, org, string(b), string(s))
	if err != nil || !known {
		return nil, err
	}
	return c.entries(ctx, op, org, b, "", "SELECT id, "+entryColumns+" FROM objects INDEXED BY objects_sync"+
		" WHERE bucket = ? AND sync = ? AND source > ? AND present = 1 AND seen <> ? ORDER BY source LIMIT ?",
		at[0], at[1], after.Encode(), string(pass), limit)
}

// Lookup implements store.Catalogue.
func (c catalogue) Lookup(ctx context.Context, org id.Org, b id.Bucket, ids []id.Object) (map[id.Object]bucket.Object, error) {
	out := make(map[id.Object]bucket.Object, len(ids))
	at, known, err := c.s.findAtom(ctx, org, string(b))
	if err != nil || !known {
		return out, err
	}
	for chunk := range slices.Chunk(ids, queryChunk) {
		found, err := c.objects(ctx, "store.catalogue.lookup", selectObjects+" WHERE bucket = ? AND id IN (SELECT value FROM json_each(?))", at, texts(chunk))
		if err != nil {
			return nil, err
		}
		for _, o := range found {
			out[o.ID] = o
		}
	}
	return out, nil
}

// queryChunk bounds how many values one query asks for.
const queryChunk = 1000

// texts is a list as an argument of json_each.
func texts[T ~string](list []T) string {
	b, _ := json.Marshal(list) // strings always marshal
	return string(b)
}

const selectObjects = "SELECT doc, seen, created FROM objects"

// objects returns the objects that a query selects.
func (c catalogue) objects(ctx context.Context, op, query string, args ...any) ([]bucket.Object, error) {
	var out []bucket.Object
	err := c.s.each(ctx, op, query, args, func(r *sql.Rows) error {
		o, err := scanObject(r)
		out = append(out, o)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// scanObject reads doc, seen and created. The columns win over the document:
// marking an object seen does not write it anew, and the first created stays.
func scanObject(r *sql.Rows) (o bucket.Object, err error) {
	var b, seen sql.RawBytes
	var created int64
	if err := r.Scan(&b, &seen, &created); err != nil {
		return o, err
	}
	err = doc.Decode(b, &o)
	o.SeenPass, o.CreatedAt = string(seen), time.UnixMilli(created).UTC()
	return o, err
}

// ByContent implements store.Catalogue.
func (c catalogue) ByContent(ctx context.Context, org id.Org, b id.Bucket, sums []string) (map[string]id.Object, error) {
	const op = "store.catalogue.by_content"
	out := make(map[string]id.Object, len(sums))
	at, known, err := c.s.findAtom(ctx, org, string(b))
	if err != nil || !known {
		return out, err
	}
	for _, sum := range sums {
		raw := rawSum(sum)
		if raw == nil {
			continue
		}
		var o string
		found, err := c.s.row(ctx, op, "SELECT id FROM objects INDEXED BY objects_content"+
			" WHERE bucket = ? AND substr(sha, 1, 8) = substr(?, 1, 8) AND original = 1 AND sha = ? ORDER BY n LIMIT 1", []any{at, raw, raw}, &o)
		if err != nil {
			return nil, err
		}
		if found {
			out[sum] = id.Object(o)
		}
	}
	return out, nil
}

// Duplicates implements store.Catalogue.
func (c catalogue) Duplicates(ctx context.Context, org id.Org, b id.Bucket, sum string, limit int) ([]bucket.Object, error) {
	const op = "store.catalogue.duplicates"
	if err := checkLimit(op, limit); err != nil {
		return nil, err
	}
	at, known, err := c.s.findAtom(ctx, org, string(b))
	raw := rawSum(sum)
	if err != nil || !known || raw == nil {
		return nil, err
	}
	return c.objects(ctx, op, selectObjects+" INDEXED BY objects_content WHERE bucket = ? AND substr(sha, 1, 8) = substr(?, 1, 8) AND original = 0 AND present = 1 AND sha = ? ORDER BY n LIMIT ?", at, raw, raw, limit)
}

// rawSum is the column of a hash: its bytes, or nil when there is none.
func rawSum(s string) []byte {
	if s == "" {
		return nil
	}
	if b, err := hex.DecodeString(s); err == nil && hex.EncodeToString(b) == s {
		return b
	}
	return []byte(s)
}

// InFolder implements store.Catalogue.
func (c catalogue) InFolder(ctx context.Context, org id.Org, b id.Bucket, conn id.Connection, parent string, after id.Object, limit int) ([]bucket.Object, error) {
	const op = "store.catalogue.in_folder"
	if err := checkLimit(op, limit); err != nil {
		return nil, err
	}
	at, known, err := c.s.findAtoms(ctx, org, string(b), string(conn))
	if err != nil || !known || parent == "" {
		return nil, err
	}
	return c.objects(ctx, op, selectObjects+" WHERE bucket = ? AND connection = ? AND parent = ? AND id > ? ORDER BY id LIMIT ?", at[0], at[1], parent, string(after), limit)
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

// Stats implements store.Catalogue.
func (c catalogue) Stats(ctx context.Context, org id.Org, b id.Bucket) (bucket.Stats, error) {
	now := cut(c.s.now())
	out := bucket.Stats{UpdatedAt: &now}
	at, known, err := c.s.findAtom(ctx, org, string(b))
	if err != nil || !known {
		return out, err
	}
	var last sql.NullInt64
	_, err = c.s.row(ctx, "store.catalogue.stats", "SELECT count(*), ifnull(sum(size), 0), max(created)"+
		" FROM objects INDEXED BY objects_created WHERE bucket = ? AND present = 1", []any{at}, &out.Objects, &out.Bytes, &last)
	if last.Valid {
		t := time.UnixMilli(last.Int64).UTC()
		out.LastAt = &t
	}
	return out, err
}

// CountSync implements store.Catalogue.
func (c catalogue) CountSync(ctx context.Context, org id.Org, b id.Bucket, s id.Sync) (int64, error) {
	at, known, err := c.s.findAtoms(ctx, org, string(b), string(s))
	if err != nil || !known {
		return 0, err
	}
	return c.s.count(ctx, "store.catalogue.count_sync", "SELECT count(*) FROM objects INDEXED BY objects_sync WHERE bucket = ? AND sync = ? AND present = 1", []any{at[0], at[1]})
}

func cut(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
