package service

import (
	"context"
	"fmt"

	"mooring/internal/audit"
	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/provider/driver"
)

// Archive ends a connection for good and destroys its credentials, unless they
// are retained. One that is archived already is errs.Conflict.
func (s *Service) Archive(ctx context.Context, org id.Org, by audit.Actor, idOrName string) (connection.Connection, error) {
	c, err := s.Get(ctx, org, idOrName)
	if err != nil {
		return c, err
	}
	now := s.d.Now()
	c, err = s.d.Connections.Update(ctx, org, c.ID, func(cur *connection.Connection) error {
		return connection.Archive(cur, s.d.RetainCredentials, by, now)
	})
	if err == nil {
		s.destroyTokens(ctx, &c)
	}
	return c, err
}

// Test runs a live test by a user's wish. A refusal is a result, not an error.
// On an active or failed connection it counts like a check; a suspended one is
// contacted, and stays as it is; an archived one is errs.Conflict.
func (s *Service) Test(ctx context.Context, org id.Org, by audit.Actor, idOrName string) (TestResult, error) {
	c, err := s.Get(ctx, org, idOrName)
	if err != nil {
		return TestResult{}, err
	}
	if err := connection.Alive(&c, "be tested"); err != nil {
		return TestResult{}, err
	}
	opened, err := s.open(ctx, &c)
	if err != nil {
		return TestResult{}, err
	}
	o, err := s.probe(s.using(ctx, &c), opened, s.tokens(&c, opened), connection.SourceTest, c.CredentialsGeneration)
	if err != nil {
		return TestResult{}, err
	}
	now := s.d.Now()
	_, err = s.update(ctx, org, c.ID, func(cur *connection.Connection) error {
		changes := map[string]any{"message": o.result.Message}
		cur.Outbox.Note(now, by, audit.ConnectionTested, audit.StorageConnection, string(cur.ID), o.result.Success, changes)
		o.settle(cur, o.attempt, now)
		return nil
	})
	return o.result, err
}

// Browse lists what lies directly below a path. It is errs.Conflict on a
// suspended or archived connection. A provider's refusal keeps its kind and has
// the origin Provider; it changes no state.
func (s *Service) Browse(ctx context.Context, org id.Org, idOrName, path, page string, limit int) (driver.Listing, error) {
	const op, most = "connection.browse", 1000
	if limit < 1 || limit > most {
		at := errs.NewFields("query")
		at.Add("value_error", fmt.Sprintf("must be from 1 to %d", most), "limit")
		return driver.Listing{}, at.Err(op)
	}
	c, err := s.Get(ctx, org, idOrName)
	if err != nil {
		return driver.Listing{}, err
	}
	if err := connection.Usable(&c, "be browsed"); err != nil {
		return driver.Listing{}, err
	}
	opened, err := s.open(ctx, &c)
	if err != nil {
		return driver.Listing{}, err
	}
	list, err := within(s.using(ctx, &c), s, opened, s.tokens(&c, opened), func(ctx context.Context, p Prober) (driver.Listing, error) {
		return p.Browse(ctx, path, page, limit)
	})
	if err != nil {
		if ours(ctx, err) {
			return driver.Listing{}, err
		}
		return driver.Listing{}, explain(opened, err)
	}
	return list, s.Touch(ctx, org, c.ID)
}
