package gdrive_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"mooring/internal/errs"
	"mooring/internal/outbound"
	"mooring/internal/provider"
	"mooring/internal/provider/driver"
	"mooring/internal/provider/gdrive"
)

// FuzzAnswers: whatever Drive answers, a listing ends with changes that name
// what they are about or with the provider's error.
func FuzzAnswers(f *testing.F) {
	for _, seed := range []string{
		`{"files":[{"id":"1","name":"a","mimeType":"text/plain","parents":["root"],"size":"3","md5Checksum":"x","modifiedTime":"2026-01-02T03:04:05.678Z"}],"nextPageToken":"n"}`,
		`{"changes":[{"fileId":"1","removed":true}],"newStartPageToken":"2"}`, `{"changes":[{"changeType":"drive","driveId":"d","removed":true}],"nextPageToken":"3"}`,
		`{"startPageToken":"1","id":"r","mimeType":"application/vnd.google-apps.folder","files":[{"id":"1","name":"a","mimeType":"text/plain","parents":["r"],"size":"3","version":"1"}],"changes":[{"fileId":"1","file":{"id":"1","name":"b","parents":["r"]}}],"drives":[{"id":"d","name":"D"}],"newStartPageToken":"2"}`,
		`{"startPageToken":"1","id":"r","mimeType":"application/vnd.google-apps.folder","files":[{"id":"","name":"","parents":[]},{"id":"r","parents":["r"],"mimeType":"application/vnd.google-apps.folder"}],"changes":[{}],"newStartPageToken":"2"}`,
		`{"startPageToken":"1","id":"r","changes":[null],"drives":[null]}`,
		`{"startPageToken":"1"}`, `{"id":"root","name":"My Drive","mimeType":"application/vnd.google-apps.folder"}`, `{"files":[{"id":"","name":"/"}]}`, `{"files":[null]}`, `{"files":[{"id":"1","size":"-9"}]}`,
		`{"files":[{"id":"1","mimeType":"application/vnd.google-apps.shortcut","shortcutDetails":{"targetId":"1"}}]}`,
		`{"error":{"code":403,"errors":[{"reason":"rateLimitExceeded"}]}}`, `{"error":"x"}`, `[]`, `<html>`, ``, strings.Repeat(`{"a":`, 500),
	} {
		f.Add(uint16(0), seed)
		f.Add(uint16(203), seed)
	}
	var status int
	var body string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.HasPrefix(r.URL.Path, "/token") {
			_, _ = io.WriteString(w, `{"access_token":"t","token_type":"Bearer","expires_in":3600}`)
			return
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	f.Cleanup(srv.Close)
	guard := outbound.New(outbound.Options{AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	f.Cleanup(guard.Close)
	c := decode(f, map[string]any{"provider_type": "google_drive", "credentials": map[string]any{"type": "oauth", "client_id": "client", "client_secret": "client-secret-7319", "refresh_token": "refresh-token-1234"}})
	src, err := gdrive.Open(f.Context(), c, driver.Options{
		Endpoints: map[string]string{"api": srv.URL + "/drive/v3/", "token": srv.URL + "/token"}, Transport: guard, Tokens: provider.NewTokens(time.Now), Now: time.Now,
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, code uint16, text string) {
		status, body = 200+int(code)%300, text
		if status == 304 || status == 204 || status == 429 || status == 408 { // have no body, or are tried again
			status = 200
		}
		var cur driver.Cursor
		for range 3 {
			page, err := src.Changes(t.Context(), driver.Scope{}, cur)
			checkError(t, err)
			for _, c := range page.Changes {
				if c.Item.ID == "" {
					t.Fatalf("%s gives %+v", text, c)
				}
			}
			if cur = page.Next; err != nil || cur == nil {
				break
			}
		}
		_, err := src.Browse(t.Context(), "", "", 10)
		checkError(t, err)
		_, err = src.Check(t.Context(), "")
		checkError(t, err)
	})
}

// checkError wants what a provider is to blame for to be told as such.
func checkError(t *testing.T, err error) {
	t.Helper()
	if e := errs.From(err); err != nil && (e.Origin != errs.Provider || errs.KindOf(err) == errs.Internal) {
		t.Fatalf("a fault of ours: %v", err)
	}
}
