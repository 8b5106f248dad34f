package csfle

import (
	"container/list"
	"sync"
	"time"
)

// cachedKey is a data key in the clear, with the names its document gives it.
type cachedKey struct {
	*dataKey
	names   []string
	expires time.Time
}

// keyCache holds keys for a fixed time from the moment they were asked for,
// however often they are used, and at most max of them. All live equally long,
// so the oldest are the first to expire and the first to be evicted.
type keyCache struct {
	ttl time.Duration
	max int
	now func() time.Time

	mu     sync.Mutex
	gen    uint64     // moves with every forget: what was read before is not cached after
	queue  *list.List // of *cachedKey, oldest first
	byID   map[KeyID]*list.Element
	byName map[string]*list.Element
}

func newKeyCache(ttl time.Duration, max int, now func() time.Time) *keyCache {
	return &keyCache{ttl: ttl, max: max, now: now, queue: list.New(),
		byID: map[KeyID]*list.Element{}, byName: map[string]*list.Element{}}
}

// getByID returns the key, or nil and the generation to hand to put.
func (c *keyCache) getByID(id KeyID) (*cachedKey, uint64) {
	return c.get(func() *list.Element { return c.byID[id] })
}

// getByName returns the key, or nil and the generation to hand to put.
func (c *keyCache) getByName(name string) (*cachedKey, uint64) {
	return c.get(func() *list.Element { return c.byName[name] })
}

func (c *keyCache) get(find func() *list.Element) (*cachedKey, uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropExpired()
	if e := find(); e != nil {
		return e.Value.(*cachedKey), c.gen
	}
	return nil, c.gen
}

// put caches a key that was asked for when the cache was at generation gen,
// unless a key was forgotten or the key has expired since.
func (c *keyCache) put(k *cachedKey, gen uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if gen != c.gen || !c.now().Before(k.expires) {
		return
	}
	c.drop(c.byID[k.id])
	for c.queue.Len() >= c.max {
		c.drop(c.queue.Front())
	}
	e := c.queue.PushBack(k)
	c.byID[k.id] = e
	for _, n := range k.names {
		c.byName[n] = e
	}
}

// forget drops keys and keeps loads that are under way from bringing them back.
func (c *keyCache) forget(ids []KeyID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gen++
	for _, id := range ids {
		c.drop(c.byID[id])
	}
}

func (c *keyCache) dropExpired() {
	now := c.now()
	for e := c.queue.Front(); e != nil && !now.Before(e.Value.(*cachedKey).expires); e = c.queue.Front() {
		c.drop(e)
	}
}

func (c *keyCache) drop(e *list.Element) {
	if e == nil {
		return
	}
	k := c.queue.Remove(e).(*cachedKey)
	delete(c.byID, k.id)
	for _, n := range k.names {
		if c.byName[n] == e {
			delete(c.byName, n)
		}
	}
}
