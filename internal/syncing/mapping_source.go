package syncing

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"

	"mooring/internal/errs"
)

// sourceKinds lists, for each kind of source, the providers that have it.
var sourceKinds = map[string][]string{
	"tag":            {"s3", "tigris"},
	"metadata":       {"s3", "tigris"},
	"column":         {"snowflake"},
	"drive_property": {"google_drive", "sharepoint"},
	"folder_path":    {"s3", "tigris", "google_drive", "sharepoint"},
	"filename_regex": nil, // all
	"constant":       nil,
	"file":           nil,
	"rss_field":      {},
}

// blobSources are the kinds of sources that blobs come from: the file itself, and
// what may hold a URL.
var blobSources = []string{"file", "column", "metadata", "constant"}

// sourceKeys are the keys that tell the kind of a source that doesn't say it.
// "key" alone doesn't: three kinds have it.
var sourceKeys = []struct{ key, kind string }{
	{"name", "column"}, {"pattern", "filename_regex"}, {"value", "constant"}, {"field", "rss_field"},
	{"segment", "folder_path"}, {"full_path", "folder_path"},
}

func decodeSource(v any, at errs.Fields) Source {
	raw, ok := v.(map[string]any)
	if !ok {
		if v == nil {
			at.Add("missing", "field required")
		} else {
			at.Add("dict_type", "must be an object with a type")
		}
		return Source{}
	}
	kind, err := sourceKind(raw)
	if err != nil {
		at.Add("value_error", err.Error(), "type")
		return Source{}
	}
	s := Source{Type: kind}
	switch kind {
	case "tag":
		s.Key = requiredString(raw, "key", 128, at)
	case "metadata":
		s.Key = requiredString(raw, "key", 1024, at)
	case "drive_property":
		s.Key = requiredString(raw, "key", 1024, at)
	case "column":
		s.Name = requiredString(raw, "name", 256, at)
	case "filename_regex":
		decodeRegex(&s, raw, at)
	case "folder_path":
		decodeFolderPath(&s, raw, at)
	case "constant":
		decodeConstant(&s, raw, at)
	}
	return s
}

// sourceKind takes the kind from "type", or infers it from the keys. A null is
// a missing key, but for a constant's value, which may be null.
func sourceKind(raw map[string]any) (string, error) {
	if t, ok := raw["type"].(string); ok {
		t = strings.ToLower(t)
		if _, known := sourceKinds[t]; !known {
			return "", errors.New("must be one of tag, metadata, column, drive_property, filename_regex, folder_path, file, constant")
		}
		return t, nil
	}
	if raw["type"] != nil {
		return "", errors.New("must be a string")
	}
	var kinds []string
	for _, k := range sourceKeys {
		v, present := raw[k.key]
		if present && (v != nil || k.key == "value") && !slices.Contains(kinds, k.kind) {
			kinds = append(kinds, k.kind)
		}
	}
	switch {
	case len(kinds) == 1 && raw["key"] == nil:
		return kinds[0], nil
	case len(kinds) == 0 && raw["key"] != nil:
		return "", errors.New("is required: \"key\" alone may be a tag, metadata or a drive_property")
	case len(kinds) == 0:
		return "", errors.New("is required")
	}
	return "", errors.New("is required: the other keys belong to several kinds of source")
}

// checkSource refuses sources that the provider or the target can't have.
func checkSource(e MappingEntry, provider string, at errs.Fields) {
	kind := e.Source.Type
	if providers := sourceKinds[kind]; providers != nil && !slices.Contains(providers, provider) {
		at.Add("value_error", kind+" is not something that "+provider+" has")
		return
	}
	switch {
	case kind == "file" && e.Target != TargetBlob:
		at.Add("value_error", "file is for blobs only: its content is no value of a field")
	case e.Target == TargetBlob && kind == "constant":
		if s, ok := e.Source.Value.(string); !ok || !isBlobURL(s) {
			at.Add("value_error", "a blob's constant must be a URL (http, https or s3)")
		}
	case e.Target == TargetBlob && !slices.Contains(blobSources, kind):
		at.Add("value_error", "a blob comes from the file, or from a column, metadata or a constant that holds a URL")
	}
}

// blobURL reads a URL that a blob may have.
func blobURL(s string) (*url.URL, bool) {
	const most = 2048
	if len(s) > most || !utf8.ValidString(s) {
		return nil, false
	}
	u, err := url.Parse(s)
	return u, err == nil && u.Host != "" && u.User == nil && (u.Scheme == "http" || u.Scheme == "https" || u.Scheme == "s3")
}

func isBlobURL(s string) bool {
	_, ok := blobURL(s)
	return ok
}

func requiredString(raw map[string]any, key string, most int, at errs.Fields) string {
	s, ok := raw[key].(string)
	switch {
	case raw[key] == nil:
		at.Add("missing", "field required", key)
	case !ok:
		at.Add("string_type", "must be a string", key)
	case s == "":
		at.Add("string_too_short", "must not be empty", key)
	case len(s) > most:
		at.Add("string_too_long", fmt.Sprintf("must have at most %d bytes", most), key)
	default:
		return s
	}
	return ""
}

func decodeRegex(s *Source, raw map[string]any, at errs.Fields) {
	const most = 1000
	if s.Pattern = requiredString(raw, "pattern", most, at); s.Pattern != "" {
		if _, err := compileRegex(s.Pattern); err != nil {
			at.Add("value_error", err.Error(), "pattern")
		}
	}
	if d, ok := optionalString(raw, "default", at); ok {
		if s.Default = &d; len(d) > most {
			at.Add("string_too_long", fmt.Sprintf("must have at most %d bytes", most), "default")
		}
	}
}

// compileRegex compiles a pattern that was written for Python. What both
// understand, they understand alike, but for classes as \d and \w, which here
// are of ASCII.
func compileRegex(pattern string) (*regexp.Regexp, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		var parse *syntax.Error
		switch {
		case !errors.As(err, &parse):
			return nil, errors.New("is no regular expression (RE2)")
		case onlyInPython(parse):
			return nil, fmt.Errorf("%q is not supported: patterns have no look-around, back-references or possessive quantifiers", parse.Expr)
		}
		return nil, fmt.Errorf("is no regular expression (RE2): %s: %q", parse.Code, parse.Expr)
	}
	if n := re.NumSubexp(); n != 1 {
		return nil, fmt.Errorf("must have exactly one capture group and has %d: write other groups as (?:…)", n)
	}
	return re, nil
}

// onlyInPython reports what a pattern can say in Python and not in RE2.
func onlyInPython(e *syntax.Error) bool {
	switch e.Code {
	case syntax.ErrInvalidPerlOp, syntax.ErrInvalidRepeatOp:
		return true
	case syntax.ErrInvalidNamedCapture:
		return strings.HasPrefix(e.Expr, "(?P=") || strings.HasPrefix(e.Expr, "(?<!") || strings.HasPrefix(e.Expr, "(?<=")
	case syntax.ErrInvalidEscape:
		return len(e.Expr) == 2 && '1' <= e.Expr[1] && e.Expr[1] <= '9'
	}
	return false
}

func decodeFolderPath(s *Source, raw map[string]any, at errs.Fields) {
	if raw["segment"] != nil {
		n, ok := wholeNumber(raw["segment"])
		if !ok || n < math.MinInt16 || n > math.MaxInt16 {
			at.Add("int_type", "must be a whole number: 0 is the first folder, -1 the last", "segment")
		}
		segment := int(n)
		s.Segment = &segment
	}
	switch v := raw["full_path"].(type) {
	case nil:
	case bool:
		s.FullPath = v
	default:
		at.Add("bool_type", "must be true or false", "full_path")
	}
	if s.FullPath && s.Segment != nil {
		at.Add("value_error", "is one folder and full_path is all of them: give one of the two", "segment")
	}
}

func decodeConstant(s *Source, raw map[string]any, at errs.Fields) {
	v, present := raw["value"]
	if !present {
		at.Add("missing", "field required", "value")
		return
	}
	v = plain(v)
	if size, ok := storable(v, 0); !ok || size > maxConstantBytes {
		at.Add("value_error", fmt.Sprintf("must have at most %d bytes and %d levels, and no NUL in its keys", maxConstantBytes, maxDepth), "value")
		return
	}
	s.Value = v
}
