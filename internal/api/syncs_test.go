package api_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"mooring/internal/api"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/syncing"
)

func TestSyncIsTheContractsModel(t *testing.T) {
	w := newWorld(t)
	b, conn := w.bucket("b"), w.connect("c")
	syncs := "/v1/buckets/" + b + "/syncs"
	got := w.as(200, "POST", syncs, object{
		"connection_id": conn, "source_path": "media/raw", "sync_mode": "ONE_TIME", "polling_interval_seconds": 60, "batch_size": 50, "skip_batch_submission": false,
		"file_filters":   object{"include_patterns": []string{"*.mp4"}, "min_size_bytes": 1024, "modified_after": "2025-01-02T03:04:05Z", "extensions": []string{".mp4"}, "max_size_bytes": nil},
		"schema_mapping": object{"category": object{"source": object{"type": "tag", "key": "category"}}, "content": object{"source": object{"type": "file"}}},
		"description":    "d", "metadata": object{"a": 1}, "delete_policy": "tombstone", "max_delete_percent": 5, "max_objects_per_run": 10, "schedule": nil, "unknown": 1,
	})
	for path, want := range map[string]any{
		"sync_mode": "initial_only", "status": "PENDING", "is_active": true, "description": "d", "delete_policy": "tombstone",
		"create_object_on_confirm": true, "skip_duplicates": true, "resume_enabled": true, "resume_cursor": nil, "paused": false,
	} {
		if got.at(path) != want {
			t.Errorf("%s is %v, want %v", path, got.at(path), want)
		}
	}
	if got.number("polling_interval_seconds") != 60 || got.number("max_delete_percent") != 5 || got.number("max_objects_per_run") != 10 || got.number("resume_checkpoint_frequency") != 1000 {
		t.Errorf("numbers: %s", got.raw)
	}
	if got.text("schema_mapping", "mappings", "category", "target_type") != "field" || got.text("schema_mapping", "mappings", "content", "target_type") != "blob" {
		t.Errorf("mapping: %s", got.raw)
	}
	if got.text("file_filters", "modified_after") == "" || got.number("file_filters", "min_size_bytes") != 1024 || !strings.HasPrefix(got.text("created_by_user_id"), "usr_") {
		t.Errorf("filters: %s", got.raw)
	}
	w.as(409, "POST", syncs, object{"connection_id": conn, "source_path": "media"}) // overlaps
	w.as(404, "POST", syncs, object{"connection_id": "conn_none", "source_path": "x"})
	bad := w.as(422, "POST", syncs, object{
		"connection_id": conn, "source_path": "x", "polling_interval_seconds": 10, "batch_size": 101, "sync_mode": "never", "delete_policy": "burn",
	})
	if l, _ := bad.doc["detail"].([]any); len(l) != 4 {
		t.Errorf("not every field is named: %s", bad.raw)
	}
	bad = w.as(422, "POST", syncs, object{
		"connection_id": conn, "source_path": "x", "file_filters": object{"include_patterns": "x"},
		"schema_mapping": object{"a": nil, "status": object{"source": object{"type": "constant", "value": 1}}, "b": object{"source": object{"type": "column", "name": "x"}}},
	})
	if l, _ := bad.doc["detail"].([]any); len(l) < 4 {
		t.Errorf("not every field is named: %s", bad.raw)
	}
	w.as(422, "POST", syncs, object{"connection_id": conn, "source_path": "x", "schedule": "every now and then"})
	if got := w.as(200, "POST", syncs, object{"connection_id": conn, "source_path": "y", "schedule": "*/10 * * * *", "time_zone": "Europe/Berlin"}); got.text("schedule") == "" || got.text("time_zone") != "Europe/Berlin" {
		t.Errorf("schedule: %s", got.raw)
	}
	list := w.as(200, "POST", syncs+"/list", object{"connection_id": conn, "status": "pending", "is_active": true})
	if list.number("total") != 2 || list.text("results", 0, "source_path") != "y" {
		t.Errorf("list: %s", list.raw)
	}
	if got := w.as(200, "POST", syncs+"/list", object{"status": "paused"}); got.number("total") != 0 {
		t.Errorf("paused ones: %s", got.raw)
	}
}

func TestSyncIsSteered(t *testing.T) {
	w := newWorld(t)
	b := w.bucket("b")
	sy := w.sync(b, w.connect("c"), "media")
	one := "/v1/buckets/" + b + "/syncs/" + sy
	for range 2 {
		got := w.as(200, "POST", one+"/pause", nil)
		if got.text("status") != "SUSPENDED" || got.at("paused") != true || got.at("next_sync_at") != nil || got.text("paused_at") == "" {
			t.Errorf("paused: %s", got.raw)
		}
	}
	w.as(409, "POST", one+"/trigger", nil)
	if got := w.as(200, "POST", one+"/resume", nil); got.text("status") != "PENDING" || got.at("pause_reason") != nil {
		t.Errorf("resumed: %s", got.raw)
	}
	got := w.as(200, "POST", one+"/trigger", nil)
	if got.text("sync_job_id") == "" || got.text("status") != "PENDING" || got.text("bucket_id") != b {
		t.Errorf("triggered: %s", got.raw)
	}
	if got := w.as(200, "PATCH", one, object{}); got.text("status") != "PENDING" {
		t.Errorf("an empty change: %s", got.raw)
	}
	got = w.as(200, "PATCH", one, object{"status": "Paused", "polling_interval_seconds": 900, "description": "new", "metadata": object{"x": "y"}})
	if got.text("status") != "SUSPENDED" || got.number("polling_interval_seconds") != 900 || got.text("description") != "new" {
		t.Errorf("changed: %s", got.raw)
	}
	if got := w.as(200, "PATCH", one, object{"is_active": true}); got.at("is_active") != true {
		t.Errorf("active again: %s", got.raw)
	}
	w.as(422, "PATCH", one, object{"status": "FAILED"})
	w.as(422, "PATCH", one, object{"batch_size": 0, "schema_mapping": object{"a": 1}})
	if got := w.as(200, "POST", one+"/preview", nil); got.number("transfer") != 3 || got.text("samples", 0, "outcome") != "transfer" || got.at("filtered") == nil {
		t.Errorf("preview: %s", got.raw)
	}
	w.engine.previewErr = refusal(errs.Unauthenticated, "InvalidAccessKeyId")
	w.as(502, "POST", one+"/preview", nil)
	w.as(503, "POST", one+"/verify", nil) // no worker in this process
	asked := map[bool]int{}
	w.server.Verify = func(_ context.Context, _ id.Org, s id.Sync, repair bool) (string, error) {
		asked[repair]++
		return string(s) + ".verify", nil
	}
	w.handler = api.New(w.server)
	if got := w.as(200, "POST", one+"/verify", object{"repair": true}); got.text("sync_job_id") != sy+".verify" {
		t.Errorf("verify: %s", got.raw)
	}
	w.as(200, "POST", one+"/verify", nil)
	if asked[true] != 1 || asked[false] != 1 {
		t.Errorf("asked for %v", asked)
	}
	if got := w.as(200, "DELETE", one, nil); got.at("success") != true {
		t.Errorf("deleted: %s", got.raw)
	}
	w.as(404, "GET", one, nil)
}

// begin makes a run of the sync that is under way, with a shard.
func (w *world) begin(b, sy string, so syncing.Ledger) string {
	w.t.Helper()
	org, pass, now := w.org.Organization.ID, id.NewPass(), time.Now()
	run := w.run(b, sy, func(r *syncing.Run) {
		r.Status, r.EndedAt, r.Ledger, r.Pass, r.PassEnded = syncing.RunInProgress, nil, syncing.Ledger{}, pass, false
	})
	if _, err := w.store.Passes().Insert(w.t.Context(), org, syncing.Pass{ID: pass, Org: org, Sync: id.Sync(sy), State: syncing.Enumerating, StartedAt: now, UpdatedAt: now}); err != nil {
		w.t.Fatal(err)
	}
	shard := syncing.Shard{ID: syncing.ShardID(pass, "000"), Org: org, Sync: id.Sync(sy), Pass: pass, Name: "000", Run: id.Run(run), RunLedger: so, Ledger: so, UpdatedAt: now}
	if _, err := w.store.Shards().Insert(w.t.Context(), org, shard); err != nil {
		w.t.Fatal(err)
	}
	_, err := w.store.Syncs().Update(w.t.Context(), org, id.Sync(sy), func(s *syncing.Sync) error {
		s.CurrentRun, s.CurrentPass, s.Totals, s.TotalBytes = id.Run(run), pass, syncing.Ledger{Discovered: 10, Synced: 10}, 100
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return run
}

// end closes a run.
func (w *world) end(run string) {
	_, err := w.store.Runs().Update(w.t.Context(), w.org.Organization.ID, id.Run(run), func(r *syncing.Run) error {
		now := time.Now().UTC()
		r.Status, r.EndedAt, r.Ledger = syncing.RunCompleted, &now, syncing.Ledger{Discovered: 7, Synced: 7, Bytes: 70}
		return nil
	})
	if err != nil {
		w.t.Error(err)
	}
}

func TestRuns(t *testing.T) {
	w := newWorld(t)
	b := w.bucket("b")
	sy := w.sync(b, w.connect("c"), "media")
	one := "/v1/buckets/" + b + "/syncs/" + sy
	w.run(b, sy, nil)
	live := w.begin(b, sy, syncing.Ledger{Discovered: 5, Synced: 3, Failed: 2, Bytes: 50, FailedBy: map[string]int64{"stale": 2}})
	sync := w.as(200, "GET", one, nil)
	if sync.number("total_files_discovered") != 15 || sync.number("total_files_synced") != 13 || sync.number("total_files_failed") != 2 || sync.number("total_bytes_synced") != 150 || sync.text("current_sync_run_id") != live {
		t.Errorf("the run under way is not counted in: %s", sync.raw)
	}
	run := w.as(200, "GET", one+"/runs/"+live, nil)
	if run.text("status") != "IN_PROGRESS" || run.number("ledger", "synced") != 3 || run.at("ended_at") != nil {
		t.Errorf("run: %s", run.raw)
	}
	list := w.as(200, "GET", one+"/runs?limit=1&include_total=true", nil)
	if list.number("total") != 2 || list.text("results", 0, "sync_run_id") != live || list.text("pagination", "next_cursor") == "" || list.number("results", 0, "ledger", "failed") != 2 {
		t.Errorf("runs: %s", list.raw)
	}
	w.as(409, "POST", one+"/trigger", nil) // while one is under way
	w.end(live)
	if got := w.as(200, "GET", one+"/runs/"+live, nil); got.number("ledger", "synced") != 7 || got.text("ended_at") == "" {
		t.Errorf("ended: %s", got.raw)
	}
	other := w.sync(b, w.connect("d"), "media")
	w.as(404, "GET", "/v1/buckets/"+b+"/syncs/"+other+"/runs/"+live, nil)
	w.as(404, "GET", one+"/runs/nonsense", nil)
}

func TestDeadLetters(t *testing.T) {
	w := newWorld(t)
	b := w.bucket("b")
	sy := w.sync(b, w.connect("c"), "media")
	letters := "/v1/buckets/" + b + "/syncs/" + sy + "/dead-letters"
	first, second := w.letter(sy, "a", errs.Throttled), w.letter(sy, "b", errs.Corrupt)
	w.letter(sy, "c", errs.Corrupt)
	got := w.as(200, "GET", letters+"?limit=100&kind=&status=", nil)
	if got.number("total") != 3 || got.text("results", 0, "code") != "SlowDown" || got.number("results", 0, "attempts") != 3 {
		t.Errorf("list: %s", got.raw)
	}
	if got := w.as(200, "GET", letters+"?kind=corrupt&status=open", nil); got.number("total") != 2 {
		t.Errorf("of a kind: %s", got.raw)
	}
	w.as(422, "GET", letters+"?kind=unheard", nil)
	if got := w.as(200, "POST", letters+"/retry", object{"ids": []string{first}}); got.number("count") != 1 {
		t.Errorf("retry: %s", got.raw)
	}
	if got := w.as(200, "GET", letters+"?status=RETRY", nil); got.number("total") != 1 || got.text("results", 0, "id") != first {
		t.Errorf("retried: %s", got.raw)
	}
	if got := w.as(200, "POST", letters+"/purge", object{"ids": []string{}}); got.number("count") != 0 {
		t.Errorf("an empty list names all: %s", got.raw)
	}
	if got := w.as(200, "POST", letters+"/purge", object{"kind": "corrupt", "ids": []string{first, second}}); got.number("count") != 1 {
		t.Errorf("purge: %s", got.raw)
	}
	if got := w.as(200, "POST", letters+"/purge", nil); got.number("count") != 2 {
		t.Errorf("purge all: %s", got.raw)
	}
	w.as(422, "POST", letters+"/purge", object{"ids": "all"})
}

func syncID(s string) id.Sync { return id.Sync(s) }
