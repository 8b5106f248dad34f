package service_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"mooring/internal/audit"
	"mooring/internal/connection"
	"mooring/internal/connection/service"
	"mooring/internal/errs"
	"mooring/internal/event"
	"mooring/internal/id"
	"mooring/internal/store/sqlite"
)

// onDisk is a service on a real store, whose audit trail and events say what
// happened to a connection, in order.
func onDisk(t *testing.T) (*rig, *sqlite.Store) {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	r := newRig(t)
	r.Service = r.rebuild(func(d *service.Deps) { d.Connections = s.Connections() })
	return r, s
}

// TestHistoryIsExplained: 64 workers report failures and successes of syncs and
// checks at random, on several connections. Whatever the order, the trail is one
// that one worker alone could have left: failures count up by one, each once, a
// suspension is the fifth, and nothing follows it.
func TestHistoryIsExplained(t *testing.T) {
	const workers, rounds = 64, 6
	r, s := onDisk(t)
	for n := range 3 {
		c := r.create(fmt.Sprint("media ", n))
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				for round := range rounds {
					a := connection.Attempt{ID: fmt.Sprint(w%40, "/", round), Began: r.deps.Now(), Generation: 1,
						Source: []string{connection.SourceCheck, connection.SourceSync}[rand.N(2)]}
					if rand.N(n+3) == 0 {
						_ = r.RecordSuccess(context.Background(), org, c.ID, a)
					} else {
						_, _ = r.RecordFailure(context.Background(), org, c.ID, a, refusal(errs.Unauthenticated, ""))
					}
				}
			})
		}
		wg.Wait()
		replay(t, s, c.ID)
	}
}

// replay goes through a connection's trail as one worker would have written it.
func replay(t *testing.T, s *sqlite.Store, conn id.Connection) {
	t.Helper()
	c, err := s.Connections().Get(t.Context(), org, conn)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := s.Audit().Scan(t.Context(), org, 0, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	status, failures := string(connection.Active), 0
	for _, e := range entries {
		if e.ResourceID != string(conn) || e.Action == audit.ConnectionCreated {
			continue
		}
		from, to := change(e, "status")
		if from != status {
			t.Fatalf("entry %d goes from %s, it was %s", e.Sequence, from, status)
		}
		status = to
		switch e.Action {
		case audit.ConnectionFailed:
			before, after := change(e, "consecutive_failures")
			if before != fmt.Sprint(failures) || after != fmt.Sprint(failures+1) {
				t.Fatalf("entry %d counts %s to %s, it was %d", e.Sequence, before, after, failures)
			}
			failures++
			if (status == string(connection.Suspended)) != (failures == connection.FailureLimit) {
				t.Fatalf("%s after %d failures", status, failures)
			}
		case audit.ConnectionUpdated:
			if failures = 0; from != string(connection.Failed) || to != string(connection.Active) {
				t.Fatalf("entry %d goes from %s to %s", e.Sequence, from, to)
			}
		}
	}
	if status != string(c.Status) || failures != c.Failures || failures != len(c.Evidence) {
		t.Errorf("the trail ends %s with %d failures, the record is %s with %d and %d rows", status, failures, c.Status, c.Failures, len(c.Evidence))
	}
	seen := map[string]bool{}
	for _, e := range c.Evidence {
		if seen[e.Attempt] || c.LastSuccessAt != nil && e.Began.Before(*c.LastSuccessAt) {
			t.Errorf("attempt %s counted twice, or although a success began later", e.Attempt)
		}
		seen[e.Attempt] = true
	}
}

func change(e audit.Entry, field string) (from, to string) {
	pair, ok := e.Changes[field].([]any)
	if !ok || len(pair) != 2 {
		return "", ""
	}
	return fmt.Sprint(pair[0]), fmt.Sprint(pair[1])
}

// TestAQuietCheckLeavesNoTrace but its times: no revision, no audit entry.
func TestAQuietCheckLeavesNoTrace(t *testing.T) {
	r, s := onDisk(t)
	c := r.create("media")
	if _, err := r.CheckDue(t.Context(), org, c.ID, *c.NextCheckAt); err != nil {
		t.Fatal(err)
	}
	got := r.get(c)
	if !got.LastCheckedAt.After(*c.LastCheckedAt) || !got.LastSuccessAt.After(*c.LastSuccessAt) || got.NextCheckAt.Equal(*c.NextCheckAt) {
		t.Errorf("the check was not noted: %+v", got)
	}
	got.LastCheckedAt, got.LastSuccessAt, got.NextCheckAt = c.LastCheckedAt, c.LastSuccessAt, c.NextCheckAt
	if got.Revision != c.Revision || !got.UpdatedAt.Equal(c.UpdatedAt) {
		t.Errorf("it moved revision %d to %d, updated_at %s to %s", c.Revision, got.Revision, c.UpdatedAt, got.UpdatedAt)
	}
	if n, err := s.Audit().Count(t.Context(), org, audit.Filter{}); err != nil || n != 1 {
		t.Errorf("%d audit entries, %v", n, err)
	}
	checks := r.provider.checks
	if _, err := r.CheckDue(t.Context(), org, c.ID, *c.NextCheckAt); err != nil || r.provider.checks != checks {
		t.Errorf("a check that somebody else had made was made again: %v", err)
	}
}

// TestExpiryIsToldOnce, by a check, and again for another time.
func TestExpiryIsToldOnce(t *testing.T) {
	r, s := onDisk(t)
	told := func() (n int) {
		events, err := s.Events().List(t.Context(), org, 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if e.Type == event.CredentialsExpiring {
				n++
			}
		}
		return n
	}
	c := r.create("media")
	expire := func(in time.Duration, want int) {
		t.Helper()
		if _, err := r.Update(t.Context(), org, actor, "media", service.UpdateRequest{CredentialsExpireAt: new(r.deps.Now().Add(in))}); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if _, err := r.Check(t.Context(), org, c.ID, ""); err != nil {
				t.Fatal(err)
			}
		}
		if n := told(); n != want {
			t.Errorf("told %d times of %s, want %d", n, in, want)
		}
	}
	expire(8*24*time.Hour, 0)
	expire(6*24*time.Hour, 1)
	expire(5*24*time.Hour, 2)
	expire(-time.Hour, 3)
}

// TestActivation is told of each way back to ACTIVE, and of nothing else.
func TestActivation(t *testing.T) {
	r := newRig(t)
	var woken int
	r.Service = r.rebuild(func(d *service.Deps) { d.Activated = func(context.Context, id.Org, id.Connection) { woken++ } })
	c := r.create("media")
	check := func(err error) {
		r.provider.err = err
		if _, err := r.Check(t.Context(), org, c.ID, ""); err != nil {
			t.Fatal(err)
		}
	}
	check(refusal(errs.Unauthenticated, ""))
	check(nil)
	check(nil)
	if woken != 1 {
		t.Errorf("woken %d times by a recovery", woken)
	}
	for _, status := range []string{"SUSPENDED", "ACTIVE"} {
		if _, err := r.Update(t.Context(), org, actor, "media", service.UpdateRequest{Status: &status}); err != nil {
			t.Fatal(err)
		}
	}
	if woken != 2 {
		t.Errorf("woken %d times by a resume", woken-1)
	}
}
