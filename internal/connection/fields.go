package connection

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"mooring/internal/errs"
	"mooring/internal/id"
)

// Limits of the contract, in code points and keys.
const (
	maxName        = 100
	maxDescription = 500
	maxMetadata    = 50
	maxMetadataLen = 32 << 10 // bytes as JSON
	maxDepth       = 16
)

// CleanName trims a name and notes in at why it can't be one: every name must
// be able to address its connection in a path.
func CleanName(name string, at errs.Fields) string {
	const field = "name"
	name = strings.TrimSpace(name)
	switch n := utf8.RuneCountInString(name); {
	case n == 0:
		at.Add("string_too_short", "must not be empty", field)
	case n > maxName:
		at.Add("string_too_long", fmt.Sprintf("must have at most %d characters", maxName), field)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		at.Add("value_error", "must not hold control characters", field)
	case id.IsConnection(name):
		at.Add("value_error", "must not begin with conn_, as the ids do", field)
	case name == "." || name == "..":
		at.Add("value_error", "must not be . or .., which no path can hold", field)
	}
	return name
}

// CleanDescription checks a description. An empty one is none.
func CleanDescription(text *string, at errs.Fields) *string {
	switch {
	case text == nil || *text == "":
		return nil
	case utf8.RuneCountInString(*text) > maxDescription:
		at.Add("string_too_long", fmt.Sprintf("must have at most %d characters", maxDescription), "description")
	case !utf8.ValidString(*text) || strings.ContainsRune(*text, 0):
		at.Add("value_error", "must be valid text", "description")
	}
	return text
}

// CleanMetadata checks the caller's own keys and values, decoded from JSON, and
// returns them in types that every store keeps: string, bool, int64, float64,
// nil, []any and map[string]any. nil becomes an empty map.
func CleanMetadata(m map[string]any, at errs.Fields) map[string]any {
	at = at.At("metadata")
	if len(m) > maxMetadata {
		at.Add("too_long", fmt.Sprintf("must have at most %d keys", maxMetadata))
		return map[string]any{}
	}
	clean, complaint := cleanValue(m, 0)
	if complaint == "" {
		if j, err := json.Marshal(clean); err != nil || len(j) > maxMetadataLen {
			complaint = fmt.Sprintf("must have at most %d bytes", maxMetadataLen)
		}
	}
	if complaint != "" {
		at.Add("value_error", complaint)
		return map[string]any{}
	}
	return clean.(map[string]any)
}

func cleanValue(v any, depth int) (clean any, complaint string) {
	if depth > maxDepth {
		return nil, fmt.Sprintf("must not be nested deeper than %d", maxDepth)
	}
	switch v := v.(type) {
	case nil, bool:
		return v, ""
	case string:
		return v, badText(v)
	case int:
		return cleanNumber(strconv.Itoa(v))
	case int64:
		return cleanNumber(strconv.FormatInt(v, 10))
	case float64:
		return cleanNumber(strconv.FormatFloat(v, 'g', -1, 64))
	case json.Number:
		return cleanNumber(v.String())
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			if list[i], complaint = cleanValue(e, depth+1); complaint != "" {
				return nil, complaint
			}
		}
		return list, ""
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, e := range v {
			if complaint = badText(k); complaint != "" {
				return nil, complaint
			}
			if m[k], complaint = cleanValue(e, depth+1); complaint != "" {
				return nil, complaint
			}
		}
		return m, ""
	}
	return nil, "must be JSON"
}

// cleanNumber keeps a number exactly: as an integer of at most 2^53, or as the
// float that it already is.
func cleanNumber(text string) (any, string) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= -1<<53 && n <= 1<<53 {
		return n, ""
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) || !strings.ContainsAny(text, ".eE") {
		return nil, "numbers beyond 2^53 can't be kept exactly: write them as strings"
	}
	return f, ""
}

func badText(s string) string {
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return "texts must be valid UTF-8 without NUL"
	}
	return ""
}
