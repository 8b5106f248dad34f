package sqlite

import (
	"testing"
	"time"

	"mooring/internal/connection"
	"mooring/internal/id"
)

// TestAUseShowsAtOnce: only the writing of it is held back.
func TestAUseShowsAtOnce(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s, err := Open(t.Context(), Options{Dir: t.TempDir(), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	org := id.NewOrg()
	c, err := s.Connections().Insert(t.Context(), org, connection.Connection{ID: id.NewConnection(), Org: org, Name: "c", Status: connection.Active, CreatedAt: now, UpdatedAt: now})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Connections().Touch(t.Context(), org, c.ID); err != nil {
		t.Fatal(err)
	}
	got, err := s.Connections().Get(t.Context(), org, c.ID)
	if err != nil || got.LastUsedAt == nil || !got.LastUsedAt.Equal(now) || got.Revision != c.Revision {
		t.Errorf("got %+v, %v", got, err)
	}
}
