package sqlite

import (
	"context"

	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store"
	"mooring/internal/syncing"
)

type syncs struct {
	*collection[syncing.Sync, id.Sync]
}

func newSyncs(s *Store) syncs {
	return syncs{define(s, collection[syncing.Sync, id.Sync]{
		table: "syncs", noun: "sync",
		head: func(d *syncing.Sync) head[id.Sync] {
			return head[id.Sync]{&d.ID, &d.Org, &d.Revision, &d.CreatedAt, &d.Outbox}
		},
		columns: []column[syncing.Sync]{
			{"bucket", func(d *syncing.Sync) any { return string(d.Bucket) }},
			{"connection", func(d *syncing.Sync) any { return string(d.Connection) }},
			{"status", func(d *syncing.Sync) any { return string(d.Status) }},
			{"deleted", func(d *syncing.Sync) any { return millis(d.DeletedAt) }},
			{"next_sync", func(d *syncing.Sync) any {
				if d.DeletedAt != nil {
					return nil
				}
				return millis(d.NextSyncAt)
			}},
			{"triggered", func(d *syncing.Sync) any {
				if d.DeletedAt != nil || d.Triggered <= d.TriggerDone {
					return nil
				}
				return 1
			}},
		},
	})}
}

// List implements store.Syncs.
func (c syncs) List(ctx context.Context, org id.Org, f syncing.Filter, p store.Page) (store.List[syncing.Sync], error) {
	return c.list(ctx, org, syncConditions(org, f), p)
}

// Count implements store.Syncs.
func (c syncs) Count(ctx context.Context, org id.Org, f syncing.Filter) (int64, error) {
	return c.count(ctx, syncConditions(org, f))
}

func syncConditions(org id.Org, f syncing.Filter) *conditions {
	w := ofOrg(org)
	w.add("deleted IS NULL")
	if f.Bucket != "" {
		w.add("bucket = ?", string(f.Bucket))
	}
	if f.Connection != "" {
		w.add("connection = ?", string(f.Connection))
	}
	if f.Status != "" {
		w.add("status = ?", string(f.Status))
	}
	if f.IsActive != nil {
		w.add("(status IN (?, ?)) = ?", string(syncing.Pending), string(syncing.Active), *f.IsActive)
	}
	return w
}

// removeChunk bounds how many rows one write takes away.
const removeChunk = 500

// Remove implements store.Syncs. The sync's own row goes last, so that what a
// crash interrupts is found and finished later. A missing sync is no error.
func (c syncs) Remove(ctx context.Context, org id.Org, i id.Sync) error {
	s, err := c.Get(ctx, org, i)
	if errs.Is(err, errs.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if s.DeletedAt == nil {
		return errs.New(errs.Conflict, c.op("remove"), "the sync must be deleted before its rows are removed")
	}
	for _, table := range []string{"passes", "shards", "runs"} {
		query := "DELETE FROM " + table + " WHERE id IN (SELECT id FROM " + table + " WHERE org = ? AND sync = ? LIMIT ?)"
		if err := c.s.removeAll(ctx, c.op("remove"), query, string(org), string(i)); err != nil {
			return err
		}
	}
	atom, known, err := c.s.findAtom(ctx, org, string(i))
	if err != nil {
		return err
	}
	if known {
		if err := c.s.removeSyncRows(ctx, c.op("remove"), atom); err != nil {
			return err
		}
	}
	return c.remove(ctx, " WHERE id = ? AND org = ?", string(i), string(org))
}

func (s *Store) removeSyncRows(ctx context.Context, op string, atom int64) error {
	for _, query := range []string{
		"DELETE FROM pages WHERE sync = ?1 AND id IN (SELECT id FROM pages WHERE sync = ?1 LIMIT ?2)",
		"DELETE FROM absences WHERE sync = ?1 AND (pass, source) IN (SELECT pass, source FROM absences WHERE sync = ?1 LIMIT ?2)",
		"DELETE FROM dead_letters WHERE sync = ?1 AND id IN (SELECT id FROM dead_letters WHERE sync = ?1 LIMIT ?2)",
		"DELETE FROM tree WHERE sync = ?1 AND id IN (SELECT id FROM tree WHERE sync = ?1 LIMIT ?2)",
	} {
		if err := s.removeAll(ctx, op, query, atom); err != nil {
			return err
		}
	}
	return nil
}

// removeAll runs a DELETE, whose last argument is a limit, until nothing is left.
func (s *Store) removeAll(ctx context.Context, op, query string, args ...any) error {
	args = append(args, removeChunk)
	for {
		var n int64
		err := s.w.write(ctx, op, bulk, func(t *tx) (err error) {
			n, err = t.exec(query, args...)
			return err
		})
		if err != nil || n < removeChunk {
			return err
		}
	}
}

type passes struct {
	*collection[syncing.Pass, id.Pass]
}

func newPasses(s *Store) passes {
	return passes{define(s, collection[syncing.Pass, id.Pass]{
		table: "passes", noun: "pass",
		head: func(d *syncing.Pass) head[id.Pass] {
			return head[id.Pass]{&d.ID, &d.Org, &d.Revision, &d.StartedAt, nil}
		},
		columns: []column[syncing.Pass]{{"sync", func(d *syncing.Pass) any { return string(d.Sync) }}},
	})}
}

// Remove implements store.Passes. A missing pass is no error.
func (c passes) Remove(ctx context.Context, org id.Org, p id.Pass) error {
	return c.remove(ctx, " WHERE id = ? AND org = ?", string(p), string(org))
}

type shards struct {
	*collection[syncing.Shard, string]
}

func newShards(s *Store) shards {
	return shards{define(s, collection[syncing.Shard, string]{
		table: "shards", noun: "shard",
		head: func(d *syncing.Shard) head[string] {
			return head[string]{&d.ID, &d.Org, &d.Revision, &d.UpdatedAt, nil}
		},
		columns: []column[syncing.Shard]{
			{"sync", func(d *syncing.Shard) any { return string(d.Sync) }},
			{"pass", func(d *syncing.Shard) any { return string(d.Pass) }},
		},
	})}
}

// OfPass implements store.Shards, in order of id.
func (c shards) OfPass(ctx context.Context, org id.Org, p id.Pass) ([]syncing.Shard, error) {
	return c.all(ctx, "of_pass", " WHERE org = ? AND pass = ? ORDER BY id", string(org), string(p))
}

// Remove implements store.Shards.
func (c shards) Remove(ctx context.Context, org id.Org, p id.Pass) error {
	return c.remove(ctx, " WHERE org = ? AND pass = ?", string(org), string(p))
}

type runs struct {
	*collection[syncing.Run, id.Run]
}

func newRuns(s *Store) runs {
	return runs{define(s, collection[syncing.Run, id.Run]{
		table: "runs", noun: "run",
		head: func(d *syncing.Run) head[id.Run] {
			return head[id.Run]{&d.ID, &d.Org, &d.Revision, &d.StartedAt, &d.Outbox}
		},
		columns: []column[syncing.Run]{
			{"bucket", func(d *syncing.Run) any { return string(d.Bucket) }},
			{"sync", func(d *syncing.Run) any { return string(d.Sync) }},
		},
	})}
}

// List implements store.Runs.
func (c runs) List(ctx context.Context, org id.Org, f syncing.RunFilter, p store.Page) (store.List[syncing.Run], error) {
	return c.list(ctx, org, runConditions(org, f), p, string(f.Bucket), string(f.Sync))
}

// Count implements store.Runs.
func (c runs) Count(ctx context.Context, org id.Org, f syncing.RunFilter) (int64, error) {
	return c.count(ctx, runConditions(org, f))
}

// Remove implements store.Runs. A missing run is no error.
func (c runs) Remove(ctx context.Context, org id.Org, r id.Run) error {
	return c.remove(ctx, " WHERE id = ? AND org = ?", string(r), string(org))
}

func runConditions(org id.Org, f syncing.RunFilter) *conditions {
	w := ofOrg(org)
	if f.Bucket != "" {
		w.add("bucket = ?", string(f.Bucket))
	}
	if f.Sync != "" {
		w.add("sync = ?", string(f.Sync))
	}
	if !f.Since.IsZero() {
		w.add("created >= ?", ceilMillis(f.Since))
	}
	if !f.Until.IsZero() {
		w.add("created < ?", ceilMillis(f.Until))
	}
	return w
}
