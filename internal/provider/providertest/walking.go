package providertest

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// mirror keeps what a feed tells, as its users do: the folders by id, wherever
// they are, and the files that are inside of the scope.
type mirror struct {
	s       *suite
	t       testing.TB
	src     driver.Source
	folders map[string]driver.Item
	outside map[string]bool // folders that Stat does not find
	files   map[string]driver.Item
}

func newMirror(s *suite, t testing.TB) *mirror {
	return &mirror{s: s, t: t, folders: map[string]driver.Item{}, outside: map[string]bool{}, files: map[string]driver.Item{}}
}

// path is the path of an item below the scope; inside is false when a folder
// above it is not there, or out of scope.
func (m *mirror) path(it driver.Item) (path string, inside bool) {
	m.t.Helper()
	path = it.Name
	for up, n := it.Parent, 0; up != ""; n++ {
		if n > 100 {
			m.t.Fatalf("the folders above %q do not end", it.ID)
		}
		f, known := m.folders[up]
		if !known && !m.ask(up) {
			return "", false
		}
		if !known {
			f = m.folders[up]
		}
		path, up = f.Name+"/"+path, f.Parent
	}
	return path, true
}

// ask reads a folder that nobody told of.
func (m *mirror) ask(id string) bool {
	m.t.Helper()
	if m.outside[id] {
		return false
	}
	if m.src == nil {
		m.src = m.s.open(m.t)
	}
	it, err := m.src.Stat(m.t.Context(), m.s.Scope, id)
	if err == nil && it.Folder {
		m.folders[id] = it
		return true
	}
	wantKind(m.t, "Stat of a folder that nobody told of", err, errs.NotFound)
	m.outside[id] = true
	return false
}

// inside reports whether a folder is known and within the scope.
func (m *mirror) inside(id string) bool {
	f, known := m.folders[id]
	if !known {
		return false
	}
	_, inside := m.path(f)
	return inside
}

// apply takes pages: the folders first. What entered with a folder is walked,
// unless the pages are an enumeration's.
func (m *mirror) apply(pages []driver.Page, enumeration bool) {
	m.t.Helper()
	var entered []string
	for _, p := range pages {
		for _, c := range p.Changes {
			was := m.inside(c.Item.ID)
			switch {
			case c.Gone:
				delete(m.folders, c.Item.ID)
				delete(m.files, c.Item.ID)
			case c.Item.Folder:
				m.folders[c.Item.ID] = c.Item
				delete(m.outside, c.Item.ID)
			default:
				m.files[c.Item.ID] = c.Item
			}
			if c.Item.Folder && !was && !enumeration && m.inside(c.Item.ID) {
				entered = append(entered, c.Item.ID)
			}
		}
	}
	for _, id := range entered {
		w, ok := m.s.open(m.t).(driver.Walker)
		if !ok {
			m.t.Fatal("a source with folders and a feed is no Walker")
		}
		m.apply(m.s.walk(m.t, w, id), true)
	}
}

// rels are the paths of the files inside of the scope, sorted.
func (m *mirror) rels() []string {
	m.t.Helper()
	var out []string
	for _, it := range m.files {
		if rel, inside := m.path(it); inside {
			out = append(out, rel)
		}
	}
	slices.Sort(out)
	return out
}

// walk reads all pages of a walk.
func (s *suite) walk(t testing.TB, w driver.Walker, folder string) (out []driver.Page) {
	t.Helper()
	var cur driver.Cursor
	for range 10_000 {
		p, err := w.Walk(t.Context(), s.Scope, folder, cur)
		if err != nil {
			t.Fatalf("Walk, page %d: %v", len(out)+1, err)
		}
		out = append(out, p)
		if len(p.Next) == 0 {
			return out
		}
		cur = p.Next
	}
	t.Fatal("the walk does not end")
	return nil
}

// walker returns the source as a Walker; a source with folders and a feed is one.
func (s *suite) walker(t *testing.T) (driver.Walker, bool) {
	w, ok := s.open(t).(driver.Walker)
	if !ok && s.Folders && s.Feed {
		t.Fatal("a source with folders and a feed has to be a Walker")
	}
	return w, !s.lacks(t, !ok, "Walker")
}

// folder returns the id of a folder that Put made, by its path below the scope.
func (s *suite) folder(t *testing.T, path string) string {
	t.Helper()
	m := newMirror(s, t)
	m.apply(s.pages(t, s.open(t), s.Scope), true)
	for id, f := range m.folders {
		if rel, inside := m.path(f); inside && rel == path {
			return id
		}
	}
	t.Fatalf("the folder %q is not enumerated", path)
	return ""
}

func testWalk(t *testing.T, s *suite) {
	w, ok := s.walker(t)
	if !ok {
		return
	}
	put := []string{"walked/one", "walked/sub/two", "walked/sub/deep/er/three"}
	for i := range s.PageSize {
		put = append(put, "walked/sub/many/"+string(rune('a'+i/26))+string(rune('a'+i%26)))
	}
	for _, n := range append(put, "beside", "other/walked/not") {
		s.Put(t, n, []byte("content of "+n))
	}
	top := s.folder(t, "walked")
	pages := s.walk(t, w, top)
	m := newMirror(s, t)
	m.folders[top] = driver.Item{ID: top, Name: "walked", Folder: true}
	for i, p := range pages {
		for _, c := range p.Changes {
			if c.Gone || c.Item.ID == "" || c.Item.ID == top || c.Item.Name == "" || c.Item.Path != "" {
				t.Errorf("a bad change in a walk: %+v", c)
			}
		}
		if i == 0 {
			continue
		}
		again, err := w.Walk(t.Context(), s.Scope, top, bytes.Clone(pages[i-1].Next))
		if err != nil {
			t.Fatalf("page %d of a walk, asked again: %v", i+1, err)
		}
		if d := cmp.Diff(p.Changes, again.Changes); d != "" {
			t.Errorf("page %d of a walk, asked again, is another one: %s", i+1, d)
		}
	}
	m.apply(pages, true)
	equalNames(t, m.rels(), put)
	for _, f := range []string{"walked/sub", "walked/sub/deep", "walked/sub/many"} {
		if n := len(slices.DeleteFunc(m.paths(), func(p string) bool { return p != f })); n != 1 {
			t.Errorf("the folder %q is walked %d times", f, n)
		}
	}
}

// paths are the paths of the folders.
func (m *mirror) paths() (out []string) {
	for _, f := range m.folders {
		if rel, inside := m.path(f); inside {
			out = append(out, rel)
		}
	}
	return out
}

func testWalkGone(t *testing.T, s *suite) {
	w, ok := s.walker(t)
	if !ok || s.lacks(t, s.MoveOut == nil, "MoveOut") {
		return
	}
	s.Put(t, "f/x", []byte("x"))
	id := s.folder(t, "f")
	s.MoveOut(t, "f")
	_, err := w.Walk(t.Context(), s.Scope, id, nil)
	wantKind(t, "Walk of a folder that has left the scope", err, errs.NotFound)
	if sc := errs.ScopeOf(err); sc != errs.ScopeObject {
		t.Errorf("its scope is %v", sc)
	}
}

// testFeedMoves moves a file and a folder out and in: whoever keeps the folders
// as the contract says has what is inside at any time.
func testFeedMoves(t *testing.T, s *suite) {
	if s.lacks(t, s.MoveOut == nil || s.MoveIn == nil, "MoveOut") {
		return
	}
	all := []string{"keep/file", "leaves/sub/one", "leaves/two", "lone"}
	for _, n := range all {
		s.Put(t, n, []byte("content of "+n))
	}
	src := s.open(t)
	m := newMirror(s, t)
	first := s.pages(t, src, s.Scope)
	m.apply(first, true)
	equalNames(t, m.rels(), all)
	cur := first[len(first)-1].Next
	step := func(what string, want []string) {
		t.Helper()
		clear(m.outside)
		fed := s.follow(t, src, s.Scope, cur)
		cur = fed[len(fed)-1].Next
		m.apply(fed, false)
		if got := m.rels(); !slices.Equal(got, want) {
			t.Errorf("%s: inside are %q, want %q", what, got, want)
		}
	}
	var folder, file string
	for id := range m.folders {
		if m.folders[id].Name == "leaves" {
			folder = id
		}
	}
	for id, it := range m.files {
		if it.Name == "lone" {
			file = id
		}
	}
	s.MoveOut(t, "leaves")
	s.MoveOut(t, "lone")
	step("a folder and a file that left", []string{"keep/file"})
	for _, id := range []string{folder, file} {
		_, err := src.Stat(t.Context(), s.Scope, id)
		wantKind(t, "Stat of what has left the scope", err, errs.NotFound)
	}
	s.MoveIn(t, "leaves")
	s.MoveIn(t, "lone")
	step("both came back", all)

	// A source that was not there meanwhile knows no more than its cursor.
	s.MoveOut(t, "leaves")
	step("the folder left again", []string{"keep/file", "lone"})
	m = newMirror(s, t)
	m.apply(s.pages(t, src, s.Scope), true)
	s.MoveIn(t, "leaves")
	step("a folder that was outside when the scope was enumerated", all)
}
