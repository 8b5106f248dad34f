package all_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mooring/internal/connection/config"
	"mooring/internal/errs"
	"mooring/internal/outbound"
	"mooring/internal/provider/all"
	"mooring/internal/provider/driver"
	"mooring/internal/secret"
)

// flood is a provider each of whose answers has no end.
type flood struct {
	status int
	begin  string // of the answer
	sent   atomic.Int64
}

func (f *flood) Client(bool) *http.Client { return &http.Client{Transport: f} }
func (f *flood) Operator() *http.Client   { return f.Client(false) }

// RoundTrip implements http.RoundTripper.
func (f *flood) RoundTrip(r *http.Request) (*http.Response, error) {
	out := &http.Response{StatusCode: f.status, Header: http.Header{"Content-Type": {"application/json"}}, Request: r, ProtoMajor: 1, ProtoMinor: 1, ContentLength: -1}
	if strings.HasSuffix(r.URL.Path, "/token") {
		out.StatusCode, out.Body = http.StatusOK, io.NopCloser(strings.NewReader(`{"access_token":"t","token_type":"Bearer","expires_in":3600}`))
		return out, nil
	}
	out.Body = io.NopCloser(io.MultiReader(strings.NewReader(f.begin), blanks{&f.sent}))
	return out, nil
}

// blanks are spaces without end.
type blanks struct{ sent *atomic.Int64 }

// Read implements io.Reader.
func (b blanks) Read(p []byte) (int, error) {
	b.sent.Add(int64(len(p)))
	return copy(p, bytes.Repeat([]byte{' '}, len(p))), nil
}

// direct opens an adapter without the retrying around it.
func direct(t *testing.T, name string, tr driver.Transport, endpoints map[string]string) driver.Source {
	t.Helper()
	var raw map[string]any
	if err := json.Unmarshal([]byte(fields[name].config), &raw); err != nil {
		t.Fatal(err)
	}
	c, err := config.Decode(name, raw, errs.NewFields("provider_config"))
	if err != nil {
		t.Fatal(err)
	}
	src, err := all.Adapters()[name](t.Context(), c, driver.Options{Transport: tr, Tokens: granted{}, Now: time.Now, Endpoints: endpoints})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = src.Close() })
	return src
}

// listing is a path that each of these providers lists without asking more.
var listing = map[string]string{"s3": "bucket", "google_drive": "", "sharepoint": ""}

// TestAListingPageWithoutEndIsGivenUp: what is read of one answer stays below
// what a process can hold, whether the answer is a page or a refusal.
func TestAListingPageWithoutEndIsGivenUp(t *testing.T) {
	const most = 70 << 20
	for name, path := range listing {
		for _, status := range []int{http.StatusOK, http.StatusForbidden} {
			f := &flood{status: status, begin: map[string]string{"s3": "<ListBucketResult>"}[name]}
			_, err := direct(t, name, f, nil).Changes(t.Context(), driver.Scope{Path: path}, nil)
			if err == nil || f.sent.Load() == 0 || f.sent.Load() > most {
				t.Errorf("%s, %d: %v after %d MiB", name, status, err, f.sent.Load()>>20)
			}
			if status == http.StatusOK && !errs.Is(err, errs.Corrupt) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestCompressedAnswersAreNotUnpacked: nobody asks for compression, so an answer
// that comes compressed all the same is no answer, however much it would unpack to.
func TestCompressedAnswersAreNotUnpacked(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	if _, err := io.CopyN(z, blanks{new(atomic.Int64)}, 200<<20); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if e := r.Header.Get("Accept-Encoding"); strings.Contains(e, "gzip") {
			t.Errorf("%s asks for %s", r.URL.Path, e)
		}
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(bomb.Bytes())
	}))
	defer s.Close()
	g := outbound.New(outbound.Options{AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	defer g.Close()
	for name, path := range listing {
		before := asked.Load()
		src := direct(t, name, g, map[string]string{"api": s.URL, "token": s.URL})
		if _, err := src.Changes(t.Context(), driver.Scope{Path: path}, nil); err == nil || asked.Load() == before {
			t.Errorf("%s: %v after %d requests", name, err, asked.Load()-before)
		}
	}
	resp, err := g.Client(false).Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); err != nil || n != int64(bomb.Len()) {
		t.Errorf("%d bytes were made of %d: %v", n, bomb.Len(), err)
	}
}

// granted gives a token without asking for one.
type granted struct{}

func (granted) Access(context.Context, secret.String, driver.Exchange) (secret.String, error) {
	return secret.New("t"), nil
}
