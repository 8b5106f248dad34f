package msgraph

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
	requests.Log[Request, Operation]
	violations []Violation
}

func (l *requestLog) add(e *Request) { l.Add(e, e.Operation, func(seq int) { e.Seq = seq }) }

// note changes an entry.
func (l *requestLog) note(change func()) { l.Change(change) }

func (l *requestLog) violation(e *Request, rule string) {
	l.Change(func() {
		if len(l.violations) < l.Limit {
			l.violations = append(l.violations, Violation{rule, e.Seq})
		}
	})
}

// Requests returns the last requests in order of arrival, at most
// Options.LogSize of them. The values are copies.
func (s *Server) Requests() []Request {
	return s.log.Last(func(e Request) Request {
		e.Faults = slices.Clone(e.Faults)
		return e
	})
}

// Violations returns what clients did since the start or the last ResetRequests
// that they must not do.
func (s *Server) Violations() (out []Violation) {
	s.log.Change(func() { out = slices.Clone(s.log.violations) })
	return out
}

// Count returns how many requests of the operations arrived since the start or
// the last ResetRequests; without operations, how many of any.
func (s *Server) Count(ops ...Operation) int { return s.log.Count(ops...) }

// ResetRequests empties the log and sets the counters to zero. Faults keep what
// they have counted.
func (s *Server) ResetRequests() { s.log.Reset(func() { s.log.violations = nil }) }
