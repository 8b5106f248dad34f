package gdrive_test

import (
	"testing"

	emulator "mooring/emulator/gdrive"
	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// fed is what the feed tells after some changes, by id.
func fed(t testing.TB, src driver.Source, scope string, do func()) map[string]driver.Change {
	t.Helper()
	_, last := pages(t, src, scope, nil)
	do()
	list, end := pages(t, src, scope, last.Next)
	if end.Snapshot || end.Ordered || !end.Feed || len(end.Next) == 0 {
		t.Errorf("a page of a feed is %+v", end)
	}
	return byID(list)
}

func TestWhatTheFeedTells(t *testing.T) {
	s, team, src := robot(t)
	scope := s.Folder(team, "Top")
	sub, elsewhere := s.Folder(scope, "sub"), s.Folder(team, "elsewhere")
	file := func(parent, name string) string { return s.File(parent, name, []byte(name)) }
	edited, renamed, trashed, deleted, restored := file(scope, "edited"), file(sub, "renamed"), file(scope, "trashed"), file(scope, "deleted"), file(scope, "restored")
	out, in, never := file(scope, "out"), file(elsewhere, "in"), file(elsewhere, "never")
	folder, below := s.Folder(scope, "folder"), ""
	below = file(folder, "below")
	left := file(scope, "left")
	s.Trash(restored)
	got := fed(t, src, scope, func() {
		s.Write(edited, []byte("new"))
		s.Rename(renamed, "name")
		s.Trash(trashed)
		s.Delete(deleted)
		s.Restore(restored)
		s.Move(out, elsewhere)
		s.Move(in, scope)
		s.Write(never, []byte("new"))
		s.Trash(folder)
		s.Move(left, s.User(account))
	})
	for name, c := range map[string]struct {
		id, parent string
		gone       bool
	}{
		"edited": {edited, "", false}, "renamed": {renamed, sub, false}, "trashed": {trashed, "", true}, "deleted": {deleted, "", true},
		"restored": {restored, "", false}, "moved out": {out, elsewhere, false}, "moved in": {in, "", false},
		"never inside": {never, elsewhere, false}, "trashed folder": {folder, "", true}, "left the drive": {left, "", true},
	} {
		ch, told := got[c.id]
		if !told || ch.Gone != c.gone || !c.gone && ch.Item.Parent != c.parent {
			t.Errorf("%s: %+v, told %v", name, ch, told)
		}
	}
	if _, told := got[below]; told || !got[folder].Item.Folder {
		t.Error("a folder's change is not told once for all below it")
	}
}

// What becomes of the scope itself is an error, and no deletion of all in it.
func TestTheEndOfTheScope(t *testing.T) {
	for name, c := range map[string]struct {
		folder bool // the scope is a folder of the drive
		end    func(s *emulator.Server, team, scope string)
		code   string
	}{
		"trashed":                {true, func(s *emulator.Server, _, scope string) { s.Trash(scope) }, "trashed"},
		"deleted":                {true, func(s *emulator.Server, _, scope string) { s.Delete(scope) }, "notFound"},
		"drive left":             {false, func(s *emulator.Server, team, _ string) { s.RemoveMember(team, account) }, "notFound"},
		"drive left, folder":     {true, func(s *emulator.Server, team, _ string) { s.RemoveMember(team, account) }, "notFound"},
		"drive deleted":          {false, func(s *emulator.Server, team, _ string) { s.DeleteDrive(team) }, "notFound"},
		"a folder above trashed": {true, nil, "trashed"},
	} {
		for _, fresh := range []bool{false, true} { // whether the source has known the scope before
			s, team, src := robot(t)
			above := s.Folder(team, "above")
			scope := s.Folder(above, "scope")
			if !c.folder {
				scope = team
			}
			file := s.File(scope, "file", nil)
			_, last := pages(t, src, scope, nil)
			switch {
			case c.end != nil:
				c.end(s, team, scope)
			case fresh:
				s.Trash(above)
			default:
				continue // it takes a minute to be seen, and nothing is told of what is below
			}
			if fresh {
				src = open(t, s, serviceAccount(t, s))
			}
			_, err := src.Changes(t.Context(), driver.Scope{Path: scope}, last.Next)
			fails(t, name, err, errs.NotFound, ofPath, errs.From(err).Code)
			_, err = src.Stat(t.Context(), driver.Scope{Path: scope}, file)
			fails(t, name+": Stat", err, errs.NotFound, ofPath, c.code)
		}
	}
}

// In the log of an account the end of a shared drive is told as such, before or
// after what is in it.
func TestTheDriveOfASharedFolderIsRemoved(t *testing.T) {
	s := emulator.Start(t)
	team := s.SharedDrive("Team", "owner@emulator.example")
	scope := s.Folder(team, "scope")
	s.Share(scope, account)
	s.File(scope, "file", nil)
	src := open(t, s, serviceAccount(t, s))
	_, last := pages(t, src, scope, nil)
	s.AddMember(team, account)
	s.Unshare(scope, account)
	s.RemoveMember(team, account)
	_, err := src.Changes(t.Context(), driver.Scope{Path: scope}, last.Next)
	if k, at := errs.KindOf(err), errs.ScopeOf(err); k != errs.NotFound || at != ofPath {
		t.Errorf("%v of %q: %v", k, at, err)
	}
}

func TestUnsharedItemsAreGone(t *testing.T) {
	s := emulator.Start(t)
	src := open(t, s, serviceAccount(t, s))
	root := s.User("owner@emulator.example")
	scope, private := s.Folder(root, "scope"), s.Folder(root, "private")
	s.Share(scope, account)
	moved, back := s.File(scope, "moved", nil), s.File(private, "back", nil)
	got := fed(t, src, scope, func() {
		s.Move(moved, private)
		s.Move(back, scope)
	})
	if !got[moved].Gone || got[back].Gone || got[back].Item.Parent != "" {
		t.Errorf("%+v, %+v", got[moved], got[back])
	}
	_, err := src.Stat(t.Context(), driver.Scope{Path: scope}, moved)
	fails(t, "Stat", err, errs.NotFound, ofObject, "notFound")
}

func TestADeadChangesToken(t *testing.T) {
	s, team, src := robot(t)
	_, last := pages(t, src, team, nil)
	for _, a := range []emulator.Action{emulator.InvalidPageToken(), emulator.Reply(emulator.Error{Status: 410, Reason: "gone"})} {
		s.Inject(emulator.Fault{Match: emulator.On(emulator.ChangesList), Times: 1, Action: a})
		_, err := src.Changes(t.Context(), driver.Scope{Path: team}, last.Next)
		if !errs.Is(err, errs.CursorExpired) {
			t.Errorf("%v", err)
		}
	}
}

func TestEmptyPagesOfChanges(t *testing.T) {
	s, team, src := robot(t)
	_, last := pages(t, src, team, nil)
	id := s.File(team, "new", nil)
	s.Inject(emulator.Fault{Match: emulator.On(emulator.ChangesList), Times: 3, Action: emulator.EmptyPage()})
	list, _ := pages(t, src, team, last.Next)
	if _, told := byID(list)[id]; !told {
		t.Error("what comes after empty pages is not told")
	}
}

// The start token is taken before the walk: what changes during it is told.
func TestTheStartTokenComesFirst(t *testing.T) {
	s, team, src := robot(t, emulator.Options{PageSize: 2})
	scope := s.Folder(team, "Top")
	for range 6 {
		s.File(s.Folder(scope, "f"), "file", nil)
	}
	late := s.File(scope, "late", []byte("x"))
	var fresh string
	s.Inject(emulator.Fault{Match: emulator.On(emulator.FilesList), Nth: 1, Action: emulator.Run(func() {
		fresh = s.File(scope, "fresh", nil)
		s.Delete(late)
	})})
	list, last := pages(t, src, scope, nil)
	after, _ := pages(t, src, scope, last.Next)
	got := byID(append(list, after...))
	if got[fresh].Gone || got[fresh].Item.ID == "" || !got[late].Gone {
		t.Errorf("%+v, %+v", got[fresh], got[late])
	}
}
