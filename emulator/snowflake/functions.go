package snowflake

import (
	"crypto/sha256"
	"encoding/hex"
	"hash/fnv"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const serverVersion = "9.99.0"

func itoa(n int) string { return strconv.Itoa(n) }

var (
	anyText = Column{Type: Varchar, Nullable: true}
	integer = Column{Type: Number, Precision: maxPrecision, Nullable: true}
	whole   = Column{Type: Number, Precision: 18}
)

// conversions are the functions that are a cast by another name.
var conversions = map[string]Type{
	"TO_TIMESTAMP_NTZ": TimestampNTZ, "TO_TIMESTAMP_LTZ": TimestampLTZ, "TO_TIMESTAMP_TZ": TimestampTZ,
	"TO_DATE": Date, "TO_TIME": Time, "TO_DOUBLE": Float, "TO_DECFLOAT": DecFloat, "TO_BOOLEAN": Boolean,
	"TO_NUMBER": Number, "TO_DECIMAL": Number, "TO_BINARY": Binary,
}

// function is a scalar function of the cells of its arguments.
type function struct {
	min, max int // how many arguments
	typ      Column
	strict   bool // NULL for NULL
	call     func(sc *scope, args []any) (any, error)
}

var functions = map[string]function{
	"TO_CHAR":    {1, 2, anyText, true, toChar},
	"TO_VARCHAR": {1, 2, anyText, true, toChar},
	"TO_JSON": {1, 1, anyText, true, func(_ *scope, args []any) (any, error) {
		if v, ok := args[0].(semi); ok {
			return string(v), nil
		}
		return nil, mismatch(args[0], Column{Type: Variant})
	}},
	"PARSE_JSON": {1, 1, Column{Type: Variant, Nullable: true}, true, func(_ *scope, args []any) (any, error) {
		return semiCell(textOf(args[0]))
	}},
	"SHA2": {1, 2, anyText, true, func(_ *scope, args []any) (any, error) {
		if len(args) == 2 && textOf(args[1]) != "256" && textOf(args[1]) != "0" {
			return nil, failf("001007", "SQL compilation error: SHA2 is 256 here")
		}
		sum := sha256.Sum256([]byte(textOf(args[0])))
		return hex.EncodeToString(sum[:]), nil
	}},
	"HASH": {1, 1000, Column{Type: Number, Precision: 19}, false, func(_ *scope, args []any) (any, error) {
		h := fnv.New64a()
		for _, a := range args {
			_, _ = h.Write([]byte(strconv.Quote(plain(a)) + string(typeOf(a))))
		}
		return newDecimal(int64(h.Sum64())), nil
	}},
	"REPLACE": {2, 3, anyText, true, func(_ *scope, args []any) (any, error) {
		with := ""
		if len(args) == 3 {
			with = textOf(args[2])
		}
		if textOf(args[1]) == "" {
			return textOf(args[0]), nil
		}
		return strings.ReplaceAll(textOf(args[0]), textOf(args[1]), with), nil
	}},
	"CONCAT": {1, 1000, anyText, true, func(_ *scope, args []any) (any, error) {
		var b strings.Builder
		for _, a := range args {
			b.WriteString(textOf(a))
		}
		return b.String(), nil
	}},
	"COLLATE": {2, 2, anyText, true, func(_ *scope, args []any) (any, error) {
		if args[1] != "" {
			return nil, failf("001007", "SQL compilation error: there are no collations here")
		}
		return textOf(args[0]), nil
	}},
	"ST_ASGEOJSON": {1, 1, Column{Type: Object, Nullable: true}, true, func(_ *scope, args []any) (any, error) {
		if v, ok := args[0].(semi); ok {
			return v, nil
		}
		return nil, mismatch(args[0], Column{Type: Geography})
	}},
	"LENGTH": {1, 1, whole, true, func(_ *scope, args []any) (any, error) {
		if b, ok := args[0].([]byte); ok {
			return newDecimal(int64(len(b))), nil
		}
		return newDecimal(int64(utf8.RuneCountInString(textOf(args[0])))), nil
	}},
	"OCTET_LENGTH": {1, 1, whole, true, func(_ *scope, args []any) (any, error) {
		if b, ok := args[0].([]byte); ok {
			return newDecimal(int64(len(b))), nil
		}
		return newDecimal(int64(len(textOf(args[0])))), nil
	}},
}

// toChar writes a value, times by a format of their own.
func toChar(sc *scope, args []any) (any, error) {
	if len(args) == 1 {
		return textOf(args[0]), nil
	}
	layout := textOf(args[1])
	switch v := args[0].(type) {
	case stamp:
		if v.typ == TimestampLTZ {
			return format(v.In(sc.zone), layout), nil
		}
		return format(v.Time, layout), nil
	case date:
		return format(v.time(), layout), nil
	case clock:
		return format(date(0).time().Add(time.Duration(v)), layout), nil
	case []byte:
		if strings.EqualFold(layout, "HEX") {
			return strings.ToUpper(hex.EncodeToString(v)), nil
		}
	case float64, decimal:
		if strings.HasPrefix(strings.ToUpper(layout), "TM") {
			return textOf(v), nil
		}
	}
	return nil, failf("001007", "SQL compilation error: a %s has no format '%s' here", typeOf(args[0]), layout)
}

// call compiles a function.
func (sc *scope) call(e callExpr) (*node, error) {
	if fold, ok := aggregates[e.name]; ok {
		return sc.aggregate(e, fold)
	}
	args := make([]*node, len(e.args))
	all := true
	for i, a := range e.args {
		n, err := sc.compile(a)
		if err != nil {
			return nil, err
		}
		args[i], all = n, all && n.constant
	}
	if value, ok := contextFunctions[e.name]; ok && len(args) == 0 {
		cell, typ := value(sc)
		return constant(cell, typ), nil
	}
	if typ, ok := conversions[e.name]; ok && len(args) > 0 {
		return sc.conversion(e.name, typ, args)
	}
	switch {
	case e.name == "SYSTEM$LAST_CHANGE_COMMIT_TIME" && len(args) == 1 && args[0].constant:
		return sc.lastChange(args[0])
	case e.name == "COALESCE" && len(args) > 1, e.name == "NVL" && len(args) == 2:
		return coalesce(args, all), nil
	}
	f, ok := functions[e.name]
	if !ok || len(args) < f.min || len(args) > f.max {
		return nil, failf("002140", "SQL compilation error:\nUnknown function %s", e.name)
	}
	return &node{typ: f.typ, constant: all, eval: func(cells []any) (any, error) {
		values, missing, err := evalAll(args, cells)
		if err != nil || missing && f.strict {
			return nil, err
		}
		return f.call(sc, values)
	}}, nil
}

// evalAll computes arguments and says whether one is NULL.
func evalAll(args []*node, cells []any) ([]any, bool, error) {
	values, missing := make([]any, len(args)), false
	for i, n := range args {
		v, err := n.eval(cells)
		if err != nil {
			return nil, false, err
		}
		values[i], missing = v, missing || v == nil
	}
	return values, missing, nil
}

// conversion is TO_NUMBER and its like.
func (sc *scope) conversion(name string, typ Type, args []*node) (*node, error) {
	to := Column{Type: typ}
	var sizes []int
	for _, a := range args[1:] {
		v, err := a.eval(nil)
		d, isNumber := v.(decimal)
		switch text, isText := v.(string); {
		case !a.constant || err != nil:
			return nil, failf("001007", "SQL compilation error: the arguments of %s must be constant", name)
		case isNumber && typ == Number:
			sizes = append(sizes, int(d.rescale(0).coef.Int64()))
		case isText && typ == Binary && strings.EqualFold(text, "HEX"):
		default:
			return nil, failf("002140", "SQL compilation error:\nUnknown format of %s", name)
		}
	}
	if len(sizes) > 2 || !to.sized(sizes) {
		return nil, failf("001007", "SQL compilation error: bad precision or scale of %s", name)
	}
	return sc.cast(args[0], to.withDefaults()), nil
}

func coalesce(args []*node, constant bool) *node {
	return &node{typ: args[0].typ, constant: constant, eval: func(cells []any) (any, error) {
		for _, n := range args {
			if v, err := n.eval(cells); v != nil || err != nil {
				return v, err
			}
		}
		return nil, nil
	}}
}

// contextFunctions tell about the session.
var contextFunctions = map[string]func(*scope) (any, Column){
	"CURRENT_VERSION":   func(*scope) (any, Column) { return serverVersion, anyText },
	"CURRENT_ACCOUNT":   func(sc *scope) (any, Column) { return text(locator(sc.s.opts.Account)), anyText },
	"CURRENT_USER":      func(sc *scope) (any, Column) { return text(sc.ses.user), anyText },
	"CURRENT_ROLE":      func(sc *scope) (any, Column) { return text(sc.ses.role), anyText },
	"CURRENT_DATABASE":  func(sc *scope) (any, Column) { return text(sc.ses.database), anyText },
	"CURRENT_SCHEMA":    func(sc *scope) (any, Column) { return text(sc.ses.schema), anyText },
	"CURRENT_WAREHOUSE": func(sc *scope) (any, Column) { return text(sc.ses.warehouse), anyText },
	"CURRENT_SESSION":   func(sc *scope) (any, Column) { return itoa(int(sc.ses.id)), anyText },
	"CURRENT_TIMESTAMP": func(sc *scope) (any, Column) {
		return stamp{sc.now, TimestampLTZ}, Column{Type: TimestampLTZ, Scale: maxFraction}
	},
}

// text is NULL when empty.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// lastChange is the token of the last commit. The lock is held.
func (sc *scope) lastChange(name *node) (*node, error) {
	v, err := name.eval(nil)
	if err != nil {
		return nil, err
	}
	p, err := parsePath(plain(v))
	if err != nil {
		return nil, err
	}
	t, err := sc.s.readable(sc.ses, p)
	if err != nil {
		return nil, err
	}
	changes := t.data().changes
	return constant(newDecimal(changes[len(changes)-1].token), integer), nil
}

// aggregate folds many rows into one value.
type aggregate struct {
	arg  *node // nil for COUNT(*)
	step func(state, v any) any
	end  func(state any) any
}

var aggregates = map[string]aggregate{
	"COUNT":    {step: countIf(func(v any) bool { return v != nil }), end: countEnd},
	"COUNT_IF": {step: countIf(func(v any) bool { return v == true }), end: countEnd},
	"MIN":      {step: extreme(-1), end: func(state any) any { return state }},
	"MAX":      {step: extreme(1), end: func(state any) any { return state }},
}

func countIf(counts func(any) bool) func(state, v any) any {
	return func(state, v any) any {
		n, _ := state.(int64)
		if counts(v) {
			n++
		}
		return n
	}
}

func countEnd(state any) any {
	n, _ := state.(int64)
	return newDecimal(n)
}

func extreme(sign int) func(state, v any) any {
	return func(state, v any) any {
		if v == nil || state != nil && compare(v, state)*sign <= 0 {
			return state
		}
		return v
	}
}

func (sc *scope) aggregate(e callExpr, fold aggregate) (*node, error) {
	if sc.columns == nil || sc.inFold || len(e.args) != 1 && !e.star {
		return nil, failf("002140", "SQL compilation error:\nUnknown function %s", e.name)
	}
	sc.inFold = true
	defer func() { sc.inFold = false }()
	typ := whole
	if !e.star {
		arg, err := sc.compile(e.args[0])
		if err != nil {
			return nil, err
		}
		if fold.arg = arg; e.name == "MIN" || e.name == "MAX" {
			typ = arg.typ
			typ.Nullable = true
		}
	}
	slot := len(sc.folds)
	sc.folds = append(sc.folds, &fold)
	return &node{typ: typ, eval: func(folded []any) (any, error) { return folded[slot], nil }}, nil
}
