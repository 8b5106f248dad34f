package sqlite

import (
	"context"
	"time"

	"mooring/internal/connection"
	"mooring/internal/id"
	"mooring/internal/store"
)

// What connections were exchanged for, and consents under way.
const schemaTokens = `
CREATE TABLE tokens (id TEXT PRIMARY KEY, org TEXT NOT NULL, revision INTEGER NOT NULL, created INTEGER NOT NULL, doc BLOB NOT NULL);
CREATE INDEX tokens_org ON tokens (org);

CREATE TABLE consents (id TEXT PRIMARY KEY, org TEXT NOT NULL, revision INTEGER NOT NULL, created INTEGER NOT NULL, expires INTEGER NOT NULL, doc BLOB NOT NULL);
CREATE INDEX consents_expires ON consents (org, expires);
`

type tokens struct {
	*collection[connection.Tokens, id.Connection]
}

func newTokens(s *Store) tokens {
	return tokens{define(s, collection[connection.Tokens, id.Connection]{
		table: "tokens", noun: "tokens of a connection",
		head: func(d *connection.Tokens) head[id.Connection] {
			return head[id.Connection]{&d.Connection, &d.Org, &d.Revision, &d.CreatedAt, nil}
		},
	})}
}

// Remove implements store.Tokens.
func (c tokens) Remove(ctx context.Context, org id.Org, conn id.Connection) error {
	return c.remove(ctx, " WHERE org = ? AND id = ?", string(org), string(conn))
}

// Sweep implements store.Tokens.
func (c tokens) Sweep(ctx context.Context, org id.Org) error {
	return c.remove(ctx, " WHERE org = ? AND id IN (SELECT id FROM connections WHERE org = ? AND status = ?)",
		string(org), string(org), string(connection.Archived))
}

type consents struct {
	*collection[connection.Consent, string]
}

func newConsents(s *Store) consents {
	return consents{define(s, collection[connection.Consent, string]{
		table: "consents", noun: "consent under way",
		head: func(d *connection.Consent) head[string] {
			return head[string]{&d.ID, &d.Org, &d.Revision, &d.CreatedAt, &d.Outbox}
		},
		columns: []column[connection.Consent]{{"expires", func(d *connection.Consent) any { return d.ExpiresAt.UnixMilli() }}},
	})}
}

// List implements store.Consents. There are few: they expire within minutes.
func (c consents) List(ctx context.Context, org id.Org, p store.Page) (store.List[connection.Consent], error) {
	return c.list(ctx, org, ofOrg(org), p)
}

// Sweep implements store.Consents.
func (c consents) Sweep(ctx context.Context, org id.Org, now time.Time) error {
	return c.remove(ctx, " WHERE org = ? AND expires <= ?", string(org), now.UnixMilli())
}
