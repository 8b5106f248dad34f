package provider

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"mooring/internal/connection/config"
	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// Budgets bound what all sources of a process do with one credential: how many
// calls are under way at once, which halves when the provider throttles and
// grows back with success, and not before when, after a Retry-After.
//
// A call is under way until its answer begins; reading the content that Open
// gave is not counted, so that a slow reader starves nobody.
type Budgets struct {
	most int

	mu    sync.Mutex
	all   map[[sha256.Size]byte]*budget
	swept time.Time // when those that nobody uses were looked through last
}

// DefaultConcurrency is how many calls of one credential are under way at once.
const DefaultConcurrency = 64

// keepBudget is how long what a credential has taught is remembered when nobody
// uses it, and sweepBudgets how often those that nobody uses are looked through:
// a process may have a hundred thousand of them.
const (
	keepBudget   = 10 * time.Minute
	sweepBudgets = time.Minute
)

// NewBudgets makes budgets of at most this concurrency; 0 is DefaultConcurrency.
func NewBudgets(most int) *Budgets {
	if most <= 0 {
		most = DefaultConcurrency
	}
	return &Budgets{most: most, all: map[[sha256.Size]byte]*budget{}}
}

// of returns the budget of a credential, and what gives it back.
func (b *Budgets) of(id [sha256.Size]byte, clock func() time.Time) (*budget, func()) {
	now := clock()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sweep(now)
	x := b.all[id]
	if x == nil {
		x = &budget{most: float64(b.most), limit: float64(b.most)}
		b.all[id] = x
	}
	x.users++
	var once sync.Once
	return x, func() {
		once.Do(func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			x.users--
			x.left = clock()
			if x.users == 0 && x.untaught(x.left) {
				delete(b.all, id)
			}
		})
	}
}

// sweep forgets what nobody has used for long. The lock is held.
func (b *Budgets) sweep(now time.Time) {
	if now.Sub(b.swept) < sweepBudgets {
		return
	}
	b.swept = now
	for id, x := range b.all {
		if x.users == 0 && now.Sub(x.left) > keepBudget {
			delete(b.all, id)
		}
	}
}

// identity tells apart what a provider throttles by itself: what the source says,
// else the credential. The secrets are part of it, so that nobody is throttled
// by another who only claims the same name.
func identity(name string, src driver.Source, c config.Config) [sha256.Size]byte {
	if s, ok := src.(driver.Budgeter); ok {
		return sha256.Sum256([]byte(name + "\x00" + s.Budget()))
	}
	secrets := map[string]string{}
	for k, v := range c.Secrets {
		secrets[k] = v.Reveal()
	}
	b, _ := json.Marshal([]any{c.Provider, c.Fields, c.Credential, c.Credentials, secrets}) // maps are written in order
	return sha256.Sum256(b)
}

// budget is that of one credential.
type budget struct {
	most  float64
	users int       // guarded by Budgets.mu, as is left
	left  time.Time // when a source was closed last

	mu        sync.Mutex
	limit     float64 // how many calls at once, at least 1
	underWay  int
	queue     []*waiter // first come, first served
	notBefore time.Time
	halvedAt  time.Time // calls begun before do not halve again
}

// untaught reports whether a new budget would be the same.
func (b *budget) untaught(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.limit == b.most && !b.notBefore.After(now)
}

type waiter struct{ ready chan struct{} }

// slot is the right to make one call.
type slot struct {
	b     *budget
	begun time.Time
}

// acquire waits for the provider's Retry-After and for a slot. A Retry-After
// that is further away than MaxWait is an error at once.
func (b *budget) acquire(ctx context.Context, s *Source, op string) (*slot, error) {
	for {
		if ctx.Err() != nil {
			return nil, ended(ctx, op)
		}
		now := s.deps.Options.Now()
		b.mu.Lock()
		wait := b.notBefore.Sub(now)
		b.mu.Unlock()
		if wait <= 0 {
			break
		}
		if wait > s.deps.MaxWait || tooLate(ctx, now.Add(wait)) {
			return nil, &errs.Error{
				Kind: errs.Throttled, Origin: errs.Provider, Scope: errs.ScopeConnection, Op: op, RetryAfter: wait,
				Msg: "the provider has asked this credential to wait",
			}
		}
		if s.deps.Sleep(ctx, wait+time.Duration(s.deps.Jitter()*float64(min(wait/4, 5*time.Second)))) != nil {
			return nil, ended(ctx, op)
		}
	}
	if err := b.enter(ctx, op); err != nil {
		return nil, err
	}
	return &slot{b: b, begun: s.deps.Options.Now()}, nil
}

// enter waits for a slot.
func (b *budget) enter(ctx context.Context, op string) error {
	b.mu.Lock()
	if len(b.queue) == 0 && b.underWay < int(b.limit) {
		b.underWay++
		b.mu.Unlock()
		return nil
	}
	w := &waiter{ready: make(chan struct{})}
	b.queue = append(b.queue, w)
	b.mu.Unlock()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.queue, w); i >= 0 {
		b.queue = slices.Delete(b.queue, i, i+1)
	} else { // it was let in meanwhile
		b.underWay--
		b.admit()
	}
	return ended(ctx, op)
}

// admit lets waiters in while there is room. The lock is held.
func (b *budget) admit() {
	for len(b.queue) > 0 && b.underWay < int(b.limit) {
		b.underWay++
		close(b.queue[0].ready)
		b.queue = b.queue[1:]
	}
}

// release ends a call and learns from how it went.
func (s *slot) release(err error, now time.Time) {
	b := s.b
	b.mu.Lock()
	defer b.mu.Unlock()
	b.underWay--
	e := &errs.Error{}
	if err != nil {
		e = errs.From(err)
	}
	switch {
	case err != nil && e.Kind == errs.Throttled:
		// Of a burst that is throttled as one, one halves.
		if !s.begun.Before(b.halvedAt) {
			b.limit = max(1, b.limit/2)
			b.halvedAt = now
		}
		if until := now.Add(e.RetryAfter); e.RetryAfter > 0 && until.After(b.notBefore) {
			b.notBefore = until
		}
	case err == nil:
		b.limit = min(b.most, b.limit+1/b.limit)
	}
	b.admit()
}
