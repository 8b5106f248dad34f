package snowflake

import "time"

// snapshot is a table as it was after a commit. Reading the positions needs the
// server's lock; reading the cells of one doesn't, as those never change.
type snapshot struct {
	t         *Table
	commit    int64
	generated int
	generate  func(int) Row
	rows      []stored
}

func (t *Table) snapshot(commit int64) *snapshot {
	return &snapshot{t, commit, t.generated, t.generate, t.rows}
}

// at finds the last commit at or before a time; false when the table was not
// there yet.
func (t *Table) at(when time.Time) (int64, bool) {
	var commit int64
	for _, c := range t.changes {
		if c.at.After(when) {
			break
		}
		commit = c.commit
	}
	return commit, commit > 0
}

// len is the number of positions; not all of them are visible.
func (s *snapshot) len() int { return s.generated + len(s.rows) }

// visible says whether a position holds a row of this snapshot.
func (s *snapshot) visible(pos int) bool {
	if pos < s.generated {
		died := s.t.dead[pos]
		return died == 0 || died > s.commit
	}
	r := &s.rows[pos-s.generated]
	return r.born <= s.commit && (r.died == 0 || r.died > s.commit)
}

// each calls f for the visible positions.
func (s *snapshot) each(f func(pos int)) {
	for pos := range s.len() {
		if s.visible(pos) {
			f(pos)
		}
	}
}

// cells are the values at a position. A generated row that doesn't fit its table
// panics: the function is wrong.
func (s *snapshot) cells(pos int) []any {
	if pos < s.generated {
		return s.t.mustCells(s.generate(pos))
	}
	return s.rows[pos-s.generated].cells
}
