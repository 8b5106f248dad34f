package gdrive

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"mooring/internal/connection/config"
	"mooring/internal/errs"
	"mooring/internal/outbound"
	"mooring/internal/provider/driver"
	"mooring/internal/secret"
)

// accessScope is all that is ever asked for.
const accessScope = "https://www.googleapis.com/auth/drive.readonly"

// grantor asks the token endpoint. (x/oauth2/jwt is not used: its requests
// don't end with their context, and its errors hide those of the network.)
type grantor struct {
	url  string
	http *http.Client
	now  func() time.Time

	// of an OAuth client
	clientID     string
	clientSecret secret.String
	refresh      secret.String

	// of a service account
	email, user, keyID string
	key                secret.String // "" for an OAuth client
}

func grantorOf(c config.Config, token string, client *http.Client, now func() time.Time) (grantor, error) {
	// A form with a secret is sent to one address only.
	g := grantor{url: token, http: outbound.NoRedirects(client), now: now}
	switch c.Credential {
	case "service_account":
		g.email, g.user, g.keyID = c.Text("client_email"), c.Text("impersonate_user"), c.Text("private_key_id")
		g.key = c.Secrets["private_key"]
		_, err := parseKey(g.key)
		return g, err
	case "oauth":
		g.clientID, g.clientSecret, g.refresh = c.Text("client_id"), c.Secrets["client_secret"], c.Secrets["refresh_token"]
		return g, nil
	}
	return g, invalid("credentials of type " + c.Credential + " are not for Google Drive")
}

// subject says as whom requests are made, "" where only Google knows.
func (g grantor) subject() string {
	if g.key.IsZero() {
		return ""
	}
	return g.email + " " + g.user
}

// parseKey reads an RSA key. One that was pasted with its line ends written out
// is read too.
func parseKey(s secret.String) (*rsa.PrivateKey, error) {
	text := s.Reveal()
	if !strings.Contains(text, "\n") {
		text = strings.ReplaceAll(text, `\n`, "\n")
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, invalid("private_key is not a key in PEM: give it as it stands in the key file")
	}
	any, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		any, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	}
	key, ok := any.(*rsa.PrivateKey)
	if err != nil || !ok {
		return nil, invalid("private_key is not an RSA key: give it as it stands in the key file")
	}
	return key, nil
}

// exchange is the driver.Exchange of the configured credentials.
func (g grantor) exchange(ctx context.Context, refresh secret.String) (driver.Grant, error) {
	ctx = context.WithValue(ctx, oauth2.HTTPClient, g.http)
	var tok *oauth2.Token
	var err error
	if g.key.IsZero() {
		if refresh.IsZero() {
			refresh = g.refresh
		}
		c := oauth2.Config{
			ClientID: g.clientID, ClientSecret: g.clientSecret.Reveal(),
			Endpoint: oauth2.Endpoint{TokenURL: g.url, AuthStyle: oauth2.AuthStyleInParams},
		}
		tok, err = c.TokenSource(ctx, &oauth2.Token{RefreshToken: refresh.Reveal()}).Token()
	} else {
		tok, err = g.assert(ctx)
	}
	if err != nil {
		return driver.Grant{}, g.failed(err)
	}
	out := driver.Grant{Access: secret.New(tok.AccessToken)}
	if n, ok := tok.Extra("expires_in").(float64); ok && n > 0 {
		out.Expires = g.now().Add(time.Duration(min(n, 24*3600)) * time.Second)
	}
	if r := tok.RefreshToken; g.key.IsZero() && r != "" && r != refresh.Reveal() {
		out.Refresh = secret.New(r)
	}
	return out, nil
}

// assert sends a signed assertion (RFC 7523), for a user where one is impersonated.
func (g grantor) assert(ctx context.Context) (*oauth2.Token, error) {
	key, err := parseKey(g.key)
	if err != nil {
		return nil, err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key},
		(&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", g.keyID))
	if err != nil {
		return nil, err
	}
	// By the real clock, which is Google's too, and a little in the past, should
	// ours be ahead.
	issued := time.Now().Add(-10 * time.Second)
	claims := map[string]any{
		"iss": g.email, "scope": accessScope, "aud": g.url,
		"iat": issued.Unix(), "exp": issued.Add(time.Hour).Unix(),
	}
	if g.user != "" {
		claims["sub"] = g.user
	}
	assertion, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		return nil, err
	}
	c := clientcredentials.Config{
		TokenURL: g.url, AuthStyle: oauth2.AuthStyleInParams,
		EndpointParams: url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}},
	}
	return c.Token(ctx)
}

const (
	msgRefused   = "Google refused the credentials: the key or the refresh token is not valid, was revoked, or the account does not exist; make a new key, or connect again"
	msgDelegated = "the service account may not act for this user, or not with the scope drive.readonly: grant domain-wide delegation in the Admin console; it can take a day to work"
	msgClient    = "Google refused the OAuth client: check client_id and client_secret"
	msgPolicy    = "the organization's administrator does not allow this application"
	msgOurClock  = "Google refused the assertion because the clock of this server differs too much from Google's: set it right"
)

// grantCodes are the codes of the token endpoint.
var grantCodes = map[string]class{
	"invalid_grant":          {errs.Unauthenticated, errs.ScopeConnection, msgRefused},
	"unauthorized_client":    {errs.Unauthenticated, errs.ScopeConnection, msgDelegated},
	"invalid_client":         {errs.Unauthenticated, errs.ScopeConnection, msgClient},
	"disabled_client":        {errs.Unauthenticated, errs.ScopeConnection, msgClient},
	"deleted_client":         {errs.Unauthenticated, errs.ScopeConnection, msgClient},
	"restricted_client":      {errs.Unauthenticated, errs.ScopeConnection, msgClient},
	"invalid_scope":          {errs.Unauthenticated, errs.ScopeConnection, msgDelegated},
	"access_denied":          {errs.Unauthenticated, errs.ScopeConnection, msgPolicy},
	"admin_policy_enforced":  {errs.Unauthenticated, errs.ScopeConnection, msgPolicy},
	"org_internal":           {errs.Unauthenticated, errs.ScopeConnection, msgPolicy},
	"invalid_request":        {errs.Invalid, errs.ScopeConnection, "Google did not understand the request for a token: check the credentials"},
	"unsupported_grant_type": {errs.Invalid, errs.ScopeConnection, "the token endpoint does not know this kind of credentials"},
	"rate_limit_exceeded":    {errs.Throttled, errs.ScopeConnection, msgThrottle},
	"slow_down":              {errs.Throttled, errs.ScopeConnection, msgThrottle},

	"temporarily_unavailable": {errs.Unavailable, errs.ScopeConnection, msgDown},
	"server_error":            {errs.Unavailable, errs.ScopeConnection, msgDown},
	"internal_failure":        {errs.Unavailable, errs.ScopeConnection, msgDown},
}

// failed classifies an error of the token endpoint.
func (g grantor) failed(err error) error {
	t := target{op: "gdrive.token", scope: errs.ScopeConnection}
	var answer *oauth2.RetrieveError
	if !errors.As(err, &answer) || answer.Response == nil {
		if e := t.network(err); e != nil {
			return e
		}
		return t.failure(errs.Unavailable, "", "the answer of the token endpoint is not a token")
	}
	status, head := answer.Response.StatusCode, answer.Response.Header
	c, known := grantCodes[answer.ErrorCode]
	switch {
	case known:
	case status == http.StatusTooManyRequests:
		c = grantCodes["slow_down"]
	case status >= 500, status < 400:
		c = grantCodes["server_error"]
	default:
		c = grantCodes["invalid_grant"]
		if answer.ErrorCode == "" { // nobody who speaks OAuth refused: a proxy, or a wrong address
			c = class{errs.Unavailable, errs.ScopeConnection, "the token endpoint does not answer as one"}
		}
	}
	if answer.ErrorCode == "invalid_grant" && !g.key.IsZero() && skewed(head, time.Now()) {
		c = class{errs.Internal, errs.ScopeConnection, msgOurClock} // must not count against the connection
	}
	e := t.failure(c.kind, code(answer.ErrorCode), c.msg)
	e.Err, e.RetryAfter = err, outbound.RetryAfter(head, g.now())
	return e
}

// maxSkew is what Google tolerates of a clock, with some margin.
const maxSkew = 5 * time.Minute

// skewed says whether our clock differs too much from the one of an answer.
func skewed(h http.Header, now time.Time) bool {
	at, err := http.ParseTime(h.Get("Date"))
	return err == nil && now.Sub(at).Abs() > maxSkew
}
