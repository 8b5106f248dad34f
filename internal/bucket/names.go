package bucket

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// SystemPrefix begins the names that a destination keeps for itself, as its
// staging folder. No component that Names makes begins with it, in any case.
const SystemPrefix = ".mooring"

// SystemName reports whether a component is one that a destination keeps for
// itself.
func SystemName(component string) bool {
	return len(component) >= len(SystemPrefix) && strings.EqualFold(component[:len(SystemPrefix)], SystemPrefix)
}

// Names makes destination names out of source paths. It is pure: what it makes
// is a proposal, which counts once it is reserved and recorded, and is never
// computed again.
//
// A name is readable: whatever can stand, stands. The rest is written as "^"
// and two hex digits for each byte, so that different components never become
// the same name. "^" itself is "^5e". "^_" stands for nothing: alone it is the
// empty component (of "a//b", or of a leading or trailing slash), and before a
// reserved name it makes that name harmless ("NUL" becomes "^_NUL").
type Names struct {
	Rules Rules
}

const (
	escapeMark = '^'
	escapeNull = "^_"
	hexDigits  = "0123456789abcdef"
)

// Component returns one component of a source path, which may hold any byte
// but is taken between two separators, as a component of a destination name.
// Different components give different results, and Component always gives the
// same. It isn't shortened here: see Claim.
func (n Names) Component(raw string) string {
	if raw == "" {
		return escapeNull
	}
	var b strings.Builder
	b.Grow(len(raw) + len(escapeNull))
	if n.reserved(raw) {
		b.WriteString(escapeNull)
	}
	last := n.lastToEscape(raw)
	for i := 0; i < len(raw); {
		r, size := utf8.DecodeRuneInString(raw[i:])
		if i >= last || (r == utf8.RuneError && size == 1) || n.forbidden(r) {
			for _, c := range []byte(raw[i : i+size]) {
				b.Write([]byte{escapeMark, hexDigits[c>>4], hexDigits[c&15]})
			}
		} else {
			b.WriteString(raw[i : i+size])
		}
		i += size
	}
	return b.String()
}

// forbidden reports characters that no name holds as they are. Line and
// paragraph separators are among them, since names are printed on lines.
func (n Names) forbidden(r rune) bool {
	switch r {
	case escapeMark, '/', '\u2028', '\u2029':
		return true
	case '<', '>', ':', '"', '\\', '|', '?', '*':
		return n.Rules.Windows
	}
	return unicode.IsControl(r)
}

// lastToEscape returns where the last character stands if it has to be escaped
// only for being last: "." and ".." are folders, and Windows drops a dot or a
// space at the end. Otherwise it returns len(raw).
func (n Names) lastToEscape(raw string) int {
	if raw == "." || raw == ".." {
		return len(raw) - 1
	}
	if c := raw[len(raw)-1]; n.Rules.Windows && (c == '.' || c == ' ') {
		return len(raw) - 1
	}
	return len(raw)
}

// reserved reports names that mean something else than a file of that name.
// The system prefix is looked for in the folded form, since a destination may
// fold more than it was seen to.
func (n Names) reserved(raw string) bool {
	if SystemName(raw) || (!ascii(raw) && SystemName(foldAll(strings.ToValidUTF8(raw, "\uFFFD")))) {
		return true
	}
	return n.Rules.Windows && windowsDevice(raw)
}

// windowsDevice reports whether Windows opens a device under this name. What
// follows the first dot or colon doesn't matter to it, nor do trailing spaces.
func windowsDevice(raw string) bool {
	base := raw
	if i := strings.IndexAny(base, ".:"); i >= 0 {
		base = base[:i]
	}
	base = strings.ToUpper(strings.TrimRight(base, " "))
	switch base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$":
		return true
	}
	port, ok := strings.CutPrefix(base, "COM")
	if !ok {
		port, ok = strings.CutPrefix(base, "LPT")
	}
	if !ok {
		return false
	}
	r, size := utf8.DecodeRuneInString(port)
	return size == len(port) && (('0' <= r && r <= '9') || r == '¹' || r == '²' || r == '³')
}
