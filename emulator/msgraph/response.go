package msgraph

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"strconv"
)

// json answers with a document.
func (x *exchange) json(status int, body any) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		panic(err) // only what can be encoded is
	}
	h := x.w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	if !x.entry.Operation.login() {
		h.Set("Content-Type", "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8")
	}
	h.Set("Content-Length", strconv.Itoa(buf.Len()))
	x.w.WriteHeader(status)
	_, _ = x.w.Write(buf.Bytes())
}

// responseWriter writes the answer, tells the log, and breaks what a fault says
// should be broken. Only successful answers are broken.
type responseWriter struct {
	http.ResponseWriter
	x       *exchange
	status  int
	written int64
}

func (w *responseWriter) ok() bool { return w.status >= 200 && w.status < 300 }

func (w *responseWriter) WriteHeader(status int) {
	if w.status != 0 {
		return
	}
	w.status = status
	for name, values := range w.x.plan.head {
		w.Header()[name] = values
	}
	w.x.s.log.note(func() { w.x.entry.Status = status })
	w.ResponseWriter.WriteHeader(status)
}

func (w *responseWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	n, short := len(p), false
	if w.ok() && w.x.plan.breaks && w.written+int64(n) > w.x.plan.cut {
		p, short = p[:w.x.plan.cut-w.written], true
	}
	if at := w.x.plan.corrupt - w.written; w.ok() && w.x.plan.corrupts && at >= 0 && at < int64(len(p)) {
		p = append([]byte(nil), p...)
		p[at] ^= 0x01
	}
	w.written += int64(len(p))
	w.x.s.log.note(func() { w.x.entry.Bytes += int64(len(p)) })
	sent, err := w.ResponseWriter.Write(p)
	if short {
		w.end()
	}
	if sent == len(p) {
		return n, err
	}
	return sent, err
}

// end breaks the answer off, after what was written has left.
func (w *responseWriter) end() {
	_ = http.NewResponseController(w.ResponseWriter).Flush()
	if w.x.plan.resets {
		w.reset()
	}
	panic(http.ErrAbortHandler) // closes the connection
}

// reset breaks the connection so that the client sees a reset, and ends the
// handler. Where there is no connection to take over it aborts.
func (w *responseWriter) reset() {
	if conn, _, err := http.NewResponseController(w.ResponseWriter).Hijack(); err == nil {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = conn.Close()
	}
	panic(http.ErrAbortHandler)
}
