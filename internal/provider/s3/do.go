package s3

import (
	"context"
	"errors"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"mooring/internal/errs"
)

// target is what a request is about, for its error.
type target struct {
	op     string // "s3.list"
	bucket string
	object bool // one object, not the bucket or a listing of it
}

// do makes a request. It makes it once more where the first answer tells what
// was wrong: the bucket's region, a session of a role that has ended, or our
// clock, which the SDK has then corrected by the server's.
func do[T any](ctx context.Context, s *source, t target, f func(context.Context, *sdk.Client) (T, error)) (T, error) {
	var tried struct{ region, session, clock bool }
	for {
		session := s.role.generation()
		out, err := f(ctx, s.client(t.bucket))
		if err == nil {
			return out, nil
		}
		e := classify(t, err, s.now())
		switch {
		case ctx.Err() != nil:
			return out, e
		case isRegion(e.Code) && !tried.region && !s.custom && t.bucket != "":
			tried.region = true
			if s.learnRegion(ctx, t.bucket, err) {
				continue
			}
		case isSession(e.Code) && !tried.session && s.role != nil:
			tried.session = true
			s.role.renew(session)
			continue
		case e.Code == "RequestTimeTooSkewed" && !tried.clock:
			tried.clock = true
			continue
		}
		return out, e
	}
}

func isRegion(code string) bool {
	switch code {
	case "PermanentRedirect", "MovedPermanently", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException":
		return true
	}
	return false
}

func isSession(code string) bool {
	switch code {
	case "ExpiredToken", "InvalidToken", "TokenRefreshRequired":
		return true
	}
	return false
}

// learnRegion notes the region that an answer names for a bucket; one that
// does not name it is followed by a HEAD, which does. It reports whether that
// is another region than the one that was tried.
func (s *source) learnRegion(ctx context.Context, bucket string, err error) bool {
	const header = "X-Amz-Bucket-Region"
	region := headerOf(err).Get(header)
	if region == "" {
		_, err := s.client(bucket).HeadBucket(ctx, &sdk.HeadBucketInput{Bucket: aws.String(bucket)})
		region = headerOf(err).Get(header)
	}
	if !regionName.MatchString(region) || region == s.regionOf(bucket) {
		return false
	}
	s.moved(bucket, region)
	return true
}

// headerOf returns the header of the answer behind an error, or an empty one.
func headerOf(err error) http.Header {
	var r *smithyhttp.ResponseError
	if errors.As(err, &r) && r.Response != nil && r.Response.Response != nil {
		return r.Response.Header
	}
	return http.Header{}
}

func statusOf(err error) int {
	var r *smithyhttp.ResponseError
	if errors.As(err, &r) {
		return r.HTTPStatusCode()
	}
	return 0
}

// failure is an error that the adapter itself finds in an answer.
func (t target) failure(k errs.Kind, scope errs.Scope, code, msg string) *errs.Error {
	return &errs.Error{Kind: k, Origin: errs.Provider, Scope: scope, Op: t.op, Code: code, Msg: msg}
}
