// Package fault scripts which requests to an emulator meet a fault.
package fault

import (
	"slices"
	"strings"
	"sync"
)

// Script says which of the matching requests meet a fault: those counted by Nth,
// or by After and Times.
type Script struct {
	Nth   int // exactly this one, counted from 1; 0: see After and Times
	After int // so many pass first
	Times int // so many meet it, 0: all
}

// Injection is a fault at work on requests of type R, with an action of type A.
type Injection[R, A any] struct {
	owner   *Faults[R, A]
	matches func(*R) bool
	script  Script
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
func (f *Faults[R, A]) Inject(matches func(*R) bool, s Script, action A) *Injection[R, A] {
	if s.Nth > 0 {
		s.After, s.Times = s.Nth-1, 1
	}
	i := &Injection[R, A]{owner: f, matches: matches, script: s, action: action}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, i)
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
	if i.seen <= i.script.After || i.script.Times > 0 && i.hits >= i.script.Times {
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
