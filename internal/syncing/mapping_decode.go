package syncing

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"mooring/internal/errs"
)

// Limits of mappings.
const (
	maxMappingEntries = 200
	maxTargetLength   = 256
	maxConstantBytes  = 64 << 10
)

// The kinds of targets.
const (
	TargetField = "field"
	TargetBlob  = "blob"
)

// defaultBlob is the property that the file goes to unless a mapping says
// otherwise.
const defaultBlob = "content"

// Fields of an object's wire form, which mapped fields would stand beside: the
// contract's, then ours.
var takenTargets = []string{
	"object_id", "bucket_id", "key_prefix", "blobs", "source_details", "status", "error", "created_at", "updated_at",
	"source_provider", "source_object_id", "connection_id", "sync_config_id", "content_hash",
	"source_path", "source_modified_at", "size_bytes", "mime_type", "verification", "duplicate_of",
}

var transforms = []string{"lowercase", "uppercase", "trim", "json_parse"}

// blobTypes are the contract's, and the other words that clients use for them.
var blobTypes = map[string]string{
	"auto": "auto", "image": "image", "video": "video", "audio": "audio", "text": "text", "pdf": "pdf", "excel": "excel",
	"document": "auto", "binary": "auto", "json": "text",
}

// DecodeMapping reads the schema_mapping of a request, as JSON decodes it,
// wrapped in "mappings" or bare, and fills in what the contract lets clients
// leave out. Everything that is wrong is added to at. Provider is the
// connection's, which decides what can be mapped. It returns nil for a mapping
// without entries, which is the same as none.
func DecodeMapping(raw map[string]any, provider string, at errs.Fields) *Mapping {
	entries := raw
	if wrapped, ok := raw["mappings"]; ok {
		at = at.At("mappings")
		if entries, ok = wrapped.(map[string]any); !ok {
			at.Add("dict_type", "must be a map from target names to entries")
			return nil
		}
	}
	if len(entries) == 0 {
		return nil
	}
	if len(entries) > maxMappingEntries {
		at.Add("too_long", fmt.Sprintf("must have at most %d entries", maxMappingEntries))
		return nil
	}
	m := &Mapping{Entries: make(map[string]MappingEntry, len(entries))}
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		checkTarget(name, at)
		m.Entries[name] = decodeEntry(entries[name], provider, at.At(name))
	}
	m.checkBlobs(at)
	return m
}

// checkTarget refuses names that would hide a field of the object, and names
// that a path into the object can't hold.
func checkTarget(name string, at errs.Fields) {
	switch {
	case slices.Contains(takenTargets, name):
		at.Add("value_error", "is a field that every object has: choose another name", name)
	case name == "" || len(name) > maxTargetLength:
		at.Add("value_error", fmt.Sprintf("a target name must have 1 to %d bytes", maxTargetLength), name)
	case strings.HasPrefix(name, "$") || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == '.' || r == 0x7F || r == '\uFFFD' }):
		at.Add("value_error", "a target name must not begin with $, nor hold dots or control characters", name)
	}
}

func decodeEntry(v any, provider string, at errs.Fields) MappingEntry {
	raw, ok := v.(map[string]any)
	switch {
	case v == nil:
		at.Add("value_error", "is null: the client sent no entry here (Python's SDK does so when it is given a plain dict; use from_dict or the model's own types)")
		return MappingEntry{}
	case !ok:
		at.Add("dict_type", "must be an object with a source")
		return MappingEntry{}
	}
	e := MappingEntry{Source: decodeSource(raw["source"], at.At("source"))}
	e.Target = decodeTarget(raw, e.Source, at)
	if e.Target == TargetBlob {
		decodeBlob(&e, raw, at)
	} else {
		decodeField(&e, raw, at)
	}
	if e.Source.Type != "" {
		checkSource(e, provider, at.At("source", "type"))
	}
	return e
}

// decodeTarget infers what is left out: the file, and the keys that only blobs
// have, make a blob.
func decodeTarget(raw map[string]any, s Source, at errs.Fields) string {
	switch v := raw["target_type"].(type) {
	case nil:
		if s.Type == "file" || raw["blob_type"] != nil || raw["blob_property"] != nil || raw["mime_type_override"] != nil {
			return TargetBlob
		}
		return TargetField
	case string:
		if t := strings.ToLower(v); t == TargetField || t == TargetBlob {
			return t
		}
	}
	at.Add("enum", "must be field or blob", "target_type")
	return TargetField
}

func decodeField(e *MappingEntry, raw map[string]any, at errs.Fields) {
	switch v := raw["transform"].(type) {
	case nil:
	case string:
		if e.Transform = strings.ToLower(v); !slices.Contains(transforms, e.Transform) {
			at.Add("enum", "must be one of "+strings.Join(transforms, ", "), "transform")
		}
	default:
		at.Add("string_type", "must be a string", "transform")
	}
	switch v := raw["required"].(type) {
	case nil:
	case bool:
		e.Required = v
	default:
		at.Add("bool_type", "must be true or false", "required")
	}
}

var overridePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*$`)

func decodeBlob(e *MappingEntry, raw map[string]any, at errs.Fields) {
	e.BlobType, e.BlobProperty = "auto", defaultBlob
	if s, ok := optionalString(raw, "blob_type", at); ok {
		if e.BlobType, ok = blobTypes[strings.ToLower(s)]; !ok {
			at.Add("enum", "must be one of auto, image, video, audio, text, pdf, excel", "blob_type")
		}
	}
	if s, ok := optionalString(raw, "blob_property", at); ok {
		if e.BlobProperty = s; s == "" || len(s) > maxTargetLength {
			at.Add("value_error", fmt.Sprintf("must have 1 to %d bytes", maxTargetLength), "blob_property")
		}
	}
	if s, ok := optionalString(raw, "mime_type_override", at); ok {
		if e.MIMEOverride = s; len(s) > maxTargetLength || !overridePattern.MatchString(s) {
			at.Add("value_error", "must be a type as \"image/png\"", "mime_type_override")
		}
	}
}

// optionalString returns a key's string, and whether there is one.
func optionalString(raw map[string]any, key string, at errs.Fields) (string, bool) {
	switch v := raw[key].(type) {
	case nil:
	case string:
		return v, true
	default:
		at.Add("string_type", "must be a string", key)
	}
	return "", false
}

// checkBlobs sees to it that every blob property has one source, and that the
// file has a place: without an entry it goes to "content".
func (m *Mapping) checkBlobs(at errs.Fields) {
	owner, file := map[string]string{}, false
	for _, name := range slices.Sorted(maps.Keys(m.Entries)) {
		e := m.Entries[name]
		if e.Target != TargetBlob {
			continue
		}
		file = file || e.Source.Type == "file"
		if other, taken := owner[e.BlobProperty]; taken {
			at.Add("value_error", fmt.Sprintf("%q is the blob_property of %q too", e.BlobProperty, other), name, "blob_property")
			continue
		}
		owner[e.BlobProperty] = name
	}
	if name, taken := owner[defaultBlob]; taken && !file {
		at.Add("value_error", "\"content\" is where the file goes: choose another property, or map the file itself to one", name, "blob_property")
	}
}
