package snowflake_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	emulator "mooring/emulator/snowflake"
	"mooring/internal/errs"
	"mooring/internal/provider/driver"
	"mooring/internal/provider/snowflake"
)

// tampered is a transport whose answers somebody changes.
type tampered struct {
	driver.Transport
	change func(q *http.Request, r *http.Response)
	ask    func(q *http.Request) // before it is sent
}

func (m tampered) Client(insecure bool) *http.Client {
	next := m.Transport.Client(insecure).Transport
	return &http.Client{Transport: trip(func(q *http.Request) (*http.Response, error) {
		if m.ask != nil {
			q = q.Clone(q.Context())
			m.ask(q)
		}
		r, err := next.RoundTrip(q)
		if err == nil && m.change != nil {
			m.change(q, r)
		}
		return r, err
	})}
}

type trip func(*http.Request) (*http.Response, error)

func (f trip) RoundTrip(q *http.Request) (*http.Response, error) { return f(q) }

// TestNoRedirectTakesThePasswordElsewhere: 307 repeats a request with its body.
func TestNoRedirectTakesThePasswordElsewhere(t *testing.T) {
	var met atomic.Int32
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { met.Add(1) }))
	defer thief.Close()
	for path, op := range map[string]emulator.Operation{
		"/session/v1/login-request": emulator.Login, "/queries/v1/query-request": emulator.Query, "/chunks/": emulator.Chunk,
	} {
		srv := table(t, emulator.Options{ChunkRows: 10}, 100)
		o := options(t, srv)
		o.Transport = tampered{Transport: o.Transport, change: func(q *http.Request, r *http.Response) {
			if strings.HasPrefix(q.URL.Path, path) {
				r.StatusCode = http.StatusTemporaryRedirect
				r.Header.Set("Location", thief.URL+q.URL.Path)
			}
		}}
		src, err := openWith(t, settings(keyed), o)
		must(t, err)
		_, err = src.Changes(t.Context(), driver.Scope{Path: items}, nil)
		if e := kind(t, err, errs.Unavailable, errs.ScopeConnection); !strings.Contains(e.Message(), "redirects") {
			t.Errorf("%s: %v", path, err)
		}
		if n := srv.Count(op); n == 0 {
			t.Errorf("%s was never asked", path)
		}
	}
	if n := met.Load(); n != 0 {
		t.Errorf("another host was sent %d requests", n)
	}
}

// TestPartsOfAResultLeadNowhereElse: the addresses of chunks are what an answer
// says. The guard decides on each, and none goes without TLS after a login with it.
func TestPartsOfAResultLeadNowhereElse(t *testing.T) {
	for _, to := range []string{"http://169.254.169.254", "http://[::ffff:169.254.169.254]", "http://10.0.0.1"} {
		srv := table(t, emulator.Options{ChunkRows: 10}, 100)
		o := options(t, srv)
		o.Transport = tampered{Transport: o.Transport, change: func(q *http.Request, r *http.Response) {
			if q.URL.Path == "/queries/v1/query-request" {
				b, err := io.ReadAll(r.Body)
				must(t, err)
				r.Body = io.NopCloser(bytes.NewReader(bytes.ReplaceAll(b, []byte(srv.URL()+"/chunks"), []byte(to+"/chunks"))))
			}
		}}
		src, err := openWith(t, settings(keyed), o)
		must(t, err)
		_, err = src.Changes(t.Context(), driver.Scope{Path: items}, nil)
		if !errs.Is(err, errs.Invalid) || srv.Count(emulator.Chunk) != 0 {
			t.Errorf("%s: %v", to, err)
		}
	}

	srv := table(t, emulator.Options{ChunkRows: 10}, 100)
	o := options(t, srv)
	o.Endpoints = map[string]string{"api": "https://snowflake.example"}
	o.Transport = tampered{Transport: o.Transport, ask: func(q *http.Request) { // stands for TLS
		q.URL.Scheme, q.URL.Host = "http", strings.TrimPrefix(srv.URL(), "http://")
	}}
	src, err := openWith(t, settings(keyed), o)
	must(t, err)
	_, err = src.Changes(t.Context(), driver.Scope{Path: items}, nil)
	if e := errs.From(err); e.Kind != errs.Corrupt || e.Code != "BadAddress" || srv.Count(emulator.Chunk) != 0 {
		t.Errorf("%v, after %d chunks", err, srv.Count(emulator.Chunk))
	}
}

// endless is JSON without end: 64 KiB of white space at a time.
type endless struct{ read *atomic.Int64 }

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.read.Add(int64(len(p)))
	return len(p), nil
}

// TestAnswersWithoutEndAreGivenUp: plain ones, and ones that unpack to far more
// than they weigh, wherever the driver reads one.
func TestAnswersWithoutEndAreGivenUp(t *testing.T) {
	const most = 1 << 20
	snowflake.BoundAnswers(t, most)
	bomb := packed(t, 100*most)
	for path, from := range map[string]func(*atomic.Int64) io.Reader{
		"/session/v1/login-request": func(n *atomic.Int64) io.Reader { return endless{n} },
		"/queries/v1/query-request": func(n *atomic.Int64) io.Reader { return endless{n} },
		"/chunks/":                  func(*atomic.Int64) io.Reader { return bytes.NewReader(bomb) },
	} {
		var read atomic.Int64
		srv := table(t, emulator.Options{ChunkRows: 10}, 100)
		o := options(t, srv)
		o.Transport = tampered{Transport: o.Transport, change: func(q *http.Request, r *http.Response) {
			if strings.HasPrefix(q.URL.Path, path) {
				r.Body = io.NopCloser(from(&read))
			}
		}}
		src, err := openWith(t, settings(keyed), o)
		must(t, err)
		_, err = src.Changes(t.Context(), driver.Scope{Path: items}, nil)
		if e := errs.From(err); e.Kind != errs.Corrupt || !strings.Contains(e.Message(), "larger") || read.Load() > 2*most {
			t.Errorf("%s: %v, after %d bytes", path, err, read.Load())
		}
	}
}

// packed is so much white space, compressed.
func packed(t *testing.T, n int64) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	must(t, err)
	_, err = io.CopyN(z, endless{new(atomic.Int64)}, n)
	must(t, err)
	must(t, z.Close())
	return b.Bytes()
}

// TestCompressedPartsAreRead: Snowflake does compress what it gives.
func TestCompressedPartsAreRead(t *testing.T) {
	srv := table(t, emulator.Options{ChunkRows: 10}, 100)
	o := options(t, srv)
	o.Transport = tampered{Transport: o.Transport, change: func(q *http.Request, r *http.Response) {
		if strings.HasPrefix(q.URL.Path, "/chunks/") {
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			_, err := io.Copy(z, r.Body)
			must(t, err)
			must(t, z.Close())
			r.Body, r.ContentLength = io.NopCloser(&b), int64(b.Len())
		}
	}}
	src, err := openWith(t, settings(keyed), o)
	must(t, err)
	if all, _ := follow(t, src, items, nil); len(all) != 100 {
		t.Errorf("%d rows", len(all))
	}
}
