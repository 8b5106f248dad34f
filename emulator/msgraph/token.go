package msgraph

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// refreshLife is how long a refresh token lives without being used.
const refreshLife = 90 * 24 * time.Hour

// tokens are what the identity platform has handed out, by their text.
type tokens struct {
	access  map[string]*access
	refresh map[string]*refresh
	codes   map[string]*code
}

// access is an access token: of an app for itself, or for a user.
type access struct {
	tenant, client, user string
	roles                []string
	expires              time.Time
}

// refresh is a refresh token.
type refresh struct {
	tenant, client, user string
	expires              time.Time
	used, revoked        bool
}

func newTokens() tokens {
	return tokens{access: map[string]*access{}, refresh: map[string]*refresh{}, codes: map[string]*code{}}
}

// random makes a token that can't be guessed.
func random(prefix string) string {
	var b [48]byte
	_, _ = rand.Read(b[:]) // never fails
	return prefix + base64.RawURLEncoding.EncodeToString(b[:])
}

// Consent is a user's consent to an app, as if it had been given in a browser. It
// returns the refresh token that the app gets.
func (s *Server) Consent(tenant, clientID, user string) (refreshToken string) {
	s.User(tenant, user)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.app(tenant, clientID)
	return s.newRefresh(tenant, clientID, user)
}

func (s *Server) newRefresh(tenant, client, user string) string {
	token := random("1.A")
	s.refresh[token] = &refresh{tenant: tenant, client: client, user: user, expires: s.now().Add(refreshLife)}
	return token
}

// RevokeRefreshTokens revokes all refresh tokens of a user, as a change of their
// password does (AADSTS50173).
func (s *Server) RevokeRefreshTokens(tenant, user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.refresh {
		if r.tenant == tenant && strings.EqualFold(r.user, user) {
			r.revoked = true
		}
	}
}

// ExpireAccessTokens makes every access token given so far expire.
func (s *Server) ExpireAccessTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.access {
		a.expires = s.now()
	}
}

// AccessToken hands out an access token of an app, without a request.
func (s *Server) AccessToken(tenant, clientID string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.app(tenant, clientID)
	return s.newAccess(tenant, clientID, "", a.roles)
}

func (s *Server) newAccess(tenant, client, user string, roles []string) string {
	token := random("eyJ0")
	s.access[token] = &access{tenant, client, user, roles, s.now().Add(s.opts.AccessTokenLife)}
	return token
}

// client is the client id of a token request, from the form or from HTTP Basic.
func (x *exchange) client() string {
	if id := x.form.Get("client_id"); id != "" {
		return id
	}
	id, _, _ := x.r.BasicAuth()
	id, _ = url.QueryUnescape(id)
	return id
}

func (x *exchange) secret() string {
	if x.form.Has("client_secret") {
		return x.form.Get("client_secret")
	}
	_, secret, _ := x.r.BasicAuth()
	secret, _ = url.QueryUnescape(secret)
	return secret
}

// token answers the token endpoint.
func (x *exchange) token() (answer, *Error) {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	switch x.entry.Grant {
	case "client_credentials", "refresh_token", "authorization_code":
	case "":
		return answer{}, loginError(900144)
	default:
		return answer{}, loginError(70003)
	}
	t, err := x.tenant()
	if err != nil {
		return answer{}, err
	}
	a, err := x.authenticateApp(t)
	if err != nil {
		return answer{}, err
	}
	switch x.entry.Grant {
	case "client_credentials":
		return x.clientCredentials(t, a)
	case "refresh_token":
		return x.refreshToken(t, a)
	default:
		return x.redeem(t, a)
	}
}

// tenant finds the tenant in the path of the identity platform. The names that
// mean no one tenant lead to one that knows the app.
func (x *exchange) tenant() (*tenant, *Error) {
	name := x.addr.tenant
	if t := x.s.tenants[name]; t != nil {
		return t, nil
	}
	if slices.Contains([]string{"common", "organizations", "consumers"}, name) {
		client := x.entry.ClientID
		if client == "" {
			client = x.query.Get("client_id")
		}
		for _, t := range x.s.tenants {
			if t.apps[client] != nil {
				return t, nil
			}
		}
		return nil, loginError(700016)
	}
	if !strings.ContainsAny(name, ".-") { // neither a domain nor a GUID
		return nil, loginError(900023)
	}
	return nil, loginError(90002)
}

func (x *exchange) authenticateApp(t *tenant) (*app, *Error) {
	a := t.apps[x.entry.ClientID]
	switch secret := x.secret(); {
	case x.entry.ClientID == "":
		return nil, loginError(900144)
	case a == nil:
		return nil, loginError(700016)
	case a.secret == "" && secret == "" && x.entry.Grant != "client_credentials":
		return a, nil // a public client
	case a.secret == "" && secret != "":
		return nil, loginError(700025)
	case secret == "":
		return nil, loginError(7000218)
	case a.expired:
		return nil, loginError(7000222)
	case secret != a.secret:
		return nil, loginError(7000215)
	}
	return a, nil
}

func (x *exchange) clientCredentials(t *tenant, a *app) (answer, *Error) {
	// Without a resource .default means Graph; rclone asks so.
	if scope := x.form.Get("scope"); scope != ".default" && !strings.HasSuffix(scope, "/.default") {
		return answer{}, loginError(70011)
	}
	return x.granted(object{"access_token": x.s.newAccess(t.id, a.id, "", a.roles)})
}

func (x *exchange) refreshToken(t *tenant, a *app) (answer, *Error) {
	r := x.s.refresh[x.form.Get("refresh_token")]
	switch {
	case x.form.Get("refresh_token") == "":
		return answer{}, loginError(900144)
	case r == nil:
		return answer{}, loginError(9002313)
	case r.client != a.id || r.tenant != t.id:
		return answer{}, loginError(70000)
	case r.revoked:
		return answer{}, loginError(50173)
	case !x.s.now().Before(r.expires):
		return answer{}, loginError(700082)
	case r.used && x.s.opts.RefuseReused:
		return answer{}, loginError(70000)
	}
	out := object{"access_token": x.s.newAccess(t.id, a.id, r.user, nil), "scope": delegatedScope}
	if x.s.opts.RotateRefreshTokens {
		r.used = true
		out["refresh_token"] = x.s.newRefresh(t.id, a.id, r.user)
	} else {
		r.expires = x.s.now().Add(refreshLife)
	}
	return x.granted(out)
}

const delegatedScope = "Files.Read.All Sites.Read.All profile openid email"

func (x *exchange) granted(o object) (answer, *Error) {
	life := int(x.s.opts.AccessTokenLife / time.Second)
	o["token_type"], o["expires_in"], o["ext_expires_in"] = "Bearer", life, life
	return answer{
		status: http.StatusOK, body: o,
		header: http.Header{"Cache-Control": {"no-store, no-cache"}, "Pragma": {"no-cache"}},
	}, nil
}
