package tokens

import (
	"context"
	"errors"
	"time"

	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// exchange asks the token endpoint. again says that somebody else has saved
// something meanwhile, which is to be looked at instead of the error.
func (h *handle) exchange(ctx context.Context, a attempt, ask driver.Exchange) (_ *granted, again bool, err error) {
	limited, cancel := context.WithTimeout(ctx, exchange)
	g, err := ask(limited, a.refresh)
	cancel()
	if err == nil {
		if g.Expires.IsZero() {
			g.Expires = h.k.d.Now().Add(life)
		}
		return &granted{h, g}, false, nil
	}
	lost := h.refused(err) && a.uncertain
	ours, ended := h.end(ctx, a, func(cur *connection.Tokens) {
		cur.Reauthorize = lost
		// No answer may have been one that was lost on its way.
		cur.Uncertain = h.lineage != "" && (a.uncertain || !answered(err))
	})
	switch {
	case ended == nil && !ours: // taken over, by somebody who may have fared better
		return nil, true, nil
	case lost:
		return nil, false, errReauthorize()
	}
	return nil, false, err
}

// refused reports whether the provider takes the refresh token no more.
func (h *handle) refused(err error) bool {
	a, known := connection.Advise(h.provider, h.credential, err)
	return h.lineage != "" && errs.Is(err, errs.Unauthenticated) && known && a.Field == "credentials."+refreshField
}

// answered reports whether an error is what a token endpoint said, rather than
// its silence.
func answered(err error) bool {
	e := errs.From(err)
	return e.Origin == errs.Provider && e.Kind != errs.Unavailable && e.Kind != errs.Canceled
}

// save keeps what was granted. It is tried for a while, since a refresh token
// that is not saved is lost.
func (k *Keeper) save(ctx context.Context, g *granted) error {
	wait := 50 * time.Millisecond
	for try := 1; ; try++ {
		err := g.save(ctx)
		if err == nil || errs.Is(err, errs.Conflict) || try == saves {
			return err
		}
		if gone := k.d.Sleep(ctx, wait); gone != nil {
			return errors.Join(err, gone)
		}
		wait *= 2
	}
}

// save writes the grant into the record, also when its start was taken over:
// what the provider gave last is what it takes next.
func (g *granted) save(ctx context.Context) error {
	h := g.h
	access, err := h.seal(ctx, "access_token", g.grant.Access)
	if err != nil {
		return err
	}
	refresh, err := h.seal(ctx, refreshField, g.grant.Refresh)
	if err != nil {
		return err
	}
	_, err = h.k.d.Store.Update(ctx, h.org, h.conn, func(cur *connection.Tokens) error {
		if cur.Lineage != h.lineage {
			return errReplaced(h.conn)
		}
		if refresh != nil {
			cur.Refresh = refresh
		}
		if cur.Generation == h.generation {
			cur.Access, cur.Expires = access, g.grant.Expires
		}
		// Also an heir's start: its refusal would speak of the token before.
		cur.Started = nil
		cur.Reauthorize, cur.Uncertain, cur.UpdatedAt = false, false, h.k.d.Now()
		return nil
	})
	if errs.Is(err, errs.NotFound) { // destroyed meanwhile
		return errReplaced(h.conn)
	}
	return errs.Wrap(err, errs.Unavailable, "connection.tokens", "the new token of connection "+string(h.conn)+" can't be saved, so it is not used yet")
}
