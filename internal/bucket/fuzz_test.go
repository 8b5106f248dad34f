package bucket_test

import (
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"

	"mooring/internal/bucket"
	"mooring/internal/id"
	"mooring/internal/key"
)

// FuzzPlacement: whatever two keys a source has, their files lie inside the
// bucket, and neither is where the other is, by any rule of folding.
func FuzzPlacement(f *testing.F) {
	for _, seed := range [][2]string{
		{"a", "A"}, {"é", "e\u0301"}, {"../../etc/passwd", "/etc/passwd"}, {"a/b", "a//b"}, {"CON", "con."}, {"a", "a/b"}, {"\x00", "\xff"}, {".mooring/x", ".MOORING/x"},
		{strings.Repeat("a", 300), strings.Repeat("a", 301)}, {strings.Repeat("d/", 200), strings.Repeat("d/", 201)}, {"~", "^"}, {"ß", "ss"}, {"a\u200c", "a"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, one, other string) {
		if len(one)+len(other) > 1024 {
			return
		}
		for _, rules := range everyRules {
			d := disk{names: bucket.Names{Rules: rules}, owner: map[string]key.Key{}, name: map[key.Key]string{}}
			a := d.place(t, one)
			if one == other {
				continue
			}
			if b := d.place(t, other); same(rules, a, b) {
				t.Fatalf("%q and %q are both at %q by %+v", one, other, a, rules)
			}
		}
	})
}

// same says whether a disk with these rules holds one file under two names, by
// other means than the package has.
func same(r bucket.Rules, a, b string) bool {
	if r.FoldUnicode {
		a, b = norm.NFD.String(a), norm.NFD.String(b)
	}
	return a == b || r.FoldCase && strings.EqualFold(a, b)
}

// disk reserves names as a catalogue does.
type disk struct {
	names bucket.Names
	owner map[string]key.Key // by folded name
	name  map[key.Key]string
}

func (d *disk) place(t *testing.T, path string) string {
	const conn = id.Connection("conn_aaaaaaaaaaaaaaa")
	folders, file := bucket.SplitPath(conn, path)
	parent := ""
	for _, folder := range folders {
		parent = d.reserve(t, parent, folder.Source, folder.Component)
	}
	return d.reserve(t, parent, bucket.FileSource(id.ObjectOf("bkt_a", conn, path)), file)
}

func (d *disk) reserve(t *testing.T, parent string, source key.Key, raw string) string {
	if name, ok := d.name[source]; ok {
		return name
	}
	for _, c := range d.names.Claim(parent, source, raw).Candidates {
		d.check(t, raw, c.Name)
		if _, taken := d.owner[c.Folded]; !taken {
			d.owner[c.Folded], d.name[source] = source, c.Name
			return c.Name
		}
	}
	t.Fatalf("nothing is free for %q below %q", raw, parent)
	return ""
}

func (d *disk) check(t *testing.T, raw, name string) {
	first, _, _ := strings.Cut(name, "/")
	last := name[strings.LastIndexByte(name, '/')+1:]
	rules := d.names.Rules
	if !filepath.IsLocal(name) || filepath.Clean(name) != name || bucket.SystemName(first) || strings.Contains(name, "\x00") {
		t.Fatalf("%q would be at %q", raw, name)
	}
	if len(last) > rules.MaxComponent || len(name) > rules.MaxPath {
		t.Fatalf("%q would be at %q, which is too long for %+v", raw, name, rules)
	}
}
