package api_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"mooring/internal/api"
	"mooring/internal/errs"
	"mooring/internal/syncing"
)

func TestKeys(t *testing.T) {
	w := newWorld(t)
	keys := "/v1/organizations/users/ops%40example.org/api-keys"
	made := w.as(200, "POST", keys, object{
		"name": "backend/ü", "permissions": []string{"READ", "write"}, "rate_limit_override": 100, "expires_at": time.Now().Add(time.Hour).Format(time.RFC3339),
		"scopes": []object{{"resource_type": "bucket", "resource_id": "bkt_*", "operations": []string{"read_data"}}},
	})
	if made.text("key") == "" || made.text("key_hash") != "" || !strings.HasPrefix(made.text("key"), made.text("key_prefix")) || made.text("permissions", 0) != "read" || made.text("scopes", 0, "resource_id") != "bkt_*" {
		t.Errorf("made: %s", made.raw)
	}
	w.with(made.text("key"), 200, "POST", "/v1/buckets/list", nil)
	one := keys + "/backend%2F%C3%BC"
	changed := w.as(200, "PATCH", one, object{"description": "d", "scopes": []object{}, "expires_at": nil})
	if changed.at("expires_at") != nil || changed.text("description") != "d" || len(changed.at("scopes").([]any)) != 0 || changed.number("rate_limit_override") != 100 {
		t.Errorf("changed: %s", changed.raw)
	}
	rotated := w.as(200, "POST", one+"/rotate", nil)
	w.with(made.text("key"), 401, "POST", "/v1/buckets/list", nil)
	w.with(rotated.text("key"), 200, "POST", "/v1/buckets/list", nil)
	if got := w.as(200, "GET", keys, nil); got.number("total") != 2 || strings.Contains(string(got.raw), rotated.text("key")) {
		t.Errorf("list: %s", got.raw)
	}
	if got := w.as(200, "DELETE", one, nil); got.at("success") != true {
		t.Errorf("revoked: %s", got.raw)
	}
	if got := w.as(200, "GET", keys+"?include_revoked=true", nil); got.number("total") != 3 {
		t.Errorf("revoked ones: %s", got.raw)
	}
	w.as(404, "DELETE", one, nil)
	for _, try := range []struct{ method, path string }{{"PATCH", ""}, {"DELETE", ""}, {"POST", "/rotate"}} {
		w.as(403, try.method, keys+"/admin-key"+try.path, object{"name": "mine"})
	}
	w.as(200, "POST", keys, object{"name": "plain"})
	w.as(409, "POST", keys, object{"name": "plain"})
	for _, bad := range []object{{}, {"name": ""}, {"name": "x", "permissions": []string{"root"}}, {"name": "x", "rate_limit_override": 0}, {"name": "x", "expires_at": "tomorrow"},
		{"name": "x", "expires_at": "2020-01-01T00:00:00Z"}, {"name": "x", "scopes": []object{{"resource_type": "bucket"}}}, {"name": "x", "scopes": []any{1}}} {
		w.as(422, "POST", keys, bad)
	}
	if got := w.as(200, "PATCH", keys+"/plain", object{"status": "revoked"}); got.text("status") != "revoked" {
		t.Errorf("revoked by status: %s", got.raw)
	}
}

func TestUsers(t *testing.T) {
	w := newWorld(t)
	if got := w.as(200, "POST", "/v1/organizations/users", object{"email": "New@Example.org", "name": "N"}); got.text("email") != "new@example.org" || got.text("user_id") == "" {
		t.Errorf("made: %s", got.raw)
	}
	w.as(409, "POST", "/v1/organizations/users", object{"email": "new@example.org"})
	w.as(422, "POST", "/v1/organizations/users", object{"email": "nobody"})
	if got := w.as(200, "GET", "/v1/organizations/users?limit=1", nil); len(got.results()) != 1 || got.text("pagination", "next_cursor") == "" {
		t.Errorf("list: %s", got.raw)
	}
	w.as(200, "POST", "/v1/organizations/users/NEW@example.org/api-keys", object{"name": "x"})
}

func TestAuditTrail(t *testing.T) {
	w := newWorld(t)
	conn := w.connect("c")
	w.as(200, "POST", connections+"/"+conn+"/test", nil)
	got := w.as(200, "GET", "/v1/organizations/audit/logs?resource_type=storage_connection&resource_id="+conn+"&limit=1", nil)
	if got.number("total") != 2 || got.number("limit") != 1 || got.text("results", 0, "action") != "storage_connection_tested" || got.text("results", 0, "actor_type") != "api_key" {
		t.Errorf("list: %s", got.raw)
	}
	if next := w.as(200, "GET", "/v1/organizations/audit/logs?resource_id="+conn+"&skip=1", nil); next.text("results", 0, "action") != "storage_connection_created" {
		t.Errorf("skipped: %s", next.raw)
	}
	if one := w.as(200, "GET", "/v1/organizations/audit/logs/"+got.text("results", 0, "audit_id"), nil); one.text("resource_id") != conn {
		t.Errorf("one: %s", one.raw)
	}
	if none := w.as(200, "GET", "/v1/organizations/audit/logs?end=2020-01-01T00:00:00Z", nil); none.number("total") != 0 || none.results() == nil {
		t.Errorf("before all: %s", none.raw)
	}
	w.as(404, "GET", "/v1/organizations/audit/logs/aud_none", nil)
	w.as(422, "GET", "/v1/organizations/audit/logs?start=yesterday&limit=0", nil)
}

func TestReadsAreAuditedWhereThatIsWanted(t *testing.T) {
	w := newWorld(t)
	b := w.bucket("b")
	settings := "/v1/organizations/audit/settings"
	reads := func() int64 {
		return w.as(200, "GET", "/v1/organizations/audit/logs?action=bucket_accessed", nil).number("total") +
			w.as(200, "GET", "/v1/organizations/audit/logs?action=namespace_accessed", nil).number("total")
	}
	w.as(200, "GET", "/v1/buckets/b", nil)
	if got := w.as(200, "GET", settings, nil); got.at("read_auditing_enabled") != false {
		t.Errorf("settings: %s", got.raw)
	}
	w.as(200, "PATCH", settings, object{})
	if got := w.as(200, "PATCH", settings, object{"read_auditing_enabled": true}); got.at("read_auditing_enabled") != true {
		t.Errorf("settings: %s", got.raw)
	}
	w.as(200, "GET", "/v1/buckets/b", nil)
	w.as(200, "POST", "/v1/buckets/"+b+"/objects/list", nil)
	w.as(200, "POST", "/v1/buckets/list", nil)
	w.as(404, "GET", "/v1/buckets/none", nil)                      // nothing was read
	w.as(404, "DELETE", "/v1/buckets/"+b+"/objects/obj_none", nil) // no read
	deadline := time.Now().Add(10 * time.Second)
	for reads() != 3 && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond) // the entries are written beside the answers
	}
	if n := reads(); n != 3 {
		t.Errorf("%d reads are in the trail, want 3", n)
	}
	if got := w.as(200, "GET", "/v1/organizations/audit/logs?resource_type=organization", nil); got.number("total") != 1 {
		t.Errorf("the change of the settings itself: %s", got.raw)
	}
}

func TestAnalytics(t *testing.T) {
	w := newWorld(t)
	b := w.bucket("b")
	good, bad := w.sync(b, w.connect("c"), "media"), w.sync(b, w.connect("d"), "media")
	path := "/v1/analytics/buckets/" + b
	if got := w.as(200, "GET", path+"/health", nil); got.text("overall_health") != "healthy" || got.at("error_breakdown") == nil || len(got.at("sync_health").([]any)) != 2 {
		t.Errorf("healthy: %s", got.raw)
	}
	w.run(b, good, nil)
	w.run(b, good, func(r *syncing.Run) { r.StartedAt = time.Now().Add(-200 * time.Hour) })
	w.run(b, good, func(r *syncing.Run) { r.Kind = syncing.KindVerify })
	w.run(b, bad, func(r *syncing.Run) {
		r.Status, r.ErrorKind, r.Ledger = syncing.RunFailed, "unavailable", syncing.Ledger{Discovered: 3, Failed: 3, FailedBy: map[string]int64{"corrupt": 3}}
	})
	got := w.as(200, "GET", path+"/sync-performance", nil)
	if len(got.at("runs").([]any)) != 2 || got.number("summary", "total_runs") != 2 {
		t.Errorf("performance: %s", got.raw)
	}
	got = w.as(200, "GET", path+"/sync-performance?limit=1&sync_config_id="+good, nil)
	if got.text("sync_config_id") != good || got.number("runs", 0, "duration_seconds") != 4 || got.number("runs", 0, "throughput_mbps") != 2 {
		t.Errorf("of one sync: %s", got.raw)
	}
	w.as(404, "GET", path+"/sync-performance?sync_config_id=sync_none", nil)
	w.as(422, "GET", path+"/sync-performance?hours=721", nil)
	got = w.as(200, "GET", path+"/sync-comparison", nil)
	rates := map[string]int64{got.text("configs", 0, "sync_config_id"): got.number("configs", 0, "success_rate"), got.text("configs", 1, "sync_config_id"): got.number("configs", 1, "success_rate")}
	if rates[good] != 1 || rates[bad] != 0 {
		t.Errorf("comparison: %s", got.raw)
	}
	got = w.as(200, "GET", path+"/health", nil)
	if got.text("overall_health") != "unhealthy" || got.number("total_errors") != 4 || got.text("error_breakdown", 0, "error_type") != "corrupt" || got.number("error_breakdown", 0, "percentage") != 75 {
		t.Errorf("unhealthy: %s", got.raw)
	}
	old := time.Now().Add(-time.Hour)
	if _, err := w.store.Syncs().Update(t.Context(), w.org.Organization.ID, syncID(good), func(s *syncing.Sync) error { s.NextSyncAt = &old; return nil }); err != nil {
		t.Fatal(err)
	}
	if got := w.as(200, "GET", path+"/health", nil); got.text("stuck_syncs", 0) != good {
		t.Errorf("stuck: %s", got.raw)
	}
}

func TestHealth(t *testing.T) {
	w := newWorld(t)
	for path, want := range map[string]string{"/v1/health": "OK", "/v1/health?deep=true&metrics=true": "OK", "/v1/health/liveness": "ok", "/v1/health/beat": "ok", "/healthz": "ok", "/readyz": "ok"} {
		if got := w.with("", 200, "GET", path, nil); got.text("status") != want {
			t.Errorf("%s: %s", path, got.raw)
		}
	}
	asked := 0
	w.server.Ready = func(context.Context) error {
		asked++
		return errs.New(errs.Unavailable, "disk", "the disk is full: secret-path")
	}
	w.handler = api.New(w.server)
	if got := w.with("", 200, "GET", "/v1/health", nil); got.text("status") != "DEGRADED" || got.at("data", "metadata") != false || strings.Contains(string(got.raw), "secret-path") {
		t.Errorf("degraded: %s", got.raw)
	}
	if got := w.with("", 503, "GET", "/readyz", nil); strings.Contains(string(got.raw), "secret-path") || got.header.Get("Retry-After") != "" {
		t.Errorf("not ready: %s", got.raw)
	}
	w.with("", 200, "GET", "/healthz", nil)
	if asked != 1 {
		t.Errorf("whoever asks makes the process work: %d checks", asked)
	}
}
