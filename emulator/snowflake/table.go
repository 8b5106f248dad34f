package snowflake

import (
	"fmt"
	"time"
)

// Row is the values of a row in the order of the columns. A value is nil, a bool,
// an int, int64, float64, *big.Int, string, []byte or time.Time, and for
// semi-structured columns anything that encoding/json takes. A string is read as
// the column's type: "12.50" for a NUMBER, "2026-01-02 03:04:05.123456789" for a
// timestamp, hex digits for BINARY, JSON for VARIANT.
type Row []any

// Table is a table or a view. What changes it becomes visible at once, in one
// transaction for each call; see Begin for more.
type Table struct {
	s       *Server
	path    path
	columns []Column
	base    *Table // of a view
	created time.Time

	generated int           // rows that are a function
	generate  func(int) Row // of their number
	sorted    []expr        // in whose order they ascend
	rows      []stored      // never removed: a snapshot reads the past
	dead      map[int]int64 // generated rows that are no more, and since which commit
	changes   []change      // in order
}

// stored is a version of a row.
type stored struct {
	cells []any
	born  int64 // the commit that made it
	died  int64 // the commit that ended it; 0 for none
}

// change is a transaction that touched the table.
type change struct {
	commit int64
	at     time.Time
	token  int64 // the time in nanoseconds, or later: each is greater than the last
}

// Table adds a table, or replaces the one of this name. The name has three parts,
// DB.SCHEMA.NAME; as in SQL they are upper-cased unless they are quoted. It
// panics when the columns make no table.
func (s *Server) Table(name string, columns []Column) *Table {
	return s.addTable(name, columns, nil)
}

// View adds a view that shows a table as it is.
func (s *Server) View(name string, of *Table) *Table {
	return s.addTable(name, of.columns, of)
}

func (s *Server) addTable(name string, columns []Column, base *Table) *Table {
	p := mustPath(name)
	if len(p) != 3 || len(columns) == 0 {
		panic(fmt.Sprintf("snowflake: %s needs three parts and a column", name))
	}
	t := &Table{s: s, path: p, base: base, created: s.now(), dead: map[int]int64{}}
	for _, c := range columns {
		if wireNames[c.Type] == "" {
			panic(fmt.Sprintf("snowflake: column %s has no type", c.Name))
		}
		t.columns = append(t.columns, c.withDefaults())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tables[p.key()] = t
	t.touch()
	return t
}

// Drop removes the table or view.
func (t *Table) Drop() {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	delete(t.s.tables, t.path.key())
}

// data is the table that a view shows, or the table itself.
func (t *Table) data() *Table {
	if t.base != nil {
		return t.base.data()
	}
	return t
}

// Generate gives the table n rows that are a function of their number, which are
// made when they are read and never kept. The function must give the same row
// each time, from any goroutine, and must not call the server. When the rows
// ascend by some expressions (none of them NULL; columns as a rule), reads in that
// order need no sorting and skip what their condition excludes. They are written
// as in the statement: "ID", or TO_VARCHAR("ID").
func (t *Table) Generate(n int, row func(int) Row, ascendBy ...string) {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	t.generated, t.generate, t.sorted, t.dead = n, row, nil, map[int]int64{}
	for _, text := range ascendBy {
		e, err := parseExpr(text)
		if err != nil {
			panic(fmt.Sprintf("snowflake: %s is no expression: %v", text, err))
		}
		t.sorted = append(t.sorted, e)
	}
	t.touch()
}

// touch notes a commit. The lock is held.
func (t *Table) touch() int64 {
	t.s.commits++
	at := t.s.now()
	token := at.UnixNano()
	if n := len(t.changes); n > 0 {
		token = max(token, t.changes[n-1].token+1)
	}
	t.changes = append(t.changes, change{t.s.commits, at, token})
	return t.s.commits
}

// Insert adds rows. It panics when they don't fit the columns.
func (t *Table) Insert(rows ...Row) {
	tx := t.Begin()
	tx.Insert(rows...)
	tx.Commit()
}

// Update sets columns of the rows that match, and returns how many those are.
func (t *Table) Update(match func(Record) bool, set map[string]any) int {
	tx := t.Begin()
	tx.Update(match, set)
	return tx.Commit()
}

// Delete removes the rows that match, and returns how many those were.
func (t *Table) Delete(match func(Record) bool) int {
	tx := t.Begin()
	tx.Delete(match)
	return tx.Commit()
}

// Record is a row by the names of its columns. A value is nil or text: numbers in
// digits, dates and times in ISO 8601 with nine digits of a second, BINARY in
// hex, JSON.
type Record map[string]any

func (t *Table) record(cells []any) Record {
	r := make(Record, len(cells))
	for i, c := range t.columns {
		r[c.Name] = nil
		if cells[i] != nil {
			r[c.Name] = plain(cells[i])
		}
	}
	return r
}

// Rows returns what the table holds now, in no certain order: for comparison with
// what a client has read.
func (t *Table) Rows() []Record {
	t.s.mu.RLock()
	defer t.s.mu.RUnlock()
	src := t.data().snapshot(t.s.commits)
	var out []Record
	src.each(func(pos int) {
		out = append(out, t.record(src.cells(pos)))
	})
	return out
}

// Rows returns what a table or view holds now; see Table.Rows. Of an unknown one
// it is nothing.
func (s *Server) Rows(name string) []Record {
	s.mu.RLock()
	t := s.tables[mustPath(name).key()]
	s.mu.RUnlock()
	if t == nil {
		return nil
	}
	return t.Rows()
}

// Tx is a transaction on a table: nobody sees its changes before Commit. It is
// not safe for concurrent use.
type Tx struct {
	t   *Table
	ops []func(commit int64) int
}

// Begin starts a transaction.
func (t *Table) Begin() *Tx { return &Tx{t: t.data()} }

// Insert adds rows. It panics when they don't fit the columns.
func (tx *Tx) Insert(rows ...Row) {
	for _, row := range rows {
		cells := tx.t.mustCells(row)
		tx.ops = append(tx.ops, func(commit int64) int {
			tx.t.rows = append(tx.t.rows, stored{cells: cells, born: commit})
			return 1
		})
	}
}

// Update sets columns of the rows that match at Commit.
func (tx *Tx) Update(match func(Record) bool, set map[string]any) {
	t := tx.t
	values := make(map[int]any, len(set))
	for name, v := range set {
		i := columnIndex(t.columns, name)
		if i < 0 {
			panic(fmt.Sprintf("snowflake: %s has no column %s", t.path, name))
		}
		cell, err := cellOf(v, t.columns[i])
		if err != nil {
			panic(err)
		}
		values[i] = cell
	}
	tx.replace(match, func(commit int64, cells []any) {
		changed := append([]any(nil), cells...)
		for i, cell := range values {
			changed[i] = cell
		}
		t.rows = append(t.rows, stored{cells: changed, born: commit})
	})
}

// Delete removes the rows that match at Commit.
func (tx *Tx) Delete(match func(Record) bool) {
	tx.replace(match, func(int64, []any) {})
}

// replace ends the rows that match and lets another take their place.
func (tx *Tx) replace(match func(Record) bool, with func(commit int64, cells []any)) {
	t := tx.t
	tx.ops = append(tx.ops, func(commit int64) int {
		src := t.snapshot(commit)
		n := 0
		src.each(func(pos int) {
			cells := src.cells(pos)
			if !match(t.record(cells)) {
				return
			}
			n++
			t.kill(pos, commit)
			with(commit, cells)
		})
		return n
	})
}

func (t *Table) kill(pos int, commit int64) {
	if pos < t.generated {
		t.dead[pos] = commit
		return
	}
	t.rows[pos-t.generated].died = commit
}

// Commit makes the changes visible, and returns how many rows they touched.
func (tx *Tx) Commit() int {
	tx.t.s.mu.Lock()
	defer tx.t.s.mu.Unlock()
	if len(tx.ops) == 0 {
		return 0
	}
	n, commit := 0, tx.t.touch()
	for _, op := range tx.ops {
		n += op(commit)
	}
	tx.ops = nil
	return n
}

// Rollback forgets the changes.
func (tx *Tx) Rollback() { tx.ops = nil }

func (t *Table) mustCells(row Row) []any {
	cells, err := t.cells(row)
	if err != nil {
		panic(err)
	}
	return cells
}

func (t *Table) cells(row Row) ([]any, error) {
	if len(row) != len(t.columns) {
		return nil, fmt.Errorf("snowflake: %s has %d columns, the row %d values", t.path, len(t.columns), len(row))
	}
	cells := make([]any, len(row))
	for i, v := range row {
		cell, err := cellOf(v, t.columns[i])
		if err != nil {
			return nil, fmt.Errorf("snowflake: %s.%s: %w", t.path, t.columns[i].Name, err)
		}
		cells[i] = cell
	}
	return cells, nil
}

func columnIndex(columns []Column, name string) int {
	for i, c := range columns {
		if c.Name == name {
			return i
		}
	}
	return -1
}
