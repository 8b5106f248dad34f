package mongo

import (
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/key"
	"mooring/internal/store"
	"mooring/internal/store/internal/doc"
	"mooring/internal/syncing"
)

// pages are under organization/sync/record.
type pages struct{ s *Store }

var _ store.Pages = pages{}

// syncParts is how many parts of the _id of a sync's row come before its own id.
const syncParts = 2

// Append implements store.Pages.
func (p pages) Append(ctx context.Context, org id.Org, r syncing.Record) error {
	const op = "store.pages.append"
	if r.Org != org || r.ID != syncing.RecordID(r.Pass, r.Shard, r.Seq) {
		return errs.New(errs.Invalid, op, "a record must carry its organization and the id made of its pass, shard and seq")
	}
	err := p.s.insertRow(ctx, op, "pages", r, string(org), string(r.Sync), r.ID)
	if errs.Is(err, errs.AlreadyExists) {
		return errs.Wrap(err, errs.AlreadyExists, op, "somebody else has written this page of the shard")
	}
	return err
}

// insertRow adds a document under an _id.
func (s *Store) insertRow(ctx context.Context, op, collection string, v any, parts ...string) error {
	b, err := doc.Encode(v)
	if err != nil {
		return err
	}
	raw, err := withID(b, rowID(parts...))
	if err != nil {
		return err
	}
	fields, err := fieldsOf(raw)
	if err != nil {
		return err
	}
	return s.insert(ctx, op, collection, fields)
}

// Pending implements store.Pages.
func (p pages) Pending(ctx context.Context, org id.Org, s id.Sync, after string, limit int) ([]syncing.Record, error) {
	const op = "store.pages.pending"
	if err := checkLimit(op, limit); err != nil {
		return nil, err
	}
	return rows[syncing.Record](ctx, p.s, op, "pages", syncParts, find{
		filter: bson.D{{Key: "_id", Value: below(after, string(org), string(s))}}, sort: byID(1), limit: limit,
	})
}

// Drop implements store.Pages.
func (p pages) Drop(ctx context.Context, org id.Org, s id.Sync, ids []string) error {
	return p.s.removeListed(ctx, "store.pages.drop", "pages", ids, string(org), string(s))
}

// absences are under organization/sync/pass/source.
type absences struct{ s *Store }

var _ store.Absences = absences{}

// Note implements store.Absences.
func (a absences) Note(ctx context.Context, org id.Org, s id.Sync, p id.Pass, list []syncing.Absence) error {
	writes := make([]write, len(list))
	for i, x := range list {
		writes[i] = write{
			filter: byID(rowID(string(org), string(s), string(p), x.SourceID.Encode())), upsert: true,
			update: bson.D{{Key: "$set", Value: bson.D{
				{Key: "internal_id", Value: string(org)}, {Key: "sync_config_id", Value: string(s)}, {Key: "pass_id", Value: string(p)},
				{Key: "object", Value: string(x.Object)}, {Key: "source_id", Value: x.SourceID}, {Key: "name", Value: x.Name},
			}}},
		}
	}
	return a.s.putAll(ctx, "store.absences.note", "absences", writes)
}

// putAll makes upserts by _id. One that is refused met another process that
// made the document at this moment, and is made again.
func (s *Store) putAll(ctx context.Context, op, collection string, writes []write) error {
	for chunk := range slices.Chunk(writes, writeChunk) {
		for len(chunk) > 0 {
			refused, err := s.bulk(ctx, op, collection, chunk)
			if err != nil {
				return err
			}
			again := make([]write, len(refused))
			for i, at := range refused {
				again[i] = chunk[at]
			}
			chunk = again
		}
	}
	return nil
}

// List implements store.Absences.
func (a absences) List(ctx context.Context, org id.Org, s id.Sync, p id.Pass, after key.Key, limit int) ([]syncing.Absence, error) {
	const op = "store.absences.list"
	if err := checkLimit(op, limit); err != nil {
		return nil, err
	}
	return rows[syncing.Absence](ctx, a.s, op, "absences", syncParts+1, find{filter: ofPass(after.Encode(), org, s, p), sort: byID(1), limit: limit})
}

func ofPass(after string, org id.Org, s id.Sync, p id.Pass) bson.D {
	return bson.D{{Key: "_id", Value: below(after, string(org), string(s), string(p))}}
}

// Count implements store.Absences.
func (a absences) Count(ctx context.Context, org id.Org, s id.Sync, p id.Pass) (int64, error) {
	return a.s.count(ctx, "store.absences.count", "absences", ofPass("", org, s, p))
}

// Settle implements store.Absences.
func (a absences) Settle(ctx context.Context, org id.Org, s id.Sync, p id.Pass, o []id.Object) error {
	for chunk := range slices.Chunk(o, queryChunk) {
		filter := append(ofSync(org, s), bson.E{Key: "pass_id", Value: string(p)}, bson.E{Key: "object", Value: in(chunk)})
		if _, err := a.s.remove(ctx, "store.absences.settle", "absences", filter); err != nil {
			return err
		}
	}
	return nil
}

// Drop implements store.Absences.
func (a absences) Drop(ctx context.Context, org id.Org, s id.Sync, p id.Pass) error {
	return a.s.removeAll(ctx, "store.absences.drop", "absences", ofPass("", org, s, p))
}

// tree is under organization/sync/node.
type tree struct{ s *Store }

var _ store.Tree = tree{}

// Apply implements store.Tree. Changes of one node keep their order.
func (x tree) Apply(ctx context.Context, org id.Org, s id.Sync, changes []syncing.TreeChange) error {
	const op = "store.tree.apply"
	last := make(map[string]int, len(changes))
	for i, c := range changes {
		last[c.Node.ID] = i
	}
	var puts []write
	var gone []string
	for i, c := range changes {
		switch {
		case last[c.Node.ID] != i:
		case c.Gone:
			gone = append(gone, c.Node.ID)
		default:
			puts = append(puts, write{
				filter: byID(rowID(string(org), string(s), c.Node.ID)), upsert: true,
				update: bson.D{{Key: "$set", Value: bson.D{
					{Key: "internal_id", Value: string(org)}, {Key: "sync_config_id", Value: string(s)}, {Key: "parent", Value: c.Node.Parent}, {Key: "name", Value: c.Node.Name},
				}}},
			})
		}
	}
	if err := x.s.putAll(ctx, op, "tree", puts); err != nil {
		return err
	}
	return x.s.removeListed(ctx, op, "tree", gone, string(org), string(s))
}

// Nodes implements store.Tree.
func (x tree) Nodes(ctx context.Context, org id.Org, s id.Sync, ids []string) (map[string]syncing.Node, error) {
	out := make(map[string]syncing.Node, len(ids))
	for chunk := range slices.Chunk(ids, queryChunk) {
		nodes, err := x.nodes(ctx, "store.tree.nodes", find{filter: bson.D{{Key: "_id", Value: in(rowIDs(chunk, string(org), string(s)))}}})
		if err != nil {
			return nil, err
		}
		for _, n := range nodes {
			out[n.ID] = n
		}
	}
	return out, nil
}

// Children implements store.Tree, in order of id.
func (x tree) Children(ctx context.Context, org id.Org, s id.Sync, parent, after string, limit int) ([]syncing.Node, error) {
	const op = "store.tree.children"
	if err := checkLimit(op, limit); err != nil {
		return nil, err
	}
	filter := append(ofSync(org, s), bson.E{Key: "parent", Value: parent}, bson.E{Key: "_id", Value: below(after, string(org), string(s))})
	return x.nodes(ctx, op, find{filter: filter, sort: byID(1), limit: limit})
}

func (x tree) nodes(ctx context.Context, op string, q find) ([]syncing.Node, error) {
	found, err := x.s.find(ctx, op, "tree", q)
	if err != nil {
		return nil, err
	}
	out := make([]syncing.Node, len(found))
	for i, r := range found {
		out[i] = syncing.Node{ID: ownID(r.Lookup("_id").StringValue(), syncParts), Parent: r.Lookup("parent").StringValue(), Name: r.Lookup("name").StringValue()}
	}
	return out, nil
}

// Drop implements store.Tree.
func (x tree) Drop(ctx context.Context, org id.Org, s id.Sync) error {
	return x.s.removeAll(ctx, "store.tree.drop", "tree", bson.D{{Key: "_id", Value: below("", string(org), string(s))}})
}
