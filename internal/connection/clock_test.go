package connection_test

import (
	"testing"
	"time"

	"mooring/internal/clock"
	"mooring/internal/connection"
	"mooring/internal/errs"
)

const year = 365 * 24 * time.Hour

// A clock that was a year, or an hour, ahead leaves checks that are made again,
// and failures that count.
func TestAWrongClockLeavesNoConnectionAlone(t *testing.T) {
	for _, jump := range []time.Duration{time.Hour, year} {
		for name, meanwhile := range map[string]func(c *connection.Connection, at time.Time){
			"a check succeeds": func(c *connection.Connection, at time.Time) {
				a := check(1)
				a.Began = at
				connection.Success(c, a, at)
			},
			"a check fails": func(c *connection.Connection, at time.Time) {
				a := check(1)
				a.Began = at
				connection.Failure(c, a, refused, at)
			},
			"a check is put off": func(c *connection.Connection, at time.Time) { connection.Postpone(c, at); c.UpdatedAt = at },
			"a run succeeds": func(c *connection.Connection, at time.Time) {
				a := check(1)
				a.Began, a.Source = at, connection.SourceSync
				connection.Success(c, a, at)
			},
		} {
			c := in(t, "ACTIVE")
			now := epoch.Add(time.Minute)
			meanwhile(&c, now.Add(jump))
			connection.Rewind(&c, now)
			if c.NextCheckAt.Before(now) || c.NextCheckAt.After(now.Add(5*time.Minute)) || clock.Ahead(c.LastCheckedAt, now) || clock.Ahead(c.LastSuccessAt, now) {
				t.Errorf("%s %v ahead: checked at %v, successful at %v, checked next at %v; it is %v", name, jump, c.LastCheckedAt, c.LastSuccessAt, c.NextCheckAt, now)
			}
			counts(t, name, c, now)
		}
	}
}

// The same without that look: somebody may test a connection before.
func TestFailuresCountAfterAWrongClock(t *testing.T) {
	for _, between := range []bool{false, true} {
		c := in(t, "ACTIVE")
		a, now := check(1), epoch.Add(time.Minute)
		a.Began = now.Add(year)
		connection.Success(&c, a, now.Add(year))
		if between {
			if _, quiet := connection.Quiet(&c, check(2), now.Add(time.Minute)); quiet {
				t.Error("a success after it is noted beside the record, where the later time wins")
			}
			connection.Success(&c, check(2), now.Add(time.Minute))
		}
		counts(t, "no look", c, now.Add(time.Minute))
	}
}

func counts(t *testing.T, name string, c connection.Connection, now time.Time) {
	t.Helper()
	for n := 10; c.Status != connection.Suspended; n++ {
		a := check(n)
		now = now.Add(time.Minute)
		if a.Began = now; !connection.Failure(&c, a, refused, now) {
			t.Fatalf("%s: a failure does not count: %+v", name, c)
		}
	}
	if len(c.Evidence) != connection.FailureLimit {
		t.Errorf("%s: suspended with %d failures", name, len(c.Evidence))
	}
}

func TestARightClocksChecksAreLeftAsTheyAre(t *testing.T) {
	now := epoch.Add(time.Minute)
	asked := refused
	asked.Kind, asked.RetryAfter = errs.Throttled, 24*time.Hour
	for name, change := range map[string]func(*connection.Connection){
		"an interval of a day": func(c *connection.Connection) {
			c.CheckInterval = new(int64(86400))
			connection.Success(c, check(1), now)
		},
		"a day that a provider asks": func(c *connection.Connection) { connection.Failure(c, check(1), asked, now) },
		"a clock that differs little": func(c *connection.Connection) {
			c.CheckInterval = new(int64(3600))
			connection.Success(c, check(1), now.Add(clock.Slack))
		},
		"archived": func(c *connection.Connection) { *c = in(t, "ARCHIVED"); c.UpdatedAt = now.Add(year) },
	} {
		c := in(t, "ACTIVE")
		change(&c)
		before := c
		if connection.Rewind(&c, now); c.Ahead(now) || !c.UpdatedAt.Equal(before.UpdatedAt) || c.NextCheckAt != before.NextCheckAt {
			t.Errorf("%s: due at %v, was %v", name, c.NextCheckAt, before.NextCheckAt)
		}
	}
}
