// Package oauth connects a storage by asking a user at the provider: OAuth 2.0
// with an authorization code, PKCE (RFC 7636) and the operator's client.
//
//	Authorize  a key with the permission admin gets a link, good once for ten minutes
//	Show       the link's page names the organization and asks whether to go on
//	Confirm    binds the flow to this browser by a cookie, and sends it to the provider
//	Finish     the browser comes back: cookie and state must be those of the flow;
//	           the code is exchanged, and the connection tested and saved
//
// Link, cookie and state are random and stored as hashes, the PKCE verifier is
// sealed; so a flow survives a restart. What is sent to the provider's token
// endpoint goes through the guarded transport.
package oauth

import (
	"context"
	"net/http"
	"strings"
	"time"

	"mooring/internal/access"
	"mooring/internal/audit"
	"mooring/internal/connection"
	"mooring/internal/connection/config"
	connectionservice "mooring/internal/connection/service"
	"mooring/internal/connection/vault"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/outbound"
	"mooring/internal/store"
)

// Life is how long a link is good for, and the flow that it begins.
const Life = 10 * time.Minute

// CallbackPath is where providers send browsers back to, below the public URL.
const CallbackPath = "/connect/callback"

// Deps are what a Service works with. Those without a remark are required.
type Deps struct {
	Connections   *connectionservice.Service
	Organizations vault.Organizations
	Keys          store.APIKeys
	Consents      store.Consents
	Vault         vault.Vault
	Clients       []connectionservice.OAuthClient
	// HTTP reaches token endpoints: guarded. Redirects are not followed: they
	// would take a code and the operator's secret elsewhere.
	HTTP *http.Client
	// Endpoints replace the providers' own: google_drive.consent and .token are
	// addresses, sharepoint.token is the base below which both stand.
	Endpoints map[string]map[string]string
	// PublicURL is how browsers reach the server; "": no flow is possible.
	PublicURL string
	Now       func() time.Time // nil: time.Now
}

// Service is safe for concurrent use.
type Service struct{ d Deps }

// New makes a Service.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.HTTP != nil {
		d.HTTP = outbound.NoRedirects(d.HTTP)
	}
	return &Service{d}
}

// PublicURL is how browsers reach the server, "" when that is not known.
func (s *Service) PublicURL() string { return s.d.PublicURL }

// ClientNames are the operator's clients for a provider, if browsers could be sent
// to it at all.
func (s *Service) ClientNames(provider string) (names []string) {
	for _, c := range s.d.Clients {
		if c.Provider == provider && s.d.PublicURL != "" {
			names = append(names, c.Name)
		}
	}
	return names
}

// Request asks for a link.
type Request struct {
	Provider string
	Client   string // of several, which; by name
	// Connection is the one to reconnect, by id or name; "" makes a new one of
	// the Name.
	Connection  string
	Name        string
	Description *string
	Metadata    map[string]any
	Fields      map[string]any // of provider_config beside credentials; of a reconnected one, those that change
	User        id.User        // on whose behalf
}

// Link leads a user to the consent. Whoever has it can use it, once.
type Link struct {
	URL       string
	ExpiresAt time.Time
	Client    string // the name of the operator's client
}

// Authorize makes a link. A provider without consent is errs.NotFound; without a
// public URL or a client it is errs.Conflict;
// bad fields are errs.Invalid with their paths; a taken name is errs.AlreadyExists.
func (s *Service) Authorize(ctx context.Context, org id.Org, by audit.Actor, r Request) (Link, error) {
	const op = "oauth.authorize"
	if _, err := s.provider(r.Provider, "common"); err != nil {
		return Link{}, err
	}
	if s.d.PublicURL == "" {
		return Link{}, errs.New(errs.Conflict, op, "the server does not know how browsers reach it: have the operator set --public-url")
	}
	at := errs.NewFields("body")
	client, err := s.choose(r.Provider, r.Client, at)
	if err != nil {
		return Link{}, err
	}
	now := s.d.Now()
	c := connection.Consent{
		ID: id.NewToken(20), Org: org, Provider: r.Provider, Client: client.Name, Fields: r.Fields, Actor: by, User: r.User,
		Phase: connection.ConsentIssued, CreatedAt: now, ExpiresAt: now.Add(Life),
	}
	if err := s.target(ctx, &c, r, client, at); err != nil {
		return Link{}, err
	}
	if err := s.d.Consents.Sweep(ctx, org, now); err != nil {
		return Link{}, err
	}
	var link string
	link, c.Link = newToken(&c)
	c.Outbox.Note(now, by, audit.ConnectionUpdated, audit.StorageConnection, subject(&c), true, map[string]any{
		"connect": "a link was issued", "provider_type": c.Provider, "oauth_client": c.Client, "name": c.Name,
	})
	if _, err := s.d.Consents.Insert(ctx, org, c); err != nil {
		return Link{}, err
	}
	return Link{URL: s.d.PublicURL + "/connect/" + link, ExpiresAt: c.ExpiresAt, Client: client.Name}, nil
}

// choose finds the operator's client: the one that is named, else the only one.
func (s *Service) choose(provider, name string, at errs.Fields) (connectionservice.OAuthClient, error) {
	var names []string
	var found connectionservice.OAuthClient
	for _, c := range s.d.Clients {
		if c.Provider == provider {
			names = append(names, c.Name)
			if name == "" || c.Name == name {
				found = c
			}
		}
	}
	switch {
	case len(names) == 0:
		return found, errs.New(errs.Conflict, "oauth.authorize", "the operator has set up no OAuth client for "+provider+": it takes a table [oauth_clients.NAME] in the server's configuration")
	case name == "" && len(names) > 1:
		at.Add("missing", "the operator has set up several OAuth clients: choose one of "+strings.Join(names, ", "), "client")
	case found.Name == "":
		at.Add("enum", "must be one of "+strings.Join(names, ", "), "client")
	}
	return found, nil
}

// target notes what is to be connected, having checked all that can be checked
// before the consent.
func (s *Service) target(ctx context.Context, c *connection.Consent, r Request, client connectionservice.OAuthClient, at errs.Fields) error {
	const op = "oauth.authorize"
	fields := r.Fields
	switch {
	case r.Connection != "" && r.Name != "":
		at.Add("value_error", "goes only with a new connection: leave out connection or name", "name")
	case r.Connection != "":
		old, err := s.reconnected(ctx, c.Org, r.Connection, r.Provider)
		if err != nil {
			return err
		}
		c.Connection, c.Name, fields = old.ID, old.Name, overlay(old.Config.Fields, r.Fields)
	default:
		c.Name = connection.CleanName(r.Name, at)
		c.Description = connection.CleanDescription(r.Description, at)
		c.Metadata = connection.CleanMetadata(r.Metadata, at)
		old, err := s.d.Connections.Get(ctx, c.Org, c.Name)
		switch {
		case err == nil && old.Status != connection.Archived:
			return errs.New(errs.AlreadyExists, op, "a connection of this name exists already: choose another name, or reconnect it, with connection instead of name")
		case err != nil && !errs.Is(err, errs.NotFound):
			return err
		}
	}
	// What the provider will grant is not known yet.
	_, err := config.Decode(c.Provider, providerConfig(client, fields, "not-granted-yet"), at)
	if err == nil {
		err = at.Err(op)
	}
	return err
}

// reconnected finds the connection to reconnect.
func (s *Service) reconnected(ctx context.Context, org id.Org, idOrName, provider string) (connection.Connection, error) {
	old, err := s.d.Connections.Get(ctx, org, idOrName)
	switch {
	case err != nil:
		return old, err
	case old.Provider != provider:
		return old, errs.New(errs.Invalid, "oauth.authorize", "connection "+string(old.ID)+" is one to "+old.Provider+" and can't be reconnected to "+provider)
	}
	return old, connection.Alive(&old, "be reconnected")
}

// alive makes sure that the key that asked for a link still may: it may have been
// taken away since, or its permissions.
func (s *Service) alive(ctx context.Context, c *connection.Consent) error {
	if c.Actor.Type != audit.ByAPIKey {
		return nil
	}
	key, err := s.d.Keys.Get(ctx, c.Org, id.APIKey(c.Actor.ID))
	if err != nil && !errs.Is(err, errs.NotFound) {
		return err
	}
	if err != nil || key.Status != access.KeyActive || key.ExpiresAt != nil && !s.d.Now().Before(*key.ExpiresAt) {
		return errs.New(errs.PermissionDenied, "oauth", "the API key that asked for this link has been revoked or has expired since")
	}
	to := access.Resource{{Type: audit.StorageConnection, ID: string(c.Connection)}, {Type: audit.Organization, ID: string(c.Org)}}
	if !access.Allows(key.Permissions, access.Admin) || !access.InScope(key.Scopes, access.Admin, to) {
		return errs.New(errs.PermissionDenied, "oauth", "the API key that asked for this link may not connect this any more")
	}
	return nil
}

// subject is what audit entries of a flow are about: the connection, or the flow
// while there is none.
func subject(c *connection.Consent) string {
	if c.Connection != "" {
		return string(c.Connection)
	}
	return "consent_" + c.ID
}
