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
