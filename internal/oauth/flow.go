package oauth

import (
	"context"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"mooring/csfle"
	"mooring/internal/connection"
	connectionservice "mooring/internal/connection/service"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/secret"
)

const opFlow = "oauth.connect"

// The ways in which a flow can't go on, in sentences for whoever sits before the
// browser.
var (
	errUnknown  = errs.New(errs.NotFound, opFlow, "this link is not known, or no longer: links are good for ten minutes. Ask for a new one")
	errUsed     = errs.New(errs.Conflict, opFlow, "this link has been used already: each can be used once. Ask for a new one")
	errBrowser  = errs.New(errs.PermissionDenied, opFlow, "this was not begun in this browser, or its cookie is gone: open the link, and go on, in one browser")
	errMixedUp  = errs.New(errs.Invalid, opFlow, "the answer does not come from the provider that was asked, so it was not used. Ask for a new link")
	errNoCode   = errs.New(errs.Invalid, opFlow, "the provider sent neither a code nor an error back. Ask for a new link")
	errNoClient = errs.New(errs.Conflict, opFlow, "the operator has removed this OAuth client meanwhile. Ask for a new link")
)

// Invitation is what the page of a link tells.
type Invitation struct {
	Organization string
	Provider     string // its title
	Client       string // the operator's client, by name
	Connection   string // name
	Reconnect    bool
	ExpiresAt    time.Time
	// Consent is the origin to which the browser will be sent.
	Consent string
}

// Show returns what a link is for. It changes nothing, so that whoever looks at
// links in advance uses none up.
func (s *Service) Show(ctx context.Context, link string) (Invitation, error) {
	c, client, p, err := s.invited(ctx, link)
	if err != nil {
		return Invitation{}, err
	}
	o, err := s.d.Organizations.Get(ctx, c.Org, c.Org)
	if err != nil {
		return Invitation{}, err
	}
	return Invitation{
		Organization: o.Name, Provider: p.title, Client: client.Name, Connection: c.Name, Reconnect: c.Connection != "",
		ExpiresAt: c.ExpiresAt, Consent: origin(p.endpoint.AuthURL),
	}, nil
}

// invited finds the flow of a link that can be used.
func (s *Service) invited(ctx context.Context, link string) (c connection.Consent, client connectionservice.OAuthClient, p provider, err error) {
	org, name, given, ok := parse(link)
	if !ok {
		return c, client, p, errUnknown
	}
	if c, err = s.find(ctx, org, name); err != nil {
		return c, client, p, err
	}
	switch {
	case !matches(given, c.Link):
		return c, client, p, errUnknown
	case c.Phase != connection.ConsentIssued:
		return c, client, p, errUsed
	}
	if client, p, err = s.parts(&c); err == nil {
		err = s.alive(ctx, &c)
	}
	return c, client, p, err
}

// find reads a flow that has not expired.
func (s *Service) find(ctx context.Context, org id.Org, name string) (connection.Consent, error) {
	c, err := s.d.Consents.Get(ctx, org, name)
	if errs.Is(err, errs.NotFound) || err == nil && !s.d.Now().Before(c.ExpiresAt) {
		return c, errUnknown
	}
	return c, err
}

// parts are the client and the provider of a flow.
func (s *Service) parts(c *connection.Consent) (client connectionservice.OAuthClient, p provider, err error) {
	for _, client = range s.d.Clients {
		if client.Provider == c.Provider && client.Name == c.Client {
			p, err = s.provider(c.Provider, client.Tenant)
			return client, p, err
		}
	}
	return connectionservice.OAuthClient{}, provider{}, errNoClient
}

// Departure is where to send a browser, and the cookie to give it.
type Departure struct {
	URL       string
	Cookie    string // name
	Value     string
	ExpiresAt time.Time
}

// cookieOf is the name of the cookie of a flow, which each has for itself, so
// that two can go on beside each other.
func cookieOf(c *connection.Consent) string { return "mooring_connect_" + c.ID }

// Confirm uses a link up: the flow belongs to the browser that is given the cookie.
func (s *Service) Confirm(ctx context.Context, link string) (Departure, error) {
	c, client, p, err := s.invited(ctx, link)
	if err != nil {
		return Departure{}, err
	}
	verifier := secret.New(oauth2.GenerateVerifier())
	sealed, err := s.d.Vault.Seal(ctx, binding(&c), verifier)
	if err != nil {
		return Departure{}, err
	}
	state, stateHash := newToken(&c)
	cookie := id.NewToken(secretLen)
	c, err = s.d.Consents.Update(ctx, c.Org, c.ID, func(cur *connection.Consent) error {
		if cur.Phase != connection.ConsentIssued {
			return errUsed
		}
		cur.Phase, cur.State, cur.Cookie, cur.Verifier = connection.ConsentConfirmed, stateHash, hashOf(cookie), &sealed
		return nil
	})
	if err != nil {
		return Departure{}, err
	}
	options := append([]oauth2.AuthCodeOption{oauth2.S256ChallengeOption(verifier.Reveal())}, p.options...)
	return Departure{URL: s.config(p, client).AuthCodeURL(state, options...), Cookie: cookieOf(&c), Value: cookie, ExpiresAt: c.ExpiresAt}, nil
}

func binding(c *connection.Consent) csfle.Binding {
	return csfle.Binding{Org: c.Org, Record: "consent_" + c.ID, Field: "verifier", Use: csfle.UseDigest()}
}

// Return is a browser that comes back from a provider.
type Return struct {
	Query         url.Values
	Cookie        func(name string) string // "" when the browser has none
	IP, UserAgent string
}

// Result is a connection that was made.
type Result struct {
	Connection  connection.Connection
	Reconnected bool
	Cookie      string // to be taken from the browser
}

// finishing is the time for exchange, test and saving.
const finishing = 90 * time.Second

// Finish takes up a flow whose browser is back, once, and makes the connection.
// Its errors are sentences for that page: what a provider says is told by its
// code alone.
func (s *Service) Finish(ctx context.Context, r Return) (Result, error) {
	c, verifier, err := s.take(ctx, r)
	if err != nil {
		return Result{}, err
	}
	// The user has consented, which a page that is closed too early must not undo.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishing)
	defer cancel()
	out := Result{Reconnected: c.Connection != "", Cookie: cookieOf(&c)}
	client, p, err := s.parts(&c)
	if err == nil {
		err = s.alive(ctx, &c)
	}
	var refresh secret.String
	if err == nil {
		refresh, err = s.answer(ctx, r.Query, p, client, verifier)
	}
	if err == nil {
		out.Connection, err = s.connect(ctx, &c, client, refresh, r)
	}
	if err != nil {
		return out, s.failed(ctx, &c, r, err)
	}
	return out, nil
}

// take finds the flow that a browser comes back with, and uses it up.
func (s *Service) take(ctx context.Context, r Return) (c connection.Consent, verifier secret.String, err error) {
	org, name, state, ok := parse(single(r.Query, "state"))
	if !ok {
		return c, verifier, errUnknown
	}
	if c, err = s.find(ctx, org, name); err != nil {
		return c, verifier, err
	}
	switch {
	case c.Phase == connection.ConsentIssued || !matches(state, c.State):
		return c, verifier, errUnknown
	case c.Phase == connection.ConsentUsed || c.Verifier == nil:
		return c, verifier, errUsed
	case !matches(r.Cookie(cookieOf(&c)), c.Cookie):
		return c, verifier, errBrowser
	}
	if verifier, err = s.d.Vault.Open(ctx, binding(&c), *c.Verifier); err != nil {
		return c, verifier, err
	}
	c, err = s.d.Consents.Update(ctx, c.Org, c.ID, func(cur *connection.Consent) error {
		if cur.Phase != connection.ConsentConfirmed {
			return errUsed
		}
		cur.Phase, cur.Verifier = connection.ConsentUsed, nil
		return nil
	})
	return c, verifier, err
}

// single is a parameter that is given once; else "".
func single(q url.Values, name string) string {
	if v := q[name]; len(v) == 1 {
		return v[0]
	}
	return ""
}
