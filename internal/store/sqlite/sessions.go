package sqlite

import (
	"context"
	"time"

	"mooring/internal/access"
	"mooring/internal/id"
	"mooring/internal/store"
)

// Sessions of the dashboard.
const schemaSessions = `
CREATE TABLE sessions (id TEXT PRIMARY KEY, org TEXT NOT NULL, revision INTEGER NOT NULL, created INTEGER NOT NULL, expires INTEGER NOT NULL, doc BLOB NOT NULL);
CREATE INDEX sessions_list ON sessions (org, created, id);
CREATE INDEX sessions_expires ON sessions (org, expires);
`

type sessions struct {
	*collection[access.Session, id.Session]
}

func newSessions(s *Store) sessions {
	return sessions{define(s, collection[access.Session, id.Session]{
		table: "sessions", noun: "session",
		head: func(d *access.Session) head[id.Session] {
			return head[id.Session]{&d.ID, &d.Org, &d.Revision, &d.CreatedAt, &d.Outbox}
		},
		columns: []column[access.Session]{{"expires", func(d *access.Session) any { return d.ExpiresAt.UnixMilli() }}},
	})}
}

// List implements store.Sessions.
func (c sessions) List(ctx context.Context, org id.Org, p store.Page) (store.List[access.Session], error) {
	return c.list(ctx, org, ofOrg(org), p)
}

// Sweep implements store.Sessions.
func (c sessions) Sweep(ctx context.Context, org id.Org, now time.Time) error {
	return c.remove(ctx, " WHERE org = ? AND expires <= ?", string(org), now.UnixMilli())
}
