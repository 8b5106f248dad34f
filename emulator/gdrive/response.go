package gdrive

import (
	"net"
	"net/http"
)

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
	w.x.s.log.status(w.x.entry, status)
	w.ResponseWriter.WriteHeader(status)
}

func (w *responseWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	plan := w.x.plan
	n, short := len(p), false
	if w.ok() && plan.breaks && w.written+int64(n) > plan.cut {
		p, short = p[:plan.cut-w.written], true
	}
	if at := plan.corrupt - w.written; w.ok() && plan.corrupts && at >= 0 && at < int64(len(p)) {
		p = append([]byte(nil), p...)
		p[at] ^= 0x01
	}
	w.written += int64(len(p))
	w.x.s.log.sent(w.x.entry, len(p))
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
