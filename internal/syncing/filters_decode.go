package syncing

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"

	"mooring/internal/errs"
)

// Limits of filters, so that no filter makes a pass slow.
const (
	maxFilterItems   = 500
	maxPatternLength = 1024
)

// DecodeFilters reads the file_filters of a request, as JSON decodes it. A null
// is as good as an absent key, and unknown keys are ignored. Everything that is
// wrong is added to at. It returns nil when no rule is set.
func DecodeFilters(raw map[string]any, at errs.Fields) *Filters {
	f := &Filters{
		Include:        stringsOf(raw, "include_patterns", at),
		Exclude:        stringsOf(raw, "exclude_patterns", at),
		MinSize:        sizeOf(raw, "min_size_bytes", at),
		MaxSize:        sizeOf(raw, "max_size_bytes", at),
		ModifiedAfter:  timeOf(raw, "modified_after", at),
		ModifiedBefore: timeOf(raw, "modified_before", at),
		MIMETypes:      stringsOf(raw, "mime_types", at),
		Extensions:     stringsOf(raw, "extensions", at),
	}
	f.Validate(at)
	if len(f.Wire()) == 0 {
		return nil
	}
	return f
}

var mimePattern = regexp.MustCompile(`^(\*/\*|[a-z0-9][a-z0-9!#$&^_.+-]*/(\*|[a-z0-9][a-z0-9!#$&^_.+-]*))$`)

// filterList and filterSize pair a rule's name in the contract with its value.
type (
	filterList struct {
		key  string
		list []string
	}
	filterSize struct {
		key  string
		size *int64
	}
)

func (f *Filters) lists() []filterList {
	return []filterList{
		{"include_patterns", f.Include}, {"exclude_patterns", f.Exclude}, {"mime_types", f.MIMETypes}, {"extensions", f.Extensions},
	}
}

func (f *Filters) sizes() []filterSize {
	return []filterSize{{"min_size_bytes", f.MinSize}, {"max_size_bytes", f.MaxSize}}
}

// Validate adds to at what can't be right.
func (f *Filters) Validate(at errs.Fields) {
	for _, l := range f.lists() {
		if len(l.list) > maxFilterItems {
			at.Add("too_long", fmt.Sprintf("must have at most %d items", maxFilterItems), l.key)
		}
		for i, s := range l.list {
			if typ, msg := checkFilterItem(l.key, s); typ != "" {
				at.Add(typ, msg, l.key, i)
			}
		}
	}
	for _, s := range f.sizes() {
		if s.size != nil && *s.size < 0 {
			at.Add("greater_than_equal", "must be at least 0", s.key)
		}
	}
	if f.MinSize != nil && f.MaxSize != nil && *f.MinSize > *f.MaxSize {
		at.Add("value_error", "must not be less than min_size_bytes", "max_size_bytes")
	}
	if f.ModifiedAfter != nil && f.ModifiedBefore != nil && !f.ModifiedAfter.Before(*f.ModifiedBefore) {
		at.Add("value_error", "must be later than modified_after", "modified_before")
	}
}

func checkFilterItem(key, s string) (typ, msg string) {
	switch {
	case s == "" || s == "/" || (key == "extensions" && strings.Trim(s, ".") == ""):
		return "value_error", "must not be empty"
	case len(s) > maxPatternLength:
		return "string_too_long", fmt.Sprintf("must have at most %d bytes", maxPatternLength)
	case key == "mime_types" && !mimePattern.MatchString(baseMIME(s)):
		return "value_error", "must be a type as \"image/png\", or \"image/*\""
	case key == "extensions" && strings.ContainsAny(s, "/*?"):
		return "value_error", "must be an extension as \"pdf\" or \".pdf\", without wildcards"
	}
	return "", ""
}

// Wire is the form in responses: the rules that are set, under the contract's
// names.
func (f *Filters) Wire() map[string]any {
	w := map[string]any{}
	if f == nil {
		return w
	}
	for _, l := range f.lists() {
		if len(l.list) > 0 {
			w[l.key] = l.list
		}
	}
	for _, s := range f.sizes() {
		if s.size != nil {
			w[s.key] = *s.size
		}
	}
	if f.ModifiedAfter != nil {
		w["modified_after"] = wireTime(*f.ModifiedAfter)
	}
	if f.ModifiedBefore != nil {
		w["modified_before"] = wireTime(*f.ModifiedBefore)
	}
	return w
}

func wireTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func stringsOf(raw map[string]any, key string, at errs.Fields) []string {
	var out []string
	switch list := raw[key].(type) {
	case nil:
	case []string:
		out = append(out, list...)
	case []any:
		for i, v := range list {
			s, ok := v.(string)
			if !ok {
				at.Add("string_type", "must be a string", key, i)
				continue
			}
			out = append(out, s)
		}
	default:
		at.Add("list_type", "must be a list of strings", key)
	}
	return out
}

func sizeOf(raw map[string]any, key string, at errs.Fields) *int64 {
	if raw[key] == nil {
		return nil
	}
	n, ok := wholeNumber(raw[key])
	if !ok {
		at.Add("int_type", "must be a whole number of bytes", key)
		return nil
	}
	return &n
}

// wholeNumber takes the forms in which decoders give whole numbers.
func wholeNumber(v any) (int64, bool) {
	switch n := v.(type) {
	case int:
		return int64(n), true
	case int32:
		return int64(n), true
	case int64:
		return n, true
	case float64:
		const exact = 1 << 53
		return int64(n), n == math.Trunc(n) && math.Abs(n) <= exact
	case json.Number:
		if i, err := n.Int64(); err == nil {
			return i, true
		}
		f, err := n.Float64()
		if err != nil {
			return 0, false
		}
		return wholeNumber(f)
	}
	return 0, false
}

// timeOf reads the forms in which clients write times; one without a zone is
// UTC, as Python's naive ones are meant.
func timeOf(raw map[string]any, key string, at errs.Fields) *time.Time {
	switch v := raw[key].(type) {
	case nil:
		return nil
	case time.Time:
		v = v.UTC().Truncate(time.Millisecond)
		return &v
	case string:
		for _, layout := range []string{
			time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02",
		} {
			if t, err := time.Parse(layout, strings.TrimSpace(v)); err == nil {
				t = t.UTC().Truncate(time.Millisecond)
				return &t
			}
		}
	}
	at.Add("datetime_parsing", "must be a time as \"2025-01-02T03:04:05Z\"", key)
	return nil
}
