package s3

import (
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"
)

// maxListKeys is the most that a page of a list holds.
const maxListKeys = 1000

// listQuery is what a list request asks.
type listQuery struct {
	v2         bool
	prefix     string
	delimiter  string
	startAfter string // V1: the marker
	token      string
	hasToken   bool
	maxKeys    int
	encode     bool
	owner      bool
}

// parseList reads the query of a list request.
func parseList(q url.Values) (listQuery, error) {
	l := listQuery{
		v2:     q.Get("list-type") == "2",
		prefix: q.Get("prefix"), delimiter: q.Get("delimiter"), maxKeys: maxListKeys,
	}
	switch q.Get("encoding-type") {
	case "":
	case "url":
		l.encode = true
	default:
		return l, invalid("encoding-type", q.Get("encoding-type"), "Invalid Encoding Method specified in Request")
	}
	if v := q.Get("max-keys"); v != "" {
		n, err := strconv.ParseInt(v, 10, 32)
		if err != nil || n < 0 {
			return l, invalid("max-keys", v, "Argument max-keys must be an integer between 0 and 2147483647")
		}
		l.maxKeys = min(int(n), maxListKeys)
	}
	if !l.v2 {
		l.startAfter, l.owner = q.Get("marker"), true
		return l, nil
	}
	l.startAfter, l.owner = q.Get("start-after"), q.Get("fetch-owner") == "true"
	if l.hasToken = q.Has("continuation-token"); l.hasToken {
		l.token = q.Get("continuation-token")
		if _, ok := openToken(l.token); !ok {
			return l, invalid("continuation-token", l.token, "The continuation token provided is incorrect")
		}
	}
	return l, nil
}

func invalid(name, value, message string) *Error {
	e := failure("InvalidArgument", Element{"ArgumentName", name}, Element{"ArgumentValue", value})
	e.Message = message
	return e
}

// A continuation token holds the smallest string at which the next page may
// begin. Clients must take it as opaque, so it is not readable at a glance.
const tokenMark = "\x01"

func sealToken(from string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(tokenMark + from))
}

func openToken(token string) (from string, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return "", false
	}
	return strings.CutPrefix(string(raw), tokenMark)
}

// from is the smallest string at which the page may begin.
func (l listQuery) from() string {
	start := ""
	switch {
	case l.hasToken:
		start, _ = openToken(l.token)
	case l.startAfter != "":
		start = l.startAfter + "\x00"
		if next, ok := successor(l.startAfter); ok && l.group(l.startAfter) == l.startAfter {
			start = next // behind all that the common prefix stands for
		}
	}
	return max(start, l.prefix)
}

// group returns the common prefix under which a delimiter hides a key, or "".
func (l listQuery) group(key string) string {
	rest, ok := strings.CutPrefix(key, l.prefix)
	if !ok || l.delimiter == "" {
		return ""
	}
	i := strings.Index(rest, l.delimiter)
	if i < 0 {
		return ""
	}
	return key[:len(l.prefix)+i+len(l.delimiter)]
}

// successor returns the smallest string behind all that begin with a prefix.
func successor(prefix string) (string, bool) {
	b := []byte(prefix)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] != 0xFF {
			b[i]++
			return string(b[:i+1]), true
		}
	}
	return "", false
}

// page is a page of a list. Objects and common prefixes are each in order.
type page struct {
	objects   []*object
	prefixes  []string
	last      string // the last key or common prefix
	truncated bool
	next      string // where the next page begins
}

func (p *page) count() int { return len(p.objects) + len(p.prefixes) }

// take reads a page of at most limit entries.
func (l listQuery) take(sc scan, limit int) (*page, error) {
	p := &page{next: l.from()}
	if limit == 0 {
		return p, nil
	}
	for {
		o, err := sc.ceil(p.next)
		if err != nil || o == nil || !strings.HasPrefix(o.key, l.prefix) {
			return p, err
		}
		if p.count() == limit {
			p.truncated = true
			return p, nil
		}
		if group := l.group(o.key); group != "" {
			p.prefixes, p.last = append(p.prefixes, group), group
			next, more := successor(group)
			if !more {
				return p, nil
			}
			p.next = next
			continue
		}
		p.objects, p.last = append(p.objects, o), o.key
		p.next = o.key + "\x00"
	}
}

// list answers ListObjects and ListObjectsV2.
func (x *exchange) list() error {
	b, err := x.s.bucket(x.entry.Bucket)
	if err != nil {
		return err
	}
	l, err := parseList(x.query)
	if err != nil {
		return err
	}
	plan := x.plan.list
	limit := l.maxKeys
	if plan.limit > 0 {
		limit = min(limit, plan.limit)
	}
	p := &page{}
	if !plan.empty {
		if p, err = l.take(b.scan(), limit); err != nil {
			return err
		}
	}
	p.disturb(plan)
	x.send(x.renderList(l, p, x.s.encoder(l.encode && !plan.unencoded)))
	return nil
}

// disturb does to a page what the faults say.
func (p *page) disturb(plan listPlan) {
	if plan.claimEnd {
		p.truncated = false
	}
	if plan.overlap && len(p.objects) > 0 {
		p.next = p.objects[len(p.objects)-1].key
	}
	if plan.duplicate && len(p.objects) > 0 {
		p.objects = append(p.objects[:1:1], p.objects...)
	}
	if plan.reverse {
		reverse(p.objects)
		reverse(p.prefixes)
	}
}

func reverse[T any](s []T) {
	for i, j := 0, len(s)-1; i < j; i, j = i+1, j-1 {
		s[i], s[j] = s[j], s[i]
	}
}
