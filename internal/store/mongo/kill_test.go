//go:build mongo

package mongo

import (
	"slices"
	"sync"
	"testing"
	"time"

	"mooring/internal/audit"
	"mooring/internal/connection"
	"mooring/internal/id"
	"mooring/test/mongoserver"
)

// A server that is killed amid writes and comes back has all that was
// acknowledged, and the trail tells of each record once, without gaps.
func TestAKilledServerLosesNothingAcknowledged(t *testing.T) {
	const writers, enough = 4, 120
	server, err := mongoserver.Start(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Kill() })
	s := open(t, server.URI("killed")+"?serverSelectionTimeoutMS=2000")
	org := id.NewOrg()
	var mu sync.Mutex
	var kept []id.Connection
	var running sync.WaitGroup
	full := sync.OnceFunc(server.Kill)
	for range writers {
		running.Go(func() {
			for {
				c := connection.Connection{ID: id.NewConnection(), Provider: "s3", Status: connection.Active, CreatedAt: time.Now(), UpdatedAt: time.Now()}
				c.Name = string(c.ID) + " name"
				c.Outbox.Note(time.Now(), audit.System(), audit.ConnectionCreated, audit.StorageConnection, string(c.ID), true, nil)
				if _, err := s.Connections().Insert(t.Context(), org, c); err != nil {
					return
				}
				mu.Lock()
				kept = append(kept, c.ID)
				n := len(kept)
				mu.Unlock()
				if n >= enough {
					full()
				}
			}
		})
	}
	running.Wait()
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	for _, c := range kept {
		if _, err := s.Connections().Get(t.Context(), org, c); err != nil {
			t.Fatalf("%s was acknowledged: %v", c, err)
		}
	}
	for {
		n, err := s.System().Relay(t.Context(), 100)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
	}
	entries, err := s.Audit().Scan(t.Context(), org, 0, 10*enough)
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]int{}
	for i, e := range entries {
		told[e.ResourceID]++
		if e.Sequence != int64(i+1) || told[e.ResourceID] != 1 {
			t.Errorf("entry %d has the number %d and is the %d. of its record", i+1, e.Sequence, told[e.ResourceID])
		}
	}
	if i := slices.IndexFunc(kept, func(c id.Connection) bool { return told[string(c)] == 0 }); i >= 0 {
		t.Errorf("the trail does not tell of %s", kept[i])
	}
}
