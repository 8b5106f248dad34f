package outbound_test

import (
	"net/http"
	"testing"
	"time"

	"mooring/internal/outbound"
)

func TestRetryAfterInBothForms(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for v, want := range map[string]time.Duration{
		"": 0, "41": 41 * time.Second, " 41 ": 41 * time.Second, "-1": 0, "soon": 0, "1.5": 0, "31536000": 24 * time.Hour,
		"Sun, 01 Mar 2026 12:05:00 GMT": 5 * time.Minute, "Sun, 01 Mar 2026 11:00:00 GMT": 0, "Mon, 01 Mar 2027 12:00:00 GMT": 24 * time.Hour,
	} {
		if got := outbound.RetryAfter(http.Header{"Retry-After": {v}}, now); got != want {
			t.Errorf("%q: %v, want %v", v, got, want)
		}
	}
}
