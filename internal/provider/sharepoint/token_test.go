package sharepoint_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring/emulator/msgraph"
	"mooring/internal/errs"
	"mooring/internal/provider"
	"mooring/internal/provider/driver"
	"mooring/internal/provider/sharepoint"
)

// delegated is a configuration for a user, without a site.
func delegated(refresh string) map[string]any {
	return map[string]any{"credentials": map[string]any{
		"type": "delegated", "tenant_id": tenant, "client_id": client, "client_secret": secretly, "refresh_token": refresh,
	}}
}

func TestOneTokenForManyRequests(t *testing.T) {
	g := start(t)
	src := g.opened()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := src.Check(t.Context(), ""); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := g.Count(msgraph.Token); n != 1 {
		t.Errorf("%d tokens were asked for", n)
	}
}

func TestAnExpiredTokenIsRenewedOnce(t *testing.T) {
	g := start(t)
	src := g.opened()
	_, err := src.Check(t.Context(), "")
	must(t, err)
	g.ExpireAccessTokens()
	_, err = src.Check(t.Context(), "")
	must(t, err)
	if n := g.Count(msgraph.Token); n != 2 {
		t.Errorf("%d tokens were asked for, want 2", n)
	}
	g.Inject(msgraph.Fault{Match: api, Action: msgraph.ReplyCode("InvalidAuthenticationToken")})
	before := g.Count(msgraph.GetItem)
	_, err = src.Check(t.Context(), "")
	kind(t, err, errs.Unauthenticated, errs.ScopeConnection)
	if n, requests := g.Count(msgraph.Token), g.Count(msgraph.GetItem)-before; n != 3 || requests != 2 {
		t.Errorf("a token that is always refused: %d tokens, %d requests; want 3, 2", n, requests)
	}
}

func TestRefreshTokensRotate(t *testing.T) {
	o := msgraph.Documented()
	o.RefuseReused = true
	g := start(t, o)
	g.User(tenant, "ada@contoso.com")
	src := g.open(delegated(g.Consent(tenant, client, "ada@contoso.com")))
	for range 3 {
		_, err := src.Check(t.Context(), "")
		must(t, err)
		g.ExpireAccessTokens()
	}
	g.RevokeRefreshTokens(tenant, "ada@contoso.com")
	_, err := src.Check(t.Context(), "")
	if e := kind(t, err, errs.Unauthenticated, errs.ScopeConnection); e.Code != "AADSTS50173" {
		t.Errorf("code %q", e.Code)
	}
}

func TestTheExpiryIsOfTheClockGiven(t *testing.T) {
	g := start(t)
	now := time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)
	o := g.options()
	o.Now = func() time.Time { return now }
	o.Tokens = provider.NewTokens(o.Now)
	src, err := sharepoint.Open(t.Context(), decode(t, map[string]any{"site_id": g.site}), o)
	must(t, err)
	for _, wait := range []time.Duration{0, 57 * time.Minute, 4 * time.Minute} {
		now = now.Add(wait)
		_, err = src.Check(t.Context(), "")
		must(t, err)
	}
	if n := g.Count(msgraph.Token); n != 2 {
		t.Errorf("%d tokens in an hour, want 2", n)
	}
}

// Neither the token endpoint nor the API may send credentials elsewhere.
func TestCredentialsFollowNoRedirect(t *testing.T) {
	var mu sync.Mutex
	var got []string
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.Header.Get("Authorization")+r.Form.Encode())
	}))
	defer thief.Close()
	bad := httptest.NewServer(http.RedirectHandler(thief.URL, http.StatusTemporaryRedirect))
	defer bad.Close()
	g := start(t)
	for _, endpoint := range []string{"api", "token"} {
		o := g.options()
		o.Endpoints[endpoint] = bad.URL
		src, err := sharepoint.Open(t.Context(), decode(t, map[string]any{"site_id": g.site}), o)
		must(t, err)
		if _, err := src.Check(t.Context(), ""); err == nil {
			t.Error("a redirect is no error")
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(got) > 0 {
		t.Errorf("the other host was sent %q", got)
	}
}

func TestBudget(t *testing.T) {
	g := start(t)
	budget := func(fields map[string]any) string {
		b, ok := g.open(fields).(driver.Budgeter)
		if !ok {
			t.Fatal("no Budgeter")
		}
		return b.Budget()
	}
	cred := func(secret string) map[string]any {
		return map[string]any{"type": "client_credentials", "tenant_id": tenant, "client_id": client, "client_secret": secret}
	}
	one := budget(map[string]any{"site_id": g.site})
	if other := budget(map[string]any{"drive_id": "b!other"}); other != one {
		t.Error("two sites of one application do not share its budget")
	}
	if other := budget(map[string]any{"site_id": g.site, "credentials": cred("claimed")}); other == one {
		t.Error("whoever claims to be the application shares its budget")
	}
	if strings.Contains(one, secretly) {
		t.Error("the budget's name holds the secret")
	}
}

func TestRequestsAreDecorated(t *testing.T) {
	g := start(t)
	g.File(g.drive, g.Root(g.drive), "f", []byte("content"))
	src := g.opened()
	_, err := read(t, src, g.item(src, "f"), 0)
	must(t, err)
	for _, r := range g.Requests() {
		if r.Operation != msgraph.Token && !strings.HasPrefix(r.UserAgent, "NONISV|Mooring|Mooring/") {
			t.Errorf("%s says %q", r.Operation, r.UserAgent)
		}
	}
}

func TestWrongConfigurations(t *testing.T) {
	g := start(t)
	for name, change := range map[string]func(o *driver.Options){
		"api":   func(o *driver.Options) { o.Endpoints["api"] = "ftp://x" },
		"user":  func(o *driver.Options) { o.Endpoints["api"] = "https://a:b@x" },
		"token": func(o *driver.Options) { o.Endpoints["token"] = "nonsense" },
	} {
		o := g.options()
		change(&o)
		_, err := sharepoint.Open(t.Context(), decode(t, map[string]any{"site_id": "root"}), o)
		if !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAnotherConsentEnumeratesAnew: another user may see what the one before did
// not, and the delta would never tell of it.
func TestAnotherConsentEnumeratesAnew(t *testing.T) {
	g := start(t, msgraph.Options{RotateRefreshTokens: true, RefuseReused: true})
	g.User(tenant, "ada@contoso.com")
	g.User(tenant, "bob@contoso.com")
	g.sample(g.drive, "finance")
	consent := func(user string) map[string]any {
		return map[string]any{"drive_id": g.drive, "credentials": map[string]any{
			"type": "delegated", "tenant_id": tenant, "client_id": client, "client_secret": secretly, "refresh_token": g.Consent(tenant, client, user),
		}}
	}
	ada := g.open(consent("ada@contoso.com"))
	_, cur := all(t, ada, "", nil)
	g.ExpireAccessTokens() // and the refresh token is replaced
	if again, _ := all(t, ada, "", cur); len(again) > 0 {
		t.Errorf("the same consent is told %d changes where there are none", len(again))
	}
	_, err := g.open(consent("bob@contoso.com")).Changes(t.Context(), driver.Scope{}, cur)
	kind(t, err, errs.CursorExpired, errs.ScopePath)
}
