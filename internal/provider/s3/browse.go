package s3

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// Browse implements driver.Source. The top is the buckets; below, folders are
// what a slash separates. A slash before the bucket's name, as people write it,
// does not matter.
func (s *source) Browse(ctx context.Context, path, page string, limit int) (driver.Listing, error) {
	limit = max(1, min(limit, 1000))
	if path = strings.TrimPrefix(path, "/"); path == "" {
		return s.buckets(ctx, page, limit)
	}
	p, err := placeOf("s3.browse", path)
	if err != nil { // the provider was not asked: it is the caller's mistake, not its refusal
		return driver.Listing{}, errs.New(errs.Invalid, "s3.browse", errs.From(err).Msg)
	}
	l, err := s.list(ctx, query{op: "s3.browse", bucket: p.bucket, prefix: p.base, delimiter: "/", token: page, max: limit})
	if page != "" && err != nil && errs.From(err).Code == "InvalidArgument" {
		return driver.Listing{}, errs.New(errs.CursorExpired, "s3.browse", "the cursor is not one of this listing, or no longer: start again without one")
	}
	if err != nil {
		return driver.Listing{}, err
	}
	var out driver.Listing
	for _, prefix := range l.prefixes {
		id := p.bucket + "/" + prefix
		rel := strings.TrimSuffix(strings.TrimPrefix(prefix, p.base), "/")
		it := driver.Item{ID: id, Path: strings.TrimSuffix(id, "/"), Rel: rel, Name: nameOf(prefix), Folder: true, Size: -1}
		if rel == "" { // a folder without a name: its slash alone tells it from the one that it is in
			it.Path, it.Name = id, "/"
		}
		out.Items = append(out.Items, it)
	}
	for i := range l.objects {
		o := &l.objects[i]
		if k := aws.ToString(o.Key); k != p.base { // the folder's own marker
			it := p.listed(o)
			it.Path = it.ID
			out.Items = append(out.Items, it)
		}
	}
	if l.more {
		out.Next = l.token
	}
	return out, nil
}

// buckets lists the buckets of the account. page is the name of the first one.
// Who may not list them sees the one that is configured.
func (s *source) buckets(ctx context.Context, page string, limit int) (driver.Listing, error) {
	all, err := s.listBuckets(ctx, "s3.browse", &sdk.ListBucketsInput{})
	var out driver.Listing
	folder := func(name string) driver.Item {
		return driver.Item{ID: name, Path: name, Rel: name, Name: name, Folder: true, Size: -1}
	}
	if err != nil {
		if s.bucket != "" && errs.Is(err, errs.PermissionDenied) {
			out.Items = append(out.Items, folder(s.bucket))
			return out, nil
		}
		return out, err
	}
	for _, b := range all.Buckets {
		name := aws.ToString(b.Name)
		if name < page {
			continue
		}
		if len(out.Items) == limit {
			out.Next = name
			break
		}
		it := folder(name)
		it.ModifiedAt = aws.ToTime(b.CreationDate).UTC()
		out.Items = append(out.Items, it)
	}
	return out, nil
}

func (s *source) listBuckets(ctx context.Context, op string, in *sdk.ListBucketsInput) (*sdk.ListBucketsOutput, error) {
	t := target{op: op}
	out, err := do(ctx, s, t, func(ctx context.Context, c *sdk.Client) (*sdk.ListBucketsOutput, error) {
		return c.ListBuckets(ctx, in)
	})
	if err == nil && out.Buckets == nil && out.Owner == nil {
		return nil, notS3(t)
	}
	return out, err
}
