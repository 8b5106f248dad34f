package service

import (
	"context"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/csfle"
	"mooring/internal/connection"
	"mooring/internal/connection/config"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/secret"
)

func binding(org id.Org, conn id.Connection, field string, use []string) csfle.Binding {
	return csfle.Binding{Org: org, Record: string(conn), Field: field, Use: csfle.UseDigest(use...)}
}

// seal seals the named secrets of c for a connection, under the organization's
// current data key.
func (s *Service) seal(ctx context.Context, org id.Org, conn id.Connection, c config.Config, names []string) (map[string]bson.Binary, error) {
	sealed, use := map[string]bson.Binary{}, c.Use()
	for _, name := range names {
		v, err := s.vault.Seal(ctx, binding(org, conn, name, use), c.Secrets[name])
		if err != nil {
			return nil, errs.Wrap(err, errs.Internal, "connection.seal", "credentials."+name+" can't be sealed")
		}
		sealed[name] = v
	}
	return sealed, nil
}

// open opens a connection's configuration for use.
func (s *Service) open(ctx context.Context, c *connection.Connection) (config.Config, error) {
	out := config.Config{Provider: c.Config.Provider, Fields: c.Config.Fields, Credential: c.Config.Credential,
		Credentials: c.Config.Credentials, Secrets: map[string]secret.String{}}
	for name := range c.Config.Secrets {
		v, err := s.openSecret(ctx, c, name)
		if err != nil {
			return config.Config{}, err
		}
		out.Secrets[name] = v
	}
	return s.furnish(out)
}

func (s *Service) openSecret(ctx context.Context, c *connection.Connection, name string) (secret.String, error) {
	v, err := s.vault.Open(ctx, binding(c.Org, c.ID, name, c.Config.Use()), c.Config.Secrets[name])
	return v, errs.Wrap(err, errs.Internal, "connection.open",
		"the stored credentials."+name+" of connection "+string(c.ID)+" can't be opened; if this stays so, give the credentials anew")
}

func quote(s string) string {
	if r := []rune(s); len(r) > 110 {
		s = string(r[:110]) + "…"
	}
	return strconv.Quote(s)
}
