package surface

import (
	"log/slog"
	"net/http"
	"slices"
	"time"
)

// Answer is a ResponseWriter that remembers what was answered, for the log, and
// which request it was.
type Answer struct {
	http.ResponseWriter
	ID    string    // of the request
	Route string    // the pattern: paths hold names that users chose
	Quiet bool      // a probe: logged only when debugging
	Who   slog.Attr // who asked
	Code  int       // the status that was answered, 0 before
	bytes int64
}

const (
	// piece is how much is written before the client's patience is counted anew.
	piece = 128 << 10
	// stalled is how long a client may take nothing before it is given up.
	stalled = 60 * time.Second
)

// WriteHeader notes the status.
func (a *Answer) WriteHeader(status int) {
	if a.Code == 0 {
		a.Code = status
	}
	a.patience()
	a.ResponseWriter.WriteHeader(status)
}

// patience gives the client its time to take what comes next: one that reads
// nothing would else hold a handler for as long as it likes.
func (a *Answer) patience() {
	_ = http.NewResponseController(a.ResponseWriter).SetWriteDeadline(time.Now().Add(stalled))
}

// Write counts.
func (a *Answer) Write(p []byte) (n int, err error) {
	if a.Code == 0 {
		a.Code = http.StatusOK
	}
	for part := range slices.Chunk(p, piece) {
		a.patience()
		written, err := a.ResponseWriter.Write(part)
		n += written
		a.bytes += int64(written)
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// Unwrap lets http.ResponseController reach the connection.
func (a *Answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// Started reports whether the answer is under way.
func (a *Answer) Started() bool { return a.Code != 0 }

// Of is the Answer that a handler behind a Front writes to.
func Of(w http.ResponseWriter) *Answer {
	a, _ := w.(*Answer)
	return a
}
