package keys_test

import (
	"context"
	"time"

	"mooring/csfle"
	"mooring/internal/access"
	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store"
	"mooring/internal/store/system"
	"mooring/internal/webhook"
)

// cut lets some writes and waits happen and none after them, as the end of a
// process does.
type cut struct{ left int }

var errCut = errs.New(errs.Unavailable, "cut", "the process is gone")

func (c *cut) step() error {
	if c == nil {
		return nil
	}
	if c.left--; c.left < 0 {
		return errCut
	}
	return nil
}

type cutStore struct {
	store.Store
	c *cut
}

type cutSystem struct {
	system.System
	c *cut
}

func (s cutSystem) SetMeta(ctx context.Context, name string, old, value []byte) error {
	if err := s.c.step(); err != nil {
		return err
	}
	return s.System.SetMeta(ctx, name, old, value)
}

type cutVault struct {
	csfle.KeyVault
	c *cut
}

func (s cutStore) KeyVault() csfle.KeyVault { return cutVault{s.Store.KeyVault(), s.c} }

func (v cutVault) Insert(ctx context.Context, d csfle.KeyDocument) error {
	if err := v.c.step(); err != nil {
		return err
	}
	return v.KeyVault.Insert(ctx, d)
}

func (v cutVault) Replace(ctx context.Context, old []byte, d csfle.KeyDocument) error {
	if err := v.c.step(); err != nil {
		return err
	}
	return v.KeyVault.Replace(ctx, old, d)
}

func (v cutVault) Delete(ctx context.Context, k csfle.KeyID) error {
	if err := v.c.step(); err != nil {
		return err
	}
	return v.KeyVault.Delete(ctx, k)
}

// cutUpdate cuts off the updates of one kind of record.
func cutUpdate[T any, ID ~string](ctx context.Context, c *cut, r store.Records[T, ID], org id.Org, i ID, change func(*T) error) (out T, err error) {
	if err := c.step(); err != nil {
		return out, err
	}
	return r.Update(ctx, org, i, change)
}

type cutOrganizations struct {
	store.Organizations
	c *cut
}

func (s cutStore) Organizations() store.Organizations {
	return cutOrganizations{s.Store.Organizations(), s.c}
}

func (o cutOrganizations) Update(ctx context.Context, org, i id.Org, change func(*access.Organization) error) (access.Organization, error) {
	return cutUpdate(ctx, o.c, o.Organizations, org, i, change)
}

type cutConnections struct {
	store.Connections
	c *cut
}

func (s cutStore) Connections() store.Connections {
	return cutConnections{s.Store.Connections(), s.c}
}

func (o cutConnections) Update(ctx context.Context, org id.Org, i id.Connection, change func(*connection.Connection) error) (connection.Connection, error) {
	return cutUpdate(ctx, o.c, o.Connections, org, i, change)
}

type cutTokens struct {
	store.Tokens
	c *cut
}

func (s cutStore) Tokens() store.Tokens { return cutTokens{s.Store.Tokens(), s.c} }

func (o cutTokens) Update(ctx context.Context, org id.Org, i id.Connection, change func(*connection.Tokens) error) (connection.Tokens, error) {
	return cutUpdate(ctx, o.c, o.Tokens, org, i, change)
}

func (o cutTokens) Remove(ctx context.Context, org id.Org, i id.Connection) error {
	if err := o.c.step(); err != nil {
		return err
	}
	return o.Tokens.Remove(ctx, org, i)
}

type cutConsents struct {
	store.Consents
	c *cut
}

func (s cutStore) Consents() store.Consents { return cutConsents{s.Store.Consents(), s.c} }

func (o cutConsents) Update(ctx context.Context, org id.Org, i string, change func(*connection.Consent) error) (connection.Consent, error) {
	return cutUpdate(ctx, o.c, o.Consents, org, i, change)
}

func (o cutConsents) Sweep(ctx context.Context, org id.Org, now time.Time) error {
	if err := o.c.step(); err != nil {
		return err
	}
	return o.Consents.Sweep(ctx, org, now)
}

type cutWebhooks struct {
	store.Webhooks
	c *cut
}

func (s cutStore) Webhooks() store.Webhooks { return cutWebhooks{s.Store.Webhooks(), s.c} }

func (o cutWebhooks) Update(ctx context.Context, org id.Org, i id.Webhook, change func(*webhook.Webhook) error) (webhook.Webhook, error) {
	return cutUpdate(ctx, o.c, o.Webhooks, org, i, change)
}
