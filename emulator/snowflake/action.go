package snowflake

import (
	"fmt"
	"time"
)

// Action is what a fault does to a request.
type Action struct {
	name string
	do   func(*exchange)
}

// Reply refuses with HTTP 200 and a code of Snowflake's: "390100", "002003". A
// session is not touched by it: 390112 is followed by a renewal that succeeds.
func Reply(code string) Action {
	return Action{"Reply " + code, func(x *exchange) { x.refuse(fail(code)) }}
}

// Status answers with an HTTP status and no body.
func Status(status int) Action {
	return Action{fmt.Sprintf("Status %d", status), func(x *exchange) {
		if x.forced == nil {
			x.forced = func() { x.raw(status, "text/plain", nil) }
		}
	}}
}

// Drop breaks the connection without an answer; the request has no effect.
func Drop() Action {
	return Action{"Drop", func(x *exchange) {
		if x.forced == nil {
			x.forced = x.drop
		}
	}}
}

// Lose lets the request take effect and breaks the connection before the answer.
func Lose() Action { return Action{"Lose", func(x *exchange) { x.lose = true }} }

// Truncate announces the whole body and breaks the connection after n bytes of it.
func Truncate(n int) Action {
	return Action{"Truncate", func(x *exchange) { x.limit = n }}
}

// CutShort ends the body after n bytes as if that were all of it.
func CutShort(n int) Action {
	return Action{"CutShort", func(x *exchange) { x.cut = n }}
}

// Delay waits before the request is looked at, in real time.
func Delay(d time.Duration) Action {
	return Action{"Delay", func(x *exchange) { x.delay += d }}
}

// Pending lets a query answer n times "in progress" before its result.
func Pending(n int) Action { return Action{"Pending", func(x *exchange) { x.pending = n }} }

// Takes lets a query run for a time on a clock of its own: nobody waits, but a
// session whose STATEMENT_TIMEOUT_IN_SECONDS is shorter is refused with 000630.
func Takes(d time.Duration) Action { return Action{"Takes", func(x *exchange) { x.takes = d }} }

// Hang lets a query run until it is aborted (000604) or the server is closed.
func Hang() Action { return Action{"Hang", func(x *exchange) { x.hang = true }} }

// Expire ends the session's token first, as if its time had come: the client has
// to renew it.
func Expire() Action {
	return Action{"Expire", func(x *exchange) { x.s.expire(x.session(), false) }}
}

// ExpireMaster ends both tokens of the session: only a new login helps (390114).
func ExpireMaster() Action {
	return Action{"ExpireMaster", func(x *exchange) { x.s.expire(x.session(), true) }}
}

// EndSession forgets the session first: it no longer exists (390111).
func EndSession() Action {
	return Action{"EndSession", func(x *exchange) { x.s.end(x.session()) }}
}
