package gdrive

import (
	"slices"
	"strings"
	"time"
)

// query is a search of files.list, read. Nil of its condition is all files.
type query struct {
	node     node
	fullText bool // it has such a term
}

// node is a condition.
type node interface {
	matches(u *user, i *item) bool
	// parents are the folders one of which an item must be in to match, if the condition
	// says so.
	parents() ([]string, bool)
}

func (q *query) matches(u *user, i *item) bool { return q.node == nil || q.node.matches(u, i) }

func (q *query) parents() ([]string, bool) {
	if q.node == nil {
		return nil, false
	}
	return q.node.parents()
}

type (
	and  struct{ a, b node }
	or   struct{ a, b node }
	not  struct{ a node }
	term struct {
		match  func(u *user, i *item) bool
		parent string // of a term on parents
	}
)

func (n and) matches(u *user, i *item) bool  { return n.a.matches(u, i) && n.b.matches(u, i) }
func (n or) matches(u *user, i *item) bool   { return n.a.matches(u, i) || n.b.matches(u, i) }
func (n not) matches(u *user, i *item) bool  { return !n.a.matches(u, i) }
func (n term) matches(u *user, i *item) bool { return n.match(u, i) }

func (n and) parents() ([]string, bool) {
	if p, ok := n.a.parents(); ok {
		return p, true
	}
	return n.b.parents()
}

func (n or) parents() ([]string, bool) {
	a, ok := n.a.parents()
	b, both := n.b.parents()
	return slices.Concat(a, b), ok && both
}

func (n not) parents() ([]string, bool)  { return nil, false }
func (n term) parents() ([]string, bool) { return []string{n.parent}, n.parent != "" }

// Bounds of a query.
const (
	maxQuery      = 64 << 10
	maxQueryDepth = 100
)

// parseQuery reads the query language of Drive. What it does not know is refused, as
// Drive does.
func parseQuery(text string) (*query, error) {
	q := &query{}
	if strings.TrimSpace(text) == "" {
		return q, nil
	}
	p := queryParser{rest: text, q: q}
	p.next()
	if len(text) <= maxQuery {
		q.node = p.or(0)
	}
	if p.bad || p.kind != end || q.node == nil {
		return nil, badParameter("q", "invalid", "Invalid Value")
	}
	return q, nil
}

// kind is what a token of a query is.
type kind int

const (
	end kind = iota
	word
	literal
	symbol
)

type queryParser struct {
	q    *query
	rest string
	kind kind   // of the token that is next
	text string // of a literal without quotes and escapes
	bad  bool
}

func (p *queryParser) fail() node {
	p.bad, p.kind, p.text, p.rest = true, end, "", ""
	return nil
}

// next reads a token.
func (p *queryParser) next() {
	p.rest = strings.TrimLeft(p.rest, " \t\r\n")
	p.kind, p.text = end, ""
	if p.rest == "" {
		return
	}
	switch c := p.rest[0]; {
	case c == '\'':
		p.literal()
	case isWord(c):
		n := 1
		for n < len(p.rest) && isWord(p.rest[n]) {
			n++
		}
		p.kind, p.text, p.rest = word, p.rest[:n], p.rest[n:]
	default:
		for _, s := range []string{"<=", ">=", "!=", "<", ">", "=", "(", ")", "{", "}"} {
			if rest, ok := strings.CutPrefix(p.rest, s); ok {
				p.kind, p.text, p.rest = symbol, s, rest
				return
			}
		}
		p.fail()
	}
}

func isWord(c byte) bool {
	return c == '.' || c == '_' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

// literal reads what is in quotes: \' and \\ stand for ' and \.
func (p *queryParser) literal() {
	var out strings.Builder
	for n := 1; n < len(p.rest); n++ {
		switch c := p.rest[n]; c {
		case '\'':
			p.kind, p.text, p.rest = literal, out.String(), p.rest[n+1:]
			return
		case '\\':
			if n++; n == len(p.rest) || p.rest[n] != '\'' && p.rest[n] != '\\' {
				p.fail()
				return
			}
			out.WriteByte(p.rest[n])
		default:
			out.WriteByte(c)
		}
	}
	p.fail()
}

func (p *queryParser) take(k kind, text string) bool {
	if p.kind != k || p.text != text {
		return false
	}
	p.next()
	return true
}

func (p *queryParser) or(depth int) node {
	n := p.and(depth)
	for !p.bad && p.take(word, "or") {
		n = or{n, p.and(depth)}
	}
	return n
}

func (p *queryParser) and(depth int) node {
	n := p.not(depth)
	for !p.bad && p.take(word, "and") {
		n = and{n, p.not(depth)}
	}
	return n
}

func (p *queryParser) not(depth int) node {
	switch {
	case depth > maxQueryDepth:
		return p.fail()
	case p.take(word, "not"):
		return not{p.not(depth + 1)}
	case p.take(symbol, "("):
		n := p.or(depth + 1)
		if !p.take(symbol, ")") {
			return p.fail()
		}
		return n
	case p.kind == literal:
		return p.membership()
	case p.kind == word:
		return p.term()
	}
	return p.fail()
}

// membership reads 'value' in collection.
func (p *queryParser) membership() node {
	value := p.text
	p.next()
	if !p.take(word, "in") || p.kind != word {
		return p.fail()
	}
	collection := p.text
	p.next()
	switch collection {
	case "parents":
		if value == "" {
			return p.fail()
		}
		return term{parent: value, match: func(u *user, i *item) bool {
			return i.parent != nil && (i.parent.id == value || value == "root" && i.parent == u.root)
		}}
	case "owners":
		return holder(value, func(u *user, i *item) *user { return i.root().home.user }, nil)
	case "writers":
		return holder(value, func(u *user, i *item) *user { return i.root().home.user }, members)
	case "readers":
		return holder(value, func(u *user, i *item) *user { return i.root().home.user }, readers)
	}
	return p.fail()
}

func members(i *item) []*user {
	if d := i.drive(); d != nil {
		return d.members
	}
	return nil
}

func readers(i *item) []*user {
	out := slices.Clone(members(i))
	for ; i != nil; i = i.parent {
		out = append(out, i.grants...)
	}
	return out
}

// holder matches items that a user has a role on. me is who asks.
func holder(email string, owner func(*user, *item) *user, others func(*item) []*user) node {
	return term{match: func(u *user, i *item) bool {
		is := func(h *user) bool {
			return h != nil && (strings.EqualFold(h.email, email) || email == "me" && h == u)
		}
		return is(owner(u, i)) || others != nil && slices.ContainsFunc(others(i), is)
	}}
}

// term reads a condition that begins with a name.
func (p *queryParser) term() node {
	name := p.text
	p.next()
	if name == "properties" || name == "appProperties" {
		return p.property(name)
	}
	if name == "sharedWithMe" && (p.kind == end || p.text == "and" || p.text == "or" || p.text == ")") {
		return term{match: sharedWithMe}
	}
	op := p.text
	if p.kind == end || p.kind == literal {
		return p.fail()
	}
	p.next()
	value, quoted := p.text, p.kind == literal
	if !quoted && p.kind != word {
		return p.fail()
	}
	p.next()
	match := compare(name, op, value, quoted)
	if match == nil {
		return p.fail()
	}
	p.q.fullText = p.q.fullText || name == "fullText"
	return term{match: match}
}

// property reads has { key='…' and value='…' }.
func (p *queryParser) property(collection string) node {
	key, value := "", ""
	ok := p.take(word, "has") && p.take(symbol, "{") && p.quoted("key", &key) && p.take(word, "and") && p.quoted("value", &value) &&
		p.take(symbol, "}")
	if !ok {
		return p.fail()
	}
	return term{match: func(_ *user, i *item) bool {
		have, ok := i.properties[key]
		return collection == "properties" && ok && have == value
	}}
}

func (p *queryParser) quoted(name string, value *string) bool {
	if !p.take(word, name) || !p.take(symbol, "=") || p.kind != literal {
		return false
	}
	*value = p.text
	p.next()
	return true
}

type matcher = func(u *user, i *item) bool

// compare makes the condition "name op value", nil if there is no such thing.
func compare(name, op, value string, quoted bool) matcher {
	switch name {
	case "name", "mimeType", "fullText", "shortcutDetails.targetId", "visibility":
		if quoted {
			return compareText(name, op, value)
		}
	case "modifiedTime", "createdTime", "viewedByMeTime":
		if quoted {
			return compareTime(name, op, value)
		}
	case "trashed", "starred", "sharedWithMe":
		if !quoted {
			return compareBool(name, op, value)
		}
	}
	return nil
}

func compareText(name, op, value string) matcher {
	get := map[string]func(*item) string{
		"name":     func(i *item) string { return i.name },
		"fullText": func(i *item) string { return i.name },
		"mimeType": func(i *item) string { return i.mime },
		"shortcutDetails.targetId": func(i *item) string {
			if i.target == nil {
				return ""
			}
			return i.target.id
		},
		"visibility": func(i *item) string {
			if i.resourceKey != "" {
				return "anyoneWithLink"
			}
			return "limited"
		},
	}[name]
	equal := func(_ *user, i *item) bool { return get(i) == value }
	switch {
	case op == "contains" && name == "mimeType":
		return func(_ *user, i *item) bool { return strings.Contains(i.mime, value) }
	case op == "contains" && (name == "name" || name == "fullText"):
		return func(_ *user, i *item) bool { return containsPrefix(i.name, value) }
	case name == "fullText":
		return nil
	case op == "=":
		return equal
	case op == "!=" && name != "visibility":
		return func(u *user, i *item) bool { return !equal(u, i) }
	}
	return nil
}

// containsPrefix says whether a word of a name begins with a text, whatever its case.
func containsPrefix(name, prefix string) bool {
	name, prefix = strings.ToLower(name), strings.ToLower(prefix)
	for from := 0; ; {
		at := strings.Index(name[from:], prefix)
		if at < 0 {
			return false
		}
		if at += from; at == 0 || !isWord(name[at-1]) || name[at-1] == '_' || name[at-1] == '.' {
			return true
		}
		from = at + 1
	}
}

func compareBool(name, op, value string) matcher {
	if value != "true" && value != "false" || op != "=" && op != "!=" {
		return nil
	}
	get := map[string]matcher{
		"trashed":      func(_ *user, i *item) bool { return i.isTrashed() },
		"starred":      func(_ *user, i *item) bool { return i.starred },
		"sharedWithMe": sharedWithMe,
	}[name]
	want := (value == "true") == (op == "=")
	return func(u *user, i *item) bool { return get(u, i) == want }
}

func sharedWithMe(u *user, i *item) bool { return slices.Contains(i.grants, u) }

func compareTime(name, op, value string) matcher {
	var at time.Time
	var err error
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05.999999999", time.DateOnly} {
		if at, err = time.Parse(layout, value); err == nil {
			break
		}
	}
	holds, ok := map[string]func(int) bool{
		"<": func(c int) bool { return c < 0 }, "<=": func(c int) bool { return c <= 0 }, "=": func(c int) bool { return c == 0 },
		"!=": func(c int) bool { return c != 0 }, ">": func(c int) bool { return c > 0 }, ">=": func(c int) bool { return c >= 0 },
	}[op]
	if err != nil || !ok {
		return nil
	}
	get := map[string]func(*item) time.Time{
		"modifiedTime": func(i *item) time.Time { return i.modified }, "createdTime": func(i *item) time.Time { return i.created },
	}[name]
	return func(_ *user, i *item) bool { return get != nil && holds(get(i).Truncate(time.Millisecond).Compare(at)) }
}
