package msgraph

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"

	"mooring/emulator/internal/wire"
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

// writer writes the answer, with the headers that faults add, and tells the log.
func (x *exchange) writer(w http.ResponseWriter) *wire.Writer {
	return &wire.Writer{
		ResponseWriter: w, Damage: &x.plan.Damage,
		Begins: func(status int) {
			for name, values := range x.plan.head {
				w.Header()[name] = values
			}
			x.s.log.note(func() { x.entry.Status = status })
		},
		Sends: func(n int) { x.s.log.note(func() { x.entry.Bytes += int64(n) }) },
	}
}
