package metrics_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"mooring/internal/errs"
	"mooring/internal/metrics"
	"mooring/internal/provider"
	"mooring/internal/syncing"
)

var _ provider.Metrics = (*metrics.Metrics)(nil)

func scrape(t *testing.T, m *metrics.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// all has each metric told of something once.
func all(t *testing.T) *metrics.Metrics {
	t.Helper()
	m := metrics.New("test")
	m.Call("s3", "check", "ok", 20*time.Millisecond)
	m.Call("s3", "open", "throttled", time.Second)
	m.Retry("s3", "open", errs.Throttled, time.Second)
	m.Queued("s3", "open", 2*time.Second)
	m.Read("s3", 4096)
	m.Run(syncing.Run{Provider: "s3", Status: syncing.RunCompleted, Ledger: syncing.Ledger{Discovered: 3, Synced: 2, Unchanged: 1, Bytes: 100}}, 3*time.Second)
	m.Request("GET /v1/buckets", 200, time.Millisecond)
	m.AuditHead("int_a", 7, "7:aa")
	m.AuditHead("int_a", 9, "9:bb")
	m.Watch(func(context.Context) (metrics.Census, error) {
		return metrics.Census{Connections: map[[2]string]int64{{"s3", "ACTIVE"}: 5}, SyncDelay: 30 * time.Second, CheckDelay: time.Minute}, nil
	}, func() int { return 2 }, slog.New(slog.DiscardHandler))
	return m
}

func TestScrape(t *testing.T) {
	got := scrape(t, all(t))
	for _, want := range []string{
		`mooring_provider_call_seconds_count{kind="ok",method="check",provider="s3"} 1`,
		`mooring_provider_retries_total{kind="throttled",method="open",provider="s3"} 1`,
		`mooring_provider_queued_seconds_total{method="open",provider="s3"} 2`,
		`mooring_provider_read_bytes_total{provider="s3"} 4096`,
		`mooring_runs_total{provider="s3",status="COMPLETED"} 1`,
		`mooring_items_total{outcome="synced",provider="s3"} 2`,
		`mooring_synced_bytes_total{provider="s3"} 100`,
		`mooring_http_request_seconds_count{route="GET /v1/buckets",status="200"} 1`,
		`mooring_audit_head_sequence{head="9:bb",organization="int_a"} 9`,
		`mooring_connections{provider="s3",status="ACTIVE"} 5`,
		`mooring_sync_queue_age_seconds 30`,
		`mooring_check_queue_age_seconds 60`,
		`mooring_leases_held 2`,
		`mooring_build_info{version="test"} 1`,
		`mooring_provider_last_success_timestamp_seconds{provider="s3"}`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("there is no %s", want)
		}
	}
	if strings.Contains(got, "7:aa") {
		t.Error("an old head is still there")
	}
}

// A store that does not answer takes only its own metrics away.
func TestAStoreThatFailsDoesNotEndAScrape(t *testing.T) {
	m := metrics.New("test")
	m.Watch(func(context.Context) (metrics.Census, error) { return metrics.Census{}, errors.New("down") }, func() int { return 0 }, slog.New(slog.DiscardHandler))
	if got := scrape(t, m); !strings.Contains(got, "mooring_leases_held 0") || strings.Contains(got, "mooring_connections{") {
		t.Errorf("got %s", got)
	}
}

// The alert rules name metrics that there are.
func TestAlertRulesNameWhatIsMeasured(t *testing.T) {
	rules, err := os.ReadFile("../../deploy/prometheus/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	got := scrape(t, all(t))
	names := regexp.MustCompile(`mooring_[a-z_]+`).FindAllString(string(rules), -1)
	if len(names) < 8 {
		t.Fatalf("only %d names", len(names))
	}
	for _, name := range names {
		if !strings.Contains(got, "\n# TYPE "+name+" ") {
			t.Errorf("%s is not measured", name)
		}
	}
}
