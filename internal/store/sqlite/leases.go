package sqlite

import (
	"context"
	"time"

	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store"
)

type leases struct{ s *Store }

var _ store.Leases = leases{}

// Read implements store.Leases.
func (x leases) Read(ctx context.Context, name string) (store.Lease, error) {
	l := store.Lease{Name: name}
	var since, until int64
	found, err := x.s.row(ctx, "store.leases.read", "SELECT holder, fence, beat, since, until FROM leases WHERE name = ?", []any{name},
		&l.Holder, &l.Fence, &l.Beat, &since, &until)
	if found {
		l.Since, l.Until = time.UnixMilli(since).UTC(), time.UnixMilli(until).UTC()
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
	err := x.s.w.write(ctx, op, interactive, func(t *tx) error {
		if seen.Fence == 0 && seen.Beat == 0 {
			n, err := t.exec("INSERT INTO leases (name, holder, fence, beat, since, until) VALUES (?, ?, 1, 0, ?, ?) ON CONFLICT DO NOTHING",
				l.Name, string(holder), l.Since.UnixMilli(), l.Until.UnixMilli())
			return unlessLost(n, err)
		}
		return unlessLost(t.exec("UPDATE leases SET holder = ?, fence = ?, beat = 0, since = ?, until = ? WHERE name = ? AND fence = ? AND beat = ?",
			string(holder), l.Fence, l.Since.UnixMilli(), l.Until.UnixMilli(), l.Name, seen.Fence, seen.Beat))
	})
	return l, lost(err, op, "somebody else has moved the lease")
}

// Renew implements store.Leases.
func (x leases) Renew(ctx context.Context, held store.Lease, term time.Duration) (store.Lease, error) {
	const op = "store.leases.renew"
	held.Until = cut(x.s.now().Add(term))
	err := x.s.w.write(ctx, op, interactive, func(t *tx) error {
		found, err := t.row("UPDATE leases SET beat = beat + 1, until = ? WHERE name = ? AND fence = ? AND holder = ? RETURNING beat",
			[]any{held.Until.UnixMilli(), held.Name, held.Fence, string(held.Holder)}, &held.Beat)
		if err == nil && !found {
			return errLost
		}
		return err
	})
	return held, lost(err, op, "the lease is somebody else's now")
}

// Release implements store.Leases.
func (x leases) Release(ctx context.Context, held store.Lease) error {
	return x.s.w.write(ctx, "store.leases.release", interactive, func(t *tx) error {
		_, err := t.exec("UPDATE leases SET holder = '' WHERE name = ? AND fence = ? AND holder = ?", held.Name, held.Fence, string(held.Holder))
		return err
	})
}

// unlessLost turns "no row was changed" into errLost.
func unlessLost(n int64, err error) error {
	if err == nil && n == 0 {
		return errLost
	}
	return err
}

// lost turns errLost into the Conflict that callers know.
func lost(err error, op, msg string) error {
	if err == errLost { //nolint:errorlint // it is never wrapped
		return errs.New(errs.Conflict, op, msg)
	}
	return err
}
