package gdrive

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const scopeReadonly = "https://www.googleapis.com/auth/drive.readonly"

// grant is what a token stands for.
type grant struct {
	user   *user
	client string // "" for a service account
	scope  string // separated by spaces
}

// access is an access token in use.
type access struct {
	grant
	expires time.Time
}

// oauth is what the token endpoint knows.
type oauth struct {
	accounts map[string]*serviceAccount // by email
	clients  map[string]string          // secret, by client id
	access   map[string]access
	refresh  map[string]*refreshGrant
	codes    map[string]code
	serial   uint64
	keys     int // private keys dealt out
}

// refreshGrant is a refresh token in use.
type refreshGrant struct {
	grant
	replaced bool
}

// code is an authorization code that was not yet redeemed.
type code struct {
	grant
	redirect, challenge string
	offline             bool
	expires             time.Time
}

func newOAuth() oauth {
	return oauth{
		accounts: map[string]*serviceAccount{}, clients: map[string]string{}, access: map[string]access{},
		refresh: map[string]*refreshGrant{}, codes: map[string]code{},
	}
}

func (o *oauth) refreshToken(g grant) string {
	token := "1//0" + rand.Text() + rand.Text()
	o.refresh[token] = &refreshGrant{grant: g}
	return token
}

func (s *Server) accessToken(g grant) string {
	token := "ya29." + rand.Text() + rand.Text()
	s.oauth.access[token] = access{g, s.now().Add(s.opts.AccessTokenLife)}
	return token
}

// tokenReply is the answer of the token endpoint.
type tokenReply struct {
	AccessToken  string `json:"access_token"`
	ExpiresIn    int    `json:"expires_in"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope,omitempty"`
	TokenType    string `json:"token_type"`
}

func oauthError(status int, code, description string) *Error {
	return &Error{Status: status, Reason: code, Message: description}
}

func invalidGrant(description string) *Error {
	return oauthError(http.StatusBadRequest, "invalid_grant", description)
}

// grantToken answers the token endpoint.
func (x *exchange) grantToken() error {
	if x.r.Method != http.MethodPost {
		return oauthError(http.StatusNotFound, "not_found", "")
	}
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	var reply *tokenReply
	var err *Error
	switch kind := x.form.Get("grant_type"); kind {
	case "urn:ietf:params:oauth:grant-type:jwt-bearer":
		reply, err = x.s.assert(x.form.Get("assertion"))
	case "refresh_token":
		reply, err = x.s.renew(x.client())
	case "authorization_code":
		reply, err = x.s.redeem(x.client())
	default:
		err = oauthError(http.StatusBadRequest, "unsupported_grant_type", "Invalid grant_type: "+kind)
	}
	if err != nil {
		return err
	}
	x.w.Header().Set("Cache-Control", "no-store")
	return x.json(reply)
}

// client gives the form of a token request with the client's credentials in it, also
// where they were sent as HTTP Basic.
func (x *exchange) client() url.Values {
	if id, secret, ok := x.r.BasicAuth(); ok {
		id, _ = url.QueryUnescape(id)
		secret, _ = url.QueryUnescape(secret)
		x.form.Set("client_id", id)
		x.form.Set("client_secret", secret)
	}
	return x.form
}

func (s *Server) newToken(g grant) *tokenReply {
	return &tokenReply{
		AccessToken: s.accessToken(g), ExpiresIn: max(1, int(s.opts.AccessTokenLife.Seconds())-1), Scope: g.scope, TokenType: "Bearer",
	}
}

// claims are those of an assertion. prn is an older name of sub.
type claims struct {
	Scope     string `json:"scope"`
	Principal string `json:"prn"`
	jwt.Claims
}

// assert exchanges the signed assertion of a service account (RFC 7523).
func (s *Server) assert(assertion string) (*tokenReply, *Error) {
	token, err := jwt.ParseSigned(assertion, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil || len(token.Headers) != 1 {
		return nil, oauthError(http.StatusBadRequest, "invalid_request", "Bad Request")
	}
	var c claims
	if err := token.UnsafeClaimsWithoutVerification(&c); err != nil {
		return nil, oauthError(http.StatusBadRequest, "invalid_request", "Bad Request")
	}
	a := s.oauth.accounts[strings.ToLower(c.Issuer)]
	if a == nil {
		return nil, invalidGrant("Invalid grant: account not found")
	}
	if kid := token.Headers[0].KeyID; kid != "" && kid != a.keyID || token.Claims(a.key, &c) != nil {
		return nil, invalidGrant("Invalid JWT Signature.")
	}
	if e := s.checkClaims(c); e != nil {
		return nil, e
	}
	g := grant{user: a.user, scope: c.Scope}
	subject := c.Subject
	if subject == "" {
		subject = c.Principal
	}
	if subject = strings.ToLower(subject); subject != "" && subject != a.user.email {
		if g.user = s.tree.users[subject]; g.user == nil {
			return nil, invalidGrant("Invalid email or User ID")
		}
		if !slices.Contains(a.delegates, subject) {
			return nil, oauthError(http.StatusUnauthorized, "unauthorized_client",
				"Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes requested.")
		}
	}
	reply := s.newToken(g)
	reply.Scope = ""
	return reply, nil
}

// skew is how far the clock of who signs may be off.
const skew = 5 * time.Minute

// audiences are the addresses of Google's own token endpoint. Clients may sign for them
// wherever they send the assertion: google-auth for Python does.
var audiences = []string{
	"https://oauth2.googleapis.com/token", "https://accounts.google.com/o/oauth2/token", "https://www.googleapis.com/oauth2/v4/token",
}

func (s *Server) checkClaims(c claims) *Error {
	now := time.Now() // clients sign with the real clock
	switch {
	case len(c.Audience) != 1 || c.Audience[0] != s.TokenURL() && !slices.Contains(audiences, c.Audience[0]):
		return invalidGrant("Invalid JWT: Failed audience check. The right audience is " + s.TokenURL())
	case c.IssuedAt == nil || c.Expiry == nil || c.Expiry.Time().Sub(c.IssuedAt.Time()) > time.Hour ||
		c.IssuedAt.Time().After(now.Add(skew)) || c.Expiry.Time().Before(now.Add(-skew)):
		return invalidGrant("Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. " +
			"Check your iat and exp values in the JWT claim.")
	case strings.TrimSpace(c.Scope) == "":
		return oauthError(http.StatusBadRequest, "invalid_scope", "Empty or missing scope not allowed.")
	}
	return nil
}

// authenticate checks the credentials of an application.
func (s *Server) authenticate(form url.Values) *Error {
	secret, ok := s.oauth.clients[form.Get("client_id")]
	if !ok {
		return oauthError(http.StatusUnauthorized, "invalid_client", "The OAuth client was not found.")
	}
	if subtle.ConstantTimeCompare([]byte(secret), []byte(form.Get("client_secret"))) != 1 {
		return oauthError(http.StatusUnauthorized, "invalid_client", "Unauthorized")
	}
	return nil
}

// renew exchanges a refresh token.
func (s *Server) renew(form url.Values) (*tokenReply, *Error) {
	if err := s.authenticate(form); err != nil {
		return nil, err
	}
	token := form.Get("refresh_token")
	g := s.oauth.refresh[token]
	if g == nil || g.client != form.Get("client_id") || g.replaced && s.opts.RefuseReused {
		return nil, invalidGrant("Token has been expired or revoked.")
	}
	reply := s.newToken(g.grant)
	if s.opts.RotateRefreshTokens {
		g.replaced = true
		reply.RefreshToken = s.oauth.refreshToken(g.grant)
	}
	return reply, nil
}

// redeem exchanges an authorization code, once.
func (s *Server) redeem(form url.Values) (*tokenReply, *Error) {
	if err := s.authenticate(form); err != nil {
		return nil, err
	}
	c, ok := s.oauth.codes[form.Get("code")]
	if !ok || c.client != form.Get("client_id") || s.now().After(c.expires) {
		return nil, invalidGrant("Malformed auth code.")
	}
	delete(s.oauth.codes, form.Get("code"))
	if c.redirect != form.Get("redirect_uri") {
		return nil, oauthError(http.StatusBadRequest, "redirect_uri_mismatch", "Bad Request")
	}
	if verifier := form.Get("code_verifier"); c.challenge != "" || verifier != "" {
		sum := sha256.Sum256([]byte(verifier))
		if base64.RawURLEncoding.EncodeToString(sum[:]) != c.challenge {
			return nil, invalidGrant("Invalid code verifier.")
		}
	}
	reply := s.newToken(c.grant)
	if c.offline {
		reply.RefreshToken = s.oauth.refreshToken(c.grant)
	}
	return reply, nil
}

// authorize answers the authorization endpoint. Nobody is asked: whom the request
// hints at consents.
func (x *exchange) authorize() error {
	s, q := x.s, x.query
	s.mu.Lock()
	defer s.mu.Unlock()
	redirect, err := url.Parse(q.Get("redirect_uri"))
	if _, ok := s.oauth.clients[q.Get("client_id")]; !ok || err != nil || redirect.Host == "" {
		return oauthError(http.StatusBadRequest, "invalid_request", "The client or the redirect_uri is not known.")
	}
	answer := redirect.Query()
	answer.Set("state", q.Get("state"))
	u := s.tree.users[strings.ToLower(q.Get("login_hint"))]
	if q.Get("login_hint") == "" {
		u = s.tree.first
	}
	switch {
	case x.plan.reply != nil:
		answer.Set("error", x.plan.reply.Reason)
	case u == nil:
		answer.Set("error", "access_denied")
	case q.Get("response_type") != "code":
		answer.Set("error", "unsupported_response_type")
	case q.Get("scope") == "":
		answer.Set("error", "invalid_scope")
	case q.Has("code_challenge") && q.Get("code_challenge_method") != "S256":
		answer.Set("error", "invalid_request")
	default:
		id := "4/0" + rand.Text()
		s.oauth.codes[id] = code{
			grant: grant{u, q.Get("client_id"), q.Get("scope")}, redirect: q.Get("redirect_uri"), challenge: q.Get("code_challenge"),
			offline: q.Get("access_type") == "offline", expires: s.now().Add(10 * time.Minute),
		}
		answer.Set("code", id)
		answer.Set("scope", q.Get("scope"))
	}
	redirect.RawQuery = answer.Encode()
	x.w.Header().Set("Location", redirect.String())
	x.w.WriteHeader(http.StatusFound)
	return nil
}

// json writes a value as the answer.
func (x *exchange) json(v any) error {
	x.w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	enc := json.NewEncoder(x.w)
	enc.SetEscapeHTML(false)
	if x.query.Get("prettyPrint") != "false" {
		enc.SetIndent("", "  ")
	}
	return enc.Encode(v)
}
