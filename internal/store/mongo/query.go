package mongo

import (
	"context"
	"errors"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"mooring/internal/errs"
)

// What is asked of the server goes through the functions of this file alone, so
// that a test sees each filter and each order.

// Query is what is asked of a collection.
type Query struct {
	Collection string
	Filter     bson.D
	Sort       bson.D
}

func (s *Store) note(collection string, filter, sort bson.D) {
	if s.noted != nil {
		s.noted(Query{collection, filter, sort})
	}
}

// find is a question for documents. fields is a projection.
type find struct {
	filter, sort, fields bson.D
	skip, limit          int
}

// find returns the documents of an answer.
func (s *Store) find(ctx context.Context, op, collection string, q find) ([]bson.Raw, error) {
	s.note(collection, q.filter, q.sort)
	o := options.Find()
	if q.sort != nil {
		o.SetSort(q.sort)
	}
	if q.fields != nil {
		o.SetProjection(q.fields)
	}
	if q.limit > 0 {
		o.SetLimit(int64(q.limit))
	}
	if q.skip > 0 {
		o.SetSkip(int64(q.skip))
	}
	rows, err := s.db.Collection(collection).Find(ctx, q.filter, o)
	if err != nil {
		return nil, classify(ctx, err, op)
	}
	var out []bson.Raw
	if err := rows.All(ctx, &out); err != nil {
		return nil, classify(ctx, err, op)
	}
	return out, nil
}

// first returns the first document of an answer, or nil.
func (s *Store) first(ctx context.Context, op, collection string, q find) (bson.Raw, error) {
	q.limit = 1
	found, err := s.find(ctx, op, collection, q)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

func (s *Store) count(ctx context.Context, op, collection string, filter bson.D) (int64, error) {
	s.note(collection, filter, nil)
	n, err := s.db.Collection(collection).CountDocuments(ctx, filter)
	return n, classify(ctx, err, op)
}

// group summarizes the documents that a filter selects; an empty filter is all.
func (s *Store) group(ctx context.Context, op, collection string, filter, by bson.D) ([]bson.Raw, error) {
	s.note(collection, filter, nil)
	rows, err := s.db.Collection(collection).Aggregate(ctx, driver.Pipeline{{{Key: "$match", Value: filter}}, {{Key: "$group", Value: by}}})
	if err != nil {
		return nil, classify(ctx, err, op)
	}
	var out []bson.Raw
	if err := rows.All(ctx, &out); err != nil {
		return nil, classify(ctx, err, op)
	}
	return out, nil
}

// insert adds a document; errs.AlreadyExists when a unique index refuses it.
func (s *Store) insert(ctx context.Context, op, collection string, doc bson.D) error {
	_, err := s.db.Collection(collection).InsertOne(ctx, doc)
	return classify(ctx, err, op)
}

// updateOne changes the document that a filter selects and reports whether there was one.
func (s *Store) updateOne(ctx context.Context, op, collection string, filter, update bson.D) (found bool, err error) {
	s.note(collection, filter, nil)
	r, err := s.db.Collection(collection).UpdateOne(ctx, filter, update)
	if err != nil {
		return false, classify(ctx, err, op)
	}
	return r.MatchedCount > 0, nil
}

// change is updateOne that returns the document as it is then, or nil.
func (s *Store) change(ctx context.Context, op, collection string, filter, update bson.D) (bson.Raw, error) {
	s.note(collection, filter, nil)
	out, err := s.db.Collection(collection).FindOneAndUpdate(ctx, filter, update, options.FindOneAndUpdate().SetReturnDocument(options.After)).Raw()
	if errors.Is(err, driver.ErrNoDocuments) {
		return nil, nil
	}
	return out, classify(ctx, err, op)
}

func (s *Store) updateMany(ctx context.Context, op, collection string, filter, update bson.D) error {
	s.note(collection, filter, nil)
	_, err := s.db.Collection(collection).UpdateMany(ctx, filter, update)
	return classify(ctx, err, op)
}

// remove deletes the documents that a filter selects and says how many.
func (s *Store) remove(ctx context.Context, op, collection string, filter bson.D) (int64, error) {
	s.note(collection, filter, nil)
	r, err := s.db.Collection(collection).DeleteMany(ctx, filter)
	if err != nil {
		return 0, classify(ctx, err, op)
	}
	return r.DeletedCount, nil
}

// write is an update of one document, which upsert makes if it is missing.
type write struct {
	filter, update bson.D
	upsert         bool
}

// bulk makes updates in any order and returns the positions of those that a
// unique index refused.
func (s *Store) bulk(ctx context.Context, op, collection string, writes []write) (refused []int, err error) {
	if len(writes) == 0 {
		return nil, nil
	}
	models := make([]driver.WriteModel, len(writes))
	for i, w := range writes {
		s.note(collection, w.filter, nil)
		models[i] = driver.NewUpdateOneModel().SetFilter(w.filter).SetUpdate(w.update).SetUpsert(w.upsert)
	}
	_, err = s.db.Collection(collection).BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
	return refusals(ctx, op, err)
}

// insertMany adds documents in any order and returns the positions of those
// that a unique index refused.
func (s *Store) insertMany(ctx context.Context, op, collection string, docs []bson.D) (refused []int, err error) {
	if len(docs) == 0 {
		return nil, nil
	}
	_, err = s.db.Collection(collection).InsertMany(ctx, docs, options.InsertMany().SetOrdered(false))
	return refusals(ctx, op, err)
}

// replaceMany puts documents in any order and returns the positions of those
// that a unique index refused.
func (s *Store) replaceMany(ctx context.Context, op, collection string, docs []bson.D) (refused []int, err error) {
	models := make([]driver.WriteModel, len(docs))
	for i, d := range docs {
		id := d[slices.IndexFunc(d, func(e bson.E) bool { return e.Key == "_id" })].Value
		s.note(collection, byID(id), nil)
		models[i] = driver.NewReplaceOneModel().SetFilter(byID(id)).SetReplacement(d).SetUpsert(true)
	}
	_, err = s.db.Collection(collection).BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
	return refusals(ctx, op, err)
}

// checkLimit refuses a limit below 1.
func checkLimit(op string, limit int) error {
	if limit < 1 {
		return errs.New(errs.Invalid, op, "limit must be at least 1")
	}
	return nil
}

// also adds conditions to a filter on fields that may stand in it already: a
// field, and $and too, can stand in a filter once.
func also(filter bson.D, conditions ...bson.D) bson.D {
	var all bson.A
	out := make(bson.D, 0, len(filter)+1)
	for _, e := range filter {
		if e.Key == "$and" {
			all = append(all, e.Value.(bson.A)...)
		} else {
			out = append(out, e)
		}
	}
	for _, c := range conditions {
		all = append(all, c)
	}
	return append(out, bson.E{Key: "$and", Value: all})
}

func idsOf(found []bson.Raw) []string {
	out := make([]string, len(found))
	for i, r := range found {
		out[i] = r.Lookup("_id").StringValue()
	}
	return out
}
