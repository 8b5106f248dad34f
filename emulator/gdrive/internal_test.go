package gdrive

import (
	"testing"
	"time"
)

// Whatever it is asked, the query parser answers, and what it accepts can be applied.
func FuzzParseQuery(f *testing.F) {
	for _, q := range []string{
		"", "trashed = false", "'root' in parents and trashed=false", "name = 'it\\'s' or not (name contains 'x')", "modifiedTime > '2026-01-02T03:04:05Z'",
		"properties has { key='a' and value='b' }", "sharedWithMe", "'a@b.c' in owners", "title = 'x'", "((", "name = '\\", "fullText contains 'x'",
	} {
		f.Add(q)
	}
	t := newTree()
	u := t.account("ada@example.com", time.Now())
	folder := t.add(u.root, "folder", mimeFolder, time.Now())
	file := t.add(folder, "file", "text/plain", time.Now())
	f.Fuzz(func(tb *testing.T, text string) {
		q, err := parseQuery(text)
		if (q == nil) == (err == nil) {
			tb.Fatalf("neither a query nor an error: %v, %v", q, err)
		}
		if err != nil {
			return
		}
		parents, narrowed := q.parents()
		for _, i := range []*item{folder, file} {
			inside := false
			for _, p := range parents {
				inside = inside || p == i.parent.id || p == "root" && i.parent == u.root
			}
			if q.matches(u, i) && narrowed && !inside {
				tb.Errorf("%q matches %q, which is not in %q", text, i.name, parents)
			}
		}
	})
}

// Whatever it is asked, the field parser answers, and a selection picks from what there
// is.
func FuzzParseFields(f *testing.F) {
	for _, s := range []string{"*", "a,b(c,d),e/f", "files(id,name),nextPageToken", "a/b/c(d/e)", "a(", "a)", ",", "a(b", "((((", "*(*)", "a,a(b)", "a(b),a"} {
		f.Add(s)
	}
	value := object{"a": object{"b": object{"c": 1}}, "files": []object{{"id": "x"}}}
	f.Fuzz(func(tb *testing.T, text string) {
		s, ok := parseFields(text)
		if !ok {
			return
		}
		if len(s) == 0 {
			tb.Errorf("%q selects nothing", text)
		}
		s.unknown(listSchema)
		for name := range s.pick(value).(object) {
			if _, there := value[name]; !there {
				tb.Errorf("%q picks %q", text, name)
			}
		}
	})
}
