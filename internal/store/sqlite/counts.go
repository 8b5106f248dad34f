package sqlite

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// keptCounts bounds how many counts are kept: one for each filter in use.
const keptCounts = 1000

// counts keeps what was counted until a record of its collection changes, so
// that listing a hundred thousand records does not count them again for every
// page. It is for tables that nothing but their collection changes in what they
// are counted by; nil keeps nothing.
type counts struct {
	changes atomic.Int64

	mu    sync.Mutex
	at    int64 // the changes that known is of
	known map[string]int64
}

// changed comes after every write, before its caller hears of it.
func (c *counts) changed() {
	if c != nil {
		c.changes.Add(1)
	}
}

// of returns the count that conditions select.
func (c *counts) of(w *conditions, count func() (int64, error)) (int64, error) {
	if c == nil {
		return count()
	}
	at, key := c.changes.Load(), w.String()+fmt.Sprintf("%q", w.args)
	c.mu.Lock()
	if c.known == nil || c.at != at || len(c.known) >= keptCounts {
		c.at, c.known = at, map[string]int64{}
	}
	n, ok := c.known[key]
	c.mu.Unlock()
	if ok {
		return n, nil
	}
	n, err := count()
	if err != nil {
		return 0, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at == at {
		c.known[key] = n
	}
	return n, nil
}
