package gdrive

import (
	"io"
	"net/http"
	"sync"
	"time"

	"mooring/internal/errs"
)

const (
	maxAnswer = 64 << 20 // bytes of JSON: a page of 1000 files takes a few
	maxError  = 1 << 20
)

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
		resp.Body = limited{io.LimitReader(resp.Body, maxError), resp.Body}
	case r.URL.Query().Get("alt") == "json":
		resp.Body = limited{&capped{resp.Body, maxAnswer}, resp.Body}
	}
	return resp, nil
}

type limited struct {
	io.Reader
	io.Closer
}

// capped fails where a reader goes on for too long.
type capped struct {
	r    io.Reader
	left int64
}

func (c *capped) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, &errs.Error{Kind: errs.Corrupt, Origin: errs.Provider, Scope: errs.ScopePath, Msg: "the answer is far larger than one of Google Drive"}
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
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
