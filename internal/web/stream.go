package web

import (
	"bytes"
	"net/http"
	"time"

	"mooring/internal/errs"
)

// stream sends parts of a page as they change: each event is the markup of a
// block, which the script puts into the element with data-live. next returns the
// markup and whether more may follow. It goes on until then, until the session
// ends, or the browser is gone.
func (v *visit) stream(next func() (markup []byte, more bool, err error)) error {
	html, more, err := next()
	if err != nil {
		return err
	}
	done, err := v.Guard.Stream(v.who.Key.ID)
	if err != nil {
		return err
	}
	defer done()
	v.endless()
	h := v.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // a proxy that gathers would keep it all back
	v.w.WriteHeader(http.StatusOK)
	tick := time.NewTicker(v.Tick)
	defer tick.Stop()
	var last []byte
	for quiet := time.Now(); ; {
		if !bytes.Equal(html, last) || time.Since(quiet) > 15*time.Second { // again: keeps proxies from closing it
			if err := v.event("part", html); err != nil {
				return nil // the browser has gone
			}
			last, quiet = html, time.Now()
		}
		if !more {
			_ = v.event("end", nil)
			return nil
		}
		select {
		case <-v.ctx().Done():
			return nil
		case <-tick.C:
		}
		if !v.stillAdmitted() {
			return nil
		}
		if html, more, err = next(); err != nil {
			if !errs.Is(err, errs.NotFound) {
				v.report(err, http.StatusInternalServerError)
			}
			return nil
		}
	}
}

func (v *visit) event(name string, html []byte) error {
	var out bytes.Buffer
	out.WriteString("event: " + name + "\n")
	for line := range bytes.Lines(append(html, '\n')) {
		out.WriteString("data: ")
		out.Write(bytes.TrimRight(line, "\r\n"))
		out.WriteByte('\n')
	}
	out.WriteByte('\n')
	if _, err := v.w.Write(out.Bytes()); err != nil {
		return err
	}
	return http.NewResponseController(v.w).Flush()
}
