package sqlite

import (
	"context"
	"database/sql"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/errs"
	"mooring/internal/store/internal/doc"
	"mooring/internal/store/raw"
)

// reader runs a query: on the store, or on a snapshot of it.
type reader func(ctx context.Context, op, query string, args []any, scan func(*sql.Rows) error) error

// write is a document made ready for the writer.
type write func(*tx) error

// rawTable is a collection as package raw sees it.
type rawTable struct {
	name  string
	each  func(ctx context.Context, read reader, visit func(bson.Raw) error) error
	write func(ctx context.Context, d bson.Raw) (write, error)
}

// rawTables are the collections of package raw. Of the store's tables only
// atoms, leases and sessions are in none of them.
func (s *Store) rawTables() map[raw.Collection]rawTable {
	return map[raw.Collection]rawTable{
		raw.APIKeys: s.apiKeys.raw(), raw.Users: s.users.raw(), raw.Namespaces: s.namespaces.raw(), raw.Consents: s.consents.raw(),
		raw.Tokens: s.tokens.raw(), raw.Webhooks: s.webhooks.raw(), raw.Deliveries: s.deliveries.raw(), raw.Syncs: s.syncs.raw(),
		raw.Passes: s.passes.raw(), raw.Shards: s.shards.raw(), raw.Runs: s.runs.raw(), raw.Buckets: s.buckets.raw(),
		raw.Connections: s.connections.raw(), raw.Organizations: s.organizations.raw(),

		raw.Pages:       {"pages", stored("pages", "rowid"), s.rawPage},
		raw.DeadLetters: {"dead_letters", stored("dead_letters", "rowid"), s.rawLetter},
		raw.Usage:       {"usage", stored("usage", "org, connection, day"), rawUsage},
		raw.Audit:       {"audit", stored("audit", "org, sequence"), rawAudit},
		raw.Checkpoints: {"checkpoints", stored("checkpoints", "org"), rawCheckpoint},
		raw.Events:      {"events", stored("events", "org, sequence"), rawEvent},
		raw.DataKeys:    {"data_keys", stored("data_keys", "rowid"), rawDataKey},
		raw.Objects:     {"objects", eachObject, s.rawObject},

		raw.Tree:      {"tree", made(selectTree, scanNode), s.rawNode},
		raw.Absences:  {"absences", made(selectAbsences, scanAbsence), s.rawAbsence},
		raw.Names:     {"names", made(selectNames, scanName), s.rawName},
		raw.Sequences: {"sequences", made(selectSequences, scanSequence), rawSequence},
		raw.Meta:      {"meta", made(selectFacts, scanFact), rawFact},
	}
}

const opEach, opPut = "store.raw.each", "store.raw.put"

// stored reads a table whose documents are stored as they are.
func stored(table, order string) func(context.Context, reader, func(bson.Raw) error) error {
	query := "SELECT doc FROM " + table + " ORDER BY " + order
	return func(ctx context.Context, read reader, visit func(bson.Raw) error) error {
		return read(ctx, opEach, query, nil, func(r *sql.Rows) error {
			var b sql.RawBytes
			if err := r.Scan(&b); err != nil {
				return err
			}
			return visit(bson.Raw(b))
		})
	}
}

// made reads rows that have no document, and makes one of each.
func made[T any](query string, scan func(*sql.Rows) (T, error)) func(context.Context, reader, func(bson.Raw) error) error {
	return func(ctx context.Context, read reader, visit func(bson.Raw) error) error {
		return read(ctx, opEach, query, nil, func(r *sql.Rows) error {
			v, err := scan(r)
			if err != nil {
				return err
			}
			return visitEncoded(&v, visit)
		})
	}
}

func visitEncoded(v any, visit func(bson.Raw) error) error {
	b, err := doc.Encode(v)
	if err != nil {
		return err
	}
	return visit(b)
}

// raw is the collection as package raw sees it.
func (c *collection[T, ID]) raw() rawTable {
	query := c.selecting + " ORDER BY id"
	each := stored(c.table, "id")
	if c.merge != nil {
		each = made(query, func(r *sql.Rows) (v T, err error) {
			err = c.scan(r, c.newRow(), &v)
			return v, err
		})
	}
	return rawTable{c.table, each, c.rawRecord}
}

// rawRecord writes a record as it is. What waits in its outbox would wait for
// ever here, where outboxes are moved within the updates that fill them.
func (c *collection[T, ID]) rawRecord(_ context.Context, d bson.Raw) (write, error) {
	var v T
	if err := doc.Decode(d, &v); err != nil {
		return nil, err
	}
	h := c.head(&v)
	if err := whose(string(*h.id), string(*h.org)); err != nil {
		return nil, err
	}
	if h.outbox != nil && len(h.outbox.Audit)+len(h.outbox.Events) > 0 {
		return nil, errs.New(errs.Conflict, opPut, "a "+c.noun+" has events that were not handed on yet")
	}
	args := []any{string(*h.id), string(*h.org), *h.revision, h.created.UnixMilli(), []byte(d)}
	put := execute(c.replacing, slices.Concat(args, c.values(&v), values(c.apart, &v))...)
	return func(t *tx) error {
		defer c.changed()
		return put(t)
	}, nil
}

// execute is a write of one statement.
func execute(query string, args ...any) write {
	return func(t *tx) error {
		_, err := t.exec(query, args...)
		return err
	}
}

// Raw is the store as its documents.
func (s *Store) Raw() raw.Target { return rawStore{s, s.rawTables()} }

type rawStore struct {
	s      *Store
	tables map[raw.Collection]rawTable
}

// Kind implements raw.Source.
func (rawStore) Kind() string { return Kind }

// Schema implements raw.Source.
func (rawStore) Schema() int { return Schema }

// Frozen implements raw.Source.
func (rawStore) Frozen() bool { return false }

// Each implements raw.Source.
func (x rawStore) Each(ctx context.Context, c raw.Collection, visit func(bson.Raw) error) error {
	return each(ctx, x.tables, x.s.each, c, visit)
}

func each(ctx context.Context, tables map[raw.Collection]rawTable, read reader, c raw.Collection, visit func(bson.Raw) error) error {
	t, known := tables[c]
	if !known {
		return unknown(c)
	}
	return t.each(ctx, read, visit)
}

func unknown(c raw.Collection) error {
	return errs.New(errs.Invalid, "store.raw", "there is no collection "+string(c))
}

// Put implements raw.Target.
func (x rawStore) Put(ctx context.Context, c raw.Collection, docs []bson.Raw) error {
	t, known := x.tables[c]
	if !known {
		return unknown(c)
	}
	writes := make([]write, len(docs))
	for i, d := range docs {
		var err error
		if writes[i], err = t.write(ctx, d); err != nil {
			return err
		}
	}
	return inChunks(ctx, x.s, opPut, writes, func(t *tx, some []write) error {
		for _, w := range some {
			if err := w(t); err != nil {
				return err
			}
		}
		return nil
	})
}

// Erase implements raw.Target.
func (x rawStore) Erase(ctx context.Context, c raw.Collection) error {
	t, known := x.tables[c]
	if !known {
		return unknown(c)
	}
	query := "DELETE FROM " + t.name
	if c == raw.Meta {
		query += " WHERE name <> '" + schemaVersionName + "'"
	}
	return x.s.w.write(ctx, "store.raw.erase", bulk, execute(query))
}
