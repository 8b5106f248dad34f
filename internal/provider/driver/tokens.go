package driver

import (
	"context"
	"time"

	"mooring/internal/secret"
)

// Tokens keeps what the credentials of one connection were exchanged for, for
// all of its sources in all processes. It is safe for concurrent use.
type Tokens interface {
	// Access returns an access token that is good for at least another minute.
	// When there is none, exchange is called, once whatever the number of callers
	// and processes, and what it gives is kept, a rotated refresh token durably,
	// before anybody gets the new access token. refused is an access token that
	// the provider did not take, zero when there is none: it is not given again.
	//
	// An error of exchange is returned as it is to all who wait for it. When a
	// process died between an exchange and its keeping, so that the refresh token
	// is spent, the error is errs.Unauthenticated and says that consent is needed
	// again.
	Access(ctx context.Context, refused secret.String, exchange Exchange) (secret.String, error)
}

// Exchange asks a token endpoint. refresh is the refresh token now valid; zero:
// the one of the configuration, or none for credentials that need none.
type Exchange func(ctx context.Context, refresh secret.String) (Grant, error)

// Grant is what a token endpoint gave.
type Grant struct {
	Access  secret.String
	Expires time.Time     // zero: it does not say; an hour is taken
	Refresh secret.String // zero: not rotated
}
