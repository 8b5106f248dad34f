package sqlite

import (
	"context"
	"database/sql"
	"time"

	"mooring/internal/connection"
	"mooring/internal/id"
	"mooring/internal/store"
	"mooring/internal/store/internal/touch"
)

type connections struct {
	*collection[connection.Connection, id.Connection]
}

func newConnections(s *Store) connections {
	return connections{define(s, collection[connection.Connection, id.Connection]{
		table: "connections", noun: "connection", counts: &kept[int64]{},
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
			used, ms := s.touch.Of(d.ID), over[0]
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
	if !f.UnusedSince.IsZero() {
		c.changed() // by touches, which pass the collection by
	}
	return c.count(ctx, connectionConditions(org, f))
}

// settle writes the touches held back before a filter asks for them.
func (c connections) settle(f connection.Filter) {
	if !f.UnusedSince.IsZero() {
		c.s.touch.Flush()
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
	if f.Search != "" {
		part, args := contains([]string{"name"}, f.Search, false)
		w.add(part, args...)
	}
	return w
}

// Touch implements store.Connections.
func (c connections) Touch(ctx context.Context, org id.Org, i id.Connection) error {
	if c.s.touch.Note(i, org, c.s.now()) {
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
	c.s.touch.Add(i, org, c.s.now())
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

// writeTouches writes when connections were last used.
func (s *Store) writeTouches(ctx context.Context, used map[id.Connection]touch.Touch) error {
	return s.w.write(ctx, "store.connections.touch", bulk, func(x *tx) error {
		for c, u := range used {
			if _, err := x.exec("UPDATE connections SET last_used = ? WHERE id = ? AND org = ?", u.At.UnixMilli(), string(c), string(u.Org)); err != nil {
				return err
			}
		}
		return nil
	})
}
