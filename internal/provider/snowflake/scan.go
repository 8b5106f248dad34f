package snowflake

import (
	"database/sql"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// scan is an open result set that pages are read off. It only saves time: each
// page follows from its cursor.
type scan struct {
	*result
	shape *shape
	at    cursor           // behind the last row read
	ahead []sql.NullString // the next row, when there is one
	more  bool
	begun bool
	met   duplicates
}

// page reads rows up to the bounds of a page.
func (r *scan) page(most int) (driver.Page, error) {
	var p driver.Page
	if !r.begun {
		r.begun = true
		if err := r.next(); err != nil {
			return p, err
		}
	}
	size := 0
	for r.more && len(p.Changes) < most && size < pageBytes {
		it, content, err := r.shape.item(r.ahead)
		if err != nil {
			return p, err
		}
		if err := r.settle(&it); err != nil {
			return p, err
		}
		p.Changes = append(p.Changes, driver.Change{Item: it})
		size += len(content)
		if err := r.next(); err != nil {
			return p, err
		}
	}
	// The page ends with a whole key: the next is read from behind it.
	if r.more && r.at.Key != nil && r.ahead[0].String == *r.at.Key && len(r.shape.keys) > 0 {
		return p, r.duplicate()
	}
	return p, nil
}

// next reads the row ahead.
func (r *scan) next() error {
	r.more = r.Next()
	if !r.more {
		return r.fail()
	}
	var err error
	r.ahead, err = r.row()
	return err
}

// settle notes a row as read, and looks whether its key was met before.
func (r *scan) settle(it *driver.Item) error {
	key := r.ahead[0].String
	same := r.at.Key != nil && *r.at.Key == key
	if len(r.shape.keys) > 0 {
		// By watermarks, the row behind a cursor's may be the same one, changed since.
		if r.at.Phase == phaseNews {
			same = r.met.twice(key)
		}
		if same {
			return r.duplicate()
		}
	}
	switch {
	case same: // no primary key: a copy of the same row
		r.at.Copies++
		it.ID += fmt.Sprintf("#%09d", r.at.Copies) // keeps the order
		it.Skip, it.Inline, it.Columns = duplicateRow, nil, nil
	default:
		r.at.Key, r.at.Copies = &key, 0
	}
	if r.at.Phase == phaseNews {
		r.at.At = r.ahead[1].String
	}
	return nil
}

func (r *scan) duplicate() error {
	return &errs.Error{
		Kind: errs.Invalid, Origin: errs.Provider, Scope: errs.ScopePath, Op: r.op, Code: "DuplicateKey",
		Msg: "primary_key_columns do not tell the rows of " + r.shape.table.String() + " apart: several have the same key. Choose columns that do, or none",
	}
}

// duplicates finds keys met twice where equal ones are not neighbours: in the
// order of watermarks. It remembers so many as fit, by hash.
type duplicates struct {
	seed maphash.Seed
	met  map[[16]byte]struct{}
}

const maxMet = 200_000

func (d *duplicates) twice(key string) bool {
	if d.met == nil {
		d.seed, d.met = maphash.MakeSeed(), map[[16]byte]struct{}{}
	}
	// Two halves of different texts make 128 bits, which no two keys share.
	var h [16]byte
	binary.LittleEndian.PutUint64(h[:8], maphash.String(d.seed, key))
	binary.LittleEndian.PutUint64(h[8:], maphash.String(d.seed, key+"\x00"))
	if _, known := d.met[h]; known {
		return true
	}
	if len(d.met) < maxMet {
		d.met[h] = struct{}{}
	}
	return false
}

// scans are those that wait for the page after the last.
type scans struct {
	mu     sync.Mutex
	kept   []*waiting // the oldest first
	closed bool
}

type waiting struct {
	scan  *scan
	scope driver.Scope
	next  string // the cursor that asks for the page after
}

// maxScans bounds the result sets that are kept open.
const maxScans = 8

// take returns the scan that a cursor goes on with, or nil.
func (s *scans) take(t table, scope driver.Scope, cur driver.Cursor) *scan {
	if len(cur) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.kept, func(w *waiting) bool {
		return w.next == string(cur) && w.scope == scope && w.scan.shape.table == t
	})
	if i < 0 {
		return nil
	}
	r := s.kept[i].scan
	s.kept = slices.Delete(s.kept, i, i+1)
	return r
}

func (s *scans) keep(r *scan, scope driver.Scope, next driver.Cursor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		r.Close()
		return
	}
	s.kept = append(s.kept, &waiting{r, scope, string(next)})
	if len(s.kept) > maxScans {
		s.kept[0].scan.Close()
		s.kept = slices.Delete(s.kept, 0, 1)
	}
}

func (s *scans) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, w := range s.kept {
		w.scan.Close()
	}
	s.kept = nil
}
