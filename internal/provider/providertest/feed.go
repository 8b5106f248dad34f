package providertest

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"mooring/internal/provider/driver"
)

// FeedOptions configure a Feed. The zero value is useful.
type FeedOptions struct {
	PageSize int // 1000 when 0
	// ChildrenFirst enumerates the newest first, so that items come before the
	// folders they are in.
	ChildrenFirst bool
	// NoChecksums opens items without checksums.
	NoChecksums bool
	// Whole enumerates the whole drive, what is outside of the scope too, as
	// Microsoft Graph does. Without it only the scope is walked, as for Google Drive.
	Whole bool
	// Narrow lets the feed know what is outside of the scope: it then tells of it
	// as Gone. Without it the feed tells where things are, and no more.
	Narrow bool
}

// Root is the id of a Feed's root folder.
const Root = "root"

// Feed is a source with folders and a feed of changes, like a drive: an
// enumeration of folders and files in no order, which took its start token
// before it began, then what has changed since, anywhere in the drive. A folder
// that is renamed, moved or deleted is one change; what is below it is not
// repeated: Walk gives what came with a folder that enters the scope. An item may
// be met before the folder it is in.
//
// A scope is a folder's id or a path of names like "/A/B"; "" is the root. What
// is directly in the scope's folder has the Parent "".
type Feed struct {
	Script
	opts FeedOptions

	mu     sync.Mutex
	made   int // nodes so far
	writes int
	epoch  int // cursors of an older one are dead
	nodes  map[string]*node
	order  []string // ids by number, from 1; gone ones too
	log    []entry
}

type node struct {
	id, parent, name string
	folder           bool
	number           int // in order of creation
	body             body
	unsized          bool
	version          string
	modified         time.Time
}

// entry is one change.
type entry struct {
	id     string
	folder bool
}

// NewFeed makes a source with an empty root.
func NewFeed(o FeedOptions) *Feed {
	if o.PageSize <= 0 {
		o.PageSize = 1000
	}
	f := &Feed{opts: o, nodes: map[string]*node{}}
	f.nodes[Root] = &node{id: Root, folder: true, name: "My Drive"}
	return f
}

// Folder makes a folder and returns its id.
func (f *Feed) Folder(parent, name string) string { return f.add(parent, name, true, nil) }

// File makes a file and returns its id. Several may have one name.
func (f *Feed) File(parent, name string, content []byte) string {
	return f.add(parent, name, false, memory(strings.Clone(string(content))))
}

func (f *Feed) add(parent, name string, folder bool, b body) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.must(parent)
	f.made++
	id := fmt.Sprintf("f%06d", f.made)
	if folder {
		id = fmt.Sprintf("d%06d", f.made)
	}
	n := &node{id: id, parent: parent, name: name, folder: folder, number: f.made, body: b}
	f.nodes[id] = n
	f.order = append(f.order, id)
	f.renew(n)
	f.log = append(f.log, entry{id, folder})
	return id
}

// Write replaces the content of a file.
func (f *Feed) Write(id string, content []byte) {
	f.change(id, func(n *node) { n.body = memory(strings.Clone(string(content))); f.renew(n) })
}

// WriteGenerated replaces the content of a file by n bytes that take no memory.
func (f *Feed) WriteGenerated(id string, seed uint64, n int64) {
	f.change(id, func(x *node) { x.body = generated{seed, n}; f.renew(x) })
}

// Unsize makes a file's size unknown before it is read, like an exported document's.
func (f *Feed) Unsize(id string) { f.change(id, func(n *node) { n.unsized = true }) }

// Rename gives a node another name. Its version stays.
func (f *Feed) Rename(id, name string) { f.change(id, func(n *node) { n.name = name }) }

// Move puts a node into another folder. Its version stays.
func (f *Feed) Move(id, parent string) {
	f.change(id, func(n *node) { f.must(parent); n.parent = parent })
}

// Delete removes a node and, for a folder, all that is below it: one change.
func (f *Feed) Delete(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.must(id)
	f.log = append(f.log, entry{id, f.nodes[id].folder})
	for _, n := range append(f.below(id), f.nodes[id]) {
		delete(f.nodes, n.id)
	}
}

// ExpireCursors kills all cursors given so far.
func (f *Feed) ExpireCursors() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.epoch++
}

// Content returns the content of a file, or nil.
func (f *Feed) Content(id string) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.nodes[id]
	if n == nil || n.folder {
		return nil
	}
	b, _ := io.ReadAll(n.body.from(0))
	return b
}

// change edits a node and logs it.
func (f *Feed) change(id string, edit func(*node)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.must(id)
	c := *f.nodes[id]
	edit(&c)
	f.nodes[id] = &c
	f.log = append(f.log, entry{id, c.folder})
}

// renew gives a file a new version.
func (f *Feed) renew(n *node) {
	if f.writes++; !n.folder {
		n.version, n.modified = fmt.Sprintf("c%d", f.writes), Epoch.Add(time.Duration(f.writes)*time.Second)
	}
}

// must panics when a test names a node that is not there.
func (f *Feed) must(id string) {
	if f.nodes[id] == nil {
		panic("providertest: no node " + id)
	}
}

// item describes a node of the scope whose root is given.
func (f *Feed) item(n *node, root string) driver.Item {
	it := driver.Item{ID: n.id, Name: n.name, Folder: n.folder, Parent: n.parent, Size: -1, Version: n.version, ModifiedAt: n.modified}
	if n.parent == root {
		it.Parent = ""
	}
	if !n.folder && !n.unsized {
		it.Size = n.body.size()
	}
	return it
}
