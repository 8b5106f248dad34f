package health_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"mooring/internal/health"
	"mooring/internal/id"
	"mooring/internal/store/system"
)

// queue is a due queue in memory, and the checks of it.
type queue struct {
	system.System
	mu     sync.Mutex
	due    []system.DueConnection
	before func(ctx context.Context, d system.DueConnection) // a check ends; nil: it ends at once
	done   chan system.DueConnection

	now, most map[string]int // checks under way, by host
}

func newQueue(hosts ...string) *queue {
	q := &queue{done: make(chan system.DueConnection, 1000), now: map[string]int{}, most: map[string]int{}}
	for i, h := range hosts {
		q.due = append(q.due, system.DueConnection{Org: "int_a", Connection: id.Connection(fmt.Sprint("conn_", i)), Host: h})
	}
	return q
}

func (q *queue) DueConnections(_ context.Context, _ time.Time, except []string, limit int) (out []system.DueConnection, _ error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	skip := map[string]bool{}
	for _, h := range except {
		skip[h] = true
	}
	for _, d := range q.due {
		if !skip[d.Host] && len(out) < limit {
			out = append(out, d)
		}
	}
	return out, nil
}

func (q *queue) CheckDue(ctx context.Context, _ id.Org, c id.Connection, _ time.Time) error {
	var d system.DueConnection
	q.mu.Lock()
	for _, x := range q.due {
		if x.Connection == c {
			d = x
		}
	}
	q.now[d.Host]++
	q.most[d.Host] = max(q.most[d.Host], q.now[d.Host])
	q.mu.Unlock()
	if q.before != nil {
		q.before(ctx, d)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.now[d.Host]--
	for i, x := range q.due {
		if x.Connection == c {
			q.due = append(q.due[:i:i], q.due[i+1:]...)
			q.done <- d
			break
		}
	}
	return nil
}

func (q *queue) run(t *testing.T, concurrent int) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	m := &health.Monitor{System: q, Checker: q, Log: slog.New(slog.DiscardHandler), Now: time.Now, Concurrent: concurrent, Poll: 10 * time.Millisecond}
	ended := make(chan struct{})
	go func() { defer close(ended); m.Run(ctx) }()
	return func() { cancel(); <-ended }
}

// TestATestEndsBeforeItsCheck: a provider that does not answer is found out by
// the test's own end (30 s). Were the check's end first, it would look like one
// that we gave up, and never count.
func TestATestEndsBeforeItsCheck(t *testing.T) {
	q, left := newQueue("a"), make(chan time.Duration, 1)
	q.before = func(ctx context.Context, _ system.DueConnection) {
		end, _ := ctx.Deadline()
		left <- time.Until(end)
	}
	defer q.run(t, 0)()
	if d := <-left; d < time.Minute {
		t.Errorf("a check has only %s", d)
	}
}

// TestSlowHostsLeaveRoom: two hosts that never answer, with more that is due
// than all room, before the one that does.
func TestSlowHostsLeaveRoom(t *testing.T) {
	const room = 12
	var hosts []string
	for range 100 {
		hosts = append(hosts, "slow", "hung")
	}
	for range 50 {
		hosts = append(hosts, "good")
	}
	q := newQueue(hosts...)
	q.before = func(ctx context.Context, d system.DueConnection) {
		if d.Host != "good" {
			<-ctx.Done()
		}
	}
	stop := q.run(t, room)
	for range 50 {
		if d := <-q.done; d.Host != "good" {
			t.Errorf("a check of %s ended", d.Host)
		}
	}
	stop()
	for host, n := range q.most {
		if n > room/2 {
			t.Errorf("%s had %d of %d checks at once", host, n, room)
		}
	}
}

// TestAllIsCheckedOnce, with one place alone too.
func TestAllIsCheckedOnce(t *testing.T) {
	for _, room := range []int{1, 7} {
		var hosts []string
		for i := range 60 {
			hosts = append(hosts, fmt.Sprint(i%3))
		}
		q := newQueue(hosts...)
		stop := q.run(t, room)
		seen := map[id.Connection]int{}
		for range 60 {
			seen[(<-q.done).Connection]++
		}
		stop()
		if len(seen) != 60 {
			t.Errorf("%d of 60 were checked", len(seen))
		}
		total := 0
		for _, n := range q.most {
			total = max(total, n)
		}
		if total > room {
			t.Errorf("%d at once, with room for %d", total, room)
		}
	}
}
