package gdrive_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	emulator "mooring/emulator/gdrive"
	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// filled makes a folder with files in folders, and returns where they are.
func filled(s *emulator.Server, parent string) (top string, files map[string]string) {
	top, files = s.Folder(parent, "Top"), map[string]string{}
	for i := range 30 {
		f := s.Folder(top, fmt.Sprintf("f%02d", i))
		if i%3 > 0 { // some are empty
			s.File(f, "file", []byte("x"))
			files[fmt.Sprintf("f%02d/file", i)] = ""
		}
	}
	s.File(top, "beside", nil)
	files["beside"] = ""
	return top, files
}

func equal(t testing.TB, what string, got, want map[string]string) {
	t.Helper()
	for p, skip := range want {
		if have, ok := got[p]; !ok || have != skip {
			t.Errorf("%s: %q is missing, or skipped as %q, want %q", what, p, have, skip)
		}
	}
	for p := range got {
		if _, ok := want[p]; !ok {
			t.Errorf("%s: %q is too much", what, p)
		}
	}
}

// TestListsThatMisbehave has what Drive is known to do to lists.
func TestListsThatMisbehave(t *testing.T) {
	several := func(r emulator.Request) bool { return strings.Contains(r.Query.Get("q"), " or ") }
	for name, f := range map[string]emulator.Fault{
		"empty pages":             {Times: 5, Action: emulator.EmptyPage()},
		"an entry twice":          {Action: emulator.DuplicateEntries()},
		"overlapping pages":       {Action: emulator.Do(emulator.ListAtMost(3), emulator.OverlapPages())},
		"another order":           {Action: emulator.ReverseOrder()},
		"short pages":             {Action: emulator.ListAtMost(2)},
		"folders left out":        {Match: emulator.Match{If: several}, Action: emulator.ListCutOff(0)},
		"several show only some":  {Match: emulator.Match{If: several}, Action: emulator.Do(emulator.ListAtMost(100), emulator.DuplicateEntries())},
		"tokens that are no good": {Match: emulator.Match{If: func(r emulator.Request) bool { return r.Query.Get("pageToken") != "" }}, Times: 3, Action: emulator.InvalidPageToken()},
	} {
		for _, whole := range []bool{false, true} {
			s, team, src := robot(t, emulator.Options{PageSize: 5})
			scope, want := filled(s, team)
			if whole {
				scope = team
				moved := map[string]string{}
				for p := range want {
					moved["Top/"+p] = ""
				}
				want = moved
			}
			if len(f.Match.Operations) == 0 {
				f.Match.Operations = []emulator.Operation{emulator.FilesList}
			}
			if name == "folders left out" && whole {
				continue
			}
			if name == "folders left out" {
				f.Action = emulator.Do(emulator.EmptyPage(), emulator.ListCutOff(1))
			}
			s.Inject(f)
			list, last := pages(t, src, scope, nil)
			equal(t, fmt.Sprint(name, ", whole drive ", whole), paths(list), want)
			if !last.Feed || !last.Snapshot || len(last.Next) == 0 {
				t.Errorf("%s: the last page is %+v", name, last)
			}
		}
	}
}

func TestAnIncompleteListSaysSo(t *testing.T) {
	for _, whole := range []bool{false, true} {
		s, team, src := robot(t, emulator.Options{PageSize: 5})
		scope, _ := filled(s, team)
		if whole {
			scope = team
		}
		s.Inject(emulator.Fault{Match: emulator.On(emulator.FilesList), Nth: 2, Action: emulator.IncompleteSearch()})
		incomplete := 0
		for cur, more := driver.Cursor(nil), true; more; {
			p, err := src.Changes(t.Context(), driver.Scope{Path: scope}, cur)
			if err != nil {
				t.Fatal(err)
			}
			if p.Incomplete {
				incomplete++
			}
			cur, more = p.Next, p.More
		}
		if incomplete != 1 {
			t.Errorf("%d pages say that they are incomplete", incomplete)
		}
	}
}

// A folder that is deleted between its listing and that of what is in it must not
// end the enumeration, and its neighbours must be there.
func TestAFolderThatGoesMeanwhile(t *testing.T) {
	s, team, src := robot(t)
	scope, want := filled(s, team)
	var goes string
	for id, n := range s.Snapshot(scope) {
		if n.Path == "f01" {
			goes = id
		}
	}
	delete(want, "f01/file")
	s.Inject(emulator.Fault{Match: emulator.Match{Operations: []emulator.Operation{emulator.FilesList}, If: func(r emulator.Request) bool {
		return strings.Contains(r.Query.Get("q"), goes)
	}}, Times: 1, Action: emulator.Run(func() { s.Delete(goes) })})
	list, last := pages(t, src, scope, nil)
	fed, _ := pages(t, src, scope, last.Next)
	equal(t, "afterwards", paths(append(list, fed...)), want)
}

// A folder that can't be seen any more is not one that is empty.
func TestAScopeThatGoesMeanwhile(t *testing.T) {
	s, team, src := robot(t)
	scope, _ := filled(s, team)
	s.Inject(emulator.Fault{Match: emulator.On(emulator.FilesList), Nth: 1, Action: emulator.Run(func() { s.RemoveMember(team, account) })})
	_, err := src.Changes(t.Context(), driver.Scope{Path: scope}, nil)
	fails(t, "no longer a member", err, errs.NotFound, ofPath, "notFound")
}

func TestVeryWideFoldersAreListedFlat(t *testing.T) {
	s, team, src := robot(t)
	scope := s.Folder(team, "Wide")
	want := map[string]string{}
	for i := range 6000 {
		f := s.Folder(scope, fmt.Sprintf("%04d", i))
		if i%100 == 0 {
			s.File(f, "file", nil)
			want[fmt.Sprintf("%04d/file", i)] = ""
		}
	}
	s.File(team, "not in it", nil)
	largest := 0
	var list []driver.Change
	for cur, more := driver.Cursor(nil), true; more; {
		p, err := src.Changes(t.Context(), driver.Scope{Path: scope}, cur)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, p.Changes...)
		cur, more = p.Next, p.More
		largest = max(largest, len(cur))
	}
	got := paths(list)
	equal(t, "wide", got, want)
	if largest > 1<<19 {
		t.Errorf("the cursor has %d bytes", largest)
	}
	if n := s.Count(emulator.FilesList); n > 50 {
		t.Errorf("%d lists", n)
	}
}

func TestDeepFoldersAreWalked(t *testing.T) {
	s, team, src := robot(t)
	scope := s.Folder(team, "Deep")
	at, path := scope, ""
	for range 90 {
		at, path = s.Folder(at, "d"), path+"d/"
	}
	s.File(at, "file", nil)
	list, _ := pages(t, src, scope, nil)
	equal(t, "deep", paths(list), map[string]string{path + "file": ""})
}

// What others share with the account is not in its drive.
func TestMyDriveIsWhatIsInIt(t *testing.T) {
	s, team, src := robot(t)
	s.File(s.Folder(s.User(account), "Mine"), "mine", nil)
	owner := s.User("owner@emulator.example")
	shared := s.Folder(owner, "Shared")
	s.Share(shared, account)
	s.File(s.Folder(shared, "sub"), "theirs", nil)
	lone := s.File(owner, "lone", nil)
	s.Share(lone, account)
	s.File(team, "in a shared drive", nil)
	list, last := pages(t, src, "", nil)
	s.File(team, "new in a shared drive", nil)
	s.Write(lone, []byte("changed"))
	fed, _ := pages(t, src, "", last.Next)
	equal(t, "My Drive", paths(append(list, fed...)), map[string]string{"Mine/mine": ""})
	for _, id := range []string{shared, lone} {
		_, err := src.Stat(t.Context(), driver.Scope{}, id)
		fails(t, "Stat of what is shared", err, errs.NotFound, ofObject, "")
	}
	equal(t, "the shared folder by itself", paths(first(pages(t, src, shared, nil))), map[string]string{"sub/theirs": ""})
}

func first[A, B any](a A, _ B) A { return a }

func TestCursorsAreBound(t *testing.T) {
	s, team, src := robot(t, emulator.Options{PageSize: 5})
	scope, _ := filled(s, team)
	other := s.Folder(team, "Other")
	_, last := pages(t, src, scope, nil)
	p, err := src.Changes(t.Context(), driver.Scope{Path: scope}, nil)
	if err != nil {
		t.Fatal(err)
	}
	user := open(t, s, oauth(s, "user@emulator.example"))
	s.AddMember(team, "user@emulator.example")
	colleague := open(t, s, oauth(s, "colleague@emulator.example"))
	s.AddMember(team, "colleague@emulator.example")
	_, of := pages(t, user, scope, nil)
	raw := serviceAccount(t, s)
	raw["export_formats"] = []any{"document=pdf"}
	exporter := open(t, s, raw)
	for name, c := range map[string]struct {
		src   driver.Source
		scope string
		cur   driver.Cursor
	}{
		"of another folder":                        {src, other, last.Next},
		"of another folder, midway":                {src, other, p.Next},
		"of another account":                       {user, scope, last.Next},
		"of another user of the same OAuth client": {colleague, scope, of.Next},
		"with other formats":                       {exporter, scope, last.Next},
		"of another version":                       {src, scope, bytes.Replace(last.Next, []byte(`"v":1`), []byte(`"v":2`), 1)},
		"of another mode":                          {src, scope, bytes.Replace(last.Next, []byte(`"m":"feed"`), []byte(`"m":"x"`), 1)},
	} {
		_, err := c.src.Changes(t.Context(), driver.Scope{Path: c.scope}, c.cur)
		if !errs.Is(err, errs.CursorExpired) {
			t.Errorf("a cursor %s: %v", name, err)
		}
	}
	if !json.Valid(last.Next) {
		t.Error("a cursor is no JSON")
	}
}

func TestAnotherFolderOfThatNameIsAnotherScope(t *testing.T) {
	s, team, _ := robot(t)
	src := open(t, s, serviceAccount(t, s, "shared_drive_id", team))
	old := s.Folder(team, "Reports")
	_, last := pages(t, src, "/Reports", nil)
	s.Rename(old, "Old reports")
	fresh := s.Folder(team, "Reports")
	file := s.File(fresh, "file", nil)
	again := open(t, s, serviceAccount(t, s, "shared_drive_id", team))
	_, err := again.Changes(t.Context(), driver.Scope{Path: "/Reports"}, last.Next)
	if !errs.Is(err, errs.CursorExpired) {
		t.Errorf("%v", err)
	}
	list, _ := pages(t, again, "/Reports", nil)
	if ids := slices.Sorted(keys(byID(list))); !slices.Equal(ids, []string{file}) {
		t.Errorf("%v", ids)
	}
}

func keys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}
