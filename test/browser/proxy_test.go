//go:build browser

package browser

import (
	"net/http"
	"slices"
	"strings"
	"sync"
)

// expected are hosts that are not remembered: one that a test asks for, to see
// that it is noticed, and those that Chromium itself looks for in spite of its
// flags: the browser itself, for what a page asks for is watched in the tests. They
// are refused too.
var expected = []string{"outside.invalid", "accounts.google.com", "content-autofill.googleapis.com", "update.googleapis.com"}

// proxy stands where a browser's requests to other machines arrive: it answers
// none and remembers all.
type proxy struct {
	mu   sync.Mutex
	urls []string
}

// ServeHTTP implements http.Handler.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if host, _, _ := strings.Cut(r.Host, ":"); !slices.Contains(expected, host) {
		p.mu.Lock()
		p.urls = append(p.urls, r.Method+" "+r.Host+r.URL.Path)
		p.mu.Unlock()
	}
	http.Error(w, "nothing leaves this machine", http.StatusForbidden)
}

func (p *proxy) asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.urls)
}
