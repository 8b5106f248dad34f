package gdrive_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	"google.golang.org/api/drive/v3"

	"mooring/emulator/gdrive"
)

// whoami asks the API whom a client is.
func whoami(t testing.TB, d *drive.Service) (string, error) {
	t.Helper()
	about, err := d.About.Get().Fields("user(emailAddress)").Do()
	if err != nil {
		return "", err
	}
	return about.User.EmailAddress, nil
}

func TestServiceAccounts(t *testing.T) {
	s := gdrive.Start(t)
	key := s.ServiceAccount(robo, ada)
	for subject, want := range map[string]string{"": robo, ada: ada, "Ada@Example.com": ada} {
		if got, err := whoami(t, robot(t, s, key, subject)); got != want || err != nil {
			t.Errorf("impersonating %q it is %q, %v", subject, got, err)
		}
	}
	if n := s.Count(gdrive.Token); n != 3 {
		t.Errorf("%d requests for tokens", n)
	}
}

// assertion is signed by the key of an account, with what a test makes of its claims. The
// claim kid, which is none, is the id of the key in the header.
func assertion(t testing.TB, s *gdrive.Server, account []byte, change func(claims map[string]any)) string {
	t.Helper()
	cfg, err := google.JWTConfigFromJSON(account, drive.DriveReadonlyScope)
	must(t, err)
	now := time.Now()
	claims := map[string]any{
		"iss": cfg.Email, "scope": drive.DriveReadonlyScope, "aud": s.TokenURL(), "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"kid": cfg.PrivateKeyID,
	}
	change(claims)
	key, err := parseKey(cfg.PrivateKey)
	must(t, err)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key},
		(&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", claims["kid"]))
	must(t, err)
	delete(claims, "kid")
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	must(t, err)
	return text
}

// keyID is the id of the key in a key file.
func keyID(t testing.TB, account []byte) string {
	t.Helper()
	cfg, err := google.JWTConfigFromJSON(account)
	must(t, err)
	return cfg.PrivateKeyID
}

// exchange posts to the token endpoint.
func exchange(t testing.TB, s *gdrive.Server, form url.Values) (status int, answer map[string]any) {
	t.Helper()
	resp, err := http.PostForm(s.TokenURL(), form)
	must(t, err)
	defer resp.Body.Close()
	must(t, json.NewDecoder(resp.Body).Decode(&answer))
	return resp.StatusCode, answer
}

func TestAssertions(t *testing.T) {
	s := gdrive.Start(t)
	s.User(bob)
	good := s.ServiceAccount(robo, ada)
	other := s.ServiceAccount("other@emulator.iam.gserviceaccount.com")
	for _, tc := range []struct {
		name   string
		key    []byte
		change func(map[string]any)
		status int
		code   string
		about  string
	}{
		{"good", good, func(map[string]any) {}, 200, "", ""},
		{"impersonation", good, func(c map[string]any) { c["sub"] = ada }, 200, "", ""},
		{"impersonation by the older name", good, func(c map[string]any) { c["prn"] = ada }, 200, "", ""},
		{"Google's own audience", good, func(c map[string]any) { c["aud"] = "https://oauth2.googleapis.com/token" }, 200, "", ""},
		{"somebody else's key under the id of the right one", other, func(c map[string]any) { c["iss"], c["kid"] = robo, keyID(t, good) }, 400, "invalid_grant", "Invalid JWT Signature."},
		{"somebody else's key", other, func(c map[string]any) { c["iss"] = robo }, 400, "invalid_grant", "Invalid JWT Signature."},
		{"unknown account", good, func(c map[string]any) { c["iss"] = "nobody@example.com" }, 400, "invalid_grant", "Invalid grant: account not found"},
		{"unknown user", good, func(c map[string]any) { c["sub"] = "nobody@example.com" }, 400, "invalid_grant", "Invalid email or User ID"},
		{"not delegated", good, func(c map[string]any) { c["sub"] = bob }, 401, "unauthorized_client", "Client is unauthorized"},
		{"too long", good, func(c map[string]any) { c["exp"] = time.Now().Add(2 * time.Hour).Unix() }, 400, "invalid_grant", "short-lived token"},
		{"expired", good, func(c map[string]any) {
			c["iat"], c["exp"] = time.Now().Add(-2*time.Hour).Unix(), time.Now().Add(-time.Hour).Unix()
		}, 400, "invalid_grant", "short-lived token"},
		{"from the future", good, func(c map[string]any) {
			c["iat"], c["exp"] = time.Now().Add(time.Hour).Unix(), time.Now().Add(2*time.Hour).Unix()
		}, 400, "invalid_grant", "short-lived token"},
		{"no times", good, func(c map[string]any) { delete(c, "iat") }, 400, "invalid_grant", "short-lived token"},
		{"other audience", good, func(c map[string]any) { c["aud"] = "https://example.com/token" }, 400, "invalid_grant", "audience"},
		{"no scope", good, func(c map[string]any) { c["scope"] = "" }, 400, "invalid_scope", "scope"},
	} {
		status, answer := exchange(t, s, url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion(t, s, tc.key, tc.change)},
		})
		about, _ := answer["error_description"].(string)
		if code, _ := answer["error"].(string); status != tc.status || code != tc.code || !strings.Contains(about, tc.about) {
			t.Errorf("%s: %d %v", tc.name, status, answer)
		}
	}
	status, answer := exchange(t, s, url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {"nonsense"}})
	if status != 400 || answer["error"] != "invalid_request" {
		t.Errorf("nonsense: %d %v", status, answer)
	}
	if status, answer = exchange(t, s, url.Values{"grant_type": {"password"}}); status != 400 || answer["error"] != "unsupported_grant_type" {
		t.Errorf("another grant: %d %v", status, answer)
	}
}

// renew asks for a token by a refresh token.
func renew(t testing.TB, s *gdrive.Server, secret, token string) (int, map[string]any) {
	t.Helper()
	return exchange(t, s, url.Values{"grant_type": {"refresh_token"}, "client_id": {"app"}, "client_secret": {secret}, "refresh_token": {token}})
}

func TestRefreshTokens(t *testing.T) {
	for _, tc := range []struct {
		name          string
		opts          gdrive.Options
		rotates, dies bool
	}{
		{"as Google does", gdrive.Options{}, false, false},
		{"rotated", gdrive.Options{RotateRefreshTokens: true}, true, false},
		{"rotated, the old one refused", gdrive.Options{RotateRefreshTokens: true, RefuseReused: true}, true, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := gdrive.Start(t, tc.opts)
			s.OAuthClient("app", "secret")
			token := s.Consent("app", ada)
			status, answer := renew(t, s, "secret", token)
			next, rotated := answer["refresh_token"].(string)
			if status != 200 || rotated != tc.rotates || answer["expires_in"] != 3599.0 || answer["token_type"] != "Bearer" {
				t.Fatalf("%d %v", status, answer)
			}
			if status, answer = renew(t, s, "secret", token); (status == 400) != tc.dies || tc.dies && answer["error"] != "invalid_grant" {
				t.Errorf("the second use gives %d %v", status, answer)
			}
			if rotated {
				if status, answer = renew(t, s, "secret", next); status != 200 {
					t.Errorf("the new token gives %d %v", status, answer)
				}
			}
			if status, answer = renew(t, s, "wrong", token); status != 401 || answer["error"] != "invalid_client" {
				t.Errorf("a wrong secret gives %d %v", status, answer)
			}
			s.RevokeTokens()
			if status, answer = renew(t, s, "secret", token); status != 400 || answer["error_description"] != "Token has been expired or revoked." {
				t.Errorf("a revoked token gives %d %v", status, answer)
			}
		})
	}
}

func TestAccessTokensExpire(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	s := gdrive.Start(t, gdrive.Options{Now: func() time.Time { return now }, AccessTokenLife: time.Minute})
	s.User(ada)
	d := client(t, s, ada)
	if who, err := whoami(t, d); who != ada {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	_, err := whoami(t, d)
	if status, why := reason(t, err); status != 401 || why != "authError" {
		t.Errorf("an expired token gives %d %s", status, why)
	}
	d = client(t, s, ada)
	s.ExpireAccessTokens()
	if _, err = whoami(t, d); err == nil {
		t.Error("a token that was ended is good")
	}
}

func TestScopes(t *testing.T) {
	s := gdrive.Start(t)
	key := s.ServiceAccount(robo)
	file := s.File(s.User(robo), "a.txt", []byte("ahoy"))
	for scope, want := range map[string]struct{ list, read string }{
		drive.DriveScope:                           {},
		drive.DriveReadonlyScope:                   {},
		drive.DriveMetadataReadonlyScope:           {read: "insufficientPermissions"},
		"https://www.googleapis.com/auth/calendar": {list: "insufficientPermissions", read: "insufficientPermissions"},
	} {
		cfg, err := google.JWTConfigFromJSON(key, scope)
		must(t, err)
		d := service(t, s, cfg.TokenSource(context.Background()))
		_, err = d.Files.List().Do()
		if _, why := reason(t, err); why != want.list {
			t.Errorf("with %s a list gives %q", scope, why)
		}
		resp, err := d.Files.Get(file).Download()
		if _, why := refusal(t, resp, err); why != want.read {
			t.Errorf("with %s a download gives %q", scope, why)
		}
	}
}

// consent opens the authorization endpoint as a browser does and returns where it is
// sent.
func consent(t testing.TB, address string) url.Values {
	t.Helper()
	browser := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := browser.Get(address)
	must(t, err)
	defer resp.Body.Close()
	to, err := resp.Location()
	if err != nil {
		t.Fatalf("%s: %v", resp.Status, err)
	}
	return to.Query()
}

func TestAuthorizationCode(t *testing.T) {
	s := gdrive.Start(t)
	s.User(bob)
	s.User(ada)
	s.OAuthClient("app", "secret")
	cfg := oauth2.Config{
		ClientID: "app", ClientSecret: "secret", RedirectURL: "http://127.0.0.1/back", Scopes: []string{drive.DriveReadonlyScope},
		Endpoint: oauth2.Endpoint{AuthURL: s.AuthURL(), TokenURL: s.TokenURL(), AuthStyle: oauth2.AuthStyleInParams},
	}
	verifier := oauth2.GenerateVerifier()
	address := cfg.AuthCodeURL("state", oauth2.AccessTypeOffline, oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("login_hint", ada))

	answer := consent(t, address)
	if answer.Get("state") != "state" || answer.Get("code") == "" {
		t.Fatalf("the browser is sent back with %v", answer)
	}
	if _, err := cfg.Exchange(t.Context(), answer.Get("code"), oauth2.VerifierOption(oauth2.GenerateVerifier())); err == nil {
		t.Error("another verifier redeems the code")
	}
	if _, err := cfg.Exchange(t.Context(), answer.Get("code"), oauth2.VerifierOption(verifier)); err == nil {
		t.Error("a code is good twice")
	}
	token, err := cfg.Exchange(t.Context(), consent(t, address).Get("code"), oauth2.VerifierOption(verifier))
	must(t, err)
	if token.RefreshToken == "" {
		t.Error("offline access has no refresh token")
	}
	if who, err := whoami(t, service(t, s, cfg.TokenSource(t.Context(), token))); who != ada || err != nil {
		t.Errorf("signed in as %q, %v", who, err)
	}

	online, err := cfg.Exchange(t.Context(), consent(t, cfg.AuthCodeURL("state")).Get("code"))
	must(t, err)
	if online.RefreshToken != "" {
		t.Error("online access has a refresh token")
	}
	if got := consent(t, address+"&login_hint=x&code_challenge_method=plain").Get("error"); got != "" {
		t.Errorf("the first value of a parameter counts: %q", got)
	}
	plain := cfg.AuthCodeURL("state", oauth2.SetAuthURLParam("code_challenge", "x"), oauth2.SetAuthURLParam("code_challenge_method", "plain"))
	if got := consent(t, plain).Get("error"); got != "invalid_request" {
		t.Errorf("a plain challenge gives %q", got)
	}
	s.Inject(gdrive.Fault{Match: gdrive.On(gdrive.Authorize), Action: gdrive.ReplyReason("access_denied")})
	if got := consent(t, address).Get("error"); got != "access_denied" {
		t.Errorf("who declines gives %q", got)
	}
}

// Failures of the token endpoint come through the client as they are.
func TestTokenFaults(t *testing.T) {
	s := gdrive.Start(t)
	key := s.ServiceAccount(robo, ada)
	for _, tc := range []struct {
		action gdrive.Action
		status int
		want   string
	}{
		{gdrive.InvalidGrant("Token has been expired or revoked."), 400, `"error": "invalid_grant"`},
		{gdrive.UnauthorizedClient(), 401, `"error": "unauthorized_client"`},
		{gdrive.ReplyReason("temporarily_unavailable"), 503, `"error": "temporarily_unavailable"`},
	} {
		s.ClearFaults()
		s.Inject(gdrive.Fault{Match: gdrive.On(gdrive.Token), Action: tc.action})
		_, err := whoami(t, robot(t, s, key, ada))
		var e *oauth2.RetrieveError
		if !errors.As(err, &e) || e.Response.StatusCode != tc.status || !strings.Contains(string(e.Body), tc.want) {
			t.Errorf("want %d %s: %v", tc.status, tc.want, err)
		}
	}
}
