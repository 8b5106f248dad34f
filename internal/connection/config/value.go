package config

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"mooring/internal/secret"
)

// value checks one value that is present and returns it in the type that
// Config holds, or the kind of complaint and a sentence that does not repeat it.
func (f Field) value(v any) (value any, typ, complaint string) {
	switch f.Type {
	case Boolean:
		if b, ok := v.(bool); ok {
			return b, "", ""
		}
		return nil, "bool_type", "must be true or false"
	case Integer:
		return f.integer(v)
	case Strings:
		return f.list(v)
	}
	s, ok := v.(string)
	if !ok {
		return nil, "string_type", "must be a string"
	}
	return f.text(s)
}

func (f Field) text(s string) (value any, typ, complaint string) {
	n := utf8.RuneCountInString(s)
	switch {
	case s == secret.Marker && f.Secret:
		return s, "", ""
	case s == secret.Marker:
		return nil, "value_error", "the marker stands only for secrets: give the value itself"
	case !utf8.ValidString(s):
		return nil, "string_unicode", "must be valid UTF-8"
	case n < f.Min:
		return nil, "string_too_short", fmt.Sprintf("must have at least %d characters", f.Min)
	case n > f.limit():
		return nil, "string_too_long", fmt.Sprintf("must have at most %d characters", f.limit())
	case f.Pattern != nil && !f.Pattern.MatchString(s):
		return nil, "string_pattern_mismatch", f.Must
	case strings.ContainsRune(s, 0), !f.Secret && strings.ContainsFunc(s, unicode.IsControl):
		return nil, "value_error", "must not hold control characters"
	case !f.Secret && strings.TrimSpace(s) != s:
		return nil, "value_error", "must not begin or end with white space"
	case f.Check == nil:
		return s, "", ""
	}
	if s, complaint = f.Check(s); complaint != "" {
		return nil, "value_error", complaint
	}
	return s, "", ""
}

func (f Field) integer(v any) (value any, typ, complaint string) {
	var n int64
	switch v := v.(type) {
	case int:
		n = int64(v)
	case int64:
		n = v
	case float64:
		if v != math.Trunc(v) || math.Abs(v) > 1<<53 {
			return nil, "int_type", "must be a whole number"
		}
		n = int64(v)
	case json.Number:
		i, err := strconv.ParseInt(v.String(), 10, 64)
		if err != nil {
			return nil, "int_type", "must be a whole number"
		}
		n = i
	default:
		return nil, "int_type", "must be a whole number"
	}
	switch {
	case n < int64(f.Min):
		return nil, "greater_than_equal", fmt.Sprintf("must be at least %d", f.Min)
	case n > int64(f.Max):
		return nil, "less_than_equal", fmt.Sprintf("must be at most %d", f.Max)
	}
	return n, "", ""
}

func (f Field) list(v any) (value any, typ, complaint string) {
	raw, ok := v.([]any)
	if ss, is := v.([]string); is {
		ok = true
		for _, s := range ss {
			raw = append(raw, s)
		}
	}
	switch {
	case !ok:
		return nil, "list_type", "must be a list of strings"
	case len(raw) == 0 || len(raw) > f.Max:
		return nil, "too_long", fmt.Sprintf("must have 1 to %d elements; leave it out for none", f.Max)
	}
	element := Field{Min: 1, Max: 255, Pattern: f.Pattern, Must: f.Must}
	var list []string
	for i, r := range raw {
		s, ok := r.(string)
		if !ok {
			return nil, "string_type", fmt.Sprintf("element %d must be a string", i+1)
		}
		if _, typ, complaint := element.text(s); complaint != "" {
			return nil, typ, fmt.Sprintf("element %d %s", i+1, complaint)
		}
		if slices.Contains(list, s) {
			return nil, "value_error", fmt.Sprintf("element %d is there twice", i+1)
		}
		list = append(list, s)
	}
	return list, "", ""
}
