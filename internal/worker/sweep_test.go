package worker_test

import (
	"context"
	"testing"
	"time"

	"mooring/internal/access"
	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store/sqlite"
	"mooring/internal/syncing"
)

// removed notes which buckets are removed.
type removed chan id.Bucket

func (r removed) Remove(_ context.Context, _ id.Org, b id.Bucket) error { r <- b; return nil }

// A run that was interrupted since its sync was deleted still writes until it
// has stopped: neither the sync's rows nor its bucket go before.
func TestADeletedSyncIsRemovedWhenItsRunHasStopped(t *testing.T) {
	for _, exclusive := range []bool{true, false} {
		s, org := open(t), id.NewOrg()
		sid := addSync(t, s, org)
		sy, err := s.Syncs().Get(t.Context(), org, sid)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Buckets().Insert(t.Context(), org, bucket.Bucket{ID: sy.Bucket, Org: org, Namespace: id.NewNamespace(), Name: "b", Status: bucket.Deleting, CreatedAt: sy.CreatedAt})
		if err != nil {
			t.Fatal(err)
		}
		r, gone, forgotten := &stubborn{started: make(chan struct{}), release: make(chan struct{})}, make(removed, 10), 0
		w := counted(s, r)
		w.Exclusive, w.Buckets = exclusive, gone
		w.Forget = func(context.Context, id.Org, id.Sync) error { forgotten++; return nil }
		stop := start(t, w.Worker)
		<-r.started
		w.looks(t, 1) // so that the sweep which it begins with is over
		now := time.Now()
		if _, err := s.Syncs().Update(t.Context(), org, sid, func(x *syncing.Sync) error { x.DeletedAt, x.NextSyncAt = &now, nil; return nil }); err != nil {
			t.Fatal(err)
		}
		for len(gone) > 0 { // by that sweep
			<-gone
		}
		w.Sweep(t.Context())
		if _, err := s.Syncs().Get(t.Context(), org, sid); err != nil {
			t.Errorf("exclusive %v: the rows went while a run was under way: %v", exclusive, err)
		}
		if len(gone) != 0 || forgotten != 0 {
			t.Errorf("exclusive %v: the bucket or what was staged went while a run was under way", exclusive)
		}
		close(r.release)
		stop()
		w.Sweep(t.Context())
		if _, err := s.Syncs().Get(t.Context(), org, sid); !errs.Is(err, errs.NotFound) || len(gone) != 1 || forgotten != 1 {
			t.Errorf("exclusive %v: after the run %v, %d buckets removed", exclusive, err, len(gone))
		}
	}
}

// A run that nobody has closed is what its sync goes on from, however old it is.
func TestRetentionLeavesOpenRuns(t *testing.T) {
	s, org := open(t), id.NewOrg()
	long := time.Now().Add(-365 * 24 * time.Hour)
	if _, err := s.Organizations().Insert(t.Context(), org, access.Organization{ID: org, CreatedAt: long}); err != nil {
		t.Fatal(err)
	}
	add := func(status syncing.RunStatus, at time.Time) id.Run {
		r, err := s.Runs().Insert(t.Context(), org, syncing.Run{ID: id.NewRun(), Org: org, Sync: "sync_x", Bucket: "bkt_x", Status: status, StartedAt: at})
		if err != nil {
			t.Fatal(err)
		}
		return r.ID
	}
	open, old, young := add(syncing.RunInProgress, long), add(syncing.RunCompleted, long), add(syncing.RunCompleted, time.Now())
	make1(s, nil).Sweep(t.Context())
	for run, stays := range map[id.Run]bool{open: true, old: false, young: true} {
		if !there(t, s, org, run, stays) {
			t.Errorf("%s: there %v, want %v", run, !stays, stays)
		}
	}
}

func there(t *testing.T, s *sqlite.Store, org id.Org, r id.Run, want bool) bool {
	t.Helper()
	_, err := s.Runs().Get(t.Context(), org, r)
	return (err == nil) == want
}
