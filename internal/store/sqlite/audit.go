package sqlite

import (
	"bytes"
	"context"
	"database/sql"

	"mooring/internal/audit"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store"
	"mooring/internal/store/internal/doc"
)

// appendAudit numbers entries, links each to the one before, and writes them.
func (t *tx) appendAudit(org id.Org, entries []audit.Entry) error {
	for _, e := range entries {
		n, fresh, err := admit(t, org, "audit", string(e.ID))
		if err != nil {
			return err
		}
		if !fresh {
			continue
		}
		e.Org, e.Sequence = org, n
		if err := t.link(&e); err != nil {
			return err
		}
		b, err := doc.Encode(e)
		if err != nil {
			return err
		}
		if err := t.putAudit("INSERT", e, b); err != nil {
			return err
		}
	}
	return nil
}

// putAudit writes an entry's row. how is INSERT, or INSERT OR REPLACE.
func (t *tx) putAudit(how string, e audit.Entry, b []byte) error {
	_, err := t.exec(how+" INTO audit (org, id, sequence, time, resource_type, resource, actor, action, doc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		string(e.Org), string(e.ID), e.Sequence, e.Time.UnixMilli(), e.ResourceType, e.ResourceID, e.Actor.ID, e.Action, b)
	return err
}

// link chains an entry that has its number to the last one.
func (t *tx) link(e *audit.Entry) error {
	if t.chain == nil {
		return nil
	}
	var last audit.Entry
	var b []byte
	found, err := t.row("SELECT doc FROM audit WHERE org = ? ORDER BY sequence DESC LIMIT 1", []any{string(e.Org)}, &b)
	if err == nil && found {
		err = doc.Decode(b, &last)
	}
	if err == nil {
		e.MAC, err = t.chain.Link(last.MAC, *e)
	}
	return err
}

type trail struct{ s *Store }

var _ store.Audit = trail{}

// Append implements store.Audit.
func (a trail) Append(ctx context.Context, org id.Org, entries []audit.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	return a.s.w.write(ctx, "store.audit.append", interactive, func(t *tx) error { return t.appendAudit(org, entries) })
}

// Get implements store.Audit.
func (a trail) Get(ctx context.Context, org id.Org, i id.Audit) (audit.Entry, error) {
	return a.one(ctx, "store.audit.get", "SELECT doc FROM audit WHERE org = ? AND id = ?", string(org), string(i))
}

// Last implements store.Audit.
func (a trail) Last(ctx context.Context, org id.Org) (audit.Entry, error) {
	return a.one(ctx, "store.audit.last", "SELECT doc FROM audit WHERE org = ? ORDER BY sequence DESC LIMIT 1", string(org))
}

func (a trail) one(ctx context.Context, op, query string, args ...any) (e audit.Entry, err error) {
	found, err := documents[audit.Entry](ctx, a.s, op, query, args...)
	if err == nil && len(found) == 0 {
		err = errs.New(errs.NotFound, op, "no such audit entry")
	}
	if err != nil {
		return e, err
	}
	return found[0], nil
}

// Scan implements store.Audit.
func (a trail) Scan(ctx context.Context, org id.Org, after int64, limit int) ([]audit.Entry, error) {
	const op = "store.audit.scan"
	if err := checkLimit(op, limit); err != nil {
		return nil, err
	}
	var out []audit.Entry
	err := a.s.each(ctx, op, "SELECT doc, id, time, resource_type, resource, actor, action FROM audit WHERE org = ? AND sequence > ? ORDER BY sequence LIMIT ?",
		[]any{string(org), after, limit}, func(r *sql.Rows) error {
			e, err := scanned(r)
			out = append(out, e)
			return err
		})
	return out, err
}

// scanned reads an entry. Lists are found by the columns beside the document,
// which its MAC does not cover: where they say something else the entry comes
// without its MAC, since it would be hidden from who looks for it.
func scanned(r *sql.Rows) (e audit.Entry, err error) {
	var b sql.RawBytes
	var i, resourceType, resource, actor, action sql.NullString
	var at sql.NullInt64
	if err := r.Scan(&b, &i, &at, &resourceType, &resource, &actor, &action); err != nil {
		return e, err
	}
	if err := doc.Decode(b, &e); err != nil {
		return e, err
	}
	is := func(column sql.NullString, field string) bool { return column.Valid && column.String == field }
	if !is(i, string(e.ID)) || at.Int64 != e.Time.UnixMilli() || !is(resourceType, e.ResourceType) || !is(resource, e.ResourceID) ||
		!is(actor, e.Actor.ID) || !is(action, e.Action) {
		e.MAC = nil
	}
	return e, nil
}

// List implements store.Audit.
func (a trail) List(ctx context.Context, org id.Org, f audit.Filter, skip, limit int) ([]audit.Entry, error) {
	if skip < 0 || limit < 1 {
		return nil, errs.New(errs.Invalid, "store.audit.list", "skip must not be negative and limit at least 1")
	}
	w := auditConditions(org, f)
	return documents[audit.Entry](ctx, a.s, "store.audit.list", atOnce("SELECT doc FROM audit"+w.String()+
		" ORDER BY time DESC, sequence DESC LIMIT ? OFFSET ?"), append(w.args, limit, skip)...)
}

// Count implements store.Audit.
func (a trail) Count(ctx context.Context, org id.Org, f audit.Filter) (int64, error) {
	w := auditConditions(org, f)
	return a.s.count(ctx, "store.audit.count", "SELECT count(*) FROM audit"+w.String(), w.args)
}

func auditConditions(org id.Org, f audit.Filter) *conditions {
	w := &conditions{}
	w.add("org = ?", string(org))
	for _, eq := range []struct{ column, value string }{
		{"resource_type = ?", f.ResourceType}, {"resource = ?", f.ResourceID}, {"actor = ?", f.ActorID}, {"action = ?", f.Action},
	} {
		if eq.value != "" {
			w.add(eq.column, eq.value)
		}
	}
	if !f.Start.IsZero() {
		w.add("time >= ?", ceilMillis(f.Start))
	}
	if !f.End.IsZero() {
		w.add("time < ?", ceilMillis(f.End))
	}
	return w
}

// Checkpoint implements store.Audit.
func (a trail) Checkpoint(ctx context.Context, org id.Org) (*audit.Checkpoint, error) {
	found, err := documents[audit.Checkpoint](ctx, a.s, "store.audit.checkpoint", "SELECT doc FROM checkpoints WHERE org = ?", string(org))
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// Prune implements store.Audit.
func (a trail) Prune(ctx context.Context, org id.Org, p audit.Checkpoint) error {
	const op = "store.audit.prune"
	p.Org = org
	b, err := doc.Encode(p)
	if err != nil {
		return err
	}
	return a.s.w.write(ctx, op, bulk, func(t *tx) error {
		var at []byte
		found, err := t.row("SELECT doc FROM audit WHERE org = ? AND sequence = ?", []any{string(org), p.Sequence}, &at)
		if err == nil && !found {
			err = errs.New(errs.NotFound, op, "no such audit entry")
		}
		if err != nil {
			return err
		}
		var e audit.Entry
		if err := doc.Decode(at, &e); err != nil {
			return err
		}
		var one int
		later, err := t.row("SELECT 1 FROM audit WHERE org = ? AND sequence > ? LIMIT 1", []any{string(org), p.Sequence}, &one)
		if err != nil {
			return err
		}
		if !later || !bytes.Equal(e.MAC, p.MAC) {
			return errs.New(errs.Conflict, op, "the checkpoint is not that of an entry before the last")
		}
		if _, err := t.exec("DELETE FROM audit WHERE org = ? AND sequence <= ?", string(org), p.Sequence); err != nil {
			return err
		}
		_, err = t.exec("INSERT INTO checkpoints (org, doc) VALUES (?, ?) ON CONFLICT (org) DO UPDATE SET doc = excluded.doc", string(org), b)
		return err
	})
}
