package api_test

import (
	"net/url"
	"strings"
	"testing"

	"mooring/internal/secret"
)

const connections = "/v1/organizations/connections"

func TestConnectionIsCreatedRedactedAndFound(t *testing.T) {
	w := newWorld(t)
	made := w.as(200, "POST", connections, object{
		"name": "  media/ü ", "provider_type": "S3", "provider_config": s3Config(goodAccess), "description": nil, "metadata": object{"team": "a", "n": 7},
		"test_before_save": true, "unknown_key": object{"x": 1},
	})
	if made.text("name") != "media/ü" || made.text("status") != "ACTIVE" || made.at("is_active") != true || made.number("metadata", "n") != 7 {
		t.Errorf("not as it was asked for: %s", made.raw)
	}
	if got := made.text("provider_config", "credentials", "secret_access_key"); got != secret.Marker {
		t.Errorf("the secret is shown as %q", got)
	}
	if !strings.HasPrefix(made.text("created_by_user_id"), "usr_") {
		t.Errorf("created by %q", made.text("created_by_user_id"))
	}
	id := made.text("connection_id")
	for _, name := range []string{id, url.PathEscape("media/ü")} {
		if got := w.as(200, "GET", connections+"/"+name, nil); got.text("connection_id") != id {
			t.Errorf("%s is not found: %s", name, got.raw)
		}
	}
	if got := w.as(200, "POST", connections+"/list", nil); got.number("total") != 1 || len(got.results()) != 1 {
		t.Errorf("list: %s", got.raw)
	}
	w.as(409, "POST", connections, object{"name": "media/ü", "provider_type": "s3", "provider_config": s3Config(goodAccess)})
}

func TestConnectionThatDoesNotWorkIsNotSaved(t *testing.T) {
	w := newWorld(t)
	refused := object{"name": "x", "provider_type": "s3", "provider_config": s3Config(refusedAccess)}
	got := w.as(400, "POST", connections, refused)
	if got.text("error", "details", "code") != "InvalidAccessKeyId" || got.text("error", "details", "test", "kind") != "unauthenticated" {
		t.Errorf("the answer does not say why: %s", got.raw)
	}
	if list := w.as(200, "POST", connections+"/list", "{}"); list.number("total") != 0 {
		t.Error("it was saved all the same")
	}
	refused["test_before_save"] = false
	id := w.as(200, "POST", connections, refused).text("connection_id")
	test := w.as(200, "POST", connections+"/"+id+"/test", nil)
	if test.at("success") != false || test.text("details", "error_code") != "InvalidAccessKeyId" {
		t.Errorf("a refusal is no result of the test: %s", test.raw)
	}
}

func TestConnectionRequestsAreChecked(t *testing.T) {
	w := newWorld(t)
	for name, body := range map[string]object{
		"no name":               {"provider_type": "s3", "provider_config": s3Config(goodAccess)},
		"empty name":            {"name": " ", "provider_type": "s3", "provider_config": s3Config(goodAccess)},
		"name like an id":       {"name": "conn_x", "provider_type": "s3", "provider_config": s3Config(goodAccess)},
		"config is a list":      {"name": "x", "provider_type": "s3", "provider_config": []int{}},
		"unknown field":         {"name": "x", "provider_type": "s3", "provider_config": object{"region": "x", "surprise": 1, "credentials": object{}}},
		"no adapter":            {"name": "x", "provider_type": "sharepoint", "provider_config": object{}},
		"known but unsupported": {"name": "x", "provider_type": "postgresql", "provider_config": object{}},
		"unknown provider":      {"name": "x", "provider_type": "floppy", "provider_config": object{}},
		"marker on create":      {"name": "x", "provider_type": "s3", "provider_config": object{"region": "eu-west-1", "credentials": object{"access_key_id": goodAccess, "secret_access_key": secret.Marker}}},
		"name of a wrong type":  {"name": 7, "provider_type": "s3", "provider_config": s3Config(goodAccess)},
	} {
		if got := w.send(w.admin, "POST", connections, body); got.status != 422 {
			t.Errorf("%s: %d %s", name, got.status, got.raw)
		}
	}
	got := w.as(422, "POST", connections, object{"name": 7, "provider_type": true, "provider_config": []any{}, "metadata": "x"})
	if fields, _ := got.doc["detail"].([]any); len(fields) != 4 {
		t.Errorf("not every bad field is named: %s", got.raw)
	}
}

func TestPatchKeepsSecretsByTheirMarkers(t *testing.T) {
	w := newWorld(t)
	one := connections + "/" + w.connect("x")
	read := w.as(200, "GET", one, nil)
	config, _ := read.at("provider_config").(object)
	w.as(200, "PATCH", one, object{"provider_config": config}) // read, modify nothing, write
	config["region"] = "us-east-1"
	if got := w.as(200, "PATCH", one, object{"provider_config": config}); got.text("provider_config", "region") != "us-east-1" {
		t.Errorf("not changed: %s", got.raw)
	}
	config["endpoint_url"] = "https://elsewhere.example"
	got := w.as(422, "PATCH", one, object{"provider_config": config})
	if loc, _ := got.at("detail", 0, "loc").([]any); len(loc) != 4 || loc[3] != "secret_access_key" {
		t.Errorf("a kept secret may follow a changed destination: %s", got.raw)
	}
	config["endpoint_url"] = nil
	creds, _ := config["credentials"].(object)
	creds["session_token"] = secret.Marker
	w.as(422, "PATCH", one, object{"provider_config": config}) // nothing is stored there
	w.as(400, "PATCH", one, object{"provider_config": s3Config(refusedAccess)})
	if got := w.as(200, "GET", one, nil); got.text("provider_config", "credentials", "access_key_id") != goodAccess {
		t.Error("a configuration that failed its test was saved")
	}
}

func TestConnectionLifecycle(t *testing.T) {
	w := newWorld(t)
	one := connections + "/" + w.connect("x")
	if got := w.as(200, "PATCH", one, object{}); got.text("status") != "ACTIVE" {
		t.Error("an empty change changed something")
	}
	got := w.as(200, "PATCH", one, object{"status": "paused", "status_reason": "maintenance"})
	if got.text("status") != "SUSPENDED" || got.at("is_active") != false || got.text("suspended_by") != "user" || got.text("status_reason") != "maintenance" {
		t.Errorf("not suspended: %s", got.raw)
	}
	w.as(409, "GET", one+"/browse", nil)
	w.as(200, "PATCH", one, object{"is_active": true, "name": nil})
	w.as(422, "PATCH", one, object{"status": "FAILED"})
	w.as(422, "PATCH", one, object{"status": "BROKEN"})
	end := w.as(200, "DELETE", one, nil)
	if end.text("status") != "ARCHIVED" || !strings.Contains(end.text("message"), "destroyed") {
		t.Errorf("not archived: %s", end.raw)
	}
	if got := w.as(200, "GET", one, nil); got.text("provider_config", "credentials", "secret_access_key") != secret.Marker || got.at("credentials_destroyed") != true {
		t.Errorf("an archived one shows %s", got.raw)
	}
	for _, try := range []struct{ method, path string }{{"DELETE", one}, {"POST", one + "/test"}, {"GET", one + "/browse"}} {
		w.as(409, try.method, try.path, nil)
	}
	w.as(409, "PATCH", one, object{"status": "ACTIVE"})
	w.connect("x") // the name is free again
}

func TestArchivingByStatusNeedsTheRightToDelete(t *testing.T) {
	w := newWorld(t)
	one := connections + "/" + w.connect("x")
	w.with(w.key("writer", "write"), 403, "PATCH", one, object{"status": "archived"})
	if got := w.with(w.key("deleter", "delete"), 200, "PATCH", one, object{"status": "archived"}); got.text("status") != "ARCHIVED" {
		t.Errorf("not archived: %s", got.raw)
	}
}

func TestProvidersRefusalsAreNeverOurs(t *testing.T) {
	w := newWorld(t)
	one := connections + "/" + w.connect("x")
	for path, kind := range map[string]string{"refused": "permission_denied", "unauthenticated": "unauthenticated", "missing": "not_found", "busy": "throttled"} {
		for _, how := range []string{"browse", "folders", "files"} {
			got := w.as(502, "GET", one+"/"+how+"?path="+path, nil)
			if got.text("error", "details", "kind") != kind || got.text("error", "details", "code") == "" || got.text("error", "details", "request_id") != "req-provider" {
				t.Errorf("%s %s: %s", how, path, got.raw)
			}
			if got.header.Get("Retry-After") != "" {
				t.Error("a provider's throttling makes the client's library repeat")
			}
		}
	}
}

func TestBrowse(t *testing.T) {
	w := newWorld(t)
	one := connections + "/" + w.connect("x")
	got := w.as(200, "GET", one+"/browse", nil)
	if got.text("results", 0, "path") != "media" || got.at("results", 0, "folder") != true || got.number("results", 1, "size_bytes") != 5 ||
		got.text("results", 1, "modified_at") != "2026-01-02T03:04:05.000Z" || got.at("results", 2, "size_bytes") != nil {
		t.Errorf("browse: %s", got.raw)
	}
	if got := w.as(200, "GET", one+"/browse?limit=1", nil); got.text("pagination", "next_cursor") != "2" {
		t.Errorf("no cursor: %s", got.raw)
	}
	if got := w.as(200, "GET", one+"/folders", nil); len(got.results()) != 1 || got.text("parent_path") != "/" {
		t.Errorf("folders: %s", got.raw)
	}
	if got := w.as(200, "GET", one+"/files?max_results=2", nil); len(got.results()) != 2 || got.number("total") != 2 {
		t.Errorf("files: %s", got.raw)
	}
	w.as(422, "GET", one+"/files?max_results=101", nil)
	w.as(422, "GET", one+"/browse?limit=many", nil)
}

func TestListFiltersAndPages(t *testing.T) {
	w := newWorld(t)
	for _, n := range []string{"a", "b", "c"} {
		w.connect(n)
	}
	first := w.as(200, "POST", connections+"/list?limit=2&include_total=true", object{"provider_type": "s3", "status": "active", "is_active": true})
	if len(first.results()) != 2 || first.number("total") != 3 || first.number("pagination", "total_pages") != 2 || first.text("results", 0, "name") != "c" {
		t.Errorf("first page: %s", first.raw)
	}
	second := w.as(200, "POST", connections+"/list?limit=2&cursor="+first.text("pagination", "next_cursor"), "")
	if len(second.results()) != 1 || second.at("pagination", "next_cursor") != nil || second.at("pagination", "total") != nil {
		t.Errorf("second page: %s", second.raw)
	}
	if got := w.as(200, "POST", connections+"/list?offset=2", nil); len(got.results()) != 1 {
		t.Errorf("by offset: %s", got.raw)
	}
	if got := w.as(200, "POST", connections+"/list", object{"status": "paused"}); got.number("total") != 0 || got.results() == nil {
		t.Errorf("none: %s", got.raw)
	}
	w.as(400, "POST", connections+"/list?cursor=nonsense", nil)
	for _, bad := range []string{"?limit=0", "?limit=1001", "?offset=-1", "?offset=10001", "?limit=x", "?include_total=maybe"} {
		w.as(422, "POST", connections+"/list"+bad, nil)
	}
	w.as(422, "POST", connections+"/list", object{"status": "WARM"})
}
