package syncing_test

import (
	"testing"
	"time"

	"mooring/internal/errs"
	"mooring/internal/syncing"
)

// TestAwaken: what waited for the connection is due at once, all else stays.
func TestAwaken(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	make := func(change func(*syncing.Sync)) syncing.Sync {
		s := syncing.Sync{Status: syncing.Active, PollingSeconds: 300, NextSyncAt: new(now.Add(10 * time.Minute))}
		change(&s)
		return s
	}
	for what, c := range map[string]struct {
		sync syncing.Sync
		due  bool
	}{
		"waited":             {make(func(s *syncing.Sync) { s.WaitForConnection(now) }), true},
		"failed by it":       {make(func(s *syncing.Sync) { s.Fail(syncing.FailedRun{Kind: errs.Unauthenticated}, now) }), true},
		"failed by its own":  {make(func(s *syncing.Sync) { s.Fail(syncing.FailedRun{Kind: errs.NotFound}, now) }), false},
		"has its time":       {make(func(*syncing.Sync) {}), false},
		"paused":             {make(func(s *syncing.Sync) { _ = s.Pause(now, "usr_x", "") }), false},
		"completed long ago": {make(func(s *syncing.Sync) { s.Status, s.NextSyncAt = syncing.Completed, nil }), false},
	} {
		c.sync.Awaken(now)
		if due := c.sync.NextSyncAt != nil && !c.sync.NextSyncAt.After(now); due != c.due {
			t.Errorf("%s: due at once is %t, want %t", what, due, c.due)
		}
	}
}
