package msgraph

import "strings"

// Root is the id of the root folder of a drive.
func (s *Server) Root(drive string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mustDrive(drive).root.id
}

// Folder adds a folder and returns its id. The name must be free in the parent.
func (s *Server) Folder(drive, parent, name string) string {
	return s.add(drive, parent, &item{name: name, children: map[string]*item{}})
}

// File adds a file and returns its id. The name must be free in the parent.
func (s *Server) File(drive, parent, name string, data []byte) string {
	return s.add(drive, parent, fileItem(name, dataContent(data)))
}

// Generated adds a file of n bytes that depend on the seed and take no memory.
func (s *Server) Generated(drive, parent, name string, seed, n int64) string {
	return s.add(drive, parent, fileItem(name, newContent(content{generated: true, seed: uint64(seed), size: n})))
}

// Package adds an item that is neither file nor folder, such as a notebook (type
// oneNote). Items can be put below it.
func (s *Server) Package(drive, parent, name, typ string) string {
	return s.add(drive, parent, &item{name: name, pkg: typ, children: map[string]*item{}})
}

// RemoteItem adds a shortcut to an item of another drive.
func (s *Server) RemoteItem(drive, parent, name, targetDrive, target string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.insert(s.mustItem(drive, parent), &item{name: name, remote: s.mustItem(targetDrive, target)}).id
}

func fileItem(name string, c *content) *item {
	return &item{name: name, content: c, size: c.size, ctag: 1}
}

func (s *Server) add(drive, parent string, i *item) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.insert(s.mustItem(drive, parent), i).id
}

// insert adds an item to a folder.
func (s *Server) insert(parent, i *item) *item {
	checkName(parent, i.name)
	i.created = s.now()
	attach(i, parent)
	s.register(parent.drive, i)
	return i
}

// checkName panics if SharePoint would refuse a name.
func checkName(parent *item, name string) {
	switch {
	case !parent.holds():
		panic("msgraph: " + parent.path() + " is not a folder")
	case name == "" || name == "." || name == ".." || strings.ContainsAny(name, "\"*:<>?/\\|\x00"):
		panic("msgraph: SharePoint has no name " + name)
	case parent.children[fold(name)] != nil:
		panic("msgraph: " + parent.path() + " has an item " + name + " already")
	}
}

// Write gives a file another content. Its id stays, eTag and cTag change.
func (s *Server) Write(drive, id string, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.mustItem(drive, id)
	if i.content == nil {
		panic("msgraph: " + i.path() + " is not a file")
	}
	i.content = dataContent(data)
	grow(i.parent, i.content.size-i.size)
	i.size = i.content.size
	i.ctag++
	s.touch(i)
}

// Rename gives an item another name. What is below it does not change.
func (s *Server) Rename(drive, id, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.mustItem(drive, id)
	s.place(i, i.parent, name)
}

// Move puts an item into another folder of its drive. What is below it does not
// change.
func (s *Server) Move(drive, id, parent string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.mustItem(drive, id)
	s.place(i, s.mustItem(drive, parent), i.name)
}

func (s *Server) place(i, parent *item, name string) {
	if i.parent == nil || parent.within(i) {
		panic("msgraph: can't put " + i.path() + " into " + parent.path())
	}
	if parent != i.parent || fold(name) != fold(i.name) {
		checkName(parent, name)
	}
	detach(i)
	if parent != i.parent {
		i.former = append(i.former, i.parent)
	}
	i.name = name
	attach(i, parent)
	s.touch(i)
}

// Delete takes an item away with all below it.
func (s *Server) Delete(drive, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(s.mustItem(drive, id))
}

func (s *Server) remove(i *item) {
	if i.parent == nil {
		panic("msgraph: the root can't be deleted")
	}
	detach(i)
	if i.parent.ghosts == nil {
		i.parent.ghosts = map[string]*item{}
	}
	i.parent.ghosts[fold(i.name)] = i
	s.bury(i, true)
}

// bury marks an item and what is below it as deleted.
func (s *Server) bury(i *item, logged bool) {
	i.deleted = true
	if logged {
		s.touch(i)
	} else {
		i.drive.changes.forget(i)
	}
	for _, c := range i.list() {
		s.bury(c, !s.opts.DeleteFolderOnly)
	}
	if i.content != nil {
		i.content = dataContent(nil) // lets the bytes go
	}
}

// Recreate deletes a file and adds one of the same name in the same place. It
// returns the new id.
func (s *Server) Recreate(drive, id string, data []byte) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.mustItem(drive, id)
	parent, name := i.parent, i.name
	s.remove(i)
	return s.insert(parent, fileItem(name, dataContent(data))).id
}

// Malware marks a file as infected: it is listed with the malware facet, and its
// content is refused with 403 malwareDetected.
func (s *Server) Malware(drive, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.mustItem(drive, id)
	i.malware = true
	s.touch(i)
}

// Share lets somebody see an item, by their address.
func (s *Server) Share(drive, id, who string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.mustItem(drive, id)
	i.shared = append(i.shared, who)
	s.touch(i)
	i.sharedSeq = i.seq
}

// Unshare takes back what Share gave.
func (s *Server) Unshare(drive, id, who string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.mustItem(drive, id)
	var left []string
	for _, w := range i.shared {
		if w != who {
			left = append(left, w)
		}
	}
	i.shared = left
	s.touch(i)
	i.sharedSeq = i.seq
}

// Entry is one file of a Snapshot.
type Entry struct {
	Path         string // from the folder, with slashes between the names
	Size         int64
	SHA256       string // in hex
	QuickXorHash string // in base64, as the API gives it
	Malware      bool
}

// Snapshot is what a fresh walk of a folder finds: its files, at any depth and in
// packages too, by id.
func (s *Server) Snapshot(drive, folder string) map[string]Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]Entry{}
	s.mustItem(drive, folder).walk("", func(path string, i *item) {
		if c := i.content; c != nil {
			out[i.id] = Entry{path, i.size, c.sha256(), c.quick(), i.malware}
		}
	})
	return out
}

// walk visits what is below an item.
func (i *item) walk(path string, visit func(path string, i *item)) {
	for _, c := range i.list() {
		visit(path+c.name, c)
		c.walk(path+c.name+"/", visit)
	}
}
