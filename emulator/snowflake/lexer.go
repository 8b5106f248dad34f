package snowflake

import (
	"strings"
	"unicode/utf8"
)

type tokenKind int

const (
	tokenEnd    tokenKind = iota
	tokenWord             // an unquoted identifier or keyword, upper-cased
	tokenQuoted           // a quoted identifier
	tokenText             // 'text'
	tokenNumber
	tokenSymbol
)

type tok struct {
	kind tokenKind
	text string
	at   int
}

// symbols are those of two characters, and then those of one.
const (
	symbols2 = "<= >= <> != => ::"
	symbols1 = "(),.?*=<>-"
)

// maxStatement is Snowflake's limit for the text of a statement, in bytes.
const maxStatement = 1 << 20

// lex cuts a statement into tokens. Comments and statement separators are not
// part of the grammar.
func lex(sql string) ([]tok, error) {
	if len(sql) > maxStatement || !utf8.ValidString(sql) {
		return nil, failf("001003", "SQL compilation error: the statement is too long or not UTF-8.")
	}
	var out []tok
	for i := 0; ; {
		for i < len(sql) && strings.IndexByte(" \t\r\n", sql[i]) >= 0 {
			i++
		}
		if i == len(sql) {
			return append(out, tok{kind: tokenEnd, at: i}), nil
		}
		t, n := scan(sql[i:])
		if n == 0 {
			return nil, syntax(i, sql[i:])
		}
		t.at = i
		out = append(out, t)
		i += n
	}
}

// scan reads the token that s begins with, and its length; 0 if there is none.
func scan(s string) (tok, int) {
	switch c := s[0]; {
	case c == '\'':
		text, n := quoted(s, '\'')
		return tok{kind: tokenText, text: unescape(text)}, n
	case c == '"':
		text, n := quoted(s, '"')
		if text == "" || utf8.RuneCountInString(text) > maxIdentifier {
			return tok{}, 0
		}
		return tok{kind: tokenQuoted, text: text}, n
	case wordStart(c):
		n := 1
		for n < len(s) && (wordStart(s[n]) || digit(s[n]) || s[n] == '$') {
			n++
		}
		return tok{kind: tokenWord, text: strings.ToUpper(s[:n])}, n
	case digit(c):
		n := numberLength(s)
		return tok{kind: tokenNumber, text: s[:n]}, n
	}
	if len(s) > 1 && s[1] != ' ' && strings.Contains(symbols2, s[:2]) {
		return tok{kind: tokenSymbol, text: s[:2]}, 2
	}
	if strings.IndexByte(symbols1, s[0]) >= 0 {
		return tok{kind: tokenSymbol, text: s[:1]}, 1
	}
	return tok{}, 0
}

// quoted reads a text between quotes; a doubled quote is one, and in a 'text' a
// backslash takes the next character along.
func quoted(s string, quote byte) (string, int) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quote == '\'' && i+1 < len(s):
			b.WriteString(s[i : i+2])
			i++
		case s[i] != quote:
			b.WriteByte(s[i])
		case i+1 < len(s) && s[i+1] == quote:
			b.WriteByte(quote)
			i++
		default:
			return b.String(), i + 1
		}
	}
	return "", 0
}

// unescape replaces the backslash sequences of a text.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	return strings.NewReplacer(`\\`, `\`, `\'`, `'`, `\n`, "\n", `\t`, "\t", `\r`, "\r", `\"`, `"`, `\`, "").Replace(s)
}

// numberLength is how much of s is a number: digits, a fraction, an exponent.
func numberLength(s string) int {
	n := digits(s, 0)
	if n+1 < len(s) && s[n] == '.' && digit(s[n+1]) {
		n = digits(s, n+1)
	}
	if n < len(s) && (s[n] == 'e' || s[n] == 'E') {
		e := n + 1
		if e < len(s) && (s[e] == '+' || s[e] == '-') {
			e++
		}
		if e < len(s) && digit(s[e]) {
			n = digits(s, e)
		}
	}
	return n
}

// digits is where the digits from i on end.
func digits(s string, i int) int {
	for i < len(s) && digit(s[i]) {
		i++
	}
	return i
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func wordStart(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// syntax is the refusal of a text from a position on.
func syntax(at int, near string) *failure {
	near, _, _ = strings.Cut(near, " ")
	if len(near) > 30 {
		near = near[:30]
	}
	return failf("001003", "SQL compilation error:\nsyntax error line 1 at position %d unexpected '%s'.", at, near)
}
