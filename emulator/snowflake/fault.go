package snowflake

import (
	"slices"
	"strings"
	"sync"
)

// Match selects requests. A field that is empty selects all. In SQL and User a *
// stands for any characters.
type Match struct {
	Operations []Operation
	SQL        string // of queries, and of their results and chunks
	User       string
	// If selects further; it sees the request as it is logged on arrival.
	If func(Request) bool
}

// On selects requests by their operation.
func On(ops ...Operation) Match { return Match{Operations: ops} }

// OnSQL selects queries by a pattern of their text.
func OnSQL(pattern string) Match { return Match{Operations: []Operation{Query}, SQL: pattern} }

func (m Match) matches(e *Request) bool {
	return (len(m.Operations) == 0 || slices.Contains(m.Operations, e.Operation)) &&
		glob(m.SQL, e.SQL) && glob(m.User, e.User) && (m.If == nil || m.If(*e))
}

// glob matches a pattern in which * stands for any characters. An empty pattern
// matches everything.
func glob(pattern, s string) bool {
	if pattern == "" {
		return true
	}
	pieces := strings.Split(pattern, "*")
	if len(pieces) == 1 {
		return pattern == s
	}
	first, last := pieces[0], pieces[len(pieces)-1]
	if !strings.HasPrefix(s, first) {
		return false
	}
	s = s[len(first):]
	for _, piece := range pieces[1 : len(pieces)-1] {
		_, rest, found := strings.Cut(s, piece)
		if !found {
			return false
		}
		s = rest
	}
	return strings.HasSuffix(s, last)
}

// Fault is a scripted failure: of the requests that match, those counted by Nth,
// or by After and Times, meet the Action.
type Fault struct {
	Match Match
	// Nth, when not zero, selects exactly one request: the Nth that matches,
	// counted from 1.
	Nth int
	// After lets this many matching requests pass first.
	After int
	// Times ends the fault after this many requests; zero is never.
	Times  int
	Action Action
}

// Injection is a fault at work.
type Injection struct {
	owner *faults
	fault Fault
	seen  int
	hits  int
}

// faults are the injections of a server. One lock orders their counting, so that
// of concurrent requests exactly as many meet a fault as it says.
type faults struct {
	mu   sync.Mutex
	list []*Injection
}

// Inject adds a fault. Several may meet one request; they apply in the order of
// injection, and of several answers the first is given. Faults apply before
// credentials are looked at.
func (s *Server) Inject(f Fault) *Injection {
	if f.Nth > 0 {
		f.After, f.Times = f.Nth-1, 1
	}
	i := &Injection{owner: &s.faults, fault: f}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = append(s.faults.list, i)
	return i
}

// ClearFaults removes all faults.
func (s *Server) ClearFaults() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = nil
}

// Hits returns how many requests have met the fault.
func (i *Injection) Hits() int {
	i.owner.mu.Lock()
	defer i.owner.mu.Unlock()
	return i.hits
}

// Remove ends the fault.
func (i *Injection) Remove() {
	i.owner.mu.Lock()
	defer i.owner.mu.Unlock()
	i.owner.list = slices.DeleteFunc(i.owner.list, func(o *Injection) bool { return o == i })
}

// due counts a request and says whether it meets the fault. The lock is held.
func (i *Injection) due(e *Request) bool {
	if !i.fault.Match.matches(e) {
		return false
	}
	i.seen++
	if i.seen <= i.fault.After || i.fault.Times > 0 && i.hits >= i.fault.Times {
		return false
	}
	i.hits++
	return true
}

// apply lets the faults that are due act on a request.
func (f *faults) apply(x *exchange) {
	f.mu.Lock()
	var due []Action
	for _, i := range f.list {
		if i.due(x.entry) {
			due = append(due, i.fault.Action)
		}
	}
	f.mu.Unlock()
	for _, a := range due {
		if a.do == nil {
			continue
		}
		x.s.log.change(x.entry, func(e *Request) { e.Faults = append(e.Faults, a.name) })
		a.do(x)
	}
}
