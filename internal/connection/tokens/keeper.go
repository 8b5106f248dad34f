// Package tokens keeps what the credentials of connections were exchanged for,
// so that all sources of a connection, in all workers and processes, share one
// access token, and a refresh token that the provider replaces is never lost.
//
// Who wants to ask a token endpoint first records that it starts, by
// compare-and-swap, and saves what it is given before anybody uses it. Others
// wait for that. A start whose owner has died is taken over: the refresh token
// may be spent then, so a refusal means that a person has to consent again,
// which is recorded and not tried any more.
package tokens

import (
	"context"
	"sync"
	"time"

	"mooring/internal/connection"
	"mooring/internal/connection/config"
	"mooring/internal/connection/vault"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/provider/driver"
	"mooring/internal/secret"
	"mooring/internal/store"
)

// CodeReauthorize is the Code of the errs.Unauthenticated that says that the
// refresh token is lost and a user has to consent again.
const CodeReauthorize = "reauth_required"

// refreshField is the secret that a provider may replace at each use.
const refreshField = "refresh_token"

const (
	margin     = time.Minute      // how long a token must be good for when it is given out
	life       = time.Hour        // of a token of which nothing is said
	cacheLife  = 10 * time.Minute // of an opened token in memory
	exchange   = 15 * time.Second // a token endpoint's time to answer
	poll       = 50 * time.Millisecond
	saves      = 5 // tries to save before callers are told
	mostCached = 4096
)

// Connections are what is asked whether a connection still is as it was opened.
type Connections interface {
	Get(ctx context.Context, org id.Org, conn id.Connection) (connection.Connection, error)
}

// Deps are what a Keeper works with. Those without a remark are required.
type Deps struct {
	Store       store.Tokens
	Connections Connections
	Vault       vault.Vault
	Process     id.Worker // who this is; "" makes one
	// Exclusive: no other process is at work on the store, so that a start that
	// is not of this process is of one that died.
	Exclusive bool
	// Term is for how long a start must be seen unchanged to be taken over; 20 s
	// when 0. It must be longer than what an exchange and its saving may take.
	Term time.Duration
	Now  func() time.Time // nil: time.Now
	// Elapsed is a monotonic clock and Sleep waits on it; nil: the process's own.
	Elapsed func() time.Duration
	Sleep   func(ctx context.Context, d time.Duration) error
}

// Keeper keeps the tokens of all connections for one process. It is safe for
// concurrent use.
type Keeper struct {
	d       Deps
	flights sync.WaitGroup

	mu      sync.Mutex
	entries map[id.Connection]*entry
}

// New makes a Keeper.
func New(d Deps) *Keeper {
	if d.Process == "" {
		d.Process = id.NewWorker()
	}
	if d.Term == 0 {
		d.Term = 20 * time.Second
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Elapsed == nil {
		began := time.Now()
		d.Elapsed = func() time.Duration { return time.Since(began) }
	}
	if d.Sleep == nil {
		d.Sleep = sleep
	}
	return &Keeper{d: d, entries: map[id.Connection]*entry{}}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Of returns the tokens of a connection as it was read, for a source of c, which
// is its configuration, opened. Once that was replaced they are errs.Conflict,
// like those of an archived connection.
func (k *Keeper) Of(conn *connection.Connection, c config.Config) driver.Tokens {
	return &handle{k: k, org: conn.Org, conn: conn.ID, generation: conn.CredentialsGeneration,
		lineage: connection.Lineage(conn), use: c.Use(), provider: c.Provider, credential: c.Credential}
}

// Renewed is Of for a configuration that shall be proven by an exchange of its
// own, although a token is kept: other values of c than the refresh token and
// what decides its use may differ from the stored ones.
func (k *Keeper) Renewed(conn *connection.Connection, c config.Config) driver.Tokens {
	h := k.Of(conn, c).(*handle)
	h.force.Store(true)
	return h
}

// Destroy removes what is kept of a connection, here and in the store.
func (k *Keeper) Destroy(ctx context.Context, org id.Org, conn id.Connection) error {
	k.mu.Lock()
	delete(k.entries, conn)
	k.mu.Unlock()
	return k.d.Store.Remove(ctx, org, conn)
}

// Close waits until ctx ends for exchanges under way, so that none is lost.
func (k *Keeper) Close(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		k.flights.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// entry is what a process holds of one connection.
type entry struct {
	mu         sync.Mutex
	generation int64
	access     secret.String
	expires    time.Time
	until      time.Duration // when the opened token is forgotten
	flight     *flight
	unsaved    *granted // what could not be saved yet
}

// flight is one search for an access token, which all who want one share. It
// goes on when they have gone: what a token endpoint gave must be saved.
type flight struct {
	done       chan struct{}
	generation int64
	access     secret.String
	err        error
}

// entry returns what is held of a connection, newly made when nothing is. The
// lock is held.
func (k *Keeper) entry(conn id.Connection) *entry {
	e := k.entries[conn]
	if e == nil {
		if len(k.entries) >= mostCached {
			k.forget()
		}
		e = &entry{}
		k.entries[conn] = e
	}
	return e
}

// forget drops what is idle: it can be read again.
func (k *Keeper) forget() {
	for conn, e := range k.entries {
		e.mu.Lock()
		if e.flight == nil && e.unsaved == nil {
			delete(k.entries, conn)
		}
		e.mu.Unlock()
	}
}

func errReplaced(conn id.Connection) error {
	return errs.New(errs.Conflict, "connection.tokens", "the configuration of connection "+string(conn)+" was replaced meanwhile: open it anew")
}

func errReauthorize() error {
	return &errs.Error{Kind: errs.Unauthenticated, Origin: errs.Provider, Scope: errs.ScopeConnection, Op: "connection.tokens", Code: CodeReauthorize,
		Msg: "the refresh token was replaced by the provider and the new one was lost before it could be saved: connect again, or give a new credentials.refresh_token"}
}
