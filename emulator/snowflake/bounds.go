package snowflake

import "reflect"

// ascends says whether generated rows are in the order that is asked for: by their
// expressions, or the first of them, ascending.
func (sc *scope) ascends(list []order, t *Table) bool {
	if len(t.sorted) == 0 || len(list) == 0 || len(list) > len(t.sorted) {
		return false
	}
	for i, o := range list {
		if o.desc || !reflect.DeepEqual(o.expr, t.sorted[i]) {
			return false
		}
	}
	return true
}

// bounds are the least and the greatest value that an expression has in any row
// that the condition holds for; nil where it says nothing.
func (sc *scope) bounds(where, of expr, typ Column) (lower, upper any) {
	switch e := where.(type) {
	case logicExpr:
		for i, operand := range e.list {
			l, u := sc.bounds(operand, of, typ)
			if i == 0 {
				lower, upper = l, u
				continue
			}
			lower, upper = tighter(lower, l, e.and, 1), tighter(upper, u, e.and, -1)
		}
	case compareExpr:
		if reflect.DeepEqual(e.l, of) {
			return sc.bound(e, typ)
		}
	}
	return lower, upper
}

// tighter joins the bounds of two conditions: of AND the stricter one, of OR the
// looser, which is none if one has none. A lower bound is stricter when greater.
func tighter(a, b any, and bool, sign int) any {
	if a == nil || b == nil {
		switch {
		case !and:
			return nil
		case a == nil:
			return b
		}
		return a
	}
	if (compare(a, b)*sign > 0) == and {
		return a
	}
	return b
}

func (sc *scope) bound(e compareExpr, c Column) (lower, upper any) {
	n, err := sc.compile(e.r)
	if err != nil || !n.constant {
		return nil, nil
	}
	v, err := n.eval(nil)
	if err != nil || v == nil {
		return nil, nil
	}
	if v, err = convert(v, c.widest(), sc.zone); err != nil {
		return nil, nil
	}
	switch e.op {
	case "=":
		return v, v
	case ">", ">=":
		return v, nil
	case "<", "<=":
		return nil, v
	}
	return nil, nil
}
