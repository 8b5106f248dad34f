package gdrive_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"google.golang.org/api/drive/v3"
	"pgregory.net/rapid"

	"mooring/emulator/gdrive"
)

// mirror is what a client knows that has listed a corpus once and follows its log.
type mirror struct {
	d     *drive.Service
	root  string
	drive string // "" for My Drive
	token string
	files map[string]*drive.File
}

const mirrored = "id,name,parents,mimeType,trashed,sha256Checksum"

func newMirror(t testing.TB, s *gdrive.Server, email, root, driveID string) *mirror {
	m := &mirror{d: client(t, s, email), root: root, drive: driveID, files: map[string]*drive.File{}}
	start, err := m.d.Changes.GetStartPageToken().DriveId(driveID).SupportsAllDrives(true).Do()
	must(t, err)
	m.token = start.StartPageToken
	list := m.d.Files.List().PageSize(3).Fields("nextPageToken,files(" + mirrored + ")")
	if driveID != "" {
		list.Corpora("drive").DriveId(driveID).SupportsAllDrives(true).IncludeItemsFromAllDrives(true)
	}
	must(t, list.Pages(t.Context(), func(page *drive.FileList) error {
		for _, f := range page.Files {
			m.files[f.Id] = f
		}
		return nil
	}))
	return m
}

// follow applies the changes since the last time.
func (m *mirror) follow(t testing.TB) {
	for next := m.token; next != ""; {
		call := m.d.Changes.List(next).PageSize(2).Fields("nextPageToken,newStartPageToken,changes(fileId,removed,changeType,file(" + mirrored + "))")
		if m.drive != "" {
			call.DriveId(m.drive).SupportsAllDrives(true).IncludeItemsFromAllDrives(true)
		}
		page, err := call.Do()
		must(t, err)
		for _, c := range page.Changes {
			switch {
			case c.ChangeType == "drive":
			case c.Removed:
				delete(m.files, c.FileId)
			default:
				m.files[c.FileId] = c.File
			}
		}
		next, m.token = page.NextPageToken, page.NewStartPageToken
	}
}

// tree is what the mirror holds below the root and outside of the trash: path and
// content by id. What is below a folder that went needs no change of its own.
func (m *mirror) tree() map[string]string {
	out := map[string]string{}
	for id := range m.files {
		if path, ok := m.path(id); ok && id != m.root {
			out[id] = path + " " + m.files[id].Sha256Checksum
		}
	}
	return out
}

func (m *mirror) path(id string) (string, bool) {
	var names []string
	for id != m.root {
		f := m.files[id]
		if f == nil || f.Trashed || len(f.Parents) == 0 {
			return "", false
		}
		names = append(names, f.Name)
		id = f.Parents[0]
	}
	slices.Reverse(names)
	return strings.Join(names, "/"), true
}

// world is the tree that a property test changes.
type world struct {
	s       *gdrive.Server
	roots   []string
	folders []string
	items   []string // folders included
	n       int
}

func (w *world) name() string {
	w.n++
	return fmt.Sprint("n", w.n)
}

// gone forgets what was deleted with an item.
func (w *world) gone() {
	there := map[string]gdrive.Node{}
	for _, r := range w.roots {
		maps.Copy(there, w.s.Snapshot(r))
	}
	keep := func(id string) bool { _, ok := there[id]; return !ok && !slices.Contains(w.roots, id) }
	w.folders = slices.DeleteFunc(w.folders, keep)
	w.items = slices.DeleteFunc(w.items, keep)
}

// below says whether an item is in a folder, or is it.
func (w *world) below(id, folder string) bool {
	for _, r := range w.roots {
		for at, tree := id, w.s.Snapshot(r); ; at = tree[at].Parent {
			if at == folder {
				return true
			}
			if tree[at].Parent == "" {
				break
			}
		}
	}
	return false
}

// Whoever lists once and then follows the log, and treats folders as what is below them,
// knows what a new walk would find. This holds for My Drive and for a shared drive, with
// moves between the two.
func TestALogLeadsToTheTree(t *testing.T) {
	s := gdrive.Start(t)
	rapid.Check(t, func(rt *rapid.T) {
		team := s.SharedDrive("Team", ada)
		top := s.Folder(s.User(ada), "top") // a new one for each run
		w := &world{s: s, roots: []string{top, team}, folders: []string{top, team}}
		for range 4 {
			w.create(rt)
		}
		mine, shared := newMirror(t, s, ada, top, ""), newMirror(t, s, ada, team, team)
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			w.step(rt)
			if rapid.Bool().Draw(rt, "look") {
				mine.follow(t)
				shared.follow(t)
			}
		}
		for _, m := range []*mirror{mine, shared} {
			m.follow(t)
			want := map[string]string{}
			for id, n := range s.Snapshot(m.root) {
				want[id] = n.Path + " " + n.SHA256
			}
			if got := m.tree(); !maps.Equal(got, want) {
				rt.Fatalf("the log leads to %v, there is %v", got, want)
			}
		}
	})
}

func (w *world) create(rt *rapid.T) {
	parent := rapid.SampledFrom(w.folders).Draw(rt, "parent")
	if rapid.Bool().Draw(rt, "folder") {
		id := w.s.Folder(parent, w.name())
		w.folders, w.items = append(w.folders, id), append(w.items, id)
		return
	}
	w.items = append(w.items, w.s.File(parent, w.name(), []byte(w.name())))
}

// step does one thing to the tree. A folder is not moved between drives: what is in it
// has no changes, and a client must walk it.
func (w *world) step(rt *rapid.T) {
	if len(w.items) == 0 {
		w.create(rt)
		return
	}
	id := rapid.SampledFrom(w.items).Draw(rt, "item")
	switch rapid.SampledFrom([]string{"create", "write", "rename", "move", "trash", "delete"}).Draw(rt, "what") {
	case "create":
		w.create(rt)
	case "write":
		if !slices.Contains(w.folders, id) {
			w.s.Write(id, []byte(w.name()))
		}
	case "rename":
		w.s.Rename(id, w.name())
	case "move":
		to := rapid.SampledFrom(w.folders).Draw(rt, "to")
		if w.below(to, id) || slices.Contains(w.folders, id) && w.home(id) != w.home(to) {
			return
		}
		w.s.Move(id, to)
	case "trash":
		w.s.Trash(id)
		w.gone()
	case "delete":
		w.s.Delete(id)
		w.gone()
	}
}

// home is the root an item is below.
func (w *world) home(id string) string {
	for _, r := range w.roots {
		if w.below(id, r) {
			return r
		}
	}
	return ""
}
