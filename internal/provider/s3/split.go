package s3

import (
	"context"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"

	"mooring/internal/key"
	"mooring/internal/provider/driver"
)

// Split implements driver.Splitter. It finds texts between which there are keys
// by asking for the first key behind a text, at most 4n times. How many keys are
// in a part can't be asked: the parts are even in the space of names only.
func (s *source) Split(ctx context.Context, scope driver.Scope, n int) ([]driver.Scope, error) {
	p, err := placeOf("s3.split", scope.Path)
	if err != nil {
		return nil, err
	}
	if n < 2 || scope.Unordered || p.directory() {
		return []driver.Scope{scope}, nil
	}
	sp := &splitting{s: s, p: p, span: p.spanOf(scope), budget: 4 * n}
	if err := sp.run(ctx, n); err != nil {
		return nil, err
	}
	var out []driver.Scope
	rest := scope
	for _, cut := range sp.cuts() {
		at := key.Key(p.bucket + "/" + cut + "\x00") // behind the text that was asked for
		if at <= rest.From || rest.To != "" && at >= rest.To {
			continue
		}
		part := rest
		part.To, rest.From = at, at
		out = append(out, part)
	}
	return append(out, rest), nil
}

// splitting is a search for cuts. An interval holds keys: its first is known;
// behind its bound there are others, or nothing.
type splitting struct {
	s         *source
	p         place
	span      span
	budget    int
	intervals []interval
}

type interval struct {
	first string // the smallest key in it
	cut   string // the text behind which it begins, "" for the first one
	bound string // nothing of it is behind this text; "" when not known
}

func (sp *splitting) run(ctx context.Context, n int) error {
	if sp.span.end && sp.span.to <= sp.span.from {
		return nil
	}
	first, err := sp.behind(ctx, max(before(sp.span.from), strings.TrimSuffix(sp.p.base, "/")))
	if err != nil || first == "" {
		return err
	}
	sp.intervals = []interval{{first: first}}
	if err := sp.prefix(ctx, n); err != nil {
		return err
	}
	for len(sp.intervals) < n && sp.budget > 0 {
		i := sp.widest()
		if i < 0 {
			return nil
		}
		if err := sp.halve(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// behind returns the first key behind a text, "" when there is none.
func (sp *splitting) behind(ctx context.Context, text string) (string, error) {
	sp.budget--
	q := query{op: "s3.split", bucket: sp.p.bucket, prefix: sp.p.base, startAfter: text, max: 1}
	if text < sp.p.base {
		q.startAfter = ""
	}
	l, err := sp.s.list(ctx, q)
	if err != nil || len(l.objects) == 0 {
		return "", err
	}
	if k := aws.ToString(l.objects[0].Key); k > text && sp.span.has(k) {
		return k, nil
	}
	return "", nil
}

// prefix finds what all keys begin with, by asking for keys behind all that
// begin like the first one does: the longer that is, the sooner there are some.
func (sp *splitting) prefix(ctx context.Context, n int) error {
	first := sp.intervals[0].first
	low, high := len(sp.p.base), len(first) // behind first[:low] there is nothing
	for high-low > 1 && sp.budget > n {
		mid := runeStart(first, (low+high+1)/2)
		if mid <= low {
			mid = low + 1
			for mid < high && !utf8.RuneStart(first[mid]) {
				mid++
			}
			if mid >= high {
				break
			}
		}
		text := first[:mid] + maxRune
		k, err := sp.behind(ctx, text)
		switch {
		case err != nil:
			return err
		case k == "":
			low, sp.intervals[0].bound = mid, text
		default:
			high = mid
		}
	}
	return nil
}

// cut divides an interval at a text behind which k is the first key.
func (sp *splitting) cut(i int, text, k string) {
	old := sp.intervals[i]
	sp.intervals[i].bound = text
	sp.intervals = slices.Insert(sp.intervals, i+1, interval{first: k, cut: text, bound: old.bound})
}

// halve asks behind the middle of an interval: it is cut there, or shrinks.
func (sp *splitting) halve(ctx context.Context, i int) error {
	text, ok := sp.intervals[i].middle()
	if !ok {
		return nil
	}
	k, err := sp.behind(ctx, text)
	if err != nil {
		return err
	}
	if k == "" || sp.intervals[i].bound != "" && k > sp.intervals[i].bound {
		sp.intervals[i].bound = text
		return nil
	}
	sp.cut(i, text, k)
	return nil
}

// widest returns the interval that spans most names, or -1 when none can be halved.
func (sp *splitting) widest() int {
	best, most := -1, math.Inf(-1)
	for i, iv := range sp.intervals {
		if w := iv.width(); w > most {
			if _, ok := iv.middle(); ok {
				best, most = i, w
			}
		}
	}
	return best
}

func (sp *splitting) cuts() (out []string) {
	for _, iv := range sp.intervals {
		if iv.cut != "" {
			out = append(out, iv.cut)
		}
	}
	return out
}

// runeStart moves an offset back to where a character begins.
func runeStart(s string, i int) int {
	for i > 0 && i < len(s) && !utf8.RuneStart(s[i]) {
		i--
	}
	return i
}

// Names are measured in the printable characters of ASCII, which most keys
// consist of: others count as the nearest. That decides only where is asked.
const (
	digits = '~' - ' ' + 1
	places = 8
)

// ends returns the ends of an interval as numbers, behind what they share.
func (iv interval) ends() (shared string, low, high uint64) {
	bound := iv.bound
	if bound == "" {
		bound = strings.Repeat("~", places)
		if iv.first > bound {
			bound = maxRune
		}
	}
	n := 0
	for n < len(iv.first) && n < len(bound) && iv.first[n] == bound[n] {
		n++
	}
	n = runeStart(iv.first, n)
	return iv.first[:n], number(iv.first[n:]), number(bound[min(n, len(bound)):])
}

// width is the part of all names that the interval spans, as a logarithm.
func (iv interval) width() float64 {
	shared, low, high := iv.ends()
	if high <= low {
		return math.Inf(-1)
	}
	return math.Log(float64(high-low)) - float64(len(shared))*math.Log(digits)
}

// middle returns a text in the middle of the interval. Where keys go on with
// digits, or letters, what is behind all of these is asked for first: mostly
// there is nothing.
func (iv interval) middle() (string, bool) {
	shared, low, high := iv.ends()
	n := len(shared)
	inside := func(text string) bool { return text > iv.first && (iv.bound == "" || text < iv.bound) }
	if n < len(iv.first) {
		if last := lastLike(iv.first[n]); last != 0 && (n >= len(iv.bound) || iv.bound[n] > last) {
			if text := shared + string(rune(last)) + maxRune; inside(text) {
				return text, true
			}
		}
	}
	if high <= low+1 {
		return "", false
	}
	text := shared + name(low+(high-low)/2)
	return text, inside(text)
}

// lastLike returns the last of the characters like c, 0 when c is of no such sort.
func lastLike(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return '9'
	case 'A' <= c && c <= 'Z':
		return 'Z'
	case 'a' <= c && c <= 'z':
		return 'z'
	}
	return 0
}

func number(s string) (n uint64) {
	for i := range places {
		d := uint64(0)
		if i < len(s) {
			d = uint64(min(max(s[i], ' '), '~') - ' ')
		}
		n = n*digits + d
	}
	return n
}

// name is the inverse of number, without needless characters at its end.
func name(n uint64) string {
	var b [places]byte
	for i := places - 1; i >= 0; i-- {
		b[i] = ' ' + byte(n%digits)
		n /= digits
	}
	return strings.TrimRight(string(b[:]), " ")
}
