package api

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the page and its style
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
	"sync"

	"mooring/internal/access"
	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/oauth"
	"mooring/internal/surface"
)

const (
	connectPath = "/connect/{token}"
	htmlType    = "text/html"
	connectLead = "/connect"
)

func oauthRoutes() []route {
	confirm := streams(connectPath, "confirm_connect", "Go on to the provider (a page's form)", htmlType, "", (*call).confirmConnect)
	confirm.method = http.MethodPost
	return tagged("Connections",
		op(http.MethodPost, "/v1/oauth/{provider}/authorize", "authorize_connection", "Get a link by which a user connects a storage by consenting at the provider", access.Admin, (*call).authorizeConnection),
		streams(connectPath, "show_connect", "The page of such a link", htmlType, "", (*call).showConnect),
		confirm,
		streams(oauth.CallbackPath, "finish_connect", "Where the provider sends the user back to", htmlType, "", (*call).finishConnect),
	)
}

type authorizeRequest struct {
	Name        *string        `json:"name,omitempty" doc:"of the connection to make; 1 to 100 characters"`
	Connection  *string        `json:"connection,omitempty" doc:"instead of name: id or name of the connection to reconnect"`
	Client      *string        `json:"client,omitempty" doc:"which of the operator's OAuth clients, where there are several"`
	Description *string        `json:"description,omitempty" doc:"of the connection to make; at most 500 characters"`
	Metadata    map[string]any `json:"metadata,omitempty" doc:"of the connection to make"`

	SharedDriveID *string `json:"shared_drive_id,omitempty" doc:"of google_drive; without it, the user's My Drive"`
	SiteID        *string `json:"site_id,omitempty" doc:"of sharepoint; without it, the user's OneDrive"`
	DriveID       *string `json:"drive_id,omitempty" doc:"of sharepoint"`
	FolderPath    *string `json:"folder_path,omitempty" doc:"of sharepoint"`
}

type authorizeResponse struct {
	URL          string `json:"url" doc:"the link; good once, and for ten minutes. Whoever has it can use it"`
	ExpiresAt    stamp  `json:"expires_at"`
	ProviderType string `json:"provider_type"`
	Client       string `json:"client" doc:"the operator's OAuth client that is used"`
}

var errNoConnect = errs.New(errs.NotFound, "api.oauth", "this server makes no connections by consent")

func (c *call) authorizeConnection(_ none, r authorizeRequest) (out authorizeResponse, err error) {
	if c.OAuth == nil {
		return out, errNoConnect
	}
	if r.Connection == nil {
		err = c.covers(access.OfConnection(c.org(), ""))
	} else {
		var found connection.Connection
		if found, err = c.Connections.Get(c.ctx(), c.org(), *r.Connection); err == nil && !c.who.Reaches(c.route.need, access.OfConnection(c.org(), found.ID)) {
			err = surface.Missing("connection", *r.Connection)
		}
	}
	if err != nil {
		return out, err
	}
	ask := oauth.Request{
		Provider: c.r.PathValue("provider"), Client: orNone(r.Client), Connection: orNone(r.Connection), Name: orNone(r.Name),
		Description: r.Description, Metadata: r.Metadata, Fields: map[string]any{}, User: c.user(),
	}
	for name, v := range map[string]*string{"shared_drive_id": r.SharedDriveID, "site_id": r.SiteID, "drive_id": r.DriveID, "folder_path": r.FolderPath} {
		if v != nil {
			ask.Fields[name] = *v
		}
	}
	link, err := c.OAuth.Authorize(c.ctx(), c.org(), c.actor, ask)
	return authorizeResponse{URL: link.URL, ExpiresAt: at(link.ExpiresAt), ProviderType: ask.Provider, Client: link.Client}, err
}

func orNone(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (c *call) showConnect(none) error {
	if c.OAuth == nil {
		return c.connectProblem(errNoConnect)
	}
	in, err := c.OAuth.Show(c.ctx(), c.r.PathValue("token"))
	if err != nil {
		return c.connectProblem(err)
	}
	title := "Connect " + in.Provider
	if in.Reconnect {
		title = "Reconnect " + in.Provider
	}
	return c.connectPage(http.StatusOK, connectData{Title: title, Invitation: &in})
}

func (c *call) confirmConnect(none) error {
	if c.OAuth == nil {
		return c.connectProblem(errNoConnect)
	}
	if err := c.sameOrigin(); err != nil {
		return c.connectProblem(err)
	}
	to, err := c.OAuth.Confirm(c.ctx(), c.r.PathValue("token"))
	if err != nil {
		return c.connectProblem(err)
	}
	cookie := c.connectCookie(to.Cookie)
	cookie.Value, cookie.Expires = to.Value, to.ExpiresAt
	http.SetCookie(c.w, cookie)
	c.connectHeader("")
	c.w.Header().Set("Location", to.URL)
	c.w.WriteHeader(http.StatusSeeOther)
	return nil
}

// sameOrigin refuses a form that another site's page sent.
func (c *call) sameOrigin() error {
	guard := http.NewCrossOriginProtection()
	if u, err := url.Parse(c.OAuth.PublicURL()); err == nil && u.Host != "" {
		if err := guard.AddTrustedOrigin(u.Scheme + "://" + u.Host); err != nil {
			return err
		}
	}
	if guard.Check(c.r) != nil {
		return errs.New(errs.PermissionDenied, "api.oauth", "another site sent this form, so it was not followed: open the link itself")
	}
	return nil
}

// connectCookie is the cookie of a flow, without its value: for this server's
// pages of the flow alone. It is sent along when the provider sends the browser
// back (Lax), and not with what other sites post.
func (c *call) connectCookie(name string) *http.Cookie {
	public, err := url.Parse(c.OAuth.PublicURL())
	if err != nil {
		public = &url.URL{}
	}
	cookie := &http.Cookie{Name: name, Path: public.Path + connectLead, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if public.Scheme == "https" {
		// Browsers take a cookie of such a name from this host alone: a neighbour
		// in the domain can't plant one and have its flow ended by somebody else.
		cookie.Name, cookie.Path, cookie.Secure = "__Host-"+name, "/", true
	}
	return cookie
}

func (c *call) finishConnect(none) error {
	if c.OAuth == nil {
		return c.connectProblem(errNoConnect)
	}
	done, err := c.OAuth.Finish(c.ctx(), oauth.Return{
		Query: c.r.URL.Query(), IP: c.clientIP(), UserAgent: surface.Clip(c.r.UserAgent(), surface.MaxUserAgent),
		Cookie: func(name string) string {
			cookie, err := c.r.Cookie(c.connectCookie(name).Name)
			if err != nil {
				return ""
			}
			return cookie.Value
		},
	})
	if done.Cookie != "" {
		cookie := c.connectCookie(done.Cookie)
		cookie.MaxAge = -1
		http.SetCookie(c.w, cookie)
	}
	if err != nil {
		return c.connectProblem(err)
	}
	title, text := "Connected", []string{"The connection " + done.Connection.Name + " works. You can close this page."}
	if done.Reconnected {
		title = "Reconnected"
	}
	if done.Connection.Status == connection.Suspended {
		text = append(text, "It is suspended by a user, and stays so until somebody resumes it.")
	}
	return c.connectPage(http.StatusOK, connectData{Title: title, Text: text})
}

// connectProblem answers with a page that says what is wrong, in words of ours.
func (c *call) connectProblem(err error) error {
	status := statusOf(c.route, err)
	if surface.Fault(status) && status != http.StatusServiceUnavailable {
		c.Log.Error("a request failed", "request_id", surface.Of(c.w).ID, "route", surface.Of(c.w).Route, "kind", errs.KindOf(err).String(), "error", err)
		return c.connectPage(status, connectData{Title: "Not connected", Text: []string{"Something went wrong on the server: its log says more under the request id " + surface.Of(c.w).ID + "."}})
	}
	text := []string{errs.From(err).Message() + "."}
	for _, f := range errs.From(err).Fields {
		text = append(text, f.Msg)
	}
	return c.connectPage(status, connectData{Title: "Not connected", Text: text})
}

//go:embed connect.html
var connectPage string

//go:embed connect.css
var connectStyle string

var connectTemplate = sync.OnceValue(func() *template.Template { return template.Must(template.New("connect").Parse(connectPage)) })

type connectData struct {
	Title      string
	Style      template.CSS
	Invitation *oauth.Invitation
	Text       []string
}

// connectHeader sets what the browser may do: no script, nothing from elsewhere,
// and a form to this server, which sends it on to the provider's consent page.
func (c *call) connectHeader(consent string) {
	sum := sha256.Sum256([]byte(connectStyle))
	h := c.w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+
		"'; base-uri 'none'; form-action 'self' "+consent+"; frame-ancestors 'none'")
	// Without a referrer a browser that sends no Sec-Fetch-Site would post the
	// form from the origin "null". Other sites still learn nothing.
	h.Set("Referrer-Policy", "same-origin")
}

func (c *call) connectPage(status int, d connectData) error {
	d.Style = template.CSS(connectStyle)
	var page bytes.Buffer
	if err := connectTemplate().Execute(&page, d); err != nil {
		return err
	}
	consent := ""
	if d.Invitation != nil {
		consent = d.Invitation.Consent
	}
	c.connectHeader(consent)
	c.w.Header().Set("Content-Type", htmlType+"; charset=utf-8")
	c.w.WriteHeader(status)
	_, _ = c.w.Write(page.Bytes()) // a client that has gone is no error
	return nil
}
