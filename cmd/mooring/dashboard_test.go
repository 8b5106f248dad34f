package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"mooring/internal/config"
)

// newApp opens a new data directory.
func newApp(t *testing.T, listen string) *app {
	t.Helper()
	settings := config.Flags(pflag.NewFlagSet("", pflag.ContinueOnError))
	settings.DataDir, settings.Listen = t.TempDir(), listen
	if err := settings.Validate(); err != nil {
		t.Fatal(err)
	}
	a, err := openApp(t.Context(), settings, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.close() })
	return a
}

// TestASignInLinkOpensTheDashboard: who may open the data directory gets in, and
// both surfaces answer where they should.
func TestASignInLinkOpensTheDashboard(t *testing.T) {
	a := newApp(t, config.DefaultListen)
	if !a.founded {
		t.Error("a new store is not known as one")
	}
	said, err := a.carryOut(t.Context(), order{Do: "dashboard"})
	if err != nil {
		t.Fatal(err)
	}
	path, ok := strings.CutPrefix(said.Link, "http://"+config.DefaultListen)
	if !ok {
		t.Fatalf("the link is %q", said.Link)
	}
	ask := func(method, path string) *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		a.handler.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), method, path, nil))
		return rec
	}
	if rec := ask(http.MethodPost, path); rec.Code != http.StatusSeeOther || len(rec.Result().Cookies()) != 1 {
		t.Errorf("the link: %d, %v", rec.Code, rec.Header())
	}
	for path, kind := range map[string]string{"/healthz": "application/json", "/v1/nothing": "application/json", "/docs": "text/html", "/nothing": "text/html", "/sign-in": "text/html"} {
		if rec := ask(http.MethodGet, path); !strings.HasPrefix(rec.Header().Get("Content-Type"), kind) {
			t.Errorf("%s is answered as %s", path, rec.Header().Get("Content-Type"))
		}
	}
}
