package s3

import (
	"bytes"
	"net/http"
	"strings"

	"mooring/emulator/internal/wire"
)

// responseWriter writes the answer, tells the log, and breaks what a fault says
// should be broken.
type responseWriter struct {
	wire.Writer
	x *exchange
}

func (x *exchange) writer(w http.ResponseWriter) *responseWriter {
	out := &responseWriter{x: x}
	out.Writer = wire.Writer{
		ResponseWriter: w, Damage: &x.plan.Damage,
		Begins: func(status int) {
			if out.OK() && x.plan.spoilChecksum {
				spoilChecksums(w.Header())
			}
			w.Header().Set("x-amz-request-id", x.entry.RequestID) // gofakes3 sets one of its own
			x.s.log.status(x.entry, status)
		},
		Sends: func(n int) { x.s.log.sent(x.entry, n) },
	}
	return out
}

func spoilChecksums(h http.Header) {
	for name, values := range h {
		if strings.HasPrefix(name, "X-Amz-Checksum-") && name != "X-Amz-Checksum-Type" {
			values[0] = spoil(values[0])
		}
	}
}

// Write logs the code of an error that gofakes3 writes.
func (w *responseWriter) Write(p []byte) (int, error) {
	if w.Status >= 400 {
		if _, rest, ok := bytes.Cut(p, []byte("<Code>")); ok {
			if code, _, ok := bytes.Cut(rest, []byte("</Code>")); ok {
				w.x.s.log.code(w.x.entry, string(code))
			}
		}
	}
	return w.Writer.Write(p)
}
