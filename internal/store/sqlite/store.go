// Package sqlite is the embedded store: one database file in a data directory,
// used by one process at a time. All writes go through one goroutine, which
// commits those that wait together; reads run beside it on connections of
// their own and never hold a transaction longer than a page.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"mooring/internal/datadir"
	"mooring/internal/errs"
	"mooring/internal/store"
	"mooring/internal/store/internal/touch"
	"mooring/internal/store/system"
)

// Options of a store.
type Options struct {
	Dir string           // the data directory; made if missing, with mode 0700
	Now func() time.Time // the clock; nil is time.Now

	maxPages int // bounds the database file, for tests of a full disk
}

// Store is a data directory that is open.
type Store struct {
	now       func() time.Time
	lock      *os.File
	reads     *sql.DB
	writes    *sql.DB
	w         *writer
	copies    *checkpointer
	atoms     sync.Map // atomKey to int64
	atomNames sync.Map // int64 to string
	cached    sync.Map // query to *sql.Stmt, of reads
	nCache    atomic.Int64
	touch     *touch.Touches
	once      sync.Once
	err       error // of Close
	roles
}

var (
	_ store.Store   = (*Store)(nil)
	_ system.System = (*System)(nil)
)

// databaseName is the file in a data directory.
const databaseName = "mooring.db"

// Open opens the store in a data directory, makes it when it is new and
// migrates an older one. Another process that has it open, or a schema newer
// than this program knows, is errs.Conflict.
func Open(ctx context.Context, o Options) (*Store, error) {
	const op = "sqlite.open"
	if o.Now == nil {
		o.Now = time.Now
	}
	lock, err := datadir.Lock(o.Dir)
	if err != nil {
		return nil, err
	}
	s := &Store{now: o.Now, lock: lock}
	if err := s.open(ctx, o); err != nil {
		return nil, errors.Join(classify(err, op), s.release())
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, o Options) error {
	path, err := databaseFile(o.Dir)
	if err != nil {
		return err
	}
	if err := registerFunctions(); err != nil {
		return err
	}
	if err := s.openWriter(ctx, path, o); err != nil {
		return err
	}
	if s.reads, err = sql.Open("sqlite", dsn(path, "deferred", "query_only(1)", "cache_size(-2048)")); err != nil {
		return err
	}
	readers := max(4, 2*runtime.GOMAXPROCS(0))
	s.reads.SetMaxOpenConns(readers)
	s.reads.SetMaxIdleConns(readers)
	s.touch = touch.New(s.writeTouches)
	s.roles = newRoles(s)
	return nil
}

// openWriter brings the schema up to date on the connection that the writer
// then keeps, and starts what copies its log.
func (s *Store) openWriter(ctx context.Context, path string, o Options) (err error) {
	pragmas := append(logLimit(), "journal_mode(wal)", "synchronous(full)", "cache_size(-8192)", "secure_delete(fast)",
		"max_page_count("+strconv.Itoa(o.maxPages)+")")
	if s.writes, err = sql.Open("sqlite", dsn(path, "immediate", pragmas...)); err != nil {
		return err
	}
	conn, err := s.writes.Conn(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(migrate(ctx, conn), syncDir(o.Dir)); err != nil {
		return errors.Join(err, conn.Close())
	}
	copies, err := s.writes.Conn(ctx)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	s.w = newWriter(conn)
	s.copies = newCheckpointer(copies, s.w)
	return nil
}

// databaseFile makes the file before SQLite does, so that its mode, which
// SQLite copies to its other files, is right from the start.
func databaseFile(dir string) (string, error) {
	path := filepath.Join(dir, databaseName)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", errs.Wrap(err, errs.Unavailable, "sqlite.open", "the database in the data directory can't be opened")
	}
	return path, f.Close()
}

func dsn(path, lock string, pragmas ...string) string {
	q := url.Values{"_txlock": {lock}, "_dqs": {"0"}}
	for _, p := range append([]string{"busy_timeout(10000)", "temp_store(memory)", "foreign_keys(0)"}, pragmas...) {
		q.Add("_pragma", p)
	}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}

// Close finishes the writes that are queued and gives the directory free.
// Calls after the first return what it returned.
func (s *Store) Close() error {
	s.once.Do(func() {
		s.touch.Close()
		s.w.close()
		s.err = classify(s.release(), "sqlite.close")
	})
	return s.err
}

// release closes what is open: after Close, or when Open fails halfway.
func (s *Store) release() error {
	var problems []error
	if s.reads != nil {
		problems = append(problems, s.reads.Close())
	}
	if s.copies != nil {
		problems = append(problems, s.copies.close())
	}
	if s.w != nil {
		_, err := s.w.tx.exec("PRAGMA wal_checkpoint(TRUNCATE)")
		problems = append(problems, err, s.w.tx.close())
	}
	if s.writes != nil {
		problems = append(problems, s.writes.Close())
	}
	return errors.Join(append(problems, s.lock.Close())...)
}

// Ping implements store.Store.
func (s *Store) Ping(ctx context.Context) error {
	const op = "store.ping"
	var n int64
	if _, err := s.row(ctx, op, "SELECT count(*) FROM meta", nil, &n); err != nil {
		return err
	}
	return s.w.write(ctx, op, interactive, func(t *tx) error {
		_, err := t.exec("UPDATE meta SET value = value WHERE name = 'schema_version'")
		return err
	})
}
