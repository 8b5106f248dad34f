package s3_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"mooring/emulator/s3"
)

// start runs a server with a bucket named data.
func start(t testing.TB, opts s3.Options) *s3.Server {
	t.Helper()
	srv, err := s3.Start(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	must(t, srv.CreateBucket("data"))
	return srv
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// credentials of a client; the zero value is the server's default key.
type login struct{ id, secret, token, region string }

func (l login) Retrieve(context.Context) (aws.Credentials, error) {
	if l.id == "" {
		l.id, l.secret = s3.DefaultAccessKeyID, s3.DefaultSecretAccessKey
	}
	return aws.Credentials{AccessKeyID: l.id, SecretAccessKey: l.secret, SessionToken: l.token}, nil
}

// client is the official SDK, told not to retry and not to add checksums.
func client(t testing.TB, srv *s3.Server, l login) *sdk.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	region := l.region
	if region == "" {
		region = srv.Region()
	}
	return sdk.New(sdk.Options{
		BaseEndpoint:               aws.String(srv.URL()),
		Region:                     region,
		Credentials:                l,
		UsePathStyle:               true,
		RetryMaxAttempts:           1,
		HTTPClient:                 &http.Client{Transport: transport},
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	})
}

func stsClient(t testing.TB, srv *s3.Server, l login) *sts.Client {
	t.Helper()
	region := l.region
	if region == "" {
		region = srv.Region()
	}
	return sts.New(sts.Options{
		BaseEndpoint: aws.String(srv.URL()), Region: region, Credentials: l, RetryMaxAttempts: 1,
	})
}

// wantCode checks the code and the HTTP status of an error.
func wantCode(t testing.TB, err error, code string, status int) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code {
		t.Fatalf("error is %v, want code %s", err, code)
	}
	if got := statusOf(err); got != status {
		t.Fatalf("status of %s is %d, want %d", code, got, status)
	}
}

func statusOf(err error) int {
	var r interface{ HTTPStatusCode() int }
	if errors.As(err, &r) {
		return r.HTTPStatusCode()
	}
	return 0
}

func headerOf(err error, name string) string {
	var r interface{ HTTPResponse() *smithyhttp.Response }
	if errors.As(err, &r) {
		return r.HTTPResponse().Header.Get(name)
	}
	return ""
}

func put(t testing.TB, srv *s3.Server, key, data string) {
	t.Helper()
	must(t, srv.Put("data", key, []byte(data), s3.PutOptions{}))
}

// read gets an object as a whole.
func read(c *sdk.Client, key string) (string, error) {
	out, err := c.GetObject(context.Background(), &sdk.GetObjectInput{Bucket: aws.String("data"), Key: aws.String(key)})
	if err != nil {
		return "", err
	}
	defer out.Body.Close()
	b, err := io.ReadAll(out.Body)
	return string(b), err
}

// listAll follows pages of a size and returns all keys as they are sent.
func listAll(t testing.TB, c *sdk.Client, in *sdk.ListObjectsV2Input) (keys []string) {
	t.Helper()
	p := sdk.NewListObjectsV2Paginator(c, in)
	for p.HasMorePages() {
		out, err := p.NextPage(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, keysOf(out.Contents)...)
	}
	return keys
}

func keysOf(contents []types.Object) (keys []string) {
	for _, o := range contents {
		keys = append(keys, aws.ToString(o.Key))
	}
	return keys
}

func list() *sdk.ListObjectsV2Input { return &sdk.ListObjectsV2Input{Bucket: aws.String("data")} }

func equal(t testing.TB, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}

// testClock is a clock that only moves when told.
type testClock struct{ at chan time.Time }

func newClock() *testClock {
	c := &testClock{make(chan time.Time, 1)}
	c.at <- time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return c
}

func (c *testClock) now() time.Time {
	t := <-c.at
	c.at <- t
	return t
}

func (c *testClock) advance(d time.Duration) { c.at <- (<-c.at).Add(d) }
