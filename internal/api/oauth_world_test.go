package api_test

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"mooring/csfle"
	"mooring/emulator/gdrive"
	"mooring/emulator/msgraph"
	"mooring/internal/api"
	"mooring/internal/connection/config"
	connectionservice "mooring/internal/connection/service"
	"mooring/internal/connection/tokens"
	"mooring/internal/connection/vault"
	"mooring/internal/oauth"
	"mooring/internal/outbound"
	storage "mooring/internal/provider"
	"mooring/internal/provider/all"
	"mooring/internal/provider/driver"
	"mooring/internal/secret"
)

// consenting is the API with real adapters before both emulators, reached by
// browsers over HTTP.
type consenting struct {
	*world
	url     string
	google  *gdrive.Server
	graph   *msgraph.Server
	deps    oauth.Deps
	service connectionservice.Deps
	late    time.Duration // how far the flow's clock is ahead
}

const (
	directory    = "5a5a5a5a-0000-4000-8000-000000000001"
	googleSecret = "operators-google-secret-canary"
	graphSecret  = "operators-graph-secret-canary"
	person       = "ann@example.org"
)

func newConsenting(t *testing.T) *consenting {
	t.Helper()
	w := &consenting{world: newWorld(t)}
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.handler.ServeHTTP(rw, r) }))
	t.Cleanup(srv.Close)
	w.url = srv.URL

	w.google = gdrive.Start(t, gdrive.Options{RotateRefreshTokens: true, RefuseReused: true})
	w.google.User(person)
	w.google.OAuthClient("google-client-id", googleSecret)
	w.graph = msgraph.Start(t, msgraph.Options{RotateRefreshTokens: true, RefuseReused: true})
	w.graph.Tenant(directory)
	w.graph.App(directory, "graph-client-id", graphSecret)
	w.graph.User(directory, person)

	endpoints := map[string]map[string]string{
		"google_drive": {"api": w.google.API(), "token": w.google.TokenURL(), "consent": w.google.AuthURL()},
		"sharepoint":   {"api": w.graph.API(), "token": w.graph.LoginURL()},
	}
	guard := outbound.New(outbound.Options{AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	t.Cleanup(guard.Close)
	sealer := csfle.NewSealer(csfle.NewKeyring(w.store.KeyVault(), csfle.GenerateLocalMasterKey(), csfle.KeyringOptions{}))
	safe := vault.Vault{Sealer: sealer, Organizations: w.store.Organizations()}
	clients := []connectionservice.OAuthClient{
		{Name: "google", Provider: "google_drive", ID: "google-client-id", Secret: secret.New(googleSecret)},
		{Name: "ms", Provider: "sharepoint", ID: "graph-client-id", Secret: secret.New(graphSecret), Tenant: directory},
	}
	w.service = connectionservice.Deps{
		Connections: w.store.Connections(), Organizations: w.store.Organizations(), Sealer: sealer, OAuthClients: clients,
		Opener: connectionservice.OpenerFunc(func(ctx context.Context, name string, c config.Config, k driver.Tokens) (connectionservice.Prober, error) {
			return storage.Open(ctx, name, c, storage.Deps{Registry: all.Adapters(), Endpoints: endpoints, Options: driver.Options{Transport: guard, Tokens: k}})
		}),
	}
	w.deps = oauth.Deps{
		Organizations: w.store.Organizations(), Keys: w.store.APIKeys(), Consents: w.store.Consents(), Vault: safe, Clients: clients,
		HTTP: guard.Client(false), Endpoints: endpoints, PublicURL: w.url, Now: func() time.Time { return time.Now().Add(w.late) },
	}
	w.restart()
	return w
}

// restart makes the services anew, on what is stored.
func (w *consenting) restart() {
	w.service.Tokens = tokens.New(tokens.Deps{Store: w.store.Tokens(), Connections: w.store.Connections(), Vault: w.deps.Vault, Exclusive: true})
	w.server.Connections = connectionservice.New(w.service)
	w.deps.Connections = w.server.Connections
	w.server.OAuth, w.server.Providers = oauth.New(w.deps), nil
	w.handler = api.New(w.server)
}

// authorize asks for a link.
func (w *consenting) authorize(provider string, body object) string {
	w.t.Helper()
	return w.as(200, "POST", "/v1/oauth/"+provider+"/authorize", body).text("url")
}

// browser is what a user has: cookies, and no key. It follows no redirect by itself.
type browser struct {
	w *consenting
	*http.Client
}

func (w *consenting) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &browser{w, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// page is an answer to a browser.
type page struct {
	status   int
	text     string
	header   http.Header
	location string
	cookies  []*http.Cookie
}

func (b *browser) do(method, address string, headers ...string) page {
	b.w.t.Helper()
	r, err := http.NewRequestWithContext(b.w.t.Context(), method, address, http.NoBody)
	if err != nil {
		b.w.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := b.Do(r)
	if err != nil {
		b.w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return page{resp.StatusCode, string(text), resp.Header, resp.Header.Get("Location"), resp.Cookies()}
}

// want fetches a page that must have a status and hold texts.
func (b *browser) want(status int, method, address string, texts ...string) page {
	b.w.t.Helper()
	got := b.do(method, address)
	b.w.check(got, status, texts...)
	return got
}

func (w *consenting) check(got page, status int, texts ...string) {
	w.t.Helper()
	if got.status != status {
		w.t.Fatalf("status %d, want %d\n%s", got.status, status, got.text)
	}
	for _, text := range texts {
		if !strings.Contains(got.text, text) {
			w.t.Errorf("the page lacks %q:\n%s", text, got.text)
		}
	}
}

// confirm goes on from a link and returns where the provider's consent page is.
func (b *browser) confirm(link string) string {
	b.w.t.Helper()
	return b.want(http.StatusSeeOther, "POST", link).location
}

// consent consents at the provider and returns where that sends the browser.
func (b *browser) consent(address string) string {
	b.w.t.Helper()
	back := b.want(http.StatusFound, "GET", address).location
	if !strings.HasPrefix(back, b.w.url+oauth.CallbackPath+"?") {
		b.w.t.Fatalf("the provider sends the browser to %s", back)
	}
	return back
}

// connect goes through a whole flow.
func (b *browser) connect(link string) page {
	b.w.t.Helper()
	return b.do("GET", b.consent(b.confirm(link)))
}

// change sets parameters of an address; "" takes one away.
func change(address string, pairs ...string) string {
	u, err := url.Parse(address)
	if err != nil {
		panic(err)
	}
	q := u.Query()
	for i := 0; i+1 < len(pairs); i += 2 {
		if q.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			q.Del(pairs[i])
		}
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// connections are the names that there are.
func (w *consenting) connections() (names []string) {
	w.t.Helper()
	for _, c := range w.as(200, "POST", "/v1/organizations/connections/list", nil).results() {
		names = append(names, c.(map[string]any)["name"].(string))
	}
	return names
}

// nothing wants that no connection was made.
func (w *consenting) nothing() {
	w.t.Helper()
	if got := w.connections(); len(got) > 0 {
		w.t.Errorf("there are connections: %v", got)
	}
}
