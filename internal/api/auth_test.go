package api_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mooring/internal/access"
	accessservice "mooring/internal/access/service"
	"mooring/internal/api"
	"mooring/internal/audit"
	"mooring/internal/errs"
)

func TestAuthorizationHeader(t *testing.T) {
	w := newWorld(t)
	other := w.key("other", "read")
	for name, values := range map[string][]string{
		"missing":        {},
		"empty":          {""},
		"no scheme":      {w.admin},
		"another scheme": {"Basic " + w.admin},
		"unknown key":    {"Bearer moor_nobody"},
		"not ours":       {"Bearer sk_1234567890"},
		"two differ":     {"Bearer " + w.admin, "Bearer " + other},
		"joined differ":  {"Bearer " + w.admin + ", Bearer " + other},
		"spaces within":  {"Bearer a b"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", connections+"/x", nil)
		for _, v := range values {
			r.Header.Add("Authorization", v)
		}
		got := w.do(r)
		if got.status != 401 || got.text("error", "type") != "UnauthorizedError" || got.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %d %s", name, got.status, got.raw)
		}
	}
	for _, values := range [][]string{{"bearer " + w.admin}, {"Bearer " + w.admin, "Bearer " + w.admin}} {
		r := httptest.NewRequestWithContext(t.Context(), "POST", connections+"/list", nil)
		for _, v := range values {
			r.Header.Add("Authorization", v)
		}
		if got := w.do(r); got.status != 200 {
			t.Errorf("%d values: %d %s", len(values), got.status, got.raw)
		}
	}
}

func TestRevokedAndExpiredKeysAreRefused(t *testing.T) {
	w := newWorld(t)
	key := w.key("short-lived", "read")
	w.with(key, 200, "POST", connections+"/list", nil)
	w.as(200, "DELETE", "/v1/organizations/users/ops@example.org/api-keys/short-lived", nil)
	w.with(key, 401, "POST", connections+"/list", nil)
}

func TestRateLimitOfAKey(t *testing.T) {
	w := newWorld(t)
	now := time.Now()
	w.server.Now = func() time.Time { return now }
	w.handler = api.New(w.server)
	limit := 2
	_, plain, err := w.access.CreateKey(t.Context(), w.org.Organization.ID, nil, audit.System(), w.org.User.Email, accessservice.KeyRequest{Name: "limited", RateLimit: &limit})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		w.with(plain.Reveal(), 200, "POST", connections+"/list", nil)
	}
	got := w.with(plain.Reveal(), 429, "POST", connections+"/list", nil)
	if got.header.Get("Retry-After") != "30" || got.text("error", "type") != "RateLimitError" {
		t.Errorf("Retry-After %q: %s", got.header.Get("Retry-After"), got.raw)
	}
	w.as(200, "POST", connections+"/list", nil) // others are not held back
	now = now.Add(31 * time.Second)
	w.with(plain.Reveal(), 200, "POST", connections+"/list", nil)
}

func TestNamespaceHeader(t *testing.T) {
	w := newWorld(t)
	w.bucket("b") // the only namespace needs no name
	ns := w.as(200, "POST", "/v1/namespaces", object{"namespace_name": "second"}).text("namespace_id")
	list := func(status int, headers ...string) reply {
		return w.with(w.admin, status, "POST", "/v1/buckets/list", nil, headers...)
	}
	list(400)
	if got := list(200, "X-Namespace", "default"); got.number("total_count") != 1 {
		t.Errorf("by name: %s", got.raw)
	}
	if got := list(200, "X-Namespace", ns); got.number("total_count") != 0 {
		t.Errorf("by id: %s", got.raw)
	}
	list(404, "X-Namespace", "nowhere")
	list(404, "X-Namespace", "ns_nowhere")
	list(400, "X-Namespace", "default", "X-Namespace", ns)
	w.with(w.admin, 404, "GET", "/v1/buckets/b", nil, "X-Namespace", ns)
	w.as(409, "POST", "/v1/namespaces", object{"name": "second"})
	w.as(422, "POST", "/v1/namespaces", object{"name": "ns_x"})
	if got := w.as(200, "GET", "/v1/namespaces", nil); got.number("total") != 2 {
		t.Errorf("list: %s", got.raw)
	}
}

// TestPermissionTable asks every route with a key of every permission: it is
// refused exactly when the permission is below what the table says.
func TestPermissionTable(t *testing.T) {
	w := newWorld(t)
	order := []access.Permission{access.Read, access.Write, access.Delete, access.Admin}
	keys := map[access.Permission]string{}
	for _, p := range order {
		keys[p] = w.key("with-"+string(p), p)
	}
	for _, r := range api.Routes() {
		want, listed := needs[r.ID]
		if !listed {
			t.Errorf("%s is not in the table of this test", r.ID)
			continue
		}
		if r.Need != want {
			t.Errorf("%s needs %q, want %q", r.ID, r.Need, want)
		}
		for _, p := range order {
			method := r.Method
			if r.ID == "stream_events" {
				method = http.MethodHead // it would never end
			}
			got := w.send(keys[p], method, fill(r.Path, ""), nil)
			forbidden := got.status == 403
			if should := want != "" && slices.Index(order, p) < slices.Index(order, want); forbidden != should {
				t.Errorf("%s %s with %s: %d\n%s", r.Method, r.Path, p, got.status, got.raw)
			}
		}
		if got := w.send("", r.Method, fill(r.Path, ""), nil); (got.status == 401) != (want != "") {
			t.Errorf("%s without a key: %d", r.ID, got.status)
		}
	}
}

// fill puts ids that nothing has, or a suffix's, into a path.
func fill(path, suffix string) string {
	for name, v := range map[string]string{
		"connection_identifier": "conn_aaaaaaaaaaaaaaa", "bucket_identifier": "bkt_aaaaaaaaaaaaaaa", "object_identifier": "obj_aaaaaaaaaaaaaaaaaaaaaaaaaa",
		"sync_config_id": "sync_aaaaaaaaaaaaaaa", "run_id": "01890000-0000-7000-8000-000000000000", "audit_id": "aud_aaaaaaaaaaaaaaa",
		"user_email": "nobody@example.org", "key_name": "none", "task_id": "task_aaaaaaaaaaaaaaa",
	} {
		path = strings.ReplaceAll(path, "{"+name+"}", v+suffix)
	}
	return path
}

// needs is the table of the design, written down once more by hand.
var needs = map[string]access.Permission{
	"create_storage_connection_organizations": access.Admin, "list_storage_connections_organizations": access.Read,
	"get_storage_connection_organizations": access.Read, "update_storage_connection_organizations": access.Write,
	"delete_storage_connection_organizations": access.Delete, "test_storage_connection_organizations": access.Write,
	"list_google_drive_folders_organizations_connections": access.Read, "list_google_drive_files_organizations_connections": access.Read,
	"browse_connection": access.Read, "get_external_id": access.Read, "get_connection_usage": access.Read,
	"authorize_connection": access.Admin, "show_connect": "", "confirm_connect": "", "finish_connect": "",
	"create_bucket": access.Write, "list_buckets": access.Read, "get_bucket": access.Read, "delete_bucket": access.Delete,
	"list_objects_buckets": access.Read, "get_object_buckets": access.Read, "delete_object_buckets": access.Delete, "get_object_content": access.Read,
	"create_sync_configuration_buckets": access.Write, "list_sync_configurations_buckets": access.Read,
	"get_sync_configuration_buckets_id_config": access.Read, "update_sync_configuration_buckets_id_config": access.Write,
	"delete_sync_configuration_buckets_id_config": access.Delete, "pause_sync_configuration_buckets_id_config": access.Write,
	"resume_sync_configuration_buckets_id_config": access.Write, "trigger_sync_configuration_buckets_id_config": access.Write,
	"preview_sync": access.Read, "verify_sync": access.Write,
	"list_sync_runs": access.Read, "get_sync_run": access.Read, "watch_sync_run": access.Read,
	"list_dead_letters": access.Read, "retry_dead_letters": access.Write, "purge_dead_letters": access.Delete,
	"get_sync_performance_analytics_buckets": access.Read, "get_sync_comparison_analytics_buckets": access.Read, "get_bucket_health_analytics": access.Read,
	"metrics": access.Admin, "stream_events": access.Admin,
	"create_webhook": access.Admin, "list_webhooks": access.Admin, "get_webhook": access.Admin, "update_webhook": access.Admin, "delete_webhook": access.Admin,
	"rotate_webhook_secret": access.Admin, "test_webhook": access.Admin, "list_webhook_deliveries": access.Admin, "retry_webhook_deliveries": access.Admin,
	"get_audit_head": access.Admin, "verify_audit_trail": access.Admin, "export_audit_logs": access.Admin,
	"list_audit_logs_organizations": access.Admin, "get_audit_log_organizations": access.Admin,
	"get_audit_settings_organizations": access.Admin, "update_audit_settings_organizations": access.Admin,
	"create_key_organizations_users_email": access.Admin, "list_keys_organizations_users_email": access.Admin,
	"update_key_organizations_users_email_name": access.Admin, "delete_key_organizations_users_email_name": access.Admin,
	"rotate_key_organizations_users_email_name": access.Admin, "create_user": access.Admin, "list_users": access.Admin,
	"create_namespace": access.Admin, "list_namespaces": access.Read, "get_task": access.Read,
	"healthcheck_health": "", "liveness_health": "", "celery_beat_health": "", "healthz": "", "readyz": "", "get_openapi": "", "get_docs": "",
}

// tenant is one of everything, and where it is.
type tenant struct{ conn, bucket, object, sync, run, audit, email, key, task, letter, webhook string }

func (w *world) tenant() tenant {
	x := tenant{conn: w.connect("theirs"), bucket: w.bucket("theirs"), email: w.org.User.Email, key: "theirs"}
	x.sync = w.sync(x.bucket, x.conn, "media")
	x.object = w.put(x.bucket, x.conn, x.sync, "media/a.txt", "hello", nil)
	x.run = w.run(x.bucket, x.sync, nil)
	x.letter = w.letter(x.sync, "media/b.txt", errs.Throttled)
	w.key(x.key, "read")
	x.webhook = w.as(200, "POST", "/v1/webhooks", object{"url": "https://receiver.example"}).text("webhook_id")
	x.audit = w.as(200, "GET", "/v1/organizations/audit/logs", nil).text("results", 0, "audit_id")
	x.task = strings.Replace(x.bucket, "bkt_", "task_", 1)
	return x
}

func (x tenant) fill(path string) string {
	return strings.NewReplacer("{connection_identifier}", x.conn, "{bucket_identifier}", x.bucket, "{object_identifier}", x.object, "{sync_config_id}", x.sync,
		"{run_id}", x.run, "{audit_id}", x.audit, "{user_email}", x.email, "{key_name}", x.key, "{task_id}", x.task, "{webhook_id}", x.webhook).Replace(path)
}

// TestAnotherOrganizationsResourcesAreNotThere asks every route that names a
// resource for one that exists, in another organization.
func TestAnotherOrganizationsResourcesAreNotThere(t *testing.T) {
	w := newWorld(t)
	theirs := w.tenant()
	_, stranger := w.found("stranger@example.org")
	before := w.everything(theirs)
	for _, r := range api.Routes() {
		if !strings.Contains(r.Path, "{") {
			continue
		}
		if got := w.send(stranger, r.Method, theirs.fill(r.Path), requiredBody(r.ID)); got.status != 404 {
			t.Errorf("%s %s: %d %s", r.Method, theirs.fill(r.Path), got.status, got.raw)
		}
	}
	// What was tried has changed nothing.
	for id, was := range before {
		if now := w.everything(theirs)[id]; now != was {
			t.Errorf("%s was\n%s\nand is\n%s", id, was, now)
		}
	}
	// In a bucket of one's own, another's sync, object and connection are not there either.
	own := w.with(stranger, 200, "POST", "/v1/buckets", object{"bucket_name": "own"}).text("bucket_id")
	w.with(stranger, 404, "GET", "/v1/buckets/"+own+"/syncs/"+theirs.sync, nil)
	w.with(stranger, 404, "GET", "/v1/buckets/"+own+"/objects/"+theirs.object, nil)
	w.with(stranger, 404, "POST", "/v1/buckets/"+own+"/syncs", object{"connection_id": theirs.conn, "source_path": "media"})
	for _, path := range []string{connections + "/list", "/v1/buckets/list"} {
		if got := w.with(stranger, 200, "POST", path, nil); strings.Contains(string(got.raw), theirs.conn) || strings.Contains(string(got.raw), theirs.bucket) {
			t.Errorf("%s shows another organization's: %s", path, got.raw)
		}
	}
	// All of it is there for its owner.
	for _, r := range api.Routes() {
		if r.Method == "GET" && strings.Contains(r.Path, "{") && r.ID != "get_task" && r.ID != "show_connect" { // whose link is of no organization that the table has
			if got := w.send(w.admin, r.Method, theirs.fill(r.Path), nil); got.status != 200 {
				t.Errorf("its owner: %s: %d %s", r.ID, got.status, got.raw)
			}
		}
	}
}

// everything is what its owner is shown of each resource of a tenant.
func (w *world) everything(x tenant) map[string]string {
	out := map[string]string{}
	for _, r := range api.Routes() {
		if r.Method == "GET" && strings.Contains(r.Path, "{") && r.ID != "get_task" && r.ID != "show_connect" && !strings.HasPrefix(r.Path, "/v1/analytics") && !strings.HasPrefix(r.ID, "browse_") && !strings.HasPrefix(r.ID, "list_google_drive_") { // which tell the time, or use the connection
			got := w.send(w.admin, r.Method, x.fill(r.Path), nil)
			out[r.ID] = strconv.Itoa(got.status) + " " + string(got.raw)
		}
	}
	return out
}

// requiredBody is the least that a route takes, so that what is wrong with a
// request is not its form.
func requiredBody(id string) any {
	switch id {
	case "create_sync_configuration_buckets":
		return object{"connection_id": "conn_x", "source_path": "media"}
	case "create_key_organizations_users_email":
		return object{"name": "x"}
	}
	return nil
}

func TestScopesGateAndFilter(t *testing.T) {
	w := newWorld(t)
	a, b := w.tenant(), w.bucket("other")
	conn := w.connect("other")
	scope := func(typ, id string) access.Scope { return access.Scope{ResourceType: typ, ResourceID: id} }
	one := w.key("one bucket", access.Admin, scope(audit.Bucket, a.bucket))

	w.with(one, 200, "GET", "/v1/buckets/"+a.bucket, nil)
	w.with(one, 200, "GET", "/v1/buckets/"+a.bucket+"/syncs/"+a.sync, nil)
	w.with(one, 404, "GET", "/v1/buckets/"+b, nil)
	w.with(one, 404, "DELETE", "/v1/buckets/other", nil)
	w.with(one, 404, "GET", connections+"/"+a.conn, nil)
	w.with(one, 404, "POST", connections+"/other/test", nil)
	w.with(one, 404, "POST", "/v1/buckets/"+a.bucket+"/syncs", object{"connection_id": conn, "source_path": "elsewhere"}) // no way to what it may not read
	if got := w.with(one, 200, "POST", "/v1/buckets/list", nil); got.number("total_count") != 1 || got.text("results", 0, "bucket_id") != a.bucket {
		t.Errorf("buckets: %s", got.raw)
	}
	if got := w.with(one, 200, "POST", connections+"/list", nil); got.number("total") != 0 {
		t.Errorf("connections: %s", got.raw)
	}
	for _, whole := range []struct {
		method, path string
		body         any
	}{
		{"POST", "/v1/buckets", object{"bucket_name": "new"}},
		{"POST", connections, object{"name": "new", "provider_type": "s3", "provider_config": s3Config(goodAccess)}},
		{"GET", "/v1/organizations/audit/logs", nil},
		{"GET", "/v1/organizations/users/ops@example.org/api-keys", nil},
		{"POST", "/v1/organizations/users", object{"email": "x@example.org"}},
	} {
		w.with(one, 403, whole.method, whole.path, whole.body)
	}
	pattern := w.key("connections", access.Read, scope(audit.StorageConnection, "conn_*"))
	first := w.with(pattern, 200, "POST", connections+"/list?limit=1", nil)
	second := w.with(pattern, 200, "POST", connections+"/list?limit=1&cursor="+first.text("pagination", "next_cursor"), nil)
	if first.number("total") != 2 || first.text("results", 0, "name") != "other" || second.text("results", 0, "name") != "theirs" || second.at("pagination", "next_cursor") != nil {
		t.Errorf("pages of a scoped list: %s %s", first.raw, second.raw)
	}
	w.with(pattern, 400, "POST", connections+"/list?cursor=AAAA", nil)
	reading := w.key("operations", access.Write, access.Scope{ResourceType: audit.Organization, ResourceID: "*", Operations: []string{"read_data"}})
	w.with(reading, 200, "GET", "/v1/buckets/"+a.bucket, nil)
	w.with(reading, 404, "POST", "/v1/buckets/"+a.bucket+"/syncs/"+a.sync+"/pause", nil)
}

func TestNoKeyGrantsMoreThanItHas(t *testing.T) {
	w := newWorld(t)
	keys := "/v1/organizations/users/ops@example.org/api-keys"
	scoped := w.key("organization", access.Admin, access.Scope{ResourceType: audit.Organization, ResourceID: string(w.org.Organization.ID)})
	w.with(scoped, 403, "POST", keys, object{"name": "wide"})
	w.with(scoped, 200, "POST", keys, object{"name": "narrow", "scopes": []object{{"resource_type": audit.Organization, "resource_id": string(w.org.Organization.ID)}}})
}

func TestClientAddressThroughTrustedProxies(t *testing.T) {
	w := newWorld(t)
	w.bucket("b")
	address := func(remote, forwarded string) string {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/buckets", strings.NewReader(`{"bucket_name":"`+strings.ReplaceAll(remote+forwarded, " ", "")+`"}`))
		r.RemoteAddr = remote
		r.Header.Set("Authorization", "Bearer "+w.admin)
		r.Header.Set("X-Forwarded-For", forwarded)
		if got := w.do(r); got.status != 200 {
			t.Fatal(string(got.raw))
		}
		return w.as(200, "GET", "/v1/organizations/audit/logs?action=bucket_created", nil).text("results", 0, "ip_address")
	}
	w.server.TrustedProxies = prefixes("10.0.0.0/8")
	w.handler = api.New(w.server)
	for _, c := range []struct{ remote, forwarded, want string }{
		{"203.0.113.9:1", "198.51.100.1", "203.0.113.9"},         // not a proxy: not believed
		{"10.0.0.1:1", "198.51.100.1", "198.51.100.1"},           // a proxy is
		{"10.0.0.1:1", "1.2.3.4, 198.51.100.2", "198.51.100.2"},  // what the client claimed before is not
		{"10.0.0.1:1", "198.51.100.3, 10.0.0.2", "198.51.100.3"}, // a chain of proxies
		{"10.0.0.1:1", "spoofed, 10.0.0.2", "10.0.0.2"},          // nonsense ends the chain
		{"[::ffff:10.0.0.1]:1", "198.51.100.4", "198.51.100.4"},  // the same proxy over a v6 socket
	} {
		if got := address(c.remote, c.forwarded); got != c.want {
			t.Errorf("from %s with %q: %s, want %s", c.remote, c.forwarded, got, c.want)
		}
	}
}
