package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/errs"
	"mooring/internal/store/internal/touch"
	"mooring/internal/store/raw"
)

// Snapshot is a data directory as it is at one moment, to be read as its
// documents while the process that has it open goes on writing. The log of the
// database can't begin anew before the snapshot is closed.
type Snapshot struct {
	db     *sql.DB
	conn   *sql.Conn
	tables map[raw.Collection]rawTable
}

// OpenSnapshot opens one. It needs no lock, since it writes nothing. A
// directory without a database is errs.NotFound, a schema that is not that of
// this program errs.Conflict.
func OpenSnapshot(ctx context.Context, dir string) (*Snapshot, error) {
	const op = "sqlite.snapshot"
	path := filepath.Join(dir, databaseName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, errs.New(errs.NotFound, op, "there is no database in "+dir)
	}
	db, err := sql.Open("sqlite", dsn(path, "deferred", "query_only(1)", "cache_size(-16384)"))
	if err != nil {
		return nil, classify(err, op)
	}
	s := &Snapshot{db: db}
	if err := s.begin(ctx); err != nil {
		return nil, errors.Join(classify(err, op), s.Close())
	}
	bare := &Store{touch: &touch.Touches{}} // declares the collections, and holds nothing
	bare.roles = newRoles(bare)
	s.tables = bare.rawTables()
	return s, nil
}

// begin begins the transaction, which the first query pins to a moment.
func (s *Snapshot) begin(ctx context.Context) (err error) {
	if s.conn, err = s.db.Conn(ctx); err != nil {
		return err
	}
	if _, err := s.conn.ExecContext(ctx, "BEGIN"); err != nil {
		return err
	}
	version, err := schemaVersion(ctx, s.conn)
	if err == nil && version != Schema {
		err = errs.New(errs.Conflict, "sqlite.snapshot", "the schema of the data directory has version "+strconv.Itoa(version)+", this program reads "+
			strconv.Itoa(Schema)+": use the mooring that serves it, or start this one on it once")
	}
	return err
}

// Kind implements raw.Source.
func (*Snapshot) Kind() string { return Kind }

// Schema implements raw.Source.
func (*Snapshot) Schema() int { return Schema }

// Frozen implements raw.Source.
func (*Snapshot) Frozen() bool { return true }

// Each implements raw.Source.
func (s *Snapshot) Each(ctx context.Context, c raw.Collection, visit func(bson.Raw) error) error {
	return each(ctx, s.tables, s.read, c, visit)
}

func (s *Snapshot) read(ctx context.Context, op, query string, args []any, scan func(*sql.Rows) error) error {
	rows, err := s.conn.QueryContext(ctx, query, args...)
	if err != nil {
		return classify(err, op)
	}
	return classify(drain(rows, scan), op)
}

// Close ends the snapshot.
func (s *Snapshot) Close() error {
	var err error
	if s.conn != nil {
		_, _ = s.conn.ExecContext(context.Background(), "ROLLBACK")
		err = s.conn.Close()
	}
	return classify(errors.Join(err, s.db.Close()), "sqlite.snapshot")
}

// Former is what can be told of a database whatever the version of its schema.
type Former struct {
	Organizations int64
	Facts         map[string][]byte
}

// Peek reads it. A directory without a database has neither.
func Peek(ctx context.Context, dir string) (out Former, err error) {
	const op = "sqlite.peek"
	path := filepath.Join(dir, databaseName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	db, err := sql.Open("sqlite", dsn(path, "deferred", "query_only(1)"))
	if err != nil {
		return out, classify(err, op)
	}
	defer func() { err = classify(errors.Join(err, db.Close()), op) }()
	version, err := schemaVersion(ctx, db)
	if err != nil || version == 0 {
		return out, err
	}
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM organizations").Scan(&out.Organizations); err != nil {
		return out, err
	}
	rows, err := db.QueryContext(ctx, selectFacts)
	if err != nil {
		return out, err
	}
	out.Facts = map[string][]byte{}
	return out, drain(rows, func(r *sql.Rows) error {
		f, err := scanFact(r)
		out.Facts[f.Name] = f.Value
		return err
	})
}
