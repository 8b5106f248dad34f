package syncing

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"mooring/internal/bucket"
	"mooring/internal/errs"
)

// Needs says which attributes of an item a mapping uses that a listing may
// lack: what to ask a driver.Attributer for.
type Needs struct{ Metadata, Tags, Properties, Permissions bool }

// permissionsKey is the drive property that costs a request of its own.
const permissionsKey = "permissions"

// Any reports whether anything is needed.
func (n Needs) Any() bool { return n.Metadata || n.Tags || n.Properties || n.Permissions }

// Needs is none for no mapping.
func (m *Mapping) Needs() (n Needs) {
	if m == nil {
		return n
	}
	for _, e := range m.Entries {
		n.Metadata = n.Metadata || e.Source.Type == "metadata"
		n.Tags = n.Tags || e.Source.Type == "tag"
		if e.Source.Type == "drive_property" {
			n.Properties = n.Properties || e.Source.Key != permissionsKey
			n.Permissions = n.Permissions || e.Source.Key == permissionsKey
		}
	}
	return n
}

// MapInput is what a mapping sees of an item.
type MapInput struct {
	Name       string // the bare name
	Path       string // from the root of the bucket or drive, slash-separated
	MIME       string // as the provider says; "" if it doesn't
	Metadata   map[string]string
	Tags       map[string]string
	Properties map[string]any
	Columns    map[string]any
}

// Mapper is a mapping made ready for many items. It is safe for concurrent use.
type Mapper struct {
	fields []mappedField
	blobs  []mappedBlob // the first is the file
}

type mappedField struct {
	name  string
	entry MappingEntry
	regex *regexp.Regexp
	key   string // in the form that the attributes have
	fixed any    // of a constant
}

type mappedBlob struct {
	property string
	kind     string       // "" is decided by the item's MIME type
	mime     string       // overrides the item's
	url      *mappedField // gives the URL; nil: the blob is the file
}

// Compile makes a mapping ready, for a bucket of this schema (bucket_schema as
// stored), which decides the kind of a blob that is "auto". A nil mapping puts
// the file into "content"; so does one that doesn't map the file. It fails only
// for a mapping that DecodeMapping would have refused.
func (m *Mapping) Compile(schema map[string]any) (*Mapper, error) {
	out := &Mapper{}
	var others []mappedBlob
	if m != nil {
		for _, name := range slices.Sorted(maps.Keys(m.Entries)) {
			e := m.Entries[name]
			if e.Target != TargetBlob {
				f, err := compileField(name, e)
				if err != nil {
					return nil, errs.Wrap(err, errs.Invalid, "syncing.map", "the schema mapping can't be used")
				}
				out.fields = append(out.fields, f)
				continue
			}
			b := mappedBlob{property: e.BlobProperty, kind: blobKind(e.BlobType, schema, e.BlobProperty), mime: e.MIMEOverride}
			if e.Source.Type == "file" {
				out.blobs = append(out.blobs, b)
				continue
			}
			f, err := compileField(name, e)
			if err != nil {
				return nil, errs.Wrap(err, errs.Invalid, "syncing.map", "the schema mapping can't be used")
			}
			b.url = &f
			others = append(others, b)
		}
	}
	if len(out.blobs) == 0 {
		out.blobs = []mappedBlob{{property: defaultBlob, kind: blobKind("auto", schema, defaultBlob)}}
	}
	out.blobs = append(out.blobs, others...)
	return out, nil
}

func compileField(name string, e MappingEntry) (mappedField, error) {
	f := mappedField{name: name, entry: e, key: e.Source.Key, fixed: plain(e.Source.Value)}
	switch e.Source.Type {
	case "metadata":
		f.key = strings.TrimPrefix(strings.ToLower(f.key), "x-amz-meta-")
	case "filename_regex":
		var err error
		if f.regex, err = compileRegex(e.Source.Pattern); err != nil {
			return f, fmt.Errorf("field %s: %w", name, err)
		}
	}
	return f, nil
}

// blobKind resolves "auto" by the bucket's schema where that names a kind of
// file, and otherwise leaves it to each item.
func blobKind(kind string, schema map[string]any, property string) string {
	if kind != "auto" && kind != "" {
		return kind
	}
	properties, _ := plain(schema["properties"]).(map[string]any)
	field, _ := properties[property].(map[string]any)
	declared, _ := field["type"].(string)
	switch declared = strings.ToLower(declared); declared {
	case "image", "video", "audio", "text", "pdf", "excel":
		return declared
	}
	return ""
}

// Apply maps one item. A value that is missing, or that no document can hold,
// leaves its field out; when fields are required, the error names all that have
// none. A blob without a URL is left out; a value that is no URL is an error.
// Errors are errs.Invalid of the object's scope.
func (m *Mapper) Apply(in MapInput) (fields map[string]any, blobs []bucket.Blob, err error) {
	var lacking []string
	total := 0
	for _, f := range m.fields {
		v, ok := f.value(in)
		if ok {
			var size int
			size, ok = storable(v, 0)
			if total += size; total > maxFieldsBytes {
				return nil, nil, badItem(fmt.Sprintf("field %s makes the mapped fields larger than %d bytes", f.name, maxFieldsBytes))
			}
		}
		switch {
		case ok && fields == nil:
			fields = map[string]any{f.name: v}
		case ok:
			fields[f.name] = v
		case f.entry.Required:
			lacking = append(lacking, f.name)
		}
	}
	switch len(lacking) {
	case 0:
	case 1:
		return nil, nil, badItem("field " + lacking[0] + " is required and has no value")
	default:
		return nil, nil, badItem("fields " + strings.Join(lacking, ", ") + " are required and have no value")
	}
	blobs, err = m.blobsOf(in)
	if err != nil {
		return nil, nil, err
	}
	return fields, blobs, nil
}

func badItem(msg string) error {
	return &errs.Error{Kind: errs.Invalid, Scope: errs.ScopeObject, Op: "syncing.map", Msg: msg}
}

func (m *Mapper) blobsOf(in MapInput) ([]bucket.Blob, error) {
	blobs := make([]bucket.Blob, 0, len(m.blobs))
	for _, b := range m.blobs {
		said, name, at := in.MIME, in.Name, ""
		if b.url != nil {
			var err error
			switch at, name, err = b.address(in); {
			case err != nil:
				return nil, err
			case at == "":
				continue
			}
			said = ""
		}
		mime := b.mime
		if mime == "" {
			mime = mimeOf(said, name)
		}
		kind := b.kind
		if kind == "" {
			kind = blobTypeOf(baseMIME(mime))
		}
		if mime == "" {
			mime = "application/octet-stream"
		}
		blobs = append(blobs, bucket.Blob{Property: b.property, Type: kind, MIME: mime, URL: at})
	}
	return blobs, nil
}

// address is the URL of a blob that is not the file, and the path in it; "" when
// the item has none. The error does not repeat the value: it may be a secret in
// the wrong place.
func (b mappedBlob) address(in MapInput) (at, path string, err error) {
	v, ok := b.url.extract(in)
	s, text := v.(string)
	s = strings.TrimSpace(s)
	if !ok || text && s == "" {
		return "", "", nil
	}
	u, ok := blobURL(s)
	if !ok {
		return "", "", badItem("the blob " + b.property + " has a value that is no URL (http, https or s3, without a password, at most 2048 bytes)")
	}
	return s, u.Path, nil
}

// value is what goes into the field. Names may hold any byte, values only text.
func (f mappedField) value(in MapInput) (any, bool) {
	v, ok := f.extract(in)
	if !ok {
		return nil, false
	}
	if s, is := v.(string); is {
		v = strings.ToValidUTF8(s, "\uFFFD")
	}
	return transform(f.entry.Transform, v)
}

// extract reports false for a missing value. A null is missing, but for a
// constant's, which says so.
func (f mappedField) extract(in MapInput) (any, bool) {
	switch f.entry.Source.Type {
	case "constant":
		return f.fixed, true
	case "tag":
		v, ok := in.Tags[f.key]
		return v, ok
	case "metadata":
		v, ok := in.Metadata[f.key]
		return v, ok
	case "drive_property":
		v := in.Properties[f.key]
		return v, v != nil
	case "column":
		v := column(in.Columns, f.entry.Source.Name)
		return v, v != nil
	case "filename_regex":
		return f.search(in.Name)
	case "folder_path":
		return folderOf(in.Path, f.entry.Source)
	}
	return nil, false
}

// column ignores case, unless two columns differ in nothing else.
func column(columns map[string]any, name string) any {
	if v, ok := columns[name]; ok {
		return v
	}
	for _, c := range slices.Sorted(maps.Keys(columns)) {
		if strings.EqualFold(c, name) {
			return columns[c]
		}
	}
	return nil
}

// search gives what the group took. A group that took no part in the match
// found nothing, as in Python.
func (f mappedField) search(name string) (any, bool) {
	if at := f.regex.FindStringSubmatchIndex(name); at != nil && at[2] >= 0 {
		return name[at[2]:at[3]], true
	}
	if d := f.entry.Source.Default; d != nil {
		return *d, true
	}
	return nil, false
}

// folderOf takes folders of a path. Empty ones, as a leading slash makes, don't
// count.
func folderOf(path string, s Source) (any, bool) {
	folders := strings.FieldsFunc(path[:strings.LastIndexByte(path, '/')+1], func(r rune) bool { return r == '/' })
	i := len(folders) - 1
	if s.Segment != nil {
		if i = *s.Segment; i < 0 {
			i += len(folders)
		}
	}
	switch {
	case i < 0 || i >= len(folders):
		return nil, false
	case s.FullPath:
		return strings.Join(folders, "/"), true
	}
	return folders[i], true
}

// transform changes strings, also those in a list, and leaves other values as
// they are. Text that is no JSON is a missing value for json_parse, and so is a
// null in it.
func transform(how string, v any) (any, bool) {
	switch list := v.(type) {
	case []any:
		if how == "json_parse" {
			return v, true
		}
		out := make([]any, len(list))
		for i, e := range list {
			out[i], _ = transform(how, e)
		}
		return out, true
	case []string:
		out := make([]any, len(list))
		for i, e := range list {
			out[i] = e
		}
		return transform(how, out)
	}
	s, ok := v.(string)
	if !ok {
		return v, true
	}
	switch how {
	case "lowercase":
		return strings.ToLower(s), true
	case "uppercase":
		return strings.ToUpper(s), true
	case "trim":
		return strings.TrimSpace(s), true
	case "json_parse":
		var parsed any
		if json.Unmarshal([]byte(s), &parsed) != nil || parsed == nil {
			return nil, false
		}
		return parsed, true
	}
	return v, true
}
