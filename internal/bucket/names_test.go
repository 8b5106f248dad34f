package bucket_test

import (
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"mooring/internal/bucket"
)

var everyRules = func() []bucket.Rules {
	var all []bucket.Rules
	for bits := range 8 {
		for _, length := range []int{100, 255} {
			for _, path := range []int{300, 4000} {
				all = append(all, bucket.Rules{
					FoldCase: bits&1 != 0, FoldUnicode: bits&2 != 0, Windows: bits&4 != 0, MaxComponent: length, MaxPath: path,
				})
			}
		}
	}
	return all
}()

// rawComponent draws what sources allow between two slashes, with a liking for
// what is special to some destination.
func rawComponent() *rapid.Generator[string] {
	special := rapid.SampledFrom([]string{
		"", ".", "..", "...", " ", "a ", "a.", "a. .", "CON", "con.txt", "nul ", "COM1", "LPT¹.x", "COM10", "^", "^5e", "^_", "^_NUL",
		".mooring", ".Mooring", ".MOORING-x", ".moorin\u200cg", "\u200c.mooring", ".mooríng", "é", "e\u0301", "ß", "SS", "K", "\xff", "\xed\xa0\x80",
		"\x00", "\n", "\u2028", "\u202e", "report (final).pdf", "日本語.txt", "a:b", `a\b`, "a*?<>|\"", "~", "a~1234abcd", strings.Repeat("長", 200),
	})
	piece := rapid.OneOf(special, rapid.String(), rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 8), func(b []byte) string { return string(b) }))
	return rapid.Custom(func(t *rapid.T) string {
		return strings.ReplaceAll(strings.Join(rapid.SliceOfN(piece, 0, 3).Draw(t, "pieces"), ""), "/", "")
	})
}

// unescape undoes Component: since it needs nothing but the result, no two
// components can have the same one.
func unescape(t *rapid.T, s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case strings.HasPrefix(s[i:], "^_"):
			i++
		case s[i] == '^':
			c, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				t.Fatalf("%q holds an escape that is none", s)
			}
			b.WriteByte(byte(c))
			i += 2
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func TestComponentsAreReversible(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := rawComponent().Draw(t, "raw")
		n := bucket.Names{Rules: rapid.SampledFrom(everyRules).Draw(t, "rules")}
		got := n.Component(raw)
		if back := unescape(t, got); back != raw {
			t.Fatalf("%q became %q, which stands for %q", raw, got, back)
		}
		checkComponent(t, n.Rules, got)
	})
}

func TestFoldingIsIdempotent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := bucket.Names{Rules: rapid.SampledFrom(everyRules).Draw(t, "rules")}
		name := n.Component(rawComponent().Draw(t, "raw"))
		once := n.Fold(name)
		if twice := n.Fold(once); twice != once {
			t.Fatalf("%q folds to %q and that to %q", name, once, twice)
		}
		if !n.Rules.FoldCase && !n.Rules.FoldUnicode && once != name {
			t.Fatalf("%q folds to %q where nothing folds", name, once)
		}
	})
}

// checkComponent fails when a file system of these rules would refuse a name,
// or take it for something else.
func checkComponent(t *rapid.T, r bucket.Rules, s string) {
	switch {
	case s == "" || s == "." || s == "..":
		t.Fatalf("%q is no name", s)
	case !utf8.ValidString(s):
		t.Fatalf("%q is not UTF-8", s)
	case strings.ContainsRune(s, '/') || strings.IndexFunc(s, unicode.IsControl) >= 0:
		t.Fatalf("%q holds a separator or control character", s)
	case strings.HasPrefix(strings.ToLower(s), bucket.SystemPrefix):
		t.Fatalf("%q is the system's", s)
	}
	if !r.Windows {
		return
	}
	base, _, _ := strings.Cut(strings.ToUpper(s), ".")
	switch {
	case strings.ContainsAny(s, `<>:"\|?*`):
		t.Fatalf("%q holds a character that Windows forbids", s)
	case strings.HasSuffix(s, ".") || strings.HasSuffix(s, " "):
		t.Fatalf("%q ends with what Windows drops", s)
	}
	for _, device := range []string{"CON", "PRN", "AUX", "NUL", "COM1", "COM9", "LPT1", "COM¹", "LPT³"} {
		if strings.TrimRight(base, " ") == device {
			t.Fatalf("%q is a device of Windows", s)
		}
	}
}

func TestReadable(t *testing.T) {
	posix, windows := bucket.Names{}, bucket.Names{Rules: bucket.Rules{Windows: true}}
	for _, c := range []struct {
		n         bucket.Names
		raw, want string
	}{
		{posix, "Jahresabschluß 2024 (final), v2.pdf", "Jahresabschluß 2024 (final), v2.pdf"},
		{posix, "日本語 & more=100%~x.txt", "日本語 & more=100%~x.txt"},
		{posix, `a:b\c?`, `a:b\c?`},
		{posix, "NUL", "NUL"},
		{posix, "", "^_"},
		{posix, ".", "^2e"},
		{posix, "..", ".^2e"},
		{posix, "...", "..."},
		{posix, "a^b", "a^5eb"},
		{posix, "a\x00\n\xff", "a^00^0a^ff"},
		{posix, ".mooring", "^_.mooring"},
		{posix, ".Mooring-x", "^_.Mooring-x"},
		{posix, ".moo", ".moo"},
		{posix, "a. ", "a. "},
		{windows, "a. ", "a.^20"},
		{windows, "a..", "a.^2e"},
		{windows, `a:b\c?`, "a^3ab^5cc^3f"},
		{windows, "nul.tar.gz", "^_nul.tar.gz"},
		{windows, "Com1", "^_Com1"},
		{windows, "LPT²", "^_LPT²"},
		{windows, "CON .txt", "^_CON .txt"},
		{windows, "COM10", "COM10"},
		{windows, "CONTRACT", "CONTRACT"},
	} {
		if got := c.n.Component(c.raw); got != c.want {
			t.Errorf("%q (Windows: %t) became %q, not %q", c.raw, c.n.Rules.Windows, got, c.want)
		}
	}
}

func TestFold(t *testing.T) {
	byCase := bucket.Names{Rules: bucket.Rules{FoldCase: true}}
	byUnicode := bucket.Names{Rules: bucket.Rules{FoldUnicode: true}}
	both := bucket.Names{Rules: bucket.Rules{FoldCase: true, FoldUnicode: true}}
	for _, c := range []struct {
		n    bucket.Names
		a, b string
		same bool
	}{
		{bucket.Names{}, "A", "a", false},
		{bucket.Names{}, "é", "e\u0301", false},
		{byCase, "a/README", "A/readme", true},
		{byCase, "STRASSE", "straße", true},
		{byCase, "ı", "I", true},
		{byCase, "ſ", "S", true},
		{byCase, "K", "k", true}, // the Kelvin sign
		{byCase, "Σας", "ΣΑΣ", true},
		{byCase, "é", "e\u0301", false},
		{byUnicode, "é", "e\u0301", true},
		{byUnicode, "É", "é", false},
		{byUnicode, "a\u200cb", "ab", true},
		{both, "É", "e\u0301", true},
		{both, "ᾳ\u0301", "ᾴ", true},
		{both, "a", "b", false},
	} {
		if same := c.n.Fold(c.a) == c.n.Fold(c.b); same != c.same {
			t.Errorf("%+v: %q and %q: the same %t, want %t", c.n.Rules, c.a, c.b, same, c.same)
		}
	}
}

// Folding a folded name again must change nothing, for any letter: the unique
// index holds what one round gives.
func TestFoldingEveryLetterIsIdempotent(t *testing.T) {
	for _, r := range []bucket.Rules{{FoldCase: true}, {FoldUnicode: true}, {FoldCase: true, FoldUnicode: true}} {
		n := bucket.Names{Rules: r}
		for c := rune(0x80); c < 0x1F000; c++ {
			if !unicode.IsLetter(c) && !unicode.IsMark(c) {
				continue
			}
			for _, name := range []string{string(c), "a" + string(c) + "\u0301"} {
				if once := n.Fold(name); n.Fold(once) != once {
					t.Errorf("%+v: %q folds to %q and that to %q", r, name, once, n.Fold(once))
				}
			}
		}
	}
}
