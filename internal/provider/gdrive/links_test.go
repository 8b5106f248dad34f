package gdrive_test

import (
	"fmt"
	"testing"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

func TestAShortcutToAFileIsTheFile(t *testing.T) {
	s, team, src := robot(t)
	scope := s.Folder(team, "scope")
	target := s.File(s.Folder(team, "outside"), "target.txt", []byte("one"))
	link := s.Shortcut(scope, "link.txt", target)
	doc := s.Shortcut(scope, "plan", s.Document(team, "Plan", "document", map[string][]byte{docx: []byte("exported")}))
	list, last := pages(t, src, scope, nil)
	it := byID(list)[link].Item
	if it.Name != "link.txt" || it.Parent != "" || it.Size != 3 || it.Skip != "" || byID(list)[doc].Item.Name != "plan.docx" {
		t.Errorf("%+v, %+v", it, byID(list)[doc].Item)
	}
	for id, want := range map[string]string{link: "one", doc: "exported"} {
		if got, err := readAll(src, byID(list)[id].Item, 0); got != want || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	}
	if st, err := src.Stat(t.Context(), driver.Scope{Path: scope}, link); err != nil || st.Version != it.Version || st.Name != it.Name {
		t.Errorf("Stat: %+v, %v", st, err)
	}

	s.Write(target, []byte("other content"))
	list, last = pages(t, src, scope, last.Next)
	now := byID(list)[link]
	if now.Item.Version == it.Version || now.Item.Size != 13 || now.Gone {
		t.Errorf("a change of the target is told as %+v", now)
	}
	s.Trash(target)
	list, last = pages(t, src, scope, last.Next)
	if now = byID(list)[link]; now.Item.Skip != "shortcut_dangling" {
		t.Errorf("the end of the target is told as %+v", now)
	}
	s.Restore(target)
	list, last = pages(t, src, scope, last.Next)
	if now = byID(list)[link]; now.Item.Skip != "" {
		t.Errorf("the return of the target is told as %+v", now)
	}
	s.Delete(link)
	s.Write(target, []byte("nobody's"))
	list, _ = pages(t, src, scope, last.Next)
	if !byID(list)[link].Gone {
		t.Errorf("a shortcut that is gone is told as %+v", byID(list)[link])
	}
}

func TestAShortcutToAFolderIsTheFolder(t *testing.T) {
	s, team, src := robot(t)
	scope := s.Folder(team, "scope")
	sub := s.Folder(scope, "sub")
	lib := s.Folder(s.Folder(team, "outside"), "lib")
	deep := s.File(s.Folder(lib, "deep"), "deep.txt", []byte("deep"))
	s.File(lib, "lib.txt", nil)
	link := s.Shortcut(sub, "Library", lib)
	twin := s.Shortcut(scope, "Twin", lib)
	s.Shortcut(lib, "back", scope) // a loop
	s.Shortcut(scope, "within", sub)
	dead := s.File(team, "dead", nil)
	s.Shortcut(scope, "dangling", dead)
	s.Delete(dead)
	list, last := pages(t, src, scope, nil)
	want := map[string]string{
		"sub/Library/deep/deep.txt": "", "sub/Library/lib.txt": "", "sub/Library/back": "shortcut_loop",
		"Twin": "shortcut_duplicate", "within": "shortcut_in_scope", "dangling": "shortcut_dangling",
	}
	if byID(list)[twin].Item.Skip == "" { // either may be met first
		want = map[string]string{
			"Twin/deep/deep.txt": "", "Twin/lib.txt": "", "Twin/back": "shortcut_loop",
			"sub/Library": "shortcut_duplicate", "within": "shortcut_in_scope", "dangling": "shortcut_dangling",
		}
		link, twin = twin, link
	}
	equal(t, "at first", paths(list), want)
	if st, err := src.Stat(t.Context(), driver.Scope{Path: scope}, deep); err != nil || st.Name != "deep.txt" {
		t.Errorf("Stat of what is behind a shortcut: %+v, %v", st, err)
	}
	if st, err := src.Stat(t.Context(), driver.Scope{Path: scope}, lib); err != nil || st.Parent != byID(list)[lib].Item.Parent || st.Name != byID(list)[lib].Item.Name {
		t.Errorf("Stat of the folder: %+v, %v", st, err)
	}

	// The folder has another name now, and another one above it: it stays where the shortcut is.
	s.Rename(lib, "library")
	s.Move(lib, team)
	fresh := s.File(lib, "fresh.txt", nil)
	list, last = pages(t, src, scope, last.Next)
	if l := byID(list)[lib]; l.Gone || l.Item.Parent == team || l.Item.Name == "library" || byID(list)[fresh].Item.Parent != lib {
		t.Errorf("%+v, %+v", l, byID(list)[fresh])
	}
	s.Rename(link, "Books")
	list, last = pages(t, src, scope, last.Next)
	if l := byID(list)[lib]; l.Item.Name != "Books" {
		t.Errorf("a shortcut's new name: %+v", l)
	}
	// Another shortcut to it takes over.
	s.Trash(link)
	list, last = pages(t, src, scope, last.Next)
	if l := byID(list)[lib]; l.Gone || !l.Item.Folder || l.Item.Name == "Books" {
		t.Errorf("after the first shortcut was deleted: %+v", l)
	}
	s.Delete(twin)
	list, last = pages(t, src, scope, last.Next)
	if l := byID(list)[lib]; !l.Gone {
		t.Errorf("without a shortcut: %+v", l)
	}
	_, err := src.Stat(t.Context(), driver.Scope{Path: scope}, deep)
	fails(t, "Stat", err, errs.NotFound, ofObject, "")
	// In the scope it is itself again.
	again := s.Shortcut(scope, "Again", lib)
	_, last = pages(t, src, scope, last.Next)
	s.Move(lib, sub)
	list, _ = pages(t, src, scope, last.Next)
	if l := byID(list)[lib]; l.Gone || l.Item.Parent != sub || l.Item.Name != "library" {
		t.Errorf("moved into the scope: %+v (the shortcut %s)", l, again)
	}
}

// A drive that is listed whole has the folder of a shortcut only if it is elsewhere.
func TestAShortcutToAnotherDrive(t *testing.T) {
	s, team, src := robot(t)
	other := s.SharedDrive("Other", account)
	lib := s.Folder(other, "lib")
	s.File(s.Folder(lib, "deep"), "file", nil)
	s.Shortcut(team, "Library", lib)
	own := s.Folder(team, "own")
	s.Shortcut(team, "Own", own)
	s.File(own, "mine", nil)
	list, _ := pages(t, src, team, nil)
	equal(t, "shared drive", paths(list), map[string]string{"Library/deep/file": "", "Own": "shortcut_in_scope", "own/mine": ""})
}

func TestWalkFollowsShortcuts(t *testing.T) {
	s, team, src := robot(t)
	scope := s.Folder(team, "scope")
	comes := s.Folder(team, "comes")
	lib := s.Folder(team, "lib")
	s.File(lib, "file", nil)
	s.Shortcut(comes, "Library", lib)
	_, last := pages(t, src, scope, nil)
	s.Move(comes, scope)
	list, last := pages(t, src, scope, last.Next)
	p, err := src.(driver.Walker).Walk(t.Context(), driver.Scope{Path: scope}, comes, nil)
	if err != nil {
		t.Fatal(err)
	}
	for all := p; all.More; {
		if all, err = src.(driver.Walker).Walk(t.Context(), driver.Scope{Path: scope}, comes, all.Next); err != nil {
			t.Fatal(err)
		}
		p.Changes = append(p.Changes, all.Changes...)
	}
	equal(t, "walked", paths(append(list, p.Changes...)), map[string]string{"comes/Library/file": ""})
	// From now on the feed knows of the shortcut.
	_, last = pages(t, src, scope, last.Next)
	s.Rename(lib, "renamed")
	list, _ = pages(t, src, scope, last.Next)
	if l := byID(list)[lib]; l.Item.Parent != comes || l.Item.Name != "Library" {
		t.Errorf("%+v", l)
	}
}

func TestShortcutsAreBounded(t *testing.T) {
	s, team, src := robot(t)
	scope := s.Folder(team, "scope")
	target := s.File(team, "target", nil)
	for i := range 600 {
		s.Shortcut(scope, fmt.Sprint(i), target)
	}
	list, last := pages(t, src, scope, nil)
	followed, left := 0, 0
	for _, skip := range paths(list) {
		switch skip {
		case "":
			followed++
		case "too_many_shortcuts":
			left++
		}
	}
	if followed != 500 || left != 100 {
		t.Errorf("%d are followed, %d are left out", followed, left)
	}
	if len(last.Next) > 1<<17 {
		t.Errorf("the cursor has %d bytes", len(last.Next))
	}
}

// Shortcuts beside the scope are nobody's: they take no place among those that are
// followed, and nothing is put where they are.
func TestShortcutsOutsideAreNotFollowed(t *testing.T) {
	s, team, src := robot(t)
	scope, outside := s.Folder(team, "scope"), s.Folder(team, "outside")
	lib := s.Folder(team, "lib")
	file := s.File(lib, "file", nil)
	_, last := pages(t, src, scope, nil)
	var links []string
	for i := range 20 {
		links = append(links, s.Shortcut(outside, fmt.Sprint(i), lib))
	}
	before := len(last.Next)
	list, last := pages(t, src, scope, last.Next)
	if !byID(list)[links[0]].Gone || len(last.Next) > before+50 {
		t.Errorf("%+v, and the cursor has %d bytes after %d", byID(list)[links[0]], len(last.Next), before)
	}
	s.Move(links[0], scope)
	list, last = pages(t, src, scope, last.Next)
	if l := byID(list)[lib]; l.Item.Parent != "" || l.Item.Name != "0" {
		t.Errorf("a shortcut that came in: %+v", l)
	}
	s.Move(links[0], outside)
	list, _ = pages(t, src, scope, last.Next)
	if !byID(list)[lib].Gone {
		t.Errorf("a shortcut that left: %+v", byID(list)[lib])
	}
	_, err := src.Stat(t.Context(), driver.Scope{Path: scope}, file)
	fails(t, "Stat", err, errs.NotFound, ofObject, "")
}
