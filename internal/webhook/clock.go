package webhook

import (
	"time"

	"mooring/internal/clock"
)

// mostWait is longer than any wait.
const mostWait = 27 * time.Hour

// Ahead reports whether a wrong clock has set when a webhook is sent to again.
func (w *Webhook) Ahead(now time.Time) bool {
	return clock.Ahead(&w.RetryAt, now) &&
		(w.RetryAt.After(now.Add(mostWait)) || clock.Ahead(w.RestedAt, now) || clock.Ahead(&w.UpdatedAt, now))
}

// Rewind has a webhook sent to now if a wrong clock has put that off.
func (w *Webhook) Rewind(now time.Time) {
	if w.Ahead(now) {
		w.RetryAt, w.RestedAt, w.UpdatedAt = now, nil, now
	}
}

// Ahead reports whether a wrong clock has set when a message is sent again.
func (d *Delivery) Ahead(now time.Time) bool {
	return clock.Ahead(d.NextAt, now) && (d.NextAt.After(now.Add(mostWait)) || clock.Ahead(&d.UpdatedAt, now))
}

// Rewind has a message sent again now if a wrong clock has put that off.
func (d *Delivery) Rewind(now time.Time) {
	if d.Ahead(now) {
		d.NextAt, d.UpdatedAt = &now, now
	}
}
