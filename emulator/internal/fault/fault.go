// Package fault scripts which requests to an emulator meet a fault.
package fault

import (
	"slices"
	"strings"
	"sync"
)

// Fault is a scripted failure: of the requests that match, those counted by Nth,
// or by After and Times, meet the Action.
type Fault[M, A any] struct {
	Match M
	// Nth, when not zero, selects exactly one request: the Nth that matches,
	// counted from 1.
	Nth int
	// After lets this many matching requests pass first.
	After int
	// Times ends the fault after this many requests; zero is never.
	Times  int
	Action A
}

// Injection is a fault at work on requests of type R, with an action of type A.
type Injection[R, A any] struct {
	owner   *Faults[R, A]
	matches func(*R) bool
	after   int
	times   int
	action  A
	seen    int
	hits    int
}

// Faults are the injections of a server. One lock orders their counting, so that
// of concurrent requests exactly as many meet a fault as it says. The zero value
// is ready for use.
type Faults[R, A any] struct {
	mu   sync.Mutex
	list []*Injection[R, A]
}

// Inject adds a fault. Several may meet one request, in the order of injection.
func Inject[M, R, A any](fs *Faults[R, A], matches func(M, *R) bool, f Fault[M, A]) *Injection[R, A] {
	if f.Nth > 0 {
		f.After, f.Times = f.Nth-1, 1
	}
	i := &Injection[R, A]{owner: fs, matches: func(r *R) bool { return matches(f.Match, r) }, after: f.After, times: f.Times, action: f.Action}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.list = append(fs.list, i)
	return i
}

// Clear removes all faults.
func (f *Faults[R, A]) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = nil
}

// Due counts a request and returns the actions that it meets.
func (f *Faults[R, A]) Due(r *R) (due []A) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, i := range f.list {
		if i.due(r) {
			due = append(due, i.action)
		}
	}
	return due
}

// due counts a request and says whether it meets the fault. The lock is held.
func (i *Injection[R, A]) due(r *R) bool {
	if !i.matches(r) {
		return false
	}
	i.seen++
	if i.seen <= i.after || i.times > 0 && i.hits >= i.times {
		return false
	}
	i.hits++
	return true
}

// Hits returns how many requests have met the fault.
func (i *Injection[R, A]) Hits() int {
	i.owner.mu.Lock()
	defer i.owner.mu.Unlock()
	return i.hits
}

// Seen returns how many requests have matched, those that passed included.
func (i *Injection[R, A]) Seen() int {
	i.owner.mu.Lock()
	defer i.owner.mu.Unlock()
	return i.seen
}

// Remove ends the fault.
func (i *Injection[R, A]) Remove() {
	i.owner.mu.Lock()
	defer i.owner.mu.Unlock()
	i.owner.list = slices.DeleteFunc(i.owner.list, func(o *Injection[R, A]) bool { return o == i })
}

// Glob matches a pattern in which * stands for any characters. An empty pattern
// matches everything.
func Glob(pattern, s string) bool {
	if pattern == "" {
		return true
	}
	pieces := strings.Split(pattern, "*")
	if len(pieces) == 1 {
		return pattern == s
	}
	s, ok := strings.CutPrefix(s, pieces[0])
	if !ok {
		return false
	}
	for _, piece := range pieces[1 : len(pieces)-1] {
		_, rest, found := strings.Cut(s, piece)
		if !found {
			return false
		}
		s = rest
	}
	return strings.HasSuffix(s, pieces[len(pieces)-1])
}
