package connection

import (
	"time"

	"mooring/internal/id"
)

// Usage is what a connection did on one day, or a part of that, to be added.
type Usage struct {
	Org        id.Org        `bson:"internal_id"`
	Connection id.Connection `bson:"connection_id"`
	Day        string        `bson:"day"` // in UTC, as 2006-01-02

	Syncs     int64            `bson:"syncs"`            // runs that ended, however they did
	Objects   int64            `bson:"objects"`          // that runs brought
	Bytes     int64            `bson:"bytes"`            // of content that runs brought
	Requests  int64            `bson:"requests"`         // calls to the provider, each try by itself
	Throttles int64            `bson:"throttles"`        // of them, those that the provider throttled
	Errors    map[string]int64 `bson:"errors,omitempty"` // of the others, those that failed, by kind

	// Runs is, of each sync, the number of the last run that was counted: the
	// same run again adds nothing.
	Runs map[string]int64 `bson:"runs,omitempty"`
}

// DayOf is the day of a time, as Usage has it.
func DayOf(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// Add adds a part to u and reports whether that changed anything. A part that
// holds a run counted before is left out whole; so a part holds one run at most.
func (u *Usage) Add(part Usage) bool {
	for sync, number := range part.Runs {
		if number <= u.Runs[sync] {
			return false
		}
	}
	u.Syncs += part.Syncs
	u.Objects += part.Objects
	u.Bytes += part.Bytes
	u.Requests += part.Requests
	u.Throttles += part.Throttles
	for kind, n := range part.Errors {
		if u.Errors == nil {
			u.Errors = map[string]int64{}
		}
		u.Errors[kind] += n
	}
	for sync, number := range part.Runs {
		if u.Runs == nil {
			u.Runs = map[string]int64{}
		}
		u.Runs[sync] = number
	}
	return true
}
