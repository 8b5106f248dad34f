package all_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring/internal/connection/config"
	"mooring/internal/errs"
	"mooring/internal/provider"
	"mooring/internal/provider/all"
	"mooring/internal/provider/driver"
)

// watched is a transport that reaches nobody and remembers what was asked for.
// Token endpoints give a token, so that an adapter goes on.
type watched struct {
	mu    sync.Mutex
	asked []*url.URL
}

func (w *watched) Client(bool) *http.Client { return &http.Client{Transport: w} }
func (w *watched) Operator() *http.Client   { return w.Client(false) }

// RoundTrip implements http.RoundTripper.
func (w *watched) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, r.URL)
	out := &http.Response{
		StatusCode: http.StatusNotFound, Header: http.Header{"Content-Type": {"application/json"}}, Request: r, ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(strings.NewReader(`{"error":{"code":"itemNotFound"}}`)),
	}
	if strings.Contains(r.URL.Host, "snowflake") {
		out.StatusCode = http.StatusForbidden // what is final: else it is asked again
	}
	if strings.HasSuffix(r.URL.Path, "/token") {
		out.StatusCode, out.Body = http.StatusOK, io.NopCloser(strings.NewReader(`{"access_token":"t","token_type":"Bearer","expires_in":3600}`))
	}
	return out, nil
}

// hostile are texts that would lead elsewhere if they became part of an address.
var hostile = []string{
	"..", ".", "../..", "a/../../b", "%2e%2e", "..%2f..", "a/b", `a\b`, "/", "//evil.example", "/..", "@evil.example", "u:p@evil.example", "evil.example", "evil.example/",
	"evil.example#", "evil.example?", "#", "?", "a?b=c", "a#b", "a%23", ":80", "a:80", "x@", "a;b", "a b", "a\tb", "a\r\nHost: evil.example", "a\x00", "[::1]", "127.0.0.1", "169.254.169.254",
	"2130706433", "0x7f000001", "0177.0.0.1", "localhost", "metadata.google.internal", "a.evil.example", "a_b", "-a", "a-", "A", "ä", "\u2024\u2024", "a\u3002b", "\uff0e\uff0e", "a\uff0fb", "a,b", "a:/b",
	"https://evil.example", "http://169.254.169.254/latest", "root:/../..", "x.sharepoint.com:/..", "x.sharepoint.com:/a?b", "x.sharepoint.com:/a#b", "x.sharepoint.com:/a:/children",
	"https://x.sharepoint.com/sites/..", "https://x.sharepoint.com@evil.example/", "https://x.sharepoint.com/sites/a?b", "https://x.sharepoint.com/%2e%2e/a",
	"evil.example,11111111-1111-1111-1111-111111111111,11111111-1111-1111-1111-111111111111", "..,11111111-1111-1111-1111-111111111111,11111111-1111-1111-1111-111111111111",
	"a/b/../../../c", "b!x/../../me", "DB.PUBLIC.\"../..\"", "evil.example.", "a..b", "a.-b", strings.Repeat("a", 300),
}

// own says where the requests of each provider may go.
var own = map[string]*regexp.Regexp{
	"s3":           regexp.MustCompile(`^https://([a-z0-9.-]+\.)?s3[.-][a-z0-9.-]+\.amazonaws\.com(\.cn)?/`),
	"tigris":       regexp.MustCompile(`^https://([A-Za-z0-9._-]+\.)?fly\.storage\.tigris\.dev/`),
	"google_drive": regexp.MustCompile(`^https://(www\.googleapis\.com/drive/v3/|oauth2\.googleapis\.com/token$)`),
	"sharepoint":   regexp.MustCompile(`^https://(graph\.microsoft\.com/v1\.0/|login\.microsoftonline\.com/[^/?#]+/oauth2/v2\.0/token$)`),
	"snowflake":    regexp.MustCompile(`^https://[a-z0-9][a-z0-9.-]*\.snowflakecomputing\.(com|cn)(:443)?/(session|queries)`),
}

// fields are, for each provider, a configuration and those of its fields that
// could become a part of an address.
var fields = map[string]struct {
	config string
	names  []string
}{
	"s3": {`{"region":"eu-west-1","credentials":{"type":"access_key","access_key_id":"AKIAEXAMPLEEXAMPLE00","secret_access_key":"0123456789012345678901234567890123456789"}}`,
		[]string{"region", "bucket"}},
	"tigris": {`{"credentials":{"type":"access_key","access_key_id":"tid_demo","secret_access_key":"tsec_demo"}}`, []string{"region", "bucket"}},
	"google_drive": {`{"credentials":{"type":"oauth","client_id":"c","client_secret":"s","refresh_token":"r"}}`,
		[]string{"shared_drive_id", "credentials.client_id"}},
	"sharepoint": {`{"site_id":"root","credentials":{"type":"client_credentials","tenant_id":"contoso.example","client_id":"c","client_secret":"s"}}`,
		[]string{"site_id", "drive_id", "folder_path", "credentials.tenant_id", "credentials.client_id"}},
	"snowflake": {`{"account":"org-acct","warehouse":"WH","credentials":{"type":"username_password","username":"U","password":"p"}}`,
		[]string{"account", "warehouse", "database", "schema", "role", "credentials.username"}},
}

// TestNothingConfiguredLeadsElsewhere: whatever a tenant gives as region, account,
// tenant, site, drive, path or id, requests go to the provider, over TLS, and below
// its API, or none is made.
func TestNothingConfiguredLeadsElsewhere(t *testing.T) {
	for name, f := range fields {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &watched{}
			for _, field := range f.names {
				for _, text := range hostile {
					if src := w.open(t, name, f.config, field, text); src != nil {
						w.use(src, "", "")
					}
				}
			}
			src := w.open(t, name, f.config, "", "")
			for _, text := range hostile {
				w.use(src, text, text)
				w.use(src, "bucket/"+text, "bucket/"+text)
				w.use(src, "/sites/"+text, "b!drive/"+text)
				w.use(src, "DB.PUBLIC."+text, "DB.PUBLIC.T/"+text)
			}
			w.verify(t, name)
		})
	}
}

// open opens a provider with one field changed; nil when the field is refused.
func (w *watched) open(t *testing.T, name, text, field, value string) *provider.Source {
	t.Helper()
	var raw map[string]any
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		t.Fatal(err)
	}
	if sub, ok := strings.CutPrefix(field, "credentials."); ok {
		raw["credentials"].(map[string]any)[sub] = value
	} else if field != "" {
		raw[field] = value
	}
	c, err := config.Decode(name, raw, errs.NewFields("provider_config"))
	if err != nil && field != "" {
		return nil
	}
	var src *provider.Source
	if err == nil {
		src, err = provider.Open(t.Context(), name, c, provider.Deps{
			Registry: all.Adapters(), Options: driver.Options{Transport: w, Tokens: provider.NewTokens(time.Now), Now: time.Now},
		})
	}
	if err != nil {
		if field == "" {
			t.Fatal(err)
		}
		return nil
	}
	t.Cleanup(func() { _ = src.Close() })
	return src
}

// use asks for everything there is to ask for.
func (w *watched) use(src *provider.Source, path, id string) {
	ctx := context.Background()
	scope := driver.Scope{Path: path}
	_, _ = src.Check(ctx, path)
	_, _ = src.Browse(ctx, path, "", 10)
	_, _ = src.Changes(ctx, scope, nil)
	_, _ = src.Stat(ctx, scope, id)
	if r, err := src.Open(ctx, driver.Item{ID: id, Size: 1, Version: "v"}, 0); err == nil {
		_ = r.Close()
	}
}

// verify looks where all requests went.
func (w *watched) verify(t *testing.T, name string) {
	t.Helper()
	if len(w.asked) < 50 {
		t.Errorf("only %d requests were made: nothing was tried", len(w.asked))
	}
	for _, u := range w.asked {
		switch dots := slices.ContainsFunc(strings.Split(u.Path, "/"), func(s string) bool { return s == "." || s == ".." }); {
		case !own[name].MatchString(u.Scheme + "://" + u.Host + u.EscapedPath()), u.User != nil, u.Fragment != "":
			t.Errorf("a request went to %s", u)
		case dots && name != "s3" && name != "tigris": // whose keys may be so, and whose addresses are signed as they are
			t.Errorf("a request climbs: %s", u)
		}
	}
}
