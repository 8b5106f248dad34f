package sqlite

import (
	"context"
	"database/sql"
	"strings"
	"time"
)

// maxCached bounds the prepared statements of the readers. Queries that are
// put together from filters have few forms, but nothing else would bound them.
const maxCached = 256

// each calls scan for every row of a query; the read transaction ends with it.
func (s *Store) each(ctx context.Context, op, query string, args []any, scan func(*sql.Rows) error) error {
	rows, err := s.query(ctx, query, args)
	if err != nil {
		return classify(err, op)
	}
	return classify(drain(rows, scan), op)
}

// atOnce has SQLite find all that a query selects, which must be little, before
// it gives the first row: only until then does the end of a context interrupt
// it, and a filter may have it look at millions of rows for the second.
func atOnce(query string) string {
	return "WITH page AS MATERIALIZED (" + query + ") SELECT * FROM page"
}

// row scans the first row of a query and reports whether there was one.
func (s *Store) row(ctx context.Context, op, query string, args []any, dest ...any) (found bool, err error) {
	err = s.each(ctx, op, query, args, func(r *sql.Rows) error {
		if found {
			return nil
		}
		found = true
		return r.Scan(dest...)
	})
	return found, err
}

// count runs a query whose one value is a number.
func (s *Store) count(ctx context.Context, op, query string, args []any) (n int64, err error) {
	_, err = s.row(ctx, op, query, args, &n)
	return n, err
}

func (s *Store) query(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	if c, ok := s.cached.Load(query); ok {
		return c.(*sql.Stmt).QueryContext(ctx, args...)
	}
	if s.nCache.Load() >= maxCached {
		return s.reads.QueryContext(ctx, query, args...)
	}
	stmt, err := s.reads.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if c, raced := s.cached.LoadOrStore(query, stmt); raced {
		_ = stmt.Close() //nolint:sqlclosecheck // only the one that lost the race is closed here
		stmt = c.(*sql.Stmt)
	} else {
		s.nCache.Add(1)
	}
	return stmt.QueryContext(ctx, args...)
}

// conditions gathers the parts of a WHERE clause. Its text holds nothing that
// came from outside: values are always arguments.
type conditions struct {
	parts []string
	args  []any
}

func (c *conditions) add(part string, args ...any) {
	c.parts = append(c.parts, part)
	c.args = append(c.args, args...)
}

func (c *conditions) String() string { return " WHERE " + strings.Join(c.parts, " AND ") }

// ceilMillis is the first millisecond that is not before t, so that comparing
// stored times, which were cut, with it is comparing them with t.
func ceilMillis(t time.Time) int64 { return t.Add(time.Millisecond - 1).UnixMilli() }
