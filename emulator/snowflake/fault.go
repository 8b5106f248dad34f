package snowflake

import (
	"slices"

	"mooring/emulator/internal/fault"
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
		fault.Glob(m.SQL, e.SQL) && fault.Glob(m.User, e.User) && (m.If == nil || m.If(*e))
}

// Fault is a scripted failure: of the requests that match, those counted by Nth
// (from 1), or by After and Times (zero: all), meet the Action.
type Fault = fault.Fault[Match, Action]

// Injection is a fault at work. Hits returns how many requests have met it, Seen
// how many have matched; Remove ends it.
type Injection = fault.Injection[Request, Action]

// Inject adds a fault. Several may meet one request; they apply in the order of
// injection, and of several answers the first is given. Faults apply before
// credentials are looked at.
func (s *Server) Inject(f Fault) *Injection {
	return fault.Inject(&s.faults, Match.matches, f)
}

// ClearFaults removes all faults.
func (s *Server) ClearFaults() { s.faults.Clear() }

// disturb lets the faults that are due act on a request.
func (x *exchange) disturb() {
	for _, a := range x.s.faults.Due(x.entry) {
		if a.do == nil {
			continue
		}
		x.s.log.change(x.entry, func(e *Request) { e.Faults = append(e.Faults, a.name) })
		a.do(x)
	}
}
