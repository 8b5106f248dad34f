// Package objects reads the filters and orders of lists of objects, which every
// store understands in the same way.
package objects

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"time"

	"mooring/internal/bucket"
	"mooring/internal/errs"
)

// MaxValues bounds how many values one condition compares with.
const MaxValues = 1000

// Condition is one that was checked: Op is in, prefix, gt, lt, gte or lte. Text
// is compared with strings, numbers with int64 or float64, times with time.Time.
type Condition struct {
	Field  string
	Op     string
	Values []any // one, but for in
}

type field struct {
	order  bool // gt, lt, gte and lte make sense
	prefix bool
	value  func(any) (any, bool)
}

var fields = map[string]field{
	"source_path":    {true, true, text},
	"size":           {true, false, number},
	"created_at":     {true, false, moment},
	"updated_at":     {true, false, moment},
	"status":         {false, false, text},
	"mime_type":      {false, true, text},
	"connection_id":  {false, false, text},
	"sync_config_id": {false, false, text},
	"content_hash":   {false, false, text},
}

const help = "filters compare source_path, size, created_at, updated_at, status, mime_type, connection_id, sync_config_id or content_hash" +
	" by eq or in; source_path, size, created_at and updated_at also by gt, lt, gte and lte; source_path and mime_type also by prefix"

func bad(what string) error {
	return errs.New(errs.Invalid, "store.catalogue.list", what+": "+help)
}

// Parse checks a condition.
func Parse(c bucket.Condition) (Condition, error) {
	f, ok := fields[c.Field]
	if !ok {
		return Condition{}, bad("objects can't be filtered by " + quote(c.Field))
	}
	out := Condition{Field: c.Field, Op: c.Op}
	list := []any{c.Value}
	switch c.Op {
	case "eq":
		out.Op = "in"
	case "in":
		if list, ok = listOf(c.Value); !ok {
			return out, bad(quote(c.Field) + " in needs a list")
		}
		if len(list) > MaxValues {
			return out, bad("at most 1000 values can be compared at once")
		}
	case "prefix":
		if _, ok := c.Value.(string); !f.prefix || !ok {
			return out, bad(quote(c.Field) + " can't be compared by prefix")
		}
	case "gt", "lt", "gte", "lte":
		if !f.order {
			return out, bad(quote(c.Field) + " can't be compared by " + quote(c.Op))
		}
	default:
		return out, bad(quote(c.Field) + " can't be compared by " + quote(c.Op))
	}
	for _, v := range list {
		value, ok := f.value(v)
		if !ok {
			return out, bad("the value for " + quote(c.Field) + " has a wrong type")
		}
		out.Values = append(out.Values, value)
	}
	return out, nil
}

// Sort is an order: a field, and what an object's value of it is in a cursor.
type Sort struct {
	Field string
	Like  any // int64 (times: milliseconds) or string
	Of    func(*bucket.Object) any
}

var sorts = map[string]Sort{
	"created_at":  {"created_at", int64(0), func(o *bucket.Object) any { return o.CreatedAt.UnixMilli() }},
	"updated_at":  {"updated_at", int64(0), func(o *bucket.Object) any { return o.UpdatedAt.UnixMilli() }},
	"size":        {"size", int64(0), func(o *bucket.Object) any { return o.Size }},
	"source_path": {"source_path", "", func(o *bucket.Object) any { return o.SourcePath }},
}

// Order is the order of a filter; without one it is newest first.
func Order(f bucket.Filter) (by Sort, desc bool, err error) {
	if f.Sort == "" {
		return sorts["created_at"], true, nil
	}
	by, ok := sorts[f.Sort]
	if !ok {
		err = errs.New(errs.Invalid, "store.catalogue.list", "objects can be sorted by created_at, source_path, size or updated_at")
	}
	return by, f.Desc, err
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

func text(v any) (any, bool) {
	r := reflect.ValueOf(v)
	if r.Kind() != reflect.String {
		return nil, false
	}
	return r.String(), true
}

func number(v any) (any, bool) {
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

func moment(v any) (any, bool) {
	if s, ok := v.(string); ok {
		t, err := time.Parse(time.RFC3339Nano, s)
		return t, err == nil
	}
	t, ok := v.(time.Time)
	return t, ok
}

func quote(s string) string { return fmt.Sprintf("%q", s[:min(len(s), 60)]) }
