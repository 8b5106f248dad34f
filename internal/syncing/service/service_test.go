package service_test

import (
	"testing"
	"time"

	"mooring/internal/audit"
	"mooring/internal/bucket"
	"mooring/internal/connection"
	"mooring/internal/connection/config"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/key"
	"mooring/internal/store/sqlite"
	"mooring/internal/syncing"
	"mooring/internal/syncing/service"
)

type fixture struct {
	*service.Service
	now   time.Time
	org   id.Org
	b     bucket.Bucket
	conn  connection.Connection
	wakes int
}

var actor = audit.Actor{ID: "key_test", Type: audit.ByAPIKey}

func setUp(t *testing.T) *fixture {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	f := &fixture{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), org: id.NewOrg()}
	f.Service = &service.Service{Store: s, Now: func() time.Time { return f.now }, Wake: func() { f.wakes++ }}
	f.conn, err = s.Connections().Insert(t.Context(), f.org, connection.Connection{
		ID: id.NewConnection(), Org: f.org, Provider: "s3", Name: "c", Status: connection.Active, CreatedAt: f.now, UpdatedAt: f.now,
		Config: config.Sealed{Provider: "s3", Credential: "access_key"},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.b, err = s.Buckets().Insert(t.Context(), f.org, bucket.Bucket{ID: id.NewBucket(), Org: f.org, Namespace: "ns_x", Name: "b", Status: bucket.Active, CreatedAt: f.now, UpdatedAt: f.now})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) request(path string) service.CreateRequest {
	return service.CreateRequest{Connection: f.conn.ID, SourcePath: path, Mode: syncing.Continuous}
}

func (f *fixture) create(t *testing.T, path string) syncing.Sync {
	t.Helper()
	sy, err := f.Create(t.Context(), f.org, actor, f.b, f.request(path))
	if err != nil {
		t.Fatal(err)
	}
	return sy
}

func TestANewSyncIsDueAtOnce(t *testing.T) {
	f := setUp(t)
	sy := f.create(t, "media/raw")
	if sy.Status != syncing.Pending || !sy.IsActive() || sy.NextSyncAt == nil || !sy.NextSyncAt.Equal(f.now) || f.wakes != 1 {
		t.Errorf("got %+v, %d wakes", sy, f.wakes)
	}
	trail, err := f.Store.Audit().List(t.Context(), f.org, audit.Filter{ResourceID: string(f.b.ID)}, 0, 10)
	if err != nil || len(trail) != 1 || trail[0].Action != audit.BucketUpdated || trail[0].Changes["sync_config_id"] != string(sy.ID) {
		t.Errorf("the trail: %+v, %v", trail, err)
	}
}

func TestSourcePathsMustNotOverlap(t *testing.T) {
	f := setUp(t)
	f.create(t, "media/raw")
	for path, ok := range map[string]bool{"media/raw": false, "media/raw/": false, "media": false, "media/raw/2026": false, "media/raw2": true, "other": true} {
		if _, err := f.Create(t.Context(), f.org, actor, f.b, f.request(path)); (err == nil) != ok || err != nil && !errs.Is(err, errs.Conflict) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestAllBadFieldsAreNamed(t *testing.T) {
	f := setUp(t)
	r := f.request("media")
	low, high, policy, cron := 29, 101, syncing.DeletePolicy("shred"), "every day"
	r.Polling, r.Batch, r.OnDelete, r.Schedule = &low, &high, &policy, &cron
	_, err := f.Create(t.Context(), f.org, actor, f.b, r)
	if e := errs.From(err); e.Kind != errs.Invalid || len(e.Fields) != 4 {
		t.Errorf("got %v with %+v", err, e.Fields)
	}
}

func TestAnArchivedConnectionIsNotUsed(t *testing.T) {
	f := setUp(t)
	_, err := f.Store.Connections().Update(t.Context(), f.org, f.conn.ID, func(c *connection.Connection) error { c.Status = connection.Archived; return nil })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Create(t.Context(), f.org, actor, f.b, f.request("media")); !errs.Is(err, errs.Conflict) {
		t.Errorf("got %v", err)
	}
	r := f.request("media")
	r.Connection = "conn_unknown"
	if _, err := f.Create(t.Context(), f.org, actor, f.b, r); !errs.Is(err, errs.NotFound) {
		t.Errorf("an unknown one: %v", err)
	}
}

func TestPauseAndResume(t *testing.T) {
	f := setUp(t)
	sy := f.create(t, "media")
	for range 2 { // pausing twice is pausing
		got, err := f.Pause(t.Context(), f.org, actor, f.b.ID, sy.ID, "holiday")
		if err != nil || got.Status != syncing.Suspended || !got.Paused || got.NextSyncAt != nil || got.PausedBy != actor.ID || got.PauseReason != "holiday" {
			t.Errorf("paused: %+v, %v", got, err)
		}
	}
	got, err := f.Resume(t.Context(), f.org, actor, f.b.ID, sy.ID)
	if err != nil || got.Paused || !got.IsActive() || got.NextSyncAt == nil || got.PausedAt != nil {
		t.Errorf("resumed: %+v, %v", got, err)
	}
	active := false
	if got, err = f.Update(t.Context(), f.org, actor, f.b.ID, sy.ID, service.Settings{IsActive: &active}); err != nil || !got.Paused {
		t.Errorf("is_active false: %+v, %v", got, err)
	}
}

func TestTriggerIsAConflictWhileARunIsUnderWay(t *testing.T) {
	f := setUp(t)
	sy := f.create(t, "media")
	got, err := f.Trigger(t.Context(), f.org, actor, f.b.ID, sy.ID)
	if err != nil || got.Triggered <= got.TriggerDone {
		t.Fatalf("triggered: %+v, %v", got, err)
	}
	run, err := f.Store.Runs().Insert(t.Context(), f.org, syncing.Run{ID: id.NewRun(), Org: f.org, Sync: sy.ID, Bucket: f.b.ID, Status: syncing.RunInProgress, StartedAt: f.now, UpdatedAt: f.now})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Store.Syncs().Update(t.Context(), f.org, sy.ID, func(s *syncing.Sync) error { return s.Begin(run.ID, f.now) }); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Trigger(t.Context(), f.org, actor, f.b.ID, sy.ID); !errs.Is(err, errs.Conflict) {
		t.Errorf("while running: %v", err)
	}
}

func TestANewMappingIsANewRevision(t *testing.T) {
	f := setUp(t)
	sy := f.create(t, "media")
	if sy.MappingRevision != 0 {
		t.Errorf("revision %d without a mapping", sy.MappingRevision)
	}
	mapping := &syncing.Mapping{Entries: map[string]syncing.MappingEntry{"team": {Target: "field", Source: syncing.Source{Type: "folder_path"}}}}
	for want := range 2 {
		got, err := f.Update(t.Context(), f.org, actor, f.b.ID, sy.ID, service.Settings{Mapping: mapping})
		if err != nil || got.MappingRevision != 1 {
			t.Errorf("the same mapping, time %d: revision %d, %v", want, got.MappingRevision, err)
		}
	}
}

func TestADeletedSyncIsGone(t *testing.T) {
	f := setUp(t)
	sy := f.create(t, "media")
	var stopped id.Sync
	f.Stop = func(s id.Sync) { stopped = s }
	if err := f.Delete(t.Context(), f.org, actor, f.b.ID, sy.ID); err != nil {
		t.Fatal(err)
	}
	if stopped != sy.ID {
		t.Error("its run was not interrupted")
	}
	if _, err := f.Get(t.Context(), f.org, f.b.ID, sy.ID); !errs.Is(err, errs.NotFound) {
		t.Errorf("got %v", err)
	}
	if err := f.Delete(t.Context(), f.org, actor, f.b.ID, sy.ID); !errs.Is(err, errs.NotFound) {
		t.Errorf("deleted twice: %v", err)
	}
	f.create(t, "media") // its path is free
}

func TestDeadLettersAreRetriedByARun(t *testing.T) {
	f := setUp(t)
	sy := f.create(t, "media")
	letter := func(k key.Key, kind errs.Kind) syncing.DeadLetter {
		return syncing.DeadLetter{ID: syncing.DeadLetterID(sy.ID, k), Org: f.org, Sync: sy.ID, SourceID: k, SourcePath: string(k), Version: "1", Status: syncing.DeadOpen, Kind: kind.String(), CreatedAt: f.now, UpdatedAt: f.now}
	}
	if err := f.Store.DeadLetters().Put(t.Context(), f.org, []syncing.DeadLetter{letter("a", errs.Corrupt), letter("b", errs.Stale), letter("c", errs.Stale)}); err != nil {
		t.Fatal(err)
	}
	n, err := f.RetryLetters(t.Context(), f.org, actor, f.b.ID, sy.ID, syncing.DeadLetterFilter{Kind: errs.Stale, ByKind: true}, nil)
	if err != nil || n != 2 {
		t.Errorf("retried %d, %v", n, err)
	}
	if got, _ := f.Get(t.Context(), f.org, f.b.ID, sy.ID); got.Triggered == 0 {
		t.Error("no run was triggered")
	}
	if n, err = f.PurgeLetters(t.Context(), f.org, actor, f.b.ID, sy.ID, syncing.DeadLetterFilter{}, []string{syncing.DeadLetterID(sy.ID, "a")}); err != nil || n != 1 {
		t.Errorf("purged %d, %v", n, err)
	}
	if left, err := f.Store.DeadLetters().Count(t.Context(), f.org, sy.ID, syncing.DeadLetterFilter{Status: syncing.DeadRetry}); err != nil || left != 2 {
		t.Errorf("%d are left, %v", left, err)
	}
}
