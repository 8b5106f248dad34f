package engine

import (
	"context"
	"errors"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/provider/driver"
	"mooring/internal/syncing"
)

// direct applies pages without order as they come: a feed's changes, its
// enumeration (which notes in each object that it was met), or the rows that a
// source appends. Where the source has folders, the paths of items follow from
// the id-to-parent index.
type direct struct {
	r    *runner
	sh   *shard
	b    *builder
	tree *tree
	mark bool // an enumeration: what is not met is absent
	page page
	sent map[string]bool // ids on their way into the catalogue: nothing may be looked up of them

	todo      map[string]todo // what is to be done below folders
	postponed map[string]bool // folders whose walk was incomplete
	walking   string          // the folder whose walk is under way
	walked    map[string]bool // the folders that it has met
}

const (
	directChunk = 500
	maxSent     = 20_000
)

func (sh *shard) direct(ps *pages, pg page) error {
	r := sh.r
	d := sh.newDirect(pg.Snapshot)
	start := sh.begin.Position
	if pg.Snapshot && start.Cursor == nil && start.Index > 0 {
		return errAnew
	}
	if pg.Snapshot && start.Cursor == nil && start.Index == 0 {
		// An enumeration tells the whole tree anew. Nothing of it is settled yet.
		if err := r.Store.Tree().Drop(sh.ctx, r.org, r.sync.ID); err != nil {
			return err
		}
	} else if err := d.loadTodos(); err != nil {
		return err
	}
	from := settled(pg.Changes, start)
	for {
		if pg.Incomplete {
			if err := r.noteIncomplete(sh.ctx); err != nil {
				return err
			}
		}
		more, err := d.changes(pg, from)
		if err != nil {
			return err
		}
		if !more {
			return d.b.cut(d.b.at, false)
		}
		if !pg.More {
			break
		}
		if err := d.b.cut(syncing.Position{Cursor: pg.Next}, false); err != nil {
			return err
		}
		from = 0
		if pg, err = ps.next(sh.ctx); err != nil {
			// What is on its way is not to be transferred again because a page failed.
			if mine := d.catchUp(); mine != nil {
				return mine
			}
			return err
		}
	}
	if d.mark {
		next := syncing.Position{Cursor: pg.Next, Index: unseenPhase}
		if err := d.b.cut(next, false); err != nil {
			return err
		}
		return d.unseen(next)
	}
	end := syncing.Position{Cursor: pg.Next}
	if pg.Feed {
		end.Index = feedEnd
	}
	return d.b.cut(end, true)
}

// errAnew ends the pass of an enumeration that was interrupted on its first page.
// Asked again, that page begins another enumeration, whose feed starts later: it
// would not tell of an item that was met, and went in between.
var errAnew = errs.New(errs.CursorExpired, "sync.list", "the enumeration was interrupted on its first page: it begins anew")

func (sh *shard) newDirect(mark bool) *direct {
	sh.r.marking = mark
	return &direct{
		r: sh.r, sh: sh, b: newBuilder(sh.r, sh), mark: mark, tree: newTree(sh.r), sent: map[string]bool{},
		todo: map[string]todo{}, postponed: map[string]bool{},
	}
}

// What a position's index says beside a number of changes.
const (
	unseenPhase = -1 // every page is settled; what was not met is being looked for
	feedEnd     = -2 // the shard has ended; its cursor is where the next pass goes on
)

// settled finds where to go on in a page that may have become another one since
// its cut: behind the change that was the last, or from the start.
func settled(changes []driver.Change, at syncing.Position) int {
	if at.Index <= 0 {
		return 0
	}
	if at.Index <= len(changes) && sourceKey(changes[at.Index-1].Item.ID) == at.After {
		return at.Index
	}
	for i := range changes {
		if sourceKey(changes[i].Item.ID) == at.After {
			return i + 1
		}
	}
	return 0
}

// changes works a page from a change on, and what its folders entail.
func (d *direct) changes(pg page, from int) (bool, error) {
	d.page = pg
	if more, err := d.told(pg.Changes, from, d.here); err != nil || !more {
		return more, err
	}
	return d.reconcile(!d.mark || !pg.More)
}

// told works changes of a page, or of a walk, from one on; after is the shard's
// position once n of them are settled. The folders come first, those before from
// too: items have the paths that they end with.
func (d *direct) told(changes []driver.Change, from int, after func(n int) syncing.Position) (bool, error) {
	if err := d.folders(changes); err != nil {
		return false, err
	}
	if err := d.settleFolders(); err != nil {
		return false, err
	}
	for from < len(changes) {
		n, more, err := d.chunk(changes, from, after)
		if err != nil || !more {
			return more, err
		}
		from = n
		d.b.at = after(from)
	}
	return true, nil
}

// chunk works some changes of items, and says which come next. A source may tell
// of one item twice: what was told first is then committed first.
func (d *direct) chunk(changes []driver.Change, at int, after func(n int) syncing.Position) (next int, more bool, _ error) {
	ids := map[string]bool{}
	var trios []trio
	for ; at < len(changes) && len(trios) < directChunk; at++ {
		c := &changes[at]
		if c.Item.Folder {
			continue
		}
		if ids[c.Item.ID] {
			break
		}
		ids[c.Item.ID] = true
		trios = append(trios, trio{key: sourceKey(c.Item.ID), item: &c.Item, gone: c.Gone, index: at})
	}
	if err := d.waitFor(ids); err != nil {
		return at, false, err
	}
	if err := d.lookup(trios); err != nil {
		return at, false, err
	}
	if err := d.settleFolders(); err != nil { // those that had to be asked for
		return at, false, err
	}
	if err := d.r.lookAtFiles(d.sh.ctx, trios); err != nil {
		return at, false, err
	}
	for i := range trios {
		t := &trios[i]
		more, err := d.one(t, after(t.index+1))
		t.item.Inline = nil // the work holds it, until it is staged
		if err != nil || !more {
			return at, more, err
		}
	}
	return at, true, nil
}

// waitFor waits until the catalogue shows what was found of some ids before.
func (d *direct) waitFor(ids map[string]bool) error {
	wait := len(d.sent)+len(ids) > maxSent
	for i := range ids {
		wait = wait || d.sent[i]
	}
	if wait {
		if err := d.catchUp(); err != nil {
			return err
		}
	}
	for i := range ids {
		d.sent[i] = true
	}
	return nil
}

// catchUp commits everything found so far.
func (d *direct) catchUp() error {
	if err := d.b.cut(d.b.at, false); err != nil {
		return err
	}
	clear(d.sent)
	if err := d.sh.barrier(); err != nil {
		return err
	}
	d.tree.trim()
	return nil
}

// here is the position behind the first n changes of the page.
func (d *direct) here(n int) syncing.Position {
	at := syncing.Position{Cursor: d.page.cursor, Index: n}
	if n > 0 {
		at.After = sourceKey(d.page.Changes[n-1].Item.ID)
	}
	return at
}

// pageEnd is the position behind all changes of the page.
func (d *direct) pageEnd() syncing.Position { return d.here(len(d.page.Changes)) }

// lookup finds paths, objects and dead letters.
func (d *direct) lookup(trios []trio) error {
	ctx, r := d.sh.ctx, d.r
	ids, letters := make([]id.Object, len(trios)), make([]string, len(trios))
	for i := range trios {
		ids[i] = r.objectOf(string(trios[i].key))
		letters[i] = syncing.DeadLetterID(r.sync.ID, trios[i].key)
	}
	objects, err := r.Store.Catalogue().Lookup(ctx, r.org, r.bucket.ID, ids)
	if err != nil {
		return err
	}
	dead, err := r.Store.DeadLetters().Lookup(ctx, r.org, r.sync.ID, letters)
	if err != nil {
		return err
	}
	for i := range trios {
		t := &trios[i]
		if o, known := objects[ids[i]]; known {
			t.object, t.moved = entryOf(&o), o.Parent != t.item.Parent
		}
		if l, open := dead[letters[i]]; open {
			t.letter = &l
		}
		if t.gone {
			continue
		}
		if err := d.locate(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// locate gives an item its path.
func (d *direct) locate(ctx context.Context, t *trio) error {
	t.path = t.item.Path
	if t.path != "" {
		return nil
	}
	path, inside, err := d.tree.path(ctx, t.item.Parent, t.item.Name)
	if errors.Is(err, errLong) { // an object of it stays as it is
		if t.item.Skip = reasonLong; t.object != nil {
			t.path = t.object.Path
		}
		return nil
	}
	if err != nil {
		return err
	}
	t.path, t.gone = path, !inside
	t.item.Path, t.item.Rel = path, path
	return nil
}

// one works one change; after is the shard's position once it is settled.
func (d *direct) one(t *trio, after syncing.Position) (bool, error) {
	if t.gone {
		return d.gone(t, after)
	}
	v := d.r.judgeItem(t)
	if v.work {
		return d.b.add(d.r.newWork(v.act, *t.item, t.path, t.object, t.letter), after)
	}
	if v.outcome == syncing.Filtered && t.object != nil && t.object.Path != t.path {
		// It was moved to where the filters leave it out.
		d.b.count(v, t.item.Note, d.b.at)
		return d.gone(t, after)
	}
	if d.mark && t.object != nil {
		w := d.r.newWork(seen, *t.item, t.path, t.object, nil)
		w.settle(v.outcome, v.reason)
		return d.b.add(w, after)
	}
	d.b.count(v, t.item.Note, after)
	return true, nil
}

// gone notes that an item left: an absence if it is an object of this sync. What
// an enumeration has not met it finds unseen at its end.
func (d *direct) gone(t *trio, after syncing.Position) (bool, error) {
	if l := t.letter; l != nil {
		// More may follow from the same change: it is not settled yet.
		if more, err := d.b.add(&work{act: closed, letter: l.ID}, d.b.at); err != nil || !more {
			return more, err
		}
	}
	o := t.object
	if o == nil || o.State != bucket.Present || o.Sync != d.r.sync.ID || d.mark && !t.met {
		d.b.at = after
		return true, nil
	}
	return d.absent(o, after)
}

func (d *direct) absent(o *bucket.Entry, after syncing.Position) (bool, error) {
	return d.b.add(&work{act: absent, object: o.ID, known: o, item: driver.Item{ID: string(o.SourceID)}}, after)
}

// unseen notes every object that the enumeration did not meet.
func (d *direct) unseen(at syncing.Position) error {
	if err := d.catchUp(); err != nil {
		return err
	}
	r := d.r
	for {
		list, err := r.Store.Catalogue().Unseen(d.sh.ctx, r.org, r.bucket.ID, r.sync.ID, r.pass.ID, at.After, r.limits.ScanRows)
		if err != nil {
			return err
		}
		for i := range list {
			e := &list[i]
			e.Sync = r.sync.ID
			at.After = e.SourceID
			if _, err := d.absent(e, at); err != nil {
				return err
			}
		}
		if len(list) < r.limits.ScanRows {
			return d.b.cut(syncing.Position{Cursor: at.Cursor, Index: feedEnd}, true)
		}
	}
}

func entryOf(o *bucket.Object) *bucket.Entry {
	return &bucket.Entry{
		ID: o.ID, Sync: o.Sync, SourceID: o.SourceID, Version: o.Version, Size: o.Size, Name: o.Name, State: o.State, Mapping: o.Mapping, Path: o.SourcePath,
	}
}
