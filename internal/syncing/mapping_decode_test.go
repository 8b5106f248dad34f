package syncing_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/errs"
	"mooring/internal/syncing"
)

func mapping(t *testing.T, provider, text string) *syncing.Mapping {
	t.Helper()
	at := errs.NewFields()
	m := syncing.DecodeMapping(decodeJSON(t, text), provider, at)
	if err := at.Err("test"); err != nil {
		t.Fatalf("%s: %s: %v", text, badFields(err), errs.From(err).Fields)
	}
	return m
}

// asJSON is what a client gets.
func asJSON(t *testing.T, v any) any {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// The sample of the contract, but for what its provider can't have, comes back
// as it is.
func TestMappingSampleRoundTrips(t *testing.T) {
	for provider, entries := range map[string]string{
		"s3": `{"mappings": {
			"content": {"target_type": "blob", "source": {"type": "file"}, "blob_type": "auto", "blob_property": "content", "mime_type_override": null},
			"category": {"target_type": "field", "source": {"type": "tag", "key": "category"}, "transform": "lowercase", "required": false},
			"author": {"target_type": "field", "source": {"type": "metadata", "key": "author"}, "required": false},
			"day": {"target_type": "field", "source": {"type": "filename_regex", "pattern": "^(\\d{4}-\\d{2}-\\d{2})", "default": null}, "required": false},
			"team": {"target_type": "field", "source": {"type": "folder_path", "segment": 0, "full_path": false}, "required": false},
			"origin": {"target_type": "field", "source": {"type": "constant", "value": {"env": "prod", "n": [1, 2.5, null, {"a": true}]}}, "required": false},
			"nothing": {"target_type": "field", "source": {"type": "constant", "value": null}, "required": false}}}`,
		"google_drive": `{"mappings": {"note": {"target_type": "field", "source": {"type": "drive_property", "key": "description"}, "required": false}}}`,
		"snowflake":    `{"mappings": {"amount": {"target_type": "field", "source": {"type": "column", "name": "AMOUNT"}, "required": true}}}`,
	} {
		m := mapping(t, provider, entries)
		if d := cmp.Diff(any(decodeJSON(t, entries)), asJSON(t, m.Wire())); d != "" {
			t.Errorf("%s:\n%s", provider, d)
		}
		doc, err := bson.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		var stored syncing.Mapping
		if err := bson.Unmarshal(doc, &stored); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(asJSON(t, m.Wire()), asJSON(t, stored.Wire())); d != "" {
			t.Errorf("%s, stored:\n%s", provider, d)
		}
	}
	if syncing.DecodeMapping(nil, "s3", errs.NewFields()).Wire() != nil {
		t.Error("no mapping has a wire form")
	}
}

// What a client may leave out or write differently, and what is made of it.
func TestMappingLeniency(t *testing.T) {
	for _, c := range []struct{ provider, entry, want string }{
		{"s3", `{"source": {"type": "file"}}`, `{"target_type": "blob", "source": {"type": "file"}, "blob_type": "auto", "blob_property": "content", "mime_type_override": null}`},
		{"s3", `{"source": {"type": "constant", "value": "https://x.example/a"}, "blob_property": "page"}`, `{"target_type": "blob", "source": {"type": "constant", "value": "https://x.example/a"}, "blob_type": "auto", "blob_property": "page", "mime_type_override": null}`},
		{"snowflake", `{"source": {"name": "URL"}, "blob_property": "page", "blob_type": "IMAGE"}`, `{"target_type": "blob", "source": {"type": "column", "name": "URL"}, "blob_type": "image", "blob_property": "page", "mime_type_override": null}`},
		{"tigris", `{"source": {"type": "metadata", "key": "link"}, "target_type": "blob", "blob_property": "page"}`, `{"target_type": "blob", "source": {"type": "metadata", "key": "link"}, "blob_type": "auto", "blob_property": "page", "mime_type_override": null}`},
		{"s3", `{"source": {"type": "FILE"}, "target_type": "Blob", "blob_type": "PDF", "mime_type_override": "application/pdf"}`, `{"target_type": "blob", "source": {"type": "file"}, "blob_type": "pdf", "blob_property": "content", "mime_type_override": "application/pdf"}`},
		{"s3", `{"source": {"type": "file"}, "blob_type": "Document"}`, `{"target_type": "blob", "source": {"type": "file"}, "blob_type": "auto", "blob_property": "content", "mime_type_override": null}`},
		{"s3", `{"source": {"type": "file"}, "blob_type": "binary", "blob_property": null}`, `{"target_type": "blob", "source": {"type": "file"}, "blob_type": "auto", "blob_property": "content", "mime_type_override": null}`},
		{"s3", `{"source": {"type": "file"}, "blob_type": "JSON"}`, `{"target_type": "blob", "source": {"type": "file"}, "blob_type": "text", "blob_property": "content", "mime_type_override": null}`},
		{"tigris", `{"source": {"type": "tag", "key": "K"}, "transform": "TRIM", "required": null, "blob_type": null, "extra": 1}`, `{"target_type": "field", "source": {"type": "tag", "key": "K"}, "transform": "trim", "required": false}`},
		{"s3", `{"source": {"type": "tag", "key": "K"}, "transform": null, "required": true}`, `{"target_type": "field", "source": {"type": "tag", "key": "K"}, "required": true}`},
		{"snowflake", `{"source": {"name": "Amount"}}`, `{"target_type": "field", "source": {"type": "column", "name": "Amount"}, "required": false}`},
		{"snowflake", `{"source": {"pattern": "(a)", "default": "x"}}`, `{"target_type": "field", "source": {"type": "filename_regex", "pattern": "(a)", "default": "x"}, "required": false}`},
		{"sharepoint", `{"source": {"value": null}}`, `{"target_type": "field", "source": {"type": "constant", "value": null}, "required": false}`},
		{"sharepoint", `{"source": {"segment": -1}}`, `{"target_type": "field", "source": {"type": "folder_path", "segment": -1, "full_path": false}, "required": false}`},
		{"google_drive", `{"source": {"full_path": true, "segment": null}}`, `{"target_type": "field", "source": {"type": "folder_path", "full_path": true}, "required": false}`},
	} {
		for _, form := range []string{`{"x": %s}`, `{"mappings": {"x": %s}, "ignored": 1}`} {
			got := mapping(t, c.provider, fmt.Sprintf(form, c.entry)).Wire()
			want := decodeJSON(t, `{"mappings": {"x": `+c.want+`}}`)
			if d := cmp.Diff(any(want), asJSON(t, got)); d != "" {
				t.Errorf("%s:\n%s", c.entry, d)
			}
		}
	}
	for _, none := range []string{`{}`, `{"mappings": {}}`, `null`} {
		if m := mapping(t, "s3", none); m != nil {
			t.Errorf("%s: %+v", none, m)
		}
	}
}

func TestMappingFaults(t *testing.T) {
	tag := func(more string) string { return `{"source": {"type": "tag", "key": "k"}` + more + `}` }
	regex := func(p string) string {
		text, _ := json.Marshal(p)
		return `{"source": {"type": "filename_regex", "pattern": ` + string(text) + `}}`
	}
	for _, c := range []struct{ provider, entry, want, says string }{
		{"s3", `null`, "x", "null"},
		{"s3", `[]`, "x", ""},
		{"s3", `{}`, "x.source", "required"},
		{"s3", `{"source": null}`, "x.source", ""},
		{"s3", `{"source": "file"}`, "x.source", ""},
		{"s3", `{"source": {}}`, "x.source.type", "required"},
		{"s3", `{"source": {"key": "k"}}`, "x.source.type", "alone"},
		{"s3", `{"source": {"name": "a", "pattern": "(b)"}}`, "x.source.type", "several"},
		{"s3", `{"source": {"key": "a", "value": 1}}`, "x.source.type", "several"},
		{"s3", `{"source": {"type": "env", "key": "HOME"}}`, "x.source.type", "one of"},
		{"s3", `{"source": {"type": 1}}`, "x.source.type", ""},
		{"s3", tag(`, "target_type": "column"`), "x.target_type", ""},
		{"s3", tag(`, "transform": "reverse"`), "x.transform", "json_parse"},
		{"s3", tag(`, "transform": 1, "required": "yes"`), "x.required x.transform", ""},
		{"s3", `{"source": {"type": "file"}, "target_type": "field"}`, "x.source.type", "blobs only"},
		{"s3", `{"source": {"type": "file"}, "blob_type": "exe", "blob_property": "", "mime_type_override": "png"}`, "x.blob_property x.blob_type x.mime_type_override", ""},
		{"s3", `{"source": {"type": "file"}, "blob_type": 1}`, "x.blob_type", ""},
		{"s3", tag(`, "target_type": "blob", "blob_property": "b"`), "x.source.type", "from the file"},
		{"s3", `{"source": {"type": "column", "name": "URL"}, "target_type": "blob", "blob_property": "b"}`, "x.source.type", "s3"},
		{"snowflake", `{"source": {"type": "metadata", "key": "url"}, "target_type": "blob", "blob_property": "b"}`, "x.source.type", "snowflake"},
		{"snowflake", `{"source": {"type": "column", "name": "URL"}, "target_type": "blob"}`, "x.blob_property", "where the file goes"},
		{"s3", `{"source": {"type": "filename_regex", "pattern": "(a)"}, "target_type": "blob", "blob_property": "b"}`, "x.source.type", "from the file"},
		{"s3", `{"source": {"type": "constant", "value": "no url"}, "target_type": "blob", "blob_property": "b"}`, "x.source.type", "URL"},
		{"s3", `{"source": {"type": "constant", "value": "file:///etc/passwd"}, "target_type": "blob", "blob_property": "b"}`, "x.source.type", "URL"},
		{"s3", `{"source": {"type": "constant", "value": "https://u:p@x.example/"}, "target_type": "blob", "blob_property": "b"}`, "x.source.type", "URL"},
		{"s3", `{"source": {"type": "constant", "value": "https://x.example/"}, "target_type": "blob"}`, "x.blob_property", "where the file goes"},

		{"s3", `{"source": {"type": "column", "name": "a"}}`, "x.source.type", "s3"},
		{"s3", `{"source": {"type": "drive_property", "key": "a"}}`, "x.source.type", "s3"},
		{"google_drive", tag(""), "x.source.type", "google_drive"},
		{"sharepoint", `{"source": {"type": "metadata", "key": "a"}}`, "x.source.type", "sharepoint"},
		{"snowflake", `{"source": {"type": "folder_path"}}`, "x.source.type", "snowflake"},
		{"s3", `{"source": {"type": "rss_field", "field": "title"}}`, "x.source.type", "rss_field"},
		{"s3", `{"source": {"field": "title"}}`, "x.source.type", "rss_field"},

		{"s3", `{"source": {"type": "tag"}}`, "x.source.key", ""},
		{"s3", `{"source": {"type": "tag", "key": ""}}`, "x.source.key", ""},
		{"s3", `{"source": {"type": "tag", "key": "` + strings.Repeat("k", 129) + `"}}`, "x.source.key", "128"},
		{"s3", `{"source": {"type": "metadata", "key": "` + strings.Repeat("k", 1025) + `"}}`, "x.source.key", "1024"},
		{"snowflake", `{"source": {"type": "column", "name": 1}}`, "x.source.name", ""},
		{"s3", `{"source": {"type": "constant"}}`, "x.source.value", "required"},
		{"s3", `{"source": {"type": "constant", "value": "` + strings.Repeat("k", 1<<16) + `"}}`, "x.source.value", "bytes"},
		{"s3", `{"source": {"type": "constant", "value": ` + strings.Repeat("[", 60) + strings.Repeat("]", 60) + `}}`, "x.source.value", "levels"},
		{"s3", `{"source": {"type": "constant", "value": {"a\u0000b": 1}}}`, "x.source.value", "NUL"},
		{"s3", `{"source": {"type": "folder_path", "segment": 1.5}}`, "x.source.segment", ""},
		{"s3", `{"source": {"type": "folder_path", "segment": 1, "full_path": true}}`, "x.source.segment", "one of the two"},
		{"s3", `{"source": {"type": "folder_path", "full_path": 1}}`, "x.source.full_path", ""},

		{"s3", regex(``), "x.source.pattern", ""},
		{"s3", regex(`abc`), "x.source.pattern", "exactly one"},
		{"s3", regex(`(a)(b)`), "x.source.pattern", "exactly one"},
		{"s3", regex(`(a`), "x.source.pattern", "RE2"},
		{"s3", regex(`(?=a)(b)`), "x.source.pattern", "look-around"},
		{"s3", regex(`(?<!a)(b)`), "x.source.pattern", "look-around"},
		{"s3", regex(`(?<=a)(b)`), "x.source.pattern", "look-around"},
		{"s3", regex(`(a)\1`), "x.source.pattern", "back-references"},
		{"s3", regex(`(?P<n>a)(?P=n)`), "x.source.pattern", "back-references"},
		{"s3", regex(`(a++)`), "x.source.pattern", "possessive"},
		{"s3", regex(`(?>a)(b)`), "x.source.pattern", "not supported"},
		{"s3", regex(`((?:a{1000}){1000})`), "x.source.pattern", "RE2"},
		{"s3", regex(`(` + strings.Repeat("a", 1000) + `)`), "x.source.pattern", "1000"},
		{"s3", `{"source": {"type": "filename_regex", "pattern": "(a)", "default": 1}}`, "x.source.default", ""},
	} {
		for _, form := range []struct{ text, prefix string }{{`{"x": %s}`, ""}, {`{"mappings": {"x": %s}}`, "mappings."}} {
			at := errs.NewFields()
			syncing.DecodeMapping(decodeJSON(t, fmt.Sprintf(form.text, c.entry)), c.provider, at)
			err := at.Err("test")
			want := form.prefix + strings.ReplaceAll(c.want, " ", " "+form.prefix)
			if got := badFields(err); got != want {
				t.Errorf("%.100s: bad %q, not %q", c.entry, got, want)
				continue
			}
			if msg := errs.From(err).Fields[0].Msg; !strings.Contains(msg, c.says) {
				t.Errorf("%.100s: %q does not say %q", c.entry, msg, c.says)
			}
		}
	}
}

func TestMappingTargets(t *testing.T) {
	const entry = `{"source": {"type": "constant", "value": 1}}`
	for _, name := range []string{
		"object_id", "bucket_id", "key_prefix", "blobs", "source_details", "status", "error", "created_at", "updated_at",
		"source_provider", "source_object_id", "connection_id", "sync_config_id", "content_hash",
		"", "a.b", "$a", `a\u0000`, `a\nb`, strings.Repeat("x", 257),
	} {
		at := errs.NewFields()
		syncing.DecodeMapping(decodeJSON(t, `{"`+name+`": `+entry+`}`), "s3", at)
		if at.Err("test") == nil {
			t.Errorf("%q passes as a target", name)
		}
	}
	for _, name := range []string{"Status", "title", "größe", "a-b c", "mappingsx", "source", strings.Repeat("x", 256)} {
		mapping(t, "s3", `{"`+name+`": `+entry+`}`)
		mapping(t, "s3", `{"mappings": {"`+name+`": `+entry+`}}`)
	}

	at := errs.NewFields("body")
	many := `{` + strings.Repeat(`"x%d": `+entry+`,`, 200) + `"y": ` + entry + `}`
	nums := make([]any, 200)
	for i := range nums {
		nums[i] = i
	}
	syncing.DecodeMapping(decodeJSON(t, fmt.Sprintf(many, nums...)), "s3", at)
	syncing.DecodeMapping(decodeJSON(t, `{"mappings": null}`), "s3", at)
	syncing.DecodeMapping(decodeJSON(t, `{"a": {"source": {"type": "file"}}, "b": {"source": {"type": "file"}}}`), "s3", at)
	if got, want := badFields(at.Err("test")), "body body.b.blob_property body.mappings"; got != want {
		t.Errorf("bad %q, not %q", got, want)
	}
}
