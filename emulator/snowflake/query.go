package snowflake

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

type queryBody struct {
	SQL          string          `json:"sqlText"`
	DescribeOnly bool            `json:"describeOnly"`
	Parameters   map[string]any  `json:"parameters"`
	Bindings     map[string]bind `json:"bindings"`
}

// query is a statement at work, or its result.
type query struct {
	id        string
	requestID string
	sql       string
	ses       *session
	cancel    context.CancelFunc
	key       string // that the chunks are asked for with
	rows      *rows  // set before the first answer
	params    []map[string]any

	// Guarded by the server's lock.
	pending int // answers "in progress" to come
	failure *failure
}

// keptResults is how many results with chunks a session has at a time; URLs of
// older ones answer 403, as if they had expired.
const keptResults = 16

// statementSelect is the type of a statement that returns rows.
const statementSelect = 4096

func (x *exchange) query() {
	ses, f := x.authorized()
	if f != nil {
		x.failed(f, nil)
		return
	}
	var b queryBody
	if err := json.Unmarshal(x.body, &b); err != nil {
		x.raw(http.StatusBadRequest, "text/plain", nil)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	q := &query{id: x.s.queryID(), requestID: x.entry.RequestID, sql: b.SQL, ses: ses, cancel: cancel, pending: x.pending, key: token()}
	if x.s.opts.Async {
		q.pending = max(1, q.pending)
	}
	x.s.keep(q) // first: whoever sees the id can abort the query
	x.s.log.change(x.entry, func(e *Request) { e.QueryID = q.id })
	if x.hang {
		select {
		case <-ctx.Done():
		case <-x.s.closed:
		}
		f = fail("000604")
	} else {
		f = x.s.execute(q, b, x.takes)
	}
	if x.s.settle(q, f) {
		x.answer(q)
		return
	}
	x.progress(q, "333334")
}

// settle notes how a query went, and says whether the client may know.
func (s *Server) settle(q *query, f *failure) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q.failure == nil {
		q.failure = f
	}
	return q.failure != nil || q.pending <= 0
}

// failed is the failure of a query, if any.
func (s *Server) failed(q *query) *failure {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return q.failure
}

// progress says that a query still runs, and where its result will be.
func (x *exchange) progress(q *query, code string) {
	x.s.log.change(x.entry, func(e *Request) { e.Code = code })
	message := "Query execution in progress."
	x.json(reply{Success: true, Code: &code, Message: &message, Data: map[string]any{
		"getResultUrl": "/queries/" + q.id + "/result", "queryId": q.id, "queryAbortsAfterSecs": 300,
	}})
}

// keep remembers a query while its session may ask for it.
func (s *Server) keep(q *query) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queries[q.id] = q
	q.ses.results = append(q.ses.results, q)
	if n := len(q.ses.results) - keptResults; n > 0 {
		for _, old := range q.ses.results[:n] {
			delete(s.queries, old.id)
		}
		q.ses.results = append(q.ses.results[:0], q.ses.results[n:]...)
	}
}

func (s *Server) findQuery(id string) *query {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.queries[id]
}

// execute runs a statement.
func (s *Server) execute(q *query, b queryBody, takes time.Duration) *failure {
	st, err := parse(b.SQL)
	if err != nil {
		return asFailure(err)
	}
	compute := needsWarehouse(st)
	s.log.ran(b.SQL, compute)
	if changesSession(st) {
		s.mu.Lock()
		defer s.mu.Unlock()
	} else {
		s.mu.RLock()
		defer s.mu.RUnlock()
	}
	if compute && q.ses.warehouse == "" {
		return fail("000606")
	}
	if limit := q.ses.timeout(b.Parameters); limit > 0 && takes > limit {
		return failf("000630", "Statement reached its statement or warehouse timeout of %d second(s) and was canceled.", int(limit.Seconds()))
	}
	sc := &scope{s: s, ses: q.ses, zone: q.ses.zone, now: s.now(), binds: b.Bindings}
	q.rows, err = sc.run(st)
	q.params = q.ses.wireParams()
	if err != nil {
		return asFailure(err)
	}
	return nil
}

// needsWarehouse says whether a statement reads rows.
func needsWarehouse(st statement) bool {
	sel, ok := st.(selectStatement)
	return ok && sel.from != nil
}

func changesSession(st statement) bool {
	switch st.(type) {
	case alterStatement, useStatement:
		return true
	}
	return false
}

func (sc *scope) run(st statement) (*rows, error) {
	switch st := st.(type) {
	case selectStatement:
		return sc.runSelect(st)
	case showStatement:
		return sc.runShow(st)
	case describeStatement:
		return sc.runDescribe(st)
	case alterStatement:
		for _, p := range st.params {
			if f := sc.ses.set(p.name, p.value); f != nil {
				return nil, f
			}
		}
		return executed(), nil
	case useStatement:
		return sc.runUse(st)
	}
	return nil, fail("001003")
}

// executed is the result of what has none.
func executed() *rows {
	message := "Statement executed successfully."
	return &rows{columns: []Column{{Name: "status", Type: Varchar, Nullable: true}}, fixed: [][]*string{{&message}}}
}

func asFailure(err error) *failure {
	if f, ok := err.(*failure); ok { //nolint:errorlint // the engine wraps nothing
		return f
	}
	return failf("000603", "SQL execution internal error: %v", err)
}

// answer sends the result of a query: its first rows, and where the others are.
func (x *exchange) answer(q *query) {
	if f := x.s.failed(q); f != nil {
		x.failed(f, map[string]any{
			"internalError": false, "errorCode": f.code, "sqlState": f.state, "queryId": q.id, "line": -1, "pos": -1, "type": "COMPILATION",
		})
		return
	}
	total, size := q.rows.len(), x.s.opts.ChunkRows
	first, err := q.rows.text(0, min(total, size))
	if err != nil {
		x.s.settle(q, asFailure(err))
		x.answer(q)
		return
	}
	rowtype := make([]map[string]any, len(q.rows.columns))
	for i, c := range q.rows.columns {
		rowtype[i] = c.wire()
	}
	x.s.mu.RLock()
	data := map[string]any{
		"parameters": q.params, "rowtype": rowtype, "rowset": first, "total": total, "returned": total,
		"queryId": q.id, "databaseProvider": nil, "numberOfBinds": 0, "arrayBindSupported": false,
		"statementTypeId": statementSelect, "version": 1, "sendResultTime": x.s.now().UnixMilli(),
		"finalDatabaseName": orNull(q.ses.database), "finalSchemaName": orNull(q.ses.schema),
		"finalWarehouseName": orNull(q.ses.warehouse), "finalRoleName": q.ses.role, "queryResultFormat": "json",
	}
	x.s.mu.RUnlock()
	if total > size {
		data["chunks"] = x.chunks(q, size)
		data["chunkHeaders"] = map[string]string{"X-Chunk-Key": q.key}
	}
	x.succeed(data)
}

func (x *exchange) chunks(q *query, size int) []map[string]any {
	var out []map[string]any
	for from := size; from < q.rows.len(); from += size {
		n := min(size, q.rows.len()-from)
		out = append(out, map[string]any{
			"url":      fmt.Sprintf("%s/chunks/%s/%d", x.s.URL(), q.id, from),
			"rowCount": n, "uncompressedSize": n * 100, "compressedSize": n * 100,
		})
	}
	return out
}

// chunk sends a part of a result: rows joined by commas, without brackets.
func (x *exchange) chunk() {
	q := x.s.findQuery(pathID(x.r.URL.Path))
	from, err := strconv.Atoi(x.r.URL.Path[strings.LastIndexByte(x.r.URL.Path, '/')+1:])
	if q == nil || x.r.Header.Get("X-Chunk-Key") != q.key || x.r.Header.Get("Authorization") != "" {
		x.raw(http.StatusForbidden, "application/xml", nil)
		return
	}
	if q.rows == nil || err != nil || from < 0 || from >= q.rows.len() {
		x.raw(http.StatusNotFound, "application/xml", nil)
		return
	}
	rows, err := q.rows.text(from, min(from+x.s.opts.ChunkRows, q.rows.len()))
	if err != nil {
		x.raw(http.StatusInternalServerError, "application/xml", nil)
		return
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(rows) // text is always JSON
	body := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	x.raw(http.StatusOK, "application/json", body[1:len(body)-1])
}

// result answers for a query that was in progress.
func (x *exchange) result() {
	_, f := x.authorized()
	if f != nil {
		x.failed(f, nil)
		return
	}
	q := x.s.findQuery(pathID(x.r.URL.Path))
	if q == nil {
		x.failed(fail("000605"), nil)
		return
	}
	x.s.mu.Lock()
	q.pending--
	more := q.pending > 0 && q.failure == nil
	x.s.mu.Unlock()
	if more {
		x.progress(q, "333333")
		return
	}
	x.answer(q)
}

// abort ends the query of a request id.
func (x *exchange) abort() {
	ses, f := x.authorized()
	if f != nil {
		x.failed(f, nil)
		return
	}
	var b struct {
		RequestID string `json:"requestId"`
	}
	_ = json.Unmarshal(x.body, &b) // an empty id is found nowhere
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	for _, q := range ses.results {
		if q.requestID == b.RequestID {
			q.failure = fail("000604")
			q.cancel()
			x.succeed(nil)
			return
		}
	}
	x.failed(fail("000605"), nil)
}

// monitor tells how a query is doing.
func (x *exchange) monitor() {
	if _, f := x.authorized(); f != nil {
		x.failed(f, nil)
		return
	}
	q := x.s.findQuery(pathID(x.r.URL.Path))
	if q == nil {
		x.succeed(map[string]any{"queries": []any{}})
		return
	}
	x.s.mu.RLock()
	status := map[string]any{"id": q.id, "status": "SUCCESS", "sqlText": q.sql}
	switch {
	case q.failure != nil:
		status["status"], status["errorCode"], status["errorMessage"] = "FAILED_WITH_ERROR", q.failure.code, q.failure.message
	case q.pending > 0:
		status["status"] = "RUNNING"
	}
	x.s.mu.RUnlock()
	x.succeed(map[string]any{"queries": []any{status}})
}
