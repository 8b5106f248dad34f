package tokens

import (
	"context"
	"sync/atomic"
	"time"

	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/provider/driver"
	"mooring/internal/secret"
)

// handle is the tokens of one connection as it was opened.
type handle struct {
	k                    *Keeper
	org                  id.Org
	conn                 id.Connection
	generation           int64
	lineage              string
	use                  []string
	provider, credential string
	force                atomic.Bool // the next token must come from an exchange
}

var _ driver.Tokens = (*handle)(nil)

// Access implements driver.Tokens.
func (h *handle) Access(ctx context.Context, refused secret.String, ask driver.Exchange) (secret.String, error) {
	for {
		force := h.force.Load()
		h.k.mu.Lock() // an entry that is forgotten before its flight is known would allow a second one
		e := h.k.entry(h.conn)
		got, f, mine, err := e.board(h, refused, force)
		h.k.mu.Unlock()
		switch {
		case err != nil || f == nil:
			return got, err
		case mine:
			h.k.flights.Go(func() { h.fly(context.WithoutCancel(ctx), e, f, refused, force, ask) })
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return secret.String{}, context.Cause(ctx)
		}
		switch {
		case mine && f.err == nil:
			h.force.Store(false)
			return f.access, nil
		case mine || f.err != nil && f.generation == h.generation:
			return secret.String{}, f.err
		case f.generation == h.generation && !force && !f.access.Equal(refused):
			return f.access, nil
		}
	}
}

// board returns the token at hand, else the flight to wait for; mine says that
// it is new and the caller's to make.
func (e *entry) board(h *handle, refused secret.String, force bool) (_ secret.String, f *flight, mine bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if h.generation < e.generation {
		return secret.String{}, nil, false, errReplaced(h.conn)
	}
	if h.generation > e.generation {
		e.generation, e.access = h.generation, secret.String{}
	}
	held := !e.access.IsZero() && h.k.d.Elapsed() < e.until && e.expires.Sub(h.k.d.Now()) > margin
	if held && !force && !e.access.Equal(refused) {
		return e.access, nil, false, nil
	}
	e.access = secret.String{}
	if mine = e.flight == nil; mine {
		e.flight = &flight{done: make(chan struct{}), generation: h.generation}
	}
	return secret.String{}, e.flight, mine, nil
}

// fly makes a flight and lands it.
func (h *handle) fly(ctx context.Context, e *entry, f *flight, refused secret.String, force bool, ask driver.Exchange) {
	ctx, cancel := context.WithTimeout(ctx, 3*h.k.d.Term)
	defer cancel()
	access, expires, err := h.search(ctx, e, refused, force, ask)
	e.mu.Lock()
	defer e.mu.Unlock()
	f.access, f.err, e.flight = access, err, nil
	if err == nil && e.generation == h.generation {
		e.access, e.expires, e.until = access, expires, h.k.d.Elapsed()+cacheLife
	}
	close(f.done)
}

// search finds a token that is kept, waits for one that somebody else is
// getting, or gets one.
func (h *handle) search(ctx context.Context, e *entry, refused secret.String, force bool, ask driver.Exchange) (secret.String, time.Time, error) {
	var watch watch
	for {
		if g := e.unsaved; g != nil { // only a flight touches it
			if err := h.k.save(ctx, g); err != nil && !errs.Is(err, errs.Conflict) { // in conflict it is of use to nobody
				return secret.String{}, time.Time{}, err
			}
			e.unsaved = nil
		}
		rec, err := h.read(ctx)
		if err != nil {
			return secret.String{}, time.Time{}, err
		}
		if !force {
			if access, ok := rec.access(ctx, h, refused); ok {
				return access, rec.Expires, nil
			}
		}
		if rec.Reauthorize {
			return secret.String{}, time.Time{}, errReauthorize()
		}
		if rec.Started != nil && !watch.stale(h.k, *rec.Started) {
			if err := h.k.d.Sleep(ctx, poll); err != nil {
				return secret.String{}, time.Time{}, errs.Wrap(err, errs.Unavailable, "connection.tokens", "another process did not end its request for a token of connection "+string(h.conn))
			}
			continue
		}
		a, err := h.begin(ctx, rec)
		if errs.Is(err, errs.AlreadyExists) { // somebody else was faster
			continue
		}
		if err != nil {
			return secret.String{}, time.Time{}, err
		}
		g, again, err := h.exchange(ctx, a, ask)
		if again {
			continue
		}
		if err != nil {
			return secret.String{}, time.Time{}, err
		}
		if err := h.k.save(ctx, g); err != nil {
			e.unsaved = g
			return secret.String{}, time.Time{}, err
		}
		return g.grant.Access, g.grant.Expires, nil
	}
}
