package gdrive

// Node is an item as a walk of the whole tree finds it.
type Node struct {
	Path     string // names from the root, joined by slashes; names may hold slashes, too
	Name     string
	Parent   string // id
	MimeType string
	Size     int64  // -1 for what has no binary content
	SHA256   string // of the content, "" for what has none
	Target   string // of a shortcut
}

// IsFolder says whether the node is a folder.
func (n Node) IsFolder() bool { return n.MimeType == mimeFolder }

// Snapshot returns what a walk from a folder finds now, by id: all below it that is not
// in the trash, without the folder itself.
func (s *Server) Snapshot(root string) map[string]Node {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]Node{}
	if r := s.tree.find(root); !r.isTrashed() {
		r.walk("", out)
	}
	return out
}

func (i *item) walk(prefix string, out map[string]Node) {
	for _, c := range i.children {
		if c.trashed {
			continue
		}
		n := Node{Path: prefix + c.name, Name: c.name, Parent: i.id, MimeType: c.mime, Size: -1}
		if h := c.head(); h != nil {
			n.Size, n.SHA256 = h.size, h.sum().sha256
		}
		if c.target != nil {
			n.Target = c.target.id
		}
		out[c.id] = n
		c.walk(n.Path+"/", out)
	}
}
