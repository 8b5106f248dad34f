package snowflake

import (
	"strings"
	"time"
)

// node is an expression that is ready to run.
type node struct {
	typ      Column
	constant bool
	eval     func(cells []any) (any, error)
}

// scope is what an expression may refer to.
type scope struct {
	s       *Server
	ses     *session
	zone    *time.Location
	now     time.Time
	columns []Column // nil without FROM
	binds   map[string]bind

	folds  []*aggregate // the aggregates of the items so far
	inFold bool         // compiling the argument of one
	loose  int          // references to columns outside of one
}

// bind is a value sent beside a statement.
type bind struct {
	Type  string `json:"type"`
	Value any    `json:"value"`
}

// compile resolves and checks an expression. What doesn't depend on a row is
// computed here, once.
func (sc *scope) compile(e expr) (*node, error) {
	n, err := sc.build(e)
	if err != nil || !n.constant {
		return n, err
	}
	cell, err := n.eval(nil)
	if err != nil {
		return nil, err
	}
	n.eval = func([]any) (any, error) { return cell, nil }
	return n, nil
}

func (sc *scope) build(e expr) (*node, error) {
	switch e := e.(type) {
	case literalExpr:
		return constant(e.cell, e.typ), nil
	case bindExpr:
		return sc.bind(e.n)
	case columnExpr:
		i := columnIndex(sc.columns, e.name)
		if i < 0 {
			return nil, failf("000904", "SQL compilation error: error line 1 at position 0\ninvalid identifier '%s'", path{e.name}.key())
		}
		if !sc.inFold {
			sc.loose++
		}
		return &node{typ: sc.columns[i], eval: func(cells []any) (any, error) { return cells[i], nil }}, nil
	case castExpr:
		n, err := sc.compile(e.e)
		if err != nil {
			return nil, err
		}
		return sc.cast(n, e.typ), nil
	case nullExpr:
		n, err := sc.compile(e.e)
		if err != nil {
			return nil, err
		}
		return truth(n.constant, func(cells []any) (any, error) {
			v, err := n.eval(cells)
			return (v == nil) != e.not, err
		}), nil
	case notExpr:
		n, err := sc.boolean(e.e)
		if err != nil {
			return nil, err
		}
		return truth(n.constant, func(cells []any) (any, error) {
			v, err := n.eval(cells)
			if v == nil || err != nil {
				return nil, err
			}
			return !v.(bool), nil
		}), nil
	case logicExpr:
		return sc.logic(e)
	case compareExpr:
		return sc.comparison(e)
	case callExpr:
		return sc.call(e)
	}
	return nil, fail("001003")
}

func constant(cell any, typ Column) *node {
	return &node{typ: typ, constant: true, eval: func([]any) (any, error) { return cell, nil }}
}

func truth(constant bool, eval func([]any) (any, error)) *node {
	return &node{typ: Column{Type: Boolean, Nullable: true}, constant: constant, eval: eval}
}

// single compiles what belongs to one row: no aggregates.
func (sc *scope) single(e expr) (*node, error) {
	n, err := sc.compile(e)
	if err == nil && len(sc.folds) > 0 {
		return nil, failf("002140", "SQL compilation error: an aggregate function is not allowed here")
	}
	return n, err
}

func (sc *scope) boolean(e expr) (*node, error) {
	n, err := sc.compile(e)
	if err != nil {
		return nil, err
	}
	if n.typ.Type != Boolean {
		return nil, failf("001007", "SQL compilation error: a condition must be BOOLEAN, not %s", n.typ.Type)
	}
	return n, nil
}

// logic is AND or OR in three values.
func (sc *scope) logic(e logicExpr) (*node, error) {
	list := make([]*node, len(e.list))
	all := true
	for i, operand := range e.list {
		n, err := sc.boolean(operand)
		if err != nil {
			return nil, err
		}
		list[i], all = n, all && n.constant
	}
	return truth(all, func(cells []any) (any, error) {
		var result any = e.and
		for _, n := range list {
			v, err := n.eval(cells)
			switch {
			case err != nil:
				return nil, err
			case v == nil:
				result = nil
			case v.(bool) != e.and:
				return v, nil
			}
		}
		return result, nil
	}), nil
}

func (sc *scope) comparison(e compareExpr) (*node, error) {
	l, err := sc.compile(e.l)
	if err != nil {
		return nil, err
	}
	r, err := sc.compile(e.r)
	if err != nil {
		return nil, err
	}
	if l, r, err = sc.common(l, r); err != nil {
		return nil, err
	}
	holds := comparisons[e.op]
	return truth(l.constant && r.constant, func(cells []any) (any, error) {
		a, err := l.eval(cells)
		if a == nil || err != nil {
			return nil, err
		}
		b, err := r.eval(cells)
		if b == nil || err != nil {
			return nil, err
		}
		return holds(compare(a, b)), nil
	}), nil
}

var comparisons = map[string]func(int) bool{
	"=":  func(c int) bool { return c == 0 },
	"<>": func(c int) bool { return c != 0 },
	"<":  func(c int) bool { return c < 0 },
	"<=": func(c int) bool { return c <= 0 },
	">":  func(c int) bool { return c > 0 },
	">=": func(c int) bool { return c >= 0 },
}

// common brings two operands to one type.
func (sc *scope) common(l, r *node) (*node, *node, error) {
	a, b := l.typ, r.typ
	same := a.Type == b.Type
	switch {
	case a.semi() || b.semi():
		return nil, nil, failf("001007", "SQL compilation error: semi-structured values are not compared here; cast them")
	case same:
		return l, r, nil
	case a.Type == Varchar:
		l, err := sc.fixed(sc.cast(l, b.widest()))
		return l, r, err
	case b.Type == Varchar:
		r, err := sc.fixed(sc.cast(r, a.widest()))
		return l, r, err
	case a.numeric() && b.numeric():
		to := Column{Type: DecFloat}
		if a.Type == Float || b.Type == Float {
			to.Type = Float
		}
		return sc.pair(l, r, to)
	case (a.stamped() || a.Type == Date) && (b.stamped() || b.Type == Date):
		to := Column{Type: TimestampLTZ}
		if !a.zoned() && !b.zoned() {
			to.Type = TimestampNTZ
		}
		return sc.pair(l, r, to.withDefaults())
	}
	return nil, nil, failf("002016", "SQL compilation error: can not convert %s to %s in a comparison", b.Type, a.Type)
}

func (c Column) zoned() bool { return c.Type == TimestampLTZ || c.Type == TimestampTZ }

// widest is the type that takes any value of its kind, so that a comparison
// neither rounds nor overflows.
func (c Column) widest() Column {
	if c.Type == Number {
		return Column{Type: DecFloat}
	}
	if c.timed() {
		c.Scale = maxFraction
	}
	return c
}

func (sc *scope) pair(l, r *node, to Column) (*node, *node, error) {
	l, err := sc.fixed(sc.cast(l, to))
	if err != nil {
		return nil, nil, err
	}
	r, err = sc.fixed(sc.cast(r, to))
	return l, r, err
}

// fixed computes a constant.
func (sc *scope) fixed(n *node) (*node, error) {
	if !n.constant {
		return n, nil
	}
	cell, err := n.eval(nil)
	if err != nil {
		return nil, err
	}
	return constant(cell, n.typ), nil
}

func (sc *scope) cast(n *node, to Column) *node {
	to.Nullable = n.typ.Nullable
	return &node{typ: to, constant: n.constant, eval: func(cells []any) (any, error) {
		v, err := n.eval(cells)
		if err != nil {
			return nil, err
		}
		return convert(v, to, sc.zone)
	}}
}

// bind reads the n-th value of the request.
func (sc *scope) bind(n int) (*node, error) {
	b, ok := sc.binds[itoa(n)]
	if !ok {
		return nil, failf("002049", "SQL compilation error: error line 1 at position 0\nBind variable ? not set.")
	}
	if b.Value == nil {
		return constant(nil, Column{Type: Varchar, Nullable: true}), nil
	}
	text, ok := b.Value.(string)
	if !ok {
		return nil, failf("002049", "SQL compilation error: a bind variable is no list here")
	}
	return bindCell(strings.ToUpper(b.Type), text)
}

func bindCell(typ, text string) (*node, error) {
	var to Column
	unit := int64(1)
	switch typ {
	case "TEXT":
		return constant(text, Column{Type: Varchar}), nil
	case "FIXED":
		d, ok := parseDecimal(text)
		if !ok {
			return nil, failf("100038", "Numeric value '%s' is not recognized", text)
		}
		return constant(d, Column{Type: Number, Precision: maxPrecision, Scale: max(0, d.scale)}), nil
	case "REAL":
		to.Type = Float
	case "BOOLEAN":
		to.Type = Boolean
	case "BINARY":
		to.Type = Binary
	case "DATE":
		to.Type, unit = Date, int64(time.Millisecond)
	case "TIME":
		to.Type = Time
	case "TIMESTAMP_NTZ", "TIMESTAMP_LTZ":
		to.Type = Type(typ)
	default:
		return nil, failf("001007", "SQL compilation error: bind variables of type %s are not supported here", typ)
	}
	to = to.withDefaults()
	var v any = text
	if to.timed() || to.Type == Date {
		d, ok := parseDecimal(text)
		if !ok || !d.coef.IsInt64() {
			return nil, failf("100035", "Timestamp '%s' is not recognized", text)
		}
		ns := d.coef.Int64()
		if to.Type == Date {
			v = time.UnixMilli(ns).UTC()
		} else {
			v = time.Unix(0, ns*unit).UTC()
		}
	}
	cell, err := cellOf(v, to)
	if err != nil {
		return nil, err
	}
	return constant(cell, to), nil
}
