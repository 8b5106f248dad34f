package gdrive

import (
	"net/http"
	"sync"
	"time"

	"mooring/internal/errs"
	"mooring/internal/outbound"
)

const (
	maxAnswer = 64 << 20 // bytes of JSON: a page of 1000 files takes a few
	maxError  = 1 << 20
)

var errTooLarge = &errs.Error{Kind: errs.Corrupt, Origin: errs.Provider, Scope: errs.ScopePath, Msg: "the answer is far larger than one of Google Drive"}

// bounds bounds what an answer other than content may bring, since the client of
// the API reads it whole.
type bounds struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounds) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	switch {
	case resp.StatusCode >= 400:
		resp.Body = outbound.Limit(resp.Body, maxError, nil)
	case r.URL.Query().Get("alt") == "json":
		resp.Body = outbound.Limit(resp.Body, maxAnswer, errTooLarge)
	}
	return resp, nil
}

// cache remembers some values for a while. The zero value is ready for use.
type cache[T any] struct {
	mu  sync.Mutex
	all map[string]cached[T]
}

type cached[T any] struct {
	value T
	at    time.Time
}

const (
	cacheLife = time.Minute
	cacheMost = 50_000
)

func (c *cache[T]) get(key string, now time.Time) (T, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.all[key]
	return e.value, ok && now.Sub(e.at) < cacheLife
}

func (c *cache[T]) put(key string, v T, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil || len(c.all) >= cacheMost {
		c.all = map[string]cached[T]{}
	}
	c.all[key] = cached[T]{v, now}
}

func (c *cache[T]) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = nil
}
