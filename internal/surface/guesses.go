package surface

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// guesses slows down whoever tries keys that nobody has. Such an attempt
// belongs to no organization, so it is in the log, not in a trail; and the log
// gets one line for each address and minute, however many there are.
type guesses struct {
	mu   sync.Mutex
	from map[netip.Prefix]*guesser
}

type guesser struct {
	limit  *rate.Limiter
	logged time.Time
	used   time.Time
	silent int // attempts since the last line
}

const (
	guessesAMinute = 30
	guessersKept   = 10_000
)

// failed takes note of an attempt from an address. log says whether to write a
// line, which then stands for so many attempts; wait is positive for one that
// tries too often.
func (g *guesses) failed(ip string, now time.Time) (log bool, attempts int, wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.from == nil {
		g.from = map[netip.Prefix]*guesser{}
	}
	network := networkOf(ip)
	x := g.from[network]
	if x == nil {
		if len(g.from) >= guessersKept {
			g.forget(now)
		}
		x = &guesser{limit: rate.NewLimiter(rate.Limit(guessesAMinute/60.0), guessesAMinute)}
		g.from[network] = x
	}
	x.used = now
	x.silent++
	if now.Sub(x.logged) >= time.Minute {
		log, attempts, x.logged, x.silent = true, x.silent, now, 0
	}
	if r := x.limit.ReserveN(now, 1); r.DelayFrom(now) > 0 {
		wait = r.DelayFrom(now)
		r.CancelAt(now)
	}
	return log, attempts, wait
}

// forget drops those that have been silent for a minute; if there are none, all:
// an attack from so many networks is not slowed by remembering them.
func (g *guesses) forget(now time.Time) {
	for k, x := range g.from {
		if now.Sub(x.used) > time.Minute {
			delete(g.from, k)
		}
	}
	if len(g.from) >= guessersKept {
		clear(g.from)
	}
}

// networkOf is an address, or for version 6 the network that one customer has.
func networkOf(ip string) netip.Prefix {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return netip.Prefix{}
	}
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits)
	return p
}
