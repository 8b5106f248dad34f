package mongo

import (
	"context"
	"errors"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/key"
)

// Reserve implements store.Catalogue. A name is one document, which two unique
// indexes fence: _id for the source, folded for the name. Names that are
// recorded are found without a write, which is what happens to nearly all when
// a pass is repeated; of the others most get their first candidate.
func (c catalogue) Reserve(ctx context.Context, org id.Org, b id.Bucket, claims []bucket.Claim) ([]string, error) {
	known, err := c.recorded(ctx, org, b, claims)
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
	if len(claims) == 0 {
		return nil, nil
	}
	var made []key.Key
	for some := range slices.Chunk(open, writeChunk) {
		if err := c.reserveFirst(ctx, org, b, claims, some, out, &made); err != nil {
			return nil, errors.Join(err, c.Release(ctx, org, b, made)) // all of a call or nothing
		}
	}
	return out, nil
}

// reserveFirst records the first candidates of some claims, and for those that
// are taken looks further. made gathers the sources of what it has recorded.
func (c catalogue) reserveFirst(ctx context.Context, org id.Org, b id.Bucket, claims []bucket.Claim, some []int, out []string, made *[]key.Key) error {
	var docs []bson.D
	var of []int
	var further []int
	for _, i := range some {
		if len(claims[i].Candidates) == 0 {
			further = append(further, i)
			continue
		}
		first := claims[i].Candidates[0]
		docs, of, out[i] = append(docs, nameRow(org, b, claims[i].Source, first)), append(of, i), first.Name
	}
	refused, err := c.s.insertMany(ctx, "store.catalogue.reserve", "names", docs)
	if err != nil {
		return err
	}
	for at, i := range of {
		if slices.Contains(refused, at) {
			further = append(further, i)
		} else {
			*made = append(*made, claims[i].Source)
		}
	}
	slices.Sort(further)
	for _, i := range further {
		fresh, err := c.reserve(ctx, org, b, claims[i], &out[i])
		if err != nil {
			return err
		}
		if fresh {
			*made = append(*made, claims[i].Source)
		}
	}
	return nil
}

func (c catalogue) recorded(ctx context.Context, org id.Org, b id.Bucket, claims []bucket.Claim) (map[string]string, error) {
	known := map[string]string{}
	for chunk := range slices.Chunk(claims, queryChunk) {
		sources := make([]string, len(chunk))
		for i, claim := range chunk {
			sources[i] = claim.Source.Encode()
		}
		found, err := c.s.find(ctx, "store.catalogue.reserve", "names", find{
			filter: bson.D{{Key: "_id", Value: in(rowIDs(sources, string(org), string(b)))}}, fields: bson.D{{Key: "name", Value: 1}},
		})
		if err != nil {
			return nil, err
		}
		for _, r := range found {
			known[ownID(r.Lookup("_id").StringValue(), objectParts)] = r.Lookup("name").StringValue()
		}
	}
	return known, nil
}

func nameRow(org id.Org, b id.Bucket, source key.Key, n bucket.Candidate) bson.D {
	return bson.D{
		{Key: "_id", Value: rowID(string(org), string(b), source.Encode())}, {Key: "internal_id", Value: string(org)}, {Key: "bucket_id", Value: string(b)},
		{Key: "name", Value: n.Name}, {Key: "folded", Value: n.Folded},
	}
}

// reserve records the first candidate of a claim that is free, and reports
// whether it did: a source that was recorded since it was looked for keeps its
// name.
func (c catalogue) reserve(ctx context.Context, org id.Org, b id.Bucket, claim bucket.Claim, name *string) (fresh bool, err error) {
	const op = "store.catalogue.reserve"
	for _, candidate := range claim.Candidates {
		err := c.s.insert(ctx, op, "names", nameRow(org, b, claim.Source, candidate))
		if err == nil {
			*name = candidate.Name
			return true, nil
		}
		if !errs.Is(err, errs.AlreadyExists) {
			return false, err
		}
		found, err := c.s.first(ctx, op, "names", find{filter: byID(rowID(string(org), string(b), claim.Source.Encode()))})
		if err != nil {
			return false, err
		}
		if found != nil {
			*name = found.Lookup("name").StringValue()
			return false, nil
		}
	}
	return false, errs.New(errs.AlreadyExists, op, "every candidate for a name in the bucket is taken")
}

// Release implements store.Catalogue.
func (c catalogue) Release(ctx context.Context, org id.Org, b id.Bucket, sources []key.Key) error {
	list := make([]string, len(sources))
	for i, k := range sources {
		list[i] = k.Encode()
	}
	return c.s.removeListed(ctx, "store.catalogue.release", "names", list, string(org), string(b))
}
