package connection

import (
	"hash/fnv"
	"slices"
	"time"

	"mooring/internal/audit"
	"mooring/internal/connection/config"
	"mooring/internal/errs"
	"mooring/internal/event"
	"mooring/internal/secret"
)

// Where an attempt comes from.
const (
	SourceCheck = "check" // the health check, on our own initiative
	SourceTest  = "test"  // an explicit test
	SourceSync  = "sync"  // a run of a sync
)

// Attempt is one use of a connection's credentials against the provider.
type Attempt struct {
	ID         string    // the same for the same attempt, however often it is reported
	Began      time.Time // before the first request
	Generation int64     // CredentialsGeneration of what it used
	Source     string
	// Pace is the server's time between checks while all is well; 0 is CheckEvery.
	Pace time.Duration
}

// Fault is what is known of a failed attempt.
type Fault struct {
	Kind            errs.Kind
	Origin          errs.Origin
	Scope           errs.Scope
	Code, RequestID string
	Message         string // scrubbed and cut
	RetryAfter      time.Duration

	// Confirmed: a check made at once failed too. Without it a sync's attempt
	// counts only when the credential was refused.
	Confirmed bool
	// Isolated: nothing else can be reached from here either, so that being
	// unreachable says nothing about the provider.
	Isolated bool
}

// FaultOf reads the facts from an error and removes the secrets from them.
func FaultOf(err error, secrets []secret.String) Fault {
	e := errs.From(err)
	return Fault{
		Kind: errs.KindOf(err), Origin: e.Origin, Scope: e.Scope, RetryAfter: e.RetryAfter,
		Code: short(config.Scrub(e.Code, secrets)), RequestID: short(config.Scrub(e.RequestID, secrets)),
		Message: config.Scrub(e.Message(), secrets),
	}
}

// Countable reports whether a fault is of the sort that speaks against a
// connection: the provider's, about the whole of it, and not passing by nature.
func (f Fault) Countable() bool {
	if f.Origin != errs.Provider || f.Scope != errs.ScopeConnection {
		return false
	}
	switch f.Kind {
	case errs.Unauthenticated, errs.PermissionDenied, errs.NotFound, errs.Invalid:
		return true
	case errs.Unavailable:
		return !f.Isolated
	}
	return false
}

// CheckEvery is the pace of checks while all is well, and recheck the pace
// after a check that said nothing.
const (
	CheckEvery = 5 * time.Minute
	recheck    = 5 * time.Minute
)

// When to look again after the first, second, … counted failure. An outage is
// given two days before it suspends everybody who uses the provider.
var (
	paceRefused     = [FailureLimit - 1]time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute, 120 * time.Minute}
	paceUnreachable = [FailureLimit - 1]time.Duration{15 * time.Minute, time.Hour, 6 * time.Hour, 18 * time.Hour}
)

// Failure takes note of a failed attempt and reports whether it counted. The
// fifth that counts since the last success suspends. Nothing changes while the
// connection is suspended or archived, or for replaced credentials.
func Failure(c *Connection, a Attempt, f Fault, now time.Time) (counted bool) {
	if !c.watched() || a.Generation != c.CredentialsGeneration {
		return false
	}
	now = cut(now)
	a.Began = c.settleTimes(a.Began, now)
	c.warnOfExpiry(now)
	if !c.counts(a, f) {
		if a.Source == SourceCheck {
			c.checked(now, now.Add(max(recheck, f.RetryAfter)))
		}
		return false
	}
	if a.Source != SourceSync {
		c.LastCheckedAt = &now
	}
	was, n := c.Status, c.Failures
	c.Evidence = append(c.Evidence, Evidence{
		Attempt: a.ID, Began: cut(a.Began), Time: now, Source: a.Source, Scope: f.Scope.String(), Kind: f.Kind.String(),
		Code: f.Code, RequestID: f.RequestID, Message: config.Cut(f.Message),
	})
	c.Failures = len(c.Evidence)
	c.LastError = new(config.Cut(f.Message))
	c.UpdatedAt = now
	if len(c.Evidence) < FailureLimit {
		c.Status = Failed
		c.NextCheckAt = new(now.Add(pace(f, c.Failures)))
	} else {
		c.Status, c.SuspendedBy, c.NextCheckAt = Suspended, BySystem, nil
		c.StatusReason = config.Cut("suspended after 5 consecutive failures; the last: " + f.Message)
	}
	c.Outbox.Note(now, audit.System(), audit.ConnectionFailed, audit.StorageConnection, string(c.ID), false, map[string]any{
		"status": pair(was, c.Status), "consecutive_failures": pair(n, c.Failures),
		"source": a.Source, "kind": f.Kind.String(), "error_code": f.Code, "request_id": f.RequestID,
	})
	switch {
	case c.Status == Suspended:
		c.raise(now, event.ConnectionSuspended)
	case was == Active:
		c.raise(now, event.ConnectionFailed)
	}
	return true
}

// Success takes note of an attempt that succeeded: a failed connection is
// active again. Nothing changes while the connection is suspended or archived,
// or for replaced credentials.
func Success(c *Connection, a Attempt, now time.Time) {
	if !c.watched() || a.Generation != c.CredentialsGeneration {
		return
	}
	now = cut(now)
	a.Began = c.settleTimes(a.Began, now)
	if a.Source == SourceSync { // as good as a check, but not one
		c.NextCheckAt = new(c.nextCheck(a, now))
	} else {
		c.checked(now, c.nextCheck(a, now))
	}
	c.warnOfExpiry(now)
	c.succeeded(a)
	if c.Status == Failed {
		c.activate(now, audit.System())
	}
}

// Postpone puts off the next check after one that could not be made for a
// reason of ours: else it would be due again at once, for ever, and keep others
// from their turn. It says nothing about the connection.
func Postpone(c *Connection, now time.Time) {
	if c.watched() && c.NextCheckAt != nil {
		c.NextCheckAt = new(cut(now).Add(recheck))
	}
}

// watched: attempts are taken note of.
func (c *Connection) watched() bool { return c.Status == Active || c.Status == Failed }

// counts decides about an attempt of a watched connection with its present credentials.
func (c *Connection) counts(a Attempt, f Fault) bool {
	switch {
	case !f.Countable():
		return false
	case c.LastSuccessAt != nil && cut(a.Began).Before(*c.LastSuccessAt):
		return false
	case slices.ContainsFunc(c.Settled, func(s Settled) bool { return s.Attempt == a.ID }),
		slices.ContainsFunc(c.Evidence, func(e Evidence) bool { return e.Attempt == a.ID }):
		return false
	case a.Source == SourceSync:
		// Syncs wait while the connection is not active: those that were
		// under way when it failed must not suspend it in one go.
		return c.Status == Active && (f.Kind == errs.Unauthenticated || f.Confirmed)
	}
	return true
}

func (c *Connection) checked(now, next time.Time) { c.LastCheckedAt, c.NextCheckAt = &now, &next }

// nextCheck is when to look again while all is well: up to a tenth sooner or
// later than the interval says, so that checks spread. The attempt decides, so
// that an update that is tried again comes to the same.
func (c *Connection) nextCheck(a Attempt, now time.Time) time.Time {
	every := a.Pace
	if every <= 0 {
		every = CheckEvery
	}
	if c.CheckInterval != nil {
		every = time.Duration(*c.CheckInterval) * time.Second
	}
	return now.Add(every*9/10 + spread(string(c.ID)+a.ID, every/5)).Truncate(time.Millisecond)
}

// spread is a part of a time, or all of it, which a text decides.
func spread(by string, over time.Duration) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(by))
	const parts = 1001
	return over * time.Duration(h.Sum32()%parts) / (parts - 1)
}

// succeeded clears what speaks against the connection and remembers since when.
func (c *Connection) succeeded(a Attempt) {
	began := cut(a.Began)
	if c.LastSuccessAt == nil || began.After(*c.LastSuccessAt) {
		c.LastSuccessAt = &began
	}
	cleared := c.Settled
	for _, e := range c.Evidence {
		cleared = append(cleared, Settled{Attempt: e.Attempt, Began: e.Began})
	}
	c.Settled = nil
	for _, s := range cleared {
		if !s.Began.Before(*c.LastSuccessAt) {
			c.Settled = append(c.Settled, s)
		}
	}
	c.Evidence, c.Failures, c.LastError = nil, 0, nil
}

// activate ends a failure or a suspension. Evidence has been cleared.
func (c *Connection) activate(now time.Time, by audit.Actor) {
	was := c.Status
	c.Status, c.SuspendedBy, c.StatusReason, c.UpdatedAt = Active, "", "", now
	c.note(now, by, audit.ConnectionUpdated, map[string]any{"status": pair(was, Active)})
	c.raise(now, event.ConnectionRecovered)
}

func pace(f Fault, failures int) time.Duration {
	steps := paceRefused
	if f.Kind == errs.Unavailable {
		steps = paceUnreachable
	}
	return max(steps[failures-1], f.RetryAfter)
}

func (c *Connection) note(now time.Time, by audit.Actor, action string, changes map[string]any) {
	c.Outbox.Note(now, by, action, audit.StorageConnection, string(c.ID), true, changes)
}

func (c *Connection) raise(now time.Time, typ string) {
	data := map[string]any{
		"connection_id": string(c.ID), "name": c.Name, "provider_type": c.Provider,
		"status": string(c.Status), "consecutive_failures": c.Failures,
	}
	if c.SuspendedBy != "" {
		data["suspended_by"] = c.SuspendedBy
	}
	if c.LastError != nil {
		data["last_error"] = *c.LastError
	}
	if n := len(c.Evidence); n > 0 {
		last := c.Evidence[n-1]
		data["kind"], data["error_code"], data["request_id"] = last.Kind, last.Code, last.RequestID
	}
	c.Outbox.Raise(now, typ, string(c.ID), data)
}

// pair shows a change in the audit trail: what was, what is.
func pair[T ~string | ~int](was, is T) []any {
	if s, ok := any(was).(Status); ok {
		return []any{string(s), string(any(is).(Status))}
	}
	return []any{was, is}
}

func cut(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// short bounds what a provider calls its codes and ids.
func short(s string) string {
	if r := []rune(s); len(r) > 128 {
		return string(r[:128])
	}
	return s
}
