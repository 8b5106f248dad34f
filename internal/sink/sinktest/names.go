package sinktest

import (
	"fmt"
	"strings"
	"testing"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/key"
	"mooring/internal/sink"
)

// testCharacters takes keys that sources allow through bucket.Names, and finds
// each again under exactly the name it was given.
func testCharacters(_ *testing.T, s *suite) {
	keys := []string{
		"a b", " a", "a ", "a.", "a'b\"c", "a\\b", "a:b", "a*b?c", "a%20b", "a+b&c=d;e,f", "#a@b!", "[a](b){c}", "-a", "~a", "$HOME", "^", "`a`",
		"a\nb", "a\tb", "a\x00b", "a\xffb", "\x7f", ".", "..", ".hidden", ".mooring", "../../etc/passwd", "/etc/passwd", "a//b", "a/", "",
		"CON", "nul.txt", "COM1", "日本語/ファイル.txt", "Ä/ö/ß", "e\u0301", "é", "👩‍👩‍👧", "a\u202eb", "A", "a", "README", "readme", "ı", "I", "\ufeff",
	}
	taken, want := map[string]bool{}, map[string]string{}
	n := bucket.Names{Rules: s.sink.Rules()}
	reserve := func(c bucket.Claim) string {
		for _, cand := range c.Candidates {
			if !taken[cand.Folded] {
				taken[cand.Folded] = true
				return cand.Name
			}
		}
		s.t.Fatalf("no name is left for %q", c.Source)
		return ""
	}
	for _, k := range keys {
		parent := ""
		folders, file := bucket.SplitPath("conn_a", k)
		for i, f := range folders {
			parent = reserve(n.Claim(parent, f.Source+key.Key(fmt.Sprint(k, i)), f.Component))
		}
		name := reserve(n.Claim(parent, key.Key(k), file))
		want[name] = "content of " + k
		s.place(name, want[name])
	}
	s.holds(want)
	s.settle()
	s.reopen()
	s.holds(want)
}

// testLongNames uses all the room that the rules promise.
func testLongNames(_ *testing.T, s *suite) {
	r := s.sink.Rules()
	want := map[string]string{}
	for _, letter := range []string{"x", "é", "語", "🙂"} {
		want[strings.Repeat(letter, r.MaxComponent/len(letter))] = "long component"
	}
	var deep strings.Builder
	for deep.Len()+2*r.MaxComponent+2 < r.MaxPath {
		deep.WriteString(strings.Repeat("d", r.MaxComponent) + "/")
	}
	deep.WriteString(strings.Repeat("f", min(r.MaxComponent, r.MaxPath-deep.Len())))
	want[deep.String()] = "long path"
	const deepest = 511 // a key of S3 with nothing but slashes in between
	want[strings.Repeat("d/", min(deepest, (r.MaxPath-1)/2))+"f"] = "deep path"
	for name, content := range want {
		s.place(name, content)
	}
	s.holds(want)
	for name := range want {
		s.remove(name)
	}
	s.holds(nil)
}

func testHostileNames(t *testing.T, s *suite) {
	s.place("a/f", "content")
	for _, name := range []string{
		"", "/", "/f", "/etc/passwd", ".", "..", "./f", "../f", "a/..", "a/../f", "a/./f", "a//f", "a/", "a/../../f", "a\x00b",
		".mooring", ".mooring/f", ".mooring/staging/s", ".Mooring/f", "a/.mooring", ".mooring-x", strings.Repeat("../", 50) + "f",
	} {
		s.stage("s", "staged")
		s.is("place "+name, s.sink.Place(bg, "s", name, 6), errs.Invalid)
		s.is("rename to "+name, s.sink.Rename(bg, "a/f", name, 7), errs.Invalid)
		s.is("rename from "+name, s.sink.Rename(bg, name, "b", 7), errs.Invalid)
		_, err := s.sink.Stat(bg, name)
		s.is("stat "+name, err, errs.Invalid)
		_, err = s.read(name, 0)
		s.is("open "+name, err, errs.Invalid)
		s.is("remove "+name, s.sink.Remove(bg, name), errs.Invalid)
		if sink.CheckName("test", name) == nil {
			t.Errorf("%q passes as a name", name)
		}
	}
	s.stagedIs("s")
	s.holds(map[string]string{"a/f": "content"})
}

func testHostileStaged(_ *testing.T, s *suite) {
	s.place("f", "content")
	for _, staged := range []string{"", ".", "..", "../f", "a/b", "/a", "A", "a b", "ä", "a\x00", "a\\b", "a:b", strings.Repeat("a", 101)} {
		_, err := s.sink.Stage(bg, staged, -1)
		s.is("stage "+staged, err, errs.Invalid)
		s.is("place "+staged, s.sink.Place(bg, staged, "g", 7), errs.Invalid)
	}
	for _, staged := range []string{"a", "...", "-", "_", "0.a-b_c", ".a", strings.Repeat("a", 100)} {
		s.stage(staged, "content")
		s.must("place "+staged, s.sink.Place(bg, staged, "g", 7))
	}
	s.stagedIs("")
	s.holds(map[string]string{"f": "content", "g": "content"})
}
