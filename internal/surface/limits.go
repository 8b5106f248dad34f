package surface

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"mooring/internal/access"
	"mooring/internal/errs"
	"mooring/internal/id"
)

// limits holds a bucket of tokens for each key that has a limit, and counts the
// streams that each key has open.
type limits struct {
	mu      sync.Mutex
	keys    map[id.APIKey]*limiter
	streams map[id.APIKey]int
}

// RequestTimeout ends what a request has the store and providers do, unless its
// answer is as long as it is.
const RequestTimeout = 5 * time.Minute

// maxStreams is how many event streams a key may have open at once.
const maxStreams = 16

// open admits one more stream of a key; done ends it.
func (l *limits) open(k id.APIKey) (done func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.streams == nil {
		l.streams = map[id.APIKey]int{}
	}
	if l.streams[k] >= maxStreams {
		return nil, &errs.Error{Kind: errs.Throttled, Op: "surface.limit", RetryAfter: 5 * time.Second, Msg: "this key has 16 event streams open: end one first"}
	}
	l.streams[k]++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.streams[k]--; l.streams[k] == 0 {
			delete(l.streams, k)
		}
	}, nil
}

type limiter struct {
	*rate.Limiter
	perMinute int
	used      time.Time
}

// limitersKept bounds the map: beyond it, those idle for a minute, which are
// full again, are forgotten.
const limitersKept = 10_000

// wait is how long a key has to wait before its next request; 0 admits it.
func (l *limits) wait(k access.APIKey, now time.Time) time.Duration {
	if k.RateLimit == nil {
		return 0
	}
	n := *k.RateLimit
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.keys == nil {
		l.keys = map[id.APIKey]*limiter{}
	}
	lim := l.keys[k.ID]
	if lim == nil || lim.perMinute != n {
		if len(l.keys) >= limitersKept {
			l.forget(now)
		}
		lim = &limiter{Limiter: rate.NewLimiter(rate.Limit(float64(n)/60), n), perMinute: n}
		l.keys[k.ID] = lim
	}
	lim.used = now
	r := lim.ReserveN(now, 1)
	delay := r.DelayFrom(now)
	if delay > 0 {
		r.CancelAt(now)
	}
	return delay
}

func (l *limits) forget(now time.Time) {
	for k, lim := range l.keys {
		if now.Sub(lim.used) > time.Minute {
			delete(l.keys, k)
		}
	}
}
