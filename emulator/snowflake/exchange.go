package snowflake

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxBody bounds a request; Snowflake takes a statement of 1 MB.
const maxBody = 4 << 20

// exchange is one request and its answer.
type exchange struct {
	s     *Server
	w     http.ResponseWriter
	r     *http.Request
	body  []byte
	entry *Request

	// What faults have asked for.
	forced  func() // the answer, instead of the handler's
	delay   time.Duration
	takes   time.Duration
	hang    bool
	lose    bool
	pending int
	limit   int // bytes after which the connection breaks; -1 for none
	cut     int // bytes after which the body ends; -1 for none
}

// reply is the envelope of every JSON answer.
type reply struct {
	Success bool    `json:"success"`
	Code    *string `json:"code"`
	Message *string `json:"message"`
	Data    any     `json:"data"`
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{s: s, w: w, r: r, limit: -1, cut: -1, entry: &Request{
		Time: s.now(), Path: r.URL.Path, RequestID: r.URL.Query().Get("requestId"),
	}}
	handler := x.route()
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return
	}
	x.body = body
	x.describe()
	s.log.add(x.entry)
	if len(body) > maxBody {
		x.raw(http.StatusRequestEntityTooLarge, "text/plain", nil)
		return
	}
	x.disturb()
	if x.delay > 0 && !x.wait(x.delay) {
		return
	}
	if x.forced != nil {
		x.forced()
		return
	}
	handler()
}

// route finds the operation and its handler.
func (x *exchange) route() func() {
	path, post := x.r.URL.Path, x.r.Method == http.MethodPost
	op, handler := Unknown, x.missing
	switch {
	case post && path == "/session/v1/login-request":
		op, handler = Login, x.login
	case post && path == "/session/token-request":
		op, handler = Renew, x.renew
	case post && path == "/session/heartbeat":
		op, handler = Heartbeat, x.heartbeat
	case post && path == "/session" && x.r.URL.Query().Get("delete") == "true":
		op, handler = Logout, x.logout
	case post && path == "/queries/v1/query-request":
		op, handler = Query, x.query
	case post && path == "/queries/v1/abort-request":
		op, handler = Abort, x.abort
	case post && path == "/telemetry/send":
		op, handler = Telemetry, func() { x.succeed(nil) }
	case post:
	case strings.HasPrefix(path, "/queries/") && strings.HasSuffix(path, "/result"):
		op, handler = Result, x.result
	case strings.HasPrefix(path, "/monitoring/queries/"):
		op, handler = Monitor, x.monitor
	case strings.HasPrefix(path, "/chunks/"):
		op, handler = Chunk, x.chunk
	}
	x.entry.Operation = op
	return handler
}

// describe fills the log's entry with what faults may look for.
func (x *exchange) describe() {
	e := x.entry
	switch e.Operation {
	case Login:
		q := x.r.URL.Query()
		e.Role, e.Warehouse, e.User = q.Get("roleName"), q.Get("warehouse"), loginUser(x.body)
		return
	case Query:
		var b queryBody
		_ = json.Unmarshal(x.body, &b) // refused later
		e.SQL = b.SQL
	case Result, Chunk, Monitor:
		if q := x.s.findQuery(pathID(e.Path)); q != nil {
			e.SQL, e.QueryID = q.sql, q.id
		}
	default:
	}
	if s := x.session(); s != nil {
		e.User = s.user
	}
}

// pathID is the query id in a path: its second part, or its third.
func pathID(path string) string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	if len(parts) > 1 && parts[0] == "monitoring" {
		parts = parts[1:]
	}
	if len(parts) < 2 {
		return ""
	}
	return parts[1]
}

// bearer is the token that a request presents.
func (x *exchange) bearer() string {
	value, ok := strings.CutPrefix(x.r.Header.Get("Authorization"), `Snowflake Token="`)
	if !ok {
		return ""
	}
	return strings.TrimSuffix(value, `"`)
}

// wait lets time pass, and says whether somebody still waits for the answer.
func (x *exchange) wait(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-x.r.Context().Done():
	case <-x.s.closed:
	}
	return false
}

func (x *exchange) missing() { x.raw(http.StatusNotFound, "text/plain", nil) }

// drop breaks the connection.
func (x *exchange) drop() { panic(http.ErrAbortHandler) }

// refuse forces a failure, unless another answer is forced already.
func (x *exchange) refuse(f *failure) {
	if x.forced == nil {
		x.forced = func() { x.failed(f, nil) }
	}
}

func (x *exchange) succeed(data any) { x.json(reply{Success: true, Data: data}) }

func (x *exchange) failed(f *failure, data any) {
	x.s.log.change(x.entry, func(e *Request) { e.Code = f.code })
	x.json(reply{Code: &f.code, Message: &f.message, Data: data})
}

func (x *exchange) json(r reply) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		x.raw(http.StatusInternalServerError, "text/plain", []byte(err.Error()))
		return
	}
	x.raw(http.StatusOK, "application/json", b.Bytes())
}

// raw sends a body, or as much of it as faults let through.
func (x *exchange) raw(status int, contentType string, body []byte) {
	if x.lose {
		x.drop()
	}
	if x.cut >= 0 && x.cut < len(body) {
		body = body[:x.cut]
	}
	sent := body
	if x.limit >= 0 && x.limit < len(body) {
		sent = body[:x.limit]
	}
	x.s.log.change(x.entry, func(e *Request) { e.Status, e.Bytes = status, int64(len(sent)) })
	x.w.Header().Set("Content-Type", contentType)
	x.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	x.w.WriteHeader(status)
	_, _ = x.w.Write(sent) // the client may be gone
	if len(sent) < len(body) {
		_ = http.NewResponseController(x.w).Flush()
		x.drop()
	}
}
