package sqlite

import (
	"context"
	"fmt"
	"strings"
	"time"

	"mooring/internal/bucket"
	"mooring/internal/id"
	"mooring/internal/store"
	"mooring/internal/store/internal/objects"
	"mooring/internal/store/internal/paging"
)

// listColumns are the columns of the fields by which objects are filtered and sorted.
var listColumns = map[string]string{
	"source_path": "path", "size": "size", "created_at": "created", "updated_at": "updated", "status": "state", "mime_type": "mime",
	"connection_id": "connection", "sync_config_id": "sync", "content_hash": "sha",
}

// objectQuery is a filter on its way to SQL.
type objectQuery struct {
	ctx  context.Context // of the one call that it lives for
	s    *Store
	org  id.Org
	w    conditions
	none bool // a value that nothing in the store has
	err  error
}

// List implements store.Catalogue. Without a sort it is newest first.
func (c catalogue) List(ctx context.Context, org id.Org, b id.Bucket, f bucket.Filter, p store.Page) (store.List[bucket.Object], error) {
	var empty store.List[bucket.Object]
	by, desc, err := objects.Order(f)
	if err != nil {
		return empty, err
	}
	limit, err := paging.Limit(p)
	if err != nil {
		return empty, err
	}
	column := listColumns[by.Field]
	list := paging.List("objects", string(org), string(b), by.Field, fmt.Sprint(desc))
	q, err := c.filter(ctx, org, b, f)
	if err != nil {
		return empty, err
	}
	offset := p.Offset
	if p.Cursor != "" {
		at, err := paging.Position(list, p.Cursor, by.Like, "")
		if err != nil {
			return empty, err
		}
		q.w.add("("+column+", id) "+map[bool]string{false: ">", true: "<"}[desc]+" (?, ?)", at...)
		offset = 0
	}
	if q.none {
		return empty, nil
	}
	dir := map[bool]string{true: " DESC"}[desc]
	query := atOnce(selectObjects + q.w.String() + " ORDER BY " + column + dir + ", id" + dir + " LIMIT ? OFFSET ?")
	items, err := c.objects(ctx, "store.catalogue.list", query, append(q.w.args, limit+1, offset)...)
	if err != nil || len(items) <= limit {
		return store.List[bucket.Object]{Items: items}, err
	}
	last := &items[limit-1]
	next, err := paging.Cursor(list, by.Of(last), string(last.ID))
	return store.List[bucket.Object]{Items: items[:limit], Next: next}, err
}

func (c catalogue) filter(ctx context.Context, org id.Org, b id.Bucket, f bucket.Filter) (*objectQuery, error) {
	at, known, err := c.s.findAtom(ctx, org, string(b))
	if err != nil {
		return nil, err
	}
	q := &objectQuery{ctx: ctx, s: c.s, org: org, none: !known}
	q.w.add("bucket = ?", at)
	for _, cond := range f.Where {
		if err := q.condition(cond); err != nil {
			return nil, err
		}
	}
	if f.Search != "" {
		part, args := contains([]string{"path"}, f.Search, false)
		q.w.add(part, args...)
	}
	return q, q.err
}

func (q *objectQuery) condition(given bucket.Condition) error {
	c, err := objects.Parse(given)
	if err != nil {
		return err
	}
	column := listColumns[c.Field]
	switch c.Op {
	case "in":
		q.in(column, c.Values)
	case "prefix":
		s := c.Values[0].(string)
		q.w.add(column+" >= ?", s)
		if end := afterPrefix(s); end != "" {
			q.w.add(column+" < ?", end)
		}
	default:
		q.w.add(column+map[string]string{"gt": " > ?", "lt": " < ?", "gte": " >= ?", "lte": " <= ?"}[c.Op], q.value(column, c.Values[0]))
	}
	return nil
}

// in adds "one of the values"; of none, nothing is selected.
func (q *objectQuery) in(column string, list []any) {
	var parts []string
	var args []any
	for _, v := range list {
		arg := q.value(column, v)
		if column == "sha" {
			parts, args = append(parts, "(substr(sha, 1, 8) = substr(?, 1, 8) AND sha = ?)"), append(args, arg, arg)
		} else {
			parts, args = append(parts, column+" = ?"), append(args, arg)
		}
	}
	if len(parts) == 0 {
		q.none = true
		return
	}
	q.w.add("("+strings.Join(parts, " OR ")+")", args...)
}

// value is a value of a filter as the column holds it.
func (q *objectQuery) value(column string, v any) any {
	switch v := v.(type) {
	case time.Time:
		return v.UnixMilli()
	case string:
		switch column {
		case "sha":
			return rawSum(v)
		case "connection", "sync":
			return q.atom(v)
		}
	}
	return v
}

// atom is the number of an id; one that has none selects nothing.
func (q *objectQuery) atom(s string) any {
	n, known, err := q.s.findAtom(q.ctx, q.org, s)
	if err != nil {
		q.err = err
	}
	if !known {
		return -1
	}
	return n
}

// afterPrefix is the first text after all that begin with p, or "" when there is none.
func afterPrefix(p string) string {
	b := []byte(p)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] < 0xff {
			b[i]++
			return string(b[:i+1])
		}
	}
	return ""
}
