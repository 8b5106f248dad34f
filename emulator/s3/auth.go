package s3

import (
	"fmt"
	"net/http"
	"unicode/utf8"

	"github.com/rclone/gofakes3/signature"
)

// authenticate verifies who sent an S3 request: key, token, region, signature.
func (x *exchange) authenticate() (*credential, error) {
	a, ok := parseAuthorization(x.r, x.query)
	if !ok {
		return nil, failure("AccessDenied")
	}
	who, err := x.s.lookup(a.key, sessionToken(x.r, x.query))
	if err != nil {
		return nil, err
	}
	if err := x.checkRegion(a.region); err != nil {
		return nil, err
	}
	if utf8.ValidString(x.r.URL.Path) {
		result := signature.V4SignVerifyWithSecret(x.r, who.Secret)
		if result == signature.ErrNone {
			return who, nil
		}
		e := signature.GetAPIError(result)
		return nil, &Error{Status: e.HTTPStatusCode, Code: e.Code, Message: e.Description}
	}
	// gofakes3 can't verify a path that is not UTF-8, which a file's name may be.
	if !a.resigned(x.r, who.AccessKey, x.r.Header.Get("X-Amz-Content-Sha256")) {
		return nil, failure("SignatureDoesNotMatch")
	}
	return who, nil
}

// checkRegion compares the region that the request is signed for with the
// bucket's. One endpoint stands for all regions, so a request that is signed for
// the bucket's own region is answered wherever it was sent.
func (x *exchange) checkRegion(signed string) error {
	want := x.s.opts.Region
	if b, err := x.s.bucket(x.entry.Bucket); err == nil {
		want = b.region
	}
	switch signed {
	case want:
		return nil
	case x.s.opts.Region:
		return x.redirect(want)
	}
	e := failure("AuthorizationHeaderMalformed", Element{"Region", want})
	e.Message = fmt.Sprintf("The authorization header is malformed; the region '%s' is wrong; expecting '%s'", signed, want)
	e.Header = regionHeader(want)
	return e
}

// redirect is the answer for a bucket in another region.
func (x *exchange) redirect(region string) *Error {
	e := failure("PermanentRedirect",
		Element{"Endpoint", x.entry.Bucket + ".s3." + region + ".amazonaws.com"},
		Element{"Bucket", x.entry.Bucket})
	e.Header = regionHeader(region)
	return e
}

func regionHeader(region string) http.Header {
	return http.Header{"X-Amz-Bucket-Region": {region}}
}

// authorize refuses what the key may not do.
func (x *exchange) authorize(who *credential) error {
	if !who.denied(x.entry) {
		return nil
	}
	e := failure("AccessDenied")
	if b, err := x.s.bucket(x.entry.Bucket); err == nil && x.entry.Operation == HeadBucket {
		e.Header = regionHeader(b.region)
	}
	return e
}

// mayList says whether the key may list a bucket. Who may not is told neither
// that a key exists nor that it doesn't.
func (x *exchange) mayList(who *credential) bool {
	return !who.denied(&Request{Operation: ListObjectsV2, Bucket: x.entry.Bucket})
}
