package syncing

import (
	"strings"
	"unicode/utf8"
)

// matchGlob reports whether a pattern matches a whole name, case-sensitively.
// As in Python's fnmatch, which the patterns are written for:
//
//   - any characters, slashes too
//     ?       any one character
//     [a-z]   any one of them; [!a-z] and [^a-z] any other one
//     []] [-] a bracket first, or a minus first or last, stands for itself
//     [       without its end, for itself
//
// There is no escape character: "[*]" is a star. Beyond fnmatch, "**/" at the
// start or after a slash also matches nothing at all, as users of gitignore and
// rclone expect. Nothing in a pattern is an error.
//
// It needs no memory, and at most time proportional to pattern times name: only
// the last star that was met is ever taken up again, since whatever an earlier
// one could take, the last one can take too.
func matchGlob(pattern, name string) bool {
	p, n := 0, 0
	star := false       // there is a star to come back to
	starP, next := 0, 0 // the pattern after it, and the next place in name to try
	folders := false    // it is a "**/", which goes on after slashes only
	for {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			starP, folders = afterStar(pattern, p)
			star, next, p = true, n, starP
			continue
		case p < len(pattern) && n < len(name):
			if pl, nl, ok := matchOne(pattern[p:], name[n:]); ok {
				p, n = p+pl, n+nl
				continue
			}
		case p == len(pattern) && n == len(name):
			return true
		}
		if !star || next >= len(name) {
			return false
		}
		if folders {
			slash := strings.IndexByte(name[next:], '/')
			if slash < 0 {
				return false
			}
			next += slash + 1
		} else {
			_, size := utf8.DecodeRuneInString(name[next:])
			next += size
		}
		p, n = starP, next
	}
}

// afterStar returns where the pattern goes on after the stars at p, and whether
// they and a slash form a "**/".
func afterStar(pattern string, p int) (next int, folders bool) {
	start := p
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	if p == start+2 && p < len(pattern) && pattern[p] == '/' && (start == 0 || pattern[start-1] == '/') {
		return p + 1, true
	}
	return p, false
}

// matchOne matches one character, and returns what it took of both. A byte that
// is no UTF-8 is a character of its own.
func matchOne(pattern, name string) (pattLen, nameLen int, ok bool) {
	r, nameLen := utf8.DecodeRuneInString(name)
	switch pattern[0] {
	case '?':
		return 1, nameLen, true
	case '[':
		if length := classLength(pattern); length > 0 {
			return length, nameLen, inClass(pattern[1:length-1], r)
		}
	}
	want, pattLen := utf8.DecodeRuneInString(pattern)
	return pattLen, nameLen, want == r && pattern[:pattLen] == name[:nameLen]
}

// classLength returns the length of the "[…]" that a pattern begins with, or 0
// if it has no end.
func classLength(pattern string) int {
	i := 1
	if i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^') {
		i++
	}
	if i < len(pattern) && pattern[i] == ']' {
		i++
	}
	end := strings.IndexByte(pattern[min(i, len(pattern)):], ']')
	if end < 0 {
		return 0
	}
	return i + end + 1
}

func inClass(class string, r rune) bool {
	negated := class[0] == '!' || class[0] == '^'
	if negated {
		class = class[1:]
	}
	for class != "" {
		low, size := utf8.DecodeRuneInString(class)
		class = class[size:]
		high := low
		if len(class) > 1 && class[0] == '-' {
			high, size = utf8.DecodeRuneInString(class[1:])
			class = class[1+size:]
		}
		if low <= r && r <= high {
			return !negated
		}
	}
	return negated
}
