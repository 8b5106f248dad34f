package msgraph

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const codeLife = 10 * time.Minute

// code is an authorization code, good for one use.
type code struct {
	tenant, client, user string
	redirect, challenge  string
	offline              bool
	expires              time.Time
}

// authorize answers as if the user had consented at once: with a redirect that
// carries the code. The user is the one that login_hint names, else the first of
// the tenant. What can't be sent back to the app is a page of HTML.
func (x *exchange) authorize() (answer, *Error) {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	t, err := x.tenant()
	if err != nil {
		return answer{}, page400(err)
	}
	a := t.apps[x.query.Get("client_id")]
	redirect, parseErr := url.Parse(x.query.Get("redirect_uri"))
	switch {
	case a == nil:
		return answer{}, page400(loginError(700016))
	case parseErr != nil || !redirect.IsAbs() || len(a.redirects) > 0 && !slices.Contains(a.redirects, redirect.String()):
		return answer{}, page400(loginError(50011))
	}
	back := url.Values{"state": {x.query.Get("state")}}
	if u, refused := x.consenting(t); refused != nil {
		refused.complete()
		back.Set("error", refused.Code)
		back.Set("error_description", x.description(refused))
	} else {
		id := random("1.AX")
		x.s.codes[id] = &code{
			tenant: t.id, client: a.id, user: u.upn, redirect: redirect.String(), challenge: x.query.Get("code_challenge"),
			offline: slices.Contains(strings.Fields(x.query.Get("scope")), "offline_access"), expires: x.s.now().Add(codeLife),
		}
		back.Set("code", id)
		back.Set("session_state", guid(id))
	}
	query := redirect.Query()
	for name, values := range back {
		query[name] = values
	}
	redirect.RawQuery = query.Encode()
	return answer{status: http.StatusFound, header: http.Header{"Location": {redirect.String()}}}, nil
}

// consenting is the user who consents, unless the request is not in order.
func (x *exchange) consenting(t *tenant) (*user, *Error) {
	challenge, method := x.query.Get("code_challenge"), x.query.Get("code_challenge_method")
	switch {
	case x.query.Get("response_type") != "code":
		return nil, loginError(70005)
	case x.query.Get("scope") == "":
		return nil, loginError(900144)
	case challenge != "" && (method != "S256" || len(challenge) != base64.RawURLEncoding.EncodedLen(sha256.Size)):
		return nil, loginError(501491)
	}
	if hint := x.query.Get("login_hint"); hint != "" {
		if u := t.user(hint); u != nil {
			return u, nil
		}
		return nil, loginError(50020)
	}
	if len(t.users) == 0 {
		return nil, loginError(50020)
	}
	return t.users[0], nil
}

func page400(e *Error) *Error {
	return &Error{Status: http.StatusBadRequest, Code: e.Code, HTML: "<html><body>" + e.Message + "</body></html>"}
}

// redeem answers a code with tokens.
func (x *exchange) redeem(t *tenant, a *app) (answer, *Error) {
	id := x.form.Get("code")
	c := x.s.codes[id]
	verifier := sha256.Sum256([]byte(x.form.Get("code_verifier")))
	switch {
	case c == nil || c.tenant != t.id || c.client != a.id:
		return answer{}, loginError(70000)
	case !x.s.now().Before(c.expires):
		return answer{}, loginError(70008)
	case c.redirect != x.form.Get("redirect_uri"):
		return answer{}, loginError(50011)
	case c.challenge != "" && c.challenge != base64.RawURLEncoding.EncodeToString(verifier[:]):
		return answer{}, loginError(501481)
	}
	delete(x.s.codes, id)
	out := object{"access_token": x.s.newAccess(t.id, a.id, c.user, nil), "scope": delegatedScope}
	if c.offline {
		out["refresh_token"] = x.s.newRefresh(t.id, a.id, c.user)
	}
	return x.granted(out)
}

// openID tells clients where the endpoints are.
func (x *exchange) openID() (answer, *Error) {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	t, err := x.tenant()
	if err != nil {
		return answer{}, err
	}
	base := x.base() + "/" + t.id
	return x.ok(object{
		"issuer": base + "/v2.0", "token_endpoint": base + "/oauth2/v2.0/token",
		"authorization_endpoint": base + "/oauth2/v2.0/authorize", "jwks_uri": base + "/discovery/v2.0/keys",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"pairwise"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "client_secret_basic"},
	})
}
