package sqlite

import (
	"context"
	"database/sql"

	"mooring/internal/connection"
	"mooring/internal/id"
	"mooring/internal/store/internal/doc"
)

type usage struct{ s *Store }

// usageParts is how many parts are added in one write, so that others get their turn.
const usageParts = 200

// Add implements store.Usage.
func (u usage) Add(ctx context.Context, org id.Org, parts []connection.Usage) error {
	for len(parts) > 0 {
		some := parts[:min(len(parts), usageParts)]
		parts = parts[len(some):]
		err := u.s.w.write(ctx, "store.usage.add", bulk, func(t *tx) error {
			for _, p := range some {
				if err := addUsage(t, org, p); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func addUsage(t *tx, org id.Org, part connection.Usage) error {
	var held []byte
	known, err := t.row("SELECT doc FROM usage WHERE org = ? AND connection = ? AND day = ?", []any{string(org), string(part.Connection), part.Day}, &held)
	if err != nil {
		return err
	}
	day := connection.Usage{Org: org, Connection: part.Connection, Day: part.Day}
	if known {
		if err := doc.Decode(held, &day); err != nil {
			return err
		}
	}
	if !day.Add(part) {
		return nil
	}
	b, err := doc.Encode(&day)
	if err != nil {
		return err
	}
	_, err = t.exec("INSERT OR REPLACE INTO usage (org, connection, day, doc) VALUES (?, ?, ?, ?)", string(org), string(part.Connection), part.Day, b)
	return err
}

// List implements store.Usage.
func (u usage) List(ctx context.Context, org id.Org, conn id.Connection, first, last string) (out []connection.Usage, err error) {
	err = u.s.each(ctx, "store.usage.list", "SELECT doc FROM usage WHERE org = ? AND connection = ? AND day BETWEEN ? AND ? ORDER BY day",
		[]any{string(org), string(conn), first, last}, func(r *sql.Rows) error {
			var b sql.RawBytes
			if err := r.Scan(&b); err != nil {
				return err
			}
			var day connection.Usage
			err := doc.Decode(b, &day)
			out = append(out, day)
			return err
		})
	return out, err
}

// Prune implements store.Usage.
func (u usage) Prune(ctx context.Context, org id.Org, before string) error {
	const some = 1000
	for {
		var n int64
		err := u.s.w.write(ctx, "store.usage.prune", bulk, func(t *tx) (err error) {
			n, err = t.exec("DELETE FROM usage WHERE (org, connection, day) IN (SELECT org, connection, day FROM usage WHERE org = ? AND day < ? LIMIT ?)",
				string(org), before, some)
			return err
		})
		if err != nil || n < some {
			return err
		}
	}
}
