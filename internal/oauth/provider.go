package oauth

import (
	"maps"
	"net/url"
	"strings"

	"golang.org/x/oauth2"

	connectionservice "mooring/internal/connection/service"
	"mooring/internal/errs"
)

// provider is how one provider is asked.
type provider struct {
	title    string
	endpoint oauth2.Endpoint
	scopes   []string
	needs    string // the scope without which the consent is of no use
	options  []oauth2.AuthCodeOption
}

// The providers' own endpoints.
const (
	googleConsent  = "https://accounts.google.com/o/oauth2/v2/auth"
	googleToken    = "https://oauth2.googleapis.com/token"
	microsoftLogin = "https://login.microsoftonline.com"

	driveReadonly = "https://www.googleapis.com/auth/drive.readonly"
	graph         = "https://graph.microsoft.com/"
)

// provider returns how a provider is asked, with the operator's endpoints.
func (s *Service) provider(name, tenant string) (provider, error) {
	at := s.d.Endpoints[name]
	or := func(key, own string) string {
		if at[key] != "" {
			return at[key]
		}
		return own
	}
	switch name {
	case "google_drive":
		return provider{
			title:    "Google Drive",
			endpoint: oauth2.Endpoint{AuthURL: or("consent", googleConsent), TokenURL: or("token", googleToken), AuthStyle: oauth2.AuthStyleInParams},
			scopes:   []string{driveReadonly}, needs: driveReadonly,
			// Google gives a refresh token only with a consent that is asked for.
			options: []oauth2.AuthCodeOption{oauth2.AccessTypeOffline, oauth2.SetAuthURLParam("prompt", "consent")},
		}, nil
	case "sharepoint":
		base := strings.TrimRight(or("token", microsoftLogin), "/") + "/" + url.PathEscape(tenant) + "/oauth2/v2.0/"
		return provider{
			title:    "SharePoint and OneDrive",
			endpoint: oauth2.Endpoint{AuthURL: base + "authorize", TokenURL: base + "token", AuthStyle: oauth2.AuthStyleInParams},
			scopes:   []string{"offline_access", graph + "Files.Read.All", graph + "Sites.Read.All"},
			options:  []oauth2.AuthCodeOption{oauth2.SetAuthURLParam("response_mode", "query"), oauth2.SetAuthURLParam("prompt", "select_account")},
		}, nil
	}
	return provider{}, errs.New(errs.NotFound, "oauth", "connections by consent are for google_drive and sharepoint: create others with their credentials")
}

// config is what the library is asked with.
func (s *Service) config(p provider, c connectionservice.OAuthClient) *oauth2.Config {
	return &oauth2.Config{
		ClientID: c.ID, ClientSecret: c.Secret.Reveal(), Endpoint: p.endpoint,
		RedirectURL: s.d.PublicURL + CallbackPath, Scopes: p.scopes,
	}
}

// providerConfig is what the service is asked to connect with.
func providerConfig(c connectionservice.OAuthClient, fields map[string]any, refresh string) map[string]any {
	credentials := map[string]any{"oauth_client": c.Name, "refresh_token": refresh, "type": "oauth"}
	if c.Provider == "sharepoint" {
		credentials["type"], credentials["tenant_id"] = "delegated", c.Tenant
	}
	return overlay(fields, map[string]any{"credentials": credentials})
}

// overlay returns fields with others on top.
func overlay(fields, others map[string]any) map[string]any {
	out := map[string]any{}
	maps.Copy(out, fields)
	maps.Copy(out, others)
	return out
}

// origin is the scheme and host of an address.
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Scheme + "://" + u.Host)
}
