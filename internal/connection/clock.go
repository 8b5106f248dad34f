package connection

import (
	"slices"
	"time"

	"mooring/internal/clock"
)

// mostWait is the longest that a check is ever put off: what a provider may ask
// for and the longest interval, a tenth later, are both less.
const mostWait = 27 * time.Hour

// Ahead reports whether a wrong clock has made the next check due: it lies
// beyond any wait, or what it follows lies in the future itself.
func (c *Connection) Ahead(now time.Time) bool {
	if !c.watched() || !clock.Ahead(c.NextCheckAt, now) {
		return false
	}
	return c.NextCheckAt.After(now.Add(mostWait)) || clock.Ahead(&c.UpdatedAt, now) || c.noted(now)
}

// noted: an attempt is noted as of the future.
func (c *Connection) noted(now time.Time) bool {
	return clock.Ahead(c.LastCheckedAt, now) || clock.Ahead(c.LastSuccessAt, now)
}

// Rewind has a connection checked soon whose next check a wrong clock has set,
// at a moment that spreads those of many; it leaves any other as it is.
func Rewind(c *Connection, now time.Time) {
	if !c.Ahead(now) {
		return
	}
	now = cut(now)
	c.settleTimes(now, now)
	c.NextCheckAt, c.UpdatedAt = new(now.Add(spread(string(c.ID), recheck)).Truncate(time.Millisecond)), now
}

// settleTimes takes what a wrong clock has noted of the future back to when an
// attempt began, which it returns: else none that fails would count for long.
func (c *Connection) settleTimes(began, now time.Time) time.Time {
	if began = cut(began); clock.Ahead(&began, now) {
		began = now
	}
	for _, t := range []**time.Time{&c.LastCheckedAt, &c.LastSuccessAt} {
		if clock.Ahead(*t, now) {
			*t = &began
		}
	}
	c.Evidence, c.Settled = slices.Clone(c.Evidence), slices.Clone(c.Settled)
	for i := range c.Evidence {
		if e := &c.Evidence[i]; clock.Ahead(&e.Began, now) {
			e.Began = began
		}
	}
	for i := range c.Settled {
		if e := &c.Settled[i]; clock.Ahead(&e.Began, now) {
			e.Began = began
		}
	}
	return began
}
