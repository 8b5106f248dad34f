package sqlite

import (
	"context"
	"database/sql"
	"slices"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/key"
)

// Reserve implements store.Catalogue. Names that are recorded are found without
// a write, which is what happens to nearly all when a pass is repeated.
func (c catalogue) Reserve(ctx context.Context, org id.Org, b id.Bucket, claims []bucket.Claim) ([]string, error) {
	const op = "store.catalogue.reserve"
	if len(claims) == 0 {
		return nil, nil
	}
	at, err := c.s.atom(ctx, org, string(b))
	if err != nil {
		return nil, err
	}
	known, err := c.recorded(ctx, op, at, claims)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(claims))
	var open []int
	for i, claim := range claims {
		if name, ok := known[claim.Source.Encode()]; ok {
			out[i] = name
		} else {
			open = append(open, i)
		}
	}
	if len(open) == 0 {
		return out, nil
	}
	err = c.s.w.write(ctx, op, bulk, func(t *tx) error {
		for _, i := range open {
			if out[i], err = reserve(t, at, claims[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (c catalogue) recorded(ctx context.Context, op string, at int64, claims []bucket.Claim) (map[string]string, error) {
	sources := make([]string, len(claims))
	for i, claim := range claims {
		sources[i] = claim.Source.Encode()
	}
	known := map[string]string{}
	for chunk := range slices.Chunk(sources, queryChunk) {
		err := c.s.each(ctx, op, "SELECT source, name FROM names WHERE bucket = ? AND source IN (SELECT value FROM json_each(?))",
			[]any{at, texts(chunk)}, func(r *sql.Rows) error {
				var source, name string
				err := r.Scan(&source, &name)
				known[source] = name
				return err
			})
		if err != nil {
			return nil, err
		}
	}
	return known, nil
}

// reserve records the first candidate of a claim that is free. A source that
// was recorded since it was looked for keeps its name.
func reserve(t *tx, at int64, claim bucket.Claim) (name string, err error) {
	source := claim.Source.Encode()
	for _, candidate := range claim.Candidates {
		n, err := t.exec("INSERT INTO names (bucket, source, name, folded) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
			at, source, candidate.Name, candidate.Folded)
		if err != nil {
			return "", err
		}
		if n == 1 {
			return candidate.Name, nil
		}
		found, err := t.row("SELECT name FROM names WHERE bucket = ? AND source = ?", []any{at, source}, &name)
		if err != nil || found {
			return name, err
		}
	}
	return "", errs.New(errs.AlreadyExists, "store.catalogue.reserve", "every candidate for a name in the bucket is taken")
}

// Release implements store.Catalogue.
func (c catalogue) Release(ctx context.Context, org id.Org, b id.Bucket, sources []key.Key) error {
	at, known, err := c.s.findAtom(ctx, org, string(b))
	if err != nil || !known {
		return err
	}
	return inChunks(ctx, c.s, "store.catalogue.release", sources, func(t *tx, chunk []key.Key) error {
		list := make([]string, len(chunk))
		for i, k := range chunk {
			list[i] = k.Encode()
		}
		_, err := t.exec("DELETE FROM names WHERE bucket = ? AND source IN (SELECT value FROM json_each(?))", at, texts(list))
		return err
	})
}
