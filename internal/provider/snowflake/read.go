package snowflake

import (
	"bytes"
	"context"
	"io"
	"strings"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// Stat implements driver.Source.
func (s *source) Stat(ctx context.Context, scope driver.Scope, id string) (driver.Item, error) {
	const op = "snowflake.stat"
	t, err := s.tableOf(op, scope.Path)
	if err != nil {
		return driver.Item{}, err
	}
	key, ok := strings.CutPrefix(id, t.String()+"/")
	if !ok || id < string(scope.From) || scope.To != "" && id >= string(scope.To) {
		return driver.Item{}, absent(op, "there is no such row in the scope")
	}
	var it driver.Item
	err = s.shaped(ctx, op, t, func(sh *shape) (err error) {
		it, _, err = s.find(ctx, op, sh, key)
		return err
	})
	return it, err
}

// Open implements driver.Source: a row is read again, and compared.
func (s *source) Open(ctx context.Context, item driver.Item, off int64) (io.ReadCloser, error) {
	const op = "snowflake.open"
	t, key, ok := s.place(item.ID)
	if !ok {
		return nil, absent(op, "the id is not one of a row")
	}
	var it driver.Item
	var content []byte
	err := s.shaped(ctx, op, t, func(sh *shape) (err error) {
		it, content, err = s.find(ctx, op, sh, key)
		return err
	})
	if err != nil {
		return nil, err
	}
	if it.Version != item.Version || off < 0 || off > int64(len(content)) {
		return nil, &errs.Error{
			Kind: errs.Stale, Origin: errs.Provider, Scope: errs.ScopeObject, Op: op, Msg: "the row has changed since it was listed",
		}
	}
	return io.NopCloser(bytes.NewReader(content[off:])), nil
}

// place takes an id apart.
func (s *source) place(id string) (table, string, bool) {
	var names []string
	for rest := id; ; {
		name, after, ok := first(until(rest))
		if !ok {
			return table{}, "", false
		}
		names = append(names, name)
		rest = rest[len(until(rest))-len(after):]
		switch {
		case len(names) == 3 && strings.HasPrefix(rest, "/"):
			return table{names[0], names[1], names[2]}, rest[1:], true
		case len(names) == 3 || !strings.HasPrefix(rest, "."):
			return table{}, "", false
		}
		rest = rest[1:]
	}
}

// until cuts an id behind an unquoted name that a slash ends.
func until(id string) string {
	if strings.HasPrefix(id, `"`) {
		return id
	}
	name, _, _ := strings.Cut(id, "/")
	return name
}

// find reads the row with a key.
func (s *source) find(ctx context.Context, op string, sh *shape, key string) (driver.Item, []byte, error) {
	res, err := s.query(ctx, op, reading, sh.rows(window{equal: &key}))
	if err != nil {
		return driver.Item{}, nil, err
	}
	defer res.Close()
	type row struct {
		item    driver.Item
		content []byte
	}
	found, err := during(ctx, res, func() (out row, err error) {
		r := &scan{result: res, shape: sh, at: cursor{Phase: phaseScan}}
		out.item, out.content, err = r.only(op)
		return out, err
	})
	return found.item, found.content, err
}

// only reads the one row that there is.
func (r *scan) only(op string) (driver.Item, []byte, error) {
	if err := r.next(); err != nil {
		return driver.Item{}, nil, err
	}
	if !r.more {
		return driver.Item{}, nil, absent(op, "there is no such row")
	}
	it, content, err := r.shape.item(r.ahead)
	if err != nil {
		return driver.Item{}, nil, err
	}
	if err := r.settle(&it); err != nil {
		return driver.Item{}, nil, err
	}
	if err := r.next(); err != nil {
		return driver.Item{}, nil, err
	}
	if r.more && len(r.shape.keys) > 0 {
		return driver.Item{}, nil, r.duplicate()
	}
	return it, content, nil
}

func absent(op, msg string) error {
	return &errs.Error{Kind: errs.NotFound, Origin: errs.Provider, Scope: errs.ScopeObject, Op: op, Msg: msg}
}
