package engine

import (
	"container/list"
	"context"
	"sync"
)

// pool bounds the transfers of a run by their number and by the bytes in
// flight. It adapts: throttling halves the number, successes grow it back one
// by one. Waiters are served in order of arrival.
type pool struct {
	mu       sync.Mutex
	limit    int // transfers at once, 1..most
	most     int
	active   int
	bytes    int64
	maxBytes int64
	waiting  *list.List // of *waiter
	good     int        // successes since the limit last moved
	cuts     int        // how often the limit was cut
}

type waiter struct {
	size  int64
	ready chan struct{}
}

// permit is the right to do one transfer.
type permit struct {
	p    *pool
	size int64
	cuts int // of the pool when the permit was given
}

func newPool(most int, maxBytes int64) *pool {
	return &pool{limit: most, most: most, maxBytes: maxBytes, waiting: list.New()}
}

// acquire waits for a permit. An item larger than all bytes allowed goes alone.
func (p *pool) acquire(ctx context.Context, size int64) (*permit, error) {
	size = min(max(size, 0), p.maxBytes)
	p.mu.Lock()
	if p.waiting.Len() == 0 && p.fits(size) {
		defer p.mu.Unlock()
		return p.take(size), nil
	}
	w := &waiter{size: size, ready: make(chan struct{})}
	e := p.waiting.PushBack(w)
	p.mu.Unlock()
	select {
	case <-w.ready:
		p.mu.Lock()
		defer p.mu.Unlock()
		return &permit{p, size, p.cuts}, nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-w.ready: // granted meanwhile: hand it on
		p.active--
		p.bytes -= size
	default:
		p.waiting.Remove(e)
	}
	p.wake()
	return nil, context.Cause(ctx)
}

// spare gives a permit for a part of an item that is under way, if one is free that
// nobody waits for; nil: there is none.
func (p *pool) spare() *permit {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting.Len() > 0 || p.active >= p.limit {
		return nil
	}
	return p.take(0)
}

func (p *pool) fits(size int64) bool {
	return p.active < p.limit && (p.active == 0 || p.bytes+size <= p.maxBytes)
}

func (p *pool) take(size int64) *permit {
	p.active++
	p.bytes += size
	return &permit{p, size, p.cuts}
}

func (p *pool) wake() {
	for e := p.waiting.Front(); e != nil; e = p.waiting.Front() {
		w := e.Value.(*waiter)
		if !p.fits(w.size) {
			return
		}
		p.take(w.size)
		p.waiting.Remove(e)
		close(w.ready)
	}
}

// release ends a transfer; good says that it succeeded.
func (t *permit) release(good bool) {
	p := t.p
	p.mu.Lock()
	defer p.mu.Unlock()
	p.active--
	p.bytes -= t.size
	if good && p.limit < p.most {
		if p.good++; p.good >= p.limit {
			p.good = 0
			p.limit++
		}
	}
	p.wake()
}

// throttled halves the number of transfers, once for all that were under way
// when the provider said so.
func (t *permit) throttled() {
	p := t.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if t.cuts == p.cuts {
		p.limit = max(1, p.limit/2)
		p.cuts++
		p.good = 0
	}
	t.cuts = p.cuts
}
