package sqlite

import (
	"sync"
	"sync/atomic"
)

// keptAtMost bounds how many answers are kept of one kind.
const keptAtMost = 1000

// kept keeps what was read of a collection until one of its records changes:
// how many a filter selects, so that listing a hundred thousand does not count
// them again for every page, and the API key that every request comes with. It
// is for what nothing but the collection changes; nil keeps nothing.
type kept[V any] struct {
	changes atomic.Int64

	mu    sync.Mutex
	at    int64 // the changes that known is of
	known map[string]V
}

// changed comes after every write, before its caller hears of it.
func (k *kept[V]) changed() {
	if k != nil {
		k.changes.Add(1)
	}
}

// of returns what is kept under a name, or else reads it. An error is not kept.
func (k *kept[V]) of(name string, read func() (V, error)) (V, error) {
	if k == nil {
		return read()
	}
	at := k.changes.Load()
	k.mu.Lock()
	if k.known == nil || k.at != at || len(k.known) >= keptAtMost {
		k.at, k.known = at, map[string]V{}
	}
	v, ok := k.known[name]
	k.mu.Unlock()
	if ok {
		return v, nil
	}
	v, err := read()
	if err != nil {
		return v, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.at == at {
		k.known[name] = v
	}
	return v, nil
}
