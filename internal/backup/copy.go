package backup

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/store/raw"
)

// Copy makes a store equal to another one, which must be frozen. What is equal
// already, from a copy that was interrupted, is left as it is; told is called
// with each collection that is.
func Copy(ctx context.Context, from raw.Source, to raw.Target, told Progress) error {
	for _, c := range raw.Collections {
		if err := copyOne(ctx, from, to, c, told); err != nil {
			return err
		}
	}
	return nil
}

func copyOne(ctx context.Context, from raw.Source, to raw.Target, c raw.Collection, told Progress) error {
	want, err := measure(ctx, from, c)
	if err != nil {
		return err
	}
	got, err := measure(ctx, to, c)
	if err != nil || got.Equal(want) {
		return err
	}
	if got.N > 0 {
		if err := to.Erase(ctx, c); err != nil {
			return err
		}
	}
	p := &putter{to: to, told: told}
	p.begin(c, false)
	if err := from.Each(ctx, c, func(d bson.Raw) error { return p.add(ctx, d) }); err != nil {
		return err
	}
	if err := p.flush(ctx); err != nil {
		return err
	}
	return compare(ctx, to, c, want)
}
