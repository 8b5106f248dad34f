package snowflake

import (
	"fmt"
	"strconv"
	"strings"
)

// expr is an expression as it was written.
type expr any

type (
	columnExpr  struct{ name string }
	bindExpr    struct{ n int } // counts from 1
	literalExpr struct {
		cell any
		typ  Column
	}
	callExpr struct {
		name string
		args []expr
		star bool // COUNT(*)
	}
	compareExpr struct {
		op   string
		l, r expr
	}
	logicExpr struct {
		and  bool
		list []expr
	}
	notExpr  struct{ e expr }
	nullExpr struct {
		e   expr
		not bool
	}
	castExpr struct {
		e   expr
		typ Column
	}
)

// expr reads a disjunction.
func (p *parser) expr() expr {
	if p.depth++; p.depth > maxDepth {
		p.unexpected()
		return nil
	}
	defer func() { p.depth-- }()
	return p.logic("OR", func() expr { return p.logic("AND", p.negation) })
}

func (p *parser) logic(word string, operand func() expr) expr {
	list := []expr{operand()}
	for p.word(word) {
		list = append(list, operand())
	}
	if len(list) == 1 {
		return list[0]
	}
	return logicExpr{word == "AND", list}
}

func (p *parser) negation() expr {
	not := false
	for p.word("NOT") {
		not = !not
	}
	e := p.comparison()
	if not {
		return notExpr{e}
	}
	return e
}

func (p *parser) comparison() expr {
	l := p.operand()
	switch t := p.peek(); {
	case p.word("IS"):
		not := p.word("NOT")
		p.expect("NULL")
		return nullExpr{l, not}
	case p.word("IN"):
		return p.in(l)
	case p.word("NOT"):
		p.expect("IN")
		return notExpr{p.in(l)}
	case t.kind == tokenSymbol:
		switch op := t.text; op {
		case "=", "<", "<=", ">", ">=", "<>", "!=":
			p.next()
			if op == "!=" {
				op = "<>"
			}
			return compareExpr{op, l, p.operand()}
		}
	}
	return l
}

// in reads the list of x IN (list), which is a disjunction of equalities.
func (p *parser) in(l expr) expr {
	p.expectSymbol("(")
	var list []expr
	for {
		list = append(list, compareExpr{"=", l, p.operand()})
		if !p.symbol(",") {
			break
		}
	}
	p.expectSymbol(")")
	return logicExpr{false, list}
}

func (p *parser) operand() expr {
	e := p.primary()
	for p.symbol("::") {
		e = castExpr{e, p.typeName()}
	}
	return e
}

func (p *parser) primary() expr {
	t := p.next()
	switch t.kind {
	case tokenText:
		return literalExpr{t.text, Column{Type: Varchar}}
	case tokenNumber:
		return p.number(t.text)
	case tokenQuoted:
		return columnExpr{t.text}
	case tokenWord:
		return p.named(t.text)
	case tokenSymbol:
		switch t.text {
		case "?":
			p.params++
			return bindExpr{p.params}
		case "-":
			if n := p.peek(); n.kind == tokenNumber {
				p.next()
				return p.number("-" + n.text)
			}
		case "(":
			e := p.expr()
			p.expectSymbol(")")
			return e
		}
	case tokenEnd:
	}
	p.back()
	p.unexpected()
	return nil
}

func (p *parser) number(text string) expr {
	d, ok := parseDecimal(text)
	if !ok {
		p.unexpected()
		return nil
	}
	return literalExpr{d, Column{Type: Number, Precision: maxPrecision, Scale: max(0, d.scale)}}
}

// reserved words are no names of columns.
var reserved = map[string]bool{
	"SELECT": true, "FROM": true, "WHERE": true, "ORDER": true, "BY": true, "AND": true, "OR": true, "NOT": true, "IN": true,
	"IS": true, "AS": true, "LIKE": true,
}

// named reads what begins with a word: a literal, a call, a cast, a column.
func (p *parser) named(word string) expr {
	switch word {
	case "TRUE", "FALSE":
		return literalExpr{word == "TRUE", Column{Type: Boolean}}
	case "NULL":
		return literalExpr{nil, Column{Type: Varchar, Nullable: true}}
	case "CAST":
		p.expectSymbol("(")
		e := p.expr()
		p.expect("AS")
		c := castExpr{e, p.typeName()}
		p.expectSymbol(")")
		return c
	}
	if reserved[word] {
		p.back()
		p.unexpected()
		return nil
	}
	if !p.symbol("(") {
		return columnExpr{word}
	}
	c := callExpr{name: word}
	if p.symbol(")") {
		return c
	}
	if word == "COUNT" && p.symbol("*") {
		c.star = true
		p.expectSymbol(")")
		return c
	}
	for {
		c.args = append(c.args, p.expr())
		if !p.symbol(",") {
			break
		}
	}
	p.expectSymbol(")")
	return c
}

// typeName reads a type with its precision and scale.
func (p *parser) typeName() Column {
	t := p.next()
	typ, ok := typeNames[t.text]
	if t.kind != tokenWord || !ok {
		p.back()
		p.unexpected()
		return Column{}
	}
	c := Column{Type: typ, Nullable: true}
	var args []int
	if p.symbol("(") {
		for {
			args = append(args, p.count())
			if !p.symbol(",") {
				break
			}
		}
		p.expectSymbol(")")
	}
	if !c.sized(args) {
		p.unexpected()
	}
	return c.withDefaults()
}

// sized takes the arguments of a type, and says whether it has such.
func (c *Column) sized(args []int) bool {
	switch {
	case len(args) == 0:
		return true
	case c.Type == Number && len(args) <= 2:
		c.Precision = args[0]
		if len(args) == 2 {
			c.Scale = args[1]
		}
		return c.Precision >= 1 && c.Precision <= maxPrecision && c.Scale >= 0 && c.Scale <= min(37, c.Precision)
	case c.timed() && len(args) == 1:
		if c.Scale = args[0]; c.Scale == 0 {
			c.Scale = noFraction
		}
		return args[0] >= 0 && args[0] <= maxFraction
	case c.Type == Varchar, c.Type == Binary:
		return len(args) == 1 && args[0] >= 1
	}
	return false
}

// columnName is how a result calls an item without an alias.
func columnName(e expr, at int) string {
	switch e := e.(type) {
	case columnExpr:
		return e.name
	case callExpr:
		args := make([]string, len(e.args))
		for i, a := range e.args {
			args[i] = columnName(a, at)
		}
		if e.star {
			args = []string{"*"}
		}
		return e.name + "(" + strings.Join(args, ", ") + ")"
	case literalExpr:
		if text, ok := e.cell.(string); ok {
			return "'" + text + "'"
		}
		return fmt.Sprint(plain(e.cell))
	case bindExpr:
		return "?"
	}
	return "EXPR$" + strconv.Itoa(at)
}
