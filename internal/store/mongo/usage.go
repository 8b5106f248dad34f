package mongo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store/internal/doc"
)

// usage is under organization/connection/day. A day has no revision:
// derived.mark is another value after each write.
type usage struct{ s *Store }

// usageParts is how many parts of a day's _id come before the day.
const usageParts = 2

// Add implements store.Usage.
func (u usage) Add(ctx context.Context, org id.Org, parts []connection.Usage) error {
	type key struct {
		conn id.Connection
		day  string
	}
	of := map[key][]connection.Usage{}
	for _, p := range parts {
		k := key{p.Connection, p.Day}
		of[k] = append(of[k], p)
	}
	for k, list := range of {
		for {
			done, err := u.add(ctx, connection.Usage{Org: org, Connection: k.conn, Day: k.day}, list)
			if err != nil {
				return err
			}
			if done {
				break
			}
		}
	}
	return nil
}

// add adds parts to a day, unless somebody else wrote it in between.
func (u usage) add(ctx context.Context, day connection.Usage, parts []connection.Usage) (done bool, err error) {
	const op = "store.usage.add"
	i := rowID(string(day.Org), string(day.Connection), day.Day)
	held, err := u.s.first(ctx, op, "usage", find{filter: byID(i)})
	if err == nil && held != nil {
		err = doc.Decode(held, &day)
	}
	if err != nil {
		return false, err
	}
	changed := false
	for _, p := range parts {
		changed = day.Add(p) || changed
	}
	if !changed {
		return true, nil
	}
	b, err := doc.Encode(&day)
	if err != nil {
		return false, err
	}
	fields, err := fieldsOf(b)
	if err != nil {
		return false, err
	}
	fields = append(fields, bson.E{Key: "derived", Value: bson.D{{Key: "mark", Value: bson.NewObjectID()}}})
	if held == nil {
		err := u.s.insert(ctx, op, "usage", append(byID(i), fields...))
		if errs.Is(err, errs.AlreadyExists) {
			return false, nil
		}
		return err == nil, err
	}
	return u.s.updateOne(ctx, op, "usage", bson.D{{Key: "_id", Value: i}, {Key: "derived.mark", Value: held.Lookup("derived", "mark")}}, bson.D{{Key: "$set", Value: fields}})
}

// List implements store.Usage.
func (u usage) List(ctx context.Context, org id.Org, conn id.Connection, first, last string) ([]connection.Usage, error) {
	p := rowID(string(org), string(conn)) + "/"
	return rows[connection.Usage](ctx, u.s, "store.usage.list", "usage", usageParts, find{
		filter: bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: p + first}, {Key: "$lte", Value: p + last}}}}, sort: byID(1),
	})
}

// Prune implements store.Usage.
func (u usage) Prune(ctx context.Context, org id.Org, before string) error {
	return u.s.removeAll(ctx, "store.usage.prune", "usage", append(ofOrg(org), bson.E{Key: "day", Value: bson.D{{Key: "$lt", Value: before}}}))
}
