package outbound

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// sites remembers, for each site that answered, one address by which it can be
// asked again. Addresses of this machine are no sites: they answer also when
// the network is gone.
type sites struct {
	mu    sync.Mutex
	known map[string]site
}

type site struct {
	address string // host:port
	at      time.Time
}

// sitesKept bounds the memory; sitesAsked, and siteTimeout each, what asking costs.
const (
	sitesKept   = 256
	sitesAsked  = 8
	siteTimeout = 3 * time.Second
)

// answered takes note of a host that gave an answer, whatever it was.
func (s *sites) answered(r *http.Request) {
	name := siteOf(r.URL.Hostname())
	if name == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = map[string]site{}
	}
	if _, ok := s.known[name]; !ok && len(s.known) >= sitesKept {
		oldest := name
		for n, k := range s.known {
			if o, ok := s.known[oldest]; !ok || k.at.Before(o.at) {
				oldest = n
			}
		}
		delete(s.known, oldest)
	}
	s.known[name] = site{net.JoinHostPort(r.URL.Hostname(), port(r.URL)), time.Now()}
}

// siteOf is what hosts of one provider share: the last two labels of a name.
func siteOf(host string) string {
	if a, err := netip.ParseAddr(host); err == nil {
		if a.IsLoopback() {
			return ""
		}
		return a.String()
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return ""
	}
	labels := strings.Split(host, ".")
	return strings.Join(labels[max(len(labels)-2, 0):], ".")
}

func (s *sites) some() (addresses []string, known int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.known {
		if len(addresses) < sitesAsked {
			addresses = append(addresses, k.address)
		}
	}
	return addresses, len(s.known)
}

// Isolated reports whether of the sites that have answered this process before
// none can be reached now. It takes two of them to tell a network that is gone
// from a provider that is; with fewer, and behind a proxy, the answer is no.
func (g *Guard) Isolated(ctx context.Context) bool {
	addresses, known := g.sites.some()
	if known < 2 || g.opts.Proxy != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, siteTimeout)
	defer cancel()
	reached := make(chan bool, len(addresses))
	for _, address := range addresses {
		go func() {
			conn, err := g.strict.DialContext(ctx, "tcp", address)
			if err == nil {
				_ = conn.Close()
			}
			reached <- err == nil
		}()
	}
	for range addresses {
		if <-reached {
			return false
		}
	}
	return true
}
