package syncing

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"*.pdf", "a.pdf", true},
		{"*.pdf", "in/a/folder/a.pdf", true}, // a star crosses slashes
		{"*.pdf", "a.PDF", false},
		{"*.pdf", "a.pdf.bak", false},
		{"a", "a", true},
		{"a", "ab", false},
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"?", "", false},
		{"?", "é", true},
		{"??", "é", false},
		{"?", "\xff", true},
		{"?", "/", true},
		{"2024-??-*.csv", "2024-01-x.csv", true},
		{"[abc].txt", "b.txt", true},
		{"[!abc].txt", "b.txt", false},
		{"[^abc].txt", "d.txt", true},
		{"[a-c]x", "bx", true},
		{"[а-я]x", "дx", true},
		{"[]]x", "]x", true},
		{"[!]]x", "]x", false},
		{"[]-]x", "-x", true},
		{"[a-]x", "-x", true},
		{"[z-a]", "m", false},
		{"[*]", "*", true},
		{"[*]", "a", false},
		{"[", "[", true},
		{"a[b", "a[b", true},
		{"[!", "[!", true},
		{"[]", "[]", true},
		{`\*`, `\x`, true}, // there is no escape
		{"tmp/*", "tmp/a/b", true},
		{"tmp/*", "x/tmp/a", false},
		{"*/tmp/*", "x/tmp/a", true},
		{"**/*.pdf", "a.pdf", true},
		{"**/*.pdf", "x/y/a.pdf", true},
		{"a/**/b", "a/b", true},
		{"a/**/b", "a/x/y/b", true},
		{"a/**/b", "a/xb", false},
		{"**/b/**/c*", "x/b/b/y/cc", true},
		{"a**/b", "a/b", true},
		{"a**/b", "ab", false},
		{"**", "a/b", true},
		{"**/", "a", false},
		{"*/x", "x", false},
		{"***/x", "x", false},
		{"**/", "a/", true},
		{"*a*b*c", "xaybzc", true},
		{"*a*b*c", "xaybz", false},
		{"\uFFFD", "\xff", false},
	} {
		if got := matchGlob(c.pattern, c.name); got != c.want {
			t.Errorf("%q on %q: %t", c.pattern, c.name, got)
		}
	}
}

// A pattern that makes a naive matcher try every way to share out a name.
func TestGlobDoesNotBacktrack(t *testing.T) {
	pattern, name := strings.Repeat("*a", 500)+"b", strings.Repeat("a", 20_000)
	if matchGlob(pattern, name) {
		t.Error("it matches")
	}
	if matchGlob(strings.Repeat("**/a/", 200)+"b", strings.Repeat("a/", 5_000)) {
		t.Error("it matches")
	}
}

// globRegexp is the same language written another way.
func globRegexp(pattern string) (*regexp.Regexp, error) {
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	for i := 0; i < len(pattern); {
		switch c := pattern[i]; {
		case c == '*':
			stars := len(pattern[i:]) - len(strings.TrimLeft(pattern[i:], "*"))
			if stars == 2 && strings.HasPrefix(pattern[i+2:], "/") && (i == 0 || pattern[i-1] == '/') {
				b.WriteString("(?:.*/)?")
				i++
			} else {
				b.WriteString(".*")
			}
			i += stars
		case c == '?':
			b.WriteString(".")
			i++
		case c == '[' && classLength(pattern[i:]) > 0:
			end := i + classLength(pattern[i:])
			b.WriteString(classRegexp(pattern[i+1 : end-1]))
			i = end
		default:
			_, size := utf8.DecodeRuneInString(pattern[i:])
			b.WriteString(regexp.QuoteMeta(pattern[i : i+size]))
			i += size
		}
	}
	return regexp.Compile(b.String() + `\z`)
}

func classRegexp(class string) string {
	rest, negated := strings.CutPrefix(class, "!")
	if !negated {
		rest, negated = strings.CutPrefix(class, "^")
	}
	var b strings.Builder
	r := []rune(rest)
	for i := 0; i < len(r); i++ {
		low, high := r[i], r[i]
		if i+2 < len(r) && r[i+1] == '-' {
			high = r[i+2]
			i += 2
		}
		if low <= high {
			fmt.Fprintf(&b, `\x{%x}-\x{%x}`, low, high)
		}
	}
	ranges := b.String()
	switch {
	case ranges == "" && negated:
		return "."
	case ranges == "":
		return `[^\x00-\x{10FFFF}]`
	case negated:
		return "[^" + ranges + "]"
	}
	return "[" + ranges + "]"
}

func FuzzGlob(f *testing.F) {
	for _, seed := range [][2]string{
		{"*.pdf", "a.pdf"}, {"a*b*c", "abcbc"}, {"**/x/**/y", "x/x/y"}, {"[!a-c]?", "dé"}, {"[]a]", "]"}, {"*/**/*", "a/b"}, {"?*?", "ab"}, {"[^", "[^"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if len(pattern) > maxPatternLength || len(name) > 4096 {
			return
		}
		got := matchGlob(pattern, name)
		if len(pattern) > 200 || len(name) > 200 || !utf8.ValidString(pattern) || !utf8.ValidString(name) || strings.ContainsRune(pattern, utf8.RuneError) {
			return // must end; what it means is compared for what a regexp can say
		}
		re, err := globRegexp(pattern)
		if err != nil {
			t.Skip(err)
		}
		if want := re.MatchString(name); got != want {
			t.Errorf("%q on %q: %t, %s says %t", pattern, name, got, re, want)
		}
	})
}

func BenchmarkGlob(b *testing.B) {
	for b.Loop() {
		matchGlob("*.mp4", "media/raw/2024/01/clip-0001.mov")
	}
}
