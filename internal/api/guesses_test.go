package api_test

import (
	"strings"
	"testing"
)

// Trying keys is slowed down for who does it, and for nobody else; it fills
// neither the log nor a trail.
func TestTryingKeysIsSlowedDown(t *testing.T) {
	w := newWorld(t)
	before := w.as(200, "GET", "/v1/organizations/audit/logs", nil).number("total")
	statuses := map[int]int{}
	for range 100 {
		got := w.send("moor_nobody", "GET", "/v1/namespaces", nil)
		statuses[got.status]++
		if got.status == 429 && got.header.Get("Retry-After") == "" {
			t.Fatal("429 without Retry-After")
		}
	}
	if statuses[401] < 20 || statuses[401] > 40 || statuses[401]+statuses[429] != 100 {
		t.Errorf("statuses %v", statuses)
	}
	w.as(200, "GET", "/v1/namespaces", nil) // a valid key from the same address
	if n := strings.Count(w.log.String(), "an API key that is not valid"); n != 1 {
		t.Errorf("%d lines in the log", n)
	}
	if strings.Contains(w.log.String(), "moor_nobody") {
		t.Error("the log holds what was tried")
	}
	if after := w.as(200, "GET", "/v1/organizations/audit/logs", nil).number("total"); after != before {
		t.Errorf("%v entries more in the trail", after-before)
	}
}
