package syncing_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/errs"
	"mooring/internal/syncing"
)

// decodeJSON decodes as a handler does.
func decodeJSON(t *testing.T, text string) map[string]any {
	t.Helper()
	var raw map[string]any
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return raw
}

// badFields are the paths of an error's fields, sorted.
func badFields(err error) string {
	var all []string
	if err != nil {
		for _, f := range errs.From(err).Fields {
			var path []string
			for _, l := range f.Loc {
				path = append(path, fmt.Sprint(l))
			}
			all = append(all, strings.Join(path, "."))
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func filters(t *testing.T, text string) *syncing.Filters {
	t.Helper()
	at := errs.NewFields()
	f := syncing.DecodeFilters(decodeJSON(t, text), at)
	if err := at.Err("test"); err != nil {
		t.Fatalf("%s: %s", text, badFields(err))
	}
	return f
}

func TestMatch(t *testing.T) {
	at := time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)
	item := syncing.FilterItem{Name: "Clip.MP4", Rel: "raw/2025/Clip.MP4", Size: 1024, ModifiedAt: at, MIME: "video/mp4"}
	unknown := syncing.FilterItem{Name: "notes", Rel: "notes", Size: -1}
	for _, c := range []struct {
		filters string
		item    syncing.FilterItem
		rule    string // "" passes
	}{
		{`{}`, item, ""},
		{`{"include_patterns": ["*.MP4"]}`, item, ""},
		{`{"include_patterns": ["*.mp4"]}`, item, "include_patterns"}, // case-sensitive
		{`{"include_patterns": ["*.pdf", "raw/*"]}`, item, ""},        // any match admits
		{`{"include_patterns": ["2025/*"]}`, item, "include_patterns"},
		{`{"include_patterns": ["/raw/*"]}`, item, ""},
		{`{"include_patterns": ["/Clip*"]}`, item, "include_patterns"}, // a slash first means the path
		{`{"include_patterns": ["Clip.???"]}`, item, ""},               // the bare name
		{`{"exclude_patterns": ["Clip*"]}`, item, "exclude_patterns"},
		{`{"exclude_patterns": ["*/2025/*"]}`, item, "exclude_patterns"},
		{`{"exclude_patterns": ["*.pdf"]}`, item, ""},
		{`{"include_patterns": ["*"], "exclude_patterns": ["*.MP4"]}`, item, "exclude_patterns"},
		{`{"min_size_bytes": 1024, "max_size_bytes": 1024}`, item, ""}, // inclusive
		{`{"min_size_bytes": 1025}`, item, "min_size_bytes"},
		{`{"max_size_bytes": 1023}`, item, "max_size_bytes"},
		{`{"min_size_bytes": 1, "max_size_bytes": 2}`, unknown, ""},
		{`{"min_size_bytes": 1}`, syncing.FilterItem{Name: "empty"}, "min_size_bytes"},
		{`{"modified_after": "2025-01-02T03:04:05Z"}`, item, ""}, // half-open
		{`{"modified_before": "2025-01-02T03:04:05Z"}`, item, "modified_before"},
		{`{"modified_after": "2025-01-02T03:04:05.001Z"}`, item, "modified_after"},
		{`{"modified_before": "2025-01-02T03:04:05.001Z"}`, item, ""},
		{`{"modified_after": "2025-01-01", "modified_before": "2025-01-03"}`, unknown, ""},
		{`{"mime_types": ["video/*"]}`, item, ""},
		{`{"mime_types": ["VIDEO/MP4"]}`, item, ""},
		{`{"mime_types": ["video/mp"]}`, item, "mime_types"},
		{`{"mime_types": ["image/*", "application/pdf"]}`, item, "mime_types"},
		{`{"mime_types": ["*/*"]}`, item, ""},
		{`{"mime_types": ["*/*"]}`, unknown, "mime_types"},
		{`{"mime_types": ["text/html"]}`, syncing.FilterItem{Name: "x", MIME: "text/HTML; charset=utf-8"}, ""},
		{`{"mime_types": ["application/pdf"]}`, syncing.FilterItem{Name: "a.PDF"}, ""},
		{`{"mime_types": ["application/pdf"]}`, syncing.FilterItem{Name: "a.pdf", MIME: "binary/octet-stream"}, ""},
		{`{"mime_types": ["application/pdf"]}`, syncing.FilterItem{Name: "a.pdf", MIME: "text/plain"}, "mime_types"},
		{`{"extensions": ["mp4"]}`, item, ""},
		{`{"extensions": [".Mp4"]}`, item, ""},
		{`{"extensions": ["p4"]}`, item, "extensions"},
		{`{"extensions": ["tar.gz", ".pdf"]}`, syncing.FilterItem{Name: "a.TAR.GZ"}, ""},
		{`{"extensions": ["notes"]}`, unknown, "extensions"},
	} {
		ok, rule := filters(t, c.filters).Match(c.item)
		if ok != (c.rule == "") || rule != c.rule {
			t.Errorf("%s on %+v: %t by %q, not by %q", c.filters, c.item, ok, rule, c.rule)
		}
	}
}

func TestDecodeFilters(t *testing.T) {
	f := filters(t, `{"include_patterns": ["*.mp4"], "exclude_patterns": null, "min_size_bytes": 1e3, "max_size_bytes": 9007199254740992,
		"modified_after": "2025-01-02T05:04:05.123456+02:00", "modified_before": "2026-01-01", "mime_types": ["video/*"],
		"extensions": [".MP4", "mov"], "unknown": 1}`)
	want := map[string]any{
		"include_patterns": []string{"*.mp4"}, "min_size_bytes": int64(1000), "max_size_bytes": int64(1 << 53),
		"modified_after": "2025-01-02T03:04:05.123Z", "modified_before": "2026-01-01T00:00:00.000Z",
		"mime_types": []string{"video/*"}, "extensions": []string{".MP4", "mov"},
	}
	if d := cmp.Diff(want, f.Wire()); d != "" {
		t.Error(d)
	}
	text, err := json.Marshal(f.Wire())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(f, filters(t, string(text))); d != "" {
		t.Errorf("what is answered is read differently:\n%s", d)
	}
	for _, empty := range []string{`{}`, `null`, `{"include_patterns": [], "min_size_bytes": null, "other": true}`} {
		if f := filters(t, empty); f != nil {
			t.Errorf("%s: %+v", empty, f)
		}
	}
}

// A handler may decode numbers as text, to lose none of their digits.
func TestNumbersAsText(t *testing.T) {
	const text = `{"min_size_bytes": 1e3, "max_size_bytes": 9007199254740992}`
	const constants = `{"a": {"source": {"value": [1, 2.5, 1e2, 12345678901234567890]}}, "b": {"source": {"segment": -1}}}`
	numbers := func(text string) (raw map[string]any) {
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&raw); err != nil {
			t.Fatal(err)
		}
		return raw
	}
	at := errs.NewFields()
	if d := cmp.Diff(filters(t, text), syncing.DecodeFilters(numbers(text), at)); d != "" {
		t.Error(d)
	}
	m := syncing.DecodeMapping(numbers(constants), "s3", at)
	if err := at.Err("test"); err != nil {
		t.Fatal(badFields(err))
	}
	if d := cmp.Diff(asJSON(t, mapping(t, "s3", constants).Wire()), asJSON(t, m.Wire())); d != "" {
		t.Error(d)
	}
	fields, _, err := apply(t, m, nil, syncing.MapInput{})
	if d := cmp.Diff(map[string]any{"a": []any{int64(1), 2.5, int64(100), 12345678901234567890.0}}, fields); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
}

func TestDecodeFiltersFindsEveryFault(t *testing.T) {
	for text, want := range map[string]string{
		`{"include_patterns": "*.pdf"}`:                                             "body.include_patterns",
		`{"include_patterns": ["", 1, "ok"], "exclude_patterns": ["/"]}`:            "body.exclude_patterns.0 body.include_patterns.0 body.include_patterns.1",
		`{"min_size_bytes": -1}`:                                                    "body.min_size_bytes",
		`{"min_size_bytes": 1.5}`:                                                   "body.min_size_bytes",
		`{"min_size_bytes": "1"}`:                                                   "body.min_size_bytes",
		`{"max_size_bytes": 1e300}`:                                                 "body.max_size_bytes",
		`{"min_size_bytes": 2, "max_size_bytes": 1}`:                                "body.max_size_bytes",
		`{"modified_after": "yesterday", "modified_before": 1}`:                     "body.modified_after body.modified_before",
		`{"modified_after": "2025-01-02", "modified_before": "2025-01-02"}`:         "body.modified_before",
		`{"mime_types": ["video", "video/*", "*/mp4", "a/b/c", "image/*; q=1"]}`:    "body.mime_types.0 body.mime_types.2 body.mime_types.3",
		`{"extensions": ["*.pdf", ".", "a/b", {}]}`:                                 "body.extensions.0 body.extensions.1 body.extensions.2 body.extensions.3",
		`{"include_patterns": ["` + strings.Repeat("x", 1025) + `"]}`:               "body.include_patterns.0",
		`{"extensions": [` + strings.Repeat(`"a",`, 500) + `"a"]}`:                  "body.extensions",
		`{"include_patterns": {"a": 1}, "mime_types": true, "max_size_bytes": [1]}`: "body.include_patterns body.max_size_bytes body.mime_types",
	} {
		at := errs.NewFields("body")
		syncing.DecodeFilters(decodeJSON(t, text), at)
		if got := badFields(at.Err("test")); got != want {
			t.Errorf("%.80s: %q, not %q", text, got, want)
		}
	}
}
