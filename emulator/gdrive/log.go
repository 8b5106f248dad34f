package gdrive

import (
	"net/url"
	"slices"
	"sync"
	"time"
)

// Request is one entry of the request log: what a client asked and how it was
// answered. Fields that the operation does not have are empty.
type Request struct {
	Seq       int       // counts from 1
	Time      time.Time // on the server's clock
	Operation Operation
	Method    string
	File      string // the id in the path, as sent, or the drive's
	Revision  string
	User      string     // whom the token stands for; empty when it is not valid
	Query     url.Values // must not be changed
	Grant     string     // grant_type of a request for a token
	Range     string
	UserAgent string

	Status int      // 0 until the answer began, and when there was none
	Reason string   // of an error
	Bytes  int64    // of the body, as far as it was sent
	Faults []string // the actions injected into it
}

// requestLog keeps the last requests and counts all of them.
type requestLog struct {
	mu     sync.Mutex
	limit  int
	seq    int
	ring   []*Request // in order of arrival from next on, once it is full
	next   int
	counts map[Operation]int
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

// The setters run before the bytes they describe leave, so that a client which
// has its answer finds it in the log.

func (l *requestLog) status(e *Request, status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.Status = status
}

func (l *requestLog) reason(e *Request, reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.Reason = reason
}

func (l *requestLog) sent(e *Request, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.Bytes += int64(n)
}

func (l *requestLog) fault(e *Request, name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.Faults = append(e.Faults, name)
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
		e.Faults = slices.Clone(e.Faults)
		out = append(out, e)
	}
	return out
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
	l.ring, l.next, l.counts = nil, 0, nil
}
