package msgraph

import (
	"slices"
	"strings"
	"time"
)

// storage is what the drives hold.
type storage struct {
	drives map[string]*drive

	generation  int    // of delta tokens
	expiredCode string // of those of older generations
	downloads   int    // the generation of download URLs
}

func newStorage() storage { return storage{drives: map[string]*drive{}} }

// drive is a document library or a OneDrive: a tree and the log of its changes.
type drive struct {
	id, kind, name, tenant, owner string
	site                          *site // nil for a OneDrive
	created                       time.Time
	root                          *item
	items                         map[string]*item // by id, with what was deleted
	changes                       changes
}

// item is a file, a folder, a package or a shortcut to an item elsewhere.
type item struct {
	id, guid, name string
	drive          *drive
	parent         *item   // nil for the root; stays when the item is deleted
	former         []*item // parents it was moved away from
	children       map[string]*item
	sorted         []*item // children by name, nil when out of date

	content *content // of a file
	pkg     string   // type of a package
	remote  *item
	size    int64 // with all below
	malware bool
	shared  []string

	created, modified time.Time
	etag, ctag        int
	seq               int64 // of its last change
	sharedSeq         int64 // of the last change of who may see it
	deleted           bool
	replaced          bool // since its deletion another item took its name
	ghosts            map[string]*item
}

func (i *item) isFolder() bool { return i.content == nil && i.pkg == "" && i.remote == nil }

// holds says whether there can be items below.
func (i *item) holds() bool { return i.content == nil && i.remote == nil }

// within says whether an item is another one or somewhere below it.
func (i *item) within(top *item) bool {
	for ; i != nil; i = i.parent {
		if i == top {
			return true
		}
	}
	return false
}

// displaced says whether an item was deleted and its name, or that of a folder it
// was deleted with, now belongs to another.
func (i *item) displaced() bool {
	for ; i != nil && i.deleted; i = i.parent {
		if i.replaced {
			return true
		}
	}
	return false
}

// path is where an item is, from the root, without a slash at its beginning.
func (i *item) path() string {
	if i.parent == nil {
		return ""
	}
	if above := i.parent.path(); above != "" {
		return above + "/" + i.name
	}
	return i.name
}

// list gives the children in the order of their names.
func (i *item) list() []*item {
	if i.sorted == nil {
		i.sorted = make([]*item, 0, len(i.children))
		for _, c := range i.children {
			i.sorted = append(i.sorted, c)
		}
		slices.SortFunc(i.sorted, func(a, b *item) int { return strings.Compare(fold(a.name), fold(b.name)) })
	}
	return i.sorted
}

// fold gives the form in which names are compared: SharePoint ignores case.
func fold(name string) string { return strings.ToLower(name) }

func (s *Server) addDrive(d *drive) *drive {
	now := s.now()
	d.created = now
	d.items = map[string]*item{}
	d.root = &item{name: "root", children: map[string]*item{}, created: now}
	s.register(d, d.root)
	s.drives[d.id] = d
	return d
}

// register gives a new item its id and logs it as changed.
func (s *Server) register(d *drive, i *item) {
	i.drive = d
	i.id = itemID(d.id, int64(len(d.items)))
	i.guid = strings.ToUpper(guid(i.id))
	d.items[i.id] = i
	s.touch(i)
}

// touch makes an item the latest change of its drive.
func (s *Server) touch(i *item) {
	i.etag++
	i.modified = s.now()
	i.drive.changes.add(i, i.modified)
}

// attach puts an item into a folder. Its name must be free there.
func attach(i, parent *item) {
	key := fold(i.name)
	if old := parent.ghosts[key]; old != nil && old != i {
		old.replaced = true
		delete(parent.ghosts, key)
	}
	parent.children[key] = i
	parent.sorted = nil
	i.parent = parent
	grow(parent, i.size)
}

// detach takes an item out of its folder, which it still remembers.
func detach(i *item) {
	delete(i.parent.children, fold(i.name))
	i.parent.sorted = nil
	grow(i.parent, -i.size)
}

// grow changes the size of a folder and of those above.
func grow(folder *item, by int64) {
	for ; folder != nil; folder = folder.parent {
		folder.size += by
	}
}

func (s *Server) mustDrive(id string) *drive {
	if d := s.drives[id]; d != nil {
		return d
	}
	panic("msgraph: there is no drive " + id)
}

func (s *Server) mustItem(drive, id string) *item {
	if i := s.mustDrive(drive).item(id); i != nil {
		return i
	}
	panic("msgraph: drive " + drive + " has no item " + id)
}

// item finds one that is not deleted.
func (d *drive) item(id string) *item {
	if id == "root" {
		return d.root
	}
	if i := d.items[id]; i != nil && !i.deleted {
		return i
	}
	return nil
}

// at finds an item by its path below another one.
func (i *item) at(path []string) *item {
	for _, name := range path {
		if i == nil {
			return nil
		}
		i = i.children[fold(name)]
	}
	return i
}
