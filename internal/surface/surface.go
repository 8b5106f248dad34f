// Package surface is what the API and the dashboard have in common: how a request
// is taken down and logged, how often a key may ask, what a key reaches, and
// which status an error becomes. A rule about who may see what stands here once.
package surface

import (
	"net/http"
	"net/netip"
	"strings"
	"time"

	"mooring/internal/access"
	"mooring/internal/errs"
	"mooring/internal/id"
)

// Guard is what the surfaces of a process count together: the requests and open
// streams of each key, and the attempts with keys that nobody has. The zero
// Guard is ready for use.
type Guard struct {
	limits  limits
	guesses guesses
}

// Admit counts a request of a key; errs.Throttled when the key has used up its own.
func (g *Guard) Admit(k access.APIKey, now time.Time) error {
	if wait := g.limits.wait(k, now); wait > 0 {
		return &errs.Error{Kind: errs.Throttled, Op: "surface.limit", RetryAfter: wait, Msg: "this key has used up its requests for now"}
	}
	return nil
}

// Stream admits one more stream of a key; done ends it.
func (g *Guard) Stream(k id.APIKey) (done func(), err error) { return g.limits.open(k) }

// Guessed takes note of an attempt with something that nobody has. It returns
// errs.Throttled for an address that tries too often. log says whether to write
// a line, which then stands for so many attempts.
func (g *Guard) Guessed(ip string, now time.Time) (log bool, attempts int, err error) {
	log, attempts, wait := g.guesses.failed(ip, now)
	if wait > 0 {
		err = &errs.Error{Kind: errs.Throttled, Op: "surface.guess", RetryAfter: wait, Msg: "too many requests with keys that are not valid: wait, then send a current one"}
	}
	return log, attempts, err
}

// ClientIP is where a request comes from. X-Forwarded-For is read from its end
// and believed only as far as each hop is one of the trusted proxies.
func ClientIP(r *http.Request, proxies []netip.Prefix) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	ip := peer.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && trusted(proxies, ip); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		ip = hop.Unmap()
	}
	return ip.WithZone("").String()
}

func trusted(proxies []netip.Prefix, ip netip.Addr) bool {
	for _, p := range proxies {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// MaxUserAgent is how much of a client's name for itself is kept.
const MaxUserAgent = 500

// Clip cuts a text to n bytes, at a character's boundary.
func Clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
