package service

import (
	"context"
	"maps"
	"slices"
	"time"

	"mooring/internal/audit"
	"mooring/internal/connection"
	"mooring/internal/connection/config"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/provider"
)

// CreateRequest asks for a new connection.
type CreateRequest struct {
	Name           string
	Description    *string
	Metadata       map[string]any
	Provider       string
	ProviderConfig map[string]any // as decoded from JSON
	TestBeforeSave *bool          // nil is true
	User           id.User        // on whose behalf; "" is the actor

	CheckInterval       *int64 // seconds between checks; nil: the server's
	CredentialsExpireAt *time.Time
}

// Create tests and stores a connection. Bad fields are errs.Invalid with their
// paths; a test that fails is errs.Invalid without, see ResultOf; a taken name
// is errs.AlreadyExists. Nothing is saved then.
func (s *Service) Create(ctx context.Context, org id.Org, by audit.Actor, r CreateRequest) (connection.Connection, error) {
	const op = "connection.create"
	none := connection.Connection{}
	at := errs.NewFields("body")
	d := connection.Draft{ID: id.NewConnection(), Org: org, CreatedBy: string(r.User)}
	if d.CreatedBy == "" {
		d.CreatedBy = by.ID
	}
	d.Name = connection.CleanName(r.Name, at)
	d.Description = connection.CleanDescription(r.Description, at)
	d.Metadata = connection.CleanMetadata(r.Metadata, at)
	d.CheckInterval, d.CredentialsExpireAt = r.CheckInterval, r.CredentialsExpireAt
	connection.CheckCheckInterval(r.CheckInterval, at)
	c, err := s.decodeNew(ctx, org, r, at)
	if err != nil {
		return none, err
	}
	if err := at.Err(op); err != nil {
		return none, err
	}
	if err := s.nameFree(ctx, org, d.Name); err != nil {
		return none, err
	}
	full, err := s.furnish(c)
	if err != nil {
		return none, err
	}
	var o outcome
	var tested *connection.Attempt
	kept := provider.NewTokens(s.d.Now)
	if r.TestBeforeSave == nil || *r.TestBeforeSave {
		o, err = s.probe(ctx, full, kept, connection.SourceTest, 1)
		tested = &o.attempt
	} else {
		o, err = s.validate(ctx, full)
	}
	if err != nil {
		return none, err
	}
	if err := o.failure(errs.Invalid, op, "the connection was not saved, since its test failed: "); err != nil {
		return none, err
	}
	c.Secrets = rotated(c.Secrets, kept)
	sealed, err := s.seal(ctx, org, d.ID, c, slices.Sorted(maps.Keys(c.Secrets)))
	if err != nil {
		return none, err
	}
	d.Config = config.Sealed{Provider: c.Provider, Fields: c.Fields, Credential: c.Credential, Credentials: c.Credentials, Secrets: sealed}
	doc, err := s.d.Connections.Insert(ctx, org, connection.New(d, tested, by, s.d.Now()))
	if err == nil {
		s.warn(ctx, &doc)
	}
	return doc, named(err, op, d.Name)
}

func (s *Service) decodeNew(ctx context.Context, org id.Org, r CreateRequest, at errs.Fields) (config.Config, error) {
	switch {
	case r.Provider == "":
		at.Add("missing", "field required", "provider_type")
		return config.Config{}, nil
	case !config.Supported(r.Provider):
		at.Add("enum", config.Refusal(r.Provider), "provider_type")
		return config.Config{}, nil
	case r.ProviderConfig == nil:
		at.Add("missing", "field required", "provider_config")
		return config.Config{}, nil
	}
	at = at.At("provider_config")
	// Errors of both repeat what at has gathered.
	c, _ := config.Decode(r.Provider, r.ProviderConfig, at)
	s.readClient(c, at)
	_, _ = config.Merge(config.Sealed{}, c, at)
	return c, s.checkExternalID(ctx, org, c, at)
}

// nameFree spares a live test whose result could not be saved. The store's
// unique index is what decides.
func (s *Service) nameFree(ctx context.Context, org id.Org, name string) error {
	c, err := s.d.Connections.ByName(ctx, org, name)
	switch {
	case errs.Is(err, errs.NotFound):
		return nil
	case err == nil && c.Status != connection.Archived:
		err = errs.New(errs.AlreadyExists, "store", "the name is that of "+string(c.ID))
	}
	return named(err, "connection.create", name)
}

func named(err error, op, name string) error {
	if errs.Is(err, errs.AlreadyExists) {
		return errs.New(errs.AlreadyExists, op, "a connection named "+quote(name)+" exists already: choose another name, or archive that one")
	}
	return err
}
