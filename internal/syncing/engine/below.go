package engine

import (
	"maps"
	"slices"
	"strings"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/provider/driver"
	"mooring/internal/syncing"
)

// What a change of a folder entails for all that is below it. The index changes
// with, or before, the first object that depends on it; that something is still
// to be done below a folder stands in the index too, until it is done. A run that
// was killed in between finds it there and does it anew.
type todo string

const (
	todoFollow todo = "follow" // what is known below it has another path now, or none
	todoWalk   todo = "walk"   // it has entered the scope: what is below it was never told
	// todoAsked is for a folder that an enumeration has not told of itself: only
	// if it never does, what is below it may have been missed.
	todoAsked todo = "asked"
)

// loadTodos finds what an interrupted run has left to do.
func (d *direct) loadTodos() error {
	for after := ""; ; {
		nodes, err := d.r.Store.Tree().Children(d.sh.ctx, d.r.org, d.r.sync.ID, todoParent, after, directChunk)
		if err != nil {
			return err
		}
		for _, n := range nodes {
			after = n.ID
			d.todo[strings.TrimPrefix(n.ID, todoPrefix)] = todo(n.Name)
		}
		if len(nodes) < directChunk {
			return nil
		}
	}
}

// folders takes the folder changes among some changes into the tree.
func (d *direct) folders(changes []driver.Change) error {
	var ids []string
	for _, c := range changes {
		if c.Item.Folder || c.Gone {
			ids = append(ids, c.Item.ID)
		}
	}
	if err := d.tree.load(d.sh.ctx, ids); err != nil {
		return err
	}
	for _, c := range changes {
		if !c.Item.Folder && !c.Gone {
			continue
		}
		d.tree.change(c)
		if d.walked != nil && c.Item.Folder && !c.Gone {
			d.walked[c.Item.ID] = true
		}
		if d.todo[c.Item.ID] == todoAsked {
			if err := d.finished(c.Item.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// settleFolders decides what the changes of folders entail, and records both.
func (d *direct) settleFolders() error {
	t := d.tree
	for done := map[string]bool{}; ; {
		var next []string
		for f := range t.was {
			if !done[f] {
				next = append(next, f)
			}
		}
		if len(next) == 0 {
			break
		}
		slices.Sort(next)
		for _, f := range next {
			done[f] = true
			if err := d.entails(f); err != nil {
				return err
			}
		}
	}
	for _, f := range slices.Sorted(maps.Keys(t.was)) {
		was, now := t.was[f], t.known[f]
		if was == now || was.state != folderThere && now.state != folderThere {
			continue
		}
		if err := d.b.learn(syncing.TreeChange{Node: now.Node, Gone: now.state != folderThere}); err != nil {
			return err
		}
	}
	clear(t.was)
	clear(t.asked)
	return nil
}

// entails decides what a changed folder entails.
func (d *direct) entails(f string) error {
	ctx, t := d.sh.ctx, d.tree
	was := t.was[f]
	before, err := t.wasInside(ctx, f)
	if err != nil {
		return err
	}
	after, err := t.isInside(ctx, f)
	if err == nil && before && !after && t.known[f].state == folderThere {
		after, err = d.stillInside(f)
	}
	switch {
	case err != nil:
		return err
	case t.known[f] == was:
		return nil
	case before:
		return d.begin(f, todoFollow)
	case !after:
		return nil
	}
	covered, err := d.covered(f, was.state == folderThere)
	switch {
	case err != nil:
		return err
	case !covered:
		return d.begin(f, todoWalk)
	case t.asked[f]:
		return d.begin(f, todoAsked)
	}
	return nil
}

// covered reports whether an enumeration or the walk under way tells of what is
// below a folder that has entered. An enumeration may have passed by before a
// folder entered that was known to be outside.
func (d *direct) covered(f string, outside bool) (bool, error) {
	if d.mark && !outside {
		return true, nil
	}
	if d.walking == "" {
		return false, nil
	}
	up, _, err := d.tree.chain(d.sh.ctx, f)
	return slices.ContainsFunc(up, func(x folder) bool { return x.ID == d.walking }), err
}

// stillInside asks whether a folder has really left: the index may lag behind for
// a folder above it, of which a later page tells.
func (d *direct) stillInside(f string) (bool, error) {
	t, met := d.tree, map[string]bool{}
	for up := f; !met[up]; {
		met[up] = true
		got, err := t.ask(d.sh.ctx, up)
		if err != nil || got.Parent == outsideParent {
			return false, err
		}
		if inside, err := t.isInside(d.sh.ctx, up); err != nil || inside {
			return inside, err
		}
		up = got.Parent
	}
	return false, nil
}

// begin notes that something is to be done below a folder. More is not undone by less.
func (d *direct) begin(f string, what todo) error {
	if have := d.todo[f]; have == todoWalk || have == what {
		return nil
	}
	d.todo[f] = what
	return d.b.learn(syncing.TreeChange{Node: syncing.Node{ID: todoPrefix + f, Parent: todoParent, Name: string(what)}})
}

// finished notes that it is done.
func (d *direct) finished(f string) error {
	delete(d.todo, f)
	return d.b.learn(syncing.TreeChange{Node: syncing.Node{ID: todoPrefix + f}, Gone: true})
}

// reconcile does what there is to do below folders: what enters first, so that
// what only changes its place is not met as gone before. Last says that an
// enumeration has told of everything.
func (d *direct) reconcile(last bool) (bool, error) {
	for {
		f := d.nextTodo(last)
		if f == "" {
			return true, nil
		}
		if err := d.catchUp(); err != nil { // what is below it has to be in the store
			return false, err
		}
		more, err := d.below(f)
		if err != nil || !more {
			return more, err
		}
		if err := d.catchUp(); err != nil {
			return false, err
		}
		if d.postponed[f] { // its walk left something out: the next pass walks it anew
			delete(d.todo, f)
			continue
		}
		if err := d.finished(f); err != nil {
			return false, err
		}
	}
}

func (d *direct) nextTodo(last bool) string {
	for _, kind := range []todo{todoWalk, todoFollow, todoAsked} {
		if kind == todoAsked && !last {
			break
		}
		next := ""
		for f, what := range d.todo {
			if what == kind && (next == "" || f < next) {
				next = f
			}
		}
		if next != "" {
			return next
		}
	}
	return ""
}

// below does what there is to do below a folder, as the folder is now.
func (d *direct) below(f string) (bool, error) {
	inside, err := d.tree.isInside(d.sh.ctx, f)
	if err == nil {
		err = d.settleFolders()
	}
	switch {
	case err != nil:
		return false, err
	case !inside:
		return d.sweep(f)
	case d.todo[f] == todoFollow:
		_, more, err := d.descend(f, d.followFiles)
		return more, err
	}
	return d.walk(f)
}

// walk works everything below a folder as if the page at hand had told of it. A
// folder above it that is to be walked too covers it.
func (d *direct) walk(root string) (bool, error) {
	w, ok := d.r.src.Walker()
	if !ok {
		return true, nil // its feed tells of everything itself
	}
	up, _, err := d.tree.chain(d.sh.ctx, root)
	if err != nil {
		return false, err
	}
	for _, f := range up[1:] {
		if d.todo[f.ID] == todoWalk {
			return true, nil
		}
	}
	d.walking, d.walked = root, map[string]bool{}
	defer func() { d.walking, d.walked = "", nil }()
	var cur driver.Cursor
	for {
		pg, err := patient(d.sh.ctx, d.r, func() (driver.Page, error) { return w.Walk(d.sh.ctx, d.r.scope(), root, cur) })
		switch scope := errs.ScopeOf(err); {
		case errs.Is(err, errs.NotFound) && scope != errs.ScopeConnection && scope != errs.ScopePath:
			return true, nil // it has left again: the feed tells of that
		case err != nil:
			return false, err
		case len(pg.Next) > 0 && string(pg.Next) == string(cur):
			return false, &errs.Error{Kind: errs.Corrupt, Origin: errs.Provider, Scope: errs.ScopePath, Op: "sync.walk", Msg: "the listing of a folder says that more follows, but not where"}
		}
		if pg.Incomplete {
			d.postponed[root] = true
			if err := d.r.noteIncomplete(d.sh.ctx); err != nil {
				return false, err
			}
		}
		if more, err := d.told(pg.Changes, 0, func(int) syncing.Position { return d.pageEnd() }); err != nil || !more {
			return more, err
		}
		if cur = pg.Next; len(cur) == 0 {
			return d.forgetUnwalked(root)
		}
	}
}

// forgetUnwalked forgets the folders that the index has below one that was walked,
// and the walk did not meet: the source has moved them on, and a later page tells
// where to. They must not count as inside until then, since nobody has told what
// is below them.
func (d *direct) forgetUnwalked(root string) (bool, error) {
	if d.postponed[root] {
		return true, nil
	}
	if err := d.catchUp(); err != nil {
		return false, err
	}
	all, _, err := d.descend(root, func(string) (bool, error) { return true, nil })
	if err != nil {
		return false, err
	}
	for _, f := range slices.Backward(all[1:]) {
		if d.walked[f] {
			continue
		}
		if more, err := d.sweep(f); err != nil || !more {
			return more, err
		}
		d.tree.known[f] = folder{syncing.Node{ID: f}, folderGone}
		if err := d.b.learn(syncing.TreeChange{Node: syncing.Node{ID: f}, Gone: true}); err != nil {
			return false, err
		}
	}
	return true, nil
}

// descend visits a folder and all below it, as the store knows them, from the top.
func (d *direct) descend(root string, visit func(folder string) (bool, error)) (all []string, more bool, _ error) {
	all = []string{root}
	met := map[string]bool{root: true}
	for i := 0; i < len(all); i++ {
		if more, err := visit(all[i]); err != nil || !more {
			return all, more, err
		}
		for after := ""; ; {
			nodes, err := d.r.Store.Tree().Children(d.sh.ctx, d.r.org, d.r.sync.ID, all[i], after, directChunk)
			if err != nil {
				return all, false, err
			}
			for _, n := range nodes {
				if after = n.ID; !met[n.ID] {
					met[n.ID] = true
					all = append(all, n.ID)
				}
			}
			if len(nodes) < directChunk {
				break
			}
		}
	}
	return all, true, nil
}

// sweep notes everything below a folder that is gone or outside as absent, and
// forgets the folders below it: should it come back, it is walked. The deepest
// are forgotten first, so that what is left can be found if it is interrupted.
func (d *direct) sweep(root string) (bool, error) {
	all, more, err := d.descend(root, d.leaveFiles)
	if err != nil || !more {
		return more, err
	}
	if err := d.catchUp(); err != nil {
		return false, err
	}
	for _, f := range slices.Backward(all[1:]) {
		d.tree.known[f] = folder{syncing.Node{ID: f}, folderGone}
		if err := d.b.learn(syncing.TreeChange{Node: syncing.Node{ID: f}, Gone: true}); err != nil {
			return false, err
		}
	}
	return true, nil
}

// objectsIn gives the objects directly in a folder. An enumeration looks only at
// those that it has met: of the others it tells still, or finds them unseen.
func (d *direct) objectsIn(parent string, use func([]bucket.Object) (bool, error)) (bool, error) {
	r := d.r
	for after := id.Object(""); ; {
		list, err := r.Store.Catalogue().InFolder(d.sh.ctx, r.org, r.bucket.ID, r.sync.Connection, parent, after, directChunk)
		if err != nil {
			return false, err
		}
		var mine []bucket.Object
		for i := range list {
			o := &list[i]
			after = o.ID
			if o.State == bucket.Present && o.Sync == r.sync.ID && (!d.mark || o.SeenPass == string(r.pass.ID)) {
				mine = append(mine, *o)
			}
		}
		if more, err := use(mine); err != nil || !more {
			return more, err
		}
		if len(list) < directChunk {
			return true, nil
		}
	}
}

// leaveFiles notes the objects directly in a folder as absent.
func (d *direct) leaveFiles(parent string) (bool, error) {
	return d.objectsIn(parent, func(list []bucket.Object) (bool, error) {
		for i := range list {
			if more, err := d.absent(entryOf(&list[i]), d.pageEnd()); err != nil || !more {
				return more, err
			}
		}
		return true, nil
	})
}

// followFiles moves the objects directly in a folder to the paths they have now.
// One that has its path already, because an interrupted run went this far, is left.
func (d *direct) followFiles(parent string) (bool, error) {
	return d.objectsIn(parent, func(list []bucket.Object) (bool, error) {
		var trios []trio
		for i := range list {
			t := followed(&list[i])
			t.met = d.mark
			if err := d.locate(d.sh.ctx, &t); err != nil {
				return false, err
			}
			if t.gone || t.path != t.object.Path {
				d.sent[string(t.key)] = true
				trios = append(trios, t)
			}
		}
		if err := d.r.lookAtFiles(d.sh.ctx, trios); err != nil {
			return false, err
		}
		for i := range trios {
			if more, err := d.one(&trios[i], d.pageEnd()); err != nil || !more {
				return more, err
			}
		}
		return true, nil
	})
}

// followed is an object as its source would tell of it now.
func followed(o *bucket.Object) trio {
	item := driver.Item{
		ID: string(o.SourceID), Name: o.SourcePath[strings.LastIndexByte(o.SourcePath, '/')+1:], Parent: o.Parent, Size: o.Size, Version: o.Version, MIME: o.MIME,
	}
	if o.ModifiedAt != nil {
		item.ModifiedAt = *o.ModifiedAt
	}
	return trio{key: o.SourceID, item: &item, object: entryOf(o)}
}
