package engine

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/provider/driver"
	"mooring/internal/syncing"
)

const (
	absencesAtOnce = 500
	statsAtOnce    = 8
)

// deleteAbsent confirms each absence with the source, then follows the policy,
// in records of a shard of its own.
func (r *runner) deleteAbsent(ctx context.Context) error {
	if err := r.ensureShards(ctx); err != nil {
		return err
	}
	doc, err := r.Store.Shards().Get(ctx, r.org, syncing.ShardID(r.pass.ID, syncing.DeleteShard))
	if err != nil || doc.Ended {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	sh := r.startShard(ctx, group, doc)
	group.Go(func() error { return sh.differ(sh.deleteAll) })
	return phaseError(ctx, group)
}

// deleteAll goes through the absences in the order of their source ids.
func (sh *shard) deleteAll() error {
	r, b := sh.r, newBuilder(sh.r, sh)
	b.quick = r.limits.PageItems
	after, alive := sh.begin.Position.After, 0
	for {
		list, err := r.Store.Absences().List(sh.ctx, r.org, r.sync.ID, r.pass.ID, after, absencesAtOnce)
		if err != nil {
			return err
		}
		works, err := r.confirm(sh.ctx, list)
		if err != nil {
			return err
		}
		for i, w := range works {
			after = list[i].SourceID
			if w.act == kept {
				alive++
			}
			if _, err := b.add(w, syncing.Position{After: after}); err != nil {
				return err
			}
		}
		if len(list) < absencesAtOnce {
			break
		}
	}
	if alive > 0 {
		r.kept = fmt.Sprintf("%d objects were absent from the listing but exist at the source: they were kept", alive)
	}
	return b.cut(syncing.Position{After: after}, true)
}

// confirm asks the source about each absence.
func (r *runner) confirm(ctx context.Context, list []syncing.Absence) ([]*work, error) {
	works := make([]*work, len(list))
	ids := make([]id.Object, len(list))
	for i := range list {
		ids[i] = list[i].Object
	}
	objects, err := r.Store.Catalogue().Lookup(ctx, r.org, r.bucket.ID, ids)
	if err != nil {
		return nil, err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(statsAtOnce)
	for i, a := range list {
		w := &work{act: kept, object: a.Object, item: driver.Item{ID: string(a.SourceID)}}
		works[i] = w
		o, known := objects[a.Object]
		if !known || o.State != bucket.Present {
			continue
		}
		w.path = o.SourcePath
		group.Go(func() error {
			gone, err := r.isGone(ctx, o)
			if gone {
				w.act = deleted
			}
			return err
		})
	}
	return works, group.Wait()
}

// isGone asks whether an object's item is gone at the source, or no longer what
// the sync takes in. What may not be looked at counts as there.
func (r *runner) isGone(ctx context.Context, o bucket.Object) (bool, error) {
	item, err := r.stat(ctx, string(o.SourceID))
	switch scope := errs.ScopeOf(err); {
	case err == nil:
		if item.Path == "" {
			path, inside, err := newTree(r).path(ctx, item.Parent, item.Name)
			if errors.Is(err, errLong) {
				return false, nil
			}
			if err != nil || !inside {
				return false, err
			}
			item.Path, item.Rel = path, path
		}
		return r.movedOut(o, item), nil
	case scope == errs.ScopeConnection, scope == errs.ScopePath:
		return false, err
	case errs.Is(err, errs.NotFound):
		return true, nil
	case errs.Is(err, errs.PermissionDenied):
		return false, nil
	}
	return false, err
}
