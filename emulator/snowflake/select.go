package snowflake

import (
	"cmp"
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
	if st.where != nil {
		if q.where, err = sc.boolean(st.where); err != nil {
			return nil, err
		}
		q.lower, q.upper = sc.bounds(st.where, data)
	}
	for _, o := range st.order {
		n, err := sc.scalar(o.expr)
		if err != nil {
			return nil, err
		}
		q.keys = append(q.keys, key{n, o})
	}
	items, columns, err := sc.items(st.items)
	if err != nil {
		return nil, err
	}
	if items[0].fold != nil {
		return q.fold(items, columns)
	}
	q.ascending = sc.ascends(st.order, data)
	order, err := q.run()
	return &rows{columns: columns, items: items, from: q.snapshot, order: order}, err
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
	folds := 0
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
		if n.fold != nil {
			folds++
		}
		c := n.typ
		c.Name = it.name
		items, columns = append(items, n), append(columns, c)
	}
	if folds > 0 && folds < len(items) {
		return nil, nil, failf("000979", "SQL compilation error: an item is neither an aggregate nor in a GROUP BY clause")
	}
	return items, columns, nil
}

// commitAt finds the state of AT(TIMESTAMP => e).
func (sc *scope) commitAt(t *Table, e expr) (int64, error) {
	n, err := sc.scalar(e)
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
	limit        int // -1 for none
	ascending    bool
	lower, upper any // of the first column of ascending generated rows; nil for none
}

type hit struct {
	pos  int
	keys []any
}

func (q *search) run() ([]int, error) {
	var hits []hit
	first, last := 0, q.len()
	if q.lower != nil || q.upper != nil {
		first, last = q.window()
	}
	visit := func(pos int) error {
		h, ok, err := q.match(pos)
		if ok {
			hits = append(hits, h)
		}
		return err
	}
	enough := func() bool { return q.limit >= 0 && len(hits) >= q.limit }
	for pos := first; pos < min(last, q.generated); pos++ {
		if err := visit(pos); err != nil {
			return nil, err
		}
		if enough() && (q.ascending || len(q.keys) == 0) {
			break
		}
		q.trim(&hits)
	}
	for pos := q.generated; pos < q.len(); pos++ {
		if err := visit(pos); err != nil {
			return nil, err
		}
		q.trim(&hits)
	}
	q.sort(hits)
	if q.limit >= 0 && len(hits) > q.limit {
		hits = hits[:q.limit]
	}
	out := make([]int, len(hits))
	for i, h := range hits {
		out[i] = h.pos
	}
	return out, nil
}

// trim keeps what a limited search holds in bounds.
func (q *search) trim(hits *[]hit) {
	if q.limit < 0 || len(*hits) < 2*q.limit+1024 {
		return
	}
	q.sort(*hits)
	clear((*hits)[q.limit:])
	*hits = (*hits)[:q.limit]
}

func (q *search) match(pos int) (hit, bool, error) {
	if !q.visible(pos) {
		return hit{}, false, nil
	}
	cells := q.cells(pos)
	if q.where != nil {
		v, err := q.where.eval(cells)
		if err != nil || v != true {
			return hit{}, false, err
		}
	}
	h := hit{pos: pos}
	if q.ascending && len(q.rows) == 0 {
		return h, true, nil // in order already
	}
	for _, k := range q.keys {
		v, err := k.n.eval(cells)
		if err != nil {
			return hit{}, false, err
		}
		h.keys = append(h.keys, v)
	}
	return h, true, nil
}

func (q *search) sort(hits []hit) {
	slices.SortStableFunc(hits, func(a, b hit) int {
		if len(a.keys) == 0 || len(b.keys) == 0 {
			return cmp.Compare(a.pos, b.pos)
		}
		for i, k := range q.keys {
			if c := k.compare(a.keys[i], b.keys[i]); c != 0 {
				return c
			}
		}
		return 0
	})
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
func (q *search) window() (int, int) {
	i := q.t.sorted[0]
	first := 0
	if q.lower != nil {
		first = sort.Search(q.generated, func(pos int) bool { return compare(q.cells(pos)[i], q.lower) >= 0 })
	}
	last := q.generated
	if q.upper != nil {
		last = sort.Search(q.generated, func(pos int) bool { return compare(q.cells(pos)[i], q.upper) > 0 })
	}
	return first, last
}

// fold computes aggregates, which are one row.
func (q *search) fold(items []*node, columns []Column) (*rows, error) {
	states := make([]any, len(items))
	for pos := range q.len() {
		if !q.visible(pos) {
			continue
		}
		cells := q.cells(pos)
		if q.where != nil {
			if v, err := q.where.eval(cells); err != nil {
				return nil, err
			} else if v != true {
				continue
			}
		}
		for i, n := range items {
			var v any = true
			if n.fold.arg != nil {
				var err error
				if v, err = n.fold.arg.eval(cells); err != nil {
					return nil, err
				}
			}
			states[i] = n.fold.step(states[i], v)
		}
	}
	row := make([]*string, len(items))
	for i, n := range items {
		row[i] = wireText(n.fold.end(states[i]), n.typ)
	}
	return &rows{columns: columns, fixed: [][]*string{row}}, nil
}
