package gdrive

import (
	"net/url"
	"slices"
	"time"

	"mooring/emulator/internal/requests"
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
	requests.Log[Request, Operation]
}

func (l *requestLog) add(e *Request) { l.Add(e, e.Operation, func(seq int) { e.Seq = seq }) }

func (l *requestLog) status(e *Request, status int) { l.Change(func() { e.Status = status }) }

func (l *requestLog) reason(e *Request, reason string) { l.Change(func() { e.Reason = reason }) }

func (l *requestLog) sent(e *Request, n int) { l.Change(func() { e.Bytes += int64(n) }) }

func (l *requestLog) fault(e *Request, name string) {
	l.Change(func() { e.Faults = append(e.Faults, name) })
}

// Requests returns the last requests in order of arrival, at most
// Options.LogSize of them. The values are copies.
func (s *Server) Requests() []Request {
	return s.log.Last(func(e Request) Request {
		e.Faults = slices.Clone(e.Faults)
		return e
	})
}

// Count returns how many requests of the operations arrived since the start or
// the last ResetRequests; without operations, how many of any.
func (s *Server) Count(ops ...Operation) int { return s.log.Count(ops...) }

// ResetRequests empties the log and sets the counters to zero. Faults keep what
// they have counted.
func (s *Server) ResetRequests() { s.log.Reset(nil) }
