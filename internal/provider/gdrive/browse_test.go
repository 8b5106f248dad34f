package gdrive_test

import (
	"testing"

	emulator "mooring/emulator/gdrive"
	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// browseAll returns what is below a path, by name.
func browseAll(t testing.TB, src driver.Source, path string) map[string]driver.Item {
	t.Helper()
	out, page := map[string]driver.Item{}, ""
	for range 100 {
		l, err := src.Browse(t.Context(), path, page, 7)
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range l.Items {
			out[it.Name] = it
		}
		if page = l.Next; page == "" {
			return out
		}
	}
	t.Fatal("Browse does not end")
	return nil
}

func TestTheTopShowsAllThatCanBeChosen(t *testing.T) {
	s, team, src := robot(t)
	for range 24 {
		s.SharedDrive("Drive "+string(rune('A'+s.Count()%26))+s.SharedDrive("x", account), account)
	}
	mine := s.Folder(s.User(account), "Mine")
	for range 2 {
		s.Folder(s.User(account), "Twice")
	}
	shared := s.Folder(s.User("owner@emulator.example"), "Shared")
	s.Share(shared, account)
	got := browseAll(t, src, "/")
	for name, want := range map[string]string{"Mine": "/Mine", "Team": team, "Shared": shared} {
		if it := got[name]; it.Path != want || !it.Folder {
			t.Errorf("%s is %+v, want the path %s", name, it, want)
		}
	}
	if len(got) < 27 {
		t.Errorf("%d entries", len(got))
	}
	// What is shown can be a scope.
	for _, it := range got {
		if _, err := src.Changes(t.Context(), driver.Scope{Path: it.Path}, nil); err != nil {
			t.Errorf("%s as a scope: %v", it.Path, err)
		}
	}
	limited := open(t, s, serviceAccount(t, s, "shared_drive_id", team))
	s.Folder(team, "Reports")
	if got := browseAll(t, limited, "/"); len(got) != 1 || got["Reports"].Path != "/Reports" {
		t.Errorf("limited to a shared drive: %+v", got)
	}
	_, err := limited.Browse(t.Context(), mine, "", 10)
	fails(t, "elsewhere", err, errs.NotFound, ofPath, "")
}

func TestBrowsePagesOfAnotherListing(t *testing.T) {
	_, team, src := robot(t)
	_, err := src.Browse(t.Context(), team, "made-up", 10)
	if e := errs.From(err); e.Kind != errs.CursorExpired || e.Origin != errs.Ours {
		t.Errorf("%v", err)
	}
	_, err = src.Browse(t.Context(), "not/absolute", "", 10)
	if e := errs.From(err); e.Kind != errs.Invalid || e.Origin != errs.Ours {
		t.Errorf("%v", err)
	}
}

func TestPaths(t *testing.T) {
	s, team, _ := robot(t)
	src := open(t, s, serviceAccount(t, s, "shared_drive_id", team))
	a := s.Folder(team, "A")
	b := s.Folder(a, `it's a "b\"`)
	c := s.Folder(s.Folder(b, "C"), "D")
	s.File(c, "file", nil)
	one, two := s.Folder(a, "twice"), s.Folder(a, "twice")
	s.Folder(s.Folder(team, "C"), "D") // elsewhere
	s.File(a, "no folder", nil)
	trashed := s.Folder(team, "trashed")
	s.Trash(trashed)
	for path, names := range map[string]int{"/A": 3, `/A/it's a "b\"`: 1, `/A/it's a "b\"/C/D`: 1, `/A/it's a "b\"/C/D/`: 1, "/": 2, "": 2, a: 3} {
		if got := browseAll(t, src, path); len(got) != names {
			t.Errorf("%s has %d entries: %v", path, len(got), got)
		}
		before := s.Count()
		if _, err := src.Check(t.Context(), path); err != nil {
			t.Errorf("Check of %s: %v", path, err)
		}
		if n := s.Count() - before; n > 3 {
			t.Errorf("Check of %s took %d requests", path, n)
		}
	}
	for path, kind := range map[string]errs.Kind{
		"/A/B": errs.NotFound, "/a": errs.NotFound, "/A/no folder": errs.NotFound, "/A/C/D": errs.NotFound, "/trashed": errs.NotFound, trashed: errs.NotFound,
		"1NoSuchFolder": errs.NotFound, "A/B": errs.Invalid, "no id": errs.Invalid,
	} {
		_, err := src.Check(t.Context(), path)
		if errs.KindOf(err) != kind || errs.ScopeOf(err) != ofPath {
			t.Errorf("Check of %q: %v of %q: %v", path, errs.KindOf(err), errs.ScopeOf(err), err)
		}
	}
	_, err := src.Check(t.Context(), "/A/twice")
	if !errs.Is(err, errs.Invalid) {
		t.Errorf("%v", err)
	}
	contains(t, err, one)
	contains(t, err, two)
}

func TestCheck(t *testing.T) {
	s, team, src := robot(t)
	r, err := src.Check(t.Context(), "")
	if err != nil || r.Details["account"] != account {
		t.Errorf("%+v, %v", r, err)
	}
	gone := open(t, s, serviceAccount(t, s, "shared_drive_id", "0ANoSuchDrive"))
	_, err = gone.Check(t.Context(), "")
	fails(t, "the configured drive is gone", err, errs.NotFound, ofConnection, "notFound")
	alone := s.Folder(s.SharedDrive("Other", "owner@emulator.example"), "alone")
	s.Share(alone, account)
	for _, path := range []string{"", team, s.Folder(team, "f"), alone} {
		fresh := open(t, s, serviceAccount(t, s))
		before := s.Count()
		if _, err := fresh.Check(t.Context(), path); err != nil {
			t.Errorf("%q: %v", path, err)
		}
		if n := s.Count() - before; n > 3 {
			t.Errorf("%q took %d requests, the token's included", path, n)
		}
	}
}

func TestAttributes(t *testing.T) {
	s, team, src := robot(t)
	s.Share(s.User("reader@emulator.example"), account)
	file := s.File(team, "file.txt", []byte("content"))
	s.SetProperties(file, map[string]string{"project": "apollo", "name": "not the name"})
	s.Star(file, true)
	link := s.Shortcut(team, "link", file)
	list, _ := pages(t, src, team, nil)
	at := src.(driver.Attributer)
	for _, id := range []string{file, link} {
		before := s.Count(emulator.PermissionsList)
		a, err := at.Attributes(t.Context(), byID(list)[id].Item, driver.Want{Properties: true})
		if err != nil {
			t.Fatal(err)
		}
		for k, want := range map[string]any{"project": "apollo", "name": "file.txt", "size": int64(7), "starred": true, "trashed": false} {
			if a.Properties[k] != want {
				t.Errorf("%s is %v", k, a.Properties[k])
			}
		}
		if _, there := a.Properties["permissions"]; there || s.Count(emulator.PermissionsList) != before {
			t.Error("permissions were asked for")
		}
		a, err = at.Attributes(t.Context(), byID(list)[id].Item, driver.Want{Permissions: true})
		if l, ok := a.Properties["permissions"].([]any); err != nil || !ok || len(l) == 0 {
			t.Errorf("permissions are %v, %v", a.Properties["permissions"], err)
		}
	}
	s.Inject(emulator.Fault{Match: emulator.On(emulator.PermissionsList), Action: emulator.Forbidden()})
	for range 2 {
		a, err := at.Attributes(t.Context(), byID(list)[file].Item, driver.Want{Permissions: true})
		if _, there := a.Properties["permissions"]; there || err != nil {
			t.Errorf("who may not know is told %v, %v", a.Properties, err)
		}
	}
}
