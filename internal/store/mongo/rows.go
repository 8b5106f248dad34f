package mongo

import (
	"context"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"mooring/internal/errs"
	"mooring/internal/store/internal/doc"
)

// Bounds of one command.
const (
	queryChunk  = 1000
	writeChunk  = 250
	removeChunk = 500
)

// withID is a document with another _id.
func withID(raw bson.Raw, id string) (bson.Raw, error) {
	elements, err := raw.Elements()
	if err != nil {
		return nil, errs.Wrap(err, errs.Corrupt, "store.encode", "a document can't be read")
	}
	at, out := bsoncore.AppendDocumentStart(make([]byte, 0, len(raw)+len(id)+16))
	out = bsoncore.AppendStringElement(out, "_id", id)
	for _, e := range elements {
		if e.Key() != "_id" {
			out = append(out, e...)
		}
	}
	out, err = bsoncore.AppendDocumentEnd(out, at)
	return out, err
}

// decodeRow reads a document whose own id is what follows a number of parts of its _id.
func decodeRow(raw bson.Raw, parts int, into any) error {
	i, ok := raw.Lookup("_id").StringValueOK()
	if !ok {
		return errs.New(errs.Corrupt, "store.decode", "a stored document can't be read")
	}
	own, err := withID(raw, ownID(i, parts))
	if err != nil {
		return err
	}
	return doc.Decode(own, into)
}

// ownID is the end of a row's _id.
func ownID(id string, parts int) string {
	split := strings.SplitN(id, "/", parts+1)
	return split[len(split)-1]
}

// rows returns the documents that a question selects, as decodeRow reads them.
func rows[T any](ctx context.Context, s *Store, op, collection string, parts int, q find) ([]T, error) {
	found, err := s.find(ctx, op, collection, q)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	out := make([]T, len(found))
	for i, r := range found {
		if err := decodeRow(r, parts, &out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func in[T any](list []T) bson.D { return bson.D{{Key: "$in", Value: list}} }

// removeListed deletes the rows below a prefix that a list names.
func (s *Store) removeListed(ctx context.Context, op, collection string, ids []string, prefix ...string) error {
	for chunk := range slices.Chunk(ids, writeChunk) {
		if _, err := s.remove(ctx, op, collection, bson.D{{Key: "_id", Value: in(rowIDs(chunk, prefix...))}}); err != nil {
			return err
		}
	}
	return nil
}

func rowIDs[T ~string](ids []T, prefix ...string) []string {
	out := make([]string, len(ids))
	p := rowID(prefix...) + "/"
	for i, own := range ids {
		out[i] = p + string(own)
	}
	return out
}

// removeSome deletes up to limit documents that a filter selects and says how many.
func (s *Store) removeSome(ctx context.Context, op, collection string, filter bson.D, limit int) (int, error) {
	found, err := s.find(ctx, op, collection, find{filter: filter, fields: idOnly, limit: limit})
	if err != nil || len(found) == 0 {
		return 0, err
	}
	ids := make([]bson.RawValue, len(found))
	for i, r := range found {
		ids[i] = r.Lookup("_id")
	}
	_, err = s.remove(ctx, op, collection, bson.D{{Key: "_id", Value: in(ids)}})
	return len(found), err
}

// removeAll deletes what a filter selects in bounded steps.
func (s *Store) removeAll(ctx context.Context, op, collection string, filter bson.D) error {
	for {
		n, err := s.removeSome(ctx, op, collection, filter, removeChunk)
		if err != nil || n < removeChunk {
			return err
		}
	}
}

// ceilMillis is the first millisecond that is not before t, so that comparing
// stored times, which were cut, with it is comparing them with t.
func ceilMillis(t time.Time) time.Time {
	return t.Add(time.Millisecond - 1).UTC().Truncate(time.Millisecond)
}

// liveName is a value for a name that is unique among live records alone.
func liveName(name string, live bool, id string) string {
	if live {
		return "=" + name
	}
	return "#" + id
}
