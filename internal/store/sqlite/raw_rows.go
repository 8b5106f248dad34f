package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/csfle"
	"mooring/internal/audit"
	"mooring/internal/bucket"
	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/event"
	"mooring/internal/key"
	"mooring/internal/store/internal/doc"
	"mooring/internal/store/raw"
	"mooring/internal/syncing"
)

// Rows that stand for something of package raw, and how they are read and written.

const (
	selectTree      = "SELECT a.org, a.name, t.id, t.parent, t.name FROM tree t JOIN atoms a ON a.n = t.sync ORDER BY t.sync, t.id"
	selectAbsences  = "SELECT a.org, a.name, b.pass, b.object, b.source, b.name FROM absences b JOIN atoms a ON a.n = b.sync ORDER BY b.sync, b.pass, b.source"
	selectNames     = "SELECT a.org, a.name, n.source, n.name, n.folded FROM names n JOIN atoms a ON a.n = n.bucket ORDER BY n.rowid"
	selectSequences = "SELECT org, name, last FROM sequences ORDER BY org, name"
	selectFacts     = "SELECT name, value FROM meta WHERE name <> '" + schemaVersionName + "' ORDER BY name"
)

func scanNode(r *sql.Rows) (n raw.Node, err error) {
	return n, r.Scan(&n.Org, &n.Sync, &n.ID, &n.Parent, &n.Name)
}

func (s *Store) rawNode(ctx context.Context, d bson.Raw) (write, error) {
	var n raw.Node
	if err := doc.Decode(d, &n); err != nil {
		return nil, err
	}
	at, err := s.atom(ctx, n.Org, string(n.Sync))
	return execute("INSERT OR REPLACE INTO tree (sync, id, parent, name) VALUES (?, ?, ?, ?)", at, n.ID, n.Parent, n.Name), err
}

func scanAbsence(r *sql.Rows) (a raw.Absence, err error) {
	return a, r.Scan(&a.Org, &a.Sync, &a.Pass, &a.Object, encodedKey{&a.Source}, &a.Name)
}

func (s *Store) rawAbsence(ctx context.Context, d bson.Raw) (write, error) {
	var a raw.Absence
	if err := doc.Decode(d, &a); err != nil {
		return nil, err
	}
	at, err := s.atom(ctx, a.Org, string(a.Sync))
	return execute("INSERT OR REPLACE INTO absences (sync, pass, source, object, name) VALUES (?, ?, ?, ?, ?)",
		at, string(a.Pass), a.Source.Encode(), string(a.Object), a.Name), err
}

func scanName(r *sql.Rows) (n raw.Name, err error) {
	return n, r.Scan(&n.Org, &n.Bucket, encodedKey{&n.Source}, &n.Name, &n.Folded)
}

func (s *Store) rawName(ctx context.Context, d bson.Raw) (write, error) {
	var n raw.Name
	if err := doc.Decode(d, &n); err != nil {
		return nil, err
	}
	at, err := s.atom(ctx, n.Org, string(n.Bucket))
	return execute("INSERT OR REPLACE INTO names (bucket, source, name, folded) VALUES (?, ?, ?, ?)", at, n.Source.Encode(), n.Name, n.Folded), err
}

// encodedKey scans a key from its column.
type encodedKey struct{ k *key.Key }

// Scan implements sql.Scanner.
func (e encodedKey) Scan(v any) (err error) {
	text, _ := v.(string)
	*e.k, err = key.Decode(text)
	return errs.Wrap(err, errs.Corrupt, opEach, "a source id can't be read")
}

func scanSequence(r *sql.Rows) (q raw.Sequence, err error) {
	return q, r.Scan(&q.Org, &q.Name, &q.Last)
}

// whose refuses a document that lacks what it belongs to.
func whose(ids ...string) error {
	if slices.Contains(ids, "") {
		return errs.New(errs.Corrupt, opPut, "a document lacks its id or its organization")
	}
	return nil
}

func rawSequence(_ context.Context, d bson.Raw) (write, error) {
	var q raw.Sequence
	err := doc.Decode(d, &q)
	if err == nil {
		err = whose(string(q.Org), q.Name)
	}
	return execute("INSERT OR REPLACE INTO sequences (org, name, last) VALUES (?, ?, ?)", string(q.Org), q.Name, q.Last), err
}

func scanFact(r *sql.Rows) (f raw.Fact, err error) {
	return f, r.Scan(&f.Name, &f.Value)
}

func rawFact(_ context.Context, d bson.Raw) (write, error) {
	var f raw.Fact
	err := doc.Decode(d, &f)
	if err == nil {
		err = whose(f.Name)
	}
	if err == nil && f.Name == schemaVersionName {
		err = errs.New(errs.Corrupt, opPut, "the version of the schema is no fact that can be put")
	}
	return execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", f.Name, blob(f.Value)), err
}

func (s *Store) rawPage(ctx context.Context, d bson.Raw) (write, error) {
	var r syncing.Record
	if err := doc.Decode(d, &r); err != nil {
		return nil, err
	}
	at, err := s.atom(ctx, r.Org, string(r.Sync))
	return execute("INSERT OR REPLACE INTO pages (sync, id, doc) VALUES (?, ?, ?)", at, r.ID, []byte(d)), err
}

func (s *Store) rawLetter(ctx context.Context, d bson.Raw) (write, error) {
	var l syncing.DeadLetter
	if err := doc.Decode(d, &l); err != nil {
		return nil, err
	}
	at, err := s.atom(ctx, l.Org, string(l.Sync))
	return execute("INSERT OR REPLACE INTO dead_letters (sync, id, source, status, kind, created, doc) VALUES (?, ?, ?, ?, ?, ?, ?)",
		at, l.ID, l.SourceID.Encode(), l.Status, l.Kind, l.CreatedAt.UnixMilli(), []byte(d)), err
}

func rawUsage(_ context.Context, d bson.Raw) (write, error) {
	var u connection.Usage
	err := doc.Decode(d, &u)
	if err == nil {
		err = whose(string(u.Org), string(u.Connection), u.Day)
	}
	return execute("INSERT OR REPLACE INTO usage (org, connection, day, doc) VALUES (?, ?, ?, ?)", string(u.Org), string(u.Connection), u.Day, []byte(d)), err
}

func rawAudit(_ context.Context, d bson.Raw) (write, error) {
	var e audit.Entry
	if err := doc.Decode(d, &e); err != nil {
		return nil, err
	}
	if err := whose(string(e.Org), string(e.ID)); err != nil {
		return nil, err
	}
	return func(t *tx) error { return t.putAudit("INSERT OR REPLACE", e, d) }, nil
}

func rawCheckpoint(_ context.Context, d bson.Raw) (write, error) {
	var p audit.Checkpoint
	err := doc.Decode(d, &p)
	if err == nil {
		err = whose(string(p.Org))
	}
	return execute("INSERT OR REPLACE INTO checkpoints (org, doc) VALUES (?, ?)", string(p.Org), []byte(d)), err
}

func rawEvent(_ context.Context, d bson.Raw) (write, error) {
	var e event.Event
	err := doc.Decode(d, &e)
	if err == nil {
		err = whose(string(e.Org), string(e.ID))
	}
	return execute("INSERT OR REPLACE INTO events (org, id, sequence, doc) VALUES (?, ?, ?, ?)", string(e.Org), string(e.ID), e.Sequence, []byte(d)), err
}

func rawDataKey(_ context.Context, d bson.Raw) (write, error) {
	k, err := csfle.ParseKeyDocument(d)
	if err != nil {
		return nil, err
	}
	name, err := k.AltName()
	return execute("INSERT OR REPLACE INTO data_keys (id, name, doc) VALUES (?, ?, ?)", k.ID[:], name, []byte(d)), err
}

// eachObject reads objects with the columns that win over their documents,
// which are decoded only where those say something else.
func eachObject(ctx context.Context, read reader, visit func(bson.Raw) error) error {
	return read(ctx, opEach, "SELECT doc, seen, created FROM objects ORDER BY n", nil, func(r *sql.Rows) error {
		var b sql.RawBytes
		var seen string
		var created int64
		if err := r.Scan(&b, &seen, &created); err != nil {
			return err
		}
		if d := bson.Raw(b); says(d, seen, created) {
			return visit(d)
		}
		var o bucket.Object
		if err := doc.Decode(b, &o); err != nil {
			return err
		}
		o.SeenPass, o.CreatedAt = seen, time.UnixMilli(created).UTC()
		return visitEncoded(&o, visit)
	})
}

// says reports whether an object's document agrees with its columns.
func says(d bson.Raw, seen string, created int64) bool {
	pass, _ := d.Lookup("seen_pass").StringValueOK()
	at, ok := d.Lookup("created_at").DateTimeOK()
	return ok && pass == seen && at == created
}

func (s *Store) rawObject(ctx context.Context, d bson.Raw) (write, error) {
	var o bucket.Object
	if err := doc.Decode(d, &o); err != nil {
		return nil, err
	}
	row, err := (catalogue{s}).prepare(ctx, o.Org, o.Bucket, &o)
	return execute("INSERT OR REPLACE"+insertObject[len("INSERT"):], slices.Concat([]any{row.id, row.created, []byte(d)}, row.columns)...), err
}
