package e2e

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// tap stands before an emulator: it notes the secrets that clients present, those
// that the emulator made up included, and may answer in its place.
type tap struct {
	*httptest.Server
	mu      sync.Mutex
	secrets map[string]string // what it is, by value
	count   int
	next    http.Handler
	answer  func(w http.ResponseWriter, r *http.Request, body []byte) bool
}

func newTap(t *testing.T) *tap {
	t.Helper()
	return &tap{secrets: map[string]string{}}
}

// serve begins to pass requests on.
func (p *tap) serve(t *testing.T, next http.Handler) {
	t.Helper()
	p.next = next
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		answer := p.note(r, body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if answer == nil || !answer(w, r, body) {
			next.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(p.Close)
}

var (
	presented = regexp.MustCompile(`^(?:Bearer |Snowflake Token=")([^"]+)`)
	inLogin   = regexp.MustCompile(`"(?:TOKEN|oldSessionToken)":"((?:[^"\\]|\\.)+)"`)
)

// note keeps the secrets of a request.
func (p *tap) note(r *http.Request, body []byte) func(http.ResponseWriter, *http.Request, []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count++
	if m := presented.FindStringSubmatch(r.Header.Get("Authorization")); m != nil {
		p.secrets[m[1]] = "an access token"
	}
	if form, err := url.ParseQuery(string(body)); err == nil {
		for _, field := range []string{"assertion", "refresh_token", "client_secret"} {
			if v := form.Get(field); v != "" {
				p.secrets[v] = "the " + field + " of a request for a token"
			}
		}
	}
	for _, m := range inLogin.FindAllStringSubmatch(string(body), -1) {
		p.secrets[m[1]] = "what a login presents"
	}
	if _, ticket, ok := strings.Cut(r.URL.Path, "/_layouts/download/"); ok {
		p.secrets[ticket] = "a pre-authenticated URL"
	}
	return p.answer
}

// intercept lets f answer requests from now on, those for which it returns true;
// nil ends it.
func (p *tap) intercept(f func(w http.ResponseWriter, r *http.Request, body []byte) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = f
}

// requests is how many have come.
func (p *tap) requests() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

// seen are the secrets that were presented, with what each is.
func (p *tap) seen() map[string]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.secrets)
}
