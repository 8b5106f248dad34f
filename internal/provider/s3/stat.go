package s3

import (
	"context"
	"mime"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

var zeroTime time.Time

// Stat implements driver.Source.
func (s *source) Stat(ctx context.Context, scope driver.Scope, id string) (driver.Item, error) {
	t := target{op: "s3.head", object: true}
	p, err := placeOf(t.op, scope.Path)
	if err != nil {
		return driver.Item{}, err
	}
	bucket, k, err := keyOf(t.op, id)
	if err != nil {
		return driver.Item{}, err
	}
	if bucket != p.bucket || !p.has(k) || !p.spanOf(scope).has(k) {
		return driver.Item{}, t.failure(errs.NotFound, errs.ScopeObject, "", "the object is not in the scope")
	}
	t.bucket = bucket
	out, err := s.head(ctx, t, k, nil)
	if err != nil {
		return driver.Item{}, err
	}
	it := p.item(k, aws.ToInt64(out.ContentLength), aws.ToString(out.ETag), string(out.StorageClass), aws.ToTime(out.LastModified))
	it.MIME = aws.ToString(out.ContentType)
	return it, nil
}

// head asks for the head of an object. A refusal of it has no body and so no
// code: a listing of that one key is asked for then, whose refusal has.
func (s *source) head(ctx context.Context, t target, k string, match *string) (*sdk.HeadObjectOutput, error) {
	ask := func() (*sdk.HeadObjectOutput, error) {
		return do(ctx, s, t, func(ctx context.Context, c *sdk.Client) (*sdk.HeadObjectOutput, error) {
			return c.HeadObject(ctx, &sdk.HeadObjectInput{Bucket: aws.String(t.bucket), Key: aws.String(k), IfMatch: match})
		})
	}
	out, err := ask()
	if err == nil || !mute(err) {
		return out, err
	}
	if _, why := s.list(ctx, query{op: t.op, bucket: t.bucket, prefix: k, max: 1}); why != nil {
		if e := errs.From(why); e.Scope == errs.ScopeConnection || e.Kind == errs.Canceled || e.Code == "NoSuchBucket" {
			return nil, why
		}
		return nil, err
	}
	// The connection works, perhaps since the listing renewed its session or
	// found the region.
	return ask()
}

// mute says whether an answer to HEAD may stand for several things.
func mute(err error) bool {
	switch errs.From(err).Code {
	case "Forbidden", "BadRequest", "MovedPermanently":
		return true
	}
	return false
}

// Attributes implements driver.Attributer.
func (s *source) Attributes(ctx context.Context, item driver.Item, want driver.Want) (driver.Attributes, error) {
	bucket, k, err := keyOf("s3.attributes", item.ID)
	if err != nil {
		return driver.Attributes{}, err
	}
	t := target{op: "s3.attributes", bucket: bucket, object: true}
	var out driver.Attributes
	if want.Metadata {
		h, err := s.head(ctx, t, k, ifMatch(item))
		if err != nil {
			return driver.Attributes{}, err
		}
		if want := etagOf(item.Version); want != "" && h.ETag != nil && bare(*h.ETag) != want {
			return driver.Attributes{}, stale(t)
		}
		out.MIME = aws.ToString(h.ContentType)
		out.Metadata = map[string]string{}
		for name, v := range h.Metadata {
			out.Metadata[strings.ToLower(name)] = words(v)
		}
	}
	if want.Tags {
		tags, err := do(ctx, s, t, func(ctx context.Context, c *sdk.Client) (*sdk.GetObjectTaggingOutput, error) {
			return c.GetObjectTagging(ctx, &sdk.GetObjectTaggingInput{Bucket: aws.String(bucket), Key: aws.String(k)})
		})
		if err != nil {
			return driver.Attributes{}, err
		}
		out.Tags = map[string]string{}
		for _, tag := range tags.TagSet {
			out.Tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
		}
	}
	return out, nil
}

// words decodes a header's value that is written by RFC 2047, as S3 returns
// what is not ASCII.
func words(v string) string {
	if !strings.Contains(v, "=?") {
		return v
	}
	if d, err := new(mime.WordDecoder).DecodeHeader(v); err == nil {
		return d
	}
	return v
}
