package msgraph

import (
	"slices"
	"strings"
	"sync"
)

// Match selects requests. A field that is empty selects all. In Path a * stands
// for any characters, slashes included.
type Match struct {
	Operations []Operation
	Tenant     string
	ClientID   string
	Grant      string // grant_type
	Drive      string
	Item       string // by id
	Path       string // of the item, without a slash at its beginning
	// If selects further; it sees the request as it is logged on arrival.
	If func(Request) bool
}

// On selects requests by their operation.
func On(ops ...Operation) Match { return Match{Operations: ops} }

func (m Match) matches(e *Request) bool {
	same := func(want, got string) bool { return want == "" || want == got }
	return (len(m.Operations) == 0 || slices.Contains(m.Operations, e.Operation)) &&
		same(m.Tenant, e.Tenant) && same(m.ClientID, e.ClientID) && same(m.Grant, e.Grant) &&
		same(m.Drive, e.Drive) && same(m.Item, e.Item) && glob(m.Path, e.Path) &&
		(m.If == nil || m.If(*e))
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

// Seen returns how many requests have matched, those that passed included.
func (i *Injection) Seen() int {
	i.owner.mu.Lock()
	defer i.owner.mu.Unlock()
	return i.seen
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
		if a.do != nil {
			x.meet(a)
		}
	}
}
