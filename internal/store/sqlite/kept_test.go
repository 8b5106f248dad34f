package sqlite_test

import (
	"fmt"
	"testing"
	"time"

	"mooring/internal/access"
	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store/sqlite"
)

// A count that is kept is never older than the last write that was answered.
func TestKeptCountsFollowWrites(t *testing.T) {
	s, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	org := id.NewOrg()
	counted := func(f connection.Filter) int64 {
		t.Helper()
		var n int64
		for range 2 { // the second is the kept one
			if n, err = s.Connections().Count(t.Context(), org, f); err != nil {
				t.Fatal(err)
			}
		}
		return n
	}
	active, failed := connection.Filter{Status: connection.Active}, connection.Filter{Status: connection.Failed}
	if n := counted(connection.Filter{}); n != 0 {
		t.Errorf("a new store has %d", n)
	}
	for n := range int64(5) {
		c, err := s.Connections().Insert(t.Context(), org, connection.Connection{
			ID: id.NewConnection(), Name: fmt.Sprint("c", n), Provider: "s3", Status: connection.Active, CreatedAt: time.Now(),
		})
		if err != nil {
			t.Fatal(err)
		}
		if all, up, down := counted(connection.Filter{}), counted(active), counted(failed); all != n+1 || up != 1 || down != n {
			t.Errorf("after an insert: %d, %d active, %d failed", all, up, down)
		}
		if _, err := s.Connections().Update(t.Context(), org, c.ID, func(c *connection.Connection) error {
			c.Status = connection.Failed
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if all, up, down := counted(connection.Filter{}), counted(active), counted(failed); all != n+1 || up != 0 || down != n+1 {
			t.Errorf("after an update: %d, %d active, %d failed", all, up, down)
		}
	}
	if n, err := s.Connections().Count(t.Context(), id.NewOrg(), connection.Filter{}); err != nil || n != 0 {
		t.Errorf("another organization has %d, %v", n, err)
	}
}

// A key that is kept is never older than the last write that was answered: who
// revokes one may rely on it.
func TestKeptKeysFollowWrites(t *testing.T) {
	s, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	found := func(hash string) (k access.APIKey, err error) {
		for range 2 { // the second is the kept one
			k, err = s.System().KeyByHash(t.Context(), hash)
		}
		return k, err
	}
	if _, err := found("h"); !errs.Is(err, errs.NotFound) {
		t.Errorf("a key that nobody has made: %v", err)
	}
	k, err := s.APIKeys().Insert(t.Context(), id.NewOrg(), access.APIKey{ID: id.NewAPIKey(), Hash: "h", Status: access.KeyActive, CreatedAt: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := found("h"); err != nil || got.Status != access.KeyActive {
		t.Errorf("a new key: %v, %v", got.Status, err)
	}
	if _, err := s.APIKeys().Update(t.Context(), k.Org, k.ID, func(k *access.APIKey) error {
		k.Status = access.KeyRevoked
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got, err := found("h"); err != nil || got.Status != access.KeyRevoked {
		t.Errorf("a revoked key: %v, %v", got.Status, err)
	}
}
