package gdrive

import (
	"context"
	"net/http"

	"mooring/internal/errs"
	"mooring/internal/secret"
)

// bearer is the credential of one request.
type bearer struct{ token secret.String }

// on puts it on a call of the API.
func (b bearer) on(call interface{ Header() http.Header }) {
	call.Header().Set("Authorization", "Bearer "+b.token.Reveal())
}

// do makes a request, and once more with a new token where the first is refused.
func do[T any](ctx context.Context, s *source, t target, f func(bearer) (T, error)) (T, error) {
	var none T
	var refused secret.String
	for {
		token, err := s.tokens.Access(ctx, refused, s.grantor.exchange)
		if err != nil {
			if e := t.network(err); e != nil {
				return none, e
			}
			return none, errs.Wrap(err, errs.Internal, t.op, "no access token could be had")
		}
		out, err := f(bearer{token})
		if err == nil {
			return out, nil
		}
		e := t.classify(err, s.now())
		if e.Kind != errs.Unauthenticated || !refused.IsZero() || ctx.Err() != nil {
			return none, e
		}
		refused = token
	}
}
