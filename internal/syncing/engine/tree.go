package engine

import (
	"context"
	"slices"
	"strings"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
	"mooring/internal/syncing"
)

// tree is the id-to-parent index of folders: that of the store, with what a step
// has changed on top. Whether something is inside of the scope is decided by it
// alone: inside is what has a chain of folders up to the scope's root, "".
// Folders outside are kept too, so that nobody has to be asked about them again.
type tree struct {
	r     *runner
	mute  bool              // asks nobody: a folder that is not in the index is outside
	known map[string]folder // what was read or changed; unknown ones too
	was   map[string]folder // what the folders changed by this step were before it
	asked map[string]bool   // those that Stat told of: what is below them may be unknown
	fresh map[string]bool   // those that Stat told of in this run because the index made no sense
}

type folder struct {
	syncing.Node
	state folderState
}

type folderState uint8

const (
	folderUnknown folderState = iota // not in the index
	folderThere                      // in the index, inside or outside of the scope
	folderGone                       // told to be gone
)

// Ids that no provider gives. What is below outsideParent is outside of the scope,
// nobody knows where; below todoParent stand the folders that wait to be worked.
const (
	reservedIDs   = "//"
	outsideParent = "//outside"
	todoParent    = "//todo"
	todoPrefix    = "//todo/"
)

const (
	maxTreeCache = 100_000
	maxDepth     = 1000     // of folders
	maxPath      = 64 << 10 // bytes: whoever may make folders could else fill memory and records with their names
)

// errLong says that a path has more than maxPath bytes.
var errLong = &errs.Error{Kind: errs.Invalid, Origin: errs.Provider, Scope: errs.ScopeObject, Op: "sync.tree", Code: reasonLong, Msg: "the names of its folders are too long together"}

func newTree(r *runner) *tree {
	return &tree{r: r, known: map[string]folder{}, was: map[string]folder{}, asked: map[string]bool{}, fresh: map[string]bool{}}
}

// load reads nodes from the store.
func (t *tree) load(ctx context.Context, ids []string) error {
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

// trim empties the cache when it is large. The store has to hold everything that
// was changed.
func (t *tree) trim() {
	if len(t.known) > maxTreeCache {
		clear(t.known)
	}
}

// change takes what a source tells of a folder, which is loaded.
func (t *tree) change(c driver.Change) {
	was := t.known[c.Item.ID]
	switch {
	case c.Item.ID == "" || strings.HasPrefix(c.Item.ID, reservedIDs):
	case !c.Gone:
		t.set(folder{syncing.Node{ID: c.Item.ID, Parent: c.Item.Parent, Name: c.Item.Name}, folderThere})
	case was.state == folderThere:
		t.set(folder{was.Node, folderGone})
	}
}

func (t *tree) set(f folder) {
	if _, changed := t.was[f.ID]; !changed {
		t.was[f.ID] = t.known[f.ID]
	}
	t.known[f.ID] = f
}

// path is the path of something below a folder; inside is false when that
// folder is gone or outside of the scope. A path that is too long is errLong.
func (t *tree) path(ctx context.Context, parent, name string) (path string, inside bool, _ error) {
	up, inside, err := t.chain(ctx, parent)
	if err != nil || !inside {
		return "", false, err
	}
	names, size := make([]string, 0, len(up)+1), len(name)
	for _, f := range slices.Backward(up) {
		if size += len(f.Name) + 1; size > maxPath {
			return "", true, errLong
		}
		names = append(names, component(f.Name))
	}
	return strings.Join(append(names, component(name)), "/"), true, nil
}

// chain are the folders from one upwards, to the scope's root if it is inside. A
// chain that does not end is a loop: of folders that change places while they are
// told of one after the other, or a lie.
func (t *tree) chain(ctx context.Context, first string) (up []folder, inside bool, _ error) {
	for at := first; at != ""; {
		if len(up) > maxDepth {
			if err := t.untie(ctx, up); err != nil {
				return nil, false, err
			}
			up, at = nil, first
			continue
		}
		f, err := t.folder(ctx, at)
		if err != nil || f.state != folderThere {
			return up, false, err
		}
		up, at = append(up, f), f.Parent
	}
	return up, true, nil
}

// untie asks for every folder of a loop as it is now.
func (t *tree) untie(ctx context.Context, loop []folder) error {
	asked := false
	for _, f := range loop {
		if t.fresh[f.ID] || t.mute {
			continue
		}
		t.fresh[f.ID], asked = true, true
		if _, err := t.ask(ctx, f.ID); err != nil {
			return err
		}
	}
	if !asked {
		return errs.New(errs.Corrupt, "sync.tree", "the folders of the source form a loop, or are more than 1000 deep: the pass stops and deletes nothing")
	}
	return nil
}

// folder finds a folder. One that nobody has told of yet is asked for: an item
// may be met before the folder it is in.
func (t *tree) folder(ctx context.Context, f string) (folder, error) {
	if strings.HasPrefix(f, reservedIDs) {
		return folder{}, nil
	}
	if err := t.load(ctx, []string{f}); err != nil {
		return folder{}, err
	}
	if got := t.known[f]; got.state != folderUnknown || t.mute {
		return got, nil
	}
	return t.ask(ctx, f)
}

// ask reads a folder as it is now. What is not in the scope is kept as outside.
func (t *tree) ask(ctx context.Context, f string) (folder, error) {
	item, err := t.r.stat(ctx, f)
	got := folder{syncing.Node{ID: f, Parent: outsideParent}, folderThere}
	switch scope := errs.ScopeOf(err); {
	case err == nil && item.Folder:
		got.Parent, got.Name = item.Parent, item.Name
	case err != nil && (!errs.Is(err, errs.NotFound) || scope == errs.ScopeConnection || scope == errs.ScopePath):
		return folder{}, err
	}
	if t.known[f] != got {
		t.asked[f] = true
		t.set(got)
	}
	return got, nil
}

// wasInside reports whether a folder was inside before the changes of this step.
func (t *tree) wasInside(ctx context.Context, f string) (bool, error) {
	for depth := 0; f != ""; depth++ {
		at, changed := t.was[f]
		if !changed {
			if err := t.load(ctx, []string{f}); err != nil {
				return false, err
			}
			at = t.known[f]
		}
		if at.state != folderThere || depth > maxDepth {
			return false, nil
		}
		f = at.Parent
	}
	return true, nil
}

// isInside reports whether a folder is there and inside.
func (t *tree) isInside(ctx context.Context, f string) (bool, error) {
	if err := t.load(ctx, []string{f}); err != nil {
		return false, err
	}
	if t.known[f].state != folderThere {
		return false, nil
	}
	_, inside, err := t.chain(ctx, f)
	return inside, err
}

// component writes a name so that it is one component of a path.
func component(name string) string { return strings.ReplaceAll(name, "/", "／") }
