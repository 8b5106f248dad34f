package api

import (
	"context"

	"mooring/internal/access"
	"mooring/internal/errs"
	"mooring/internal/store"
)

// source is a list, newest first, of which a key may see a part.
type source[T any] struct {
	list     func(ctx context.Context, p store.Page) (store.List[T], error)
	count    func(ctx context.Context) (int64, error)
	resource func(T) access.Resource
	position func(T) position
}

// scopedMost bounds how many items are looked at for a key with scopes.
const scopedMost = 100_000

// pageOf returns a page and how many items there are in all. The store pages
// and counts for a key without scopes. For one with scopes the whole list is
// walked: what a key may see is a matter of patterns, which no index serves.
func pageOf[T any](c *call, p paging, s source[T]) (out store.List[T], total int64, err error) {
	if len(c.who.Key.Scopes) == 0 {
		if out, err = s.list(c.ctx(), p.page()); err != nil {
			return out, 0, err
		}
		total, err = s.count(c.ctx())
		return out, total, err
	}
	visible, err := walk(c, s)
	if err != nil {
		return out, 0, err
	}
	rest := visible
	if p.Cursor != "" {
		from, err := parsePosition(p.Cursor)
		if err != nil {
			return out, 0, err
		}
		for len(rest) > 0 && !from.after(s.position(rest[0]).created, s.position(rest[0]).id) {
			rest = rest[1:]
		}
	} else {
		rest = rest[min(p.Offset, len(rest)):]
	}
	out.Items = rest[:min(p.Limit, len(rest))]
	if len(out.Items) < len(rest) {
		out.Next = s.position(out.Items[len(out.Items)-1]).String()
	}
	return out, int64(len(visible)), nil
}

func walk[T any](c *call, s source[T]) (visible []T, err error) {
	page := store.Page{Limit: 1000}
	for seen := 0; seen < scopedMost; {
		part, err := s.list(c.ctx(), page)
		if err != nil {
			return nil, err
		}
		for _, x := range part.Items {
			if c.who.Reaches(c.route.need, s.resource(x)) {
				visible = append(visible, x)
			}
		}
		if part.Next == "" {
			return visible, nil
		}
		seen += len(part.Items)
		page.Cursor = part.Next
	}
	return nil, errs.New(errs.Unavailable, "api.list", "there are too many to be listed with a key that has scopes")
}
