package service

import (
	"context"
	"maps"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/audit"
	"mooring/internal/connection"
	"mooring/internal/connection/config"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/provider"
	"mooring/internal/provider/driver"
	"mooring/internal/secret"
)

// UpdateRequest asks for changes. What is nil stays.
type UpdateRequest struct {
	Name           *string
	Description    *string        // "" clears
	Metadata       map[string]any // replaces all
	ProviderConfig map[string]any // replaces all; markers keep stored secrets
	Status         *string        // in any case; also "paused"
	IsActive       *bool          // counts only without Status
	TestBeforeSave *bool          // of a ProviderConfig that differs; nil is true
	Reason         string         // of a suspension

	CheckInterval       *int64     // seconds; 0: the server's
	CredentialsExpireAt *time.Time // the zero time: not known
}

// update is a request on its way.
type update struct {
	*Service
	org  id.Org
	by   audit.Actor
	r    UpdateRequest
	old  connection.Connection // as it was read
	edit connection.Edit
	want connection.Status

	next    config.Config // the new configuration, opened
	keep    []string      // its secrets that stay as they are stored
	fresh   []string      // its secrets to be sealed
	changed bool          // next really differs from what is stored
	sealed  map[string]bson.Binary
	passed  *connection.Attempt
}

// Update changes a connection. Bad fields are errs.Invalid with their paths. A
// provider_config that differs is tested first; if that fails it is
// errs.Invalid, see ResultOf. A resume tests too; if that fails, and when the
// state does not allow what is asked, it is errs.Conflict. Nothing is saved
// then. A provider_config that is the same replaces nothing.
func (s *Service) Update(ctx context.Context, org id.Org, by audit.Actor, idOrName string, r UpdateRequest) (connection.Connection, error) {
	const op = "connection.update"
	c, err := s.Get(ctx, org, idOrName)
	if err != nil {
		return c, err
	}
	if err := connection.Alive(&c, "be changed"); err != nil {
		return c, err
	}
	u := &update{Service: s, org: org, by: by, r: r, old: c}
	for _, step := range []func(context.Context) error{u.read, u.prove} {
		if err := step(ctx); err != nil {
			return connection.Connection{}, err
		}
	}
	if u.changed {
		if u.sealed, err = s.seal(ctx, org, c.ID, u.next, u.fresh); err != nil {
			return connection.Connection{}, err
		}
	}
	now := s.d.Now()
	doc, err := s.update(ctx, org, c.ID, func(cur *connection.Connection) error {
		if (u.changed || u.passed != nil) && cur.CredentialsGeneration != c.CredentialsGeneration {
			return errs.New(errs.Conflict, op, "provider_config of connection "+string(c.ID)+" was replaced by somebody else meanwhile: read it and try again")
		}
		if err := connection.Amend(cur, u.edit, by, now); err != nil {
			return err
		}
		if u.changed {
			if err := connection.ReplaceConfig(cur, u.assemble(cur), u.passed, by, now); err != nil {
				return err
			}
		}
		r := connection.StatusRequest{Want: u.want, By: by, Reason: u.r.Reason, Retain: s.d.RetainCredentials}
		if u.passed != nil {
			passed := *u.passed
			passed.Generation = cur.CredentialsGeneration
			r.Passed = &passed
		}
		return connection.ApplyStatus(cur, r, now)
	})
	if err == nil && doc.Status == connection.Archived {
		s.destroyTokens(ctx, &doc)
	}
	if err == nil && u.changed {
		s.warn(ctx, &doc)
	}
	return doc, named(err, op, deref(u.edit.Name))
}

// read checks the request's fields, all of them.
func (u *update) read(ctx context.Context) error {
	at := errs.NewFields("body")
	if u.r.Name != nil {
		u.edit.Name = new(connection.CleanName(*u.r.Name, at))
	}
	if u.edit.Description = u.r.Description; u.r.Description != nil {
		connection.CleanDescription(u.r.Description, at)
	}
	if u.r.Metadata != nil {
		u.edit.Metadata = connection.CleanMetadata(u.r.Metadata, at)
	}
	if u.edit.CheckInterval = u.r.CheckInterval; u.r.CheckInterval != nil && *u.r.CheckInterval != 0 {
		connection.CheckCheckInterval(u.r.CheckInterval, at)
	}
	u.edit.CredentialsExpireAt = u.r.CredentialsExpireAt
	u.want = connection.Requested(u.r.Status, u.r.IsActive, at)
	if u.r.ProviderConfig != nil {
		if u.want == connection.Archived {
			at.Add("value_error", "can't be replaced by a request that archives the connection", "provider_config")
		}
		if err := u.readConfig(ctx, at.At("provider_config")); err != nil {
			return err
		}
	}
	return at.Err("connection.update")
}

func (u *update) readConfig(ctx context.Context, at errs.Fields) error {
	// Errors of both repeat what at has gathered.
	next, _ := config.Decode(u.old.Provider, u.r.ProviderConfig, at)
	u.readClient(next, at)
	m, _ := config.Merge(u.old.Config, next, at)
	if at.Err("") != nil {
		return nil //nolint:nilerr // the caller returns all that was gathered
	}
	u.next, u.changed, u.keep = next, m.Changed, m.Keep
	for _, name := range m.Fresh {
		same, err := u.sameSecret(ctx, name, slices.Contains(m.Compare, name))
		if err != nil {
			return err
		}
		if same {
			u.keep = append(u.keep, name)
		} else {
			u.fresh, u.changed = append(u.fresh, name), true
		}
	}
	if !u.changed {
		return nil
	}
	return u.checkExternalID(ctx, u.org, next, at)
}

// sameSecret compares with what is stored. A stored secret that can't be opened
// is not the same: giving it anew is how that is repaired.
func (u *update) sameSecret(ctx context.Context, name string, stored bool) (bool, error) {
	if !stored {
		return false, nil
	}
	v, err := u.openSecret(ctx, &u.old, name)
	if errs.Is(err, errs.Corrupt) {
		return false, nil
	}
	return err == nil && v.Equal(u.next.Secrets[name]), err
}

// prove tests what the request needs proven.
func (u *update) prove(ctx context.Context) error {
	const op = "connection.update"
	test := u.changed && (u.r.TestBeforeSave == nil || *u.r.TestBeforeSave)
	trial := u.old // what it will be when the test passes
	trial.Config.Secrets = nil
	if u.changed {
		var passed *connection.Attempt
		if test {
			passed = &connection.Attempt{Began: u.d.Now()}
		}
		if err := connection.ReplaceConfig(&trial, trial.Config, passed, u.by, u.d.Now()); err != nil {
			return err
		}
	}
	move, err := connection.Plan(&trial, u.want)
	if err != nil || !u.changed && move != connection.ToResume {
		return err
	}
	c, err := u.effective(ctx)
	if err != nil {
		return err
	}
	if !test && move != connection.ToResume {
		o, err := u.validate(ctx, c)
		if err != nil {
			return err
		}
		return o.failure(errs.Invalid, op, "provider_config was not saved: ")
	}
	kept := provider.NewTokens(u.d.Now)
	o, err := u.probe(u.using(ctx, &u.old), c, u.trialTokens(c, kept), connection.SourceTest, u.old.CredentialsGeneration)
	if err != nil {
		return err
	}
	u.passed, u.next.Secrets = &o.attempt, rotated(u.next.Secrets, kept)
	if test {
		return o.failure(errs.Invalid, op, "nothing was saved, since the test of the new provider_config failed: ")
	}
	return o.failure(errs.Conflict, op, "connection "+string(u.old.ID)+" is SUSPENDED and can't be resumed, since its test failed: ")
}

// effective is the configuration that will be in place, opened.
func (u *update) effective(ctx context.Context) (config.Config, error) {
	if !u.changed {
		return u.open(ctx, &u.old)
	}
	c := u.next
	c.Secrets = map[string]secret.String{}
	maps.Copy(c.Secrets, u.next.Secrets)
	for _, name := range u.keep {
		v, err := u.openSecret(ctx, &u.old, name)
		if err != nil {
			return c, err
		}
		c.Secrets[name] = v
	}
	return u.furnish(c)
}

// trialTokens are for the test of c. While it keeps the stored refresh token,
// whatever replaces that must be kept with what is stored, also when the test
// fails; else it is in the given tokens, to be sealed if the test passes.
func (u *update) trialTokens(c config.Config, kept *provider.Tokens) driver.Tokens {
	switch {
	case !u.changed:
		return u.tokens(&u.old, c)
	case u.d.Tokens != nil && slices.Contains(u.keep, refreshField):
		return u.d.Tokens.Renewed(&u.old, c)
	}
	return kept
}

// assemble is the new configuration as it will be stored: kept secrets are what
// is stored now, since a refresh token may have been rotated meanwhile.
func (u *update) assemble(cur *connection.Connection) config.Sealed {
	s := config.Sealed{Provider: u.next.Provider, Fields: u.next.Fields, Credential: u.next.Credential,
		Credentials: u.next.Credentials, Secrets: maps.Clone(u.sealed)}
	for _, name := range u.keep {
		if v, ok := cur.Config.Secrets[name]; ok {
			s.Secrets[name] = v
		}
	}
	return s
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
