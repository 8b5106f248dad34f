package s3_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"mooring/emulator/s3"
)

// try lists the bucket and returns the error.
func try(t *testing.T, srv *s3.Server, l login) error {
	t.Helper()
	_, err := client(t, srv, l).ListObjectsV2(context.Background(), list())
	return err
}

func TestCredentialsAreVerified(t *testing.T) {
	clock := newClock()
	srv := start(t, s3.Options{Now: clock.now, Keys: []s3.AccessKey{
		{ID: "AKIAPLAIN", Secret: "plain"},
		{ID: "ASIATEMP", Secret: "temp", SessionToken: "token", Expires: clock.now().Add(time.Hour)},
		{ID: "ASIAOTHER", Secret: "other", SessionToken: "other-token"},
	}})
	must(t, try(t, srv, login{id: "AKIAPLAIN", secret: "plain"}))
	must(t, try(t, srv, login{id: "ASIATEMP", secret: "temp", token: "token"}))
	for name, c := range map[string]struct {
		login  login
		code   string
		status int
	}{
		"unknown key":               {login{id: "AKIANOBODY", secret: "x"}, "InvalidAccessKeyId", 403},
		"default key":               {login{}, "InvalidAccessKeyId", 403},
		"wrong secret":              {login{id: "AKIAPLAIN", secret: "wrong"}, "SignatureDoesNotMatch", 403},
		"wrong secret, right token": {login{id: "ASIATEMP", secret: "wrong", token: "token"}, "SignatureDoesNotMatch", 403},
		"unknown token":             {login{id: "ASIATEMP", secret: "temp", token: "bogus"}, "InvalidToken", 400},
		"unknown key and token":     {login{id: "AKIANOBODY", secret: "x", token: "bogus"}, "InvalidToken", 400},
		"another session's token":   {login{id: "ASIATEMP", secret: "temp", token: "other-token"}, "InvalidToken", 400},
		"token on a plain key":      {login{id: "AKIAPLAIN", secret: "plain", token: "token"}, "InvalidToken", 400},
		"session without its token": {login{id: "ASIATEMP", secret: "temp"}, "InvalidAccessKeyId", 403},
	} {
		t.Run(name, func(t *testing.T) { wantCode(t, try(t, srv, c.login), c.code, c.status) })
	}
	clock.advance(time.Hour)
	wantCode(t, try(t, srv, login{id: "ASIATEMP", secret: "temp", token: "token"}), "ExpiredToken", 400)
	srv.ExpireSession("ASIAOTHER")
	wantCode(t, try(t, srv, login{id: "ASIAOTHER", secret: "other", token: "other-token"}), "ExpiredToken", 400)
	srv.RemoveKey("AKIAPLAIN")
	wantCode(t, try(t, srv, login{id: "AKIAPLAIN", secret: "plain"}), "InvalidAccessKeyId", 403)
	srv.AddKey(s3.AccessKey{ID: "AKIAPLAIN", Secret: "rotated"})
	must(t, try(t, srv, login{id: "AKIAPLAIN", secret: "rotated"}))
}

func TestUnsignedRequestIsDenied(t *testing.T) {
	srv := start(t, s3.Options{})
	put(t, srv, "a", "x")
	resp, err := http.Get(srv.URL() + "/data/a")
	must(t, err)
	body, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != 403 || !strings.Contains(string(body), "<Code>AccessDenied</Code>") {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
}

// presign makes a URL for reading a key.
func presign(t *testing.T, srv *s3.Server, l login, key string) string {
	t.Helper()
	req, err := sdk.NewPresignClient(client(t, srv, l)).PresignGetObject(context.Background(),
		&sdk.GetObjectInput{Bucket: aws.String("data"), Key: aws.String(key)})
	must(t, err)
	return req.URL
}

func fetch(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, string(body)
}

func TestPresignedURLs(t *testing.T) {
	srv := start(t, s3.Options{Keys: []s3.AccessKey{{ID: "ASIATEMP", Secret: "temp", SessionToken: "token"}}})
	put(t, srv, "a b", "content")
	put(t, srv, "secret", "other content")
	url := presign(t, srv, login{id: "ASIATEMP", secret: "temp", token: "token"}, "a b")
	if status, body := fetch(t, url); status != 200 || body != "content" {
		t.Fatalf("%d %s", status, body)
	}
	if status, body := fetch(t, strings.Replace(url, "a%20b", "secret", 1)); status != 403 || !strings.Contains(body, "SignatureDoesNotMatch") {
		t.Fatalf("another key with the same signature: %d %s", status, body)
	}
	url = presign(t, srv, login{id: "ASIATEMP", secret: "temp", token: "bogus"}, "a b")
	if status, body := fetch(t, url); status != 400 || !strings.Contains(body, "InvalidToken") {
		t.Fatalf("%d %s", status, body)
	}
}

// tamper changes the body of a request behind the signer's back.
type tamper struct{ with string }

func (p tamper) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Body = io.NopCloser(strings.NewReader(p.with))
	return http.DefaultTransport.RoundTrip(r)
}

func TestBodyIsWhatWasSigned(t *testing.T) {
	srv := start(t, s3.Options{})
	c := client(t, srv, login{})
	_, err := c.PutObject(context.Background(), &sdk.PutObjectInput{
		Bucket: aws.String("data"), Key: aws.String("a"), Body: strings.NewReader("right"),
	}, func(o *sdk.Options) { o.HTTPClient = &http.Client{Transport: tamper{"wrong"}} })
	wantCode(t, err, "BadDigest", 400)
	if keys, _ := srv.Keys("data"); len(keys) != 0 {
		t.Fatalf("stored %q", keys)
	}
}

func TestWrongRegionIsNamed(t *testing.T) {
	srv := start(t, s3.Options{Region: "eu-west-1"})
	err := try(t, srv, login{region: "us-east-1"})
	wantCode(t, err, "AuthorizationHeaderMalformed", 400)
	if !strings.Contains(err.Error(), "expecting 'eu-west-1'") {
		t.Fatalf("the error does not name the region: %v", err)
	}
	_, err = client(t, srv, login{region: "us-east-1"}).ListBuckets(context.Background(), &sdk.ListBucketsInput{})
	wantCode(t, err, "AuthorizationHeaderMalformed", 400)
}

func TestBucketElsewhereRedirects(t *testing.T) {
	srv := start(t, s3.Options{})
	must(t, srv.CreateBucketIn("far", "ap-south-1"))
	in := &sdk.ListObjectsV2Input{Bucket: aws.String("far")}
	_, err := client(t, srv, login{}).ListObjectsV2(context.Background(), in)
	wantCode(t, err, "PermanentRedirect", 301)
	if got := headerOf(err, "x-amz-bucket-region"); got != "ap-south-1" {
		t.Fatalf("x-amz-bucket-region is %q", got)
	}
	_, err = client(t, srv, login{region: "ap-south-1"}).ListObjectsV2(context.Background(), in)
	must(t, err)
	_, err = client(t, srv, login{region: "sa-east-1"}).ListObjectsV2(context.Background(), in)
	wantCode(t, err, "AuthorizationHeaderMalformed", 400)

	head := &sdk.HeadBucketInput{Bucket: aws.String("far")}
	_, err = client(t, srv, login{}).HeadBucket(context.Background(), head)
	if statusOf(err) != 301 || headerOf(err, "x-amz-bucket-region") != "ap-south-1" {
		t.Fatalf("HeadBucket: %v", err)
	}
	out, err := client(t, srv, login{region: "ap-south-1"}).HeadBucket(context.Background(), head)
	must(t, err)
	if aws.ToString(out.BucketRegion) != "ap-south-1" {
		t.Fatalf("BucketRegion is %q", aws.ToString(out.BucketRegion))
	}
	where, err := client(t, srv, login{region: "ap-south-1"}).GetBucketLocation(context.Background(), &sdk.GetBucketLocationInput{Bucket: aws.String("far")})
	must(t, err)
	if where.LocationConstraint != "ap-south-1" {
		t.Fatalf("LocationConstraint is %q", where.LocationConstraint)
	}
}

func TestPermissions(t *testing.T) {
	srv := start(t, s3.Options{Keys: []s3.AccessKey{
		{ID: "AKIANOBUCKETS", Secret: "s", Deny: []s3.Match{s3.On(s3.ListBuckets)}},
		{ID: "AKIANODATA", Secret: "s", Deny: []s3.Match{{Bucket: "data"}}},
		{ID: "AKIANOLIST", Secret: "s", Deny: []s3.Match{{Operations: []s3.Operation{s3.ListObjectsV2}, Bucket: "data"}}},
		{ID: "AKIANOPRIVATE", Secret: "s", Deny: []s3.Match{{Key: "private/*"}}},
	}})
	must(t, srv.CreateBucket("open"))
	put(t, srv, "a", "x")
	put(t, srv, "private/a", "x")
	ctx := context.Background()
	as := func(id string) *sdk.Client { return client(t, srv, login{id: id, secret: "s"}) }

	_, err := as("AKIANOBUCKETS").ListBuckets(ctx, &sdk.ListBucketsInput{})
	wantCode(t, err, "AccessDenied", 403)
	_, err = as("AKIANOBUCKETS").ListObjectsV2(ctx, list())
	must(t, err)

	_, err = as("AKIANODATA").ListObjectsV2(ctx, list())
	wantCode(t, err, "AccessDenied", 403)
	_, err = read(as("AKIANODATA"), "a")
	wantCode(t, err, "AccessDenied", 403)
	_, err = as("AKIANODATA").ListObjectsV2(ctx, &sdk.ListObjectsV2Input{Bucket: aws.String("open")})
	must(t, err)
	_, err = as("AKIANODATA").HeadBucket(ctx, &sdk.HeadBucketInput{Bucket: aws.String("data")})
	if statusOf(err) != 403 || headerOf(err, "x-amz-bucket-region") != "us-east-1" {
		t.Fatalf("HeadBucket: %v", err)
	}

	if got, err := read(as("AKIANOLIST"), "a"); err != nil || got != "x" {
		t.Fatalf("%q, %v", got, err)
	}
	_, err = read(as("AKIANOLIST"), "missing")
	wantCode(t, err, "AccessDenied", 403)
	_, err = read(as("AKIANOPRIVATE"), "missing")
	wantCode(t, err, "NoSuchKey", 404)
	_, err = read(as("AKIANOPRIVATE"), "private/a")
	wantCode(t, err, "AccessDenied", 403)
}

func TestHandlerWithoutListeningAndVirtualHosts(t *testing.T) {
	srv := s3.New(s3.Options{Domain: "s3.test", Region: "auto"})
	defer srv.Close()
	must(t, srv.CreateBucket("data"))
	put(t, srv, "a/../b/", "content")
	if srv.URL() != "" {
		t.Fatalf("URL is %q", srv.URL())
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	go func() { _ = http.Serve(l, srv.Handler()) }()
	dial := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", l.Addr().String())
	}}
	defer dial.CloseIdleConnections()
	c := sdk.New(sdk.Options{
		BaseEndpoint: aws.String("http://s3.test"), Region: "auto", Credentials: login{},
		HTTPClient: &http.Client{Transport: dial}, RetryMaxAttempts: 1,
	})
	if got, err := read(c, "a/../b/"); err != nil || got != "content" {
		t.Fatalf("%q, %v", got, err)
	}
	if e := srv.Requests()[0]; e.Bucket != "data" || e.Key != "a/../b/" {
		t.Fatalf("%+v", e)
	}
	_, err = c.PutObject(context.Background(), &sdk.PutObjectInput{Bucket: aws.String("data"), Key: aws.String("c"), Body: strings.NewReader("new")})
	must(t, err)
	equal(t, mustKeys(t, srv), []string{"a/../b/", "c"})
}

func mustKeys(t testing.TB, srv *s3.Server) []string {
	t.Helper()
	keys, err := srv.Keys("data")
	must(t, err)
	return keys
}

// signedAt sends a request that is signed by hand, for a service and a time.
func signedAt(t *testing.T, srv *s3.Server, method, path, form, service string, at time.Time) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, srv.URL()+path, strings.NewReader(form))
	must(t, err)
	hash := fmt.Sprintf("%x", sha256.Sum256([]byte(form)))
	r.Header.Set("X-Amz-Content-Sha256", hash)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	creds := aws.Credentials{AccessKeyID: s3.DefaultAccessKeyID, SecretAccessKey: s3.DefaultSecretAccessKey}
	must(t, v4.NewSigner().SignHTTP(context.Background(), creds, r, hash, service, srv.Region(), at))
	resp, err := http.DefaultClient.Do(r)
	must(t, err)
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode, last(srv).Code
}

func TestSignatureIsForTheServiceAndTheTime(t *testing.T) {
	srv := start(t, s3.Options{})
	const form = "Action=GetCallerIdentity&Version=2011-06-15"
	now := time.Now()
	for _, tt := range []struct {
		method, path, form, service string
		at                          time.Time
		status                      int
		code                        string
	}{
		{"POST", "/", form, "sts", now, 200, ""},
		{"POST", "/", form, "s3", now, 403, "SignatureDoesNotMatch"},
		{"POST", "/", form, "sts", now.Add(-time.Hour), 403, "SignatureDoesNotMatch"},
		{"POST", "/", form, "sts", now.Add(time.Hour), 403, "SignatureDoesNotMatch"},
		{"GET", "/data", "", "s3", now, 200, ""},
		{"GET", "/data", "", "sts", now, 400, "AuthorizationParameterserror"},
		{"GET", "/data", "", "s3", now.Add(-time.Hour), 403, "RequestTimeTooSkewed"},
		{"GET", "/data", "", "s3", now.Add(time.Hour), 403, "RequestTimeTooSkewed"},
	} {
		if status, code := signedAt(t, srv, tt.method, tt.path, tt.form, tt.service, tt.at); status != tt.status || code != tt.code {
			t.Errorf("%s %s for %s, %s from now: %d %q, want %d %q", tt.method, tt.path, tt.service, tt.at.Sub(now), status, code, tt.status, tt.code)
		}
	}
}
