package syncing

import (
	"encoding/json"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Wire is the form in responses: wrapped in "mappings", with target_type and
// source.type written out everywhere, since the SDK can't tell the variants
// apart otherwise. It is nil for no mapping.
func (m *Mapping) Wire() map[string]any {
	if m == nil {
		return nil
	}
	entries := make(map[string]any, len(m.Entries))
	for name, e := range m.Entries {
		entries[name] = e.wire()
	}
	return map[string]any{"mappings": entries}
}

func (e MappingEntry) wire() map[string]any {
	w := map[string]any{"target_type": e.Target, "source": e.Source.wire()}
	if e.Target == TargetBlob {
		w["blob_type"], w["blob_property"], w["mime_type_override"] = e.BlobType, e.BlobProperty, nil
		if e.MIMEOverride != "" {
			w["mime_type_override"] = e.MIMEOverride
		}
		return w
	}
	w["required"] = e.Required
	if e.Transform != "" {
		w["transform"] = e.Transform
	}
	return w
}

func (s Source) wire() map[string]any {
	w := map[string]any{"type": s.Type}
	switch s.Type {
	case "tag", "metadata", "drive_property":
		w["key"] = s.Key
	case "column":
		w["name"] = s.Name
	case "constant":
		w["value"] = plain(s.Value)
	case "filename_regex":
		w["pattern"], w["default"] = s.Pattern, nil
		if s.Default != nil {
			w["default"] = *s.Default
		}
	case "folder_path":
		w["full_path"] = s.FullPath
		if s.Segment != nil {
			w["segment"] = *s.Segment
		}
	}
	return w
}

// plain returns a JSON value in one form, whether a client sent it or a store
// decoded it: maps of strings, lists, strings, bools, float64, int64 and nil.
// Whole numbers that a float64 can't hold exactly become floats.
func plain(v any) any {
	switch v := v.(type) {
	case bson.D:
		m := make(map[string]any, len(v))
		for _, e := range v {
			m[e.Key] = plain(e.Value)
		}
		return m
	case bson.M:
		return plainMap(v)
	case map[string]any:
		return plainMap(v)
	case bson.A:
		return plainList(v)
	case []any:
		return plainList(v)
	case json.Number:
		if n, ok := wholeNumber(v); ok && n > -1<<53 && n < 1<<53 {
			return n
		}
		f, _ := v.Float64()
		return f
	case int:
		return int64(v)
	case int32:
		return int64(v)
	}
	return v
}

// What a document can hold of a value: BSON allows a hundred levels, of which
// some are ours, and no NUL in a key.
const (
	maxDepth       = 50
	maxFieldsBytes = 256 << 10
)

// storable returns about how large a value is, and whether a document can hold
// it.
func storable(v any, depth int) (size int, ok bool) {
	if depth > maxDepth {
		return 0, false
	}
	size = 16
	switch v := v.(type) {
	case string:
		return size + len(v), true
	case []byte:
		return size + len(v), true
	case map[string]any:
		for k, e := range v {
			n, ok := storable(e, depth+1)
			if !ok || strings.ContainsRune(k, 0) {
				return 0, false
			}
			size += len(k) + n
		}
	case []any:
		for _, e := range v {
			n, ok := storable(e, depth+1)
			if !ok {
				return 0, false
			}
			size += n
		}
	}
	return size, true
}

func plainMap(in map[string]any) map[string]any {
	out := make(map[string]any, len(in))
	for k, v := range in {
		out[k] = plain(v)
	}
	return out
}

func plainList(in []any) []any {
	out := make([]any, len(in))
	for i, v := range in {
		out[i] = plain(v)
	}
	return out
}
