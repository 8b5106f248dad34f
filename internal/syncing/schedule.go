package syncing

import (
	"errors"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // one static binary: the machine need not have a time zone database

	cron "github.com/netresearch/go-cron"

	"mooring/internal/errs"
)

// The names of common schedules, as crontab has them.
var namedSchedules = map[string]string{
	"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
	"@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
}

// cronParser reads the five fields of crontab: if both days are restricted,
// either suffices. The longest wait there is, over a century without a leap
// day, is eight years.
var cronParser = cron.MustNewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.DowOrDom).WithMaxSearchYears(9)

// Next returns when a sync is due after a time: after its polling interval, or
// at the next time of its schedule.
//
// A schedule is read on the clock of its time zone (UTC if it has none). When
// that clock jumps ahead, what stood in the hour that is left out is due as
// much later; when it is set back, what stands in the hour that comes twice is
// due the first time only. A schedule for every hour ("* in the hour field")
// goes by elapsed time instead: it leaves out the hour that isn't, and is due in
// both of the two.
func Next(s *Sync, after time.Time) (time.Time, error) {
	if s.Schedule == "" {
		if s.PollingSeconds <= 0 {
			return time.Time{}, errs.New(errs.Internal, "syncing.next", "the sync has neither a polling interval nor a schedule")
		}
		return after.UTC().Add(time.Duration(s.PollingSeconds) * time.Second).Truncate(time.Millisecond), nil
	}
	sched, err := parseSchedule(s.Schedule)
	if err != nil {
		return time.Time{}, errs.Wrap(err, errs.Invalid, "syncing.next", "the schedule can't be read")
	}
	zone, err := loadZone(s.TimeZone)
	if err != nil {
		return time.Time{}, errs.Wrap(err, errs.Invalid, "syncing.next", "the time zone is not known")
	}
	next := sched.next(after, zone)
	if next.IsZero() {
		return next, errs.New(errs.Invalid, "syncing.next", "the schedule is never due")
	}
	return next, nil
}

// ValidateSchedule says what is wrong with a schedule and its time zone ("" is
// UTC), as fields "schedule" and "time_zone" of at. Both empty is right: the
// sync polls.
func ValidateSchedule(expr, tz string, at errs.Fields) {
	zone, err := loadZone(tz)
	if err != nil {
		at.Add("value_error", err.Error(), "time_zone")
		zone = time.UTC
	}
	if expr == "" {
		if tz != "" {
			at.Add("value_error", "is for a schedule, and there is none", "time_zone")
		}
		return
	}
	sched, err := parseSchedule(expr)
	if err != nil {
		at.Add("value_error", err.Error(), "schedule")
		return
	}
	// Whatever a schedule can wait for comes within nine years of any time.
	if sched.next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), zone).IsZero() {
		at.Add("value_error", "is never due: there is no such day", "schedule")
	}
}

type schedule struct {
	spec      cron.Schedule
	everyHour bool
}

func parseSchedule(expr string) (schedule, error) {
	expr = strings.TrimSpace(expr)
	switch {
	case strings.Contains(expr, "="):
		return schedule{}, errors.New("must not hold a time zone: it has a field of its own, time_zone")
	case strings.HasPrefix(expr, "@every"):
		return schedule{}, errors.New("\"@every\" is not a schedule: use polling_interval_seconds")
	case strings.HasPrefix(expr, "@"):
		named, ok := namedSchedules[strings.ToLower(expr)]
		if !ok {
			return schedule{}, errors.New("is not one of @hourly, @daily, @weekly, @monthly, @yearly")
		}
		expr = named
	}
	fields := strings.Fields(expr)
	switch {
	case len(fields) > 5:
		return schedule{}, fmt.Errorf("must have five fields (minute hour day month weekday) and has %d: seconds and years are not supported", len(fields))
	case len(fields) < 5:
		return schedule{}, fmt.Errorf("must have five fields (minute hour day month weekday) and has %d", len(fields))
	}
	spec, err := cronParser.Parse(strings.Join(fields, " "))
	if err != nil {
		return schedule{}, fmt.Errorf("can't be read: %w", err)
	}
	if bits, ok := spec.(*cron.SpecSchedule); ok {
		bits.Location = time.UTC // it only ever sees the face of a clock
	}
	return schedule{spec: spec, everyHour: fields[1] == "*"}, nil
}

// loadZone refuses "Local": the zone of whichever machine works.
func loadZone(tz string) (*time.Location, error) {
	if tz == "" {
		return time.UTC, nil
	}
	zone, err := time.LoadLocation(tz)
	if err != nil || tz == "Local" {
		return nil, errors.New("must be a name of the IANA time zone database, as \"Europe/Berlin\"")
	}
	return zone, nil
}

// jump bounds how far any zone has ever set its clock: a whole day, when Samoa
// went over the date line.
const jump = 25 * time.Hour

// next searches on the face of the clock, written as if it were UTC, and takes
// each time found back to when it is. Around a jump that doesn't keep order, so
// there it looks at every face that may come first.
func (s schedule) next(after time.Time, zone *time.Location) time.Time {
	var best, last time.Time
	from := faceOf(after, zone)
	if !settled(from, zone) {
		from = from.Add(-jump)
	}
	for w := s.spec.Next(from); !w.IsZero(); w = s.spec.Next(w) {
		if !best.IsZero() && w.After(last) {
			break
		}
		for _, t := range s.instants(w, zone) {
			if t.After(after) && (best.IsZero() || t.Before(best)) {
				best, last = t, faceOf(t, zone)
				if !settled(last, zone) {
					last = last.Add(jump)
				}
			}
		}
	}
	return best
}

// faceOf is what a clock in the zone shows, as if it were UTC.
func faceOf(t time.Time, zone *time.Location) time.Time {
	_, offset := t.In(zone).Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

func offsetAt(t time.Time, zone *time.Location) time.Duration {
	_, offset := t.In(zone).Zone()
	return time.Duration(offset) * time.Second
}

// settled reports that no jump is near a face.
func settled(face time.Time, zone *time.Location) bool {
	return offsetAt(face.Add(-jump), zone) == offsetAt(face.Add(jump), zone)
}

// instants are the times at which a schedule is due that stands at a face: one,
// but around a jump.
func (s schedule) instants(face time.Time, zone *time.Location) []time.Time {
	before, after := offsetAt(face.Add(-jump), zone), offsetAt(face.Add(jump), zone)
	if before == after {
		return []time.Time{face.Add(-before)}
	}
	var out []time.Time
	for _, offset := range []time.Duration{before, after} {
		if t := face.Add(-offset); offsetAt(t, zone) == offset {
			out = append(out, t)
		}
	}
	switch {
	case s.everyHour:
		return out // none in a gap, two where the clock was set back
	case len(out) == 0:
		return []time.Time{face.Add(-before)} // as much later as the clock jumped ahead
	}
	return out[:1]
}
