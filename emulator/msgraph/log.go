package msgraph

import (
	"net/url"
	"sync"
	"time"
)

// Request is one entry of the request log: what a client asked and how it was
// answered. Fields that the operation does not have are empty.
type Request struct {
	Seq       int       // counts from 1
	Time      time.Time // on the server's clock
	ID        string    // request-id, as sent to the client
	Operation Operation
	Method    string
	URL       string // path and query, as sent
	Query     url.Values
	Tenant    string // of the token presented, or in the path of the token endpoint
	ClientID  string
	Grant     string // grant_type
	Drive     string // ids and path of what was named, as far as it exists
	Item      string
	Path      string
	Range     string
	UserAgent string
	Prefer    string
	Bearer    bool // an Authorization header was sent

	Status int      // 0 until the answer began, and when there was none
	Code   string   // of an error: the outermost
	Bytes  int64    // of the body, as far as it was sent
	Units  int      // resource units it cost
	Faults []string // the actions injected into it
}

// Violation is something that a client must not do, though it was answered.
type Violation struct {
	Rule    string
	Request int // its Seq
}

// The rules whose violations are noted.
const (
	// BearerAtDownload: a pre-authenticated URL was asked with an Authorization
	// header. The service's are on another host, which must not learn the token. A
	// client that follows redirects by itself, and withholds the header from
	// another host only, needs Options.DownloadBase.
	BearerAtDownload = "bearer token sent to a download URL"
	// LinkRewritten: a nextLink or deltaLink was not followed verbatim.
	LinkRewritten = "nextLink or deltaLink not followed verbatim"
	// SelectWithoutDeleted: a delta was asked with a $select that lacks deleted, so
	// that deletions can't be told from changes.
	SelectWithoutDeleted = "$select of a delta without deleted"
)

// requestLog keeps the last requests and counts all of them.
type requestLog struct {
	mu         sync.Mutex
	limit      int
	seq        int
	ring       []*Request // in order of arrival from next on, once it is full
	next       int
	counts     map[Operation]int
	violations []Violation
}

func (l *requestLog) add(e *Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seq++
	e.Seq = l.seq
	if l.counts == nil {
		l.counts = map[Operation]int{}
	}
	l.counts[e.Operation]++
	if len(l.ring) < l.limit {
		l.ring = append(l.ring, e)
		return
	}
	l.ring[l.next] = e
	l.next = (l.next + 1) % l.limit
}

// note changes an entry. It runs before the bytes it describes leave, so that a
// client which has its answer finds it in the log.
func (l *requestLog) note(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
}

func (l *requestLog) violation(e *Request, rule string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.violations) < l.limit {
		l.violations = append(l.violations, Violation{rule, e.Seq})
	}
}

// Requests returns the last requests in order of arrival, at most
// Options.LogSize of them. The values are copies.
func (s *Server) Requests() []Request {
	l := &s.log
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Request, 0, len(l.ring))
	for i := range l.ring {
		e := *l.ring[(l.next+i)%len(l.ring)]
		e.Faults = append([]string(nil), e.Faults...)
		out = append(out, e)
	}
	return out
}

// Violations returns what clients did since the start or the last ResetRequests
// that they must not do.
func (s *Server) Violations() []Violation {
	l := &s.log
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Violation(nil), l.violations...)
}

// Count returns how many requests of the operations arrived since the start or
// the last ResetRequests; without operations, how many of any.
func (s *Server) Count(ops ...Operation) int {
	l := &s.log
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, op := range ops {
		n += l.counts[op]
	}
	if len(ops) == 0 {
		for _, c := range l.counts {
			n += c
		}
	}
	return n
}

// ResetRequests empties the log and sets the counters to zero. Faults keep what
// they have counted.
func (s *Server) ResetRequests() {
	l := &s.log
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ring, l.next, l.counts, l.violations = nil, 0, nil, nil
}
