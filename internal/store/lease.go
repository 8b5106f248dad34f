package store

import (
	"context"
	"time"

	"mooring/internal/id"
)

// Lease is a right to work on one thing. Nobody compares another process's
// clock: an observer that has seen the same Fence and Beat unchanged for the
// lease's term, on its own monotonic clock, may take it over.
type Lease struct {
	Name   string    `bson:"_id"`    // e.g. "sync/sync_…"
	Holder id.Worker `bson:"holder"` // "" when released
	Fence  int64     `bson:"fence"`  // grows with each acquisition
	Beat   int64     `bson:"beat"`   // grows with each renewal
	Since  time.Time `bson:"since"`  // the holder's clock, for display
	Until  time.Time `bson:"until"`  // the holder's clock, for display
}

// Leases are shared by all processes on a store.
type Leases interface {
	// Read returns the lease as it is; one that was never taken is the zero
	// Lease with its name.
	Read(ctx context.Context, name string) (Lease, error)
	// Acquire takes the lease if its fence and beat are still those of seen,
	// with fence+1 and beat 0; errs.Conflict if they have moved.
	Acquire(ctx context.Context, seen Lease, holder id.Worker, term time.Duration) (Lease, error)
	// Renew moves beat while the fence is ours; errs.Conflict once it is not.
	Renew(ctx context.Context, held Lease, term time.Duration) (Lease, error)
	// Release frees the lease if it is still ours; losing it before is no error.
	Release(ctx context.Context, held Lease) error
}

// Claims are taken by whoever shares a store with others, for work that one of
// them should do at a time.
type Claims interface {
	// Claim takes a lease and keeps it renewed, or fails with errs.Conflict while
	// somebody else holds it.
	Claim(ctx context.Context, name string) (Claim, error)
}

// Claim is a lease that is being renewed.
type Claim struct {
	Lease
	// Taken says that the holder before had not released it: it may still live.
	Taken bool
	// Context ends once the lease is lost, and with that of who claimed it.
	Context context.Context
	// Release gives the lease back; call it when the work has ended.
	Release func()
}
