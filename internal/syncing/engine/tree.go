package engine

import (
	"context"
	"slices"
	"strings"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/provider/driver"
	"mooring/internal/syncing"
)

// tree is the id-to-parent index with the changes of the page at hand on top.
// They are recorded behind the page: should the page be worked again, the store
// still shows what was before, and the same descendants are found to move.
type tree struct {
	r       *runner
	known   map[string]folder // what was read or changed; gone and unknown ones too
	pending map[string]syncing.TreeChange
}

type folder struct {
	syncing.Node
	state folderState
}

type folderState uint8

const (
	folderUnknown folderState = iota // not in the index
	folderThere
	folderGone // gone, or outside of the scope
)

func newTree(r *runner) *tree {
	return &tree{r: r, known: map[string]folder{}, pending: map[string]syncing.TreeChange{}}
}

const (
	maxTreeCache = 100_000
	maxDepth     = 1000 // of folders: a deeper chain is a loop
)

// load reads nodes from the store.
func (t *tree) load(ctx context.Context, ids []string) error {
	if len(t.known) > maxTreeCache && len(t.pending) == 0 {
		clear(t.known)
	}
	var missing []string
	for _, f := range ids {
		if _, known := t.known[f]; !known {
			missing = append(missing, f)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	nodes, err := t.r.Store.Tree().Nodes(ctx, t.r.org, t.r.sync.ID, missing)
	if err != nil {
		return err
	}
	for _, f := range missing {
		if n, ok := nodes[f]; ok {
			t.known[f] = folder{n, folderThere}
		} else {
			t.known[f] = folder{}
		}
	}
	return nil
}

// change takes a change of a folder, and reports whether what is below it has
// another path now, or none. The folder, and whatever may be one, is loaded.
func (t *tree) change(c driver.Change) (moved bool) {
	was := t.known[c.Item.ID]
	if c.Gone {
		if was.state != folderThere {
			return false
		}
		t.set(folder{was.Node, folderGone})
		return true
	}
	now := syncing.Node{ID: c.Item.ID, Parent: c.Item.Parent, Name: c.Item.Name}
	if was.state == folderThere && was.Node == now {
		return false
	}
	t.set(folder{now, folderThere})
	return was.state == folderThere
}

func (t *tree) set(f folder) {
	t.known[f.ID] = f
	t.pending[f.ID] = syncing.TreeChange{Node: f.Node, Gone: f.state == folderGone}
}

// take returns the changes to be recorded, in the order of their ids.
func (t *tree) take() []syncing.TreeChange {
	out := make([]syncing.TreeChange, 0, len(t.pending))
	for _, c := range t.pending {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b syncing.TreeChange) int { return strings.Compare(a.Node.ID, b.Node.ID) })
	clear(t.pending)
	return out
}

// path is the path of something below a folder; inside is false when that
// folder is gone or out of scope.
func (t *tree) path(ctx context.Context, parent, name string) (path string, inside bool, _ error) {
	path = component(name)
	for depth := 0; parent != ""; depth++ {
		if depth > maxDepth {
			return "", false, errs.New(errs.Corrupt, "sync.tree", "the folders of the source form a loop")
		}
		f, err := t.folder(ctx, parent)
		if err != nil || f.state != folderThere {
			return "", false, err
		}
		path, parent = component(f.Name)+"/"+path, f.Parent
	}
	return path, true, nil
}

// folder finds a folder. One that nobody has told of yet is asked for: an item
// may be met before the folder it is in.
func (t *tree) folder(ctx context.Context, f string) (folder, error) {
	if err := t.load(ctx, []string{f}); err != nil {
		return folder{}, err
	}
	got := t.known[f]
	if got.state != folderUnknown {
		return got, nil
	}
	item, err := t.r.stat(ctx, f)
	switch scope := errs.ScopeOf(err); {
	case err == nil && item.Folder:
		got = folder{syncing.Node{ID: f, Parent: item.Parent, Name: item.Name}, folderThere}
		t.set(got)
		return got, nil
	case err != nil && (!errs.Is(err, errs.NotFound) || scope == errs.ScopeConnection || scope == errs.ScopePath):
		return folder{}, err
	}
	got = folder{syncing.Node{ID: f}, folderGone}
	t.known[f] = got
	return got, nil
}

// component writes a name so that it is one component of a path.
func component(name string) string { return strings.ReplaceAll(name, "/", "／") }

// follow moves all objects below a folder that has another path now. One that
// has its new path already, because an interrupted run went this far, is left.
func (d *direct) follow(root string) (bool, error) {
	if err := d.catchUp(); err != nil { // objects of this page have to be in the catalogue
		return false, err
	}
	queue := []string{root}
	for visited := map[string]bool{}; len(queue) > 0; queue = queue[1:] {
		if visited[queue[0]] {
			continue
		}
		visited[queue[0]] = true
		if more, err := d.followFiles(queue[0]); err != nil || !more {
			return more, err
		}
		children, err := d.children(queue[0])
		if err != nil {
			return false, err
		}
		queue = append(queue, children...)
	}
	return true, nil
}

// children are the folders below one, as the store knows them. Of a folder that
// is gone they are gone too, unless the page told where they went.
func (d *direct) children(parent string) ([]string, error) {
	var out []string
	for after := ""; ; {
		nodes, err := d.r.Store.Tree().Children(d.sh.ctx, d.r.org, d.r.sync.ID, parent, after, directChunk)
		if err != nil {
			return nil, err
		}
		for _, n := range nodes {
			after = n.ID
			out = append(out, n.ID)
			if _, told := d.tree.pending[n.ID]; !told && d.tree.known[parent].state == folderGone {
				d.tree.set(folder{n, folderGone})
			}
		}
		if len(nodes) < directChunk {
			return out, nil
		}
	}
}

// followFiles moves the objects directly in a folder.
func (d *direct) followFiles(parent string) (bool, error) {
	r := d.r
	for after := id.Object(""); ; {
		list, err := r.Store.Catalogue().InFolder(d.sh.ctx, r.org, r.bucket.ID, r.sync.Connection, parent, after, directChunk)
		if err != nil {
			return false, err
		}
		var trios []trio
		for i := range list {
			after = list[i].ID
			if list[i].State == bucket.Present && list[i].Sync == r.sync.ID {
				trios = append(trios, followed(&list[i]))
			}
		}
		if more, err := d.followSome(trios); err != nil || !more {
			return more, err
		}
		if len(list) < directChunk {
			return true, nil
		}
	}
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

func (d *direct) followSome(trios []trio) (bool, error) {
	for i := range trios {
		if err := d.locate(d.sh.ctx, &trios[i]); err != nil {
			return false, err
		}
	}
	if err := d.r.lookAtFiles(d.sh.ctx, trios); err != nil {
		return false, err
	}
	for i := range trios {
		t := &trios[i]
		if !t.gone && t.path == t.object.Path {
			continue
		}
		if more, err := d.followOne(t); err != nil || !more {
			return more, err
		}
	}
	return true, nil
}

// followOne works an object that the source did not name: it counts as met.
func (d *direct) followOne(t *trio) (bool, error) {
	d.sent[string(t.key)] = true
	t.index = d.at - 1
	return d.one(t)
}
