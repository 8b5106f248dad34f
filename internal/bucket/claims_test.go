package bucket_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"mooring/internal/bucket"
	"mooring/internal/id"
	"mooring/internal/key"
)

const conn = id.Connection("conn_aaaaaaaaaaaaaaa")

// reserve is what a store does with claims: the first candidate whose folded
// form nobody else has.
type reserve map[string]key.Key

func (r reserve) take(c bucket.Claim) (string, bool) {
	for _, cand := range c.Candidates {
		if owner, taken := r[cand.Folded]; !taken || owner == c.Source {
			r[cand.Folded] = c.Source
			return cand.Name, true
		}
	}
	return "", false
}

// place takes a path down to its name, reserving each ancestor.
func (r reserve) place(n bucket.Names, path string) (string, bool) {
	folders, file := bucket.SplitPath(conn, path)
	parent := ""
	for _, f := range folders {
		var ok bool
		if parent, ok = r.take(n.Claim(parent, f.Source, f.Component)); !ok {
			return "", false
		}
	}
	return r.take(n.Claim(parent, bucket.FileSource(id.ObjectOf("bkt_a", conn, path)), file))
}

func TestEveryPathGetsANameOfItsOwn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := bucket.Names{Rules: rapid.SampledFrom(everyRules).Draw(t, "rules")}
		paths := rapid.SliceOfNDistinct(rapid.Map(rapid.SliceOfN(rawComponent(), 1, 5), func(c []string) string {
			return strings.Join(c, "/")
		}), 1, 20, rapid.ID).Draw(t, "paths")
		taken, files, folders := reserve{}, map[string]string{}, map[string]bool{}
		for _, p := range paths {
			name, ok := taken.place(n, p)
			if !ok {
				t.Fatalf("%q found no name", p)
			}
			if again, _ := taken.place(n, p); again != name {
				t.Fatalf("%q is %q at first and then %q", p, name, again)
			}
			folded := n.Fold(name)
			if other, ok := files[folded]; ok {
				t.Fatalf("%q and %q are both %q", p, other, name)
			}
			files[folded] = p
			for i, c := range folded {
				if c == '/' {
					folders[folded[:i]] = true
				}
			}
			checkName(t, n.Rules, name)
		}
		for f, p := range files {
			if folders[f] {
				t.Fatalf("%q is at %q, where others need a folder", p, f)
			}
		}
	})
}

func checkName(t *rapid.T, r bucket.Rules, name string) {
	if len(name) > r.MaxPath {
		t.Fatalf("%q is longer than %d", name, r.MaxPath)
	}
	for c := range strings.SplitSeq(name, "/") {
		if len(c) > r.MaxComponent {
			t.Fatalf("%q holds a component longer than %d", name, r.MaxComponent)
		}
		checkComponent(t, r, c)
	}
}

func names(c bucket.Claim) string {
	var all []string
	for _, cand := range c.Candidates {
		all = append(all, cand.Name)
	}
	return strings.Join(all, " ")
}

func TestClaimCandidates(t *testing.T) {
	n := bucket.Names{Rules: bucket.Rules{MaxComponent: 60, MaxPath: 200}}
	const short, long = 9, 33
	src := key.Key("o/obj_x")
	got := n.Claim("in", src, "report.pdf")
	if c := got.Candidates; len(c) != 3 || c[0].Name != "in/report.pdf" || len(c[1].Name) != len("in/report.pdf")+short ||
		!strings.HasPrefix(c[1].Name, "in/report~") || !strings.HasSuffix(c[1].Name, ".pdf") || len(c[2].Name) != len("in/report.pdf")+long {
		t.Errorf("an ordinary name: %s", names(got))
	}
	if other := n.Claim("in", "o/obj_y", "report.pdf"); other.Candidates[1].Name == got.Candidates[1].Name {
		t.Error("the digits do not depend on the source")
	}
	for _, c := range got.Candidates {
		if c.Folded != n.Fold(c.Name) {
			t.Errorf("%q comes with the folded form %q", c.Name, c.Folded)
		}
	}

	tooLong := n.Claim("", src, strings.Repeat("é", 40)+".jpeg")
	if len(tooLong.Candidates) != 2 {
		t.Errorf("too long: %s", names(tooLong))
	}
	for _, c := range tooLong.Candidates {
		if len(c.Name) > 60 || !utf8.ValidString(c.Name) || !strings.HasSuffix(c.Name, ".jpeg") || !strings.HasPrefix(c.Name, "éé") {
			t.Errorf("too long: %q", c.Name)
		}
	}

	// A cut never leaves half an escape, which would stand for something else.
	for pad := range 4 {
		c := n.Claim("", src, strings.Repeat("x", pad)+strings.Repeat("\x01", 60)).Candidates[0].Name
		stem, _, _ := strings.Cut(c, "~")
		if (len(stem)-pad)%3 != 0 {
			t.Errorf("%q holds half an escape", c)
		}
	}

	// Nor half a character after the mark of a reserved name.
	reserved := n.Claim("", src, "\u200c"+bucket.SystemPrefix+strings.Repeat("x", 60))
	tiny := bucket.Names{Rules: bucket.Rules{MaxComponent: 12, MaxPath: 12}}.Claim("", src, "\u200c"+bucket.SystemPrefix)
	for _, c := range append(reserved.Candidates, tiny.Candidates...) {
		if !utf8.ValidString(c.Name) {
			t.Errorf("%q holds half a character", c.Name)
		}
	}

	// MaxPath counts the slash.
	exact := bucket.Names{Rules: bucket.Rules{MaxPath: 100}}
	if c := exact.Claim(strings.Repeat("d", 97), src, "ab").Candidates; len(c) != 3 || len(c[0].Name) != 100 {
		t.Errorf("a path of 100 bytes of 100: %d candidates, first %q", len(c), c[0].Name)
	}
	if c := exact.Claim(strings.Repeat("d", 98), src, "ab").Candidates; len(c) != 2 {
		t.Errorf("a path of 101 bytes of 100: %d candidates, first %q", len(c), c[0].Name)
	}

	deep := n.Claim(strings.Repeat("d/", 90)+"d", src, "report.pdf")
	if deep.Candidates[0].Name != strings.Repeat("d/", 90)+"d/report.pdf" || strings.Contains(deep.Candidates[1].Name, "/") {
		t.Errorf("little room: %s", names(deep))
	}
	deeper := n.Claim(strings.Repeat("d/", 99)+"d", src, "report.pdf")
	if len(deeper.Candidates) != 2 || strings.Contains(names(deeper), "/") {
		t.Errorf("no room: %s", names(deeper))
	}
}

func TestFilesAndFoldersAreDifferentSources(t *testing.T) {
	sources := []key.Key{
		bucket.FolderSource(conn, "a"), bucket.FolderIDSource(conn, "a"), bucket.FolderSource("conn_b", "a"), bucket.FolderSource(conn, "a/"),
		bucket.FileSource("a"), bucket.FileSource(id.Object(conn) + "/a"),
	}
	seen := map[key.Key]bool{}
	for _, s := range sources {
		if seen[s] {
			t.Errorf("%q stands for two things", s)
		}
		seen[s] = true
	}
	taken := reserve{}
	n := bucket.Names{}
	file, _ := taken.place(n, "a")
	below, _ := taken.place(n, "a/b")
	if file != "a" || !strings.HasPrefix(below, "a~") || !strings.HasSuffix(below, "/b") {
		t.Errorf("a file and a folder of one name: %q, %q", file, below)
	}
}

func TestSplitPath(t *testing.T) {
	for path, want := range map[string]string{
		"a":     `[] "a"`,
		"a/b/c": `["a" "b"] "c"`,
		"/a":    `[""] "a"`,
		"a//b/": `["a" "" "b"] ""`,
		"":      `[] ""`,
	} {
		folders, file := bucket.SplitPath(conn, path)
		raw := []string{}
		for _, f := range folders {
			raw = append(raw, f.Component)
		}
		if got := fmt.Sprintf("%q %q", raw, file); got != want {
			t.Errorf("%q: %s, not %s", path, got, want)
		}
	}
	folders, _ := bucket.SplitPath(conn, "a//b")
	if folders[0].Source == folders[1].Source {
		t.Error("a and a/ are the same folder")
	}
}

func BenchmarkClaim(b *testing.B) {
	n := bucket.Names{Rules: bucket.Rules{MaxComponent: 255, MaxPath: 4000}}
	for b.Loop() {
		n.Claim("photos/2024", "o/obj_aaaaaaaaaaaaaaaaaaaaaaaaaa", "IMG_20240102 (1).jpeg")
	}
}
