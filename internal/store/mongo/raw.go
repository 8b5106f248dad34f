package mongo

import (
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/store/internal/doc"
	"mooring/internal/store/raw"
	"mooring/internal/syncing"
)

const opEach, opPut = "store.raw.each", "store.raw.put"

// rawForm is how a collection's documents are stored, and how package raw has them.
type rawForm struct {
	give func(stored bson.Raw) (bson.Raw, error) // nil: without what is derived
	take func(d bson.Raw) (bson.D, error)        // with its _id
}

// rawForms are the collections of package raw. Of the store's, only leases and
// sessions are in none of them.
func (s *Store) rawForms() map[raw.Collection]rawForm {
	return map[raw.Collection]rawForm{
		raw.APIKeys: s.apiKeys.raw(), raw.Users: s.users.raw(), raw.Namespaces: s.namespaces.raw(), raw.Consents: s.consents.raw(),
		raw.Tokens: s.tokens.raw(), raw.Webhooks: s.webhooks.raw(), raw.Deliveries: s.deliveries.raw(), raw.Syncs: s.syncs.raw(),
		raw.Passes: s.passes.raw(), raw.Shards: s.shards.raw(), raw.Runs: s.runs.raw(), raw.Buckets: s.buckets.raw(),
		raw.Connections: s.connections.raw(), raw.Organizations: s.organizations.raw(),

		raw.Objects:     rowForm[bucket.Object](objectParts, "internal_id", "bucket_id", "_id"),
		raw.Pages:       rowForm[syncing.Record](syncParts, "internal_id", "sync_config_id", "_id"),
		raw.DeadLetters: rowForm[syncing.DeadLetter](syncParts, "internal_id", "sync_config_id", "_id"),
		raw.Audit:       rowForm[auditEntry](1, "internal_id", "_id"),
		raw.Events:      rowForm[eventEntry](1, "internal_id", "_id"),

		raw.Usage:     {withoutID, takeUsage},
		raw.Names:     {giveName, takeName},
		raw.Tree:      {giveNode, takeNode},
		raw.Absences:  {giveAbsence, takeAbsence},
		raw.Sequences: {giveSequence, takeSequence},

		raw.Checkpoints: {nil, takePlain},
		raw.DataKeys:    {nil, takeKey},
		raw.Meta:        {giveFact, takeFact},
	}
}

// raw is how a collection's records are stored.
func (c *collection[T, ID]) raw() rawForm {
	return rawForm{nil, func(d bson.Raw) (bson.D, error) {
		var v T
		if err := doc.Decode(d, &v); err != nil {
			return nil, err
		}
		h := c.head(&v)
		if err := whose(string(*h.id), string(*h.org)); err != nil {
			return nil, err
		}
		fields, err := fieldsOf(d)
		if err != nil {
			return nil, err
		}
		box := c.unbox(h)
		derived := c.derived(&v)
		if !box.Empty() {
			fields, derived = append(fields, bson.E{Key: "outbox", Value: box}), append(derived, bson.E{Key: "waiting", Value: *h.revision})
		}
		return append(fields, bson.E{Key: "derived", Value: derived}), nil
	}}
}

// whose refuses a document that lacks what it belongs to.
func whose(ids ...string) error {
	if slices.Contains(ids, "") {
		return errs.New(errs.Corrupt, opPut, "a document lacks its id or its organization")
	}
	return nil
}

// rowForm is that of rows whose _id begins with what they belong to.
func rowForm[T any](parts int, id ...string) rawForm {
	give := func(stored bson.Raw) (bson.Raw, error) {
		i, _ := stored.Lookup("_id").StringValueOK()
		return withID(stored, ownID(i, parts))
	}
	return rawForm{give, func(d bson.Raw) (bson.D, error) {
		var v T
		if err := doc.Decode(d, &v); err != nil {
			return nil, err
		}
		values := make([]string, len(id))
		for i, field := range id {
			values[i], _ = d.Lookup(field).StringValueOK()
		}
		if err := whose(values...); err != nil {
			return nil, err
		}
		stored, err := withID(d, rowID(values...))
		if err != nil {
			return nil, err
		}
		return fieldsOf(stored)
	}}
}

// Raw is the store as its documents.
func (s *Store) Raw() raw.Target { return rawStore{s, s.rawForms()} }

type rawStore struct {
	s     *Store
	forms map[raw.Collection]rawForm
}

// Kind is what this store is called where stores are told apart.
const Kind = "mongodb"

// Schema is the version of the schema that this program writes.
const Schema = schemaVersion

// Kind implements raw.Source.
func (rawStore) Kind() string { return Kind }

// Schema implements raw.Source.
func (rawStore) Schema() int { return Schema }

// Frozen implements raw.Source: documents are read one by one.
func (rawStore) Frozen() bool { return false }

// Each implements raw.Source.
func (x rawStore) Each(ctx context.Context, c raw.Collection, visit func(bson.Raw) error) error {
	form, known := x.forms[c]
	if !known {
		return unknown(c)
	}
	one := func(stored bson.Raw) error {
		d, err := form.read(stored)
		if err != nil || d == nil {
			return err
		}
		return visit(d)
	}
	if c == raw.Audit || c == raw.Events {
		return x.numbered(ctx, string(c), one)
	}
	return x.s.scanAll(ctx, string(c), bson.D{}, "_id", one)
}

func unknown(c raw.Collection) error {
	return errs.New(errs.Invalid, "store.raw", "there is no collection "+string(c))
}

// read is a document as package raw has it; nil for one that it has not.
func (f rawForm) read(stored bson.Raw) (bson.Raw, error) {
	if _, err := stored.LookupErr("derived"); err == nil {
		if stored, err = without(stored, "derived"); err != nil {
			return nil, err
		}
	}
	if f.give == nil {
		return stored, nil
	}
	return f.give(stored)
}

// without is a document without a field.
func without(d bson.Raw, field string) (bson.Raw, error) {
	elements, err := d.Elements()
	if err != nil {
		return nil, errs.Wrap(err, errs.Corrupt, opEach, "a document can't be read")
	}
	out := make(bson.D, 0, len(elements))
	for _, e := range elements {
		if e.Key() != field {
			out = append(out, bson.E{Key: e.Key(), Value: e.Value()})
		}
	}
	return bson.Marshal(out)
}

// numbered reads entries in the order of their numbers, so that those that come
// meanwhile are missing from the end alone.
func (x rawStore) numbered(ctx context.Context, collection string, visit func(bson.Raw) error) error {
	order := bson.D{{Key: "internal_id", Value: 1}, {Key: "sequence", Value: 1}}
	for org := ""; ; {
		next, err := x.s.first(ctx, opEach, collection, find{filter: bson.D{{Key: "internal_id", Value: bson.D{{Key: "$gt", Value: org}}}}, sort: order})
		if err != nil || next == nil {
			return err
		}
		org = text(next, "internal_id")
		if err := x.s.scanAll(ctx, collection, bson.D{{Key: "internal_id", Value: org}}, "sequence", visit); err != nil {
			return err
		}
	}
}

// scanAll reads the documents that a filter selects in the order of a field, a
// few at a time: no cursor is held while they are used.
func (s *Store) scanAll(ctx context.Context, collection string, filter bson.D, by string, visit func(bson.Raw) error) error {
	limit := 500
	if collection == string(raw.Pages) { // they may be large
		limit = 4
	}
	at := filter
	for {
		found, err := s.find(ctx, opEach, collection, find{filter: at, sort: bson.D{{Key: by, Value: 1}}, limit: limit})
		if err != nil {
			return err
		}
		for _, d := range found {
			if err := visit(d); err != nil {
				return err
			}
		}
		if len(found) < limit {
			return nil
		}
		last := found[len(found)-1].Lookup(by)
		at = append(slices.Clone(filter), bson.E{Key: by, Value: bson.D{{Key: "$gt", Value: last}}})
	}
}

// Put implements raw.Target.
func (x rawStore) Put(ctx context.Context, c raw.Collection, docs []bson.Raw) error {
	form, known := x.forms[c]
	if !known {
		return unknown(c)
	}
	models := make([]bson.D, len(docs))
	for i, d := range docs {
		var err error
		if models[i], err = form.take(d); err != nil {
			return err
		}
	}
	for chunk := range slices.Chunk(models, writeChunk) {
		refused, err := x.s.replaceMany(ctx, opPut, string(c), chunk)
		if err != nil {
			return err
		}
		for _, i := range refused {
			if err := x.again(ctx, c, chunk[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// again puts a document that was refused. A name that two sources had, each at
// its time, is that of the one that is put last; see docs/design/0009.
func (x rawStore) again(ctx context.Context, c raw.Collection, d bson.D) error {
	if c == raw.Names {
		var same bson.D
		for _, e := range d {
			if e.Key == "internal_id" || e.Key == "bucket_id" || e.Key == "folded" {
				same = append(same, e)
			}
		}
		if _, err := x.s.remove(ctx, opPut, string(c), same); err != nil {
			return err
		}
	}
	refused, err := x.s.replaceMany(ctx, opPut, string(c), []bson.D{d})
	if err == nil && len(refused) > 0 {
		err = errs.New(errs.Conflict, opPut, "two documents of "+string(c)+" have the same name")
	}
	return err
}

// Erase implements raw.Target.
func (x rawStore) Erase(ctx context.Context, c raw.Collection) error {
	if _, known := x.forms[c]; !known {
		return unknown(c)
	}
	filter := bson.D{}
	if c == raw.Meta {
		filter = bson.D{{Key: "_id", Value: bson.D{{Key: "$nin", Value: ownFacts}}}}
	}
	return x.s.removeAll(ctx, "store.raw.erase", string(c), filter)
}
