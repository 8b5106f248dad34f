package sqlite_test

import (
	"testing"

	"mooring/internal/store/sqlite"
	"mooring/internal/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Harness { return harness(t, t.TempDir()) })
}

func harness(t *testing.T, dir string) storetest.Harness {
	s := open(t, dir)
	return storetest.Harness{Store: s, System: s.System(), Reopen: func(t *testing.T) storetest.Harness {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return harness(t, dir)
	}}
}

func open(t *testing.T, dir string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
