package mongo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/errs"
)

// schemaVersionName is the fact that only migrations write.
const schemaVersionName = "schema_version"

// Meta implements system.System.
func (y *System) Meta(ctx context.Context, name string) ([]byte, error) { return y.s.meta(ctx, name) }

func (s *Store) meta(ctx context.Context, name string) ([]byte, error) {
	const op = "store.meta.get"
	found, err := s.first(ctx, op, "meta", find{filter: byID(name)})
	if err != nil || found == nil {
		return nil, err
	}
	_, value, ok := found.Lookup("value").BinaryOK()
	if !ok {
		return nil, errs.New(errs.Corrupt, op, "a fact of the store can't be read")
	}
	return append([]byte{}, value...), nil
}

// SetMeta implements system.System. A nil value takes the fact away.
func (y *System) SetMeta(ctx context.Context, name string, old, value []byte) error {
	const op = "store.meta.set"
	if name == "" || name == schemaVersionName {
		return errs.New(errs.Invalid, op, "this fact can't be set")
	}
	return lost(y.setMeta(ctx, op, name, old, value), op, "somebody else has set this fact")
}

func (y *System) setMeta(ctx context.Context, op, name string, old, value []byte) error {
	still := bson.D{{Key: "_id", Value: name}, {Key: "value", Value: old}}
	switch {
	case old == nil && value == nil:
		found, err := y.s.meta(ctx, name)
		if err == nil && found != nil {
			err = errLost
		}
		return err
	case old == nil:
		err := y.s.insert(ctx, op, "meta", bson.D{{Key: "_id", Value: name}, {Key: "value", Value: value}})
		if errs.Is(err, errs.AlreadyExists) {
			return errLost
		}
		return err
	case value == nil:
		n, err := y.s.remove(ctx, op, "meta", still)
		if err == nil && n == 0 {
			err = errLost
		}
		return err
	}
	return unlessLost(y.s.updateOne(ctx, op, "meta", still, set("value", value)))
}

func byID(id any) bson.D { return bson.D{{Key: "_id", Value: id}} }

func set(field string, value any) bson.D {
	return bson.D{{Key: "$set", Value: bson.D{{Key: field, Value: value}}}}
}

// unlessLost turns "there was none" into errLost.
func unlessLost(found bool, err error) error {
	if err == nil && !found {
		return errLost
	}
	return err
}
