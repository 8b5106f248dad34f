package snowflake

import (
	"context"
	"strings"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// pageBytes bounds the content of a page.
const pageBytes = 8 << 20

// Changes implements driver.Source.
func (s *source) Changes(ctx context.Context, scope driver.Scope, cur driver.Cursor) (driver.Page, error) {
	const op = "snowflake.changes"
	t, err := s.tableOf(op, scope.Path)
	if err != nil {
		return driver.Page{}, err
	}
	if r := s.scans.take(t, scope, cur); r != nil {
		return s.page(ctx, scope, r)
	}
	switch same, err := s.unchanged(ctx, t, cur); {
	case err != nil:
		return driver.Page{}, err
	case same:
		return driver.Page{Feed: true, Next: cur}, nil
	}
	var p driver.Page
	err = s.shaped(ctx, op, t, func(sh *shape) (err error) {
		p, err = s.from(ctx, scope, cur, sh)
		return err
	})
	return p, err
}

// shaped does something with a table's shape, and once more when it was out of
// date: a column may have been dropped since.
func (s *source) shaped(ctx context.Context, op string, t table, do func(*shape) error) error {
	sh, err := s.shape(ctx, op, t)
	if err != nil {
		return err
	}
	if err = do(sh); codeOf(err) != codeNoColumn {
		return s.again(sh, err)
	}
	s.forget(t)
	if sh, err = s.shape(ctx, op, t); err != nil {
		return err
	}
	return do(sh)
}

// from reads the page that a cursor asks for by a statement of its own.
func (s *source) from(ctx context.Context, scope driver.Scope, cur driver.Cursor, sh *shape) (_ driver.Page, err error) {
	c := cursor{Phase: phaseScan, Columns: sh.fingerprint()}
	if sh.mark != nil {
		c.Phase = phaseFirst
	}
	if len(cur) > 0 {
		if c, err = decode(cur, sh); err != nil {
			return driver.Page{}, err
		}
	}
	c.Config = s.columnNames()
	if c.Phase == phaseRest || c.Phase == phaseFirst && len(cur) == 0 {
		some, err := s.begin(ctx, sh, &c)
		if err != nil {
			return driver.Page{}, err
		}
		if !some {
			next, _ := c.after()
			return driver.Page{Feed: true, Next: next.encode()}, nil
		}
	}
	w, some := windowOf(sh, scope, c)
	if !some {
		p := driver.Page{}
		flags(&p, c.Phase, !scope.Unordered)
		if p.Feed {
			next, _ := c.after()
			p.Next = next.encode()
		}
		return p, nil
	}
	res, err := s.query(ctx, "snowflake.changes", reading, sh.rows(w))
	if err != nil {
		return driver.Page{}, err
	}
	return s.page(ctx, scope, &scan{result: res, shape: sh, at: c})
}

// again forgets a table's shape when a statement did not fit it.
func (s *source) again(sh *shape, err error) error {
	if errs.ScopeOf(err) == errs.ScopePath {
		s.forget(sh.table)
	}
	return err
}

// windowOf is what to read for a cursor; false when a range of keys is empty.
func windowOf(sh *shape, scope driver.Scope, c cursor) (window, bool) {
	w := window{after: c.Key}
	prefix := sh.table.String() + "/"
	bound := func(id string) (key string, below, above bool) {
		key, in := strings.CutPrefix(id, prefix)
		switch {
		case id == "" || !in && id < prefix:
			return "", true, false
		case !in:
			return "", false, true
		}
		return key, false, false
	}
	var below, above bool
	if w.from, _, above = bound(string(scope.From)); above {
		return w, false
	}
	if w.to, below, _ = bound(string(scope.To)); scope.To != "" && (below || w.to == "" && strings.HasPrefix(string(scope.To), prefix)) {
		return w, false
	}
	switch c.Phase {
	case phaseNulls:
		w.mark.null = true
	case phaseNews:
		w.mark = marks{in: true, low: c.Low, high: c.High, at: c.At}
	}
	return w, true
}

// page reads a page off a scan, and keeps the scan for the next.
func (s *source) page(ctx context.Context, scope driver.Scope, r *scan) (driver.Page, error) {
	p, err := during(ctx, r.result, func() (driver.Page, error) { return r.page(s.pageRows) })
	if err != nil {
		r.Close()
		return driver.Page{}, s.again(r.shape, err)
	}
	flags(&p, r.at.Phase, !scope.Unordered)
	if r.more {
		p.More, p.Next = true, r.at.encode()
		s.scans.keep(r, scope, p.Next)
		return p, nil
	}
	r.Close()
	if p.Feed {
		next, more := r.at.after()
		p.More, p.Next = more, next.encode()
	}
	return p, nil
}
