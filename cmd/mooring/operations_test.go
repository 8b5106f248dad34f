package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"mooring/internal/api"
)

// commandOf gives, for each operation of the API, a command that calls it. An
// entry that begins with a dash says instead why none does.
var commandOf = map[string]string{
	"create_storage_connection_organizations":             "connection create x --provider s3",
	"list_storage_connections_organizations":              "connection list",
	"get_storage_connection_organizations":                "connection get x",
	"update_storage_connection_organizations":             "connection suspend x",
	"delete_storage_connection_organizations":             "connection archive x",
	"test_storage_connection_organizations":               "connection test x",
	"list_google_drive_folders_organizations_connections": "- browse_connection shows folders and files",
	"list_google_drive_files_organizations_connections":   "- browse_connection shows folders and files",
	"browse_connection":                                   "connection browse x /y",
	"get_external_id":                                     "connection trust-policy arn:aws:iam::1:user/x",
	"get_connection_usage":                                "connection usage x",
	"authorize_connection":                                "connection authorize google_drive",
	"show_connect":                                        "- for a browser",
	"confirm_connect":                                     "- for a browser",
	"finish_connect":                                      "- for a browser",
	"create_bucket":                                       "bucket create x",
	"list_buckets":                                        "bucket list",
	"get_bucket":                                          "bucket get x",
	"delete_bucket":                                       "bucket delete x",
	"list_objects_buckets":                                "bucket objects x",
	"get_object_buckets":                                  "bucket object x y",
	"delete_object_buckets":                               "bucket remove x y",
	"get_object_content":                                  "bucket download x y",
	"create_sync_configuration_buckets":                   "sync create x --connection c --path p",
	"list_sync_configurations_buckets":                    "sync list x",
	"get_sync_configuration_buckets_id_config":            "sync get x y",
	"update_sync_configuration_buckets_id_config":         "sync update x y --polling 60",
	"delete_sync_configuration_buckets_id_config":         "sync delete x y",
	"pause_sync_configuration_buckets_id_config":          "sync pause x y",
	"resume_sync_configuration_buckets_id_config":         "sync resume x y",
	"trigger_sync_configuration_buckets_id_config":        "sync trigger x y",
	"preview_sync":                                        "sync preview x y",
	"verify_sync":                                         "sync verify x y",
	"list_sync_runs":                                      "run list x y",
	"get_sync_run":                                        "run get x y z",
	"watch_sync_run":                                      "sync watch x y",
	"list_dead_letters":                                   "sync dead-letters list x y",
	"retry_dead_letters":                                  "sync dead-letters retry x y",
	"purge_dead_letters":                                  "sync dead-letters purge x y",
	"get_sync_performance_analytics_buckets":              "bucket performance x",
	"get_sync_comparison_analytics_buckets":               "bucket compare x",
	"get_bucket_health_analytics":                         "bucket health x",
	"list_audit_logs_organizations":                       "audit list",
	"get_audit_log_organizations":                         "audit get x",
	"get_audit_head":                                      "audit head",
	"verify_audit_trail":                                  "audit verify",
	"export_audit_logs":                                   "audit export",
	"get_audit_settings_organizations":                    "audit settings",
	"update_audit_settings_organizations":                 "audit set --reads",
	"create_webhook":                                      "webhook create https://example.com",
	"list_webhooks":                                       "webhook list",
	"get_webhook":                                         "webhook get x",
	"update_webhook":                                      "webhook update x --enabled",
	"delete_webhook":                                      "webhook delete x",
	"rotate_webhook_secret":                               "webhook rotate x",
	"test_webhook":                                        "webhook test x",
	"list_webhook_deliveries":                             "webhook deliveries x",
	"retry_webhook_deliveries":                            "webhook retry x",
	"stream_events":                                       "events",
	"create_key_organizations_users_email":                "key create a@example.com x",
	"list_keys_organizations_users_email":                 "key list a@example.com",
	"update_key_organizations_users_email_name":           "key update a@example.com x --name y",
	"delete_key_organizations_users_email_name":           "key revoke a@example.com x",
	"rotate_key_organizations_users_email_name":           "key rotate a@example.com x",
	"create_user":                                         "user create a@example.com",
	"list_users":                                          "user list",
	"create_namespace":                                    "namespace create x",
	"list_namespaces":                                     "namespace list",
	"get_task":                                            "task get x",
	"healthcheck_health":                                  "health",
	"liveness_health":                                     "- a probe; health says more",
	"celery_beat_health":                                  "- a probe; health says more",
	"healthz":                                             "- a probe; health says more",
	"readyz":                                              "- a probe; health says more",
	"metrics":                                             "metrics",
	"get_openapi":                                         "- a document; the commands are made after it",
	"get_docs":                                            "- for a browser",
}

// operations are the API's own list, by what a request for one looks like.
func operations(t *testing.T) map[string]*regexp.Regexp {
	t.Helper()
	rec := httptest.NewRecorder()
	api.New(api.Server{}).ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/openapi.json", nil))
	var doc struct {
		Paths map[string]map[string]struct {
			ID string `json:"operationId"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	parameter := regexp.MustCompile(`\\\{[a-z_]+\\\}`)
	all := map[string]*regexp.Regexp{}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			if op.ID != "" {
				all[op.ID] = regexp.MustCompile("^" + strings.ToUpper(method) + " " + parameter.ReplaceAllString(regexp.QuoteMeta(path), "[^/]+") + "$")
			}
		}
	}
	if len(all) < 50 {
		t.Fatalf("only %d operations were found", len(all))
	}
	return all
}

// TestEveryOperationHasACommand: what the API can do, the command line can.
func TestEveryOperationHasACommand(t *testing.T) {
	home(t)
	var mu sync.Mutex
	var asked []string
	url, _ := answering(t, func(r *http.Request, _ map[string]any) (int, any) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.Method+" "+r.URL.EscapedPath())
		return 200, map[string]any{"success": true, "valid": true, "status": "COMPLETED", "current_sync_run_id": "run"}
	})
	all := operations(t)
	for id := range commandOf {
		if all[id] == nil {
			t.Errorf("the API has no operation %s", id)
		}
	}
	for id, pattern := range all {
		line, known := commandOf[id]
		if !known {
			t.Errorf("no command calls %s (%s)", id, pattern)
			continue
		}
		if strings.HasPrefix(line, "- ") {
			continue
		}
		mu.Lock()
		asked = nil
		mu.Unlock()
		if _, err := run(t, "{}", append(strings.Fields(line), "--url", url)...); err != nil {
			t.Errorf("mooring %s: %v", line, err)
		}
		mu.Lock()
		found := false
		for _, request := range asked {
			found = found || pattern.MatchString(request)
		}
		if !found {
			t.Errorf("mooring %s does not call %s, but %v", line, id, asked)
		}
		mu.Unlock()
	}
}

// TestTablesFitTheTerminal: the widest columns give way, the first does not.
func TestTablesFitTheTerminal(t *testing.T) {
	table := func() [][]string {
		return [][]string{{"ID", "NAME", "LAST ERROR"}, {"conn_123456789012345", "short", strings.Repeat("ü", 100)}, {"conn_123456789012345", strings.Repeat("n", 40), ""}}
	}
	wide := table()
	fit(wide, 0)
	if wide[1][2] != strings.Repeat("ü", 100) {
		t.Errorf("cut without a terminal: %q", wide)
	}
	for _, width := range []int{60, 80, 120} {
		cells := table()
		fit(cells, width)
		for _, line := range cells {
			if n := len([]rune(line[0])) + 2 + 40 + 2; len([]rune(line[2])) > max(width-n, 4) && width > 100 || line[0] == "" {
				t.Errorf("%d: %q", width, line)
			}
		}
		if cells[1][0] != "conn_123456789012345" || !strings.HasSuffix(cells[1][2], "…") {
			t.Errorf("%d: %q", width, cells[1])
		}
		total := 0
		for i := range cells[0] {
			widest := 0
			for _, line := range cells {
				widest = max(widest, len([]rune(line[i])))
			}
			total += widest + columnGap
		}
		if total-columnGap > width {
			t.Errorf("%d: the table is %d wide", width, total-columnGap)
		}
	}
}

// TestWhyASyncDoesNotRun: a command that would wait for ever says why, and what
// to do.
func TestWhyASyncDoesNotRun(t *testing.T) {
	home(t)
	url, _ := answering(t, func(r *http.Request, _ map[string]any) (int, any) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/trigger"):
			return 200, map[string]any{}
		case strings.Contains(r.URL.Path, "/connections/"):
			return 200, map[string]any{"name": "Marketing Drive", "status": "SUSPENDED", "suspended_by": "system", "updated_at": "2026-01-02T03:04:05.000Z",
				"status_reason": "suspended after 5 consecutive failures; the last: \x1b[2Jthe key was refused"}
		}
		return 200, map[string]any{"status": "ACTIVE", "connection_id": "conn_x"}
	})
	for _, args := range [][]string{{"sync", "watch", "b", "s"}, {"run", "watch", "b", "s"}, {"sync", "trigger", "b", "s", "--wait"}} {
		_, err := run(t, "", append(args, "--url", url)...)
		got := ""
		if err != nil {
			got = explain(err)
		}
		for _, want := range []string{"connection 'Marketing Drive' is suspended by system", "2026-01-02T03:04:05.000Z", "the key was refused", "mooring connection resume 'Marketing Drive'"} {
			if !strings.Contains(got, want) {
				t.Errorf("%v: %q does not say %q", args, got, want)
			}
		}
		if strings.Contains(got, "\x1b") || exitCode(err) != 6 {
			t.Errorf("%v: %q, exit code %d", args, got, exitCode(err))
		}
	}
}

// TestCompletion: a shell completes what the server knows.
func TestCompletion(t *testing.T) {
	home(t)
	url, _ := answering(t, func(r *http.Request, _ map[string]any) (int, any) {
		rows := map[string]any{"name": "Marketing Drive", "status": "ACTIVE", "bucket_name": "media", "sync_config_id": "sync_1", "source_path": "/a", "sync_run_id": "run_1", "email": "a@example.com"}
		return 200, map[string]any{"results": []any{rows, map[string]any{"name": "two\nlines", "bucket_name": "two\nlines"}}}
	})
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"connection", "get", ""}, "Marketing Drive\tACTIVE"},
		{[]string{"connection", "resume", ""}, "Marketing Drive\tACTIVE"},
		{[]string{"bucket", "get", ""}, "media"},
		{[]string{"sync", "watch", ""}, "media"},
		{[]string{"sync", "watch", "media", ""}, "sync_1\t/a"},
		{[]string{"run", "get", "media", "sync_1", ""}, "run_1"},
		{[]string{"key", "list", ""}, "a@example.com"},
		{[]string{"connection", "create", "--provider", ""}, "snowflake"},
	} {
		t.Setenv("MOORING_URL", url)
		out, err := run(t, "", append([]string{"__complete"}, c.args...)...)
		if err != nil || !strings.Contains(out, c.want) || strings.Contains(out, "two") {
			t.Errorf("%v: %q, %v", c.args, out, err)
		}
	}
}
