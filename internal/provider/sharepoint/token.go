package sharepoint

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"mooring/internal/connection/config"
	"mooring/internal/errs"
	"mooring/internal/outbound"
	"mooring/internal/provider/driver"
	"mooring/internal/secret"
)

// account is who asks: an application as itself, or for a user.
type account struct {
	tenant, clientID string
	secret           secret.String
	delegated        bool
	refresh          secret.String // as configured
	url              string        // of the token endpoint
	scope            string        // of an application's token

	client *http.Client
	now    func() time.Time
}

func accountOf(c config.Config, login *url.URL, apiHost string) (account, error) {
	a := account{
		tenant: c.Text("tenant_id"), clientID: c.Text("client_id"), secret: c.Secrets["client_secret"],
		delegated: c.Credential == "delegated", refresh: c.Secrets["refresh_token"],
		scope: "https://graph.microsoft.com/.default",
	}
	switch {
	case a.tenant == "" || a.clientID == "" || a.secret.IsZero():
		return a, invalid("an application needs tenant_id, client_id and client_secret")
	case c.Credential != "client_credentials" && !a.delegated:
		return a, invalid("credentials of type " + c.Credential + " are not for this provider")
	case a.delegated && a.refresh.IsZero():
		return a, invalid("an application that acts for a user needs a refresh_token")
	}
	if h := strings.ToLower(apiHost); nationalCloud(h) {
		a.scope = "https://" + h + "/.default"
	}
	a.url = login.JoinPath(url.PathEscape(a.tenant), "oauth2", "v2.0", "token").String()
	return a, nil
}

// nationalCloud says whether a host is Graph in a cloud of its own, whose tokens
// are for that host.
func nationalCloud(host string) bool {
	return strings.HasSuffix(host, ".microsoft.us") || strings.HasSuffix(host, ".microsoftgraph.chinacloudapi.cn") || host == "microsoftgraph.chinacloudapi.cn"
}

// subject tells apart whose view of a library a cursor is of. Who an application
// acts for is told by what was consented to: of what another user may see, a delta
// that goes on tells only the changes.
func (a *account) subject() string {
	view := strings.ToLower(a.tenant) + "\x00" + a.clientID + "\x00" + strconv.FormatBool(a.delegated)
	if a.delegated {
		view += "\x00" + a.refresh.Reveal()
	}
	sum := sha256.Sum256([]byte(view))
	return hex.EncodeToString(sum[:8])
}

// exchange is the driver.Exchange of the account.
func (a *account) exchange(ctx context.Context, refresh secret.String) (driver.Grant, error) {
	ctx = context.WithValue(ctx, oauth2.HTTPClient, a.client)
	if refresh.IsZero() {
		refresh = a.refresh
	}
	var token *oauth2.Token
	var err error
	if a.delegated {
		c := oauth2.Config{
			ClientID: a.clientID, ClientSecret: a.secret.Reveal(),
			Endpoint: oauth2.Endpoint{TokenURL: a.url, AuthStyle: oauth2.AuthStyleInParams},
		}
		token, err = c.TokenSource(ctx, &oauth2.Token{RefreshToken: refresh.Reveal()}).Token()
	} else {
		c := clientcredentials.Config{
			ClientID: a.clientID, ClientSecret: a.secret.Reveal(), TokenURL: a.url,
			Scopes: []string{a.scope}, AuthStyle: oauth2.AuthStyleInParams,
		}
		token, err = c.Token(ctx)
	}
	if err != nil {
		return driver.Grant{}, refusedToken(err, a.now())
	}
	g := driver.Grant{Access: secret.New(token.AccessToken)}
	if life := time.Until(token.Expiry); !token.Expiry.IsZero() {
		g.Expires = a.now().Add(life) // the library reads the system's clock
	}
	if token.RefreshToken != "" && token.RefreshToken != refresh.Reveal() {
		g.Refresh = secret.New(token.RefreshToken)
	}
	return g, nil
}

const opToken = "sharepoint.token"

// refusedToken classifies what the token endpoint said: by its error, refined by
// the directory's numbers.
func refusedToken(err error, now time.Time) error {
	var answer *oauth2.RetrieveError
	if !errors.As(err, &answer) || answer.Response == nil {
		e := network(opToken, err)
		if e.Kind == errs.Internal { // an answer that is no token
			e.Kind, e.Msg = errs.Corrupt, "the token endpoint's answer is not one of OAuth: check the endpoint"
		}
		e.Scope = errs.ScopeConnection
		return e
	}
	var body struct {
		Error   string `json:"error"`
		Codes   []int  `json:"error_codes"`
		TraceID string `json:"trace_id"`
	}
	_ = json.Unmarshal(answer.Body, &body) // what is no JSON has no code
	status := answer.Response.StatusCode
	c := tokenClass(strings.ToLower(body.Error), status)
	out := &errs.Error{Kind: c.kind, Origin: errs.Provider, Scope: errs.ScopeConnection, Op: opToken, Msg: c.msg, Code: body.Error, RequestID: body.TraceID}
	if out.Code == "" {
		out.Code = strconv.Itoa(status)
	}
	for _, n := range body.Codes {
		if r, known := directoryCodes[n]; known {
			out.Kind, out.Msg, out.Code = r.kind, r.msg, "AADSTS"+strconv.Itoa(n)
			break
		}
	}
	if errs.Retryable(out) {
		out.RetryAfter = outbound.RetryAfter(answer.Response.Header, now)
	}
	return out
}

// tokenClass is what an OAuth error means.
func tokenClass(code string, status int) class {
	switch code {
	case "invalid_client":
		return class{errs.Unauthenticated, errs.ScopeNone, "the application's client_id or client_secret was refused"}
	case "unauthorized_client":
		return class{errs.Unauthenticated, errs.ScopeNone, "the directory does not let this application sign in: check tenant_id and client_id"}
	case "invalid_grant":
		return class{errs.Unauthenticated, errs.ScopeNone, "the grant was refused: the user must consent again, which gives a new refresh_token"}
	case "interaction_required", "consent_required", "login_required", "access_denied":
		return class{errs.Unauthenticated, errs.ScopeNone, "the directory wants the user to sign in again: consent anew, which gives a new refresh_token"}
	case "invalid_scope", "invalid_resource":
		return class{errs.Invalid, errs.ScopeNone, "the application has no permission on Microsoft Graph: add one in its registration and grant admin consent"}
	case "temporarily_unavailable", "server_error":
		return class{errs.Unavailable, errs.ScopeNone, "the directory does not work at the moment"}
	}
	switch {
	case status == http.StatusTooManyRequests:
		return class{errs.Throttled, errs.ScopeNone, "the directory asks to slow down"}
	case status >= 500 || status == http.StatusRequestTimeout:
		return class{errs.Unavailable, errs.ScopeNone, "the directory does not work at the moment"}
	case status == http.StatusUnauthorized:
		return class{errs.Unauthenticated, errs.ScopeNone, "the application's credentials were refused"}
	}
	return class{errs.Invalid, errs.ScopeNone, "the directory does not accept the request: check tenant_id, client_id and client_secret"}
}

// directoryCodes are numbers of the directory (AADSTS…) that say more than the
// error they come with.
var directoryCodes = map[int]class{
	7000215: {errs.Unauthenticated, 0, "the client secret is wrong: give the secret's value, not its id"},
	7000222: {errs.Unauthenticated, 0, "the client secret has expired: create a new one"},
	7000218: {errs.Unauthenticated, 0, "the directory wants a client secret and got none"},
	700025:  {errs.Unauthenticated, 0, "the application is registered as a public client, which has no secret: register a web application"},
	700016:  {errs.Unauthenticated, 0, "the application is not in this directory: check client_id and tenant_id, and that an administrator has consented"},
	7000112: {errs.Unauthenticated, 0, "the application is disabled in this directory"},
	90002:   {errs.Unauthenticated, 0, "there is no such directory: check tenant_id"},
	900023:  {errs.Unauthenticated, 0, "tenant_id is neither a directory's id nor one of its domains"},
	9002313: {errs.Unauthenticated, 0, "the directory can't read the credentials: check that they are complete"},
	700082:  {errs.Unauthenticated, 0, "the refresh token has expired since nobody used it: consent again"},
	70008:   {errs.Unauthenticated, 0, "the refresh token has expired or was revoked: consent again"},
	700084:  {errs.Unauthenticated, 0, "the refresh token is one of a single-page application, which lives a day: register a web application and consent again"},
	70000:   {errs.Unauthenticated, 0, "the refresh token was refused: consent again"},
	50173:   {errs.Unauthenticated, 0, "the refresh token was revoked, as after a new password: consent again"},
	65001:   {errs.Unauthenticated, 0, "nobody has consented to the application's permissions"},
	50076:   {errs.Unauthenticated, 0, "the directory wants a second factor: sign in with it and consent again"},
	50079:   {errs.Unauthenticated, 0, "the user must enrol a second factor and consent again"},
	53003:   {errs.Unauthenticated, 0, "a conditional access policy of the directory refuses this: allow this server's address or the application"},
	70011:   {errs.Invalid, 0, "the directory does not know the scope that was asked for"},
	90033:   {errs.Unavailable, 0, "the directory does not work at the moment"},
}
