package providertest

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"sort"
	"strconv"
	"strings"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

var (
	_ driver.Source = (*Feed)(nil)
	_ driver.Walker = (*Feed)(nil)
)

// root returns the id of a scope's folder. The lock is held.
func (f *Feed) root(path string) (string, error) {
	if path == "" || path == "/" {
		return Root, nil
	}
	id := path
	if rest, ok := strings.CutPrefix(path, "/"); ok {
		id = Root
		for _, name := range strings.Split(rest, "/") {
			id = f.child(id, name)
		}
	}
	if n := f.nodes[id]; n != nil && n.folder {
		return id, nil
	}
	return "", failure(errs.NotFound, errs.ScopePath, "notFound", "there is no such folder")
}

func (f *Feed) child(parent, name string) string {
	for _, n := range f.nodes {
		if n.parent == parent && n.name == name && n.folder {
			return n.id
		}
	}
	return ""
}

// within says whether a node is below root. The lock is held.
func (f *Feed) within(id, root string) bool {
	n := f.nodes[id]
	for depth := 0; n != nil && n.id != Root; n, depth = f.nodes[n.parent], depth+1 {
		if n.parent == root {
			return true
		}
		if depth > len(f.nodes) {
			panic("providertest: a folder is below itself")
		}
	}
	return false
}

// below returns the nodes below root in order of creation. The lock is held.
func (f *Feed) below(root string) []*node {
	var out []*node
	for _, n := range f.nodes {
		if f.within(n.id, root) {
			out = append(out, n)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].number < out[j].number })
	if f.opts.ChildrenFirst {
		slices.Reverse(out)
	}
	return out
}

// feedCursor is a place in an enumeration (After is the number of the last node
// given) or, once Fed, in the log.
type feedCursor struct {
	Epoch int    `json:"epoch"`
	Scope string `json:"scope"`
	Page  int    `json:"page"`
	Start int    `json:"start"` // place in the log: when the enumeration began, or what comes next
	Fed   bool   `json:"fed,omitempty"`
	After int    `json:"after,omitempty"`
}

// Changes implements driver.Source.
func (f *Feed) Changes(ctx context.Context, scope driver.Scope, cur driver.Cursor) (driver.Page, error) {
	var c feedCursor
	dead := failure(errs.CursorExpired, errs.ScopePath, "cursorExpired", "the cursor is dead: enumerate again")
	if len(cur) > 0 && json.Unmarshal(cur, &c) != nil {
		return driver.Page{}, dead
	}
	e, err := f.begin(ctx, Call{Method: Changes, ID: scope.Path, Page: c.Page + 1})
	if err != nil {
		return driver.Page{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	root, err := f.root(scope.Path)
	if err != nil {
		return driver.Page{}, err
	}
	switch {
	case len(cur) == 0:
		c = feedCursor{Epoch: f.epoch, Scope: root, Start: len(f.log)}
	case c.Epoch != f.epoch || c.Scope != root:
		return driver.Page{}, dead
	}
	p := driver.Page{Feed: true, Snapshot: !c.Fed}
	if c.Fed {
		f.feed(root, &c, &p)
	} else {
		f.enumerate(root, &c, &p)
	}
	if p.More {
		c.Page++
	} else {
		c = feedCursor{Epoch: c.Epoch, Scope: root, Start: c.Start, Fed: true}
	}
	p.Next, _ = json.Marshal(c)
	next := p.Next
	p, err = e.page(scope, p)
	if err == nil && p.Next == nil { // a feed can always be asked again
		p.Next = next
	}
	return p, err
}

// enumerate gives nodes that were there or came meanwhile. The lock is held.
func (f *Feed) enumerate(root string, c *feedCursor, p *driver.Page) {
	top := root
	if f.opts.Whole {
		top = Root
	}
	c.After, p.More = f.list(root, top, c.After, p)
}

// list gives nodes below top after the one numbered after, and says whether more
// follow. The lock is held.
func (f *Feed) list(root, top string, after int, p *driver.Page) (last int, more bool) {
	step, n := 1, after+1
	if f.opts.ChildrenFirst {
		step, n = -1, after-1
		if after == 0 {
			n = len(f.order)
		}
	}
	for ; n > 0 && n <= len(f.order); n += step {
		id := f.order[n-1]
		if !f.within(id, top) {
			continue
		}
		if len(p.Changes) == f.opts.PageSize {
			return after, true
		}
		p.Changes = append(p.Changes, driver.Change{Item: f.item(f.nodes[id], root)})
		after = n
	}
	return after, false
}

// feed gives what was logged from c on, each node as it is now. The lock is held.
func (f *Feed) feed(root string, c *feedCursor, p *driver.Page) {
	for ; c.Start < len(f.log); c.Start++ {
		if p.More = len(p.Changes) >= f.opts.PageSize; p.More {
			return
		}
		e := f.log[c.Start]
		change := driver.Change{Item: driver.Item{ID: e.id, Folder: e.folder}, Gone: true}
		if n := f.nodes[e.id]; n != nil && (!f.opts.Narrow || f.within(e.id, root)) {
			change = driver.Change{Item: f.item(n, root)}
		}
		p.Changes = append(p.Changes, change)
	}
}

// walkCursor is a place in a walk.
type walkCursor struct {
	Epoch  int    `json:"epoch"`
	Folder string `json:"folder"`
	Page   int    `json:"page"`
	After  int    `json:"after"`
}

// Walk implements driver.Walker.
func (f *Feed) Walk(ctx context.Context, scope driver.Scope, folder string, cur driver.Cursor) (driver.Page, error) {
	var c walkCursor
	dead := failure(errs.CursorExpired, errs.ScopePath, "cursorExpired", "the cursor of the walk is dead: walk again")
	if len(cur) > 0 && json.Unmarshal(cur, &c) != nil {
		return driver.Page{}, dead
	}
	e, err := f.begin(ctx, Call{Method: Walk, ID: folder, Page: c.Page + 1})
	if err != nil {
		return driver.Page{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	root, err := f.root(scope.Path)
	if err != nil {
		return driver.Page{}, err
	}
	if n := f.nodes[folder]; n == nil || !n.folder || !f.within(folder, root) {
		return driver.Page{}, failure(errs.NotFound, errs.ScopeObject, "notFound", "there is no such folder in the scope")
	}
	if len(cur) == 0 {
		c = walkCursor{Epoch: f.epoch, Folder: folder}
	}
	if c.Epoch != f.epoch || c.Folder != folder {
		return driver.Page{}, dead
	}
	var p driver.Page
	c.After, p.More = f.list(root, folder, c.After, &p)
	if c.Page++; p.More {
		p.Next, _ = json.Marshal(c)
	}
	return e.page(scope, p)
}

// Check implements driver.Source.
func (f *Feed) Check(ctx context.Context, target string) (driver.Report, error) {
	if _, err := f.begin(ctx, Call{Method: Check, ID: target}); err != nil {
		return driver.Report{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.root(target); err != nil {
		return driver.Report{}, err
	}
	return driver.Report{Message: "connected", Details: map[string]any{"requests": 1}}, nil
}

// Browse implements driver.Source. path is as in a scope; folders come first.
func (f *Feed) Browse(ctx context.Context, path, page string, limit int) (driver.Listing, error) {
	if _, err := f.begin(ctx, Call{Method: Browse, ID: path}); err != nil {
		return driver.Listing{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	root, err := f.root(path)
	if err != nil {
		return driver.Listing{}, err
	}
	var all []driver.Item
	for _, n := range f.below(root) {
		if n.parent == root {
			it := f.item(n, root)
			it.Path = it.ID
			all = append(all, it)
		}
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].Folder && !all[j].Folder })
	at, _ := strconv.Atoi(page)
	at = min(at, len(all))
	end := min(at+limit, len(all))
	out := driver.Listing{Items: all[at:end]}
	if end < len(all) {
		out.Next = strconv.Itoa(end)
	}
	return out, nil
}

// Stat implements driver.Source.
func (f *Feed) Stat(ctx context.Context, scope driver.Scope, id string) (driver.Item, error) {
	if _, err := f.begin(ctx, Call{Method: Stat, ID: id}); err != nil {
		return driver.Item{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	root, err := f.root(scope.Path)
	if err != nil {
		return driver.Item{}, err
	}
	if !f.within(id, root) {
		return driver.Item{}, failure(errs.NotFound, errs.ScopeObject, "notFound", "there is no such item in the scope")
	}
	return f.item(f.nodes[id], root), nil
}

// Open implements driver.Source.
func (f *Feed) Open(ctx context.Context, item driver.Item, off int64) (io.ReadCloser, error) {
	e, err := f.begin(ctx, Call{Method: Open, ID: item.ID})
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	n := f.nodes[item.ID]
	f.mu.Unlock()
	switch {
	case n == nil:
		return nil, failure(errs.NotFound, errs.ScopeObject, "notFound", "there is no such file")
	case n.folder:
		return nil, failure(errs.Invalid, errs.ScopeObject, "folder", "a folder has no content")
	case n.version != item.Version:
		return nil, failure(errs.Stale, errs.ScopeObject, "changed", "the file has changed since it was listed")
	}
	return f.openBody(ctx, item.ID, n.body, off, e, !f.opts.NoChecksums)
}

// Close implements driver.Source.
func (f *Feed) Close() error { return nil }
