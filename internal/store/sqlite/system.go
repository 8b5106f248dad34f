package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"mooring/internal/access"
	"mooring/internal/audit"
	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store/system"
)

// System is what of a store crosses organizations.
type System struct{ s *Store }

// System returns the part of the store that crosses organizations.
func (s *Store) System() *System { return &System{s} }

// KeyByHash implements system.System.
func (y *System) KeyByHash(ctx context.Context, hash string) (access.APIKey, error) {
	return y.s.apiKeys.byHash(ctx, hash)
}

// Organizations implements system.System.
func (y *System) Organizations(ctx context.Context, after id.Org, limit int) ([]access.Organization, error) {
	if err := checkLimit("store.organizations.list", limit); err != nil {
		return nil, err
	}
	w := ""
	args := []any{limit}
	if after != "" {
		w, args = " WHERE (created, id) > (SELECT created, id FROM organizations WHERE id = ?)", []any{string(after), limit}
	}
	return y.s.organizations.all(ctx, "list", w+" ORDER BY created, id LIMIT ?", args...)
}

// DueSyncs implements system.System. Triggered syncs, for which somebody
// waits, come before those whose time has come.
func (y *System) DueSyncs(ctx context.Context, now time.Time, limit int) ([]system.SyncRef, error) {
	const op = "store.due_syncs"
	if err := checkLimit(op, limit); err != nil {
		return nil, err
	}
	out, err := y.syncs(ctx, op, "SELECT org, id FROM syncs WHERE triggered IS NOT NULL ORDER BY next_sync IS NULL, next_sync, id LIMIT ?", limit)
	if err != nil || len(out) == limit {
		return out, err
	}
	due, err := y.syncs(ctx, op, "SELECT org, id FROM syncs WHERE next_sync <= ? AND triggered IS NULL ORDER BY next_sync, id LIMIT ?", now.UnixMilli(), limit-len(out))
	return append(out, due...), err
}

// DeletedSyncs implements system.System, longest deleted first.
func (y *System) DeletedSyncs(ctx context.Context, limit int) ([]system.SyncRef, error) {
	const op = "store.deleted_syncs"
	if err := checkLimit(op, limit); err != nil {
		return nil, err
	}
	return y.syncs(ctx, op, "SELECT org, id FROM syncs WHERE deleted IS NOT NULL ORDER BY deleted, id LIMIT ?", limit)
}

func (y *System) syncs(ctx context.Context, op, query string, args ...any) ([]system.SyncRef, error) {
	var out []system.SyncRef
	err := y.s.each(ctx, op, query, args, func(r *sql.Rows) error {
		var ref system.SyncRef
		err := r.Scan(&ref.Org, &ref.Sync)
		out = append(out, ref)
		return err
	})
	return out, err
}

// DeletingBuckets implements system.System.
func (y *System) DeletingBuckets(ctx context.Context, limit int) ([]system.BucketRef, error) {
	const op = "store.deleting_buckets"
	if err := checkLimit(op, limit); err != nil {
		return nil, err
	}
	var out []system.BucketRef
	err := y.s.each(ctx, op, "SELECT org, id FROM buckets WHERE status = ? ORDER BY id LIMIT ?", []any{bucket.Deleting, limit}, func(r *sql.Rows) error {
		var ref system.BucketRef
		err := r.Scan(&ref.Org, &ref.Bucket)
		out = append(out, ref)
		return err
	})
	return out, err
}

const dueConnections = `SELECT org, id, host, next_check FROM connections
	WHERE next_check <= ? AND host NOT IN (SELECT value FROM json_each(?)) ORDER BY next_check, id LIMIT ?`

// DueConnections implements system.System.
func (y *System) DueConnections(ctx context.Context, now time.Time, except []string, limit int) ([]system.DueConnection, error) {
	const op = "store.due_connections"
	if err := checkLimit(op, limit); err != nil {
		return nil, err
	}
	hosts, err := json.Marshal(append([]string{}, except...))
	if err != nil {
		return nil, err
	}
	var out []system.DueConnection
	err = y.s.each(ctx, op, dueConnections, []any{now.UnixMilli(), string(hosts), limit}, func(r *sql.Rows) error {
		var d system.DueConnection
		var due int64
		err := r.Scan(&d.Org, &d.Connection, &d.Host, &due)
		d.Due = cut(time.UnixMilli(due))
		out = append(out, d)
		return err
	})
	return out, err
}

// Relay implements system.System: outboxes are moved within their updates.
func (y *System) Relay(context.Context, int) (int, error) { return 0, nil }

// Census implements system.System.
func (y *System) Census(ctx context.Context, now time.Time) (out system.Census, err error) {
	const op = "store.census"
	err = y.s.each(ctx, op, "SELECT provider, status, count(*) FROM connections GROUP BY provider, status", nil, func(r *sql.Rows) error {
		var c system.ConnectionCount
		err := r.Scan(&c.Provider, &c.Status, &c.N)
		out.Connections = append(out.Connections, c)
		return err
	})
	if err == nil {
		out.SyncDelay, err = y.overdue(ctx, op, "SELECT next_sync FROM syncs WHERE next_sync <= ? ORDER BY next_sync LIMIT 1", now)
	}
	if err == nil {
		out.CheckDelay, err = y.overdue(ctx, op, "SELECT next_check FROM connections WHERE next_check <= ? ORDER BY next_check LIMIT 1", now)
	}
	return out, err
}

func (y *System) overdue(ctx context.Context, op, query string, now time.Time) (time.Duration, error) {
	var due int64
	found, err := y.s.row(ctx, op, query, []any{now.UnixMilli()}, &due)
	if err != nil || !found {
		return 0, err
	}
	return now.Sub(time.UnixMilli(due)), nil
}

// ChainAudit implements system.System.
func (y *System) ChainAudit(c *audit.Chain) {
	_ = y.s.w.write(context.Background(), "store.audit.chain", interactive, func(t *tx) error {
		t.chain = c
		return nil
	})
}

// schemaVersionName is the fact that only migrations write.
const schemaVersionName = "schema_version"

// Meta implements system.System.
func (y *System) Meta(ctx context.Context, name string) ([]byte, error) {
	var value []byte
	_, err := y.s.row(ctx, "store.meta.get", "SELECT value FROM meta WHERE name = ?", []any{name}, &value)
	return value, err
}

// SetMeta implements system.System. A nil value takes the fact away.
func (y *System) SetMeta(ctx context.Context, name string, old, value []byte) error {
	const op = "store.meta.set"
	if name == "" || name == schemaVersionName {
		return errs.New(errs.Invalid, op, "this fact can't be set")
	}
	err := y.s.w.write(ctx, op, interactive, func(t *tx) error {
		switch {
		case old == nil && value == nil:
			var one int
			found, err := t.row("SELECT 1 FROM meta WHERE name = ?", []any{name}, &one)
			if err == nil && found {
				err = errLost
			}
			return err
		case old == nil:
			return unlessLost(t.exec("INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING", name, blob(value)))
		case value == nil:
			return unlessLost(t.exec("DELETE FROM meta WHERE name = ? AND value = ?", name, blob(old)))
		}
		return unlessLost(t.exec("UPDATE meta SET value = ? WHERE name = ? AND value = ?", blob(value), name, blob(old)))
	})
	return lost(err, op, "somebody else has set this fact")
}

// blob keeps an empty value from being stored as NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
