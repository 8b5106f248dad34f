package engine

import (
	"mooring/internal/errs"
	"mooring/internal/key"
)

// rows reads something ordered by source id a chunk at a time and lets the
// reader look at the next one. It asserts strict order by raw bytes.
type rows[T any] struct {
	fetch func(after key.Key, limit int) ([]T, error)
	id    func(*T) key.Key
	limit int
	what  string // for the error, e.g. "the catalogue"

	buf   []T
	at    int
	after key.Key
	done  bool
}

// peek returns the next row, or nil at the end. It stays valid after next.
func (r *rows[T]) peek() (*T, error) {
	if r.at < len(r.buf) {
		return &r.buf[r.at], nil
	}
	if r.done {
		return nil, nil
	}
	buf, err := r.fetch(r.after, r.limit)
	if err != nil {
		return nil, err
	}
	for i := range buf {
		k := r.id(&buf[i])
		if k <= r.after {
			return nil, outOfOrder(r.what)
		}
		r.after = k
	}
	r.buf, r.at, r.done = buf, 0, len(buf) < r.limit
	if len(buf) == 0 {
		return nil, nil
	}
	return &r.buf[0], nil
}

// next moves past the row that peek returned.
func (r *rows[T]) next() { r.at++ }

// codeOrder marks the error of a broken order.
const codeOrder = "OrderBroken"

// outOfOrder stops a pass: a merge of sides out of order would take objects
// for absent that are not.
func outOfOrder(what string) error {
	return &errs.Error{Kind: errs.Corrupt, Origin: errs.Ours, Op: "sync.diff", Code: codeOrder, Msg: what + " is not in order: the pass stops and deletes nothing"}
}
