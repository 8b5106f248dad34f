package mongo

import (
	"context"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

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
		name: "connections", noun: "connection",
		head: func(d *connection.Connection) head[id.Connection] {
			return head[id.Connection]{&d.ID, &d.Org, &d.Revision, &d.CreatedAt, &d.Outbox}
		},
		derive: func(d *connection.Connection) bson.D {
			return bson.D{{Key: "unique", Value: liveName(d.Name, d.Status != connection.Archived, string(d.ID))}, {Key: "host", Value: d.Config.Host()}, {Key: "folded", Value: fold(d.Name)}}
		},
		guard: []string{"next_check_at", "last_checked_at", "last_success_at"},
		merge: func(d *connection.Connection) {
			if used := cut(s.touch.Of(d.ID)); !used.IsZero() && (d.LastUsedAt == nil || d.LastUsedAt.Before(used)) {
				d.LastUsedAt = &used
			}
		},
	})}
}

// ByName implements store.Connections.
func (c connections) ByName(ctx context.Context, org id.Org, name string) (connection.Connection, error) {
	live, err := c.all(ctx, "by_name", find{filter: append(ofOrg(org), bson.E{Key: "derived.unique", Value: liveName(name, true, "")}), limit: 1})
	if err != nil || len(live) > 0 {
		return append(live, connection.Connection{})[0], err
	}
	return c.one(ctx, "by_name", find{filter: append(ofOrg(org), bson.E{Key: "name", Value: name}), sort: newestFirst("created_at")})
}

// List implements store.Connections.
func (c connections) List(ctx context.Context, org id.Org, f connection.Filter, p store.Page) (store.List[connection.Connection], error) {
	c.settle(f)
	return c.list(ctx, org, connectionFilter(org, f), p)
}

// Count implements store.Connections.
func (c connections) Count(ctx context.Context, org id.Org, f connection.Filter) (int64, error) {
	c.settle(f)
	return c.s.count(ctx, c.op("count"), c.name, connectionFilter(org, f))
}

// settle writes the touches that this process holds back before a filter asks
// for them; others write theirs within a minute.
func (c connections) settle(f connection.Filter) {
	if !f.UnusedSince.IsZero() {
		c.s.touch.Flush()
	}
}

func connectionFilter(org id.Org, f connection.Filter) bson.D {
	out := ofOrg(org)
	if f.Provider != "" {
		out = append(out, bson.E{Key: "provider_type", Value: f.Provider})
	}
	if f.Status != "" {
		out = append(out, bson.E{Key: "status", Value: string(f.Status)})
	}
	if f.IsActive != nil {
		is := map[bool]string{true: "$eq", false: "$ne"}[*f.IsActive]
		out = also(out, bson.D{{Key: "status", Value: bson.D{{Key: is, Value: string(connection.Active)}}}})
	}
	if !f.UnusedSince.IsZero() { // or that were never used
		out = append(out, bson.E{Key: "$nor", Value: bson.A{bson.D{{Key: "last_used_at", Value: bson.D{{Key: "$gte", Value: cut(f.UnusedSince)}}}}}})
	}
	if f.Search != "" {
		out = append(out, contains("derived.folded", fold(f.Search)))
	}
	return out
}

// Touch implements store.Connections.
func (c connections) Touch(ctx context.Context, org id.Org, i id.Connection) error {
	if c.s.touch.Note(i, org, c.s.now()) {
		return nil
	}
	found, err := c.s.first(ctx, c.op("touch"), c.name, find{filter: c.key(org, i), fields: idOnly})
	if err != nil {
		return err
	}
	if found == nil {
		return c.missing("touch")
	}
	c.s.touch.Add(i, org, c.s.now())
	return nil
}

// writeTouches writes when connections were last used.
func (s *Store) writeTouches(ctx context.Context, used map[id.Connection]touch.Touch) error {
	writes := make([]write, 0, len(used))
	for c, u := range used {
		writes = append(writes, write{
			filter: bson.D{{Key: "_id", Value: string(c)}, {Key: "internal_id", Value: string(u.Org)}},
			update: bson.D{{Key: "$max", Value: bson.D{{Key: "last_used_at", Value: cut(u.At)}}}},
		})
	}
	_, err := s.bulk(ctx, "store.connections.touch", "connections", writes)
	return err
}

// Beat implements store.Connections.
func (c connections) Beat(ctx context.Context, org id.Org, i id.Connection, revision int64, b connection.Beat) (kept bool, err error) {
	latest := bson.D{{Key: "last_success_at", Value: cut(b.SuccessAt)}}
	if b.CheckedAt != nil {
		latest = append(latest, bson.E{Key: "last_checked_at", Value: cut(*b.CheckedAt)})
	}
	return c.s.updateOne(ctx, c.op("beat"), c.name, append(c.key(org, i), bson.E{Key: "revision", Value: revision}), bson.D{
		{Key: "$set", Value: bson.D{{Key: "next_check_at", Value: cut(b.NextCheckAt)}}}, {Key: "$max", Value: latest},
	})
}

type tokens struct {
	*collection[connection.Tokens, id.Connection]
}

func newTokens(s *Store) tokens {
	return tokens{define(s, collection[connection.Tokens, id.Connection]{
		name: "tokens", noun: "tokens of a connection",
		head: func(d *connection.Tokens) head[id.Connection] {
			return head[id.Connection]{&d.Connection, &d.Org, &d.Revision, &d.CreatedAt, nil}
		},
	})}
}

// Remove implements store.Tokens.
func (c tokens) Remove(ctx context.Context, org id.Org, conn id.Connection) error {
	_, err := c.s.remove(ctx, c.op("remove"), c.name, c.key(org, conn))
	return err
}

// Sweep implements store.Tokens. A connection is never archived before its
// tokens are written for the last time, so that what is found now may go.
func (c tokens) Sweep(ctx context.Context, org id.Org) error {
	held, err := c.s.find(ctx, c.op("sweep"), c.name, find{filter: ofOrg(org), fields: idOnly})
	if err != nil {
		return err
	}
	for some := range slices.Chunk(idsOf(held), queryChunk) {
		gone, err := c.s.find(ctx, c.op("sweep"), "connections", find{fields: idOnly, filter: bson.D{
			{Key: "_id", Value: in(some)}, {Key: "internal_id", Value: string(org)}, {Key: "status", Value: string(connection.Archived)},
		}})
		if err != nil {
			return err
		}
		if len(gone) == 0 {
			continue
		}
		if _, err := c.s.remove(ctx, c.op("sweep"), c.name, bson.D{{Key: "_id", Value: in(idsOf(gone))}, {Key: "internal_id", Value: string(org)}}); err != nil {
			return err
		}
	}
	return nil
}

type consents struct {
	*collection[connection.Consent, string]
}

func newConsents(s *Store) consents {
	return consents{define(s, collection[connection.Consent, string]{
		name: "consents", noun: "consent under way",
		head: func(d *connection.Consent) head[string] {
			return head[string]{&d.ID, &d.Org, &d.Revision, &d.CreatedAt, &d.Outbox}
		},
	})}
}

// List implements store.Consents.
func (c consents) List(ctx context.Context, org id.Org, p store.Page) (store.List[connection.Consent], error) {
	return c.list(ctx, org, ofOrg(org), p)
}

// Sweep implements store.Consents.
func (c consents) Sweep(ctx context.Context, org id.Org, now time.Time) error {
	return c.expire(ctx, org, now)
}
