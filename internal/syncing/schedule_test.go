package syncing_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"mooring/internal/errs"
	"mooring/internal/syncing"
)

func when(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestPolling(t *testing.T) {
	s := &syncing.Sync{PollingSeconds: 300}
	after := when(t, "2025-01-02T03:04:05.678901Z").In(time.FixedZone("x", 3600))
	if got, err := syncing.Next(s, after); err != nil || got != when(t, "2025-01-02T03:09:05.678Z").UTC() {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := syncing.Next(&syncing.Sync{}, after); err == nil {
		t.Error("a sync without an interval is due")
	}
}

// Each line is a schedule, its zone, and when it is due, one after the other.
func TestSchedule(t *testing.T) {
	for _, c := range []struct {
		name, expr, zone string
		after            string
		want             []string
	}{
		{"every quarter", "*/15 * * * *", "", "2025-01-02T03:04:05Z", []string{"2025-01-02T03:15:00Z", "2025-01-02T03:30:00Z"}},
		{"strictly after", "0 * * * *", "", "2025-01-02T03:00:00Z", []string{"2025-01-02T04:00:00Z"}},
		{"just before", "0 * * * *", "", "2025-01-02T02:59:59.999Z", []string{"2025-01-02T03:00:00Z"}},
		{"in its zone", "30 9 * * *", "Asia/Kolkata", "2025-01-02T03:04:05Z", []string{"2025-01-02T04:00:00Z", "2025-01-03T04:00:00Z"}},
		{"by name", "@Daily", "", "2025-01-02T03:04:05Z", []string{"2025-01-03T00:00:00Z"}},
		{"either day", "0 0 13 * FRI", "", "2025-06-08T00:00:00Z", []string{"2025-06-13T00:00:00Z", "2025-06-20T00:00:00Z", "2025-06-27T00:00:00Z", "2025-07-04T00:00:00Z", "2025-07-11T00:00:00Z", "2025-07-13T00:00:00Z"}},
		{"sunday as 7", "0 0 * * 7", "", "2025-01-02T00:00:00Z", []string{"2025-01-05T00:00:00Z"}},
		{"leap day over 2100", "0 0 29 2 *", "", "2096-03-01T00:00:00Z", []string{"2104-02-29T00:00:00Z"}},

		{"spring: as much later", "30 2 * * *", "America/New_York", "2024-03-09T12:00:00Z", []string{"2024-03-10T07:30:00Z", "2024-03-11T06:30:00Z"}},
		{"spring: asked within", "30 2 * * *", "America/New_York", "2024-03-10T07:10:00Z", []string{"2024-03-10T07:30:00Z", "2024-03-11T06:30:00Z"}},
		{"spring: two that meet", "0 2,3 * * *", "America/New_York", "2024-03-10T06:00:00Z", []string{"2024-03-10T07:00:00Z", "2024-03-11T06:00:00Z"}},
		{"spring: in order", "0,30 2-3 * * *", "America/New_York", "2024-03-10T06:00:00Z", []string{"2024-03-10T07:00:00Z", "2024-03-10T07:30:00Z", "2024-03-11T06:00:00Z"}},
		{"spring: every hour", "30 * * * *", "America/New_York", "2024-03-10T06:00:00Z", []string{"2024-03-10T06:30:00Z", "2024-03-10T07:30:00Z", "2024-03-10T08:30:00Z"}},
		{"spring: no midnight", "0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00Z", []string{"2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"}},
		{"spring: half an hour", "15 2 * * *", "Australia/Lord_Howe", "2024-10-05T00:00:00Z", []string{"2024-10-05T15:45:00Z", "2024-10-06T15:15:00Z"}},
		{"spring: a short jump mixes the order", "15,35 2 * * *", "Australia/Lord_Howe", "2024-10-05T00:00:00Z", []string{"2024-10-05T15:35:00Z", "2024-10-05T15:45:00Z", "2024-10-06T15:15:00Z"}},
		{"autumn: once", "30 1 * * *", "America/New_York", "2024-11-02T12:00:00Z", []string{"2024-11-03T05:30:00Z", "2024-11-04T06:30:00Z"}},
		{"autumn: asked between", "30 1 * * *", "America/New_York", "2024-11-03T06:10:00Z", []string{"2024-11-04T06:30:00Z"}},
		{"autumn: every hour", "30 * * * *", "America/New_York", "2024-11-03T05:00:00Z", []string{"2024-11-03T05:30:00Z", "2024-11-03T06:30:00Z", "2024-11-03T07:30:00Z"}},
		{"autumn: every ten minutes", "*/10 * * * *", "Europe/Berlin", "2024-10-27T00:45:00Z", []string{"2024-10-27T00:50:00Z", "2024-10-27T01:00:00Z", "2024-10-27T01:10:00Z"}},
		{"autumn: hours of the day", "0 1-3 * * *", "America/New_York", "2024-11-03T04:30:00Z", []string{"2024-11-03T05:00:00Z", "2024-11-03T07:00:00Z", "2024-11-03T08:00:00Z"}},
		{"a day left out", "0 12 * * *", "Pacific/Apia", "2011-12-30T00:00:00Z", []string{"2011-12-30T22:00:00Z", "2011-12-31T22:00:00Z"}},
	} {
		s := &syncing.Sync{Schedule: c.expr, TimeZone: c.zone, PollingSeconds: 300}
		at := when(t, c.after)
		for i, want := range c.want {
			got, err := syncing.Next(s, at)
			if err != nil || !got.Equal(when(t, want)) {
				t.Errorf("%s: %q in %q, number %d after %v: %v, %v, not %s", c.name, c.expr, c.zone, i, at, got, err, want)
				break
			}
			if got.Location() != time.UTC {
				t.Errorf("%s: the time is not in UTC: %v", c.name, got)
			}
			at = got
		}
	}
}

// Wherever one asks from within the wait, the answer is the same.
func TestNextDoesNotDependOnWhenOneAsks(t *testing.T) {
	zones := []string{"", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kolkata", "Pacific/Apia", "Africa/Casablanca"}
	exprs := []string{"*/7 * * * *", "30 2 * * *", "15 0-3 * * *", "0 0 * * *", "45 1 * * SUN", "0 */6 * * *", "5 3 1 * *", "0,30 1,2 * * *"}
	rapid.Check(t, func(t *rapid.T) {
		s := &syncing.Sync{Schedule: rapid.SampledFrom(exprs).Draw(t, "expr"), TimeZone: rapid.SampledFrom(zones).Draw(t, "zone")}
		at := time.Unix(rapid.Int64Range(1_300_000_000, 1_800_000_000).Draw(t, "at"), 0)
		next, err := syncing.Next(s, at)
		if err != nil || !next.After(at) || next.Second() != 0 {
			t.Fatalf("after %v: %v, %v", at.UTC(), next, err)
		}
		within := at.Add(time.Duration(rapid.Int64Range(0, int64(next.Sub(at))-1).Draw(t, "within")))
		if again, err := syncing.Next(s, within); err != nil || !again.Equal(next) {
			t.Fatalf("after %v: %v, but after %v: %v, %v", at.UTC(), next, within.UTC(), again, err)
		}
		if next.Sub(at) > 63*24*time.Hour {
			t.Fatalf("after %v: only at %v", at.UTC(), next)
		}
	})
}

func TestValidateSchedule(t *testing.T) {
	for _, c := range []struct{ expr, zone, want string }{
		{"", "", ""},
		{"0 3 * * *", "", ""},
		{" 0  3 * * mon-fri ", "Europe/Berlin", ""},
		{"@weekly", "UTC", ""},
		{"0 0 29 2 *", "", ""},
		{"*/30 * * * * *", "", "schedule"}, // seconds
		{"0 0 1 1 * 2030", "", "schedule"}, // years
		{"* * * *", "", "schedule"},
		{"0 25 * * *", "", "schedule"},
		{"0 3 * * FOO", "", "schedule"},
		{"0 0 30 2 *", "", "schedule"}, // never
		{"@every 10s", "", "schedule"},
		{"@reboot", "", "schedule"},
		{"TZ=Europe/Berlin 0 3 * * *", "", "schedule"},
		{"CRON_TZ=UTC 0 3 * * *", "", "schedule"},
		{"TZ=0", "", "schedule"},
		{"H 3 * * *", "", "schedule"},
		{"0 0 L * *", "", "schedule"},
		{"*/0 * * * *", "", "schedule"},
		{"0 3 * * *", "Mars/Olympus", "time_zone"},
		{"0 3 * * *", "Local", "time_zone"},
		{"0 3 * * *", "../../etc/passwd", "time_zone"},
		{"x", "x", "schedule time_zone"},
		{"", "Europe/Berlin", "time_zone"},
	} {
		at := errs.NewFields()
		syncing.ValidateSchedule(c.expr, c.zone, at)
		if got := badFields(at.Err("test")); got != c.want {
			t.Errorf("%q in %q: bad %q, not %q", c.expr, c.zone, got, c.want)
		}
		if c.expr == "" {
			continue
		}
		if _, err := syncing.Next(&syncing.Sync{Schedule: c.expr, TimeZone: c.zone}, when(t, "2025-01-01T00:00:00Z")); (err != nil) != (c.want != "") {
			t.Errorf("%q in %q: next: %v", c.expr, c.zone, err)
		} else if err != nil && !errs.Is(err, errs.Invalid) {
			t.Errorf("%q in %q: %v", c.expr, c.zone, err)
		}
	}
}

func FuzzSchedule(f *testing.F) {
	for _, seed := range []string{"0 3 * * *", "*/5 1-3 1,15 JAN-MAR MON", "TZ=0", "@daily", "0 0 30 2 *", "59-0 * * * *", "1-5/2 * * * 7"} {
		f.Add(seed, "America/New_York")
	}
	f.Fuzz(func(t *testing.T, expr, zone string) {
		at := errs.NewFields()
		syncing.ValidateSchedule(expr, zone, at)
		if at.Err("test") != nil || expr == "" {
			return
		}
		after := time.Date(2025, 3, 8, 12, 0, 0, 0, time.UTC)
		for range 3 {
			next, err := syncing.Next(&syncing.Sync{Schedule: expr, TimeZone: zone}, after)
			if err != nil || next.Sub(after) <= 0 {
				t.Fatalf("%q in %q passes, and after %v: %v, %v", expr, zone, after, next, err)
			}
			after = next
		}
	})
}

func BenchmarkNext(b *testing.B) {
	for name, s := range map[string]*syncing.Sync{
		"daily": {Schedule: "30 2 * * *", TimeZone: "America/New_York"}, "minutes": {Schedule: "* * * * *", TimeZone: "America/New_York"},
	} {
		b.Run(name, func(b *testing.B) {
			after := time.Date(2024, 3, 10, 6, 0, 0, 0, time.UTC)
			for b.Loop() {
				if _, err := syncing.Next(s, after); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
