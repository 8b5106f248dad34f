package s3

import (
	"bytes"
	"net"
	"net/http"
	"strings"
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
	if w.ok() && w.x.plan.spoilChecksum {
		for name, values := range w.Header() {
			if strings.HasPrefix(name, "X-Amz-Checksum-") && name != "X-Amz-Checksum-Type" {
				values[0] = spoil(values[0])
			}
		}
	}
	w.Header().Set("x-amz-request-id", w.x.entry.RequestID) // gofakes3 sets one of its own
	w.x.s.log.status(w.x.entry, status)
	w.ResponseWriter.WriteHeader(status)
}

func (w *responseWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.status >= 400 {
		w.noteCode(p)
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

// noteCode logs the code of an error that gofakes3 writes.
func (w *responseWriter) noteCode(p []byte) {
	if _, rest, ok := bytes.Cut(p, []byte("<Code>")); ok {
		if code, _, ok := bytes.Cut(rest, []byte("</Code>")); ok {
			w.x.s.log.code(w.x.entry, string(code))
		}
	}
}

// Flush sends what is buffered.
func (w *responseWriter) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

// end breaks the answer off, after what was written has left.
func (w *responseWriter) end() {
	w.Flush()
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
