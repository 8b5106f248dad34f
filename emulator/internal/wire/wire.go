// Package wire writes an emulator's answers, and breaks them where a fault
// says so.
package wire

import (
	"net"
	"net/http"
)

// Damage is what is to be broken. Only the bodies of successful answers are.
type Damage struct {
	Breaks   bool  // the connection, once Cut bytes of the body were sent
	Cut      int64 // a shorter body is not affected
	Resets   bool  // rather than closes
	Corrupts bool  // changes the byte at Corrupt
	Corrupt  int64
}

// Writer writes an answer and tells what it does before it does it.
type Writer struct {
	http.ResponseWriter
	Damage *Damage          // may be changed until the answer begins
	Begins func(status int) // called before the header is sent
	Sends  func(n int)      // called before so many bytes of the body are sent
	Status int              // 0 before the answer began

	written int64
}

// OK reports whether the answer is a success.
func (w *Writer) OK() bool { return w.Status >= 200 && w.Status < 300 }

// WriteHeader implements http.ResponseWriter; a second call does nothing.
func (w *Writer) WriteHeader(status int) {
	if w.Status != 0 {
		return
	}
	w.Status = status
	w.Begins(status)
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter. Where the answer breaks it does not return.
func (w *Writer) Write(p []byte) (int, error) {
	if w.Status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	d, n, short := w.Damage, len(p), false
	if w.OK() && d.Breaks && w.written+int64(n) > d.Cut {
		p, short = p[:d.Cut-w.written], true
	}
	if at := d.Corrupt - w.written; w.OK() && d.Corrupts && at >= 0 && at < int64(len(p)) {
		p = append([]byte(nil), p...)
		p[at] ^= 0x01
	}
	w.written += int64(len(p))
	w.Sends(len(p))
	sent, err := w.ResponseWriter.Write(p)
	if short {
		w.End()
	}
	if sent == len(p) {
		return n, err
	}
	return sent, err
}

// Flush sends what is buffered.
func (w *Writer) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

// End breaks the answer off, after what was written has left.
func (w *Writer) End() {
	w.Flush()
	if w.Damage.Resets {
		w.Reset()
	}
	panic(http.ErrAbortHandler) // closes the connection
}

// Reset breaks the connection so that the client sees a reset, and ends the
// handler. Where there is no connection to take over it aborts.
func (w *Writer) Reset() {
	if conn, _, err := http.NewResponseController(w.ResponseWriter).Hijack(); err == nil {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = conn.Close()
	}
	panic(http.ErrAbortHandler)
}
