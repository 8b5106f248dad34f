package api_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// The trail is exported whole, and a head that was kept finds what changed.
func TestAuditTrailIsVerifiedAndExported(t *testing.T) {
	w := newWorld(t)
	empty := w.as(200, "GET", "/v1/organizations/audit/verify", nil)
	if empty.doc["valid"] != true {
		t.Errorf("got %s", empty.raw)
	}
	for _, name := range []string{"a", "b", "c"} {
		w.bucket(name)
	}
	head, _ := w.as(200, "GET", "/v1/organizations/audit/head", nil).doc["head"].(string)
	w.bucket("later")
	got := w.as(200, "GET", "/v1/organizations/audit/verify?head="+head, nil)
	if got.doc["valid"] != true || got.doc["end"].(map[string]any)["head"] == head {
		t.Errorf("got %s", got.raw)
	}
	_, mac, _ := strings.Cut(head, ":")
	for _, other := range []string{"1:" + mac, "999999:" + mac} {
		got := w.as(200, "GET", "/v1/organizations/audit/verify?head="+other, nil)
		if got.doc["valid"] != false || !strings.Contains(got.doc["message"].(string), "broken at entry") {
			t.Errorf("%s: got %s", other, got.raw)
		}
	}
	w.as(422, "GET", "/v1/organizations/audit/verify?head=nonsense", nil)

	n, lines := 0, bufio.NewScanner(bytes.NewReader(w.as(200, "GET", "/v1/organizations/audit/export?resource_type=bucket", nil).raw))
	for ; lines.Scan(); n++ {
		var e map[string]any
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil || e["resource_type"] != "bucket" || e["mac"] == "" {
			t.Errorf("line %d: %s, %v", n, lines.Text(), err)
		}
	}
	if n != 4 {
		t.Errorf("%d lines", n)
	}
}

// Each filter selects what it names, also together with others, and the total follows.
func TestAuditTrailIsFiltered(t *testing.T) {
	w := newWorld(t)
	id := w.bucket("a")
	w.bucket("b")
	const logs = "/v1/organizations/audit/logs?"
	made := w.as(200, "GET", logs+"resource_type=bucket&action=bucket_created", nil)
	if made.number("total") != 2 {
		t.Fatalf("got %s", made.raw)
	}
	actor := made.text("results", 0, "actor_id")
	for query, want := range map[string]float64{
		"resource_type=bucket&actor_id=" + actor:              2,
		"resource_type=bucket&actor_id=nobody":                0,
		"resource_type=Bucket&resource_id=" + id:              1,
		"resource_type=bucket&action=bucket_deleted":          0,
		"resource_type=bucket&end=2001-01-01T00:00:00Z":       0,
		"resource_type=bucket&start=2001-01-01T00:00:00Z":     2,
		"resource_type=storage_connection&resource_id=" + id:  0,
		"actor_id=" + actor + "&resource_type=bucket&limit=1": 2,
		"actor_id=" + actor + "&resource_type=bucket&skip=1":  2,
	} {
		got := w.as(200, "GET", logs+query, nil)
		if float64(got.number("total")) != want {
			t.Errorf("%s: %v of %v", query, got.number("total"), want)
		}
	}
}
