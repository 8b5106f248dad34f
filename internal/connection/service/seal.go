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
	const op = "connection.seal"
	sealed := map[string]bson.Binary{}
	if len(names) == 0 {
		return sealed, nil
	}
	o, err := s.d.Organizations.Get(ctx, org, org)
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, op, "the organization's data key can't be told")
	}
	n := max(o.DataKey, 1)
	if _, err := s.d.Sealer.EnsureKey(ctx, org, n); err != nil {
		return nil, errs.Wrap(err, errs.Internal, op, "the organization's data key can't be used")
	}
	use := c.Use()
	for _, name := range names {
		if sealed[name], err = s.d.Sealer.Seal(ctx, csfle.KeyName(org, n), binding(org, conn, name, use), c.Secrets[name]); err != nil {
			return nil, errs.Wrap(err, errs.Internal, op, "credentials."+name+" can't be sealed")
		}
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
	return out, nil
}

func (s *Service) openSecret(ctx context.Context, c *connection.Connection, name string) (secret.String, error) {
	v, err := s.d.Sealer.Open(ctx, binding(c.Org, c.ID, name, c.Config.Use()), c.Config.Secrets[name])
	if errs.Is(err, errs.NotFound) { // a key that was destroyed is no resource that a client asked for
		err = errs.New(errs.Corrupt, "csfle.open", "its data key is gone")
	}
	return v, errs.Wrap(err, errs.Internal, "connection.open",
		"the stored credentials."+name+" of connection "+string(c.ID)+" can't be opened; if this stays so, give the credentials anew")
}

// SaveSecret stores the new value of a secret that the provider has replaced,
// as it does with refresh tokens, before its first use. It is errs.Conflict
// when the configuration is no longer of that generation or the stored value
// is no longer old: somebody else has replaced it, and theirs must be read.
// It is no replacement of the configuration and leaves the state as it is.
func (s *Service) SaveSecret(ctx context.Context, org id.Org, conn id.Connection, generation int64, name string, old, v secret.String) error {
	const op = "connection.save_secret"
	overtaken := errs.New(errs.Conflict, op, "credentials."+name+" of connection "+string(conn)+" was replaced meanwhile: read it again")
	c, err := s.d.Connections.Get(ctx, org, conn)
	if err != nil {
		return err
	}
	if err := connection.Usable(&c, "take a new "+name); err != nil {
		return err
	}
	if _, stored := c.Config.Secrets[name]; !stored || c.CredentialsGeneration != generation {
		return overtaken
	}
	if now, err := s.openSecret(ctx, &c, name); err != nil {
		return err
	} else if !now.Equal(old) {
		return overtaken
	}
	opened := config.Config{Provider: c.Config.Provider, Fields: c.Config.Fields, Credential: c.Config.Credential,
		Credentials: c.Config.Credentials, Secrets: map[string]secret.String{name: v}}
	sealed, err := s.seal(ctx, org, conn, opened, []string{name})
	if err != nil {
		return err
	}
	was := c.Config.Secrets[name]
	_, err = s.d.Connections.Update(ctx, org, conn, func(cur *connection.Connection) error {
		if now, ok := cur.Config.Secrets[name]; !ok || cur.CredentialsGeneration != generation || string(now.Data) != string(was.Data) {
			return overtaken
		}
		cur.Config.Secrets[name] = sealed[name]
		cur.UpdatedAt = stamp(s.d.Now())
		return nil
	})
	return err
}

func quote(s string) string {
	if r := []rune(s); len(r) > 110 {
		s = string(r[:110]) + "…"
	}
	return strconv.Quote(s)
}
