package s3

import (
	"context"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// Check implements driver.Source. What it reads is the bucket of the
// configuration, else the target: one key of it. Without either it lists the
// buckets, where a denial still proves that the key is good.
//
// A role is assumed first and by itself, so that a failure of STS is told apart
// from one of S3, and is tried without its external id last.
func (s *source) Check(ctx context.Context, path string) (driver.Report, error) {
	if s.bucket != "" {
		path = s.bucket
	}
	r := driver.Report{Details: map[string]any{"endpoint": s.host()}}
	if s.role != nil {
		if _, err := s.role.Retrieve(ctx); err != nil {
			return driver.Report{}, err
		}
	}
	check := s.checkBuckets
	if path != "" {
		check = func(ctx context.Context, r *driver.Report) error { return s.checkTarget(ctx, path, r) }
	}
	if err := check(ctx, &r); err != nil {
		return driver.Report{}, err
	}
	if s.role != nil {
		if err := s.role.guarded(ctx); err != nil {
			return driver.Report{}, err
		}
	}
	return r, nil
}

// host names where requests go.
func (s *source) host() string {
	if s.endpoint == "" {
		return "aws"
	}
	u, err := url.Parse(s.endpoint)
	if err != nil {
		return ""
	}
	return u.Host
}

func (s *source) checkTarget(ctx context.Context, path string, r *driver.Report) error {
	p, err := placeOf("s3.check", path)
	if err != nil {
		return err
	}
	l, err := s.list(ctx, query{op: "s3.check", bucket: p.bucket, prefix: p.base, max: 1})
	if err != nil {
		return err
	}
	r.Message = "the bucket " + p.bucket + " can be read"
	r.Details["bucket"], r.Details["region"] = p.bucket, s.regionOf(p.bucket)
	if s.regionOf(p.bucket) != s.region {
		r.Details["note"] = "the bucket is in " + s.regionOf(p.bucket) + ", not in " + s.region
	} else if len(l.objects) == 0 {
		r.Details["note"] = "there is nothing below " + path
	}
	return nil
}

func (s *source) checkBuckets(ctx context.Context, r *driver.Report) error {
	_, err := s.listBuckets(ctx, "s3.check", &sdk.ListBucketsInput{MaxBuckets: aws.Int32(1)})
	r.Message, r.Details["region"] = "the credentials work", s.region
	if errs.Is(err, errs.PermissionDenied) && errs.From(err).Code == "AccessDenied" {
		r.Details["note"] = "cannot list buckets"
		return nil
	}
	return err
}
