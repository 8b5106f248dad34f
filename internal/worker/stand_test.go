package worker_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"mooring/internal/health"
	"mooring/internal/id"
	"mooring/internal/store/sqlite"
	"mooring/internal/store/system"
	"mooring/internal/worker"
)

// clinic has connections that are due again as soon as a check has ended, and
// notes who checked what that was due when.
type clinic struct {
	system.System
	mu   sync.Mutex
	due  map[id.Connection]int64
	made map[string][]id.Worker
	most int64
}

func newClinic(connections int, most int64) *clinic {
	c := &clinic{due: map[id.Connection]int64{}, made: map[string][]id.Worker{}, most: most}
	for i := range connections {
		c.due[id.Connection(fmt.Sprint("conn_", i))] = 1
	}
	return c
}

func (c *clinic) DueConnections(context.Context, time.Time, []string, int) (out []system.DueConnection, _ error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn, at := range c.due {
		if at <= c.most {
			out = append(out, system.DueConnection{Connection: conn, Host: string(conn), Due: time.Unix(at, 0)})
		}
	}
	return out, nil
}

// until lets so many checks of each connection be made from now on and waits for them.
func (c *clinic) until(t *testing.T, n int64) {
	t.Helper()
	c.mu.Lock()
	c.most = n
	c.mu.Unlock()
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		c.mu.Lock()
		left := 0
		for _, at := range c.due {
			if at <= n {
				left++
			}
		}
		c.mu.Unlock()
		if left == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d connections wait for check %d", left, n)
		}
	}
}

// doctor makes the checks of one process.
type doctor struct {
	*clinic
	who id.Worker
}

func (d doctor) CheckDue(_ context.Context, _ id.Org, c id.Connection, due time.Time) error {
	d.mu.Lock()
	if d.due[c] != due.Unix() { // made since the queue was read: as a Checker promises
		d.mu.Unlock()
		return nil
	}
	check := fmt.Sprint(c, " ", due.Unix())
	d.made[check] = append(d.made[check], d.who)
	d.mu.Unlock()
	time.Sleep(time.Millisecond) // the provider answers
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.due[c] == due.Unix() {
		d.due[c]++
	}
	return nil
}

// practise has one more process on a store check connections.
func (c *clinic) practise(t *testing.T, s *sqlite.Store) (who id.Worker, stop func()) {
	t.Helper()
	w := (&worker.Worker{Store: s, System: s.System(), Log: slog.New(slog.DiscardHandler), Now: time.Now, Poll: time.Millisecond}).Init()
	m := &health.Monitor{System: c, Checker: doctor{c, w.ID()}, Log: w.Log, Now: time.Now, Poll: time.Millisecond}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() { defer close(done); w.Stand(ctx, "health", m.Run) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return w.ID(), stop
}

// Of two processes on a store one makes every check, once, and the other goes on
// when it ends.
func TestOneProcessChecksAllConnections(t *testing.T) {
	s, c := open(t), newClinic(20, 0)
	stops := map[id.Worker]func(){}
	for range 2 {
		who, stop := c.practise(t, s)
		stops[who] = stop
	}
	c.until(t, 10)
	first := c.made["conn_0 1"][0]
	stops[first]()
	c.until(t, 20)
	for check, by := range c.made {
		if len(by) != 1 {
			t.Errorf("%s was made by %v", check, by)
		}
	}
	if second := c.made["conn_0 20"]; len(c.made) != 20*20 || len(second) != 1 || second[0] == first {
		t.Errorf("%d checks; %s ended, the last was made by %v", len(c.made), first, second)
	}
}
