// Package providertest proves adapters and their users: Run is the conformance
// suite of package driver, and Flat, Rows and Feed are in-memory sources that
// pass it, with faults that are scripted and counted.
package providertest

import (
	"context"
	"sync"
	"time"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// The methods that faults, gates and counters tell apart: those of
// driver.Source and its optional parts, and Read for each read of an opened item.
const (
	Check      = "Check"
	Browse     = "Browse"
	Changes    = "Changes"
	Stat       = "Stat"
	Open       = "Open"
	OpenRange  = "OpenRange"
	Read       = "Read"
	Split      = "Split"
	Attributes = "Attributes"
	Walk       = "Walk"
)

// Call is one operation on a fake.
type Call struct {
	Method string
	ID     string // Stat, Open, OpenRange, Read, Attributes, Walk: the item; Changes, Split, Browse, Check: the path
	Page   int    // Changes, Walk: which page of the enumeration, feed or walk is asked for, from 1
	N      int    // how many calls of this method there have been, this one included
}

// Gate is called before each operation, outside of all locks: it may block (to
// observe concurrency), change the source, cancel a context (a kill point), or
// return an error that the operation then returns.
type Gate func(ctx context.Context, c Call) error

// Fault is a scripted failure of the calls that match: those after the first
// After, at most Times of them (0: all).
type Fault struct {
	Method string // "" is any
	ID     string // "" is any
	Page   int    // 0 is any
	After  int
	Times  int
	Action Action
}

// Action is what a fault does to a call.
type Action func(*effect)

// effect is what the actions that met a call make of it.
type effect struct {
	err        error
	short      int64 // reads end after so many bytes, -1: not
	corrupt    int64 // the byte at this offset is another one, -1: none
	spoilSum   bool
	swap       bool
	orderError bool
	incomplete bool
	empty      bool
	duplicate  bool
}

// Fail fails the call as a provider would.
func Fail(k errs.Kind) Action {
	return FailWith(&errs.Error{Kind: k, Origin: errs.Provider, Scope: scopeOf(k), Code: "Scripted", RequestID: "req-scripted"})
}

// scopeOf is the scope an adapter usually gives with a kind.
func scopeOf(k errs.Kind) errs.Scope {
	switch k {
	case errs.Unauthenticated, errs.Throttled, errs.Unavailable:
		return errs.ScopeConnection
	case errs.Stale, errs.Corrupt:
		return errs.ScopeObject
	}
	return errs.ScopePath
}

// FailWith fails the call with err as it is.
func FailWith(err error) Action { return func(e *effect) { e.err = err } }

// Throttle fails the call with Throttled and a RetryAfter.
func Throttle(after time.Duration) Action {
	return FailWith(&errs.Error{
		Kind: errs.Throttled, Origin: errs.Provider, Scope: errs.ScopeConnection, Code: "SlowDown", RetryAfter: after,
	})
}

// ShortRead (Open) breaks the transfer with io.ErrUnexpectedEOF after n bytes.
func ShortRead(n int64) Action { return func(e *effect) { e.short = n } }

// CorruptByte (Open) changes the byte at this offset of the item.
func CorruptByte(off int64) Action { return func(e *effect) { e.corrupt = off } }

// WrongChecksum (Open) makes the checksums wrong; there must be some.
func WrongChecksum() Action { return func(e *effect) { e.spoilSum = true } }

// BreakOrder (Changes) exchanges the first and the last item of the page, which
// goes on saying that it is ordered: a driver that lies.
func BreakOrder() Action { return func(e *effect) { e.swap = true } }

// OrderError (Changes) is a driver that notices: errs.Corrupt with
// driver.CodeListOrder unless the scope is Unordered.
func OrderError() Action { return func(e *effect) { e.orderError = true } }

// Incomplete (Changes) marks the page as one that leaves something out.
func Incomplete() Action { return func(e *effect) { e.incomplete = true } }

// EmptyListing (Changes) gives a page without items that says it is the last.
func EmptyListing() Action { return func(e *effect) { e.empty = true } }

// Duplicate (Changes) gives the page's first item once more at its end.
func Duplicate() Action { return func(e *effect) { e.duplicate = true } }

// Script is the part that all fakes share: faults, gate and counters. It is
// safe for concurrent use.
type Script struct {
	mu     sync.Mutex
	gate   Gate
	faults []*scripted
	counts map[string]int
}

type scripted struct {
	Fault
	seen, hits int
}

// SetGate installs the gate; nil removes it.
func (s *Script) SetGate(g Gate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate = g
}

// Inject adds a fault. Several may meet one call.
func (s *Script) Inject(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &scripted{Fault: f})
}

// ClearFaults removes all faults.
func (s *Script) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// FailPage fails the nth page of an enumeration, times times (0: always).
func (s *Script) FailPage(n int, k errs.Kind, times int) {
	s.Inject(Fault{Method: Changes, Page: n, Times: times, Action: Fail(k)})
}

// FailOpen fails the Open of an item, times times (0: always).
func (s *Script) FailOpen(id string, k errs.Kind, times int) {
	s.Inject(Fault{Method: Open, ID: id, Times: times, Action: Fail(k)})
}

// Count returns how many calls of a method there were; "" counts all but reads.
func (s *Script) Count(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if method != "" {
		return s.counts[method]
	}
	n := 0
	for m, c := range s.counts {
		if m != Read {
			n += c
		}
	}
	return n
}

// ResetCounts sets all counters to zero.
func (s *Script) ResetCounts() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.counts)
}

// begin counts a call, passes the gate and finds the faults that are due.
func (s *Script) begin(ctx context.Context, c Call) (effect, error) {
	e := effect{short: -1, corrupt: -1}
	s.mu.Lock()
	if s.counts == nil {
		s.counts = map[string]int{}
	}
	s.counts[c.Method]++
	c.N = s.counts[c.Method]
	for _, f := range s.faults {
		if f.due(c) {
			f.Action(&e)
		}
	}
	gate := s.gate
	s.mu.Unlock()
	if err := ended(ctx); err != nil {
		return e, err
	}
	if gate != nil {
		if err := gate(ctx, c); err != nil {
			return e, err
		}
	}
	if err := ended(ctx); err != nil {
		return e, err
	}
	return e, e.err
}

// due counts a call and says whether it meets the fault. The lock is held.
func (f *scripted) due(c Call) bool {
	if f.Method != "" && f.Method != c.Method || f.ID != "" && f.ID != c.ID || f.Page != 0 && f.Page != c.Page {
		return false
	}
	f.seen++
	if f.seen <= f.After || f.Times > 0 && f.hits >= f.Times {
		return false
	}
	f.hits++
	return true
}

// ended is the error of a context that has ended, or nil.
func ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return &errs.Error{Kind: errs.KindOf(err), Op: "fake", Msg: "the operation was given up", Err: err}
	}
	return nil
}

// page applies what faults make of a page.
func (e effect) page(scope driver.Scope, p driver.Page) (driver.Page, error) {
	if e.orderError && !scope.Unordered {
		return driver.Page{}, failure(errs.Corrupt, errs.ScopePath, driver.CodeListOrder, "the listing is not in order")
	}
	p.Incomplete = p.Incomplete || e.incomplete
	if e.empty {
		p.Changes, p.More, p.Next = nil, false, nil
	}
	if n := len(p.Changes); e.swap && n > 1 {
		p.Changes[0], p.Changes[n-1] = p.Changes[n-1], p.Changes[0]
	}
	if e.duplicate && len(p.Changes) > 0 {
		p.Changes = append(p.Changes, p.Changes[0])
	}
	return p, nil
}

// failure is an error as an adapter returns it.
func failure(k errs.Kind, s errs.Scope, code, msg string) error {
	return &errs.Error{Kind: k, Origin: errs.Provider, Scope: s, Op: "fake", Code: code, Msg: msg, RequestID: "req-fake"}
}
