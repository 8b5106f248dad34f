package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store"
	"mooring/internal/store/internal/paging"
)

// filterField is a field that object filters can compare: its column and how
// a value that came with the filter becomes a value of the column.
type filterField struct {
	column string
	order  bool // gt, lt, gte and lte make sense
	prefix bool
	value  func(q *objectQuery, v any) (any, bool)
}

var filterFields = map[string]filterField{
	"source_path":    {"path", true, true, textValue},
	"size":           {"size", true, false, numberValue},
	"created_at":     {"created", true, false, timeValue},
	"updated_at":     {"updated", true, false, timeValue},
	"status":         {"state", false, false, textValue},
	"mime_type":      {"mime", false, true, textValue},
	"connection_id":  {"connection", false, false, atomValue},
	"sync_config_id": {"sync", false, false, atomValue},
	"content_hash":   {"sha", false, false, sumValue},
}

const filterHelp = "filters compare source_path, size, created_at, updated_at, status, mime_type, connection_id, sync_config_id or content_hash" +
	" by eq or in; source_path, size, created_at and updated_at also by gt, lt, gte and lte; source_path and mime_type also by prefix"

func badFilter(what string) error {
	return errs.New(errs.Invalid, "store.catalogue.list", what+": "+filterHelp)
}

// sortColumn is a column by which objects can be sorted, and the type of its values.
type sortColumn struct {
	column string
	like   any
	of     func(*bucket.Object) any
}

var sortColumns = map[string]sortColumn{
	"created_at":  {"created", int64(0), func(o *bucket.Object) any { return o.CreatedAt.UnixMilli() }},
	"updated_at":  {"updated", int64(0), func(o *bucket.Object) any { return o.UpdatedAt.UnixMilli() }},
	"size":        {"size", int64(0), func(o *bucket.Object) any { return o.Size }},
	"source_path": {"path", "", func(o *bucket.Object) any { return o.SourcePath }},
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
	if f.Sort == "" {
		f.Sort, f.Desc = "created_at", true
	}
	by, ok := sortColumns[f.Sort]
	if !ok {
		return empty, errs.New(errs.Invalid, "store.catalogue.list", "objects can be sorted by created_at, source_path, size or updated_at")
	}
	limit, err := paging.Limit(p)
	if err != nil {
		return empty, err
	}
	list := paging.List("objects", string(org), string(b), f.Sort, fmt.Sprint(f.Desc))
	q, err := c.filter(ctx, org, b, f)
	if err != nil {
		return empty, err
	}
	offset := p.Offset
	if p.Cursor != "" {
		at, err := paging.Position(list, p.Cursor, by.like, "")
		if err != nil {
			return empty, err
		}
		q.w.add("("+by.column+", id) "+map[bool]string{false: ">", true: "<"}[f.Desc]+" (?, ?)", at...)
		offset = 0
	}
	if q.none {
		return empty, nil
	}
	dir := map[bool]string{true: " DESC"}[f.Desc]
	items, err := c.objects(ctx, "store.catalogue.list", q.w.String()+" ORDER BY "+by.column+dir+", id"+dir+" LIMIT ? OFFSET ?",
		append(q.w.args, limit+1, offset)...)
	if err != nil || len(items) <= limit {
		return store.List[bucket.Object]{Items: items}, err
	}
	last := &items[limit-1]
	next, err := paging.Cursor(list, by.of(last), string(last.ID))
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

func (q *objectQuery) condition(c bucket.Condition) error {
	f, ok := filterFields[c.Field]
	if !ok {
		return badFilter("objects can't be filtered by " + quote(c.Field))
	}
	switch c.Op {
	case "eq":
		return q.in(c, f, []any{c.Value})
	case "in":
		list, ok := listOf(c.Value)
		if !ok {
			return badFilter(quote(c.Field) + " in needs a list")
		}
		return q.in(c, f, list)
	case "prefix":
		s, ok := c.Value.(string)
		if !f.prefix || !ok {
			return badFilter(quote(c.Field) + " can't be compared by prefix")
		}
		q.w.add(f.column+" >= ?", s)
		if end := afterPrefix(s); end != "" {
			q.w.add(f.column+" < ?", end)
		}
		return nil
	}
	sign, ok := map[string]string{"gt": " > ?", "lt": " < ?", "gte": " >= ?", "lte": " <= ?"}[c.Op]
	if !ok || !f.order {
		return badFilter(quote(c.Field) + " can't be compared by " + quote(c.Op))
	}
	v, ok := f.value(q, c.Value)
	if !ok {
		return badFilter("the value for " + quote(c.Field) + " has a wrong type")
	}
	q.w.add(f.column+sign, v)
	return nil
}

// in adds "one of the values"; of none, nothing is selected.
func (q *objectQuery) in(c bucket.Condition, f filterField, list []any) error {
	if len(list) > queryChunk {
		return badFilter("at most 1000 values can be compared at once")
	}
	var parts []string
	var args []any
	for _, v := range list {
		arg, ok := f.value(q, v)
		if !ok {
			return badFilter("the value for " + quote(c.Field) + " has a wrong type")
		}
		if f.column == "sha" {
			parts, args = append(parts, "(substr(sha, 1, 8) = substr(?, 1, 8) AND sha = ?)"), append(args, arg, arg)
		} else {
			parts, args = append(parts, f.column+" = ?"), append(args, arg)
		}
	}
	if len(parts) == 0 {
		q.none = true
		return nil
	}
	q.w.add("("+strings.Join(parts, " OR ")+")", args...)
	return nil
}

func listOf(v any) ([]any, bool) {
	if list, ok := v.([]any); ok {
		return list, true
	}
	r := reflect.ValueOf(v)
	if r.Kind() != reflect.Slice {
		return nil, false
	}
	out := make([]any, r.Len())
	for i := range out {
		out[i] = r.Index(i).Interface()
	}
	return out, true
}

func textValue(_ *objectQuery, v any) (any, bool) {
	r := reflect.ValueOf(v)
	if r.Kind() != reflect.String {
		return nil, false
	}
	return r.String(), true
}

func sumValue(q *objectQuery, v any) (any, bool) {
	s, ok := textValue(q, v)
	if !ok {
		return nil, false
	}
	return rawSum(s.(string)), true
}

// atomValue is the number of an id; one that has none selects nothing.
func atomValue(q *objectQuery, v any) (any, bool) {
	s, ok := textValue(q, v)
	if !ok {
		return nil, false
	}
	n, known, err := q.s.findAtom(q.ctx, q.org, s.(string))
	if err != nil {
		q.err = err
	}
	if !known {
		return -1, true
	}
	return n, true
}

func numberValue(_ *objectQuery, v any) (any, bool) {
	if n, ok := v.(json.Number); ok {
		f, err := n.Float64()
		return f, err == nil
	}
	r := reflect.ValueOf(v)
	switch {
	case r.CanInt():
		return r.Int(), true
	case r.CanFloat():
		return r.Float(), !math.IsNaN(r.Float())
	}
	return nil, false
}

func timeValue(_ *objectQuery, v any) (any, bool) {
	if s, ok := v.(string); ok {
		t, err := time.Parse(time.RFC3339Nano, s)
		return t.UnixMilli(), err == nil
	}
	t, ok := v.(time.Time)
	return t.UnixMilli(), ok
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

func quote(s string) string { return fmt.Sprintf("%q", s[:min(len(s), 60)]) }
