package keys

import (
	"context"
	"time"

	"mooring/csfle"
	"mooring/internal/errs"
	"mooring/internal/store"
	"mooring/internal/store/system"
)

// Service is what an operator does with keys. Each of its calls may be cut off
// at any point and called again, here or in another process, and goes on.
type Service struct {
	Store  store.Store
	System system.System
	Master *Master
	Ring   *csfle.Keyring // over the store's vault and Master
	Now    func() time.Time
	// Alone: nothing else is at work on the store, in this process or another, so
	// that nobody has a key in a cache or a sealed value in hand.
	Alone bool
	// Shared: other processes may be at work on the store.
	Shared bool
	// Wait waits, until ctx ends; nil: on the clock.
	Wait func(ctx context.Context, d time.Duration) error
}

// settle waits until whatever began to use a key before has ended, and caches
// have let it go.
func (s *Service) settle(ctx context.Context) error {
	if s.Alone {
		return nil
	}
	wait := s.Wait
	if wait == nil {
		wait = sleep
	}
	return wait(ctx, max(s.Ring.CacheTTL(), grace))
}

// grace is longer than a request takes that seals something, or opens what it
// has read: it bounds what a cache of a shorter life does not.
const grace = 30 * time.Second

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return errs.Wrap(ctx.Err(), errs.KindOf(ctx.Err()), "keys.wait", "cut off: call it again to go on")
	}
}

// pages calls do for all items of a list.
func pages[T any](list func(store.Page) (store.List[T], error), do func(T) error) error {
	for p := (store.Page{Limit: 100}); ; {
		l, err := list(p)
		if err != nil {
			return err
		}
		for _, item := range l.Items {
			if err := do(item); err != nil {
				return err
			}
		}
		if l.Next == "" {
			return nil
		}
		p.Cursor = l.Next
	}
}
