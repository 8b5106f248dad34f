package engine

import (
	"context"
	"errors"
	"strings"
	"time"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/event"
	"mooring/internal/id"
	"mooring/internal/syncing"
)

// finish closes the run after its work ended with err. It returns err, but for
// a run that was merely throttled or paused for its connection.
func (r *runner) finish(ctx context.Context, err error) (syncing.Run, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finalGrace)
	defer cancel()
	if errs.Is(err, errs.Conflict) && errs.From(err).Op == errLost.Op {
		if !r.waiting { // no record of ours places what is still staged
			r.sweep(ctx, r.ownPrefix())
		}
		return r.run, err
	}
	if brokenOrder(err) {
		if lost := r.distrustOrder(ctx); lost != nil {
			return r.run, lost
		}
	}
	if err != nil {
		if waits := r.afterError(ctx, err); waits != nil {
			return r.leaveOpen(ctx, err)
		}
	}
	if err == nil && r.unused.Load() {
		r.sweepOwn(ctx)
	}
	run, closeErr := r.closeRun(ctx, r.run, r.closing(err))
	if closeErr != nil {
		return r.run, closeErr
	}
	if foldErr := r.foldRun(ctx, run, err); foldErr != nil {
		return run, foldErr
	}
	r.report(ctx, err)
	r.foldQuiet(ctx, run)
	return run, err
}

// afterError tidies. It fails when a record waits that can't be applied: then
// the ledger is not complete. All else that is left is done by the next run.
func (r *runner) afterError(ctx context.Context, err error) error {
	r.log.Info("run stopped", "kind", errs.KindOf(err).String(), "error", err)
	if err := r.dismiss(ctx); err != nil {
		r.log.Warn("other processes may still work on the pass of a stopped run", "error", err)
		return err
	}
	if r.waiting {
		if err := r.redo(ctx, all); err != nil {
			r.log.Warn("a record of a stopped run waits for the next one", "error", err)
			return err
		}
	}
	if err := r.flush(ctx); err != nil {
		r.log.Warn("records of a stopped run wait for the next one to drop them", "error", err)
		return nil
	}
	r.sweepOwn(ctx)
	return nil
}

// sweepOwn deletes what the run staged and no record places. Who only helps it
// deletes its own.
func (r *runner) sweepOwn(ctx context.Context) {
	if r.helping {
		r.sweep(ctx, r.ownPrefix())
	} else {
		r.sweep(ctx, r.stagingPrefix())
	}
}

func (r *runner) sweep(ctx context.Context, own string) {
	if err := r.sink.Sweep(ctx, func(staged string) bool { return !strings.HasPrefix(staged, own) }); err != nil {
		r.log.Warn("staged content of a run waits for a later one", "error", err)
	}
}

// leaveOpen notes why a run stopped whose ledger is not complete. The next run
// completes and closes it.
func (r *runner) leaveOpen(ctx context.Context, cause error) (syncing.Run, error) {
	c := r.closing(cause)
	run, err := r.Store.Runs().Update(ctx, r.org, r.run.ID, func(x *syncing.Run) error {
		x.Reason, x.ErrorKind, x.UpdatedAt = c.reason, c.kind, r.now()
		return nil
	})
	if err != nil {
		return r.run, cause
	}
	_ = r.mine(ctx, func(s *syncing.Sync) error {
		s.Stumble(syncing.Failure(cause), r.now())
		return nil
	})
	return run, cause
}

// closing says how a run ends.
type closing struct {
	status  syncing.RunStatus
	reason  string
	kind    string
	suspect string
	pass    syncing.Pass
}

func (r *runner) closing(err error) closing {
	c := closing{status: syncing.RunCompleted, pass: r.pass, suspect: r.pass.Suspect, reason: r.kept}
	switch {
	case err == nil:
	case errs.Is(err, errs.Canceled):
		c.status, c.reason = syncing.RunCanceled, "stopped; the next run goes on where it was"
	case errs.Is(err, errs.Throttled):
		c.status, c.reason, c.kind = syncing.RunCanceled, "the provider asks to wait: "+errs.From(err).Message(), errs.Throttled.String()
	case errors.Is(err, errSuspended):
		c.status, c.reason = syncing.RunCanceled, errs.From(err).Message()
	default:
		c.status, c.reason, c.kind = syncing.RunFailed, errs.From(err).Message(), errs.KindOf(err).String()
	}
	return c
}

// closeRun writes a run's final row, once: its ledger is the sum over the shards.
func (r *runner) closeRun(ctx context.Context, run syncing.Run, c closing) (syncing.Run, error) {
	ledger, err := r.sum(ctx, run)
	if err != nil {
		return run, err
	}
	if !ledger.Balanced() {
		r.log.Error("the ledger of a run does not balance", "ledger", ledger.String())
		c.status, c.kind, c.reason = syncing.RunFailed, errs.Internal.String(), "the run's ledger does not balance: "+ledger.String()
	}
	now := r.now()
	closed, err := r.Store.Runs().Update(ctx, r.org, run.ID, func(x *syncing.Run) error {
		if x.Status != syncing.RunInProgress {
			return nil
		}
		x.Ledger, x.Status, x.Reason, x.ErrorKind = ledger, c.status, c.reason, c.kind
		if x.Status == syncing.RunCompleted && ledger.Failed > 0 {
			x.Status = syncing.RunWithErrors
		}
		x.PassEnded = c.pass.State == syncing.Done && !c.pass.Expired
		if c.suspect != "" && x.PassEnded {
			x.Suspect, x.Reason = true, c.suspect
		}
		x.EndedAt, x.UpdatedAt = &now, now
		tellEnd(x, now)
		return nil
	})
	if err == nil {
		r.step(StepRunClosed)
	}
	return closed, err
}

// tellEnd raises what receivers are told of a run that has ended: nothing when
// it changed nothing, or when the next one goes on.
func tellEnd(x *syncing.Run, now time.Time) {
	switch {
	case x.Status == syncing.RunFailed:
		x.Outbox.Raise(now, event.SyncFailed, string(x.Sync), runData(x))
	case x.Status == syncing.RunCanceled, x.Kind == syncing.KindVerify, x.ChangedNothing():
	default:
		x.Outbox.Raise(now, event.SyncCompleted, string(x.Sync), runData(x))
	}
	if x.Suspect {
		x.Outbox.Raise(now, event.SyncSuspect, string(x.Sync), runData(x))
	}
}

func runData(x *syncing.Run) map[string]any {
	l := x.Ledger
	return map[string]any{
		"sync_run_id": string(x.ID), "sync_config_id": string(x.Sync), "bucket_id": string(x.Bucket), "kind": x.Kind,
		"status": string(x.Status), "suspect": x.Suspect, "reason": x.Reason, "pass_ended": x.PassEnded,
		"discovered": l.Discovered, "synced": l.Synced, "unchanged": l.Unchanged, "filtered": l.Filtered, "duplicate": l.Duplicate,
		"skipped": l.Skipped, "failed": l.Failed, "deleted": l.Deleted, "moved": l.Moved, "bytes": l.Bytes,
	}
}

// sum is the ledger of a run so far: the sum over the shards of its pass, or
// what its row holds where no shards are left.
func (e *Engine) sum(ctx context.Context, run syncing.Run) (syncing.Ledger, error) {
	out := run.Ledger
	if run.Pass == "" || run.Kind == syncing.KindVerify {
		return out, nil
	}
	shards, err := e.Store.Shards().OfPass(ctx, run.Org, run.Pass)
	if err != nil {
		return out, err
	}
	if len(shards) > 0 {
		out = syncing.Ledger{}
	}
	for _, s := range shards {
		if s.Run == run.ID {
			out.Add(s.RunLedger)
		}
	}
	return out, nil
}

// Live returns a run with its ledger as it is now: that of a run under way is
// the sum over its shards.
func (e *Engine) Live(ctx context.Context, run syncing.Run) (syncing.Run, error) {
	if run.Status != syncing.RunInProgress {
		return run, nil
	}
	ledger, err := e.sum(ctx, run)
	if err == nil {
		run.Ledger = ledger
	}
	return run, err
}

// foldRun folds a closed run into its sync, and clears its pass if that is done.
func (r *runner) foldRun(ctx context.Context, run syncing.Run, cause error) error {
	if err := r.recount(ctx, run); err != nil {
		return err
	}
	done, err := r.donePass(ctx)
	if err != nil {
		return err
	}
	s, err := r.Store.Syncs().Update(ctx, r.org, r.sync.ID, func(s *syncing.Sync) error {
		if s.CurrentRun != run.ID {
			return errLost
		}
		if done.ID != "" && s.CurrentPass == done.ID {
			endPass(s, done)
		}
		s.Finish(run, cause, r.now())
		return nil
	})
	if err != nil {
		return err
	}
	r.sync = s
	r.step(StepSyncFolded)
	if done.ID == "" {
		return nil
	}
	return r.clearPass(ctx, done.ID)
}

// donePass is the sync's pass if that is done, else a zero one.
func (r *runner) donePass(ctx context.Context) (syncing.Pass, error) {
	if r.sync.CurrentPass == "" {
		return syncing.Pass{}, nil
	}
	p, err := r.Store.Passes().Get(ctx, r.org, r.sync.CurrentPass)
	if errs.Is(err, errs.NotFound) || err == nil && p.State != syncing.Done {
		return syncing.Pass{}, nil
	}
	return p, err
}

// endPass takes over what a pass that is done leaves to the sync.
func endPass(s *syncing.Sync, p syncing.Pass) {
	s.CurrentPass = ""
	switch {
	case p.Expired:
		s.FeedCursor = nil
		s.Expired++
	case p.Incomplete: // what was left out has to be told again
	case len(p.Cursor) > 0:
		s.FeedCursor, s.FeedView = p.Cursor, p.View
	}
	if !p.Expired {
		s.HeldPass, s.Expired = "", 0
		if holdsBack(p, s) {
			s.HeldPass = p.ID
		}
	}
	if !p.Feed && !p.Expired && (p.Suspect == "" || s.OnDelete == syncing.Ignore) {
		s.Absent = p.Absent
	}
}

// clearPass removes the rows of a pass that is done.
func (r *runner) clearPass(ctx context.Context, p id.Pass) error {
	if r.sync.HeldPass != p {
		if err := r.Store.Absences().Drop(ctx, r.org, r.sync.ID, p); err != nil {
			return err
		}
	}
	if err := r.Store.Shards().Remove(ctx, r.org, p); err != nil {
		return err
	}
	if err := r.Store.Passes().Remove(ctx, r.org, p); err != nil && !errs.Is(err, errs.NotFound) {
		return err
	}
	r.step(StepPassCleared)
	return nil
}

// recount counts the bucket's objects, if the run has changed any.
func (r *runner) recount(ctx context.Context, run syncing.Run) error {
	l := run.Ledger
	if l.Synced+l.Duplicate+l.Deleted+l.Moved == 0 {
		return nil
	}
	stats, err := r.Store.Catalogue().Stats(ctx, r.org, r.bucket.ID)
	if err != nil {
		return err
	}
	_, err = r.Store.Buckets().Update(ctx, r.org, r.bucket.ID, func(b *bucket.Bucket) error {
		b.Stats = stats
		return nil
	})
	return err
}

// report tells the connection's health how the run fared.
func (r *runner) report(ctx context.Context, err error) {
	if r.Health == nil {
		return
	}
	a := Attempt{ID: string(r.run.ID), Began: r.run.StartedAt, CredentialsGeneration: r.conn.CredentialsGeneration}
	if err == nil {
		r.Health.SyncSucceeded(ctx, r.org, r.sync.Connection, a)
		return
	}
	r.Health.SyncFailed(ctx, r.org, r.sync.Connection, a, err)
}

// foldQuiet removes the run before from the list, if neither changed anything:
// a sync that polls leaves one row of them.
func (r *runner) foldQuiet(ctx context.Context, run syncing.Run) {
	if !run.ChangedNothing() || !r.prev.ChangedNothing() {
		return
	}
	_, err := r.Store.Runs().Update(ctx, r.org, run.ID, func(x *syncing.Run) error {
		x.Quiet = r.prev.Quiet + 1
		return nil
	})
	if err == nil {
		err = r.Store.Runs().Remove(ctx, r.org, r.prev.ID)
	}
	if err != nil {
		r.log.Warn("quiet runs stay unfolded", "error", err)
	}
}
