package s3

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awsxml "github.com/aws/aws-sdk-go-v2/aws/protocol/xml"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyauth "github.com/aws/smithy-go/auth"
	"github.com/aws/smithy-go/encoding/httpbinding"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"mooring/internal/errs"
)

// wanted is the content of one object, from off on.
type wanted struct {
	bucket, key string
	match       string // an ETag that it must have; "": any
	span        string // of bytes, as a Range header says it; "": all
}

// get asks for content. It is the one request that there are millions of, and
// what the SDK's client adds to it is a third of the CPU of a small object. So it is
// made here, by the SDK's own rules for endpoints and with its signer. What is
// refused is the error that the client would give.
func (s *source) get(ctx context.Context, c *sdk.Client, w wanted) (*http.Response, error) {
	e, err := s.endpointOf(ctx, w.bucket)
	if err != nil {
		return nil, err
	}
	if !e.plain {
		return getByClient(ctx, c, w)
	}
	keys, err := s.creds.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	r := e.request(ctx, w)
	if err := signer.SignHTTP(ctx, keys, r, sumOfNothing, e.name, e.region, time.Now().Add(time.Duration(s.skew.Load()))); err != nil {
		return nil, err
	}
	r.Header.Set("Accept-Encoding", "identity") // not signed: proxies write their own
	resp, err := s.http.Do(r)
	if err != nil {
		return nil, &smithyhttp.RequestSendError{Err: err}
	}
	if resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusPartialContent {
		return resp, nil
	}
	err = refusal(resp)
	s.correctClock(resp, err)
	return nil, err
}

// sumOfNothing is the SHA-256 of a request without a body.
const sumOfNothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// S3 signs a path as it is sent. The signer keeps the keys that it derives.
var signer = v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })

// endpoint is where the objects of a bucket are, and what requests are signed for.
type endpoint struct {
	base         url.URL
	name, region string
	plain        bool // it takes Signature Version 4 with no session of the bucket's own
}

type bucketIn struct{ bucket, region string }

// endpointOf returns the endpoint of a bucket in the region that it is known to
// be in, as the SDK resolves it, and keeps it.
func (s *source) endpointOf(ctx context.Context, bucket string) (*endpoint, error) {
	at := bucketIn{bucket, s.regionOf(bucket)}
	s.mu.Lock()
	e := s.endpoints[at]
	s.mu.Unlock()
	if e != nil {
		return e, nil
	}
	p := sdk.EndpointParameters{Bucket: &at.bucket, Region: &at.region, ForcePathStyle: &s.pathStyle}
	if s.endpoint != "" {
		p.Endpoint = &s.endpoint
	}
	found, err := sdk.NewDefaultEndpointResolverV2().ResolveEndpoint(ctx, p)
	if err != nil {
		return nil, err
	}
	e = &endpoint{base: found.URI}
	if s.settings.plain && s.endpoint == "" {
		e.base.Scheme = "http"
	}
	if ways, ok := smithyauth.GetAuthOptions(&found.Properties); ok && len(ways) > 0 {
		e.plain = ways[0].SchemeID == "sigv4"
		e.name, _ = smithyhttp.GetSigV4SigningName(&ways[0].SignerProperties)
		e.region, _ = smithyhttp.GetSigV4SigningRegion(&ways[0].SignerProperties)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endpoints[at] = e
	return e, nil
}

// contentQuery marks a request whose answer is content, as the SDK marks it.
const contentQuery = "x-id=GetObject"

// request is one for content, not yet signed. The key goes as it is, dot segments
// and double slashes included.
func (e *endpoint) request(ctx context.Context, w wanted) *http.Request {
	u := e.base
	u.RawPath = smithyhttp.JoinPath(u.EscapedPath(), "/"+httpbinding.EscapePath(w.key, false))
	u.Path, u.RawQuery = smithyhttp.JoinPath(u.Path, "/"+w.key), contentQuery
	header := http.Header{"User-Agent": {"mooring"}, "X-Amz-Checksum-Mode": {checksumMode}, "X-Amz-Content-Sha256": {sumOfNothing}}
	if w.match != "" {
		header["If-Match"] = []string{w.match}
	}
	if w.span != "" {
		header["Range"] = []string{w.span}
	}
	r := &http.Request{Method: http.MethodGet, URL: &u, Host: u.Host, Header: header, ProtoMajor: 1, ProtoMinor: 1}
	return r.WithContext(ctx)
}

// checksumMode asks for the checksums that an object is stored with. By hand: the
// SDK would judge by them, and compare a partial body with the whole's.
const checksumMode = "ENABLED"

// getByClient asks where more than a signature is needed: a directory bucket has
// sessions of its own.
func getByClient(ctx context.Context, c *sdk.Client, w wanted) (*http.Response, error) {
	in := &sdk.GetObjectInput{Bucket: &w.bucket, Key: &w.key}
	if w.match != "" {
		in.IfMatch = &w.match
	}
	if w.span != "" {
		in.Range = &w.span
	}
	out, err := c.GetObject(ctx, in, sdk.WithAPIOptions(smithyhttp.AddHeaderValue("X-Amz-Checksum-Mode", checksumMode)))
	if err != nil {
		return nil, err
	}
	raw, ok := awsmiddleware.GetRawResponse(out.ResultMetadata).(*smithyhttp.Response)
	if !ok {
		return nil, errors.Join(errs.New(errs.Internal, "s3.get", "the SDK keeps no answer"), out.Body.Close())
	}
	raw.Body = out.Body
	return raw.Response, nil
}

// refusal is the error of an answer that holds no content, and closes it.
func refusal(resp *http.Response) error {
	said, err := awsxml.GetErrorResponseComponents(resp.Body, true)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return &awshttp.ResponseError{ResponseError: &smithyhttp.ResponseError{
			Response: &smithyhttp.Response{Response: resp}, Err: &smithy.DeserializationError{Err: err},
		}}
	}
	if said.Code == "" && said.Message == "" {
		said.Code = strings.ReplaceAll(http.StatusText(resp.StatusCode), " ", "")
	}
	id := resp.Header.Get("X-Amz-Request-Id")
	if id == "" {
		id = said.RequestID
	}
	return &awshttp.ResponseError{RequestID: id, ResponseError: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: resp}, Err: &smithy.GenericAPIError{Code: said.Code},
	}}
}

// correctClock follows a server's clock that refuses ours.
func (s *source) correctClock(resp *http.Response, err error) {
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != "RequestTimeTooSkewed" {
		return
	}
	if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		s.skew.Store(int64(time.Until(at)))
	}
}
