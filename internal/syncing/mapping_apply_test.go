package syncing_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/syncing"
)

func apply(t *testing.T, m *syncing.Mapping, schema map[string]any, in syncing.MapInput) (map[string]any, []bucket.Blob, error) {
	t.Helper()
	mapper, err := m.Compile(schema)
	if err != nil {
		t.Fatal(err)
	}
	return mapper.Apply(in)
}

func TestFieldSources(t *testing.T) {
	in := syncing.MapInput{
		Name: "2025-01-02 Report.pdf", Path: "/legal/contracts/2023/signed/2025-01-02 Report.pdf",
		Tags: map[string]string{"Category": "Sports", "empty": ""}, Metadata: map[string]string{"author": " Ada ", "json": `{"a": [1, null]}`, "bad": "{", "null": "null"},
		Properties: map[string]any{"description": "Hi", "parents": []any{"A", "b"}, "starred": true, "size": int64(5), "gone": nil},
		Columns:    map[string]any{"AMOUNT": 12.5, "Note": "n", "note": "exact", "NOTHING": nil, "tags": []string{"X"}},
	}
	bare := syncing.MapInput{Name: "a", Path: "a"}
	missing := struct{}{}
	for _, c := range []struct {
		provider, source, transform string
		in                          syncing.MapInput
		want                        any
	}{
		{"s3", `{"type": "tag", "key": "Category"}`, "", in, "Sports"},
		{"s3", `{"type": "tag", "key": "category"}`, "", in, missing}, // case-sensitive
		{"s3", `{"type": "tag", "key": "empty"}`, "", in, ""},
		{"s3", `{"type": "tag", "key": "a"}`, "", bare, missing},
		{"s3", `{"type": "metadata", "key": "AUTHOR"}`, "", in, " Ada "}, // any case
		{"s3", `{"type": "metadata", "key": "x-amz-meta-Author"}`, "", in, " Ada "},
		{"s3", `{"type": "metadata", "key": "other"}`, "", in, missing},
		{"google_drive", `{"type": "drive_property", "key": "description"}`, "", in, "Hi"},
		{"google_drive", `{"type": "drive_property", "key": "Description"}`, "", in, missing},
		{"google_drive", `{"type": "drive_property", "key": "starred"}`, "", in, true},
		{"google_drive", `{"type": "drive_property", "key": "gone"}`, "", in, missing},
		{"snowflake", `{"type": "column", "name": "amount"}`, "", in, 12.5},
		{"snowflake", `{"type": "column", "name": "note"}`, "", in, "exact"},
		{"snowflake", `{"type": "column", "name": "NOTE"}`, "", in, "n"},
		{"snowflake", `{"type": "column", "name": "nothing"}`, "", in, missing}, // NULL
		{"s3", `{"type": "constant", "value": {"a": [1]}}`, "", bare, map[string]any{"a": []any{1.0}}},
		{"s3", `{"type": "constant", "value": null}`, "", bare, nil},

		{"s3", `{"type": "filename_regex", "pattern": "^(\\d{4}-\\d{2}-\\d{2})"}`, "", in, "2025-01-02"},
		{"s3", `{"type": "filename_regex", "pattern": "(Rep)"}`, "", in, "Rep"},            // searched, not matched
		{"s3", `{"type": "filename_regex", "pattern": "(legal|signed)"}`, "", in, missing}, // in the name only
		{"s3", `{"type": "filename_regex", "pattern": "(x)", "default": "none"}`, "", in, "none"},
		{"s3", `{"type": "filename_regex", "pattern": "Report(x)?", "default": "none"}`, "", in, "none"}, // the group took no part
		{"s3", `{"type": "filename_regex", "pattern": "Report(x*)"}`, "", in, ""},
		{"s3", `{"type": "filename_regex", "pattern": "(?P<day>\\d+)"}`, "", in, "2025"},
		{"s3", `{"type": "filename_regex", "pattern": "(.+)"}`, "", syncing.MapInput{Name: "a\xffb"}, "a\uFFFDb"},

		{"s3", `{"type": "folder_path", "segment": 0}`, "", in, "legal"},
		{"s3", `{"type": "folder_path", "segment": 2}`, "", in, "2023"},
		{"s3", `{"type": "folder_path", "segment": -1}`, "", in, "signed"},
		{"s3", `{"type": "folder_path", "segment": -4}`, "", in, "legal"},
		{"s3", `{"type": "folder_path", "segment": 4}`, "", in, missing}, // out of range
		{"s3", `{"type": "folder_path", "segment": -5}`, "", in, missing},
		{"s3", `{"type": "folder_path", "full_path": true}`, "", in, "legal/contracts/2023/signed"},
		{"s3", `{"type": "folder_path"}`, "", in, "signed"},
		{"s3", `{"type": "folder_path"}`, "", bare, missing},
		{"s3", `{"type": "folder_path", "full_path": true}`, "", bare, missing},
		{"s3", `{"type": "folder_path", "segment": 0}`, "", syncing.MapInput{Path: ""}, missing},

		{"s3", `{"type": "tag", "key": "Category"}`, "lowercase", in, "sports"},
		{"s3", `{"type": "tag", "key": "Category"}`, "uppercase", in, "SPORTS"},
		{"s3", `{"type": "metadata", "key": "author"}`, "trim", in, "Ada"},
		{"s3", `{"type": "metadata", "key": "json"}`, "json_parse", in, map[string]any{"a": []any{1.0, nil}}},
		{"s3", `{"type": "metadata", "key": "bad"}`, "json_parse", in, missing},
		{"s3", `{"type": "metadata", "key": "null"}`, "json_parse", in, missing},
		{"google_drive", `{"type": "drive_property", "key": "parents"}`, "lowercase", in, []any{"a", "b"}},
		{"snowflake", `{"type": "column", "name": "tags"}`, "lowercase", in, []any{"x"}},
		{"google_drive", `{"type": "drive_property", "key": "size"}`, "uppercase", in, int64(5)},
		{"google_drive", `{"type": "drive_property", "key": "starred"}`, "json_parse", in, true},
	} {
		entry := `{"x": {"source": ` + c.source + `, "transform": "` + c.transform + `"}}`
		entry = strings.Replace(entry, `, "transform": ""`, "", 1)
		m := mapping(t, c.provider, entry)
		fields, _, err := apply(t, m, nil, c.in)
		if err != nil {
			t.Errorf("%s: %v", entry, err)
			continue
		}
		got, ok := fields["x"]
		if c.want == missing {
			if ok {
				t.Errorf("%s: %v, not missing", entry, got)
			}
			m.Entries["x"] = required(m.Entries["x"])
			if _, _, err := apply(t, m, nil, c.in); !errs.Is(err, errs.Invalid) || errs.ScopeOf(err) != errs.ScopeObject {
				t.Errorf("%s, required: %v", entry, err)
			}
			continue
		}
		if d := cmp.Diff(c.want, got); d != "" || !ok {
			t.Errorf("%s: missing %t\n%s", entry, !ok, d)
		}
		m.Entries["x"] = required(m.Entries["x"])
		if _, _, err := apply(t, m, nil, c.in); err != nil {
			t.Errorf("%s, required: %v", entry, err)
		}
	}
}

func required(e syncing.MappingEntry) syncing.MappingEntry {
	e.Required = true
	return e
}

func TestRequiredFieldsAreNamed(t *testing.T) {
	m := mapping(t, "s3", `{"b": {"source": {"type": "tag", "key": "k"}, "required": true}, "a": {"source": {"type": "tag", "key": "k"}, "required": true}}`)
	_, _, err := apply(t, m, nil, syncing.MapInput{})
	if got := errs.From(err).Message(); got != "fields a, b are required and have no value" {
		t.Errorf("%q", got)
	}
	delete(m.Entries, "a")
	_, _, err = apply(t, m, nil, syncing.MapInput{})
	if got := errs.From(err).Message(); got != "field b is required and has no value" {
		t.Errorf("%q", got)
	}
}

// A document must be able to hold what is mapped, whatever a source says.
func TestMappedFieldsCanBeStored(t *testing.T) {
	m := mapping(t, "snowflake", `{"x": {"source": {"name": "c"}, "transform": "json_parse"}, "y": {"source": {"name": "d"}}}`)
	for _, column := range []string{strings.Repeat("[", 200) + strings.Repeat("]", 200), `{"a\u0000b": 1}`} {
		fields, _, err := apply(t, m, nil, syncing.MapInput{Columns: map[string]any{"c": column, "d": "ok"}})
		if err != nil || len(fields) != 1 {
			t.Errorf("%.20s: %d fields, %v", column, len(fields), err)
		}
		if _, err := bson.Marshal(fields); err != nil {
			t.Error(err)
		}
	}
	half := strings.Repeat("x", 130<<10)
	_, _, err := apply(t, m, nil, syncing.MapInput{Columns: map[string]any{"d": half + half}})
	if !errs.Is(err, errs.Invalid) || errs.ScopeOf(err) != errs.ScopeObject || !strings.Contains(err.Error(), "field y") {
		t.Errorf("a value that is too large: %v", err)
	}
	if _, _, err := apply(t, m, nil, syncing.MapInput{Columns: map[string]any{"d": half}}); err != nil {
		t.Error(err)
	}
}

func TestBlobs(t *testing.T) {
	schema := func(property, typ string) map[string]any {
		return map[string]any{"properties": map[string]any{property: map[string]any{"type": typ}}}
	}
	const file = `{"x": {"source": {"type": "file"}, "blob_property": "doc"`
	for _, c := range []struct {
		name, mapping string
		schema        map[string]any
		in            syncing.MapInput
		want          []bucket.Blob
	}{
		{"no mapping", `{}`, nil, syncing.MapInput{Name: "a.mp4"}, []bucket.Blob{{Property: "content", Type: "video", MIME: "video/mp4"}}},
		{"fields only", `{"x": {"source": {"value": 1}}}`, nil, syncing.MapInput{Name: "a"}, []bucket.Blob{{Property: "content", Type: "text", MIME: "application/octet-stream"}}},
		{"the entry's type", file + `, "blob_type": "image"}}`, schema("doc", "pdf"), syncing.MapInput{Name: "a.mp4"}, []bucket.Blob{{Property: "doc", Type: "image", MIME: "video/mp4"}}},
		{"the schema's type", file + `}}`, schema("doc", "PDF"), syncing.MapInput{Name: "a.mp4"}, []bucket.Blob{{Property: "doc", Type: "pdf", MIME: "video/mp4"}}},
		{"a schema type that is no file's", file + `}}`, schema("doc", "string"), syncing.MapInput{Name: "a.mp3"}, []bucket.Blob{{Property: "doc", Type: "audio", MIME: "audio/mpeg"}}},
		{"a schema from a store", file + `}}`, map[string]any{"properties": bson.D{{Key: "doc", Value: bson.D{{Key: "type", Value: "excel"}}}}}, syncing.MapInput{}, []bucket.Blob{{Property: "doc", Type: "excel", MIME: "application/octet-stream"}}},
		{"the provider's type", file + `}}`, nil, syncing.MapInput{Name: "a.bin", MIME: "Image/PNG; x=y"}, []bucket.Blob{{Property: "doc", Type: "image", MIME: "image/png"}}},
		{"a type that says nothing", file + `}}`, nil, syncing.MapInput{Name: "A.PDF", MIME: "binary/octet-stream"}, []bucket.Blob{{Property: "doc", Type: "pdf", MIME: "application/pdf"}}},
		{"a sheet", file + `}}`, nil, syncing.MapInput{Name: "a.xlsx"}, []bucket.Blob{{Property: "doc", Type: "excel", MIME: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}}},
		{"a sheet of Google's", file + `}}`, nil, syncing.MapInput{MIME: "application/vnd.google-apps.spreadsheet"}, []bucket.Blob{{Property: "doc", Type: "excel", MIME: "application/vnd.google-apps.spreadsheet"}}},
		{"csv", file + `}}`, nil, syncing.MapInput{Name: "a.csv"}, []bucket.Blob{{Property: "doc", Type: "excel", MIME: "text/csv"}}},
		{"an overridden type", file + `, "mime_type_override": "audio/x-mine"}}`, nil, syncing.MapInput{Name: "a.pdf"}, []bucket.Blob{{Property: "doc", Type: "audio", MIME: "audio/x-mine"}}},
		{
			"the file comes first", `{"a": {"source": {"value": "https://x.example/logo.png"}, "blob_property": "logo"}, "b": {"source": {"type": "file"}}}`, nil,
			syncing.MapInput{Name: "a.txt"},
			[]bucket.Blob{{Property: "content", Type: "text", MIME: "text/plain"}, {Property: "logo", Type: "image", MIME: "image/png", URL: "https://x.example/logo.png"}},
		},
	} {
		_, got, err := apply(t, mapping(t, "s3", c.mapping), c.schema, c.in)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s:\n%s", c.name, d)
		}
	}
}

// A column or metadata may hold the URL of a blob that stays where it is.
func TestBlobsOfURLs(t *testing.T) {
	const (
		byColumn   = `{"pic": {"source": {"type": "column", "name": "link"}, "target_type": "blob", "blob_property": "pic"}}`
		byMetadata = `{"pic": {"source": {"type": "metadata", "key": "X-Amz-Meta-Link"}, "target_type": "blob", "blob_property": "pic", "blob_type": "video", "mime_type_override": "video/x-mine"}}`
	)
	file := bucket.Blob{Property: "content", Type: "text", MIME: "application/json"}
	pic := func(kind, mime, url string) []bucket.Blob {
		return []bucket.Blob{file, {Property: "pic", Type: kind, MIME: mime, URL: url}}
	}
	for _, c := range []struct {
		provider, mapping string
		value             any
		want              []bucket.Blob // nil: the item fails
	}{
		{"snowflake", byColumn, "https://x.example/a.PNG?v=1#top", pic("image", "image/png", "https://x.example/a.PNG?v=1#top")},
		{"snowflake", byColumn, " s3://media/raw/a.mp4\n", pic("video", "video/mp4", "s3://media/raw/a.mp4")},
		{"snowflake", byColumn, "http://x.example", pic("text", "application/octet-stream", "http://x.example")},
		{"snowflake", byColumn, nil, []bucket.Blob{file}},
		{"snowflake", byColumn, "", []bucket.Blob{file}},
		{"snowflake", byColumn, "  ", []bucket.Blob{file}},
		{"snowflake", byColumn, int64(5), nil},
		{"snowflake", byColumn, true, nil},
		{"snowflake", byColumn, "canary", nil},
		{"snowflake", byColumn, "file:///canary", nil},
		{"snowflake", byColumn, "javascript:canary()", nil},
		{"snowflake", byColumn, "https://user:canary@x.example/", nil},
		{"snowflake", byColumn, "https:///canary", nil},
		{"snowflake", byColumn, "https://x.example/\xffcanary", nil},
		{"snowflake", byColumn, "https://x.example/canary\x00", nil},
		{"snowflake", byColumn, "https://x.example/" + strings.Repeat("canary", 500), nil},
		{"s3", byMetadata, "https://x.example/a", pic("video", "video/x-mine", "https://x.example/a")},
		{"s3", byMetadata, "", []bucket.Blob{file}},
		{"s3", byMetadata, "canary", nil},
	} {
		in := syncing.MapInput{Name: "1.json", MIME: "application/json", Columns: map[string]any{"LINK": c.value}}
		if text, ok := c.value.(string); ok {
			in.Metadata = map[string]string{"link": text}
		}
		_, got, err := apply(t, mapping(t, c.provider, c.mapping), nil, in)
		if c.want == nil {
			if !errs.Is(err, errs.Invalid) || errs.ScopeOf(err) != errs.ScopeObject || strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), "pic") {
				t.Errorf("%q: %v", c.value, err)
			}
			continue
		}
		if d := cmp.Diff(c.want, got); err != nil || d != "" {
			t.Errorf("%q: %v\n%s", c.value, err, d)
		}
	}
}

func TestNeeds(t *testing.T) {
	for _, c := range []struct {
		provider, mapping string
		want              syncing.Needs
	}{
		{"s3", `{}`, syncing.Needs{}},
		{"s3", `{"a": {"source": {"value": 1}}, "b": {"source": {"type": "file"}}}`, syncing.Needs{}},
		{"s3", `{"a": {"source": {"type": "tag", "key": "k"}}}`, syncing.Needs{Tags: true}},
		{"s3", `{"a": {"source": {"type": "metadata", "key": "k"}}}`, syncing.Needs{Metadata: true}},
		{"google_drive", `{"a": {"source": {"type": "drive_property", "key": "k"}}}`, syncing.Needs{Properties: true}},
		{"sharepoint", `{"a": {"source": {"type": "drive_property", "key": "permissions"}}}`, syncing.Needs{Permissions: true}},
	} {
		got := mapping(t, c.provider, c.mapping).Needs()
		if got != c.want || got.Any() != (c.want != syncing.Needs{}) {
			t.Errorf("%s: %+v", c.mapping, got)
		}
	}
}

// A stored mapping maps as the decoded one does.
func TestStoredMappingMapsAlike(t *testing.T) {
	m := mapping(t, "s3", `{"a": {"source": {"value": {"b": [1, "x", {"c": null}]}}}, "d": {"source": {"segment": 0}}}`)
	doc, err := bson.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var stored syncing.Mapping
	if err := bson.Unmarshal(doc, &stored); err != nil {
		t.Fatal(err)
	}
	in := syncing.MapInput{Path: "x/y"}
	want, _, err1 := apply(t, m, nil, in)
	got, _, err2 := apply(t, &stored, nil, in)
	if d := cmp.Diff(want, got); d != "" || err1 != nil || err2 != nil {
		t.Errorf("%v %v\n%s", err1, err2, d)
	}
}

func BenchmarkApply(b *testing.B) {
	at := errs.NewFields()
	m := syncing.DecodeMapping(map[string]any{
		"day":  map[string]any{"source": map[string]any{"pattern": `^(\d{4}-\d{2}-\d{2})`}},
		"team": map[string]any{"source": map[string]any{"segment": 0.0}},
	}, "s3", at)
	mapper, err := m.Compile(nil)
	if err != nil {
		b.Fatal(err)
	}
	in := syncing.MapInput{Name: "2025-01-02 Report.pdf", Path: "legal/contracts/2025-01-02 Report.pdf"}
	for b.Loop() {
		if _, _, err := mapper.Apply(in); err != nil {
			b.Fatal(err)
		}
	}
}
