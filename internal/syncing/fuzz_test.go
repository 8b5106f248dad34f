package syncing

import (
	"encoding/json"
	"reflect"
	"testing"

	"mooring/internal/errs"
)

// FuzzFilters: filters that are taken are written as what gives them again, and
// decide about any item.
func FuzzFilters(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"include_patterns":["*.pdf","/a/**"],"exclude_patterns":["**/~*"]}`, `{"min_size_bytes":1,"max_size_bytes":9007199254740993}`,
		`{"modified_after":"2026-01-02T03:04:05+01:00"}`, `{"mime_types":["image/*","*/*"],"extensions":[".JPG","tar.gz"]}`, `{"include_patterns":[1]}`, `{"min_size_bytes":1e99}`,
	} {
		f.Add(seed, "dir/file.txt")
	}
	f.Fuzz(func(t *testing.T, text, path string) {
		var raw map[string]any
		if json.Unmarshal([]byte(text), &raw) != nil {
			return
		}
		at := errs.NewFields("file_filters")
		filters := DecodeFilters(raw, at)
		if at.Err("test") != nil || filters == nil {
			return
		}
		b, err := json.Marshal(filters.Wire())
		if err != nil {
			t.Fatal(err)
		}
		var back map[string]any
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		again := DecodeFilters(back, at)
		if err := at.Err("test"); err != nil || again == nil || !reflect.DeepEqual(again.Wire(), filters.Wire()) {
			t.Fatalf("%s is written %s, which is refused (%v) or another", text, b, err)
		}
		ok, rule := filters.Match(FilterItem{Name: nameOf(path), Rel: path, Size: int64(len(path))})
		if ok != (rule == "") {
			t.Fatalf("%s on %q: %t, for %q", text, path, ok, rule)
		}
	})
}

// FuzzFilenameRegex: a pattern that is taken has one group, and finds a part of
// the name or nothing.
func FuzzFilenameRegex(f *testing.F) {
	for _, seed := range [][2]string{
		{`^(\d{4})-`, "2026-a.txt"}, {`(a|b)*`, "ab"}, {`(?P<year>\d+)`, "7"}, {`(?i)(x)`, "X"}, {`(.*)\.`, "a.b.c"}, {`(\p{L}+)`, "é"}, {`(a{1000}){0}`, ""}, {`(?=a)(b)`, "b"}, {`(`, "("},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		raw := map[string]any{"x": map[string]any{"target_type": "field", "source": map[string]any{"type": "filename_regex", "pattern": pattern}}}
		at := errs.NewFields("schema_mapping")
		m := DecodeMapping(raw, "s3", at)
		if at.Err("test") != nil {
			return
		}
		mapper, err := m.Compile(nil)
		if err != nil {
			t.Fatalf("%q is taken and can't be used: %v", pattern, err)
		}
		fields, _, err := mapper.Apply(MapInput{Name: name, Path: name})
		if err != nil && !errs.Is(err, errs.Invalid) {
			t.Fatalf("%q on %q: %v", pattern, name, err)
		}
		if v, ok := fields["x"].(string); ok && len(v) > len(name) {
			t.Fatalf("%q finds %q in %q", pattern, v, name)
		}
	})
}

func nameOf(path string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' {
			return path[i+1:]
		}
	}
	return path
}
