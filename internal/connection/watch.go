package connection

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mooring/internal/errs"
	"mooring/internal/event"
)

// Beat is what an attempt leaves that succeeded as all did before it. A store
// keeps it beside the record, whose revision and updated_at stay.
type Beat struct {
	CheckedAt   *time.Time // nil: the attempt was no check
	SuccessAt   time.Time  // when it began
	NextCheckAt time.Time
}

// Quiet returns the beat of a successful attempt, and whether that is all that
// Success would change in c.
func Quiet(c *Connection, a Attempt, now time.Time) (Beat, bool) {
	if c.Status != Active || a.Generation != c.CredentialsGeneration || c.LastError != nil || c.Failures != 0 ||
		len(c.Evidence)+len(c.Settled) > 0 || c.expiring(now) || c.noted(now) {
		return Beat{}, false
	}
	now = cut(now)
	b := Beat{SuccessAt: cut(a.Began), NextCheckAt: c.nextCheck(a, now)}
	if a.Source != SourceSync {
		b.CheckedAt = &now
	}
	return b, true
}

// The bounds of a connection's own time between checks, in seconds.
const (
	MinCheckInterval = 60
	MaxCheckInterval = 86400
)

// CheckCheckInterval notes in at what is wrong with a time between checks.
func CheckCheckInterval(seconds *int64, at errs.Fields) {
	if seconds != nil && (*seconds < MinCheckInterval || *seconds > MaxCheckInterval) {
		at.Add("value_error", fmt.Sprintf("must be from %d to %d seconds", MinCheckInterval, MaxCheckInterval), "check_interval_seconds")
	}
}

// expiryNotice is how long before credentials expire that is told.
const expiryNotice = 7 * 24 * time.Hour

// expiring: it is time to tell that the credentials expire, and it was not told.
func (c *Connection) expiring(now time.Time) bool {
	return c.CredentialsExpireAt != nil && !now.Before(c.CredentialsExpireAt.Add(-expiryNotice)) &&
		(c.ExpiryTold == nil || !c.ExpiryTold.Equal(*c.CredentialsExpireAt))
}

// warnOfExpiry raises an event once for each time at which credentials expire.
func (c *Connection) warnOfExpiry(now time.Time) {
	if !c.expiring(now) {
		return
	}
	c.ExpiryTold = new(*c.CredentialsExpireAt)
	c.Outbox.Raise(now, event.CredentialsExpiring, string(c.ID), map[string]any{
		"connection_id": string(c.ID), "name": c.Name, "provider_type": c.Provider, "status": string(c.Status),
		"credentials_expire_at": c.CredentialsExpireAt.Format(time.RFC3339),
	})
}

// StandingAdvice is what to do about a connection that works, "" when nothing:
// what it leaves unprotected, and credentials that will expire.
func (c *Connection) StandingAdvice(now time.Time) string {
	said := []string{c.Config.Risk(), c.ExpiryAdvice(now)}
	if c.Status == Archived {
		said = nil
	}
	return strings.Join(slices.DeleteFunc(said, func(s string) bool { return s == "" }), "; ")
}

// ExpiryAdvice says what to do about credentials that expire within a week, or
// have; "" when there is nothing to do.
func (c *Connection) ExpiryAdvice(now time.Time) string {
	if c.CredentialsExpireAt == nil || c.Status == Archived || now.Before(c.CredentialsExpireAt.Add(-expiryNotice)) {
		return ""
	}
	verb := "expire"
	if !now.Before(*c.CredentialsExpireAt) {
		verb = "expired"
	}
	return "the credentials " + verb + " on " + c.CredentialsExpireAt.Format(time.DateOnly) +
		": replace them in provider_config, and credentials_expire_at with them"
}

func (c *Connection) amendInterval(seconds int64, changes map[string]any, now time.Time) {
	next := &seconds
	if seconds == 0 {
		next = nil
	}
	if value(next) == value(c.CheckInterval) {
		return
	}
	changes["check_interval_seconds"] = []any{value(c.CheckInterval), value(next)}
	c.CheckInterval = next
	if c.Status == Active { // the pace after a failure is not the user's to set
		c.NextCheckAt = new(cut(now))
	}
}

func (c *Connection) amendExpiry(at time.Time, changes map[string]any) {
	var next *time.Time
	if at = cut(at); !at.IsZero() {
		next = &at
	}
	if next == nil && c.CredentialsExpireAt == nil || next != nil && c.CredentialsExpireAt != nil && next.Equal(*c.CredentialsExpireAt) {
		return
	}
	changes["credentials_expire_at"] = []any{value(c.CredentialsExpireAt), value(next)}
	c.CredentialsExpireAt = next
}

// value is what a pointer points to, nil when it is nil.
func value[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}
