package syncing_test

import (
	"testing"
	"time"

	"mooring/internal/clock"
	"mooring/internal/errs"
	"mooring/internal/syncing"
)

func TestAWrongClockLeavesNoSyncAlone(t *testing.T) {
	throttled := &errs.Error{Kind: errs.Throttled, RetryAfter: time.Hour}
	for _, jump := range []time.Duration{time.Hour, 365 * 24 * time.Hour} {
		for name, c := range map[string]struct {
			schedule string
			status   syncing.RunStatus
			ended    bool
			cause    error
			want     time.Duration
		}{
			"it polls":              {"", syncing.RunCompleted, true, nil, 0},
			"cut by a limit":        {"", syncing.RunCompleted, false, nil, 0},
			"failed":                {"", syncing.RunFailed, false, pathGone, 0},
			"throttled":             {"", syncing.RunCanceled, false, throttled, 0},
			"scheduled":             {"30 14 * * *", syncing.RunCompleted, true, nil, 150 * time.Minute},
			"scheduled, and failed": {"30 14 * * *", syncing.RunFailed, false, pathGone, 0},
			"yearly":                {"0 0 1 1 *", syncing.RunCompleted, true, nil, 306*24*time.Hour - 12*time.Hour},
		} {
			s := newSync()
			s.Schedule = c.schedule
			wrong := noon.Add(jump)
			r := syncing.Run{ID: "run_x", Status: c.status, PassEnded: c.ended}
			if err := s.Begin(r.ID, wrong); err != nil {
				t.Fatal(err)
			}
			if s.Finish(r, c.cause, wrong); s.NextSyncAt.Before(noon) {
				t.Fatal(name, s.NextSyncAt)
			}
			s.Rewind(noon)
			if got := s.NextSyncAt.Sub(noon); got != c.want || clock.Ahead(&s.UpdatedAt, noon) || clock.Ahead(s.LastSyncAt, noon) {
				t.Errorf("%s, %v ahead: due after %v, want %v; last synced %v", name, jump, got, c.want, s.LastSyncAt)
			}
		}
	}
}

func TestARightClocksSyncsAreLeftAsTheyAre(t *testing.T) {
	day := &errs.Error{Kind: errs.Throttled, RetryAfter: 24 * time.Hour}
	for name, change := range map[string]func(*syncing.Sync){
		"a day that a provider asks": func(s *syncing.Sync) { ended(t, s, syncing.RunCanceled, false, day) },
		"a yearly schedule":          func(s *syncing.Sync) { s.Schedule = "0 0 1 1 *"; ended(t, s, syncing.RunCompleted, true, nil) },
		"paused":                     func(s *syncing.Sync) { _ = s.Pause(noon.Add(time.Hour), "usr_x", "") },
		"deleted": func(s *syncing.Sync) {
			at := noon.Add(48 * time.Hour)
			s.DeletedAt, s.NextSyncAt, s.UpdatedAt = &noon, &at, at
		},
	} {
		s := newSync()
		change(s)
		before := *s
		if s.Rewind(noon); s.NextSyncAt != before.NextSyncAt || !s.UpdatedAt.Equal(before.UpdatedAt) {
			t.Errorf("%s: due at %v, was %v", name, s.NextSyncAt, before.NextSyncAt)
		}
	}
}
