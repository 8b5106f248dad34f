package gdrive

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"google.golang.org/api/drive/v3"

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
			err = whole(out)
		}
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

var errEntry = errors.New("an entry of a list is null or has no id")

// whole refuses a list with an entry that is nothing. It can't be left out either:
// what a listing lacks is taken for deleted.
func whole(answer any) error {
	file := func(f *drive.File) bool { return f == nil || f.Id == "" }
	nothing := false
	switch l := answer.(type) {
	case *drive.FileList:
		nothing = slices.ContainsFunc(l.Files, file)
	case *drive.ChangeList:
		nothing = slices.ContainsFunc(l.Changes, func(c *drive.Change) bool { return c == nil || c.File != nil && file(c.File) })
	case *drive.DriveList:
		nothing = slices.Contains(l.Drives, nil)
	case *drive.PermissionList:
		nothing = slices.Contains(l.Permissions, nil)
	}
	if nothing {
		return errEntry
	}
	return nil
}
