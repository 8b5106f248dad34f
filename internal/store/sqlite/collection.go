package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/outbox"
	"mooring/internal/store"
	"mooring/internal/store/internal/doc"
	"mooring/internal/store/internal/paging"
)

// head is what every record has, as pointers into it.
type head[ID ~string] struct {
	id       *ID
	org      *id.Org
	revision *int64
	created  *time.Time
	outbox   *outbox.Outbox // nil for records without one
}

// column is an index column and where its value stands in the document.
type column[T any] struct {
	name  string
	value func(*T) any
}

// collection is a table of documents of type T with the columns org, id,
// revision, created and doc, and index columns. It implements store.Records.
type collection[T any, ID ~string] struct {
	s       *Store
	table   string
	noun    string // for messages
	head    func(*T) head[ID]
	columns []column[T]
	// overlay are columns that are also written on their own and win over the
	// document, which merge tells about them.
	overlay []string
	merge   func(*T, []sql.NullInt64)
	// guard are those of columns that are written on their own: an update is lost
	// if one has another value than the document it read.
	guard []string
	// apart are columns that nothing but a write of their own fills, and what
	// they are in a document that is put as it is.
	apart []column[T]
	// counts and rows keep counts and single records; nil where others than the
	// collection change them. Who gets a record that is kept changes nothing in it.
	counts *kept[int64]
	rows   *kept[T]

	selecting, inserting, updating, replacing string
}

// define completes a declaration.
func define[T any, ID ~string](s *Store, c collection[T, ID]) *collection[T, ID] {
	c.s = s
	c.selecting = "SELECT " + strings.Join(append([]string{"doc"}, c.overlay...), ", ") + " FROM " + c.table
	names, marks, sets := "id, org, revision, created, doc", "?, ?, ?, ?, ?", "revision = ?, created = ?, doc = ?"
	for _, col := range c.columns {
		names, marks, sets = names+", "+col.name, marks+", ?", sets+", "+col.name+" = ?"
	}
	c.inserting = "INSERT INTO " + c.table + " (" + names + ") VALUES (" + marks + ")"
	c.replacing = "INSERT OR REPLACE INTO " + c.table + " (" + names
	for _, col := range c.apart {
		c.replacing, marks = c.replacing+", "+col.name, marks+", ?"
	}
	c.replacing += ") VALUES (" + marks + ")"
	c.updating = "UPDATE " + c.table + " SET " + sets + " WHERE id = ? AND org = ? AND revision = ?"
	for _, g := range c.guard { // NULL: never written on its own, nor by an update since
		c.updating += " AND (" + g + " IS NULL OR " + g + " IS ?)"
	}
	return &c
}

func (c *collection[T, ID]) op(verb string) string { return "store." + c.table + "." + verb }

func (c *collection[T, ID]) missing(verb string) error {
	return errs.New(errs.NotFound, c.op(verb), "no such "+c.noun)
}

// Insert implements store.Records.
func (c *collection[T, ID]) Insert(ctx context.Context, org id.Org, v T) (T, error) {
	var zero T
	h := c.head(&v)
	if *h.org == "" {
		*h.org = org
	}
	if org == "" || *h.org != org || *h.id == "" {
		return zero, errs.New(errs.Invalid, c.op("insert"), "a "+c.noun+" needs an id and the organization that it is stored for")
	}
	*h.revision = 1
	out, err := c.write(ctx, "insert", org, &v, func(t *tx, b []byte) error {
		args := append([]any{string(*h.id), string(org), 1, h.created.UnixMilli(), b}, c.values(&v)...)
		_, err := t.exec(c.inserting, args...)
		return err
	})
	if errs.Is(err, errs.AlreadyExists) {
		err = errs.Wrap(err, errs.AlreadyExists, c.op("insert"), "a "+c.noun+" with this id or name exists")
	}
	return out, err
}

// Get implements store.Records.
func (c *collection[T, ID]) Get(ctx context.Context, org id.Org, i ID) (T, error) {
	return c.one(ctx, "get", " WHERE id = ? AND org = ?", string(i), string(org))
}

// one returns the first record that a clause selects.
func (c *collection[T, ID]) one(ctx context.Context, verb, clause string, args ...any) (T, error) {
	var zero T
	found, _, err := c.first(ctx, 1, verb, c.selecting+clause, args...)
	switch {
	case err != nil:
		return zero, err
	case len(found) == 0:
		return zero, c.missing(verb)
	}
	return found[0], nil
}

// all returns the records that a clause selects.
func (c *collection[T, ID]) all(ctx context.Context, verb, clause string, args ...any) ([]T, error) {
	out, _, err := c.first(ctx, math.MaxInt, verb, c.selecting+clause, args...)
	return out, err
}

// first returns the first n of the records that a query selects, and whether
// there are more.
func (c *collection[T, ID]) first(ctx context.Context, n int, verb, query string, args ...any) (out []T, more bool, err error) {
	row := c.newRow()
	err = c.s.each(ctx, c.op(verb), query, args, func(r *sql.Rows) error {
		if more = len(out) == n; more {
			return nil
		}
		if out == nil {
			out = make([]T, 0, min(n, paging.DefaultLimit))
		}
		out = append(out, *new(T))
		return c.scan(r, row, &out[len(out)-1])
	})
	if err != nil {
		return nil, false, err
	}
	return out, more, nil
}

// row is what the columns of a row are scanned into, one row after the other.
type row struct {
	doc     sql.RawBytes
	overlay []sql.NullInt64
	into    []any
}

func (c *collection[T, ID]) newRow() *row {
	r := &row{overlay: make([]sql.NullInt64, len(c.overlay))}
	r.into = append(make([]any, 0, 1+len(c.overlay)), &r.doc)
	for i := range r.overlay {
		r.into = append(r.into, &r.overlay[i])
	}
	return r
}

func (c *collection[T, ID]) scan(r *sql.Rows, row *row, v *T) error {
	if err := r.Scan(row.into...); err != nil {
		return err
	}
	if err := doc.Decode(row.doc, v); err != nil {
		return err
	}
	if c.merge != nil {
		c.merge(v, row.overlay)
	}
	return nil
}

// Update implements store.Records.
func (c *collection[T, ID]) Update(ctx context.Context, org id.Org, i ID, change func(*T) error) (T, error) {
	var zero T
	for {
		cur, err := c.Get(ctx, org, i)
		if err != nil {
			return zero, err
		}
		out, err := c.attempt(ctx, org, cur, change)
		if err == nil {
			return out, nil
		}
		if !errors.Is(err, errLost) {
			return zero, err
		}
	}
}

// attempt writes what change makes of cur, if cur is still what is stored; else errLost.
func (c *collection[T, ID]) attempt(ctx context.Context, org id.Org, cur T, change func(*T) error) (T, error) {
	var zero T
	before, err := doc.Encode(&cur)
	if err != nil {
		return zero, err
	}
	h := c.head(&cur)
	i, revision, guards := *h.id, *h.revision, c.guards(&cur)
	if err := change(&cur); err != nil {
		return zero, err
	}
	if *h.id != i || *h.org != org {
		return zero, errs.New(errs.Invalid, c.op("update"), "a change must leave the id and the organization as they are")
	}
	*h.revision = revision
	after, err := doc.Encode(&cur)
	if err != nil {
		return zero, err
	}
	if doc.Equal(before, after) {
		err := doc.Decode(before, &zero)
		return zero, err
	}
	*h.revision = revision + 1
	out, err := c.write(ctx, "update", org, &cur, func(t *tx, b []byte) error {
		args := append([]any{revision + 1, h.created.UnixMilli(), b}, c.values(&cur)...)
		n, err := t.exec(c.updating, append(append(args, string(i), string(org), revision), guards...)...)
		if err == nil && n == 0 {
			return errLost
		}
		return err
	})
	if errs.Is(err, errs.AlreadyExists) {
		err = errs.Wrap(err, errs.AlreadyExists, c.op("update"), "another "+c.noun+" has this name")
	}
	return out, err
}

// write stores v without its outbox, which moves on in the same transaction,
// and returns v as it is stored.
func (c *collection[T, ID]) write(ctx context.Context, verb string, org id.Org, v *T, do func(*tx, []byte) error) (out T, err error) {
	var box outbox.Outbox
	if h := c.head(v); h.outbox != nil {
		box, *h.outbox = *h.outbox, outbox.Outbox{}
	}
	b, err := doc.Encode(v)
	if err != nil {
		return out, err
	}
	err = c.s.w.write(ctx, c.op(verb), interactive, func(t *tx) error {
		if err := do(t, b); err != nil {
			return err
		}
		return moveOutbox(t, org, box)
	})
	c.changed()
	if err != nil {
		return out, err
	}
	err = doc.Decode(b, &out)
	return out, err
}

func (c *collection[T, ID]) values(v *T) []any { return values(c.columns, v) }

func values[T any](columns []column[T], v *T) []any {
	out := make([]any, len(columns))
	for i, col := range columns {
		out[i] = col.value(v)
	}
	return out
}

// guards are the values of the guarded columns.
func (c *collection[T, ID]) guards(v *T) (out []any) {
	for _, g := range c.guard {
		for _, col := range c.columns {
			if col.name == g {
				out = append(out, col.value(v))
			}
		}
	}
	return out
}

// remove deletes the records of an organization that a clause selects.
func (c *collection[T, ID]) remove(ctx context.Context, clause string, args ...any) error {
	defer c.changed()
	return c.s.w.write(ctx, c.op("remove"), bulk, func(t *tx) error {
		_, err := t.exec("DELETE FROM "+c.table+clause, args...)
		return err
	})
}

// changed comes after every write, before its caller hears of it.
func (c *collection[T, ID]) changed() {
	c.counts.changed()
	c.rows.changed()
}

func (c *collection[T, ID]) count(ctx context.Context, w *conditions) (int64, error) {
	return c.counts.of(w.String()+fmt.Sprintf("%q", w.args), func() (int64, error) {
		return c.s.count(ctx, c.op("count"), "SELECT count(*) FROM "+c.table+w.String(), w.args)
	})
}

// list returns a page, newest first by (created, id). parents are what, beside
// the organization, a cursor of this list belongs to.
func (c *collection[T, ID]) list(ctx context.Context, org id.Org, w *conditions, p store.Page, parents ...string) (store.List[T], error) {
	limit, err := paging.Limit(p)
	if err != nil {
		return store.List[T]{}, err
	}
	list := paging.List(append([]string{c.table, string(org)}, parents...)...)
	offset := p.Offset
	if p.Cursor != "" {
		at, err := paging.Position(list, p.Cursor, int64(0), "")
		if err != nil {
			return store.List[T]{}, err
		}
		w.add("(created, id) < (?, ?)", at...)
		offset = 0
	}
	query := atOnce(c.selecting + w.String() + " ORDER BY created DESC, id DESC LIMIT ? OFFSET ?")
	items, more, err := c.first(ctx, limit, "list", query, append(w.args, limit+1, offset)...)
	if err != nil || !more {
		return store.List[T]{Items: items}, err
	}
	h := c.head(&items[limit-1])
	next, err := paging.Cursor(list, h.created.UnixMilli(), string(*h.id))
	return store.List[T]{Items: items, Next: next}, err
}

// liveName is the value of a column for names that are unique among live records.
func liveName(name string, live bool) any {
	if !live {
		return nil
	}
	return name
}

// millis is the value of a column for a time that may be missing.
func millis(t *time.Time) any {
	if t == nil {
		return nil
	}
	return t.UnixMilli()
}

// contains is a condition that text holds a search, compared with or without case.
func contains(columns []string, search string, caseSensitive bool) (string, []any) {
	var parts []string
	var args []any
	for _, col := range columns {
		if caseSensitive {
			parts, args = append(parts, "instr("+col+", ?) > 0"), append(args, search)
		} else {
			parts, args = append(parts, "instr(fold("+col+"), ?) > 0"), append(args, fold(search))
		}
	}
	return "(" + strings.Join(parts, " OR ") + ")", args
}
