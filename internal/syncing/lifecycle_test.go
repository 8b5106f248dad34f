package syncing_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mooring/internal/errs"
	"mooring/internal/event"
	"mooring/internal/id"
	"mooring/internal/syncing"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newSync() *syncing.Sync {
	return &syncing.Sync{ID: "sync_x", Bucket: "bkt_x", Connection: "conn_x", Mode: syncing.Continuous, PollingSeconds: 300, Status: syncing.Pending, NextSyncAt: &noon}
}

// ended runs the sync once and ends the run.
func ended(t testing.TB, s *syncing.Sync, status syncing.RunStatus, passEnded bool, cause error) syncing.Run {
	t.Helper()
	r := syncing.Run{ID: id.NewRun(), Status: status, PassEnded: passEnded, Ledger: syncing.Ledger{Discovered: 3, Synced: 3, Bytes: 30}}
	if err := s.Begin(r.ID, noon); err != nil {
		t.Fatal(err)
	}
	s.Finish(r, cause, noon)
	return r
}

var pathGone = &errs.Error{Kind: errs.NotFound, Origin: errs.Provider, Scope: errs.ScopePath, Msg: "the folder is gone"}

func TestFirstRunMakesActive(t *testing.T) {
	s := newSync()
	s.Triggered = 2
	ended(t, s, syncing.RunCompleted, true, nil)
	if s.Status != syncing.Active || s.RunCounter != 1 || s.TriggerDone != 2 || s.Totals.Synced != 3 || s.TotalBytes != 30 || !s.LastSyncAt.Equal(noon) {
		t.Errorf("%+v", s)
	}
	if want := noon.Add(5 * time.Minute); !s.NextSyncAt.Equal(want) {
		t.Errorf("next at %v, want %v", s.NextSyncAt, want)
	}
}

func TestFinishCountsOnce(t *testing.T) {
	s := newSync()
	r := ended(t, s, syncing.RunFailed, false, pathGone)
	s.Finish(r, pathGone, noon)
	if s.Totals.Discovered != 3 || s.Failures != 1 {
		t.Errorf("a run is folded twice: %v, %d failures", s.Totals, s.Failures)
	}
}

func TestFiveFailuresInARowFail(t *testing.T) {
	s := newSync()
	for n := 1; n < syncing.FailureLimit; n++ {
		ended(t, s, syncing.RunFailed, false, pathGone)
		if s.Failures != n || s.Status != syncing.Active || !s.NextSyncAt.After(noon) || *s.LastError != pathGone.Msg {
			t.Fatalf("after %d: %+v", n, s)
		}
	}
	ended(t, s, syncing.RunCompleted, true, nil)
	if s.Failures != 0 || s.LastError != nil {
		t.Fatalf("a good run does not clear: %+v", s)
	}
	for range syncing.FailureLimit {
		ended(t, s, syncing.RunFailed, false, errs.New(errs.Internal, "x", "ours"))
	}
	if s.Status != syncing.Failed || s.IsActive() || s.NextSyncAt != nil || len(s.Outbox.Events) != 1 || s.Outbox.Events[0].Type != event.SyncStopped {
		t.Fatalf("after five: %+v", s)
	}
	if err := s.Begin(id.NewRun(), noon); !errs.Is(err, errs.Conflict) {
		t.Errorf("a failed sync begins: %v", err)
	}
	if err := s.Trigger(noon); err != nil || s.Status != syncing.Active || s.Failures != 0 || !s.NextSyncAt.Equal(noon) {
		t.Errorf("a trigger does not bring it back: %v, %+v", err, s)
	}
}

func TestWhatCountsOnASync(t *testing.T) {
	for _, c := range []struct {
		cause  *errs.Error
		counts bool
	}{
		{pathGone, true},
		{&errs.Error{Kind: errs.PermissionDenied, Origin: errs.Provider, Scope: errs.ScopePath}, true},
		{&errs.Error{Kind: errs.Internal}, true},
		{&errs.Error{Kind: errs.Unavailable}, false}, // our database, or a full disk
		{&errs.Error{Kind: errs.Unavailable, Origin: errs.Provider, Scope: errs.ScopePath}, true},
		{&errs.Error{Kind: errs.Unauthenticated, Origin: errs.Provider}, false},
		{&errs.Error{Kind: errs.Unavailable, Origin: errs.Provider, Scope: errs.ScopeConnection}, false},
		{&errs.Error{Kind: errs.PermissionDenied, Origin: errs.Provider, Scope: errs.ScopeConnection}, false},
	} {
		s := newSync()
		ended(t, s, syncing.RunFailed, false, c.cause)
		if (s.Failures == 1) != c.counts || s.NextSyncAt == nil || !s.NextSyncAt.After(noon) {
			t.Errorf("%v %v: %d failures, next %v", c.cause.Kind, c.cause.Scope, s.Failures, s.NextSyncAt)
		}
	}
}

// However long something of ours is away, the sync goes on by itself: it is tried
// less and less often, is told of, and what counted before it counts after it.
func TestAnOutageOfOursNeverStopsASync(t *testing.T) {
	s := newSync()
	for range syncing.FailureLimit - 1 {
		ended(t, s, syncing.RunFailed, false, pathGone)
	}
	away := errs.Wrap(errors.New("no reachable servers"), errs.Unavailable, "store.pages", "the database does not answer")
	var pause time.Duration
	for range 10 {
		ended(t, s, syncing.RunFailed, false, away)
		if next := s.NextSyncAt.Sub(noon); next < pause || s.Status != syncing.Active || s.Failures != syncing.FailureLimit-1 || *s.LastError != "the database does not answer" {
			t.Fatalf("after a pause of %v: %+v", pause, s)
		}
		pause = s.NextSyncAt.Sub(noon)
	}
	if pause != time.Hour {
		t.Errorf("it is tried again after %v", pause)
	}
	if ended(t, s, syncing.RunFailed, false, pathGone); s.Status != syncing.Failed {
		t.Errorf("what counted before was forgotten: %+v", s)
	}
	if err := s.Trigger(noon); err != nil || s.Outages != 0 {
		t.Errorf("%v: %+v", err, s)
	}
	ended(t, s, syncing.RunFailed, false, away)
	ended(t, s, syncing.RunCompleted, true, nil)
	if s.Outages != 0 || !s.NextSyncAt.Equal(noon.Add(5*time.Minute)) {
		t.Errorf("after it: %+v", s)
	}
}

func TestStopsAndThrottlingOnlyPutOff(t *testing.T) {
	s := newSync()
	ended(t, s, syncing.RunCanceled, false, errs.New(errs.Canceled, "x", ""))
	if s.Failures != 0 || !s.NextSyncAt.Equal(noon) {
		t.Errorf("a stopped run: %+v", s)
	}
	ended(t, s, syncing.RunCanceled, false, &errs.Error{Kind: errs.Throttled, RetryAfter: 10 * time.Minute})
	if s.Failures != 0 || !s.NextSyncAt.Equal(noon.Add(10*time.Minute)) {
		t.Errorf("a throttled run: next %v", s.NextSyncAt)
	}
	ended(t, s, syncing.RunCompleted, false, nil)
	if !s.NextSyncAt.Equal(noon) {
		t.Errorf("a run cut by its limit continues at %v", s.NextSyncAt)
	}
}

func TestPauseDuringARunHolds(t *testing.T) {
	for _, status := range []syncing.RunStatus{syncing.RunCompleted, syncing.RunFailed, syncing.RunCanceled} {
		s := newSync()
		r := syncing.Run{ID: id.NewRun(), Status: status, PassEnded: true, Ledger: syncing.Ledger{Discovered: 1, Synced: 1}}
		if err := s.Begin(r.ID, noon); err != nil {
			t.Fatal(err)
		}
		if err := s.Pause(noon, "usr_x", "maintenance"); err != nil {
			t.Fatal(err)
		}
		s.Finish(r, pathGone, noon)
		if s.Status != syncing.Suspended || s.NextSyncAt != nil || !s.Paused || s.Totals.Synced != 1 {
			t.Errorf("after %s: %+v", status, s)
		}
		if err := s.Resume(noon); err != nil || s.Status != syncing.Active || s.Paused || s.PauseReason != "" || s.PausedAt != nil || s.PausedBy != "" || !s.NextSyncAt.Equal(noon) {
			t.Errorf("resumed: %v %+v", err, s)
		}
	}
}

func TestTransitionsThatAreRefused(t *testing.T) {
	paused := newSync()
	_ = paused.Pause(noon, "usr_x", "")
	if err := paused.Trigger(noon); !errs.Is(err, errs.Conflict) {
		t.Errorf("a paused sync is triggered: %v", err)
	}
	if err := paused.Pause(noon.Add(time.Hour), "usr_y", "again"); err != nil || paused.PausedBy != "usr_x" {
		t.Errorf("pausing again changes something: %v %+v", err, paused)
	}
	if err := paused.Resume(noon); err != nil || paused.Status != syncing.Pending {
		t.Errorf("a sync that never ran is %s after a pause", paused.Status)
	}
	done := newSync()
	done.Mode = syncing.InitialOnly
	ended(t, done, syncing.RunWithErrors, true, nil)
	if done.Status != syncing.Completed || done.NextSyncAt != nil {
		t.Fatalf("%+v", done)
	}
	if err := done.Pause(noon, "usr_x", ""); !errs.Is(err, errs.Conflict) {
		t.Errorf("a completed sync is paused: %v", err)
	}
	if err := done.Resume(noon); !errs.Is(err, errs.Conflict) {
		t.Errorf("a completed sync is resumed: %v", err)
	}
	if err := done.Trigger(noon); err != nil || done.Status != syncing.Active {
		t.Errorf("a completed sync can't be triggered: %v", err)
	}
}

func TestWaitingForTheConnectionCountsNothing(t *testing.T) {
	s := newSync()
	s.Triggered = 1
	s.WaitForConnection(noon)
	if s.Failures != 0 || s.RunCounter != 0 || !s.NextSyncAt.After(noon) || s.TriggerDone != 1 {
		t.Errorf("%+v", s)
	}
}

func TestATriggerWhileTheLastPassRanIsAnswered(t *testing.T) {
	s := newSync()
	s.Mode = syncing.InitialOnly
	r := syncing.Run{ID: id.NewRun(), Status: syncing.RunCompleted, PassEnded: true}
	if err := s.Begin(r.ID, noon); err != nil {
		t.Fatal(err)
	}
	_ = s.Trigger(noon)
	s.Finish(r, nil, noon)
	if s.Status != syncing.Active || !s.NextSyncAt.Equal(noon) {
		t.Fatalf("the trigger is lost: %s, next %v", s.Status, s.NextSyncAt)
	}
	ended(t, s, syncing.RunCompleted, true, nil)
	if s.Status != syncing.Completed {
		t.Errorf("%s", s.Status)
	}
}

func TestAStumbleAnswersATrigger(t *testing.T) {
	s := newSync()
	_ = s.Trigger(noon)
	s.Stumble(syncing.Failure(pathGone), noon)
	if s.TriggerDone != s.Triggered || !s.NextSyncAt.After(noon) {
		t.Errorf("it is due at once again, for ever: %+v", s)
	}
}

func TestLastErrorIsCut(t *testing.T) {
	s := newSync()
	s.Fail(syncing.FailedRun{Message: strings.Repeat("é", 2000)}, noon)
	if n := len([]rune(*s.LastError)); n != 1000 {
		t.Errorf("last_error has %d code points", n)
	}
}

func TestFoldIsIdempotentAndInTurn(t *testing.T) {
	s := syncing.Shard{}
	one := syncing.Record{Seq: 1, Run: "r1", Next: syncing.Position{After: "k"}, Missing: 2, Ledger: syncing.Ledger{Discovered: 1, Synced: 1}}
	for range 2 {
		if err := s.Fold(one); err != nil {
			t.Fatal(err)
		}
	}
	if s.Applied != 1 || s.Absent != 2 || s.Ledger.Synced != 1 || s.RunLedger.Synced != 1 || s.Position.After != "k" {
		t.Errorf("%+v", s)
	}
	if err := s.Fold(syncing.Record{Seq: 3}); !errs.Is(err, errs.Internal) {
		t.Errorf("a record out of turn is folded: %v", err)
	}
	if err := s.Fold(syncing.Record{Seq: 2, Run: "r2", Ended: true, Ledger: syncing.Ledger{Discovered: 1, Failed: 1}}); err != nil {
		t.Fatal(err)
	}
	if s.Run != "r2" || s.RunLedger.Discovered != 1 || s.Ledger.Discovered != 2 || !s.Ended {
		t.Errorf("%+v", s)
	}
}

// Whatever happens, states and fields fit together, and failures never exceed
// the limit.
func TestLifecycleInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSync()
		s.Mode = rapid.SampledFrom([]syncing.Mode{syncing.Continuous, syncing.InitialOnly}).Draw(t, "mode")
		now, runs := noon, int64(0)
		run := func(status syncing.RunStatus, passEnded bool, cause error) func(*rapid.T) {
			return func(t *rapid.T) {
				r := syncing.Run{ID: id.NewRun(), Status: status, PassEnded: passEnded, Ledger: syncing.Ledger{Discovered: 1, Synced: 1}}
				if s.Begin(r.ID, now) != nil {
					return
				}
				if rapid.Bool().Draw(t, "paused meanwhile") {
					_ = s.Pause(now, "usr_x", "")
				}
				if rapid.Bool().Draw(t, "triggered meanwhile") {
					_ = s.Trigger(now)
				}
				s.Finish(r, cause, now)
				runs++
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"good":      run(syncing.RunCompleted, true, nil),
			"partial":   run(syncing.RunCompleted, false, nil),
			"bad path":  run(syncing.RunFailed, false, pathGone),
			"bad login": run(syncing.RunFailed, false, &errs.Error{Kind: errs.Unauthenticated, Scope: errs.ScopeConnection}),
			"stopped":   run(syncing.RunCanceled, false, errs.New(errs.Canceled, "x", "")),
			"pause":     func(*rapid.T) { _ = s.Pause(now, "usr_x", "") },
			"resume":    func(*rapid.T) { _ = s.Resume(now) },
			"trigger":   func(*rapid.T) { _ = s.Trigger(now) },
			"wait":      func(*rapid.T) { s.WaitForConnection(now) },
			"stumble":   func(*rapid.T) { s.Stumble(syncing.Failure(pathGone), now) },
			"suspended": run(syncing.RunCanceled, false, errs.New(errs.Conflict, "x", "")),
			"": func(t *rapid.T) {
				now = now.Add(time.Minute)
				switch {
				case s.Paused != (s.Status == syncing.Suspended), s.Paused != (s.PausedAt != nil):
					t.Fatalf("paused %v, %s", s.Paused, s.Status)
				case !s.IsActive() && s.Triggered > s.TriggerDone:
					t.Fatalf("%s with an open trigger: it is due for ever", s.Status)
				case s.IsActive() != (s.NextSyncAt != nil):
					t.Fatalf("%s, next %v", s.Status, s.NextSyncAt)
				case s.Failures > syncing.FailureLimit, s.Status == syncing.Failed && s.Failures != syncing.FailureLimit:
					t.Fatalf("%s with %d failures", s.Status, s.Failures)
				case s.Totals.Discovered != runs:
					t.Fatalf("%d runs, totals %v", runs, s.Totals)
				case s.Status == syncing.Pending && s.RunCounter > 0:
					t.Fatalf("PENDING after %d runs", s.RunCounter)
				}
			},
		})
	})
}
