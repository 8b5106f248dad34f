package s3_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"mooring/emulator/s3"
)

// Each fault is met by exactly the requests that it names.
func TestFaultCounting(t *testing.T) {
	for name, tt := range map[string]struct {
		fault s3.Fault
		want  string // F for each of six requests that fails
	}{
		"always":         {s3.Fault{}, "FFFFFF"},
		"nth":            {s3.Fault{Nth: 3}, "..F..."},
		"after":          {s3.Fault{After: 4}, "....FF"},
		"times":          {s3.Fault{Times: 2}, "FF...."},
		"after, times":   {s3.Fault{After: 1, Times: 3}, ".FFF.."},
		"operation":      {s3.Fault{Match: s3.On(s3.PutObject)}, "......"},
		"key":            {s3.Fault{Match: s3.Match{Key: "k2"}}, "..F..."},
		"key pattern":    {s3.Fault{Match: s3.Match{Key: "*4"}}, "....F."},
		"bucket":         {s3.Fault{Match: s3.Match{Bucket: "d*a"}}, "FFFFFF"},
		"another bucket": {s3.Fault{Match: s3.Match{Bucket: "data2"}}, "......"},
		"access key":     {s3.Fault{Match: s3.Match{AccessKey: "AKIA*"}, Nth: 1}, "F....."},
		"another key":    {s3.Fault{Match: s3.Match{AccessKey: "ASIA*"}}, "......"},
		"if":             {s3.Fault{Match: s3.Match{If: func(r s3.Request) bool { return r.Range != "" }}}, ".....F"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := start(t, s3.Options{})
			c := client(t, srv, login{})
			tt.fault.Action = s3.InternalError()
			injected := srv.Inject(tt.fault)
			got := ""
			for i := range 6 {
				key := fmt.Sprintf("k%d", i)
				put(t, srv, key, "x")
				in := get(key)
				if i == 5 {
					in.Range = aws.String("bytes=0-0")
				}
				out, err := c.GetObject(context.Background(), in)
				if err == nil {
					_ = out.Body.Close()
					got += "."
					continue
				}
				wantCode(t, err, "InternalError", 500)
				got += "F"
			}
			if got != tt.want || injected.Hits() != strings.Count(got, "F") {
				t.Fatalf("%s with %d hits, want %s", got, injected.Hits(), tt.want)
			}
		})
	}
}

func TestFaultsUnderConcurrency(t *testing.T) {
	srv := start(t, s3.Options{})
	put(t, srv, "a", "x")
	injected := srv.Inject(s3.Fault{Match: s3.On(s3.GetObject), After: 5, Times: 7, Action: s3.SlowDown(0)})
	c := client(t, srv, login{})
	var wg sync.WaitGroup
	failed := make(chan error, 40)
	for range 40 {
		wg.Go(func() {
			if _, err := read(c, "a"); err != nil {
				failed <- err
			}
		})
	}
	wg.Wait()
	if len(failed) != 7 || injected.Hits() != 7 || injected.Seen() != 40 {
		t.Fatalf("%d failed, %d hits, %d seen", len(failed), injected.Hits(), injected.Seen())
	}
}

func TestFaultsAreRemoved(t *testing.T) {
	srv := start(t, s3.Options{})
	put(t, srv, "a", "x")
	c := client(t, srv, login{})
	one := srv.Inject(s3.Fault{Action: s3.ReplyCode("AccessDenied")})
	srv.Inject(s3.Fault{Action: s3.SlowDown(0)})
	_, err := read(c, "a")
	wantCode(t, err, "AccessDenied", 403) // the first one answers
	one.Remove()
	_, err = read(c, "a")
	wantCode(t, err, "SlowDown", 503)
	srv.ClearFaults()
	_, err = read(c, "a")
	must(t, err)
}

func TestErrorReplies(t *testing.T) {
	srv := start(t, s3.Options{})
	c := client(t, srv, login{})
	for code, status := range map[string]int{
		"InvalidAccessKeyId": 403, "SignatureDoesNotMatch": 403, "InvalidSecurity": 403, "AccountProblem": 403, "NotSignedUp": 403,
		"ExpiredToken": 400, "InvalidToken": 400, "TokenRefreshRequired": 400, "RequestTimeTooSkewed": 403, "AccessDenied": 403,
		"AllAccessDisabled": 403, "NoSuchBucket": 404, "NoSuchKey": 404, "NoSuchVersion": 404, "PermanentRedirect": 301,
		"AuthorizationHeaderMalformed": 400, "IllegalLocationConstraintException": 400, "TemporaryRedirect": 307,
		"PreconditionFailed": 412, "InvalidRange": 416, "InvalidObjectState": 403, "SlowDown": 503, "ServiceUnavailable": 503,
		"TooManyRequests": 429, "InternalError": 500, "RequestTimeout": 400,
	} {
		srv.ClearFaults()
		srv.Inject(s3.Fault{Action: s3.ReplyCode(code)})
		_, err := c.ListObjectsV2(context.Background(), list())
		wantCode(t, err, code, status)
	}
	srv.ClearFaults()
	srv.Inject(s3.Fault{Action: s3.Reply(s3.Error{
		Status: 418, Code: "Teapot", Message: "short & <stout>", Header: http.Header{"X-Kind": {"pot"}},
		Extra: []s3.Element{{Name: "Handle", Value: "here"}},
	})})
	_, err := c.ListObjectsV2(context.Background(), list())
	wantCode(t, err, "Teapot", 418)
	if !strings.Contains(err.Error(), "short & <stout>") || headerOf(err, "x-kind") != "pot" {
		t.Fatal(err)
	}
	if _, body := fetch(t, srv.URL()+"/data"); !strings.Contains(body, "<Handle>here</Handle>") || !strings.Contains(body, "short &amp; &lt;stout&gt;") {
		t.Fatal(body)
	}
	if e := srv.Requests()[len(srv.Requests())-1]; e.Status != 418 || e.Code != "Teapot" || !slices.Equal(e.Faults, []string{"Reply Teapot"}) {
		t.Fatalf("%+v", e)
	}
}

func TestSlowDownCarriesRetryAfter(t *testing.T) {
	srv := start(t, s3.Options{})
	srv.Inject(s3.Fault{Action: s3.SlowDown(7 * time.Second)})
	_, err := client(t, srv, login{}).ListObjectsV2(context.Background(), list())
	wantCode(t, err, "SlowDown", 503)
	if got := headerOf(err, "Retry-After"); got != "7" {
		t.Fatalf("Retry-After is %q", got)
	}
}

func TestSkewAndRegionReplies(t *testing.T) {
	srv := start(t, s3.Options{})
	skew := srv.Inject(s3.Fault{Action: s3.RequestTimeTooSkewed(time.Hour)})
	var body string
	spy := &http.Client{Transport: capture{&body}}
	c := client(t, srv, login{})
	_, err := c.ListObjectsV2(context.Background(), list(), func(o *sdk.Options) { o.HTTPClient = spy })
	wantCode(t, err, "RequestTimeTooSkewed", 403)
	signed, e1 := time.Parse("20060102T150405Z", between(body, "<RequestTime>", "</"))
	server, e2 := time.Parse(time.RFC3339, between(body, "<ServerTime>", "</"))
	if e1 != nil || e2 != nil || server.Sub(signed) != time.Hour || !strings.Contains(body, "<MaxAllowedSkewMilliseconds>900000<") {
		t.Fatal(body)
	}
	skew.Remove()
	srv.Inject(s3.Fault{Action: s3.WrongRegion("eu-north-1")})
	_, err = c.ListObjectsV2(context.Background(), list(), func(o *sdk.Options) { o.HTTPClient = spy })
	wantCode(t, err, "PermanentRedirect", 301)
	if headerOf(err, "x-amz-bucket-region") != "eu-north-1" || between(body, "<Bucket>", "</") != "data" || !strings.Contains(between(body, "<Endpoint>", "</"), "eu-north-1") {
		t.Fatal(body)
	}
}

// capture keeps the body of the last answer.
type capture struct{ body *string }

func (c capture) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	*c.body = string(b)
	resp.Body = io.NopCloser(strings.NewReader(string(b)))
	return resp, err
}

func between(s, from, to string) string {
	_, s, _ = strings.Cut(s, from)
	s, _, _ = strings.Cut(s, to)
	return s
}

func TestEchoedCredentials(t *testing.T) {
	srv := start(t, s3.Options{Keys: []s3.AccessKey{{ID: "ASIATEMP", Secret: "the+secret/key", SessionToken: "the-token"}}})
	srv.Inject(s3.Fault{Action: s3.EchoCredentials()})
	var body string
	_, err := client(t, srv, login{id: "ASIATEMP", secret: "the+secret/key", token: "the-token"}).ListObjectsV2(
		context.Background(), list(), func(o *sdk.Options) { o.HTTPClient = &http.Client{Transport: capture{&body}} })
	wantCode(t, err, "SignatureDoesNotMatch", 403)
	for _, want := range []string{"<SecretAccessKey>the+secret/key<", "<SecurityToken>the-token<", "AWS4-HMAC-SHA256 Credential=ASIATEMP/", "Signature="} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is not in %s", want, body)
		}
	}
	if !strings.Contains(err.Error(), "the+secret/key") {
		t.Error("the message does not hold the secret")
	}
}

// content is larger than any buffer on the way is likely to swallow unseen.
var content = strings.Repeat("0123456789abcdef", 4096)

// partial reads as much as comes.
func partial(t *testing.T, srv *s3.Server) (string, error) {
	t.Helper()
	out, err := client(t, srv, login{}).GetObject(context.Background(), get("a"))
	if err != nil {
		return "", err
	}
	defer out.Body.Close()
	if got := aws.ToInt64(out.ContentLength); got != int64(len(content)) {
		t.Fatalf("Content-Length is %d", got)
	}
	b, err := io.ReadAll(out.Body)
	return string(b), err
}

func TestBrokenBodies(t *testing.T) {
	srv := start(t, s3.Options{})
	put(t, srv, "a", content)
	for _, n := range []int64{0, 1, 1000, int64(len(content)) - 1} {
		srv.Inject(s3.Fault{Times: 1, Action: s3.ShortBody(n)})
		got, err := partial(t, srv)
		if !errors.Is(err, io.ErrUnexpectedEOF) || got != content[:n] {
			t.Fatalf("short after %d: %d bytes, %v", n, len(got), err)
		}
		srv.Inject(s3.Fault{Times: 1, Action: s3.ResetAfter(n)})
		got, err = partial(t, srv)
		if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.ErrUnexpectedEOF) || !strings.HasPrefix(content[:n], got) {
			t.Fatalf("reset after %d: %d bytes, %v", n, len(got), err)
		}
		if e := last(srv); e.Bytes != n || e.Status != 200 {
			t.Fatalf("%+v", e)
		}
		srv.Inject(s3.Fault{Times: 1, Action: s3.CorruptByte(n)})
		got, err = partial(t, srv)
		if err != nil || len(got) != len(content) || got[:n] != content[:n] || got[n] == content[n] || got[n+1:] != content[n+1:] {
			t.Fatalf("corrupt at %d: %d bytes, %v", n, len(got), err)
		}
	}
	srv.Inject(s3.Fault{Action: s3.ShortBody(int64(len(content)))})
	defer func() {
		if aborted := recover(); aborted != nil {
			t.Fatalf("a whole body ended in %v", aborted)
		}
	}()
	srv.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", presign(t, srv, login{}, "a"), nil))
	if got, err := partial(t, srv); err != nil || got != content {
		t.Fatalf("a body that is no longer than the limit: %d bytes, %v", len(got), err)
	}
	srv.ClearFaults()
	srv.Inject(s3.Fault{Action: s3.Drop()})
	if got, err := partial(t, srv); err == nil || statusOf(err) != 0 {
		t.Fatalf("dropped: %q, %v", got, err)
	}
	if e := last(srv); e.Status != 0 {
		t.Fatalf("%+v", e)
	}
}

func last(srv *s3.Server) s3.Request {
	all := srv.Requests()
	return all[len(all)-1]
}

func TestBrokenListBody(t *testing.T) {
	srv := start(t, s3.Options{})
	put(t, srv, "a", "x")
	srv.Inject(s3.Fault{Match: s3.On(s3.ListObjectsV2), Nth: 1, Action: s3.ShortBody(100)})
	c := client(t, srv, login{})
	if _, err := c.ListObjectsV2(context.Background(), list()); err == nil {
		t.Fatal("half a list was accepted")
	}
	equal(t, listAll(t, c, list()), []string{"a"})
}

func TestChecksumMismatch(t *testing.T) {
	srv := start(t, s3.Options{})
	must(t, srv.Put("data", "a", []byte("content"), s3.PutOptions{Checksum: s3.SHA256}))
	srv.Inject(s3.Fault{Nth: 2, Action: s3.ChecksumMismatch()})
	for _, wantErr := range []bool{false, true} {
		in := get("a")
		in.ChecksumMode = types.ChecksumModeEnabled
		out, err := client(t, srv, login{}).GetObject(context.Background(), in)
		must(t, err)
		_, err = io.ReadAll(out.Body)
		_ = out.Body.Close()
		if (err != nil) != wantErr {
			t.Fatalf("%v", err)
		}
	}
}

func TestChangeBetweenListAndGet(t *testing.T) {
	srv := start(t, s3.Options{})
	put(t, srv, "a", "x")
	c := client(t, srv, login{})
	out, err := c.ListObjectsV2(context.Background(), list())
	must(t, err)
	srv.Inject(s3.Fault{Match: s3.On(s3.GetObject), Times: 1, Action: s3.ChangeFirst()})
	in := get("a")
	in.IfMatch = out.Contents[0].ETag
	_, err = c.GetObject(context.Background(), in)
	wantCode(t, err, "PreconditionFailed", 412)
}

func TestExpirySessionMidRun(t *testing.T) {
	srv := start(t, s3.Options{Keys: []s3.AccessKey{{ID: "ASIATEMP", Secret: "temp", SessionToken: "token"}}})
	put(t, srv, "a", "x")
	srv.Inject(s3.Fault{Match: s3.On(s3.GetObject), Nth: 2, Action: s3.ExpireSession()})
	c := client(t, srv, login{id: "ASIATEMP", secret: "temp", token: "token"})
	_, err := read(c, "a")
	must(t, err)
	for range 2 {
		_, err = read(c, "a")
		wantCode(t, err, "ExpiredToken", 400)
	}
}

func TestListFaults(t *testing.T) {
	srv := start(t, s3.Options{})
	for _, key := range []string{"a", "b c", "d", "e"} {
		put(t, srv, key, "x")
	}
	c := client(t, srv, login{})
	in := list()
	in.EncodingType = types.EncodingTypeUrl
	page := func(a s3.Action) *sdk.ListObjectsV2Output {
		srv.Inject(s3.Fault{Match: s3.On(s3.ListObjectsV2), Times: 1, Action: a})
		out, err := c.ListObjectsV2(context.Background(), in)
		must(t, err)
		srv.ClearFaults()
		return out
	}
	check := func(out *sdk.ListObjectsV2Output, truncated bool, want ...string) {
		t.Helper()
		equal(t, keysOf(out.Contents), want)
		if aws.ToBool(out.IsTruncated) != truncated || (out.NextContinuationToken != nil) != truncated || int(aws.ToInt32(out.KeyCount)) != len(want) {
			t.Fatalf("truncated %t, token %v, %d keys", aws.ToBool(out.IsTruncated), out.NextContinuationToken, aws.ToInt32(out.KeyCount))
		}
	}
	check(page(s3.ListAtMost(2)), true, "a", "b+c")
	check(page(s3.ListCutOff(2)), false, "a", "b+c")
	check(page(s3.EmptyList()), false)
	check(page(s3.UnorderedList()), false, "e", "d", "b+c", "a")
	check(page(s3.DuplicateKeys()), false, "a", "a", "b+c", "d", "e")
	check(page(s3.Do(s3.ListAtMost(3), s3.UnorderedList())), true, "d", "b+c", "a")
	raw := page(s3.IgnoreEncoding())
	check(raw, false, "a", "b c", "d", "e")
	if raw.EncodingType != "" {
		t.Fatalf("EncodingType is %q", raw.EncodingType)
	}
	in.MaxKeys = aws.Int32(2)
	srv.Inject(s3.Fault{Match: s3.On(s3.ListObjectsV2), Nth: 1, Action: s3.OverlapPages()})
	equal(t, listAll(t, c, in), []string{"a", "b+c", "b+c", "d", "e"})
	srv.ClearFaults()
	srv.Inject(s3.Fault{Match: s3.On(s3.ListBuckets), Action: s3.EmptyList()})
	buckets, err := c.ListBuckets(context.Background(), &sdk.ListBucketsInput{})
	must(t, err)
	if len(buckets.Buckets) != 0 {
		t.Fatalf("%d buckets", len(buckets.Buckets))
	}
}

// Run changes a bucket between two pages; Wait holds a request for as long as
// the test wants; Delay gives way to the client's patience.
func TestRunWaitAndDelay(t *testing.T) {
	srv := start(t, s3.Options{})
	for _, key := range []string{"a", "b", "c"} {
		put(t, srv, key, "x")
	}
	c := client(t, srv, login{})
	in := list()
	in.MaxKeys = aws.Int32(1)
	srv.Inject(s3.Fault{Match: s3.On(s3.ListObjectsV2), Nth: 2, Action: s3.Run(func() { _ = srv.Delete("data", "b") })})
	equal(t, listAll(t, c, in), []string{"a", "c"})

	gate := make(chan struct{})
	held := srv.Inject(s3.Fault{Match: s3.On(s3.GetObject), Times: 1, Action: s3.Wait(gate)})
	done := make(chan error)
	go func() { _, err := read(c, "a"); done <- err }()
	for held.Hits() == 0 { // until the request is there
		_, err := c.HeadObject(context.Background(), head("c"))
		must(t, err)
	}
	must(t, srv.Delete("data", "a")) // which the request must not have seen yet
	close(gate)
	wantCode(t, <-done, "NoSuchKey", 404)

	srv.Inject(s3.Fault{Match: s3.On(s3.GetObject), Action: s3.Delay(time.Hour)})
	put(t, srv, "a", "x")
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.GetObject(ctx, get("a")); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	fast := start(t, s3.Options{})
	put(t, fast, "a", "x")
	fast.Inject(s3.Fault{Action: s3.Delay(time.Millisecond)})
	if got, err := read(client(t, fast, login{}), "a"); err != nil || got != "x" {
		t.Fatalf("%q, %v", got, err)
	}
}

// A request that is held ends without an answer when its client or the server goes.
func TestHeldRequestsEnd(t *testing.T) {
	srv := start(t, s3.Options{})
	put(t, srv, "a", "x")
	url := presign(t, srv, login{}, "a")
	serve := func(ctx context.Context) bool {
		aborted := make(chan bool)
		go func() {
			defer func() { aborted <- recover() != nil }()
			srv.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", url, nil))
		}()
		return <-aborted
	}
	srv.Inject(s3.Fault{Action: s3.Wait(nil)})
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if !serve(gone) {
		t.Error("a client that has gone was answered")
	}
	must(t, srv.Close())
	if !serve(context.Background()) {
		t.Error("a closed server answered")
	}
}

func TestRequestLog(t *testing.T) {
	srv := start(t, s3.Options{LogSize: 3})
	put(t, srv, "a", "content")
	put(t, srv, "b", "content")
	c := client(t, srv, login{})
	in := list()
	in.Prefix, in.Delimiter, in.MaxKeys, in.StartAfter = aws.String("a"), aws.String("/"), aws.Int32(7), aws.String("0")
	in.EncodingType = types.EncodingTypeUrl
	_, err := c.ListObjectsV2(context.Background(), in)
	must(t, err)
	e := last(srv)
	if e.Seq != 1 || e.Operation != s3.ListObjectsV2 || e.Method != "GET" || e.Bucket != "data" || e.Key != "" || e.AccessKey != s3.DefaultAccessKeyID ||
		e.Prefix != "a" || e.Delimiter != "/" || e.MaxKeys != "7" || e.StartAfter != "0" || e.EncodingType != "url" || e.Status != 200 || e.Bytes == 0 {
		t.Fatalf("%+v", e)
	}
	g := get("a")
	g.Range, g.IfMatch, g.ChecksumMode = aws.String("bytes=0-2"), aws.String("*"), types.ChecksumModeEnabled
	out, err := c.GetObject(context.Background(), g)
	must(t, err)
	_ = out.Body.Close()
	e = last(srv)
	if e.Operation != s3.GetObject || e.Key != "a" || e.Range != "bytes=0-2" || e.IfMatch != "*" || e.ChecksumMode != "ENABLED" || e.Status != 206 || e.Bytes != 3 {
		t.Fatalf("%+v", e)
	}
	_, err = c.UploadPart(context.Background(), &sdk.UploadPartInput{
		Bucket: aws.String("data"), Key: aws.String("a"), UploadId: aws.String("none"), PartNumber: aws.Int32(1), Body: strings.NewReader(""),
	})
	wantCode(t, err, "NoSuchUpload", 404)
	if e = last(srv); e.Operation != s3.UploadPart || e.Code != "NoSuchUpload" || e.Status != 404 || !strings.Contains(err.Error(), e.RequestID) {
		t.Fatalf("%+v for %v", e, err)
	}
	_, err = read(c, "b")
	must(t, err)
	var seqs []int
	for _, e := range srv.Requests() {
		seqs = append(seqs, e.Seq)
	}
	if !slices.Equal(seqs, []int{2, 3, 4}) {
		t.Fatalf("the log holds %v", seqs)
	}
	if srv.Count(s3.GetObject) != 2 || srv.Count(s3.GetObject, s3.ListObjectsV2) != 3 || srv.Count() != 4 || srv.Count(s3.PutObject) != 0 {
		t.Fatalf("%d requests", srv.Count())
	}
	srv.ResetRequests()
	if len(srv.Requests()) != 0 || srv.Count() != 0 {
		t.Fatal("the log was not reset")
	}
}
