package surface

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"mooring/internal/access"
	accessservice "mooring/internal/access/service"
	"mooring/internal/errs"
	"mooring/internal/store"
)

// Source is a list, newest first, of which a key may see a part.
type Source[T any] struct {
	List     func(ctx context.Context, p store.Page) (store.List[T], error)
	Count    func(ctx context.Context) (int64, error)
	Resource func(T) access.Resource
	Position func(T) Position
}

// scopedMost bounds how many items are looked at for a key with scopes.
const scopedMost = 100_000

// List returns a page of what a key may read, and how many items there are in all.
// The store pages and counts for a key without scopes. For one with scopes the
// whole list is walked: what a key may see is a matter of patterns, which no
// index serves.
func List[T any](ctx context.Context, who accessservice.Principal, p store.Page, s Source[T]) (out store.List[T], total int64, err error) {
	if len(who.Key.Scopes) == 0 {
		if out, err = s.List(ctx, p); err != nil {
			return out, 0, err
		}
		total, err = s.Count(ctx)
		return out, total, err
	}
	visible, err := walk(ctx, who, s)
	if err != nil {
		return out, 0, err
	}
	rest := visible
	if p.Cursor != "" {
		from, err := parsePosition(p.Cursor)
		if err != nil {
			return out, 0, err
		}
		for len(rest) > 0 && !from.after(s.Position(rest[0])) {
			rest = rest[1:]
		}
	} else {
		rest = rest[min(p.Offset, len(rest)):]
	}
	out.Items = rest[:min(p.Limit, len(rest))]
	if len(out.Items) < len(rest) {
		out.Next = s.Position(out.Items[len(out.Items)-1]).String()
	}
	return out, int64(len(visible)), nil
}

func walk[T any](ctx context.Context, who accessservice.Principal, s Source[T]) (visible []T, err error) {
	page := store.Page{Limit: 1000}
	for seen := 0; seen < scopedMost; {
		part, err := s.List(ctx, page)
		if err != nil {
			return nil, err
		}
		for _, x := range part.Items {
			if who.Reaches(access.Read, s.Resource(x)) {
				visible = append(visible, x)
			}
		}
		if part.Next == "" {
			return visible, nil
		}
		seen += len(part.Items)
		page.Cursor = part.Next
	}
	return nil, errs.New(errs.Unavailable, "surface.list", "there are too many to be listed with a key that has scopes")
}

// Position is the cursor of a list that is filtered here, after the store: the
// place of the last item shown, in the order newest first.
type Position struct {
	Created time.Time
	ID      string
}

// String is the cursor.
func (p Position) String() string {
	return base64.RawURLEncoding.EncodeToString([]byte("p" + strconv.FormatInt(p.Created.UnixMilli(), 10) + " " + p.ID))
}

func parsePosition(cursor string) (Position, error) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	ms, id, ok := strings.Cut(strings.TrimPrefix(string(raw), "p"), " ")
	n, perr := strconv.ParseInt(ms, 10, 64)
	if err != nil || perr != nil || !ok || id == "" || raw[0] != 'p' {
		return Position{}, errs.New(errs.Invalid, "surface.page", "the cursor is not one of this list")
	}
	return Position{time.UnixMilli(n).UTC(), id}, nil
}

// after reports whether an item comes after the position.
func (p Position) after(item Position) bool {
	if !item.Created.Equal(p.Created) {
		return item.Created.Before(p.Created)
	}
	return item.ID < p.ID
}
