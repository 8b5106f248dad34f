package mongo

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store"
	"mooring/internal/syncing"
)

type syncs struct {
	*collection[syncing.Sync, id.Sync]
}

// The queues of syncs, in derived.queue; derived.at orders each.
const (
	queueNone      = ""
	queueTriggered = "triggered"
	queueDue       = "due"
	queueDeleted   = "deleted"
)

// never orders what has no time after all that have.
var never = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

func queueOf(d *syncing.Sync) (queue string, at time.Time) {
	at = never
	if d.NextSyncAt != nil {
		at = cut(*d.NextSyncAt)
	}
	switch {
	case d.DeletedAt != nil:
		return queueDeleted, cut(*d.DeletedAt)
	case d.Triggered > d.TriggerDone:
		return queueTriggered, at
	case d.NextSyncAt != nil:
		return queueDue, at
	}
	return queueNone, at
}

func newSyncs(s *Store) syncs {
	return syncs{define(s, collection[syncing.Sync, id.Sync]{
		name: "syncs", noun: "sync",
		head: func(d *syncing.Sync) head[id.Sync] {
			return head[id.Sync]{&d.ID, &d.Org, &d.Revision, &d.CreatedAt, &d.Outbox}
		},
		derive: func(d *syncing.Sync) bson.D {
			queue, at := queueOf(d)
			return bson.D{{Key: "queue", Value: queue}, {Key: "at", Value: at}}
		},
	})}
}

// List implements store.Syncs.
func (c syncs) List(ctx context.Context, org id.Org, f syncing.Filter, p store.Page) (store.List[syncing.Sync], error) {
	return c.list(ctx, org, syncFilter(org, f), p)
}

// Count implements store.Syncs.
func (c syncs) Count(ctx context.Context, org id.Org, f syncing.Filter) (int64, error) {
	return c.s.count(ctx, c.op("count"), c.name, syncFilter(org, f))
}

func syncFilter(org id.Org, f syncing.Filter) bson.D {
	out := append(ofOrg(org), bson.E{Key: "deleted_at", Value: nil})
	if f.Bucket != "" {
		out = append(out, bson.E{Key: "bucket_id", Value: string(f.Bucket)})
	}
	if f.Connection != "" {
		out = append(out, bson.E{Key: "connection_id", Value: string(f.Connection)})
	}
	if f.Status != "" {
		out = append(out, bson.E{Key: "status", Value: string(f.Status)})
	}
	if f.IsActive != nil {
		is := map[bool]string{true: "$in", false: "$nin"}[*f.IsActive]
		out = also(out, bson.D{{Key: "status", Value: bson.D{{Key: is, Value: []string{string(syncing.Pending), string(syncing.Active)}}}}})
	}
	return out
}

// Remove implements store.Syncs. The sync's own document goes last, so that what
// a crash interrupts is found and finished later. A missing sync is no error.
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
	if err := c.removeRuns(ctx, org, i); err != nil {
		return err
	}
	for _, name := range []string{"passes", "shards"} {
		if err := c.s.removeAll(ctx, c.op("remove"), name, ofSync(org, i)); err != nil {
			return err
		}
	}
	for _, name := range []string{"pages", "absences", "dead_letters", "tree"} {
		if err := c.s.removeAll(ctx, c.op("remove"), name, bson.D{{Key: "_id", Value: below("", string(org), string(i))}}); err != nil {
			return err
		}
	}
	return c.take(ctx, org, i)
}

func ofSync(org id.Org, i id.Sync) bson.D {
	return append(ofOrg(org), bson.E{Key: "sync_config_id", Value: string(i)})
}

// removeRuns takes a sync's runs, each after what it tells was relayed.
func (c syncs) removeRuns(ctx context.Context, org id.Org, i id.Sync) error {
	for {
		found, err := c.s.find(ctx, c.op("remove"), "runs", find{filter: ofSync(org, i), fields: idOnly, limit: removeChunk})
		if err != nil {
			return err
		}
		for _, run := range idsOf(found) {
			if err := c.s.runs.take(ctx, org, id.Run(run)); err != nil {
				return err
			}
		}
		if len(found) < removeChunk {
			return nil
		}
	}
}

type passes struct {
	*collection[syncing.Pass, id.Pass]
}

func newPasses(s *Store) passes {
	return passes{define(s, collection[syncing.Pass, id.Pass]{
		name: "passes", noun: "pass", created: "started_at",
		head: func(d *syncing.Pass) head[id.Pass] {
			return head[id.Pass]{&d.ID, &d.Org, &d.Revision, &d.StartedAt, nil}
		},
	})}
}

// Remove implements store.Passes. A missing pass is no error.
func (c passes) Remove(ctx context.Context, org id.Org, p id.Pass) error {
	_, err := c.s.remove(ctx, c.op("remove"), c.name, c.key(org, p))
	return err
}

type shards struct {
	*collection[syncing.Shard, string]
}

func newShards(s *Store) shards {
	return shards{define(s, collection[syncing.Shard, string]{
		name: "shards", noun: "shard", created: "updated_at",
		head: func(d *syncing.Shard) head[string] {
			return head[string]{&d.ID, &d.Org, &d.Revision, &d.UpdatedAt, nil}
		},
	})}
}

// OfPass implements store.Shards, in order of id.
func (c shards) OfPass(ctx context.Context, org id.Org, p id.Pass) ([]syncing.Shard, error) {
	return c.all(ctx, "of_pass", find{filter: append(ofOrg(org), bson.E{Key: "pass_id", Value: string(p)}), sort: byID(1)})
}

// Remove implements store.Shards.
func (c shards) Remove(ctx context.Context, org id.Org, p id.Pass) error {
	_, err := c.s.remove(ctx, c.op("remove"), c.name, append(ofOrg(org), bson.E{Key: "pass_id", Value: string(p)}))
	return err
}

type runs struct {
	*collection[syncing.Run, id.Run]
}

func newRuns(s *Store) runs {
	return runs{define(s, collection[syncing.Run, id.Run]{
		name: "runs", noun: "run", created: "started_at",
		head: func(d *syncing.Run) head[id.Run] {
			return head[id.Run]{&d.ID, &d.Org, &d.Revision, &d.StartedAt, &d.Outbox}
		},
	})}
}

// List implements store.Runs.
func (c runs) List(ctx context.Context, org id.Org, f syncing.RunFilter, p store.Page) (store.List[syncing.Run], error) {
	return c.list(ctx, org, runFilter(org, f), p, string(f.Bucket), string(f.Sync))
}

// Count implements store.Runs.
func (c runs) Count(ctx context.Context, org id.Org, f syncing.RunFilter) (int64, error) {
	return c.s.count(ctx, c.op("count"), c.name, runFilter(org, f))
}

// Remove implements store.Runs. A missing run is no error.
func (c runs) Remove(ctx context.Context, org id.Org, r id.Run) error { return c.take(ctx, org, r) }

func runFilter(org id.Org, f syncing.RunFilter) bson.D {
	out := ofOrg(org)
	if f.Bucket != "" {
		out = append(out, bson.E{Key: "bucket_id", Value: string(f.Bucket)})
	}
	if f.Sync != "" {
		out = append(out, bson.E{Key: "sync_config_id", Value: string(f.Sync)})
	}
	var started bson.D
	if !f.Since.IsZero() {
		started = append(started, bson.E{Key: "$gte", Value: ceilMillis(f.Since)})
	}
	if !f.Until.IsZero() {
		started = append(started, bson.E{Key: "$lt", Value: ceilMillis(f.Until)})
	}
	if started != nil {
		out = append(out, bson.E{Key: "started_at", Value: started})
	}
	return out
}
