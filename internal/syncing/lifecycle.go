package syncing

import (
	"time"
	"unicode/utf8"

	"mooring/internal/errs"
	"mooring/internal/event"
	"mooring/internal/id"
)

// These are the transitions of a sync. They are pure: each looks at the sync
// and its arguments alone, so that a store may rerun one in a compare-and-swap.

// Runnable reports, as a Conflict that names the state, why no run may start.
func (s *Sync) Runnable() error {
	switch {
	case s.DeletedAt != nil:
		return errs.New(errs.NotFound, "sync.run", "the sync is deleted")
	case s.Paused || s.Status == Suspended:
		return errs.New(errs.Conflict, "sync.run", "the sync is SUSPENDED: resume it first")
	case s.Status == Failed:
		return errs.New(errs.Conflict, "sync.run", "the sync is FAILED: trigger it, or change what was wrong")
	case s.Status == Completed:
		return errs.New(errs.Conflict, "sync.run", "the sync is COMPLETED: trigger it to run again")
	}
	return nil
}

// Due reports whether a run should be started: it was asked for, or its time has come.
func (s *Sync) Due(now time.Time) bool {
	asked, come := s.Triggered > s.TriggerDone, s.NextSyncAt != nil && !s.NextSyncAt.After(now)
	return s.DeletedAt == nil && (asked || come)
}

// Begin notes that a run starts. A trigger given before it is answered by it.
func (s *Sync) Begin(run id.Run, now time.Time) error {
	if err := s.Runnable(); err != nil {
		return err
	}
	if s.Status == Pending {
		s.Status = Active
	}
	s.CurrentRun, s.TriggerDone, s.UpdatedAt = run, s.Triggered, now
	s.RunCounter++
	return nil
}

// Finish folds a closed run into the sync, once: the same run again changes
// nothing. How the run ended decides what follows; cause is nil unless it
// failed, was throttled or canceled.
func (s *Sync) Finish(r Run, cause error, now time.Time) {
	if s.FoldedRun == r.ID {
		return
	}
	s.FoldedRun, s.UpdatedAt = r.ID, now
	if r.Kind == KindVerify {
		return // it looked at the bucket, not at the source
	}
	s.Totals.Add(r.Ledger)
	s.TotalBytes += r.Ledger.Bytes
	switch r.Status {
	case RunCompleted, RunWithErrors:
		s.succeed(r, now)
	case RunFailed:
		s.Fail(Failure(cause), now)
	default:
		s.postpone(cause, now)
	}
}

// BeginVerify notes that a verification starts, in any state.
func (s *Sync) BeginVerify(run id.Run, now time.Time) {
	s.CurrentRun, s.UpdatedAt = run, now
	s.RunCounter++
}

// EndVerify notes its end. If it found what has to be transferred again, the
// next run is due, as far as the sync runs at all.
func (s *Sync) EndVerify(r Run, repair bool, now time.Time) {
	s.Finish(r, nil, now)
	if repair && (s.IsActive() || s.Status == Completed) {
		_ = s.Trigger(now) // an active or completed sync can be triggered
	}
}

// succeed is what follows a run that ended well, whether or not its pass did.
func (s *Sync) succeed(r Run, now time.Time) {
	s.LastSyncAt, s.Failures, s.Outages, s.LastError = &now, 0, 0, nil
	if s.Paused || s.Status == Failed {
		return
	}
	asked := s.Triggered > s.TriggerDone // while the run was under way
	if s.Mode == InitialOnly && r.PassEnded && !asked {
		s.Status, s.NextSyncAt = Completed, nil
		return
	}
	s.Status = Active
	if !r.PassEnded || asked {
		s.NextSyncAt = &now // cut by a limit: the next run continues at once
		return
	}
	s.reschedule(now)
}

// postpone is what follows a run that neither succeeded nor failed.
func (s *Sync) postpone(cause error, now time.Time) {
	if s.Paused || s.Status == Failed {
		return
	}
	at := now
	switch {
	case errs.Is(cause, errs.Throttled):
		at = now.Add(max(errs.From(cause).RetryAfter, throttlePause))
	case errs.Is(cause, errs.Conflict): // its connection was suspended meanwhile
		at, s.TriggerDone = now.Add(connectionPause), s.Triggered
	}
	s.NextSyncAt = &at
}

// FailedRun describes why a run failed, as far as its sync is concerned.
type FailedRun struct {
	Kind    errs.Kind
	Origin  errs.Origin
	Scope   errs.Scope
	Message string
}

// Failure takes a cause apart.
func Failure(cause error) FailedRun {
	if cause == nil {
		return FailedRun{Message: "the run failed"}
	}
	e := errs.From(cause)
	return FailedRun{e.Kind, e.Origin, e.Scope, e.Message()}
}

// OfConnection reports whether the connection is to blame: its health decides
// then, and nothing is counted on the sync.
func (f FailedRun) OfConnection() bool {
	return f.Kind == errs.Unauthenticated || f.Scope == errs.ScopeConnection
}

// Outage reports whether something of ours was away: the database, the
// destination, a key service. However long that takes, no sync ends by it.
func (f FailedRun) Outage() bool { return f.Origin == errs.Ours && f.Kind == errs.Unavailable }

// Counts reports whether the failure counts towards the sync's own five.
func (f FailedRun) Counts() bool {
	return !f.OfConnection() && !f.Outage() && f.Kind != errs.Throttled && f.Kind != errs.Canceled
}

// Fail notes a failed run. The fifth in a row that counts makes the sync
// FAILED, to be brought back by a change or a trigger.
func (s *Sync) Fail(f FailedRun, now time.Time) {
	msg := cut(f.Message, maxLastError)
	s.LastError = &msg
	switch {
	case f.Outage():
		s.Outages++
	case f.Counts():
		s.Failures++
	}
	if s.Paused || s.Status == Failed {
		return
	}
	if s.Failures >= FailureLimit {
		// A trigger given while the run was under way is answered by this: one
		// that stays open would keep the sync in the due queue for ever.
		s.Status, s.NextSyncAt, s.TriggerDone = Failed, nil, s.Triggered
		s.Outbox.Raise(now, event.SyncStopped, string(s.ID), map[string]any{
			"bucket_id": string(s.Bucket), "connection_id": string(s.Connection),
			"kind": f.Kind.String(), "message": msg, "consecutive_failures": s.Failures,
		})
		return
	}
	s.retryAfter(max(s.Failures, s.Outages, 1), now)
}

// retryAfter schedules the run after a failed one: not before the pause that n
// failures deserve, and with a schedule not only at its next time.
func (s *Sync) retryAfter(n int, now time.Time) {
	at := now.Add(retryPauses[min(n, len(retryPauses))-1])
	if next, err := Next(s, now); err == nil && s.Schedule == "" && next.After(at) {
		at = next
	}
	s.NextSyncAt = &at
}

// Stumble puts off the next run after one that could not even be closed. It is
// counted when that run is closed. A trigger is put off too.
func (s *Sync) Stumble(f FailedRun, now time.Time) {
	msg := cut(f.Message, maxLastError)
	s.LastError, s.UpdatedAt, s.TriggerDone = &msg, now, s.Triggered
	if s.Runnable() == nil {
		s.retryAfter(max(s.Failures, 1), now)
	}
}

// WaitForConnection puts the sync off while its connection is not ACTIVE.
// Nothing is counted.
func (s *Sync) WaitForConnection(now time.Time) {
	if s.Runnable() != nil {
		return
	}
	at := now.Add(connectionPause)
	s.NextSyncAt, s.TriggerDone = &at, s.Triggered
}

// Awaken makes a sync due that waited for its connection, which is ACTIVE again:
// one that was put off for it, or whose last run failed because of it.
func (s *Sync) Awaken(now time.Time) {
	if s.Runnable() != nil || s.NextSyncAt == nil || !s.NextSyncAt.After(now) {
		return
	}
	failed := s.LastError != nil && s.Failures == 0
	if failed || !s.NextSyncAt.After(now.Add(connectionPause)) {
		s.NextSyncAt = &now
	}
}

// Pause lets a run under way finish and starts no new one. Pausing again
// changes nothing.
func (s *Sync) Pause(now time.Time, by, reason string) error {
	switch {
	case s.Paused:
		return nil
	case s.Status == Completed:
		return errs.New(errs.Conflict, "sync.pause", "the sync is COMPLETED: there is nothing to pause")
	}
	s.Paused, s.PauseReason, s.PausedAt, s.PausedBy = true, reason, &now, by
	s.Status, s.NextSyncAt, s.TriggerDone, s.UpdatedAt = Suspended, nil, s.Triggered, now
	return nil
}

// Resume ends a pause, and brings a FAILED sync back; the next run goes on
// where the last one stopped. On a sync that is active it changes nothing.
func (s *Sync) Resume(now time.Time) error {
	if s.Status == Completed {
		return errs.New(errs.Conflict, "sync.resume", "the sync is COMPLETED: trigger it to run again")
	}
	if s.IsActive() {
		return nil
	}
	s.revive(now)
	return nil
}

// Trigger asks for a run now. It brings back a sync that is FAILED or
// COMPLETED; a paused one has to be resumed first.
func (s *Sync) Trigger(now time.Time) error {
	if s.Paused || s.Status == Suspended {
		return errs.New(errs.Conflict, "sync.trigger", "the sync is SUSPENDED: resume it first")
	}
	if !s.IsActive() {
		s.revive(now)
	}
	s.Triggered++
	s.NextSyncAt, s.UpdatedAt = &now, now
	return nil
}

// Reschedule follows a changed interval or schedule.
func (s *Sync) Reschedule(now time.Time) error {
	if !s.IsActive() || s.RunCounter == 0 {
		return nil // it is due at once, or not at all
	}
	next, err := Next(s, now)
	if err != nil {
		return err
	}
	s.NextSyncAt, s.UpdatedAt = &next, now
	return nil
}

// revive makes a sync active and due at once, with a clean slate.
func (s *Sync) revive(now time.Time) {
	s.Paused, s.PauseReason, s.PausedAt, s.PausedBy = false, "", nil, ""
	s.Status, s.Failures, s.Outages, s.LastError = Active, 0, 0, nil
	if s.RunCounter == 0 {
		s.Status = Pending
	}
	s.NextSyncAt, s.UpdatedAt = &now, now
}

// reschedule sets the next regular run. A schedule that can't be read was
// refused when it was given: should one still be met, the interval stands in.
func (s *Sync) reschedule(now time.Time) {
	next, err := Next(s, now)
	if err != nil {
		next = now.Add(time.Duration(max(s.PollingSeconds, 30)) * time.Second)
	}
	s.NextSyncAt = &next
}

const (
	maxLastError    = 1000
	throttlePause   = 30 * time.Second
	connectionPause = time.Minute
)

// retryPauses are the least pauses after the first, second, … failed run.
var retryPauses = [...]time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour}

// cut shortens a text to n code points.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n])
}
