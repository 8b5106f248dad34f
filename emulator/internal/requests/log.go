// Package requests is the log that an emulator keeps of what it was asked.
package requests

import "sync"

// Log keeps the last requests and counts all of them, by their operation. A lock
// guards the entries too: see Change.
type Log[R any, O comparable] struct {
	Limit int // how many are kept

	mu     sync.Mutex
	seq    int
	ring   []*R // in order of arrival from next on, once it is full
	next   int
	counts map[O]int
}

// Add appends an entry; number is told its place, from 1.
func (l *Log[R, O]) Add(r *R, op O, number func(seq int)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seq++
	number(l.seq)
	if l.counts == nil {
		l.counts = map[O]int{}
	}
	l.counts[op]++
	if len(l.ring) < l.Limit {
		l.ring = append(l.ring, r)
		return
	}
	l.ring[l.next] = r
	l.next = (l.next + 1) % l.Limit
}

// Change calls a function that sets fields of entries, or whatever else the lock
// is to guard. It should run before the bytes that it describes leave, so that a
// client which has its answer finds it in the log.
func (l *Log[R, O]) Change(set func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	set()
}

// Last returns copies of the last entries in order of arrival.
func (l *Log[R, O]) Last(copied func(R) R) []R {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]R, 0, len(l.ring))
	for i := range l.ring {
		out = append(out, copied(*l.ring[(l.next+i)%len(l.ring)]))
	}
	return out
}

// Count returns how many requests of the operations arrived since the start or
// the last Reset; without operations, how many of any.
func (l *Log[R, O]) Count(ops ...O) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, op := range ops {
		n += l.counts[op]
	}
	if len(ops) == 0 {
		for _, c := range l.counts {
			n += c
		}
	}
	return n
}

// Reset empties the log and sets the counters to zero; also may do more under
// the lock, nil nothing.
func (l *Log[R, O]) Reset(also func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ring, l.next, l.counts = nil, 0, nil
	if also != nil {
		also()
	}
}
