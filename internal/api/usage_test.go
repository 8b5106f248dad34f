package api_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring/internal/api"
	"mooring/internal/connection"
	"mooring/internal/event"
	"mooring/internal/id"
)

func TestUsageAndStaleConnections(t *testing.T) {
	w := newWorld(t)
	org := w.org.Organization.ID
	first, second := w.connect("first"), w.connect("second")
	today := time.Now()
	part := func(ago int, requests int64) connection.Usage {
		return connection.Usage{Connection: id.Connection(first), Day: connection.DayOf(today.AddDate(0, 0, -ago)), Syncs: 1, Requests: requests, Throttles: 1,
			Errors: map[string]int64{"unavailable": 2}, Runs: map[string]int64{"sync_x": 1}}
	}
	if err := w.store.Usage().Add(context.Background(), org, []connection.Usage{part(0, 5), part(3, 7), part(40, 1000)}); err != nil {
		t.Fatal(err)
	}
	got := w.as(200, "GET", connections+"/first/usage", nil)
	if !strings.Contains(string(got.raw), `"total":{"syncs":2,"objects":0,"bytes":0,"requests":12,"throttles":2,"errors":{"unavailable":4}}`) {
		t.Errorf("%s", got.raw)
	}
	if got := w.as(200, "GET", connections+"/first/usage?days=1", nil); !strings.Contains(string(got.raw), `"requests":5,"throttles":1,`) || strings.Contains(string(got.raw), `"requests":7`) {
		t.Errorf("%s", got.raw)
	}
	w.as(422, "GET", connections+"/first/usage?days=0", nil)
	w.as(404, "GET", connections+"/third/usage", nil)
	if err := w.store.Connections().Touch(context.Background(), org, id.Connection(first)); err != nil {
		t.Fatal(err)
	}
	stale := w.as(200, "POST", connections+"/list", object{"stale_days": 30})
	if !strings.Contains(string(stale.raw), second) || strings.Contains(string(stale.raw), first) {
		t.Errorf("%s", stale.raw)
	}
}

func TestIntervalAndExpiry(t *testing.T) {
	w := newWorld(t)
	w.connect("c")
	path := connections + "/c"
	w.as(422, "PATCH", path, object{"check_interval_seconds": 59})
	w.as(422, "PATCH", path, object{"check_interval_seconds": 86401})
	soon := time.Now().Add(48 * time.Hour).UTC().Format(time.RFC3339)
	got := w.as(200, "PATCH", path, object{"check_interval_seconds": 60, "credentials_expire_at": soon})
	if got.number("check_interval_seconds") != 60 || got.doc["credentials_expire_at"] == nil || !strings.Contains(got.text("advice"), "the credentials expire on ") {
		t.Errorf("%s", got.raw)
	}
	w.as(200, "POST", path+"/test", nil)
	w.as(200, "POST", path+"/test", nil)
	events, err := w.store.Events().List(t.Context(), w.org.Organization.ID, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	told := slices.DeleteFunc(slices.Clone(events), func(e event.Event) bool { return e.Type != "credentials.expiring" })
	if len(told) != 1 || told[0].Data["name"] != "c" {
		t.Errorf("%+v", events)
	}
	got = w.as(200, "PATCH", path, object{"check_interval_seconds": 0, "credentials_expire_at": nil})
	if got.doc["check_interval_seconds"] != nil || got.doc["credentials_expire_at"] != nil || got.doc["advice"] != nil {
		t.Errorf("%s", got.raw)
	}
}

func TestIsolationIsDegradedAndServes(t *testing.T) {
	w := newWorld(t)
	reason := "nothing can be reached"
	w.server.Degraded = func() string { return reason }
	w.handler = api.New(w.server)
	if got := w.as(200, "GET", "/readyz", nil); got.doc["status"] != "degraded" || got.doc["reason"] != reason {
		t.Errorf("%s", got.raw)
	}
	if got := w.as(200, "GET", "/v1/health", nil); got.doc["status"] != "DEGRADED" || !strings.Contains(string(got.raw), reason) {
		t.Errorf("%s", got.raw)
	}
	reason = ""
	if got := w.as(200, "GET", "/readyz", nil); got.doc["status"] != "ok" || got.doc["reason"] != nil {
		t.Errorf("%s", got.raw)
	}
}
