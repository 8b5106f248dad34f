package service

import (
	"context"
	"strconv"
	"time"

	"mooring/internal/audit"
	"mooring/internal/id"
	"mooring/internal/syncing"
)

// RetryLetters asks for dead letters to be tried again (those of ids, or all
// that the filter selects) and triggers a run. It says how many there are.
func (s *Service) RetryLetters(ctx context.Context, org id.Org, actor audit.Actor, b id.Bucket, sid id.Sync, f syncing.DeadLetterFilter, ids []string) (int64, error) {
	if _, err := s.Get(ctx, org, b, sid); err != nil {
		return 0, err
	}
	n, err := s.Store.DeadLetters().SetStatus(ctx, org, sid, f, ids, syncing.DeadRetry)
	if err != nil || n == 0 {
		return n, err
	}
	_, err = s.change(ctx, org, b, sid, func(sy *syncing.Sync, now time.Time) error {
		note(sy, now, actor, map[string]any{"dead_letters_retried": n})
		if !sy.IsActive() && sy.Status != syncing.Completed {
			return nil // paused or failed: they are tried when it goes on
		}
		return sy.Trigger(now)
	})
	if err == nil {
		s.wake()
	}
	return n, err
}

// PurgeLetters forgets dead letters: the items are tried again when a pass
// meets them. It says how many there were.
func (s *Service) PurgeLetters(ctx context.Context, org id.Org, actor audit.Actor, b id.Bucket, sid id.Sync, f syncing.DeadLetterFilter, ids []string) (int64, error) {
	if _, err := s.Get(ctx, org, b, sid); err != nil {
		return 0, err
	}
	n, err := s.Store.DeadLetters().Purge(ctx, org, sid, f, ids)
	if err != nil || n == 0 {
		return n, err
	}
	_, err = s.change(ctx, org, b, sid, func(sy *syncing.Sync, now time.Time) error {
		note(sy, now, actor, map[string]any{"dead_letters_purged": n})
		return nil
	})
	return n, err
}

func itoa(n int) string { return strconv.Itoa(n) }
