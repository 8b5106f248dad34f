package outbound

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"mooring/internal/errs"
)

// harmless are the headers that may follow a redirect to another host. All
// others may hold credentials: which ones do is known to their protocols only.
var harmless = map[string]bool{
	"Accept": true, "Accept-Encoding": true, "Range": true, "User-Agent": true,
	"If-Match": true, "If-None-Match": true, "If-Range": true, "If-Modified-Since": true, "If-Unmodified-Since": true,
}

// redirect decides whether a redirect is followed, and with which headers. The
// address is checked when it is dialled, like every other.
func (g *Guard) redirect(r *http.Request, via []*http.Request) error {
	refuse := func(why string) error {
		return &errs.Error{
			Kind: errs.Unavailable, Origin: errs.Provider, Scope: errs.ScopeConnection,
			Msg: via[len(via)-1].URL.Host + " redirects " + why,
		}
	}
	switch {
	case len(via) > max(g.opts.MaxRedirects, 0):
		return refuse("more than " + strconv.Itoa(max(g.opts.MaxRedirects, 0)) + " times")
	case r.URL.Scheme != "http" && r.URL.Scheme != "https":
		return refuse("to something that is not HTTP")
	case r.URL.Scheme == "http" && via[0].URL.Scheme == "https":
		return refuse("from an encrypted to an open connection")
	}
	r.Header.Del("Referer") // it would repeat the query
	left := !SameOrigin(r.URL, via[0].URL)
	for _, v := range via {
		left = left || !SameOrigin(v.URL, via[0].URL)
	}
	if left {
		for name := range r.Header {
			if !harmless[http.CanonicalHeaderKey(name)] {
				delete(r.Header, name)
			}
		}
		r.Body, r.GetBody, r.ContentLength = nil, nil, 0 // a form may hold a secret
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			return refuse("a request with a body to another host")
		}
	}
	return nil
}

// SameOrigin says whether two addresses are of one scheme, host and port: what may
// be told to one may be told to the other.
func SameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return map[string]string{"http": "80", "https": "443"}[u.Scheme]
}
