package tokens

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/csfle"
	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/provider/driver"
	"mooring/internal/secret"
)

// record is what the store has, as far as it is of use to a handle.
type record struct {
	connection.Tokens
	exists bool
}

// read returns what is kept for the handle: what belongs to a refresh token
// that was replaced is left out, an access token of an older generation too.
func (h *handle) read(ctx context.Context) (record, error) {
	doc, err := h.k.d.Store.Get(ctx, h.org, h.conn)
	if errs.Is(err, errs.NotFound) {
		return record{}, nil
	}
	rec := record{Tokens: doc, exists: true}
	switch {
	case err != nil:
		return record{}, err
	case doc.Generation > h.generation:
		return record{}, errReplaced(h.conn)
	case doc.Lineage != h.lineage:
		rec.Access, rec.Refresh, rec.Started, rec.Reauthorize, rec.Uncertain = nil, nil, nil, false, false
	case doc.Generation < h.generation:
		rec.Access = nil
	}
	return rec, nil
}

// access opens the access token that is kept, if it is still good. One that
// can't be opened is gotten anew.
func (r record) access(ctx context.Context, h *handle, refused secret.String) (secret.String, bool) {
	if r.Access == nil || r.Expires.Sub(h.k.d.Now()) <= margin {
		return secret.String{}, false
	}
	got, err := h.k.d.Vault.Open(ctx, h.binding("access_token"), *r.Access)
	return got, err == nil && !got.Equal(refused)
}

func (h *handle) binding(field string) csfle.Binding {
	return csfle.Binding{Org: h.org, Record: string(h.conn), Field: "tokens." + field, Use: csfle.UseDigest(h.use...)}
}

// watch observes another process's start.
type watch struct {
	attempt string
	since   time.Duration
}

// stale reports whether the owner of a start has died: it has been seen
// unchanged for the term. A start of this process is one of a flight that ended,
// since there is one flight at a time.
func (w *watch) stale(k *Keeper, s connection.RefreshStarted) bool {
	now := k.d.Elapsed()
	if w.attempt != s.Attempt {
		w.attempt, w.since = s.Attempt, now
	}
	return s.Holder == k.d.Process || k.d.Exclusive || now-w.since >= k.d.Term
}

// attempt is a start that was recorded.
type attempt struct {
	name      string
	refresh   secret.String // zero: that of the configuration
	uncertain bool          // the refresh token may be spent
}

// begin records that this process starts. It is errs.AlreadyExists when the
// record has moved since it was read.
func (h *handle) begin(ctx context.Context, rec record) (attempt, error) {
	now := h.k.d.Now()
	a := attempt{name: id.NewToken(16), uncertain: rec.Uncertain || rec.Started != nil}
	if rec.Refresh != nil {
		var err error
		if a.refresh, err = h.k.d.Vault.Open(ctx, h.binding(refreshField), *rec.Refresh); err != nil {
			return a, errs.Wrap(err, errs.Internal, "connection.tokens", "the stored refresh token of connection "+string(h.conn)+" can't be opened; if this stays so, connect again")
		}
	}
	next := rec.Tokens
	next.Connection, next.Org, next.Generation, next.Lineage = h.conn, h.org, h.generation, h.lineage
	next.Started = &connection.RefreshStarted{Holder: h.k.d.Process, At: now, Attempt: a.name}
	next.Uncertain, next.UpdatedAt = a.uncertain, now
	var err error
	if rec.exists {
		_, err = h.k.d.Store.Update(ctx, h.org, h.conn, func(cur *connection.Tokens) error {
			if cur.Revision != rec.Revision {
				return errs.New(errs.AlreadyExists, "connection.tokens", "the record has moved")
			}
			next.Revision = cur.Revision
			*cur = next
			return nil
		})
		if errs.Is(err, errs.NotFound) { // destroyed meanwhile: look again
			err = errs.New(errs.AlreadyExists, "connection.tokens", "the record is gone")
		}
	} else {
		next.CreatedAt = now
		_, err = h.k.d.Store.Insert(ctx, h.org, next)
	}
	if err != nil {
		return a, err
	}
	return a, h.confirm(ctx, a)
}

// confirm looks, after the start was recorded, whether the connection still is
// as it was opened: whoever archives or replaces it looks for the record after.
func (h *handle) confirm(ctx context.Context, a attempt) error {
	c, err := h.k.d.Connections.Get(ctx, h.org, h.conn)
	if err == nil {
		err = connection.Alive(&c, "be used")
	}
	if errs.Is(err, errs.NotFound) || errs.Is(err, errs.Conflict) {
		if gone := h.k.Destroy(ctx, h.org, h.conn); gone != nil {
			return gone
		}
		return err
	}
	if err == nil && c.CredentialsGeneration > h.generation {
		err = errReplaced(h.conn)
	}
	if err != nil {
		_, _ = h.end(ctx, a, func(*connection.Tokens) {}) // a start that stays is taken over
	}
	return err
}

// end takes the start out of the record, unless somebody has taken it over, and
// makes another change with it. ours says which it was.
func (h *handle) end(ctx context.Context, a attempt, change func(*connection.Tokens)) (ours bool, err error) {
	_, err = h.k.d.Store.Update(ctx, h.org, h.conn, func(cur *connection.Tokens) error {
		if ours = cur.Started != nil && cur.Started.Attempt == a.name; ours {
			cur.Started, cur.UpdatedAt = nil, h.k.d.Now()
			change(cur)
		}
		return nil
	})
	return ours, err
}

// seal seals a token, nil for none.
func (h *handle) seal(ctx context.Context, field string, s secret.String) (*bson.Binary, error) {
	if s.IsZero() {
		return nil, nil
	}
	b, err := h.k.d.Vault.Seal(ctx, h.binding(field), s)
	return &b, err
}

// granted is what a token endpoint gave, until it is saved.
type granted struct {
	h     *handle
	grant driver.Grant
}
