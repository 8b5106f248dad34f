// Package outbound makes the HTTP clients for every connection that a tenant
// can direct. The address of each connection is checked when it is dialled,
// after the name was resolved, so that no name, redirect or rebinding leads into
// the operator's own network.
package outbound

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

// Options configure a Guard. The zero value reaches public addresses only.
type Options struct {
	// AllowNetworks are networks beside the public ones that may be reached
	// (--allow-network). Cloud metadata, link-local, multicast and unspecified
	// addresses stay refused whatever is allowed.
	AllowNetworks []netip.Prefix
	// Proxy, when set, carries all requests (--outbound-proxy). The environment
	// is never asked. A proxy resolves names itself: what this process resolves
	// them to is checked before, but not what the proxy does.
	Proxy *url.URL
	// MaxRedirects is how many redirects are followed, 5 when 0, none when negative.
	MaxRedirects int
	// Resolver resolves names, net.DefaultResolver when nil.
	Resolver *net.Resolver

	DialTimeout   time.Duration // 10 s when 0
	TLSTimeout    time.Duration // 10 s when 0
	HeaderTimeout time.Duration // until an answer begins, 60 s when 0
	StallTimeout  time.Duration // the longest wait for more of a body, 60 s when 0
}

// Guard makes guarded clients (it is a driver.Transport). All clients of one
// Guard share their connections. It is safe for concurrent use.
type Guard struct {
	opts     Options
	strict   *http.Transport // verifies certificates
	lax      *http.Transport // does not
	operator *http.Transport // dials anywhere
	sites    sites
}

// New makes a Guard.
func New(o Options) *Guard {
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	if o.MaxRedirects == 0 {
		o.MaxRedirects = 5
	}
	def(&o.DialTimeout, 10*time.Second)
	def(&o.TLSTimeout, 10*time.Second)
	def(&o.HeaderTimeout, time.Minute)
	def(&o.StallTimeout, time.Minute)
	g := &Guard{opts: o}
	guarded := g.check
	if o.Proxy != nil {
		guarded = nil // every connection goes to the proxy, which the operator chose
	}
	g.strict, g.lax, g.operator = g.transport(guarded, false), g.transport(guarded, true), g.transport(nil, false)
	return g
}

func def(d *time.Duration, to time.Duration) {
	if *d == 0 {
		*d = to
	}
}

// transport makes a pool of connections. The pool suits many small parallel
// requests to one host: what is closed after use costs a handshake each.
func (g *Guard) transport(check func(netip.Addr) error, insecure bool) *http.Transport {
	d := &net.Dialer{Timeout: g.opts.DialTimeout, KeepAlive: 30 * time.Second, Resolver: g.opts.Resolver}
	if check != nil {
		d.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil {
				return &Refused{Reason: "the address can't be read"}
			}
			return check(to.Addr())
		}
	}
	t := &http.Transport{
		DialContext:            d.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: insecure}, //nolint:gosec // verify_ssl false is the tenant's own choice
		TLSHandshakeTimeout:    g.opts.TLSTimeout,
		ResponseHeaderTimeout:  g.opts.HeaderTimeout,
		ExpectContinueTimeout:  time.Second,
		MaxIdleConns:           1024,
		MaxIdleConnsPerHost:    128,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 1 << 20,
		DisableCompression:     true, // content arrives as it is stored
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
	}
	if g.opts.Proxy != nil {
		t.Proxy = http.ProxyURL(g.opts.Proxy)
	}
	return t
}

// Client returns a client for tenant-directed traffic. insecure skips the
// verification of certificates and nothing else. Its errors are *errs.Error: an
// address that is refused is Invalid, what can't be reached Unavailable.
func (g *Guard) Client(insecure bool) *http.Client {
	t := g.strict
	if insecure {
		t = g.lax
	}
	return &http.Client{Transport: &roundTripper{guard: g, next: t, guarded: true}, CheckRedirect: g.redirect}
}

// Operator returns a client for the operator's own identity (STS, KMS). Its
// addresses are the operator's choice and are not checked; it follows no redirect.
func (g *Guard) Operator() *http.Client {
	return NoRedirects(&http.Client{Transport: &roundTripper{guard: g, next: g.operator}})
}

// NoRedirects returns a client that gives a redirect as an answer instead of
// following it: for protocols whose requests are signed for one host.
func NoRedirects(c *http.Client) *http.Client {
	out := *c
	out.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &out
}

// Check reports why a host can't be reached through Client, before anything is
// sent: one of its addresses is refused (Invalid). What it has when it is used
// decides then.
func (g *Guard) Check(ctx context.Context, host string) error {
	if err := g.beforeProxy(ctx, host); err != nil {
		return classify(ctx, host, err)
	}
	return nil
}

// Close drops idle connections.
func (g *Guard) Close() {
	for _, t := range []*http.Transport{g.strict, g.lax, g.operator} {
		t.CloseIdleConnections()
	}
}
