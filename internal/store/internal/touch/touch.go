// Package touch holds back when connections were last used, so that using one
// does not write.
package touch

import (
	"context"
	"sync"
	"time"

	"mooring/internal/id"
)

// flushEvery is how long a touch may be held back.
const flushEvery = time.Minute

// Touches are what a store holds back. Make them with New.
type Touches struct {
	write func(ctx context.Context, used map[id.Connection]Touch) error
	mu    sync.Mutex
	used  map[id.Connection]Touch
	stop  chan struct{}
	done  chan struct{}
}

// Touch says when a connection was last used.
type Touch struct {
	Org id.Org
	At  time.Time
}

// New makes touches that are written every minute, and on Close.
func New(write func(ctx context.Context, used map[id.Connection]Touch) error) *Touches {
	t := &Touches{write: write, used: map[id.Connection]Touch{}, stop: make(chan struct{}), done: make(chan struct{})}
	go t.loop()
	return t
}

// Note moves the time of a connection that is held already, and reports whether it is.
func (t *Touches) Note(c id.Connection, org id.Org, at time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if held, ok := t.used[c]; !ok || held.Org != org {
		return false
	}
	t.used[c] = Touch{org, at}
	return true
}

// Of is when a connection that is held was last used; zero when it is not.
func (t *Touches) Of(c id.Connection) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.used[c].At
}

// Add holds a connection that exists.
func (t *Touches) Add(c id.Connection, org id.Org, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.used[c] = Touch{org, at}
}

func (t *Touches) loop() {
	defer close(t.done)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			t.Flush()
		case <-t.stop:
			t.Flush()
			return
		}
	}
}

// Flush writes what is held. What can't be written is held on: it is of use
// to people only, and the next write that succeeds brings it along.
func (t *Touches) Flush() {
	t.mu.Lock()
	used := t.used
	t.used = map[id.Connection]Touch{}
	t.mu.Unlock()
	if len(used) == 0 || t.write(context.Background(), used) == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for c, u := range used {
		if _, newer := t.used[c]; !newer {
			t.used[c] = u
		}
	}
}

// Close writes what is held and ends.
func (t *Touches) Close() {
	close(t.stop)
	<-t.done
}
