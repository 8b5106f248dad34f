package sqlite

import (
	"context"
	"database/sql"
	"slices"

	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/key"
	"mooring/internal/store"
	"mooring/internal/store/internal/doc"
	"mooring/internal/syncing"
)

type pages struct{ s *Store }

var _ store.Pages = pages{}

// Append implements store.Pages.
func (p pages) Append(ctx context.Context, org id.Org, r syncing.Record) error {
	const op = "store.pages.append"
	if r.Org != org || r.ID != syncing.RecordID(r.Pass, r.Shard, r.Seq) {
		return errs.New(errs.Invalid, op, "a record must carry its organization and the id made of its pass, shard and seq")
	}
	b, err := doc.Encode(r)
	if err != nil {
		return err
	}
	at, err := p.s.atom(ctx, org, string(r.Sync))
	if err != nil {
		return err
	}
	err = p.s.w.write(ctx, op, bulk, func(t *tx) error {
		_, err := t.exec("INSERT INTO pages (sync, id, doc) VALUES (?, ?, ?)", at, r.ID, b)
		return err
	})
	if errs.Is(err, errs.AlreadyExists) {
		return errs.Wrap(err, errs.AlreadyExists, op, "somebody else has written this page of the shard")
	}
	return err
}

// Pending implements store.Pages.
func (p pages) Pending(ctx context.Context, org id.Org, s id.Sync, after string, limit int) ([]syncing.Record, error) {
	const op = "store.pages.pending"
	if err := checkLimit(op, limit); err != nil {
		return nil, err
	}
	at, known, err := p.s.findAtom(ctx, org, string(s))
	if err != nil || !known {
		return nil, err
	}
	return documents[syncing.Record](ctx, p.s, op, "SELECT doc FROM pages WHERE sync = ? AND id > ? ORDER BY id LIMIT ?", at, after, limit)
}

// Drop implements store.Pages.
func (p pages) Drop(ctx context.Context, org id.Org, s id.Sync, ids []string) error {
	return p.s.deleteListed(ctx, "store.pages.drop", "DELETE FROM pages WHERE sync = ? AND id IN (SELECT value FROM json_each(?))", org, s, ids)
}

// deleteListed deletes the rows of a sync that a list of ids names.
func (s *Store) deleteListed(ctx context.Context, op, query string, org id.Org, sync id.Sync, ids []string) error {
	at, known, err := s.findAtom(ctx, org, string(sync))
	if err != nil || !known {
		return err
	}
	return inChunks(ctx, s, op, ids, func(t *tx, chunk []string) error {
		_, err := t.exec(query, at, texts(chunk))
		return err
	})
}

type absences struct{ s *Store }

var _ store.Absences = absences{}

// Note implements store.Absences.
func (a absences) Note(ctx context.Context, org id.Org, s id.Sync, p id.Pass, list []syncing.Absence) error {
	if len(list) == 0 {
		return nil
	}
	at, err := a.s.atom(ctx, org, string(s))
	if err != nil {
		return err
	}
	return inChunks(ctx, a.s, "store.absences.note", list, func(t *tx, chunk []syncing.Absence) error {
		for _, x := range chunk {
			if _, err := t.exec("INSERT OR REPLACE INTO absences (sync, pass, source, object, name) VALUES (?, ?, ?, ?, ?)",
				at, string(p), x.SourceID.Encode(), string(x.Object), x.Name); err != nil {
				return err
			}
		}
		return nil
	})
}

// List implements store.Absences.
func (a absences) List(ctx context.Context, org id.Org, s id.Sync, p id.Pass, after key.Key, limit int) ([]syncing.Absence, error) {
	const op = "store.absences.list"
	if err := checkLimit(op, limit); err != nil {
		return nil, err
	}
	at, known, err := a.s.findAtom(ctx, org, string(s))
	if err != nil || !known {
		return nil, err
	}
	var out []syncing.Absence
	err = a.s.each(ctx, op, "SELECT source, object, name FROM absences WHERE sync = ? AND pass = ? AND source > ? ORDER BY source LIMIT ?",
		[]any{at, string(p), after.Encode(), limit}, func(r *sql.Rows) error {
			var x syncing.Absence
			var source string
			err := r.Scan(&source, &x.Object, &x.Name)
			if err == nil {
				x.SourceID, err = key.Decode(source)
			}
			out = append(out, x)
			return err
		})
	return out, err
}

// Count implements store.Absences.
func (a absences) Count(ctx context.Context, org id.Org, s id.Sync, p id.Pass) (int64, error) {
	at, known, err := a.s.findAtom(ctx, org, string(s))
	if err != nil || !known {
		return 0, err
	}
	return a.s.count(ctx, "store.absences.count", "SELECT count(*) FROM absences WHERE sync = ? AND pass = ?", []any{at, string(p)})
}

// Settle implements store.Absences.
func (a absences) Settle(ctx context.Context, org id.Org, s id.Sync, p id.Pass, o []id.Object) error {
	at, known, err := a.s.findAtom(ctx, org, string(s))
	if err != nil || !known {
		return err
	}
	return inChunks(ctx, a.s, "store.absences.settle", o, func(t *tx, chunk []id.Object) error {
		_, err := t.exec("DELETE FROM absences WHERE (sync, pass, source) IN (SELECT sync, pass, source FROM absences"+
			" WHERE sync = ? AND pass = ? AND object IN (SELECT value FROM json_each(?)))", at, string(p), texts(chunk))
		return err
	})
}

// Drop implements store.Absences.
func (a absences) Drop(ctx context.Context, org id.Org, s id.Sync, p id.Pass) error {
	at, known, err := a.s.findAtom(ctx, org, string(s))
	if err != nil || !known {
		return err
	}
	return a.s.removeAll(ctx, "store.absences.drop", "DELETE FROM absences WHERE sync = ?1 AND pass = ?2 AND source IN"+
		" (SELECT source FROM absences WHERE sync = ?1 AND pass = ?2 LIMIT ?3)", at, string(p))
}

type tree struct{ s *Store }

var _ store.Tree = tree{}

// Apply implements store.Tree.
func (x tree) Apply(ctx context.Context, org id.Org, s id.Sync, changes []syncing.TreeChange) error {
	if len(changes) == 0 {
		return nil
	}
	at, err := x.s.atom(ctx, org, string(s))
	if err != nil {
		return err
	}
	return inChunks(ctx, x.s, "store.tree.apply", changes, func(t *tx, chunk []syncing.TreeChange) error {
		for _, c := range chunk {
			query, args := "INSERT OR REPLACE INTO tree (sync, id, parent, name) VALUES (?, ?, ?, ?)", []any{at, c.Node.ID, c.Node.Parent, c.Node.Name}
			if c.Gone {
				query, args = "DELETE FROM tree WHERE sync = ? AND id = ?", args[:2]
			}
			if _, err := t.exec(query, args...); err != nil {
				return err
			}
		}
		return nil
	})
}

// Nodes implements store.Tree.
func (x tree) Nodes(ctx context.Context, org id.Org, s id.Sync, ids []string) (map[string]syncing.Node, error) {
	out := make(map[string]syncing.Node, len(ids))
	at, known, err := x.s.findAtom(ctx, org, string(s))
	if err != nil || !known {
		return out, err
	}
	for chunk := range slices.Chunk(ids, queryChunk) {
		nodes, err := x.nodes(ctx, "store.tree.nodes", " WHERE sync = ? AND id IN (SELECT value FROM json_each(?))", at, texts(chunk))
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
	at, known, err := x.s.findAtom(ctx, org, string(s))
	if err != nil || !known {
		return nil, err
	}
	return x.nodes(ctx, op, " WHERE sync = ? AND parent = ? AND id > ? ORDER BY id LIMIT ?", at, parent, after, limit)
}

func (x tree) nodes(ctx context.Context, op, clause string, args ...any) ([]syncing.Node, error) {
	var out []syncing.Node
	err := x.s.each(ctx, op, "SELECT id, parent, name FROM tree"+clause, args, func(r *sql.Rows) error {
		var n syncing.Node
		err := r.Scan(&n.ID, &n.Parent, &n.Name)
		out = append(out, n)
		return err
	})
	return out, err
}

// Drop implements store.Tree.
func (x tree) Drop(ctx context.Context, org id.Org, s id.Sync) error {
	at, known, err := x.s.findAtom(ctx, org, string(s))
	if err != nil || !known {
		return err
	}
	return x.s.removeAll(ctx, "store.tree.drop", "DELETE FROM tree WHERE sync = ?1 AND id IN (SELECT id FROM tree WHERE sync = ?1 LIMIT ?2)", at)
}
