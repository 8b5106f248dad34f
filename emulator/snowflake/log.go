package snowflake

import (
	"slices"
	"time"

	"mooring/emulator/internal/requests"
)

// Operation is what a request asks for.
type Operation string

// The operations of the protocol.
const (
	Login     Operation = "Login"     // POST /session/v1/login-request
	Query     Operation = "Query"     // POST /queries/v1/query-request
	Result    Operation = "Result"    // GET /queries/{id}/result
	Chunk     Operation = "Chunk"     // GET of a part of a result
	Renew     Operation = "Renew"     // POST /session/token-request
	Abort     Operation = "Abort"     // POST /queries/v1/abort-request
	Logout    Operation = "Logout"    // POST /session?delete=true
	Heartbeat Operation = "Heartbeat" // POST /session/heartbeat
	Monitor   Operation = "Monitor"   // GET /monitoring/queries/{id}
	Telemetry Operation = "Telemetry" // POST /telemetry/send
	Unknown   Operation = "Unknown"   // anything else; 404
)

// Request is one entry of the request log: what a client asked and how it was
// answered. Fields that the operation does not have are empty.
type Request struct {
	Seq       int       // counts from 1
	Time      time.Time // on the server's clock
	Operation Operation
	Path      string
	RequestID string // the client's, the same when it retries
	User      string // as presented at login, or of the session
	Role      string // as asked for at login
	Warehouse string // as asked for at login
	SQL       string
	QueryID   string // as sent to the client

	Status int      // 0 until the answer began, and when there was none
	Code   string   // of a failure, or of a query in progress
	Bytes  int64    // of the body, as far as it was sent
	Faults []string // the actions injected into it
}

// requestLog keeps the last requests and statements, and counts all of them.
type requestLog struct {
	requests.Log[Request, Operation]
	statements []string
	logins     int
	warehouse  int
}

func (l *requestLog) add(e *Request) { l.Add(e, e.Operation, func(seq int) { e.Seq = seq }) }

// change sets fields of an entry.
func (l *requestLog) change(e *Request, set func(*Request)) { l.Change(func() { set(e) }) }

// ran notes a statement that is about to run.
func (l *requestLog) ran(sql string, warehouse bool) {
	l.Change(func() {
		if len(l.statements) == l.Limit {
			l.statements = append(l.statements[:0], l.statements[1:]...)
		}
		l.statements = append(l.statements, sql)
		if warehouse {
			l.warehouse++
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

// Count returns how many requests of the operations arrived since the start or
// the last ResetRequests; without operations, how many of any.
func (s *Server) Count(ops ...Operation) int { return s.log.Count(ops...) }

// Statements returns the texts of the last statements that were understood, in
// order, at most Options.LogSize of them. One that a client repeats is there
// twice.
func (s *Server) Statements() (out []string) {
	s.log.Change(func() { out = slices.Clone(s.log.statements) })
	return out
}

// WarehouseStatements returns how many statements would have needed a warehouse,
// those included that were refused because the session had none.
func (s *Server) WarehouseStatements() (n int) {
	s.log.Change(func() { n = s.log.warehouse })
	return n
}

// Logins returns how many sessions were opened; Count(Login) has the refused
// logins too.
func (s *Server) Logins() (n int) {
	s.log.Change(func() { n = s.log.logins })
	return n
}

// ResetRequests empties the logs and sets the counters to zero. Faults keep what
// they have counted.
func (s *Server) ResetRequests() {
	s.log.Reset(func() { s.log.statements, s.log.logins, s.log.warehouse = nil, 0, 0 })
}
