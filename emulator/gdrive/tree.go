package gdrive

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"mooring/emulator/noise"
)

// The MIME types that Drive gives to what has no content of its own.
const (
	mimePrefix   = "application/vnd.google-apps."
	mimeFolder   = mimePrefix + "folder"
	mimeShortcut = mimePrefix + "shortcut"
)

// user is an account: a person or a service account.
type user struct {
	email string
	root  *item
	log   changeLog
}

// drive is a shared drive.
type drive struct {
	name    string
	root    *item // its id is that of the drive
	members []*user
	created time.Time
	gone    bool
	log     changeLog
}

// home is what a root folder is the root of: the drive of a user or a shared one.
type home struct {
	user  *user
	drive *drive
}

// item is a file, folder, document or shortcut.
type item struct {
	seq      int64 // in order of creation
	id       string
	name     string
	mime     string
	parent   *item // nil for a root
	home     home  // of a root
	children []*item

	created, modified time.Time
	version           int64
	trashed           bool // itself; see isTrashed
	gone              bool
	starred           bool
	abusive           bool
	undownloadable    bool
	resourceKey       string // it is shared by a link with this key
	revisions         []revision
	exports           map[string][]byte // of a document, by MIME type
	target            *target           // of a shortcut
	properties        map[string]string
	grants            []*user // whom it is shared with directly
}

// revision is one content of a binary file.
type revision struct {
	id       string
	modified time.Time
	*content
}

// target is what a shortcut points to, with the type and the resource key it had at
// first.
type target struct{ id, mime, key string }

// head is the current revision, nil for what has no binary content.
func (i *item) head() *revision {
	if len(i.revisions) == 0 {
		return nil
	}
	return &i.revisions[len(i.revisions)-1]
}

func (i *item) root() *item {
	for i.parent != nil {
		i = i.parent
	}
	return i
}

// drive is the shared drive that the item is in, nil if it is in none.
func (i *item) drive() *drive { return i.root().home.drive }

func (i *item) isTrashed() bool {
	for ; i != nil; i = i.parent {
		if i.trashed {
			return true
		}
	}
	return false
}

func (i *item) below(ancestor *item) bool {
	for ; i != nil; i = i.parent {
		if i == ancestor {
			return true
		}
	}
	return false
}

// seenBy says whether a user may see the item: it is in a drive of theirs, or
// shared with them, or a folder above it is.
func (i *item) seenBy(u *user) bool {
	if i.gone {
		return false
	}
	for ; ; i = i.parent {
		if slices.Contains(i.grants, u) {
			return true
		}
		if i.parent == nil {
			break
		}
	}
	return i.home.user == u || i.home.drive != nil && !i.home.drive.gone && slices.Contains(i.home.drive.members, u)
}

// tree is all that is stored.
type tree struct {
	users  map[string]*user // by email
	first  *user
	drives []*drive
	items  map[string]*item
	all    []*item // in order of creation, with some that are gone
	gone   int     // how many of all
	seq    int64
}

func newTree() tree { return tree{users: map[string]*user{}, items: map[string]*item{}} }

// add makes an item below a parent, or a root when there is none.
func (t *tree) add(parent *item, name, mime string, now time.Time) *item {
	t.seq++
	prefix := "1"
	if parent == nil {
		prefix = "0A"
	}
	i := &item{
		seq: t.seq, id: fmt.Sprintf("%s%016x%015x", prefix, noise.Mix(uint64(t.seq)), noise.Mix(^uint64(t.seq))>>4), name: name, mime: mime,
		created: now, modified: now, parent: parent,
	}
	t.items[i.id] = i
	t.all = append(t.all, i)
	if parent != nil {
		parent.children = append(parent.children, i)
	}
	return i
}

// position is where an item of a number is, or would be, in a list in order.
func position(list []*item, seq int64) int {
	return sort.Search(len(list), func(k int) bool { return list[k].seq >= seq })
}

func (t *tree) detach(i *item) {
	p := i.parent
	k := position(p.children, i.seq)
	p.children = slices.Delete(p.children, k, k+1)
}

func (t *tree) move(i, parent *item) {
	t.detach(i)
	i.parent = parent
	parent.children = slices.Insert(parent.children, position(parent.children, i.seq), i)
}

// remove takes an item and all below it away. It keeps its parent, by which logs
// know where it was.
func (t *tree) remove(i *item) {
	if i.parent != nil {
		t.detach(i)
	}
	t.forget(i)
	if t.gone > 1024 && t.gone > len(t.all)/2 {
		t.all = slices.DeleteFunc(t.all, func(i *item) bool { return i.gone })
		t.gone = 0
	}
}

func (t *tree) forget(i *item) {
	for _, c := range i.children {
		t.forget(c)
	}
	i.gone, i.children, i.revisions, i.exports = true, nil, nil, nil
	delete(t.items, i.id)
	t.gone++
}

// find returns an item for a caller who must know that it is there.
func (t *tree) find(id string) *item {
	i, ok := t.items[id]
	if !ok {
		panic(fmt.Sprintf("gdrive: there is no item %q", id))
	}
	return i
}

// account returns the user of an address, made if need be.
func (t *tree) account(email string, now time.Time) *user {
	email = strings.ToLower(email)
	if u, ok := t.users[email]; ok {
		return u
	}
	u := &user{email: email}
	u.root = t.add(nil, "My Drive", mimeFolder, now)
	u.root.home.user = u
	t.users[email] = u
	if t.first == nil {
		t.first = u
	}
	return u
}
