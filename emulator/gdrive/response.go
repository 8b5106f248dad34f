package gdrive

import (
	"net/http"

	"mooring/emulator/internal/wire"
)

// writer writes the answer and tells the log.
func (x *exchange) writer(w http.ResponseWriter) *wire.Writer {
	return &wire.Writer{
		ResponseWriter: w, Damage: &x.plan.Damage,
		Begins: func(status int) { x.s.log.status(x.entry, status) },
		Sends:  func(n int) { x.s.log.sent(x.entry, n) },
	}
}
