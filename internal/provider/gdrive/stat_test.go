package gdrive_test

import (
	"testing"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// TestStatBehindAShortcutAfterARestart: a dead letter is retried, and a deletion
// confirmed, before a source has read any page. What stands behind a shortcut is
// there all the same.
func TestStatBehindAShortcutAfterARestart(t *testing.T) {
	s, team, src := robot(t)
	scope := s.Folder(team, "scope")
	sub := s.Folder(scope, "sub")
	outside := s.Folder(team, "outside")
	lib := s.Folder(outside, "lib")
	deep := s.File(s.Folder(lib, "deep"), "deep.txt", []byte("deep"))
	nested := s.Folder(outside, "nested")
	deeper := s.File(nested, "deeper.txt", []byte("deeper"))
	s.Shortcut(lib, "Nested", nested)
	beside := s.File(outside, "beside.txt", nil)
	other := s.Folder(team, "other")
	far := s.File(other, "far.txt", nil)
	s.Shortcut(outside, "in no scope", other)
	s.Shortcut(other, "a loop", outside)
	s.Shortcut(sub, "Library", lib)
	list, _ := pages(t, src, scope, nil)
	at := driver.Scope{Path: scope}

	fresh := func() driver.Source { return open(t, s, serviceAccount(t, s)) }
	for _, id := range []string{deep, lib, deeper, nested} {
		st, err := fresh().Stat(t.Context(), at, id)
		if want := byID(list)[id].Item; err != nil || st.Name != want.Name || st.Parent != want.Parent {
			t.Errorf("Stat: %+v, %v; want %+v", st, err, want)
		}
	}
	for _, id := range []string{beside, far} {
		_, err := fresh().Stat(t.Context(), at, id)
		fails(t, "Stat of what is beside the scope", err, errs.NotFound, errs.ScopeObject, "")
	}
}
