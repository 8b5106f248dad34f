package sqlite_test

import (
	"testing"

	"mooring/csfle"
	"mooring/csfle/vaulttest"
	"mooring/internal/store/sqlite"
)

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

func TestKeyVault(t *testing.T) {
	vaulttest.Run(t, func(t *testing.T) csfle.KeyVault { return open(t, t.TempDir()).KeyVault() })
}
