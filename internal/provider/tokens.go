package provider

import (
	"context"
	"sync"
	"time"

	"mooring/internal/provider/driver"
	"mooring/internal/secret"
)

// tokenMargin is how long a token must be good for when it is given out, and
// tokenLife what is taken for one of which nothing is said.
const (
	tokenMargin = time.Minute
	tokenLife   = time.Hour
)

// Tokens is a driver.Tokens in memory: for a test of a configuration that is not
// stored yet, after which Refresh says what there is to store.
type Tokens struct {
	now  func() time.Time
	turn chan struct{} // held during an exchange

	mu      sync.Mutex
	grant   driver.Grant
	refresh secret.String
}

// NewTokens makes an empty one.
func NewTokens(now func() time.Time) *Tokens {
	return &Tokens{now: now, turn: make(chan struct{}, 1)}
}

// Refresh is the refresh token that a rotation left, zero when there was none.
func (t *Tokens) Refresh() secret.String {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.refresh
}

// Access implements driver.Tokens.
func (t *Tokens) Access(ctx context.Context, refused secret.String, exchange driver.Exchange) (secret.String, error) {
	if got, ok := t.held(refused); ok {
		return got, nil
	}
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return secret.String{}, context.Cause(ctx)
	}
	if got, ok := t.held(refused); ok { // somebody else was faster
		return got, nil
	}
	g, err := exchange(ctx, t.Refresh())
	if err != nil {
		return secret.String{}, err
	}
	if g.Expires.IsZero() {
		g.Expires = t.now().Add(tokenLife)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.grant = g
	if !g.Refresh.IsZero() {
		t.refresh = g.Refresh
	}
	return g.Access, nil
}

func (t *Tokens) held(refused secret.String) (secret.String, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ok := !t.grant.Access.IsZero() && t.grant.Expires.Sub(t.now()) > tokenMargin && !t.grant.Access.Equal(refused)
	return t.grant.Access, ok
}
