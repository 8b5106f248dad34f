package service

import (
	"context"
	"maps"
	"slices"
	"strings"

	"mooring/internal/connection"
	"mooring/internal/connection/config"
	"mooring/internal/errs"
	"mooring/internal/provider"
	"mooring/internal/provider/driver"
	"mooring/internal/secret"
)

const (
	clientIDField     = "client_id"
	clientSecretField = "client_secret"
	refreshField      = "refresh_token"
)

// OAuthClient is an application that the operator registered at a provider. Its
// secret is filled in when a configuration that names it is opened, and is in no
// connection's record.
type OAuthClient struct {
	Name     string
	Provider string // google_drive or sharepoint
	ID       string
	Secret   secret.String
	Tenant   string // directory at Microsoft, or common; "" at Google
}

func (s *Service) client(c config.Config) (OAuthClient, bool) {
	i := slices.IndexFunc(s.d.OAuthClients, func(o OAuthClient) bool {
		return o.Provider == c.Provider && o.Name == c.Text(config.ClientField)
	})
	if i < 0 {
		return OAuthClient{}, false
	}
	return s.d.OAuthClients[i], true
}

// readClient completes a configuration that names an OAuth client of the
// operator's with its id, and notes in at, the gathering of provider_config, why
// it can't.
func (s *Service) readClient(c config.Config, at errs.Fields) {
	if c.Text(config.ClientField) == "" {
		return
	}
	client, ok := s.client(c)
	if !ok {
		at.Add("value_error", "the operator has set up no OAuth client of this name for "+c.Provider+s.clientNames(c.Provider), "credentials", config.ClientField)
		return
	}
	if given := c.Text(clientIDField); given != "" && given != client.ID {
		at.Add("value_error", "is not that of the operator's OAuth client "+client.Name+": leave it out, or connect again if the operator has replaced the client", "credentials", clientIDField)
		return
	}
	c.Credentials[clientIDField] = client.ID
}

func (s *Service) clientNames(provider string) string {
	var names []string
	for _, o := range s.d.OAuthClients {
		if o.Provider == provider {
			names = append(names, o.Name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return "; there are " + strings.Join(names, ", ")
}

// furnish adds the secret of the operator's OAuth client, where one is named. It
// is for use, never to be sealed.
func (s *Service) furnish(c config.Config) (config.Config, error) {
	name := c.Text(config.ClientField)
	if name == "" {
		return c, nil
	}
	client, ok := s.client(c)
	if !ok || client.ID != c.Text(clientIDField) {
		return config.Config{}, errs.New(errs.Invalid, "connection.open", "the operator's OAuth client "+name+
			" was removed or replaced since this connection was made: connect again, or have the operator restore the client")
	}
	c.Secrets = maps.Clone(c.Secrets)
	if c.Secrets == nil {
		c.Secrets = map[string]secret.String{}
	}
	c.Secrets[clientSecretField] = client.Secret
	return c, nil
}

// tokens are what the credentials of a stored connection are exchanged for.
func (s *Service) tokens(conn *connection.Connection, c config.Config) driver.Tokens {
	if s.d.Tokens == nil {
		return provider.NewTokens(s.d.Now)
	}
	return s.d.Tokens.Of(conn, c)
}

// rotated are secrets with the refresh token that a test left: the one that it
// began with may be spent.
func rotated(secrets map[string]secret.String, kept *provider.Tokens) map[string]secret.String {
	if _, has := secrets[refreshField]; !has || kept.Refresh().IsZero() {
		return secrets
	}
	secrets = maps.Clone(secrets)
	secrets[refreshField] = kept.Refresh()
	return secrets
}

// destroyTokens removes the tokens of a connection that was archived. Should it
// fail, the sweep of archived connections' tokens does it.
func (s *Service) destroyTokens(ctx context.Context, c *connection.Connection) {
	if s.d.Tokens != nil {
		_ = s.d.Tokens.Destroy(ctx, c.Org, c.ID)
	}
}
