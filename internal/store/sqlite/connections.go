package sqlite

import (
	"context"
	"database/sql"
	"sync"
	"time"

	"mooring/internal/connection"
	"mooring/internal/id"
	"mooring/internal/store"
)

type connections struct {
	*collection[connection.Connection, id.Connection]
}

func newConnections(s *Store) connections {
	return connections{define(s, collection[connection.Connection, id.Connection]{
		table: "connections", noun: "connection",
		head: func(d *connection.Connection) head[id.Connection] {
			return head[id.Connection]{&d.ID, &d.Org, &d.Revision, &d.CreatedAt, &d.Outbox}
		},
		columns: []column[connection.Connection]{
			{"name", func(d *connection.Connection) any { return d.Name }},
			{"live_name", func(d *connection.Connection) any { return liveName(d.Name, d.Status != connection.Archived) }},
			{"provider", func(d *connection.Connection) any { return d.Provider }},
			{"status", func(d *connection.Connection) any { return string(d.Status) }},
			{"host", func(d *connection.Connection) any { return d.Config.Host() }},
			{"next_check", func(d *connection.Connection) any { return millis(d.NextCheckAt) }},
			{"last_checked", func(d *connection.Connection) any { return millis(d.LastCheckedAt) }},
			{"last_success", func(d *connection.Connection) any { return millis(d.LastSuccessAt) }},
		},
		overlay: []string{"last_used", "next_check", "last_checked", "last_success"},
		guard:   []string{"next_check", "last_checked", "last_success"},
		apart:   []column[connection.Connection]{{"last_used", func(d *connection.Connection) any { return millis(d.LastUsedAt) }}},
		merge: func(d *connection.Connection, over []sql.NullInt64) {
			for i, at := range []**time.Time{&d.NextCheckAt, &d.LastCheckedAt, &d.LastSuccessAt} {
				if ms := over[i+1]; ms.Valid {
					*at = new(cut(time.UnixMilli(ms.Int64)))
				}
			}
			used, ms := s.touch.of(d.ID), over[0]
			if ms.Valid && time.UnixMilli(ms.Int64).After(used) {
				used = time.UnixMilli(ms.Int64)
			}
			if used = cut(used); !used.IsZero() && (d.LastUsedAt == nil || d.LastUsedAt.Before(used)) {
				d.LastUsedAt = &used
			}
		},
	})}
}

// ByName implements store.Connections.
func (c connections) ByName(ctx context.Context, org id.Org, name string) (connection.Connection, error) {
	return c.one(ctx, "by_name", " WHERE org = ? AND name = ? ORDER BY live_name IS NULL, created DESC, id DESC LIMIT 1", string(org), name)
}

// List implements store.Connections.
func (c connections) List(ctx context.Context, org id.Org, f connection.Filter, p store.Page) (store.List[connection.Connection], error) {
	c.settle(f)
	return c.list(ctx, org, connectionConditions(org, f), p)
}

// Count implements store.Connections.
func (c connections) Count(ctx context.Context, org id.Org, f connection.Filter) (int64, error) {
	c.settle(f)
	return c.count(ctx, connectionConditions(org, f))
}

// settle writes the touches held back before a filter asks for them.
func (c connections) settle(f connection.Filter) {
	if !f.UnusedSince.IsZero() {
		c.s.touch.flush()
	}
}

func connectionConditions(org id.Org, f connection.Filter) *conditions {
	w := ofOrg(org)
	if f.Provider != "" {
		w.add("provider = ?", f.Provider)
	}
	if f.Status != "" {
		w.add("status = ?", string(f.Status))
	}
	if f.IsActive != nil {
		w.add("(status = ?) = ?", string(connection.Active), *f.IsActive)
	}
	if !f.UnusedSince.IsZero() {
		w.add("(last_used IS NULL OR last_used < ?)", f.UnusedSince.UnixMilli())
	}
	return w
}

// Touch implements store.Connections.
func (c connections) Touch(ctx context.Context, org id.Org, i id.Connection) error {
	if c.s.touch.note(i, org, c.s.now()) {
		return nil
	}
	var one int
	found, err := c.s.row(ctx, c.op("touch"), "SELECT 1 FROM connections WHERE id = ? AND org = ?", []any{string(i), string(org)}, &one)
	if err != nil {
		return err
	}
	if !found {
		return c.missing("touch")
	}
	c.s.touch.add(i, org, c.s.now())
	return nil
}

// Beat implements store.Connections. What somebody waits for goes before it.
func (c connections) Beat(ctx context.Context, org id.Org, i id.Connection, revision int64, b connection.Beat) (kept bool, err error) {
	err = c.s.w.write(ctx, c.op("beat"), bulk, func(t *tx) error {
		n, err := t.exec(`UPDATE connections SET next_check = ?, last_checked = coalesce(max(?, coalesce(last_checked, 0)), last_checked),
			last_success = max(?, coalesce(last_success, 0)) WHERE id = ? AND org = ? AND revision = ?`,
			b.NextCheckAt.UnixMilli(), millis(b.CheckedAt), b.SuccessAt.UnixMilli(), string(i), string(org), revision)
		kept = n == 1
		return err
	})
	return kept && err == nil, err
}

// flushEvery is how long a touch may be held back.
const flushEvery = time.Minute

// touches holds back when connections were last used, so that using one does
// not write.
type touches struct {
	s    *Store
	mu   sync.Mutex
	used map[id.Connection]touched
	stop chan struct{}
	done chan struct{}
}

type touched struct {
	org id.Org
	at  time.Time
}

func newTouches(s *Store) *touches {
	t := &touches{s: s, used: map[id.Connection]touched{}, stop: make(chan struct{}), done: make(chan struct{})}
	go t.loop()
	return t
}

// note moves the time of a connection that is held already, and reports whether it is.
func (t *touches) note(c id.Connection, org id.Org, at time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if held, ok := t.used[c]; !ok || held.org != org {
		return false
	}
	t.used[c] = touched{org, at}
	return true
}

// of is when a connection that is held was last used; zero when it is not.
func (t *touches) of(c id.Connection) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.used[c].at
}

func (t *touches) add(c id.Connection, org id.Org, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.used[c] = touched{org, at}
}

func (t *touches) loop() {
	defer close(t.done)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			t.flush()
		case <-t.stop:
			t.flush()
			return
		}
	}
}

// flush writes what is held. What can't be written is held on: it is of use
// to people only, and the next write that succeeds brings it along.
func (t *touches) flush() {
	t.mu.Lock()
	used := t.used
	t.used = map[id.Connection]touched{}
	t.mu.Unlock()
	if len(used) == 0 {
		return
	}
	err := t.s.w.write(context.Background(), "store.connections.touch", bulk, func(x *tx) error {
		for c, u := range used {
			if _, err := x.exec("UPDATE connections SET last_used = ? WHERE id = ? AND org = ?", u.at.UnixMilli(), string(c), string(u.org)); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
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

func (t *touches) close() {
	close(t.stop)
	<-t.done
}
