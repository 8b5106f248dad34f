package sqlite_test

import (
	"fmt"
	"testing"
	"time"

	"mooring/internal/connection"
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
