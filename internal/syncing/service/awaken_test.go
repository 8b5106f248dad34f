package service_test

import (
	"testing"
	"time"

	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/syncing"
)

// TestAConnectionThatIsNotActive refuses a trigger at once, rather than leaving
// it open, and has its syncs run at once when it is active again.
func TestAConnectionThatIsNotActive(t *testing.T) {
	f := setUp(t)
	sy := f.create(t, "media")
	set := func(s connection.Status) {
		if _, err := f.Store.Connections().Update(t.Context(), f.org, f.conn.ID, func(c *connection.Connection) error { c.Status = s; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range []connection.Status{connection.Suspended, connection.Failed, connection.Archived} {
		set(s)
		if _, err := f.Trigger(t.Context(), f.org, actor, f.b.ID, sy.ID); !errs.Is(err, errs.Conflict) {
			t.Errorf("%s: %v", s, err)
		}
	}
	if _, err := f.Store.Syncs().Update(t.Context(), f.org, sy.ID, func(s *syncing.Sync) error { s.WaitForConnection(f.now); return nil }); err != nil {
		t.Fatal(err)
	}
	set(connection.Active)
	f.now = f.now.Add(time.Second)
	wakes := f.wakes
	f.Awaken(t.Context(), f.org, f.conn.ID)
	if got, err := f.Get(t.Context(), f.org, f.b.ID, sy.ID); err != nil || !got.NextSyncAt.Equal(f.now) || f.wakes == wakes {
		t.Errorf("%v, due at %v", err, got.NextSyncAt)
	}
}
