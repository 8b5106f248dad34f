package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// TestATokenEndpointLeadsNowhereElse: the code and the operator's client secret
// are sent to one address. One that sends on, also with the body (307), leads
// neither to another server nor to a metadata service.
func TestATokenEndpointLeadsNowhereElse(t *testing.T) {
	var met atomic.Int32
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { met.Add(1) }))
	defer thief.Close()
	for _, to := range []string{thief.URL, "http://169.254.169.254/latest/api/token", "/elsewhere"} {
		for _, status := range []int{http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
			var asked atomic.Int32
			sends := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
				asked.Add(1)
				rw.Header().Set("Location", to)
				rw.WriteHeader(status)
			}))
			w := newConsenting(t)
			w.deps.Endpoints["google_drive"]["token"] = sends.URL
			w.restart()
			b := w.browser()
			page := b.connect(w.authorize("google_drive", object{"name": "n"}))
			if page.status < 400 || asked.Load() != 1 || strings.Contains(page.text, thief.URL) || strings.Contains(page.text, googleSecret) {
				t.Errorf("%d to %s: status %d after %d requests\n%s", status, to, page.status, asked.Load(), page.text)
			}
			w.nothing()
			sends.Close()
		}
	}
	if n := met.Load(); n != 0 {
		t.Errorf("another server was sent %d requests", n)
	}
}
