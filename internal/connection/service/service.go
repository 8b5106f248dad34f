// Package service tests, stores and changes connections. It seals credentials
// before they are stored and opens them only to use them; what state follows
// from what happens is decided by the package connection.
package service

import (
	"context"
	"log/slog"
	"time"

	"mooring/internal/connection"
	"mooring/internal/connection/config"
	"mooring/internal/connection/tokens"
	"mooring/internal/connection/vault"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/provider/driver"
	"mooring/internal/store"
)

// Prober is what is needed of an open source.
type Prober interface {
	Check(ctx context.Context, target string) (driver.Report, error)
	Browse(ctx context.Context, path, page string, limit int) (driver.Listing, error)
	Close() error
}

// Opener makes a source of a configuration, without a request. A provider for
// which no adapter is built in is errs.Invalid.
type Opener interface {
	Open(ctx context.Context, provider string, c config.Config, t driver.Tokens) (Prober, error)
}

// OpenerFunc is an Opener.
type OpenerFunc func(ctx context.Context, provider string, c config.Config, t driver.Tokens) (Prober, error)

// Open calls f.
func (f OpenerFunc) Open(ctx context.Context, provider string, c config.Config, t driver.Tokens) (Prober, error) {
	return f(ctx, provider, c, t)
}

// Deps are what a Service works with. Those without a remark are required.
type Deps struct {
	Connections   store.Connections
	Organizations vault.Organizations
	Sealer        vault.Sealer
	Opener        Opener

	// Tokens keeps what credentials are exchanged for. nil: each source has its
	// own, in memory.
	Tokens *tokens.Keeper
	// OAuthClients are the operator's, for connections made by a user's consent.
	OAuthClients []OAuthClient

	// Shared reports whether more than one organization exists, so that they
	// share the operator's own AWS identity. nil: never.
	Shared func(ctx context.Context) (bool, error)
	// Isolated reports whether nothing else can be reached from here either.
	// It is asked only when a provider is unreachable. nil: never.
	Isolated func(ctx context.Context) bool
	// RetainCredentials keeps the sealed credentials of archived connections.
	RetainCredentials bool
	// CheckEvery is the time between checks while all is well; 0 is the domain's.
	CheckEvery time.Duration
	// Activated hears of connections that have become ACTIVE again. nil: nobody does.
	Activated func(ctx context.Context, org id.Org, conn id.Connection)
	// For marks a context with the connection that a source is opened for. nil: none is.
	For func(ctx context.Context, org id.Org, conn id.Connection) context.Context
	// TestTimeout ends a test or a listing; 0 is 30 seconds.
	TestTimeout time.Duration
	Now         func() time.Time // nil: time.Now
	Log         *slog.Logger     // nil: nothing is logged
}

// Service is safe for concurrent use.
type Service struct {
	d     Deps
	vault vault.Vault
}

// New makes a Service.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.TestTimeout == 0 {
		d.TestTimeout = 30 * time.Second
	}
	return &Service{d: d, vault: vault.Vault{Sealer: d.Sealer, Organizations: d.Organizations}}
}

// Get finds a connection by its id, which begins with conn_, or by its name:
// the one that is not archived, else the archived one created last.
func (s *Service) Get(ctx context.Context, org id.Org, idOrName string) (connection.Connection, error) {
	var c connection.Connection
	var err error
	if id.IsConnection(idOrName) {
		c, err = s.d.Connections.Get(ctx, org, id.Connection(idOrName))
	} else {
		c, err = s.d.Connections.ByName(ctx, org, idOrName)
	}
	if errs.Is(err, errs.NotFound) {
		err = errs.New(errs.NotFound, "connection.get", "there is no connection "+quote(idOrName))
	}
	return c, err
}

// List returns a page of connections, newest first.
func (s *Service) List(ctx context.Context, org id.Org, f connection.Filter, p store.Page) (store.List[connection.Connection], error) {
	return s.d.Connections.List(ctx, org, f, p)
}

// Count counts what List pages through.
func (s *Service) Count(ctx context.Context, org id.Org, f connection.Filter) (int64, error) {
	return s.d.Connections.Count(ctx, org, f)
}

// update changes a connection, and tells when it has become active again.
func (s *Service) update(ctx context.Context, org id.Org, conn id.Connection, change func(*connection.Connection) error) (connection.Connection, error) {
	var was connection.Status
	c, err := s.d.Connections.Update(ctx, org, conn, func(cur *connection.Connection) error {
		was = cur.Status
		return change(cur)
	})
	if err == nil && was != connection.Active && c.Status == connection.Active && s.d.Activated != nil {
		s.d.Activated(ctx, org, conn)
	}
	return c, err
}

// using marks a context with the connection that is used.
func (s *Service) using(ctx context.Context, c *connection.Connection) context.Context {
	if s.d.For == nil {
		return ctx
	}
	return s.d.For(ctx, c.Org, c.ID)
}

// Touch notes that the connection was used with success.
func (s *Service) Touch(ctx context.Context, org id.Org, conn id.Connection) error {
	return s.d.Connections.Touch(ctx, org, conn)
}
