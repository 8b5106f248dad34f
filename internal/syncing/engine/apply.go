package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/key"
	"mooring/internal/syncing"
)

// write makes a record true: it is inserted (the fence), then applied. From
// here on a run that is stopped takes the time to finish. The caller holds r.mu,
// and has made durable what the record places.
func (r *runner) write(ctx context.Context, sh *shard, rec *syncing.Record) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), applyGrace)
	defer cancel()
	err := r.append(ctx, rec)
	if err == nil {
		r.step(StepAppended)
		err = r.apply(ctx, rec, false)
	}
	if err != nil {
		err = r.overtaken(ctx, rec, err)
		r.waiting = r.waiting || !errors.Is(err, errLost)
		return err
	}
	r.applied(rec)
	return sh.doc.Fold(*rec)
}

// append inserts a record as the next of its shard: the fence. Its number is free
// again once another process has appended a record with it, applied and dropped
// that: a record that came so late is withdrawn.
func (r *runner) append(ctx context.Context, rec *syncing.Record) error {
	err := r.Store.Pages().Append(ctx, r.org, *rec)
	if errs.Is(err, errs.AlreadyExists) {
		return errLost
	}
	if err != nil {
		return err
	}
	looked := monotonic()
	s, err := r.Store.Shards().Get(ctx, r.org, syncing.ShardID(rec.Pass, rec.Shard))
	if errs.Is(err, errs.NotFound) || err == nil && s.Applied >= rec.Seq {
		return cmp.Or(r.Store.Pages().Drop(ctx, r.org, r.sync.ID, []string{rec.ID}), error(errLost))
	}
	r.looked.Store(looked)
	return err
}

// sureFor is how long a look at a shard says that nobody else has applied the
// record being applied: far less than it takes to take a lease over.
var sureFor = time.Second

// started is so long before the process that its time 0 is no recent look.
var started = time.Now().Add(-time.Hour)

// monotonic is a time on this process's own clock, which goes on while it is stopped.
func monotonic() int64 { return int64(time.Since(started)) }

// sure fails once another process has applied the record that is being applied:
// this one was stopped meanwhile, and what the record says may be out of date.
func (r *runner) sure(ctx context.Context, rec *syncing.Record) error {
	now := monotonic()
	if r.looked.Load() > now-int64(sureFor) {
		return nil
	}
	s, err := r.Store.Shards().Get(ctx, r.org, syncing.ShardID(rec.Pass, rec.Shard))
	if errs.Is(err, errs.NotFound) || err == nil && s.Applied >= rec.Seq {
		return errLost
	}
	if err == nil {
		r.looked.Store(now)
	}
	return err
}

// overtaken tells what has failed because another process has applied the record,
// and perhaps newer ones, from what is wrong with the record, the store or the sink.
func (r *runner) overtaken(ctx context.Context, rec *syncing.Record, err error) error {
	r.looked.Store(0)
	if lost := r.sure(ctx, rec); errors.Is(lost, errLost) {
		return lost
	}
	return err
}

// applyGrace bounds the application of one record.
const applyGrace = 5 * time.Minute

// applied notes a record that can be dropped, and names that can be freed, once
// the sink is durable.
func (r *runner) applied(rec *syncing.Record) {
	r.droppable = append(r.droppable, rec.ID)
	r.freed = append(r.freed, rec.Freed...)
}

// apply does what a record says. Each part is idempotent, and so is their
// sequence: again says that some of it may have been done before.
func (r *runner) apply(ctx context.Context, rec *syncing.Record, again bool) error {
	if len(rec.Place)+len(rec.Remove) > 0 {
		r.dirty.Store(true)
		if err := r.applyFiles(ctx, rec, again); err != nil {
			return err
		}
		r.step(StepFiles)
	}
	for _, part := range []func(context.Context, *syncing.Record) error{r.applyCatalogue, r.applyNotes} {
		if err := r.sure(ctx, rec); err != nil {
			return err
		}
		if err := part(ctx, rec); err != nil {
			return err
		}
	}
	if len(rec.Events) > 0 {
		if err := r.Store.Events().Append(ctx, r.org, rec.Events); err != nil {
			return err
		}
		r.step(StepEvents)
	}
	_, err := r.Store.Shards().Update(ctx, r.org, syncing.ShardID(rec.Pass, rec.Shard), func(s *syncing.Shard) error { return s.Fold(*rec) })
	if err == nil {
		r.step(StepFolded)
	}
	return err
}

// applyFiles places, renames and removes. When it is done again, what the
// catalogue shows as done is left alone: a name that became free may have a new
// owner.
func (r *runner) applyFiles(ctx context.Context, rec *syncing.Record, again bool) error {
	rows := map[id.Object]bucket.Object{}
	if again {
		ids := make([]id.Object, 0, len(rec.Put)+len(rec.Remove))
		for i := range rec.Put {
			ids = append(ids, rec.Put[i].ID)
		}
		for _, x := range rec.Remove {
			ids = append(ids, x.Object)
		}
		var err error
		if rows, err = r.Store.Catalogue().Lookup(ctx, r.org, r.bucket.ID, ids); err != nil {
			return err
		}
	}
	owners := owners(rec)
	lost := make([]bool, len(rec.Place))
	group, part := errgroup.WithContext(ctx)
	group.SetLimit(filesAtOnce)
	for i, p := range rec.Place {
		row := rows[owners[p.Name]]
		if again && p.Old != "" && row.Name == p.Name {
			p.Old = "" // it has left its old name
			if p.Staged == "" {
				continue
			}
		}
		group.Go(func() error {
			err := r.placeOne(part, p, func() error { return r.sure(part, rec) })
			if again && errs.Is(err, errs.Corrupt) {
				lost[i], err = true, nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return ours(err, "placing a file failed")
	}
	for i, p := range rec.Place {
		if lost[i] {
			r.forget(rec, owners[p.Name])
		}
	}
	return r.removeFiles(ctx, rec, func(x syncing.Removal) (bool, error) {
		row, known := rows[x.Object]
		return again && (!known || row.State != bucket.Present), r.sure(ctx, rec)
	})
}

// removeFiles takes files away. Where their rows, and with them their names, go
// too, the files are gone for good before.
func (r *runner) removeFiles(ctx context.Context, rec *syncing.Record, leave func(syncing.Removal) (bool, error)) error {
	rows := false
	for _, x := range rec.Remove {
		if left, err := leave(x); err != nil {
			return err
		} else if left {
			continue
		}
		if err := r.sink.Remove(ctx, x.Name); err != nil {
			return ours(err, "removing a file failed")
		}
		rows = rows || x.Row
	}
	if !rows {
		return nil
	}
	return ours(r.sink.Settle(ctx), "making the destination durable failed")
}

const filesAtOnce = 8

// owners says which object of a record each name is for.
func owners(rec *syncing.Record) map[string]id.Object {
	out := make(map[string]id.Object, len(rec.Put))
	for i := range rec.Put {
		out[rec.Put[i].Name] = rec.Put[i].ID
	}
	return out
}

// placeOne gives one file its final name. What was staged is placed once, by
// whoever comes first, so that late is harmless; renaming and removing is not.
func (r *runner) placeOne(ctx context.Context, p syncing.Placement, sure func() error) error {
	if p.Staged == "" {
		if err := sure(); err != nil {
			return err
		}
		if err := r.sink.Rename(ctx, p.Old, p.Name, p.Size); err != nil {
			return err
		}
		r.step(StepPlaced)
		return nil
	}
	if err := r.sink.Place(ctx, p.Staged, p.Name, p.Size); err != nil {
		return err
	}
	r.step(StepPlaced)
	if p.Old == "" {
		return nil
	}
	if err := sure(); err != nil {
		return err
	}
	return r.sink.Remove(ctx, p.Old)
}

// forget lets the next run transfer an object again whose content is nowhere: it
// takes the version from its row, and leaves a dead letter to be retried, since a
// feed would not name the item again.
func (r *runner) forget(rec *syncing.Record, o id.Object) {
	r.log.Warn("content of a page record is gone; it is transferred again", "object", string(o))
	for i := range rec.Put {
		if rec.Put[i].ID == o {
			l := syncing.Again(rec.Put[i], reasonLost, rec.Run, rec.At)
			rec.Dead = append(rec.Dead, l)
			rec.Closed = slices.DeleteFunc(rec.Closed, func(c string) bool { return c == l.ID })
			rec.Put[i].Version = ""
		}
	}
}

const reasonLost = "the content was lost on its way to its place"

// replace does the placements of a record again whose other effects are in the
// catalogue, and perhaps overtaken: only what still waits under its staging
// name has to be done, and what a tombstone left. Names are freed before the
// record is dropped: an old name that is free, or another's, is left alone.
func (r *runner) replace(ctx context.Context, rec *syncing.Record) error {
	owners := owners(rec)
	for _, p := range rec.Place {
		if _, err := r.sink.Stat(ctx, p.Name); p.Staged == "" && err == nil {
			continue
		}
		if p.Old != "" {
			held, err := r.holds(ctx, owners[p.Name], p.Old)
			if err != nil {
				return err
			}
			if !held && p.Staged == "" {
				continue // it was durably renamed, and has gone since
			}
			if !held {
				p.Old = ""
			}
		}
		err := r.placeOne(ctx, p, func() error { return nil })
		if errs.Is(err, errs.Corrupt) {
			err = r.lost(ctx, rec, owners[p.Name])
		}
		if err != nil {
			return ours(err, "placing a file failed")
		}
	}
	return r.removeFiles(ctx, rec, func(x syncing.Removal) (bool, error) {
		if x.Row {
			return true, nil
		}
		row, err := r.Store.Catalogue().Get(ctx, r.org, rec.Bucket, x.Object)
		if errs.Is(err, errs.NotFound) {
			err = nil
		}
		return row.State == bucket.Present, err // it has come back since
	})
}

// lost leaves a dead letter to be retried for an object whose placement was lost
// with its content.
func (r *runner) lost(ctx context.Context, rec *syncing.Record, o id.Object) error {
	row, err := r.Store.Catalogue().Get(ctx, r.org, rec.Bucket, o)
	if errs.Is(err, errs.NotFound) || err == nil && row.State != bucket.Present {
		return nil
	}
	if err != nil {
		return err
	}
	return r.Store.DeadLetters().Put(ctx, r.org, []syncing.DeadLetter{syncing.Again(row, reasonLost, rec.Run, r.now())})
}

// holds reports whether a name is still reserved for an object.
func (r *runner) holds(ctx context.Context, o id.Object, name string) (bool, error) {
	for _, source := range []key.Key{bucket.FileSource(o), otherFileSource(o)} {
		if got, err := r.nameOf(ctx, source); err != nil || got == name {
			return err == nil, err
		}
	}
	return false, nil
}

func (r *runner) applyCatalogue(ctx context.Context, rec *syncing.Record) error {
	cat := r.Store.Catalogue()
	if len(rec.Put) > 0 {
		if err := cat.Upsert(ctx, r.org, rec.Bucket, rec.Put); err != nil {
			return err
		}
		if err := r.reconcile(ctx, rec); err != nil {
			return err
		}
		r.step(StepCatalogue)
	}
	if err := r.applyPromotions(ctx, rec); err != nil {
		return err
	}
	if len(rec.Seen) > 0 {
		if err := cat.MarkSeen(ctx, r.org, rec.Bucket, rec.Pass, rec.Seen); err != nil {
			return err
		}
	}
	var gone []id.Object
	for _, x := range rec.Remove {
		if x.Row {
			gone = append(gone, x.Object)
		}
	}
	if len(gone) > 0 {
		if err := cat.Remove(ctx, r.org, rec.Bucket, gone); err != nil {
			return err
		}
	}
	if len(gone) > 0 {
		r.step(StepRemoved)
	}
	return nil
}

// reconcile sees to the objects of a record whose rows the store has kept as they
// were, since somebody has changed them after it was made. Of what a user has
// deleted the files go again, and the rows take over the names that the record
// gave them. Any other is written after all, if this record is still to be applied.
func (r *runner) reconcile(ctx context.Context, rec *syncing.Record) error {
	ids := make([]id.Object, len(rec.Put))
	for i := range rec.Put {
		ids[i] = rec.Put[i].ID
	}
	rows, err := r.Store.Catalogue().Lookup(ctx, r.org, rec.Bucket, ids)
	if err != nil {
		return err
	}
	var again []bucket.Object
	for _, o := range rec.Put {
		row := rows[o.ID]
		if o.State != bucket.Removed && row.State != bucket.Removed && row.Revision > o.Revision {
			// The store kept it. Somebody has changed the object while the record was made.
			r.looked.Store(0)
			if err := r.sure(ctx, rec); err != nil {
				return err
			}
			o.Revision = row.NextRevision(rec.At)
			again = append(again, o)
			continue
		}
		if row.State != bucket.Removed || o.State == bucket.Removed {
			continue
		}
		o.State, o.Version = bucket.Removed, row.Version
		if err := r.sink.Remove(ctx, o.Name); err != nil {
			return ours(err, "removing a file failed")
		}
		r.dirty.Store(true)
		again = append(again, o)
	}
	return r.Store.Catalogue().Upsert(ctx, r.org, rec.Bucket, again)
}

// applyNotes applies absences, dead letters and changes to the folder tree.
func (r *runner) applyNotes(ctx context.Context, rec *syncing.Record) error {
	st := r.Store
	if len(rec.Absent) > 0 {
		if err := st.Absences().Note(ctx, r.org, r.sync.ID, rec.Pass, rec.Absent); err != nil {
			return err
		}
	}
	if len(rec.Settled) > 0 {
		if err := st.Absences().Settle(ctx, r.org, r.sync.ID, rec.Pass, rec.Settled); err != nil {
			return err
		}
	}
	if len(rec.Dead) > 0 {
		if err := st.DeadLetters().Put(ctx, r.org, rec.Dead); err != nil {
			return err
		}
	}
	if len(rec.Closed) > 0 {
		if err := st.DeadLetters().Close(ctx, r.org, r.sync.ID, rec.Closed); err != nil {
			return err
		}
	}
	if len(rec.Tree) > 0 {
		if err := st.Tree().Apply(ctx, r.org, r.sync.ID, rec.Tree); err != nil {
			return err
		}
	}
	if len(rec.Absent)+len(rec.Settled)+len(rec.Dead)+len(rec.Closed)+len(rec.Tree) > 0 {
		r.step(StepNotes)
	}
	return nil
}
