package snowflake

import (
	"strconv"
)

// statement is what parse returns: one of alterStatement, useStatement,
// showStatement, describeStatement and selectStatement.
type statement any

type alterStatement struct{ params []param }

type param struct{ name, value string }

type useStatement struct {
	what string // DATABASE, SCHEMA, WAREHOUSE or ROLE
	name path
}

type showStatement struct {
	what       string // DATABASES, SCHEMAS, TABLES, VIEWS, OBJECTS or COLUMNS
	in         string // DATABASE, SCHEMA, TABLE, VIEW, or nothing
	name       path
	like       *string
	startsWith string
	limit      int // -1 for none
	from       string
}

type describeStatement struct {
	what string // TABLE or VIEW
	name path
}

type selectStatement struct {
	items []item
	from  path // nil without FROM
	at    expr
	where expr
	order []order
	limit int // -1 for none
}

type item struct {
	expr expr // nil for *
	name string
}

type order struct {
	expr       expr
	desc       bool
	nullsFirst bool
}

// parser reads tokens. After an error it reads on from the end, so that callers
// need to look at err only once.
type parser struct {
	tokens []tok
	pos    int
	depth  int
	params int
	err    error
}

// maxDepth bounds the nesting of expressions.
const maxDepth = 200

// parse reads one statement.
func parse(sql string) (statement, error) {
	tokens, err := lex(sql)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens}
	st := p.statement()
	p.end()
	if p.err != nil {
		return nil, p.err
	}
	return st, nil
}

// parseExpr reads an expression alone.
func parseExpr(text string) (expr, error) {
	tokens, err := lex(text)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens}
	e := p.expr()
	p.end()
	return e, p.err
}

func (p *parser) statement() statement {
	switch {
	case p.word("SELECT"):
		return p.selection()
	case p.word("SHOW"):
		return p.show()
	case p.word("DESCRIBE"), p.word("DESC"):
		return describeStatement{p.oneOf("TABLE", "VIEW"), p.path()}
	case p.word("ALTER"):
		p.expect("SESSION")
		p.expect("SET")
		return p.alter()
	case p.word("USE"):
		return useStatement{p.oneOf("DATABASE", "SCHEMA", "WAREHOUSE", "ROLE"), p.path()}
	}
	p.unexpected()
	return nil
}

func (p *parser) alter() statement {
	var st alterStatement
	for {
		name := p.identifier()
		p.expectSymbol("=")
		t := p.next()
		switch t.kind {
		case tokenText, tokenNumber, tokenWord:
		default:
			p.back()
			p.unexpected()
		}
		st.params = append(st.params, param{name, t.text})
		p.symbol(",")
		if p.err != nil || p.peek().kind == tokenEnd {
			return st
		}
	}
}

func (p *parser) show() statement {
	st := showStatement{limit: -1, what: p.oneOf("DATABASES", "SCHEMAS", "TABLES", "VIEWS", "OBJECTS", "COLUMNS")}
	if st.what != "COLUMNS" && p.word("LIKE") {
		like := p.text()
		st.like = &like
	}
	switch {
	case st.what == "COLUMNS":
		p.expect("IN")
		st.in, st.name = p.oneOf("TABLE", "VIEW"), p.path()
		return st
	case st.what == "DATABASES":
	case p.word("IN"):
		if st.in = "DATABASE"; st.what != "SCHEMAS" {
			st.in = p.oneOf("DATABASE", "SCHEMA")
		} else {
			p.expect("DATABASE")
		}
		st.name = p.path()
	}
	if p.word("STARTS") {
		p.expect("WITH")
		st.startsWith = p.text()
	}
	if p.word("LIMIT") {
		st.limit = p.count()
		if p.word("FROM") {
			st.from = p.text()
		}
	}
	return st
}

func (p *parser) selection() statement {
	st := selectStatement{limit: -1}
	for {
		st.items = append(st.items, p.item())
		if !p.symbol(",") {
			break
		}
	}
	if !p.word("FROM") {
		return st
	}
	st.from = p.path()
	if p.word("AT") {
		p.expectSymbol("(")
		p.expect("TIMESTAMP")
		p.expectSymbol("=>")
		st.at = p.expr()
		p.expectSymbol(")")
	}
	if p.word("WHERE") {
		st.where = p.expr()
	}
	if p.word("ORDER") {
		p.expect("BY")
		for {
			st.order = append(st.order, p.order())
			if !p.symbol(",") {
				break
			}
		}
	}
	if p.word("LIMIT") {
		st.limit = p.count()
	}
	return st
}

func (p *parser) item() item {
	if p.symbol("*") {
		return item{}
	}
	start := p.peek().at
	e := p.expr()
	it := item{expr: e, name: columnName(e, start)}
	if p.word("AS") {
		it.name = p.identifier()
	} else if k := p.peek(); k.kind == tokenQuoted || k.kind == tokenWord && !clause(k.text) {
		it.name = p.identifier()
	}
	return it
}

// clause says whether a word begins what may follow an item.
func clause(word string) bool { return word == "FROM" }

func (p *parser) order() order {
	o := order{expr: p.expr()}
	if p.word("DESC") {
		o.desc = true
	} else {
		p.word("ASC")
	}
	o.nullsFirst = o.desc
	if p.word("NULLS") {
		o.nullsFirst = p.oneOf("FIRST", "LAST") == "FIRST"
	}
	return o
}

// path reads identifiers joined by dots.
func (p *parser) path() path {
	out := path{p.identifier()}
	for len(out) < 3 && p.symbol(".") {
		out = append(out, p.identifier())
	}
	return out
}

func (p *parser) identifier() string {
	if t := p.next(); t.kind == tokenWord || t.kind == tokenQuoted {
		return t.text
	}
	p.back()
	p.unexpected()
	return ""
}

func (p *parser) text() string {
	if t := p.next(); t.kind == tokenText {
		return t.text
	}
	p.back()
	p.unexpected()
	return ""
}

func (p *parser) count() int {
	if t := p.next(); t.kind == tokenNumber {
		if n, err := strconv.Atoi(t.text); err == nil {
			return n
		}
	}
	p.back()
	p.unexpected()
	return 0
}

func (p *parser) peek() tok {
	if p.err != nil {
		return p.tokens[len(p.tokens)-1]
	}
	return p.tokens[p.pos]
}

func (p *parser) next() tok {
	t := p.peek()
	if p.pos < len(p.tokens)-1 {
		p.pos++
	}
	return t
}

// back unreads the token that next has returned.
func (p *parser) back() {
	if p.pos > 0 && p.tokens[p.pos].kind != tokenEnd {
		p.pos--
	}
}

// word reads a keyword if it is the next.
func (p *parser) word(w string) bool {
	if t := p.peek(); t.kind != tokenWord || t.text != w {
		return false
	}
	p.next()
	return true
}

func (p *parser) expect(w string) {
	if !p.word(w) {
		p.unexpected()
	}
}

func (p *parser) oneOf(words ...string) string {
	for _, w := range words {
		if p.word(w) {
			return w
		}
	}
	p.unexpected()
	return ""
}

// symbol reads a symbol if it is the next.
func (p *parser) symbol(s string) bool {
	if t := p.peek(); t.kind != tokenSymbol || t.text != s {
		return false
	}
	p.next()
	return true
}

func (p *parser) expectSymbol(s string) {
	if !p.symbol(s) {
		p.unexpected()
	}
}

// end expects that nothing follows.
func (p *parser) end() {
	if p.peek().kind != tokenEnd {
		p.unexpected()
	}
}

// unexpected refuses the next token, unless something was refused before.
func (p *parser) unexpected() {
	if p.err == nil {
		t := p.peek()
		if t.kind == tokenEnd {
			t.text = "<EOF>"
		}
		p.err = syntax(t.at, t.text)
	}
}
