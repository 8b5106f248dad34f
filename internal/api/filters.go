package api

import (
	"encoding/base64"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/surface"
)

const filterHelp = "a filter is an AND of conditions {field, operator, value}, or field: value for equality; the operators are eq, in, gt, gte, lt, lte and starts_with"

func badFilter(what string) error {
	return errs.New(errs.Invalid, "api.filter", what+": "+filterHelp)
}

// operators of the contract that are served, and what the store calls them.
var operators = map[string]string{"eq": "eq", "in": "in", "gt": "gt", "lt": "lt", "gte": "gte", "lte": "lte", "starts_with": "prefix", "prefix": "prefix"}

const maxConditions = 50

// readConditions flattens the contract's LogicalOperator as far as it is an AND.
// Its client adds case_sensitive at every level, which nothing depends on here.
func readConditions(filters map[string]any) (all []bucket.Condition, err error) {
	if _, ok := filters["field"]; ok && (filters["operator"] != nil || filters["value"] != nil) {
		cond, err := readCondition(filters)
		return []bucket.Condition{cond}, err
	}
	for _, name := range slices.Sorted(maps.Keys(filters)) {
		v := filters[name]
		var some []bucket.Condition
		switch name {
		case "case_sensitive":
		case "AND":
			some, err = readAll(v)
		case "OR", "NOT":
			if l, ok := v.([]any); v != nil && (!ok || len(l) > 0) {
				err = badFilter(name + " is not served")
			}
		default:
			some, err = shorthand(name, v)
		}
		if err != nil {
			return nil, err
		}
		if all = append(all, some...); len(all) > maxConditions {
			return nil, badFilter(fmt.Sprintf("at most %d conditions can be combined", maxConditions))
		}
	}
	return all, nil
}

func readAll(v any) (all []bucket.Condition, err error) {
	if v == nil {
		return nil, nil
	}
	parts, ok := v.([]any)
	if !ok {
		return nil, badFilter("AND needs a list")
	}
	for _, part := range parts {
		obj, ok := part.(map[string]any)
		if !ok {
			return nil, badFilter("AND needs a list of objects")
		}
		some, err := readConditions(obj)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

func readCondition(obj map[string]any) (bucket.Condition, error) {
	field, ok := obj["field"].(string)
	name, given := obj["operator"].(string)
	if !given && obj["operator"] == nil {
		name, given = "eq", true
	}
	operator, known := operators[name]
	if !ok || !given || !known {
		return bucket.Condition{}, badFilter("the operator " + surface.Clip(name, 40) + " is not served, or field is no string")
	}
	value, fine := plain(obj["value"])
	if list, isList := value.([]any); !fine || value == nil || isList != (operator == "in") || isList && !scalars(list) {
		return bucket.Condition{}, badFilter("the value for " + surface.Clip(field, 60) + " does not go with " + name)
	}
	if _, nested := value.(map[string]any); nested {
		return bucket.Condition{}, badFilter("the value for " + surface.Clip(field, 60) + " is an object")
	}
	return bucket.Condition{Field: field, Op: operator, Value: value}, nil
}

func shorthand(field string, v any) ([]bucket.Condition, error) {
	operator := "eq"
	if _, ok := v.([]any); ok {
		operator = "in"
	}
	cond, err := readCondition(map[string]any{"field": field, "operator": operator, "value": v})
	return []bucket.Condition{cond}, err
}

func scalars(list []any) bool {
	return !slices.ContainsFunc(list, func(v any) bool {
		switch v.(type) {
		case string, bool, int64, float64:
			return false
		}
		return true
	})
}

// storeFields are fields that the catalogue knows under another name.
var storeFields = map[string]string{"size_bytes": "size"}

// objectFilter reads what a list of objects asks for. Objects that a user
// removed are never shown.
func objectFilter(r listObjectsRequest) (f bucket.Filter, err error) {
	if f.Where, err = readConditions(r.Filters); err != nil {
		return f, err
	}
	for i := range f.Where {
		if name, ok := storeFields[f.Where[i].Field]; ok {
			f.Where[i].Field = name
		}
		if f.Where[i].Field == "content_hash" {
			f.Where[i].Value = bareHash(f.Where[i].Value)
		}
	}
	f.Where = append(f.Where, bucket.Condition{Field: "status", Op: "in", Value: []any{bucket.Present, bucket.Tombstoned}})
	if r.Search != nil {
		f.Search = *r.Search
	}
	if r.Sort != nil {
		if f.Sort = r.Sort.Field; storeFields[f.Sort] != "" {
			f.Sort = storeFields[f.Sort]
		}
		f.Desc = r.Sort.Direction != nil && *r.Sort.Direction == "desc"
	}
	return f, nil
}

// bareHash takes hashes as responses show them, with their algorithm before.
func bareHash(v any) any {
	const lead = "sha256:"
	switch v := v.(type) {
	case string:
		if len(v) > len(lead) && v[:len(lead)] == lead {
			return v[len(lead):]
		}
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = bareHash(v[i])
		}
		return out
	}
	return v
}

// wire brings a stored value to JSON: one item that can't be written would
// break a whole list.
func wire(v any) any {
	switch v := v.(type) {
	case time.Time:
		return stamp(v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
	case []byte:
		return base64.StdEncoding.EncodeToString(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = wire(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = wire(v[k])
		}
		return out
	case nil, string, bool, int, int32, int64:
	default:
		return fmt.Sprint(v)
	}
	return v
}
