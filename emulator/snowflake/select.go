package snowflake

import (
	"slices"
	"sort"
)

// rows is the result of a statement: positions in a snapshot, made into text when
// they are sent.
type rows struct {
	columns []Column
	items   []*node
	fixed   [][]*string // rows that are known already, instead of positions
	from    *snapshot
	order   []int
}

func (r *rows) len() int { return len(r.fixed) + len(r.order) }

// text is a part of the rows.
func (r *rows) text(from, to int) ([][]*string, error) {
	if r.from == nil {
		return r.fixed[from:to], nil
	}
	out := make([][]*string, 0, to-from)
	for _, pos := range r.order[from:to] {
		row, err := textRow(r.items, r.from.cells(pos))
		if err != nil {
			return nil, err
		}
		out = append(out, row)
	}
	return out, nil
}

func textRow(items []*node, cells []any) ([]*string, error) {
	out := make([]*string, len(items))
	for i, n := range items {
		v, err := n.eval(cells)
		if err != nil {
			return nil, err
		}
		out[i] = wireText(v, n.typ)
	}
	return out, nil
}

// runSelect reads. The lock is held.
func (sc *scope) runSelect(st selectStatement) (*rows, error) {
	if st.from == nil {
		return sc.runConstant(st)
	}
	t, err := sc.s.readable(sc.ses, st.from)
	if err != nil {
		return nil, err
	}
	data := t.data()
	commit := sc.s.commits
	if st.at != nil {
		if commit, err = sc.commitAt(data, st.at); err != nil {
			return nil, err
		}
	}
	sc.columns = t.columns
	q := &search{snapshot: data.snapshot(commit), limit: st.limit}
	if err := sc.prepare(q, st); err != nil {
		return nil, err
	}
	sc.loose = 0
	items, columns, err := sc.items(st.items)
	if err != nil {
		return nil, err
	}
	if len(sc.folds) > 0 {
		row, err := q.fold(sc.folds, items)
		return &rows{columns: columns, fixed: [][]*string{row}}, err
	}
	order, err := q.run()
	return &rows{columns: columns, items: items, from: q.snapshot, order: order}, err
}

// prepare compiles the condition and the order of a search.
func (sc *scope) prepare(q *search, st selectStatement) error {
	var err error
	if st.where != nil {
		if q.where, err = sc.boolean(st.where); err != nil {
			return err
		}
	}
	for _, o := range st.order {
		n, err := sc.single(o.expr)
		if err != nil {
			return err
		}
		q.keys = append(q.keys, key{n, o})
	}
	q.ascending = sc.ascends(st.order, q.t)
	if len(q.t.sorted) > 0 && st.where != nil {
		if q.first, err = sc.single(q.t.sorted[0]); err != nil {
			return err
		}
		q.lower, q.upper = sc.bounds(st.where, q.t.sorted[0], q.first.typ)
	}
	if len(sc.folds) > 0 {
		return failf("002140", "SQL compilation error: an aggregate function is not allowed here")
	}
	return nil
}

func (sc *scope) runConstant(st selectStatement) (*rows, error) {
	items, columns, err := sc.items(st.items)
	if err != nil {
		return nil, err
	}
	row, err := textRow(items, nil)
	return &rows{columns: columns, fixed: [][]*string{row}}, err
}

// items compiles what is selected: aggregates alone, or none.
func (sc *scope) items(list []item) ([]*node, []Column, error) {
	var items []*node
	var columns []Column
	for _, it := range list {
		if it.expr == nil {
			if len(list) > 1 || sc.columns == nil {
				return nil, nil, failf("001003", "SQL compilation error: * stands alone, and not without FROM")
			}
			for _, c := range sc.columns {
				list = append(list, item{columnExpr{c.Name}, c.Name})
			}
			return sc.items(list[1:])
		}
		n, err := sc.compile(it.expr)
		if err != nil {
			return nil, nil, err
		}
		c := n.typ
		c.Name = it.name
		items, columns = append(items, n), append(columns, c)
	}
	if len(sc.folds) > 0 && sc.loose > 0 {
		return nil, nil, failf("000979", "SQL compilation error: a column is neither in an aggregate nor in a GROUP BY clause")
	}
	return items, columns, nil
}

// commitAt finds the state of AT(TIMESTAMP => e).
func (sc *scope) commitAt(t *Table, e expr) (int64, error) {
	n, err := sc.single(e)
	if err != nil {
		return 0, err
	}
	if !n.constant || !n.typ.stamped() {
		return 0, failf("001007", "SQL compilation error: AT takes a constant TIMESTAMP")
	}
	v, err := n.eval(nil)
	if err != nil {
		return 0, err
	}
	v, err = convert(v, Column{Type: TimestampLTZ}.withDefaults(), sc.zone)
	if err != nil {
		return 0, err
	}
	when, ok := v.(stamp)
	if !ok || when.After(sc.now) {
		return 0, fail("000707")
	}
	commit, ok := t.at(when.Time)
	if !ok {
		return 0, fail("000707")
	}
	return commit, nil
}

type key struct {
	n *node
	order
}

// search finds the positions of a snapshot that match, in order.
type search struct {
	*snapshot
	where        *node
	keys         []key
	limit        int   // -1 for none
	ascending    bool  // generated rows are in order already
	first        *node // what generated rows ascend by
	lower, upper any   // of that; nil for none
}

// hit is a position with the values it is sorted by.
type hit struct {
	pos  int
	keys []any
}

func (q *search) run() ([]int, error) {
	from, to, err := q.window()
	if err != nil {
		return nil, err
	}
	if q.ascending && len(q.rows) == 0 {
		return q.inOrder(from, to)
	}
	var hits []hit
	for pos := from; pos < q.len(); pos++ {
		if pos == to {
			pos = max(pos, q.generated) // what is stored lies behind
		}
		if pos == q.len() {
			break
		}
		cells, err := q.match(pos)
		if err != nil {
			return nil, err
		}
		if cells == nil {
			continue
		}
		h := hit{pos: pos, keys: make([]any, len(q.keys))}
		for i, k := range q.keys {
			if h.keys[i], err = k.n.eval(cells); err != nil {
				return nil, err
			}
		}
		if hits = append(hits, h); q.limit >= 0 && len(hits) >= 2*q.limit+1024 {
			hits = q.best(hits)
		}
	}
	hits = q.best(hits)
	out := make([]int, len(hits))
	for i, h := range hits {
		out[i] = h.pos
	}
	return out, nil
}

// inOrder finds rows that need no sorting.
func (q *search) inOrder(from, to int) ([]int, error) {
	var out []int
	for pos := from; pos < to && (q.limit < 0 || len(out) < q.limit); pos++ {
		if q.where == nil {
			if q.visible(pos) {
				out = append(out, pos)
			}
			continue
		}
		cells, err := q.match(pos)
		if err != nil {
			return nil, err
		}
		if cells != nil {
			out = append(out, pos)
		}
	}
	return out, nil
}

// match returns the values at a position, nil if it doesn't match.
func (q *search) match(pos int) ([]any, error) {
	if !q.visible(pos) {
		return nil, nil
	}
	cells := q.cells(pos)
	if q.where == nil {
		return cells, nil
	}
	if v, err := q.where.eval(cells); err != nil || v != true {
		return nil, err
	}
	return cells, nil
}

// best sorts, and cuts at the limit.
func (q *search) best(hits []hit) []hit {
	slices.SortStableFunc(hits, func(a, b hit) int {
		for i, k := range q.keys {
			if c := k.compare(a.keys[i], b.keys[i]); c != 0 {
				return c
			}
		}
		return 0
	})
	if q.limit >= 0 && len(hits) > q.limit {
		clear(hits[q.limit:])
		return hits[:q.limit]
	}
	return hits
}

func (k key) compare(a, b any) int {
	if a == nil || b == nil {
		c := rank(b == nil) - rank(a == nil) // negative when only a is NULL
		if !k.nullsFirst {
			c = -c
		}
		return c
	}
	if k.desc {
		return compare(b, a)
	}
	return compare(a, b)
}

// window is where generated rows can match at all.
func (q *search) window() (from, to int, err error) {
	beyond := func(limit any, least int) func(int) bool {
		return func(pos int) bool {
			v, e := q.first.eval(q.cells(pos))
			if e != nil || v == nil {
				err = e
				return true
			}
			return compare(v, limit) >= least
		}
	}
	to = q.generated
	if q.lower != nil {
		from = sort.Search(q.generated, beyond(q.lower, 0))
	}
	if q.upper != nil {
		to = sort.Search(q.generated, beyond(q.upper, 1))
	}
	return from, max(from, to), err
}

// fold computes aggregates, and the one row of items that is made of them.
func (q *search) fold(folds []*aggregate, items []*node) ([]*string, error) {
	folded := make([]any, len(folds))
	for pos := range q.len() {
		cells, err := q.match(pos)
		if err != nil {
			return nil, err
		}
		if cells == nil {
			continue
		}
		for i, f := range folds {
			var v any = true
			if f.arg != nil {
				if v, err = f.arg.eval(cells); err != nil {
					return nil, err
				}
			}
			folded[i] = f.step(folded[i], v)
		}
	}
	for i, f := range folds {
		folded[i] = f.end(folded[i])
	}
	return textRow(items, folded)
}
