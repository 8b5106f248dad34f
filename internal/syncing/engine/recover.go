package engine

import (
	"context"
	"errors"
	"strings"

	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store"
	"mooring/internal/syncing"
)

// recover redoes and closes what an earlier run of the sync left behind. After
// it, no record waits, no other worker can append one, and the run that the
// sync names is closed and folded.
func (r *runner) recover(ctx context.Context) error {
	r.run.ID = id.NewRun()
	if err := r.forgetUnnamed(ctx); err != nil {
		return err
	}
	prev, known, err := r.before(ctx)
	if err != nil {
		return err
	}
	open := known && prev.Status == syncing.RunInProgress
	if open {
		if err := r.fence(ctx, prev); err != nil {
			return err
		}
	}
	if err := r.redo(ctx, all); err != nil {
		return err
	}
	if !known {
		return nil
	}
	if open || prev.Status != syncing.RunCompleted {
		if err := r.sweepOthers(ctx); err != nil {
			return err
		}
		if err := r.endMoves(ctx); err != nil {
			return err
		}
	}
	if open || r.sync.FoldedRun != prev.ID {
		if err := r.closePrevious(ctx, prev); err != nil {
			return err
		}
	}
	r.prev = prev
	r.step(StepRecovered)
	return nil
}

// forgetUnnamed removes the row of a run that was killed before the sync named
// it: nothing else would ever close it.
func (r *runner) forgetUnnamed(ctx context.Context) error {
	latest, err := r.Store.Runs().List(ctx, r.org, syncing.RunFilter{Sync: r.sync.ID}, store.Page{Limit: 1})
	if err != nil {
		return err
	}
	for _, run := range latest.Items {
		if run.Number > r.sync.RunCounter && run.Status == syncing.RunInProgress {
			return r.Store.Runs().Remove(ctx, r.org, run.ID)
		}
	}
	return nil
}

// before is the run before this one, unless there was none, or one that was closed
// long ago and removed by retention.
func (r *runner) before(ctx context.Context) (prev syncing.Run, known bool, err error) {
	if r.sync.CurrentRun == "" {
		return prev, false, nil
	}
	prev, err = r.Store.Runs().Get(ctx, r.org, r.sync.CurrentRun)
	if errs.Is(err, errs.NotFound) {
		return prev, false, nil
	}
	return prev, err == nil, err
}

// all selects every record; see redo.
func all(*syncing.Record) bool { return true }

// redo applies the records that wait and are meant, in order, and makes them durable.
func (r *runner) redo(ctx context.Context, meant func(*syncing.Record) bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for after := ""; ; {
		const few = 4 // records may be large
		records, err := r.Store.Pages().Pending(ctx, r.org, r.sync.ID, after, few)
		if err != nil {
			return err
		}
		for i := range records {
			rec := &records[i]
			after = rec.ID
			if !meant(rec) {
				continue
			}
			if err := r.redoRecord(ctx, rec); err != nil {
				return err
			}
			r.step(StepRedone)
		}
		if len(records) < few {
			break
		}
	}
	return r.settle(ctx, 1)
}

// redoRecord does a record again. Of one that is applied already only the
// placements may have been lost, with the power; the catalogue holds the rest,
// and perhaps what came later.
func (r *runner) redoRecord(ctx context.Context, rec *syncing.Record) error {
	r.looked.Store(monotonic())
	shard, err := r.Store.Shards().Get(ctx, r.org, syncing.ShardID(rec.Pass, rec.Shard))
	switch {
	case errs.Is(err, errs.NotFound) || err == nil && rec.Seq <= shard.Applied:
		err = r.replace(ctx, rec)
	case err == nil:
		if err = r.apply(ctx, rec, true); errors.Is(err, errLost) { // whoever made it has applied it meanwhile
			err = r.replace(ctx, rec)
		}
	}
	if err != nil {
		return err
	}
	r.dirty.Store(true)
	r.applied(rec)
	return nil
}

// fence makes sure that the worker that had the sync before, should it still
// live, can neither append a record nor move the pass on. Its content may then
// be swept.
func (r *runner) fence(ctx context.Context, prev syncing.Run) error {
	if r.sync.CurrentPass == "" {
		return nil
	}
	p, err := r.Store.Passes().Update(ctx, r.org, r.sync.CurrentPass, func(p *syncing.Pass) error {
		p.Run = r.run.ID
		return nil
	})
	if errs.Is(err, errs.NotFound) {
		return nil // it was killed before it made the pass: nobody can have appended
	}
	if err != nil || p.State == syncing.Done {
		return err
	}
	r.pass = p
	if err := r.ensureShards(ctx); err != nil {
		return err
	}
	shards, err := r.Store.Shards().OfPass(ctx, r.org, p.ID)
	if err != nil {
		return err
	}
	for _, s := range shards {
		if err := r.fenceShard(ctx, s, prev.ID); err != nil {
			return err
		}
	}
	r.step(StepFenced)
	return nil
}

// fenceShard takes a number of a shard behind all that was appended to it: who
// had it before may apply what it has appended, as the redo does, and append no more.
func (r *runner) fenceShard(ctx context.Context, s syncing.Shard, run id.Run) error {
	for seq := s.Applied + 1; !s.Ended; seq++ {
		err := r.append(ctx, &syncing.Record{
			ID: syncing.RecordID(s.Pass, s.Name, seq), Org: r.org, Sync: r.sync.ID, Bucket: r.bucket.ID, Pass: s.Pass, Shard: s.Name,
			Seq: seq, Run: run, Fence: r.lease.Fence, Hold: true, At: r.now(),
		})
		if !errors.Is(err, errLost) {
			return err
		}
		if s, err = r.Store.Shards().Get(ctx, r.org, s.ID); err != nil {
			return err
		}
		seq = max(seq, s.Applied)
	}
	return nil
}

// sweepOthers deletes what the sync staged and no record names: after redo, all of it
// but what this run has staged.
func (r *runner) sweepOthers(ctx context.Context) error {
	any, own := string(r.sync.ID)+"-", r.stagingPrefix()
	err := r.sink.Sweep(ctx, func(staged string) bool {
		return !strings.HasPrefix(staged, any) || strings.HasPrefix(staged, own)
	})
	return ours(err, "removing what an earlier run had staged failed")
}

// closePrevious gives a run that was killed its final ledger, and folds it.
func (r *runner) closePrevious(ctx context.Context, prev syncing.Run) error {
	var cause error
	if prev.Status == syncing.RunInProgress {
		c := closing{status: syncing.RunCanceled, reason: "the run was killed or its worker lost; the next one goes on where it was"}
		if prev.ErrorKind != "" { // it said why before it had to leave the rest to us
			c.status, c.reason, c.kind = syncing.RunFailed, prev.Reason, prev.ErrorKind
		}
		if r.sync.CurrentPass != "" && prev.Kind != syncing.KindVerify {
			var err error
			if c.pass, err = r.Store.Passes().Get(ctx, r.org, r.sync.CurrentPass); err != nil && !errs.Is(err, errs.NotFound) {
				return err
			}
			if c.pass.State == syncing.Done && c.status == syncing.RunCanceled {
				c.status, c.reason, c.suspect = syncing.RunCompleted, "", c.pass.Suspect
			}
		}
		closed, err := r.closeRun(ctx, prev, c)
		if err != nil {
			return err
		}
		prev = closed
	}
	if prev.Status == syncing.RunFailed {
		cause = &errs.Error{Kind: errs.ParseKind(prev.ErrorKind), Msg: prev.Reason}
	}
	return r.foldRun(ctx, prev, cause)
}
