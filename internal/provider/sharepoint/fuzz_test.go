package sharepoint_test

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
	"mooring/internal/provider/sharepoint"
)

// FuzzAnswers: whatever Graph answers, a listing ends with changes that name
// what they are about or with the provider's error, and no request goes to
// another host than Graph's.
func FuzzAnswers(f *testing.F) {
	for _, seed := range []string{
		`{"value":[{"id":"1","name":"a.txt","size":3,"file":{"hashes":{"quickXorHash":"x"}},"parentReference":{"id":"r","path":"/drive/root:"},"eTag":"e"}],"@odata.nextLink":"https://example.invalid/next"}`,
		`{"value":[{"id":"1","deleted":{}}],"@odata.deltaLink":"BASE/drives/d/root/delta?token=1"}`, `{"value":[{"id":"r","name":"root","root":{},"folder":{"childCount":1}}],"@odata.nextLink":"BASE/drives/d/root/delta?token=2"}`,
		`{"id":"b!d","root":{},"folder":{},"value":[{"id":"r","name":"root","root":{},"folder":{}},{"id":"1","name":"a","size":3,"file":{"hashes":{"quickXorHash":"x"}},"parentReference":{"id":"r","driveId":"b!d"},"eTag":"e","cTag":"c"},{"id":"","file":{}},{"id":"2","deleted":{}}],"@odata.deltaLink":"BASE/drives/b!d/root/delta?token=2"}`,
		`{"id":"b!d","name":"Documents","driveType":"documentLibrary"}`, `{"value":[null]}`, `{"value":[{"id":"","name":".."}]}`, `{"value":[{"id":"1","size":-1,"file":{}}]}`, `{"value":{}}`,
		`{"@odata.deltaLink":"http://169.254.169.254/latest"}`, `{"error":{"code":"resyncRequired","innerError":{"code":"x"}}}`, `{"error":"invalid_client","error_codes":[7000215]}`, `[]`, `<html>`, ``, strings.Repeat(`{"value":[`, 500),
	} {
		f.Add(uint16(0), seed)
		f.Add(uint16(210), seed)
	}
	var status int
	var body, base string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.Contains(r.URL.Path, "/token") {
			_, _ = io.WriteString(w, `{"access_token":"t","token_type":"Bearer","expires_in":3600}`)
			return
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, strings.ReplaceAll(body, "BASE", base))
	}))
	f.Cleanup(srv.Close)
	base = srv.URL + "/v1.0"
	guard := outbound.New(outbound.Options{AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	f.Cleanup(guard.Close)
	src, err := sharepoint.Open(f.Context(), decode(f, map[string]any{"site_id": host + ",22222222-2222-3333-4444-555555555555,33333333-2222-3333-4444-555555555555", "drive_id": "b!d"}), driver.Options{
		Transport: guard, Endpoints: map[string]string{"api": base, "token": srv.URL}, Tokens: provider.NewTokens(time.Now), Now: time.Now,
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
