package engine

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"mooring/internal/errs"
	"mooring/internal/store"
	"mooring/internal/syncing"
)

// retryLetters tries the items again whose dead letters somebody asked to be
// retried, before the enumeration, in records of a shard of its own.
func (r *runner) retryLetters(ctx context.Context) error {
	n, err := r.Store.DeadLetters().Count(ctx, r.org, r.sync.ID, syncing.DeadLetterFilter{Status: syncing.DeadRetry})
	if err != nil || n == 0 {
		return err
	}
	doc, err := r.Store.Shards().Get(ctx, r.org, syncing.ShardID(r.pass.ID, syncing.RetryShard))
	if err != nil {
		return err
	}
	group, phase := errgroup.WithContext(ctx)
	sh := r.startShard(phase, group, doc)
	group.Go(func() error { return sh.differ(sh.retryAll) })
	if err := phaseError(phase, group); err != nil {
		return err
	}
	return r.flush(ctx)
}

// retryAll takes letters until none is left: each record settles those it holds.
func (sh *shard) retryAll() error {
	r, b := sh.r, newBuilder(sh.r, sh)
	var first string
	for {
		list, err := r.Store.DeadLetters().List(sh.ctx, r.org, r.sync.ID, syncing.DeadLetterFilter{Status: syncing.DeadRetry}, store.Page{Limit: 500})
		if err != nil || len(list.Items) == 0 {
			return err
		}
		if list.Items[0].ID == first {
			return errs.New(errs.Internal, "sync.retry", "a retried dead letter was not settled")
		}
		first = list.Items[0].ID
		for i := range list.Items {
			more, err := sh.retryOne(b, &list.Items[i])
			if err != nil {
				return err
			}
			if !more {
				return b.cut(syncing.Position{}, false)
			}
		}
		if err := b.cut(syncing.Position{}, false); err != nil {
			return err
		}
		if err := sh.barrier(); err != nil {
			return err
		}
	}
}

func (sh *shard) retryOne(b *builder, l *syncing.DeadLetter) (bool, error) {
	r := sh.r
	item, err := r.stat(sh.ctx, string(l.SourceID))
	if err != nil && !ofItem(err) {
		return false, err
	}
	if errs.Is(err, errs.NotFound) {
		b.count(counted(syncing.Skipped, reasonGone), "", syncing.Position{})
		return b.add(&work{act: closed, letter: l.ID}, syncing.Position{})
	}
	if err != nil { // it can't even be looked at: the same letter again
		item.ID, item.Version, item.Size = string(l.SourceID), l.Version, l.Size
		w := r.newWork(transferred, item, l.SourcePath, nil, l)
		w.attempts++
		w.fail(err)
		return b.add(w, syncing.Position{})
	}
	if item.Path == "" { // its folders may have moved since
		path, inside, err := newTree(r).path(sh.ctx, item.Parent, item.Name)
		if errors.Is(err, errLong) {
			b.count(counted(syncing.Skipped, reasonLong), "", syncing.Position{})
			return b.add(&work{act: closed, letter: l.ID}, syncing.Position{})
		}
		if err != nil {
			return false, err
		}
		if !inside {
			b.count(counted(syncing.Skipped, reasonGone), "", syncing.Position{})
			return b.add(&work{act: closed, letter: l.ID}, syncing.Position{})
		}
		item.Path, item.Rel = path, path
	}
	return b.add(r.newWork(transferred, item, item.Path, nil, l), syncing.Position{})
}
