package bucket

import (
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Fold returns the form of a destination name under which the destination
// can't tell it from another: two names with the same folded form must not both
// be used. It is idempotent, and the identity where the destination folds
// nothing. It folds rather too much than too little, because file systems
// differ in their tables: a needless suffix is harmless, a lost file isn't.
func (n Names) Fold(name string) string {
	if !n.Rules.FoldCase && !n.Rules.FoldUnicode {
		return name
	}
	if ascii(name) {
		if n.Rules.FoldCase {
			return strings.ToLower(name)
		}
		return name
	}
	if n.Rules.FoldUnicode {
		name = strings.Map(dropIgnored, name)
	}
	if n.Rules.FoldCase {
		name = foldCase(name, n.Rules.FoldUnicode)
	}
	if n.Rules.FoldUnicode {
		name = norm.NFC.String(name)
	}
	return name
}

// foldAll folds by every rule there is.
func foldAll(name string) string {
	return Names{Rules: Rules{FoldCase: true, FoldUnicode: true}}.Fold(name)
}

// foldCase goes through upper case first, as Windows compares: it brings
// together what Unicode's folding keeps apart, as "ı" and "i". Decomposed, it
// also folds letters that stand composed; the caller composes again.
func foldCase(s string, decompose bool) string {
	if decompose {
		s = norm.NFD.String(s)
	}
	return cases.Fold().String(strings.Map(unicode.ToUpper, s))
}

// dropIgnored removes the code points that HFS+ ignores when it compares names.
func dropIgnored(r rune) rune {
	switch {
	case r >= 0x200C && r <= 0x200F, r >= 0x202A && r <= 0x202E, r >= 0x206A && r <= 0x206F, r == 0xFEFF:
		return -1
	}
	return r
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
