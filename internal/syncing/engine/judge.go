package engine

import (
	"context"
	"fmt"

	"mooring/internal/errs"
	"mooring/internal/key"
	"mooring/internal/syncing"
)

// conclude takes a pass whose shards have all ended to its end: judge the
// absences once, act on them, done.
func (r *runner) conclude(ctx context.Context) error {
	if err := r.flush(ctx); err != nil {
		return err
	}
	shards, err := r.Store.Shards().OfPass(ctx, r.org, r.pass.ID)
	if err != nil {
		return err
	}
	if r.pass.State == syncing.Enumerating || r.pass.State == syncing.Judging {
		if err := r.judge(ctx, shards); err != nil {
			return err
		}
		r.step(StepJudged)
	}
	if r.pass.State == syncing.Deleting {
		if err := r.deleteAbsent(ctx); err != nil {
			return err
		}
		if r.cut.Load() {
			return r.flush(ctx)
		}
		if err := r.flush(ctx); err != nil {
			return err
		}
	}
	return r.endPass(ctx, shards)
}

// judge decides, once, whether what is absent may be acted on.
func (r *runner) judge(ctx context.Context, shards []syncing.Shard) error {
	var absent, met int64
	for _, s := range shards {
		if !isEnumeration(s) {
			continue
		}
		if !s.Ended {
			return errs.New(errs.Internal, "sync.judge", "a pass is judged before its shards have ended")
		}
		absent += s.Absent
		met += s.Ledger.Discovered
	}
	if r.sync.OnDelete != syncing.Ignore {
		var err error
		if absent, err = r.noted(ctx); err != nil {
			return err
		}
	}
	return r.minePass(ctx, func(p *syncing.Pass) error {
		if p.State != syncing.Enumerating && p.State != syncing.Judging {
			return nil
		}
		p.Absent = absent
		p.Suspect = r.suspicion(p, absent, met)
		p.State = syncing.Judging
		if p.Suspect == "" && absent > 0 && r.sync.OnDelete != syncing.Ignore {
			p.State = syncing.Deleting
		}
		return nil
	})
}

// noted counts the absences to be judged: those of this pass and, since a feed
// tells of each deletion once, those that an earlier one held back.
func (r *runner) noted(ctx context.Context) (int64, error) {
	abs, held := r.Store.Absences(), r.sync.HeldPass
	if held != "" && held != r.pass.ID {
		for after := key.Key(""); r.pass.Feed; {
			list, err := abs.List(ctx, r.org, r.sync.ID, held, after, absencesAtOnce)
			if err != nil {
				return 0, err
			}
			if len(list) > 0 {
				after = list[len(list)-1].SourceID
				if err := abs.Note(ctx, r.org, r.sync.ID, r.pass.ID, list); err != nil {
					return 0, err
				}
			}
			if len(list) < absencesAtOnce {
				break
			}
		}
		if err := abs.Drop(ctx, r.org, r.sync.ID, held); err != nil {
			return 0, err
		}
	}
	return abs.Count(ctx, r.org, r.sync.ID, r.pass.ID)
}

// holdsBack reports whether a pass that is done leaves its absences to the next:
// they were suspect, and nobody will tell of them again. Of an incomplete page of
// a feed the next pass is told again, but not of what is below a folder: the
// index has that behind it.
func holdsBack(p syncing.Pass, s *syncing.Sync) bool {
	return len(p.Cursor) > 0 && !p.Expired && (p.Feed || !p.Incomplete) && p.Suspect != "" && s.OnDelete != syncing.Ignore
}

// suspicion says why absences must not be believed, or "". Under policy ignore,
// what was absent after the last pass is no news.
func (r *runner) suspicion(p *syncing.Pass, absent, met int64) string {
	if p.Incomplete {
		return "the provider says that its listing is incomplete: nothing was deleted"
	}
	known := p.Known
	if r.sync.OnDelete == syncing.Ignore && !p.Feed {
		known, absent = known-r.sync.Absent, absent-r.sync.Absent
	}
	if p.Feed {
		known = max(known, absent) // some came with this pass and went again
	}
	switch {
	case absent <= 0 || known <= 0:
		return ""
	case !p.Feed && met == 0:
		return fmt.Sprintf("the listing was empty although %d objects are known: nothing was deleted", known)
	case absent*100 > known*int64(r.sync.MaxDeletePercent):
		return fmt.Sprintf("%d of %d known objects are gone, more than %d %%: nothing was deleted", absent, known, r.sync.MaxDeletePercent)
	}
	return ""
}

// noteIncomplete makes the pass suspect: its listing leaves something out. Any
// shard may call it.
func (r *runner) noteIncomplete(ctx context.Context) error {
	if r.incomplete.Swap(true) {
		return nil
	}
	_, err := r.updatePass(ctx, func(p *syncing.Pass) error {
		p.Incomplete = true
		return nil
	})
	return err
}

// endPass marks the pass as done. Where a feed goes on is kept with it.
func (r *runner) endPass(ctx context.Context, shards []syncing.Shard) error {
	now := r.now()
	err := r.minePass(ctx, func(p *syncing.Pass) error {
		p.State, p.EndedAt = syncing.Done, &now
		for _, s := range shards {
			if isEnumeration(s) && s.Ended && s.Position.Index == feedEnd {
				p.Cursor = s.Position.Cursor
			}
		}
		return nil
	})
	if err == nil {
		r.step(StepPassDone)
	}
	return err
}

// abandon ends a pass whose cursor is dead: the next run enumerates anew.
func (r *runner) abandon(ctx context.Context) error {
	if err := r.flush(ctx); err != nil {
		return err
	}
	r.log.Info("the cursor is dead: the next run enumerates anew")
	r.unused.Store(true) // what was under way has no record
	return r.expire(ctx)
}

// distrustOrder ends a pass whose listing broke its promise of order: the next
// one is sorted on disk. Nothing that it noted is acted on.
func (r *runner) distrustOrder(ctx context.Context) error {
	if err := r.mine(ctx, func(s *syncing.Sync) error {
		s.Unordered = true
		return nil
	}); err != nil {
		return err
	}
	return r.expire(ctx)
}

// expire ends a pass before its time.
func (r *runner) expire(ctx context.Context) error {
	now := r.now()
	err := r.minePass(ctx, func(p *syncing.Pass) error {
		p.State, p.EndedAt, p.Expired = syncing.Done, &now, true
		return nil
	})
	if err == nil {
		r.step(StepPassDone)
	}
	return err
}
