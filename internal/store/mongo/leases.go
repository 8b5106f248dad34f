package mongo

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store"
	"mooring/internal/store/internal/doc"
)

type leases struct{ s *Store }

var _ store.Leases = leases{}

// Read implements store.Leases.
func (x leases) Read(ctx context.Context, name string) (store.Lease, error) {
	l := store.Lease{Name: name}
	found, err := x.s.first(ctx, "store.leases.read", "leases", find{filter: byID(name)})
	if err == nil && found != nil {
		err = doc.Decode(found, &l)
	}
	return l, err
}

// Acquire implements store.Leases.
func (x leases) Acquire(ctx context.Context, seen store.Lease, holder id.Worker, term time.Duration) (store.Lease, error) {
	const op = "store.leases.acquire"
	if seen.Name == "" || holder == "" {
		return store.Lease{}, errs.New(errs.Invalid, op, "a lease needs a name and a holder")
	}
	now := cut(x.s.now())
	l := store.Lease{Name: seen.Name, Holder: holder, Fence: seen.Fence + 1, Since: now, Until: cut(now.Add(term))}
	return l, lost(x.acquire(ctx, op, seen, l), op, "somebody else has moved the lease")
}

func (x leases) acquire(ctx context.Context, op string, seen, l store.Lease) error {
	fields := bson.D{{Key: "holder", Value: l.Holder}, {Key: "fence", Value: l.Fence}, {Key: "beat", Value: int64(0)}, {Key: "since", Value: l.Since}, {Key: "until", Value: l.Until}}
	if seen.Fence != 0 || seen.Beat != 0 {
		still := bson.D{{Key: "_id", Value: seen.Name}, {Key: "fence", Value: seen.Fence}, {Key: "beat", Value: seen.Beat}}
		return unlessLost(x.s.updateOne(ctx, op, "leases", still, bson.D{{Key: "$set", Value: fields}}))
	}
	err := x.s.insert(ctx, op, "leases", append(byID(l.Name), fields...))
	if errs.Is(err, errs.AlreadyExists) {
		return errLost
	}
	return err
}

// Renew implements store.Leases.
func (x leases) Renew(ctx context.Context, held store.Lease, term time.Duration) (store.Lease, error) {
	const op = "store.leases.renew"
	held.Until = cut(x.s.now().Add(term))
	now, err := x.s.change(ctx, op, "leases", ours(held), bson.D{
		{Key: "$inc", Value: bson.D{{Key: "beat", Value: int64(1)}}}, {Key: "$set", Value: bson.D{{Key: "until", Value: held.Until}}},
	})
	switch {
	case err != nil:
		return held, err
	case now == nil:
		return held, errs.New(errs.Conflict, op, "the lease is somebody else's now")
	}
	held.Beat = now.Lookup("beat").AsInt64()
	return held, nil
}

// Release implements store.Leases.
func (x leases) Release(ctx context.Context, held store.Lease) error {
	_, err := x.s.updateOne(ctx, "store.leases.release", "leases", ours(held), set("holder", ""))
	return err
}

// ours selects a lease if it is still held as it was.
func ours(held store.Lease) bson.D {
	return bson.D{{Key: "_id", Value: held.Name}, {Key: "fence", Value: held.Fence}, {Key: "holder", Value: held.Holder}}
}

func cut(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
