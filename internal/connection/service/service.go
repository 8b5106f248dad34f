// Package service tests, stores and changes connections. It seals credentials
// before they are stored and opens them only to use them; what state follows
// from what happens is decided by the package connection.
package service

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/csfle"
	"mooring/internal/access"
	"mooring/internal/connection"
	"mooring/internal/connection/config"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/provider/driver"
	"mooring/internal/secret"
	"mooring/internal/store"
)

// Sealer seals and opens secrets; *csfle.Sealer is one.
type Sealer interface {
	Seal(ctx context.Context, keyName string, b csfle.Binding, v secret.String) (bson.Binary, error)
	Open(ctx context.Context, b csfle.Binding, sealed bson.Binary) (secret.String, error)
	EnsureKey(ctx context.Context, org id.Org, n int) (csfle.KeyID, error)
}

// Prober is what is needed of an open source.
type Prober interface {
	Check(ctx context.Context, target string) (driver.Report, error)
	Browse(ctx context.Context, path, page string, limit int) (driver.Listing, error)
	Close() error
}

// Opener makes a source of a configuration, without a request. A provider for
// which no adapter is built in is errs.Invalid.
type Opener interface {
	Open(ctx context.Context, provider string, c config.Config) (Prober, error)
}

// OpenerFunc is an Opener.
type OpenerFunc func(ctx context.Context, provider string, c config.Config) (Prober, error)

// Open calls f.
func (f OpenerFunc) Open(ctx context.Context, provider string, c config.Config) (Prober, error) {
	return f(ctx, provider, c)
}

// Organizations tell which data key is current; store.Organizations are.
type Organizations interface {
	Get(ctx context.Context, org id.Org, self id.Org) (access.Organization, error)
}

// Deps are what a Service works with. Those without a remark are required.
type Deps struct {
	Connections   store.Connections
	Organizations Organizations
	Sealer        Sealer
	Opener        Opener

	// Shared reports whether more than one organization exists, so that they
	// share the operator's own AWS identity. nil: never.
	Shared func(ctx context.Context) (bool, error)
	// Isolated reports whether nothing else can be reached from here either.
	// It is asked only when a provider is unreachable. nil: never.
	Isolated func(ctx context.Context) bool
	// RetainCredentials keeps the sealed credentials of archived connections.
	RetainCredentials bool
	// TestTimeout ends a test or a listing; 0 is 30 seconds.
	TestTimeout time.Duration
	Now         func() time.Time // nil: time.Now
}

// Service is safe for concurrent use.
type Service struct{ d Deps }

// New makes a Service.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.TestTimeout == 0 {
		d.TestTimeout = 30 * time.Second
	}
	return &Service{d}
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

// Touch notes that the connection was used with success.
func (s *Service) Touch(ctx context.Context, org id.Org, conn id.Connection) error {
	return s.d.Connections.Touch(ctx, org, conn)
}
