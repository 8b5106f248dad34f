package gdrive

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"mooring/emulator/noise"
)

// create makes an item that is complete before anybody can see it.
func (s *Server) create(parent, name, mime string, complete func(*item)) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.tree.find(parent)
	if p.mime != mimeFolder {
		panic(fmt.Sprintf("gdrive: %q is no folder", parent))
	}
	i := s.tree.add(p, name, mime, s.now())
	complete(i)
	s.record(i, nil, i.drive())
	return i.id
}

// edit changes an item and records it.
func (s *Server) edit(id string, do func(i *item, now time.Time)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.tree.find(id)
	before, was := s.audience(i), i.drive()
	do(i, s.now())
	s.record(i, before, was)
}

// Folder makes a folder and returns its id. A name need not be unique and may hold
// slashes; this is so of all items.
func (s *Server) Folder(parent, name string) string {
	return s.create(parent, name, mimeFolder, func(*item) {})
}

// File makes a file with content and returns its id. Its MIME type follows from the
// extension of its name.
func (s *Server) File(parent, name string, content []byte) string {
	return s.create(parent, name, mimeOf(name), func(i *item) { s.write(i, bytesContent(content)) })
}

// Generated makes a file of n bytes that depend on the seed, without keeping them
// in memory. GeneratedContent tells what they are. Who first asks for a checksum waits for
// it, about a second for 200 MB.
func (s *Server) Generated(parent, name string, seed uint64, n int64) string {
	return s.create(parent, name, mimeOf(name), func(i *item) { s.write(i, generatedContent(seed, n)) })
}

// Document makes a document of Google's editors and returns its id. The kind is the
// last part of its MIME type: document, spreadsheet, presentation, drawing, form …
// Exports are what it can be exported as, by MIME type; other formats that its kind
// has are made up.
func (s *Server) Document(parent, name, kind string, exports map[string][]byte) string {
	return s.create(parent, name, mimePrefix+kind, func(i *item) { i.exports = maps.Clone(exports) })
}

// Shortcut makes a shortcut to an item, which need not exist, and returns its id.
func (s *Server) Shortcut(parent, name, to string) string {
	return s.create(parent, name, mimeShortcut, func(i *item) {
		i.target = &target{id: to, mime: "application/octet-stream"}
		if t, ok := s.tree.items[to]; ok {
			i.target.mime, i.target.key = t.mime, t.resourceKey
		}
	})
}

// write adds a revision, which becomes the current one.
func (s *Server) write(i *item, c *content) {
	s.oauth.serial++ // any number that is used once
	id := fmt.Sprintf("0B%016x%08x", noise.Mix(uint64(i.seq)), noise.Mix(s.oauth.serial)>>32)
	i.revisions = append(i.revisions, revision{id: id, modified: s.now(), content: c})
	i.modified = s.now()
}

// Write replaces the content of a file. The earlier one stays as a revision.
func (s *Server) Write(id string, content []byte) {
	s.edit(id, func(i *item, _ time.Time) {
		if i.head() == nil {
			panic(fmt.Sprintf("gdrive: %q has no content to replace", id))
		}
		s.write(i, bytesContent(content))
	})
}

// EditDocument replaces what a document can be exported as.
func (s *Server) EditDocument(id string, exports map[string][]byte) {
	s.edit(id, func(i *item, now time.Time) { i.exports, i.modified = maps.Clone(exports), now })
}

// Touch changes nothing that can be seen but the version of an item.
func (s *Server) Touch(id string) { s.edit(id, func(*item, time.Time) {}) }

// Rename gives an item another name.
func (s *Server) Rename(id, name string) {
	s.edit(id, func(i *item, _ time.Time) { i.name = name })
}

// Move puts an item into another folder, also of another drive. What is below a folder
// goes with it, and no change says so.
func (s *Server) Move(id, parent string) {
	s.edit(id, func(i *item, _ time.Time) {
		p := s.tree.find(parent)
		if i.parent == nil || p.mime != mimeFolder || p.below(i) {
			panic(fmt.Sprintf("gdrive: %q can't be moved into %q", id, parent))
		}
		s.tree.move(i, p)
	})
}

// Trash puts an item, with all below it, into the trash.
func (s *Server) Trash(id string) { s.edit(id, func(i *item, _ time.Time) { i.trashed = true }) }

// Restore takes an item out of the trash.
func (s *Server) Restore(id string) { s.edit(id, func(i *item, _ time.Time) { i.trashed = false }) }

// Delete removes an item, with all below it, for good.
func (s *Server) Delete(id string) {
	s.edit(id, func(i *item, _ time.Time) {
		if i.parent == nil {
			panic("gdrive: a root can't be deleted")
		}
		s.tree.remove(i)
	})
}

// Share lets a user, who is made if need be, read an item and all below it.
func (s *Server) Share(id, email string) {
	s.edit(id, func(i *item, now time.Time) {
		if u := s.tree.account(email, now); !slices.Contains(i.grants, u) {
			i.grants = append(i.grants, u)
		}
	})
}

// Unshare takes back what Share gave.
func (s *Server) Unshare(id, email string) {
	s.edit(id, func(i *item, now time.Time) {
		u := s.tree.account(email, now)
		i.grants = slices.DeleteFunc(slices.Clone(i.grants), func(g *user) bool { return g == u })
	})
}

// ShareByLink lets every user who knows it read an item that is no folder, and returns
// the resource key which a request must then show.
func (s *Server) ShareByLink(id string) (resourceKey string) {
	s.edit(id, func(i *item, _ time.Time) {
		i.resourceKey = fmt.Sprintf("0-%016x", noise.Mix(uint64(i.seq)+7))
		resourceKey = i.resourceKey
	})
	return resourceKey
}

// SetProperties replaces the public properties of an item.
func (s *Server) SetProperties(id string, properties map[string]string) {
	s.edit(id, func(i *item, _ time.Time) { i.properties = maps.Clone(properties) })
}

// Star marks an item.
func (s *Server) Star(id string, starred bool) {
	s.edit(id, func(i *item, _ time.Time) { i.starred = starred })
}

// MarkAbusive makes a file one that Google has found malware in: it is downloaded
// only with acknowledgeAbuse.
func (s *Server) MarkAbusive(id string) {
	s.edit(id, func(i *item, _ time.Time) { i.abusive = true })
}

// ForbidDownload makes a file one that its owner lets others read but not download.
func (s *Server) ForbidDownload(id string) {
	s.edit(id, func(i *item, _ time.Time) { i.undownloadable = true })
}
