// Package clock knows times that a wrong clock has left: one that was far ahead
// and has been set right. What was written meanwhile lies in the future, and
// what is due then would wait for it.
package clock

import "time"

// Slack is how far ahead a time may lie that was noted in the past: clocks of
// several machines differ a little. What is due within it is left to come.
const Slack = 10 * time.Minute

// Ahead reports whether a time that was noted in the past lies further ahead
// than that. nil does not.
func Ahead(t *time.Time, now time.Time) bool {
	return t != nil && t.After(now.Add(Slack))
}

// Watch sees a clock that is set back. The zero value has not seen it yet.
type Watch struct{ latest time.Time }

// Back reports whether the clock was further ahead before than the slack allows.
// It reports each time that it is set back once.
func (w *Watch) Back(now time.Time) bool {
	now = now.Round(0) // the clock on the wall alone
	back := Ahead(&w.latest, now)
	if back || now.After(w.latest) {
		w.latest = now
	}
	return back
}
