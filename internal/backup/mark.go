package backup

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/errs"
	"mooring/internal/keys"
	"mooring/internal/store/raw"
)

// Mark is the fact that stands in a shared store while it is filled: from what,
// and what has to outlive it. No process serves a store that has one.
type Mark struct {
	From      string `bson:"from"`
	Destroyed []byte `bson:"destroyed,omitempty"` // what keys.DestroyedName was before
}

// Refuse refuses to work on a store that was not filled to its end.
func Refuse(ctx context.Context, f keys.Facts) error {
	stored, err := f.Meta(ctx, raw.Mark)
	if err == nil && stored != nil {
		err = errs.New(errs.Conflict, "store", "a restore or a copy into this store has not ended: run it again, to its end")
	}
	return err
}

// Begin marks a store that is about to be filled. One that holds anything is
// refused, unless it may be replaced, or an earlier attempt of the same began it.
func Begin(ctx context.Context, f keys.Facts, to raw.Target, from string, replace bool) (Mark, error) {
	stored, err := f.Meta(ctx, raw.Mark)
	if err != nil {
		return Mark{}, err
	}
	var m Mark
	if stored != nil {
		if err := bson.Unmarshal(stored, &m); err != nil {
			return m, errs.Wrap(err, errs.Corrupt, "store", "the mark of an earlier attempt can't be read")
		}
	}
	switch {
	case stored != nil && m.From == from:
		return m, nil
	case stored != nil && !replace:
		return m, errs.New(errs.Conflict, "store", "something else was being put into this store, and did not end: run that again, or give --replace")
	case stored == nil:
		if err := empty(ctx, to); err != nil && (!replace || !errs.Is(err, errs.Conflict)) {
			return m, err
		}
		if m.Destroyed, err = f.Meta(ctx, keys.DestroyedName); err != nil {
			return m, err
		}
	}
	m.From = from
	next, err := bson.Marshal(m)
	if err != nil {
		return m, err
	}
	return m, f.SetMeta(ctx, raw.Mark, stored, next)
}

// empty refuses a store that holds anything.
func empty(ctx context.Context, s raw.Source) error {
	for _, c := range raw.Collections {
		if err := s.Each(ctx, c, func(bson.Raw) error {
			return errs.New(errs.Conflict, "store", "the store holds something already ("+string(c)+")")
		}); err != nil {
			return err
		}
	}
	return nil
}

// End takes the mark away: the store is whole.
func End(ctx context.Context, f keys.Facts) error {
	stored, err := f.Meta(ctx, raw.Mark)
	if err != nil || stored == nil {
		return err
	}
	return f.SetMeta(ctx, raw.Mark, stored, nil)
}

// Erase removes everything from a store but its mark.
func Erase(ctx context.Context, to raw.Target) error {
	for _, c := range raw.Collections {
		if err := to.Erase(ctx, c); err != nil {
			return err
		}
	}
	return nil
}
