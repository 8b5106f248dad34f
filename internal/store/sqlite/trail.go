package sqlite

import (
	"context"
	"database/sql"

	"mooring/internal/errs"
	"mooring/internal/event"
	"mooring/internal/id"
	"mooring/internal/outbox"
	"mooring/internal/store"
	"mooring/internal/store/internal/doc"
)

// moveOutbox writes what waits in a record to the trail and the events, within
// the transaction that writes the record.
func moveOutbox(t *tx, org id.Org, box outbox.Outbox) error {
	if err := t.appendAudit(org, box.Audit); err != nil {
		return err
	}
	return appendEvents(t, org, box.Events)
}

// nextSequence numbers what an organization appends, from 1. The number is
// taken back with its transaction, so that there are no gaps.
func nextSequence(t *tx, org id.Org, name string) (n int64, err error) {
	_, err = t.row("INSERT INTO sequences (org, name, last) VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET last = last + 1 RETURNING last",
		[]any{string(org), name}, &n)
	return n, err
}

// admit numbers a row of a table unless it is there already.
func admit(t *tx, org id.Org, table, row string) (n int64, fresh bool, err error) {
	var one int
	known, err := t.row("SELECT 1 FROM "+table+" WHERE org = ? AND id = ?", []any{string(org), row}, &one)
	if err != nil || known {
		return 0, false, err
	}
	n, err = nextSequence(t, org, table)
	return n, err == nil, err
}

func appendEvents(t *tx, org id.Org, events []event.Event) error {
	for _, e := range events {
		n, fresh, err := admit(t, org, "events", string(e.ID))
		if err != nil {
			return err
		}
		if !fresh {
			continue
		}
		e.Org, e.Sequence = org, n
		b, err := doc.Encode(e)
		if err != nil {
			return err
		}
		if _, err := t.exec("INSERT INTO events (org, id, sequence, doc) VALUES (?, ?, ?, ?)", string(org), string(e.ID), n, b); err != nil {
			return err
		}
	}
	return nil
}

type events struct{ s *Store }

var _ store.Events = events{}

// Append implements store.Events.
func (e events) Append(ctx context.Context, org id.Org, list []event.Event) error {
	if len(list) == 0 {
		return nil
	}
	return e.s.w.write(ctx, "store.events.append", interactive, func(t *tx) error { return appendEvents(t, org, list) })
}

// List implements store.Events.
func (e events) List(ctx context.Context, org id.Org, after int64, limit int) ([]event.Event, error) {
	const op = "store.events.list"
	if err := checkLimit(op, limit); err != nil {
		return nil, err
	}
	return documents[event.Event](ctx, e.s, op, "SELECT doc FROM events WHERE org = ? AND sequence > ? ORDER BY sequence LIMIT ?", string(org), after, limit)
}

// Last implements store.Events.
func (e events) Last(ctx context.Context, org id.Org) (n int64, err error) {
	_, err = e.s.row(ctx, "store.events.last", "SELECT last FROM sequences WHERE org = ? AND name = 'events'", []any{string(org)}, &n)
	return n, err
}

// Drop implements store.Events.
func (e events) Drop(ctx context.Context, org id.Org, upTo int64) error {
	return e.s.w.write(ctx, "store.events.drop", bulk, func(t *tx) error {
		_, err := t.exec("DELETE FROM events WHERE org = ? AND sequence <= ?", string(org), upTo)
		return err
	})
}

// documents decodes the first column of a query's rows.
func documents[T any](ctx context.Context, s *Store, op, query string, args ...any) ([]T, error) {
	var out []T
	err := s.each(ctx, op, query, args, func(r *sql.Rows) error {
		var b sql.RawBytes
		if err := r.Scan(&b); err != nil {
			return err
		}
		var v T
		err := doc.Decode(b, &v)
		out = append(out, v)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func checkLimit(op string, limit int) error {
	if limit < 1 {
		return errs.New(errs.Invalid, op, "limit must be at least 1")
	}
	return nil
}
