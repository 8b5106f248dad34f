package s3_test

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	emulator "mooring/emulator/s3"
	"mooring/internal/connection/config"
	"mooring/internal/errs"
	"mooring/internal/provider/driver"
	"mooring/internal/provider/s3"
	"mooring/internal/secret"
)

// fake is a source on a server that answers as it likes.
func fake(t testing.TB, answer http.HandlerFunc) (driver.Source, *int) {
	requests := new(int)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*requests++
		answer(w, r)
	}))
	t.Cleanup(srv.Close)
	o := options(t, start(t, emulator.Options{}))
	o.Endpoints = nil
	c := access("s3")
	c.Fields["endpoint_url"] = srv.URL
	return open(t, c, o), requests
}

// item is what a listing would have said of content.
func item(content string) driver.Item {
	sum := md5.Sum([]byte(content))
	return driver.Item{ID: "data/k", Size: int64(len(content)), Version: hex.EncodeToString(sum[:]) + fmt.Sprintf(":%d", len(content))}
}

func TestServersThatIgnoreWhatIsAsked(t *testing.T) {
	const content = "0123456789"
	it := item(content)
	etag := `"` + strings.Split(it.Version, ":")[0] + `"`
	send := func(status int, body string, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		off    int64
		want   string
		kind   errs.Kind // when want is ""
	}{
		"range ignored":                           {send(200, content, "ETag", etag), 4, "456789", 0},
		"range honoured":                          {send(206, content[4:], "ETag", etag, "Content-Range", "bytes 4-9/10"), 4, "456789", 0},
		"range begins early":                      {send(206, content[2:], "ETag", etag, "Content-Range", "bytes 2-9/10"), 4, "456789", 0},
		"range begins late":                       {send(206, content[6:], "ETag", etag, "Content-Range", "bytes 6-9/10"), 4, "", errs.Corrupt},
		"range unreadable":                        {send(206, content[4:], "ETag", etag, "Content-Range", "pages 4"), 4, "", errs.Corrupt},
		"range of another size":                   {send(206, content[4:], "ETag", etag, "Content-Range", "bytes 4-9/12"), 4, "", errs.Stale},
		"If-Match ignored":                        {send(200, "abcdefghij", "ETag", `"other"`), 0, "", errs.Stale},
		"If-Match ignored, ETag kept, other size": {send(200, "abc", "ETag", etag), 0, "", errs.Stale},
		"without an ETag":                         {send(200, content), 0, content, 0},
	} {
		src, _ := fake(t, c.answer)
		got, err := read(t, src, it, c.off)
		if c.want == "" {
			kind(t, err, c.kind, errs.ScopeObject)
		} else if got != c.want || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestChecksumsOfPartsAreNotTheWholes(t *testing.T) {
	it := item("0123456789")
	answer := func(w http.ResponseWriter, status int, typ, body string) {
		w.Header().Set("X-Amz-Checksum-Crc32", "AAAAAA==")
		w.Header().Set("X-Amz-Checksum-Type", typ)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
	part, _ := fake(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Range", "bytes 4-9/10")
		answer(w, http.StatusPartialContent, "FULL_OBJECT", "456789")
	})
	composite, _ := fake(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "COMPOSITE", "0123456789") })
	whole, _ := fake(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "FULL_OBJECT", "0123456789") })
	if a, b, c := sums(t, part, it, 4), sums(t, composite, it, 0), sums(t, whole, it, 0); len(a) != 0 || len(b) != 0 || len(c) != 1 {
		t.Errorf("of a part %v, composite %v, whole %v", a, b, c)
	}
}

func TestChunkedBodiesAreMeasured(t *testing.T) {
	send := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, body)
			_ = http.NewResponseController(w).Flush() // no Content-Length
		}
	}
	src, _ := fake(t, send("01234"))
	if got, err := read(t, src, item("0123456789"), 0); got != "01234" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("short: %q, %v", got, err)
	}
	src, _ = fake(t, send("0123456789 and more"))
	got, err := read(t, src, item("0123456789"), 0)
	if kind(t, err, errs.Corrupt, errs.ScopeObject); len(got) > 10 {
		t.Errorf("long: %q", got)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	var elsewhere int
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	defer other.Close()
	src, _ := fake(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) })
	if _, err := src.Check(t.Context(), "data"); err == nil || elsewhere != 0 {
		t.Errorf("%v, %d requests elsewhere", err, elsewhere)
	}
}

// recorder is a transport that answers nothing and remembers where requests go.
type recorder struct {
	insecure bool
	urls     []*url.URL
	header   http.Header
}

func (r *recorder) Client(insecure bool) *http.Client {
	r.insecure = insecure
	return &http.Client{Transport: r}
}
func (r *recorder) Operator() *http.Client { return r.Client(false) }

func (r *recorder) RoundTrip(q *http.Request) (*http.Response, error) {
	r.urls, r.header = append(r.urls, q.URL), q.Header
	return &http.Response{
		StatusCode: 200, Header: http.Header{}, Request: q,
		Body: io.NopCloser(strings.NewReader(`<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>`)),
	}, nil
}

func TestWhereRequestsGo(t *testing.T) {
	for name, c := range map[string]struct {
		provider string
		fields   map[string]any
		api      string
		want     string
		insecure bool
	}{
		"aws":                             {"s3", map[string]any{"region": "eu-west-1"}, "", "https://data.s3.eu-west-1.amazonaws.com/", false},
		"aws china":                       {"s3", map[string]any{"region": "cn-north-1"}, "", "https://data.s3.cn-north-1.amazonaws.com.cn/", false},
		"aws without TLS":                 {"s3", map[string]any{"region": "eu-west-1", "use_ssl": false}, "", "http://data.s3.eu-west-1.amazonaws.com/", false},
		"custom":                          {"s3", map[string]any{"region": "us-east-1", "endpoint_url": "https://minio.example:9000"}, "", "https://minio.example:9000/data", false},
		"custom, with a path, unverified": {"s3", map[string]any{"region": "us-east-1", "endpoint_url": "http://minio.example/s3", "verify_ssl": false}, "", "http://minio.example/s3/data", true},
		"operator's":                      {"s3", map[string]any{"region": "us-east-1"}, "http://127.0.0.1:9", "http://127.0.0.1:9/data", false},
		"tigris":                          {"tigris", map[string]any{}, "", "https://data.fly.storage.tigris.dev/", false},
		"tigris t3":                       {"tigris", map[string]any{"endpoint_url": "https://t3.storage.dev"}, "", "https://data.t3.storage.dev/", false},
		"tigris elsewhere":                {"tigris", map[string]any{"endpoint_url": "https://tigris.example"}, "", "https://tigris.example/data", false},
		"tigris by address":               {"tigris", map[string]any{"endpoint_url": "http://127.0.0.1:9"}, "", "http://127.0.0.1:9/data", false},
		"not tigris":                      {"tigris", map[string]any{"endpoint_url": "https://eviltigris.dev"}, "", "https://eviltigris.dev/data", false},
	} {
		r := &recorder{}
		cfg := access(c.provider)
		cfg.Fields = c.fields
		src := open(t, cfg, driver.Options{Transport: r, Endpoints: map[string]string{"api": c.api}})
		if _, err := src.Check(t.Context(), "data"); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		u := *r.urls[0]
		u.RawQuery = ""
		if u.String() != c.want || r.insecure != c.insecure {
			t.Errorf("%s: %s (insecure %v), want %s", name, &u, r.insecure, c.want)
		}
		region, _ := c.fields["region"].(string)
		if region == "" {
			region = "auto"
		}
		if !strings.Contains(r.header.Get("Authorization"), "/"+region+"/s3/aws4_request") {
			t.Errorf("%s: signed as %s", name, r.header.Get("Authorization"))
		}
	}
}

func TestNothingIsTakenFromTheEnvironment(t *testing.T) {
	for k, v := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIAAMBIENT000000000", "AWS_SECRET_ACCESS_KEY": "ambient", "AWS_SESSION_TOKEN": "ambient", "AWS_REGION": "ap-south-1",
		"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1", "AWS_PROFILE": "ambient",
	} {
		t.Setenv(k, v)
	}
	r := &recorder{}
	if _, err := open(t, access("s3"), driver.Options{Transport: r}).Check(t.Context(), "data"); err != nil {
		t.Fatal(err)
	}
	if a := r.header.Get("Authorization"); !strings.Contains(a, emulator.DefaultAccessKeyID) || r.header.Get("X-Amz-Security-Token") != "" || r.urls[0].Host != "data.s3.us-east-1.amazonaws.com" {
		t.Errorf("%s to %s", a, r.urls[0].Host)
	}
	for _, c := range []config.Config{
		{Provider: "s3", Fields: map[string]any{"region": "us-east-1"}, Credential: "access_key"},
		{Provider: "s3", Fields: map[string]any{"region": "us-east-1"}, Credential: "iam_role"},
		{Provider: "s3", Fields: map[string]any{"region": "us-east-1"}},
		{Provider: "s3", Fields: map[string]any{"region": "evil.example/"}, Credential: "access_key", Credentials: access("s3").Credentials, Secrets: access("s3").Secrets},
		{Provider: "s3", Fields: map[string]any{"region": "us-east-1", "endpoint_url": "ftp://x"}, Credential: "access_key", Credentials: access("s3").Credentials, Secrets: access("s3").Secrets},
	} {
		if _, err := s3.Open(t.Context(), c, driver.Options{Transport: r}); !errs.Is(err, errs.Invalid) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	role, err := s3.Open(t.Context(), roleConfig(), driver.Options{Transport: r})
	must(t, err)
	n := len(r.urls)
	if _, err := role.Check(t.Context(), "data"); !errs.Is(err, errs.Invalid) || errs.From(err).Origin != errs.Ours || len(r.urls) != n {
		t.Errorf("a role without an identity of the operator's: %v", err)
	}
}

func TestSessionTokensAreSent(t *testing.T) {
	c := access("s3")
	c.Secrets["session_token"] = secret.New("token-value")
	r := &recorder{}
	_, err := open(t, c, driver.Options{Transport: r}).Check(t.Context(), "data")
	if must(t, err); r.header.Get("X-Amz-Security-Token") != "token-value" {
		t.Errorf("%v", r.header)
	}
}

func TestNamesOfBucketsAreNotHosts(t *testing.T) {
	r := &recorder{}
	src := open(t, access("s3"), driver.Options{Transport: r})
	for _, path := range []string{"", "/", "/data", "a", "evil.example:80/x", "data@evil", "data?x", "..", "da..ta", "data#x", "-data", "données"} {
		if _, err := src.Changes(t.Context(), driver.Scope{Path: path}, nil); !errs.Is(err, errs.Invalid) || errs.ScopeOf(err) != errs.ScopePath {
			t.Errorf("%q: %v", path, err)
		}
	}
	if len(r.urls) != 0 {
		t.Errorf("requests to %v", r.urls)
	}
}

// fakeList is a source on a server that lists what the function says.
func fakeList(t *testing.T, list func(start, token string) string) (driver.Source, *int) {
	return fake(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		_, _ = io.WriteString(w, "<ListBucketResult><Name>data</Name>"+list(q.Get("start-after"), q.Get("continuation-token"))+"</ListBucketResult>")
	})
}
