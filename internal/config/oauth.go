package config

import (
	"io"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	connectionconfig "mooring/internal/connection/config"
	"mooring/internal/errs"
	"mooring/internal/secret"
)

// OAuthClient is an application that the operator registered at a provider, for
// connections made by a user's consent.
type OAuthClient struct {
	Name     string
	Provider string // google_drive or sharepoint
	ID       string
	Secret   secret.String
	Tenant   string // directory at Microsoft; default common
}

const oauthFlag, oauthTable = "oauth-clients", "oauth_clients"

// oauthSettings are one table [oauth_clients.NAME] of the file, or one member of
// the object in MOORING_OAUTH_CLIENTS.
type oauthSettings struct {
	Provider string `json:"provider"`
	ID       string `json:"client_id"`
	File     string `json:"client_secret_file"`
	Tenant   string `json:"tenant"`
}

// oauthFlags declares the setting, which people write into the file: as a flag
// it is not shown.
func (s *Server) oauthFlags(f *pflag.FlagSet) {
	f.StringVar(&s.OAuth, oauthFlag, "", "OAuth clients as JSON; in the file the tables [oauth_clients.NAME] (provider, client_id, client_secret_file, tenant)")
	_ = f.MarkHidden(oauthFlag) // it was just declared
}

// clientID is what both providers' ids are made of.
var (
	clientID = regexp.MustCompile(`^[!-~]{1,255}$`)
	tenantID = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)
)

func (s *Server) checkOAuth() error {
	s.oauth = nil
	if s.OAuth == "" {
		return nil
	}
	tables, ok := decodeTables[oauthSettings](s.OAuth)
	if !ok {
		return invalid("oauth_clients must hold tables [oauth_clients.NAME] of provider, client_id, client_secret_file and tenant, all texts, and nothing else")
	}
	for name, t := range tables {
		c, err := t.read(name)
		if err != nil {
			return err
		}
		s.oauth = append(s.oauth, c)
	}
	slices.SortFunc(s.oauth, func(a, b OAuthClient) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

func (t oauthSettings) read(name string) (OAuthClient, error) {
	at := "oauth_clients." + name + ": "
	if complaint := connectionconfig.CheckClientName(name); complaint != "" {
		return OAuthClient{}, invalid("oauth_clients: a name " + complaint)
	}
	if t.Tenant == "" && t.Provider == "sharepoint" {
		t.Tenant = "common"
	}
	switch {
	case t.Provider != "google_drive" && t.Provider != "sharepoint":
		return OAuthClient{}, invalid(at + "provider must be google_drive or sharepoint")
	case !clientID.MatchString(t.ID):
		return OAuthClient{}, invalid(at + "client_id must be the id of the application")
	case t.Provider == "google_drive" && t.Tenant != "":
		return OAuthClient{}, invalid(at + "tenant is for sharepoint only")
	case t.Provider == "sharepoint" && !tenantID.MatchString(t.Tenant):
		return OAuthClient{}, invalid(at + "tenant must be the directory's id or domain, or common")
	case t.File == "":
		return OAuthClient{}, invalid(at + "client_secret_file must name the file that holds the client secret")
	}
	v, err := readSecret(t.File)
	if err != nil {
		return OAuthClient{}, errs.Wrap(err, errs.Invalid, "config", at+"client_secret_file can't be read, or does not hold one line")
	}
	return OAuthClient{Name: name, Provider: t.Provider, ID: t.ID, Secret: v, Tenant: t.Tenant}, nil
}

// readSecret reads a file of one line.
func readSecret(name string) (secret.String, error) {
	const most = 4096
	f, err := os.Open(name)
	if err != nil {
		return secret.String{}, err
	}
	defer func() { _ = f.Close() }() // only read from
	raw, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return secret.String{}, err
	}
	line := strings.TrimRight(string(raw), "\r\n")
	if len(raw) > most || line == "" || strings.ContainsFunc(line, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return secret.String{}, invalid("not one line of printable ASCII without spaces")
	}
	return secret.New(line), nil
}

// OAuthClients are the operator's, sorted by name, after Validate.
func (s *Server) OAuthClients() []OAuthClient { return s.oauth }

// checkPublicURL wants what a path can be appended to.
func (s *Server) checkPublicURL() error {
	if s.PublicURL == "" {
		return nil
	}
	u, err := url.Parse(s.PublicURL)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || (u.Scheme != "http" && u.Scheme != "https") {
		return invalid("--public-url must be an http or https URL such as https://mooring.example.com, without query and user info")
	}
	s.PublicURL = strings.TrimRight(s.PublicURL, "/")
	return nil
}
