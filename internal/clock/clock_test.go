package clock_test

import (
	"testing"
	"time"

	"mooring/internal/clock"
)

func TestBackIsToldOnceForEachTimeTheClockIsSetBack(t *testing.T) {
	at := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	var w clock.Watch
	for i, step := range []struct {
		by   time.Duration
		back bool
	}{
		{0, false}, {time.Second, false}, {-time.Minute, false}, {-clock.Slack, true}, {time.Second, false},
		{365 * 24 * time.Hour, false}, {time.Minute, false}, {-365 * 24 * time.Hour, true}, {0, false}, {-time.Hour, true}, {time.Hour, false},
	} {
		at = at.Add(step.by)
		if got := w.Back(at); got != step.back {
			t.Errorf("step %d, by %v: back is %v, want %v", i, step.by, got, step.back)
		}
	}
}
