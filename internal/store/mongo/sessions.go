package mongo

import (
	"context"
	"time"

	"mooring/internal/access"
	"mooring/internal/id"
	"mooring/internal/store"
)

type sessions struct {
	*collection[access.Session, id.Session]
}

func newSessions(s *Store) sessions {
	return sessions{define(s, collection[access.Session, id.Session]{
		name: "sessions", noun: "session",
		head: func(d *access.Session) head[id.Session] {
			return head[id.Session]{&d.ID, &d.Org, &d.Revision, &d.CreatedAt, &d.Outbox}
		},
	})}
}

// List implements store.Sessions.
func (c sessions) List(ctx context.Context, org id.Org, p store.Page) (store.List[access.Session], error) {
	return c.list(ctx, org, ofOrg(org), p)
}

// Sweep implements store.Sessions.
func (c sessions) Sweep(ctx context.Context, org id.Org, now time.Time) error {
	return c.expire(ctx, org, now)
}
