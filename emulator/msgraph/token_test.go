package msgraph_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"sync"
	"testing"
	"time"

	"mooring/emulator/msgraph"
)

const (
	user  = "ada@contoso.example"
	scope = "https://graph.microsoft.com/.default"
)

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func (w *world) refresh(token string) reply {
	w.Helper()
	return w.post(tenant, "grant_type", "refresh_token", "client_id", app, "client_secret", secret, "refresh_token", token)
}

func TestClientCredentials(t *testing.T) {
	c := newClock()
	w := newWorld(t, msgraph.Options{Now: c.Now})
	r := w.post(tenant, "grant_type", "client_credentials", "client_id", app, "client_secret", secret, "scope", scope)
	if r.status != 200 || r.body["token_type"] != "Bearer" || r.body["expires_in"] != 3599.0 || r.body["ext_expires_in"] != 3599.0 || r.body["refresh_token"] != nil {
		t.Fatalf("%d %s", r.status, r.text)
	}
	w.bearer = r.str("access_token")
	w.want(200, "/drives/"+w.drive)
	c.advance(3600 * time.Second)
	expired := w.want(401, "/drives/"+w.drive)
	if expired.str("error", "code") != "InvalidAuthenticationToken" || expired.header.Get("WWW-Authenticate") == "" {
		t.Errorf("an expired token: %s", expired.text)
	}
	basic := w.do(http.MethodPost, w.s.LoginURL()+"/"+tenant+"/oauth2/v2.0/token", formBody("grant_type", "client_credentials", "scope", scope),
		"Content-Type", "application/x-www-form-urlencoded",
		"Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(app)+":"+url.QueryEscape(secret))))
	if basic.status != 200 {
		t.Errorf("with HTTP Basic: %s", basic.text)
	}
}

func TestTokenEndpointRefuses(t *testing.T) {
	good := map[string]string{"grant_type": "client_credentials", "client_id": app, "client_secret": secret, "scope": scope}
	for name, tc := range map[string]struct {
		tenant, field, value string
		prepare              func(*world)
		status, code         int
		err                  string
	}{
		"wrong secret":      {field: "client_secret", value: "the id of the secret", status: 401, err: "invalid_client", code: 7000215},
		"expired secret":    {prepare: func(w *world) { w.s.ExpireSecret(tenant, app) }, status: 401, err: "invalid_client", code: 7000222},
		"no secret":         {field: "client_secret", status: 401, err: "invalid_client", code: 7000218},
		"public client":     {prepare: func(w *world) { w.s.App(tenant, app, "") }, status: 401, err: "invalid_client", code: 700025},
		"no such app":       {field: "client_id", value: "nobody", status: 400, err: "unauthorized_client", code: 700016},
		"removed app":       {prepare: func(w *world) { w.s.RemoveApp(tenant, app) }, status: 400, err: "unauthorized_client", code: 700016},
		"no such tenant":    {tenant: "7d1f3a52-0000-4000-8000-00000000dead", status: 400, err: "invalid_request", code: 90002},
		"malformed tenant":  {tenant: "contoso", status: 400, err: "invalid_request", code: 900023},
		"wrong scope":       {field: "scope", value: "Files.Read", status: 400, err: "invalid_scope", code: 70011},
		"unknown grant":     {field: "grant_type", value: "magic", status: 400, err: "unsupported_grant_type", code: 70003},
		"no grant":          {field: "grant_type", status: 400, err: "invalid_request", code: 900144},
		"service down":      {prepare: inject(msgraph.TokenError(90033)), status: 503, err: "temporarily_unavailable", code: 90033},
		"blocked by policy": {prepare: inject(msgraph.ConditionalAccess(53003)), status: 400, err: "invalid_grant", code: 53003},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if tc.prepare != nil {
				tc.prepare(w)
			}
			var form []string
			for field, value := range good {
				if field == tc.field {
					value = tc.value
				}
				if value != "" {
					form = append(form, field, value)
				}
			}
			at := tc.tenant
			if at == "" {
				at = tenant
			}
			r := w.post(at, form...)
			codes, _ := r.body["error_codes"].([]any)
			if r.status != tc.status || r.str("error") != tc.err || len(codes) != 1 || codes[0] != float64(tc.code) {
				t.Errorf("%d %s", r.status, r.text)
			}
			if log := w.s.Requests(); log[0].Operation != msgraph.Token || log[0].Code != tc.err || log[0].Tenant != at {
				t.Errorf("the log says %+v", log[0])
			}
		})
	}
}

func inject(a msgraph.Action) func(*world) {
	return func(w *world) { w.s.Inject(msgraph.Fault{Action: a}) }
}

func TestTokenErrorBody(t *testing.T) {
	c := newClock()
	w := newWorld(t, msgraph.Options{Now: c.Now})
	w.s.Inject(msgraph.Fault{Action: msgraph.ConditionalAccess(50076)})
	r := w.post(tenant, "grant_type", "client_credentials")
	want := regexp.MustCompile(`^AADSTS50076: .*\r\nTrace ID: [0-9a-f-]{36}\r\nCorrelation ID: [0-9a-f-]{36}\r\nTimestamp: 2026-11-23 12:00:00Z$`)
	if !want.MatchString(r.str("error_description")) {
		t.Errorf("the description is %q", r.str("error_description"))
	}
	if r.str("timestamp") != "2026-11-23 12:00:00Z" || r.str("suberror") != "basic_action" || r.str("claims") == "" || r.str("error_uri") == "" ||
		len(r.str("trace_id")) != 36 || len(r.str("correlation_id")) != 36 {
		t.Errorf("the body is %s", r.text)
	}
}

func TestRefreshTokensRotate(t *testing.T) {
	for _, refuse := range []bool{false, true} {
		w := newWorld(t, msgraph.Options{RotateRefreshTokens: true, RefuseReused: refuse})
		first := w.s.Consent(tenant, app, user)
		r := w.refresh(first)
		second := r.str("refresh_token")
		if r.status != 200 || second == "" || second == first {
			t.Fatalf("%d %s", r.status, r.text)
		}
		reused := w.refresh(first)
		if refuse && (reused.status != 400 || reused.str("error") != "invalid_grant") || !refuse && reused.status != 200 {
			t.Errorf("reused: %d %s", reused.status, reused.text)
		}
		if r := w.refresh(second); r.status != 200 {
			t.Errorf("the rotated one: %s", r.text)
		}
		w.bearer = r.str("access_token")
		if me := w.want(200, "/me/drive"); me.str("id") != w.s.User(tenant, user) || me.str("driveType") != "business" {
			t.Errorf("the token is not the user's: %s", me.text)
		}
	}
}

func TestRefreshTokensEnd(t *testing.T) {
	c := newClock()
	w := newWorld(t, msgraph.Options{Now: c.Now})
	token := w.s.Consent(tenant, app, user)
	if r := w.refresh(token); r.status != 200 || r.body["refresh_token"] != nil {
		t.Errorf("without rotation: %s", r.text)
	}
	c.advance(89 * 24 * time.Hour)
	if r := w.refresh(token); r.status != 200 {
		t.Errorf("in use: %s", r.text)
	}
	w.s.App(tenant, "another", secret)
	if r := w.post(tenant, "grant_type", "refresh_token", "client_id", "another", "client_secret", secret, "refresh_token", token); r.status != 400 {
		t.Errorf("with another app: %s", r.text)
	}
	if r := w.refresh("made up"); r.status != 400 || dig(r.body, "error_codes").([]any)[0] != 9002313.0 {
		t.Errorf("made up: %s", r.text)
	}
	other := w.s.Consent(tenant, app, "eve@contoso.example")
	w.s.RevokeRefreshTokens(tenant, user)
	if r := w.refresh(token); r.status != 400 || dig(r.body, "error_codes").([]any)[0] != 50173.0 {
		t.Errorf("revoked: %s", r.text)
	}
	c.advance(91 * 24 * time.Hour)
	if r := w.refresh(other); r.status != 400 || dig(r.body, "error_codes").([]any)[0] != 700082.0 {
		t.Errorf("unused for too long: %s", r.text)
	}
}

func TestConsentInABrowser(t *testing.T) {
	const back, verifier = "http://127.0.0.1:8420/callback?a=b", "a-verifier-of-more-than-forty-three-characters-0123456789"
	w := newWorld(t)
	w.s.User(tenant, user)
	w.s.RedirectURI(tenant, app, back)
	sum := sha256.Sum256([]byte(verifier))
	query := func(redirect string) string {
		return w.s.LoginURL() + "/common/oauth2/v2.0/authorize?" + url.Values{
			"client_id": {app}, "response_type": {"code"}, "redirect_uri": {redirect}, "scope": {"Files.Read.All offline_access"}, "state": {"s"},
			"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
		}.Encode()
	}
	if r := w.get(query("https://elsewhere.example/")); r.status != 400 || r.header.Get("Location") != "" {
		t.Errorf("a redirect that is not registered: %d %s", r.status, r.text)
	}
	redeem := func(code, verifier string) reply {
		return w.post(tenant, "grant_type", "authorization_code", "client_id", app, "client_secret", secret, "code", code, "redirect_uri", back, "code_verifier", verifier)
	}
	code := func() string {
		to, err := url.Parse(w.want(302, query(back)).header.Get("Location"))
		if err != nil || to.Query().Get("state") != "s" || to.Query().Get("a") != "b" {
			t.Fatalf("sent to %v, %v", to, err)
		}
		return to.Query().Get("code")
	}
	good := code()
	if r := redeem(good, "another verifier"); r.status != 400 || r.str("error") != "invalid_grant" {
		t.Errorf("a wrong verifier: %s", r.text)
	}
	r := redeem(good, verifier)
	if r.status != 200 || r.str("refresh_token") == "" {
		t.Fatalf("the code is refused: %s", r.text)
	}
	if again := redeem(good, verifier); again.status != 400 {
		t.Errorf("a code that was used: %s", again.text)
	}
	if r := w.refresh(r.str("refresh_token")); r.status != 200 {
		t.Errorf("the refresh token: %s", r.text)
	}
}

func TestPermissions(t *testing.T) {
	w := newWorld(t)
	other := w.s.Site(tenant, host, "/sites/other")
	w.s.App(tenant, app, secret, "Sites.Selected")
	w.s.Grant(tenant, app, w.site)
	w.s.App("other-tenant.example", app, secret)
	foreign := w.s.AccessToken("other-tenant.example", app)
	w.bearer = w.s.AccessToken(tenant, app)
	w.want(200, "/drives/"+w.drive+"/root")
	if r := w.want(403, "/drives/"+w.s.Drive(other)+"/root"); r.str("error", "code") != "accessDenied" {
		t.Errorf("another site: %s", r.text)
	}
	w.want(403, "/drives/"+w.s.User(tenant, user))
	w.s.App(tenant, app, secret, "User.Read.All")
	w.bearer = w.s.AccessToken(tenant, app)
	w.want(403, "/drives/"+w.drive)
	w.bearer = foreign
	w.want(404, "/drives/"+w.drive)
	w.want(404, "/drives/"+w.s.User(tenant, user))
	w.want(404, "/sites/"+w.site)
	w.bearer = ""
	w.want(401, "/drives/"+w.drive)
	w.bearer = "made up"
	w.want(401, "/drives/"+w.drive)
}
