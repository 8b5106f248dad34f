package syncing

import (
	"time"

	"mooring/internal/clock"
)

// mostWait is the longest that a sync is put off but for its schedule: what a
// provider may ask for is a day.
const mostWait = 25 * time.Hour

// Ahead reports whether a wrong clock has made the next run due: it lies beyond
// any wait and the schedule's next time, or what set it lies in the future itself.
func (s *Sync) Ahead(now time.Time) bool {
	if s.DeletedAt != nil || !clock.Ahead(s.NextSyncAt, now) {
		return false
	}
	if clock.Ahead(&s.UpdatedAt, now) || clock.Ahead(s.LastSyncAt, now) {
		return true
	}
	next, err := Next(s, now)
	return s.NextSyncAt.After(now.Add(mostWait)) && (err != nil || s.NextSyncAt.After(next))
}

// Rewind makes a sync due whose next run a wrong clock has set: now, or when its
// schedule says, if nothing waits for it. It leaves any other as it is.
func (s *Sync) Rewind(now time.Time) {
	if !s.Ahead(now) {
		return
	}
	if clock.Ahead(s.LastSyncAt, now) {
		s.LastSyncAt = &now
	}
	s.NextSyncAt, s.UpdatedAt = &now, now
	if s.Schedule != "" && s.LastError == nil && s.CurrentPass == "" && s.LastSyncAt != nil {
		s.reschedule(now)
	}
}
