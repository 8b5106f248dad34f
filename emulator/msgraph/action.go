package msgraph

import (
	"net/http"
	"strconv"
	"time"

	"mooring/emulator/internal/wire"
)

// Action is what a fault does to a request. The functions that return one are
// the actions there are.
type Action struct {
	name string
	do   func(*exchange)
}

// plan is what the actions that met a request make of it.
type plan struct {
	reply *Error // answered instead
	drop  bool   // no answer at all
	head  http.Header

	wire.Damage

	ignoreRange bool
	noHashes    bool
	page        pagePlan
}

// pagePlan is what actions make of a page of a list or of a delta.
type pagePlan struct {
	limit     int // at most so many entries, when not zero
	empty     bool
	reverse   bool
	duplicate bool
	stale     bool
	omit      []string // ids
}

// instead sets the answer, unless an earlier action has.
func (x *exchange) instead(e *Error) {
	if x.plan.reply == nil {
		x.plan.reply = e
	}
}

// meet lets an action act and logs it.
func (x *exchange) meet(a Action) {
	x.s.log.note(func() { x.entry.Faults = append(x.entry.Faults, a.name) })
	a.do(x)
}

// Do combines actions.
func Do(actions ...Action) Action {
	return Action{"Do", func(x *exchange) {
		for _, a := range actions {
			x.meet(a)
		}
	}}
}

// Run calls a function before the request is looked at, for instance to change the
// tree between two pages.
func Run(fn func()) Action { return Action{"Run", func(*exchange) { fn() }} }

// Reply answers with an error.
func Reply(e Error) Action { return Action{"Reply " + e.Code, func(x *exchange) { x.instead(&e) }} }

// ReplyCode answers with an error that has the status and message which the
// service gives with the code, such as accessDenied.
func ReplyCode(code string) Action { return Reply(Error{Code: code}) }

// Throttle answers 429 with a body as the service's, and with Retry-After in
// seconds unless it is zero.
func Throttle(retryAfter time.Duration) Action {
	return Action{"Throttle", func(x *exchange) { x.instead(throttled(seconds(retryAfter))) }}
}

// ThrottleUntil is Throttle with a point in time, given as an HTTP date.
func ThrottleUntil(t time.Time) Action {
	return Action{"ThrottleUntil", func(x *exchange) { x.instead(throttled(t.UTC().Format(http.TimeFormat))) }}
}

// Unavailable answers 503 serviceNotAvailable, with Retry-After in seconds unless
// it is zero.
func Unavailable(retryAfter time.Duration) Action {
	e := Error{Code: "serviceNotAvailable"}
	if retryAfter > 0 {
		e.Header = http.Header{"Retry-After": {seconds(retryAfter)}}
	}
	return Reply(e)
}

// UnavailableUntil is Unavailable with a point in time, given as an HTTP date.
func UnavailableUntil(t time.Time) Action {
	return Reply(Error{Code: "serviceNotAvailable", Header: http.Header{"Retry-After": {t.UTC().Format(http.TimeFormat)}}})
}

func seconds(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	return strconv.Itoa(int((d + time.Second - 1) / time.Second))
}

// GatewayError answers with a status and a page of HTML, as what stands before
// the service does.
func GatewayError(status int) Action {
	return Reply(Error{Status: status, Code: "gateway", HTML: "<html><body><h1>" + http.StatusText(status) + "</h1></body></html>"})
}

// RateLimit adds RateLimit headers to the answer.
func RateLimit(limit, remaining int, reset time.Duration) Action {
	return Action{"RateLimit", func(x *exchange) {
		x.plan.header("RateLimit-Limit", strconv.Itoa(limit))
		x.plan.header("RateLimit-Remaining", strconv.Itoa(remaining))
		x.plan.header("RateLimit-Reset", seconds(reset))
	}}
}

func (p *plan) header(name, value string) {
	if p.head == nil {
		p.head = http.Header{}
	}
	p.head[name] = []string{value} // spelt as the service does
}

// Gone answers a delta with 410. The code is resyncRequired, one of
// resyncChangesApplyDifferences and resyncChangesUploadDifferences (which come
// with their inner codes), syncStateNotFound, or any other. With location there is
// a Location header: a link that starts anew.
func Gone(code string, location bool) Action {
	return Action{"Gone " + code, func(x *exchange) {
		e := gone(code)
		if location {
			e.Header = http.Header{"Location": {x.freshDelta()}}
		}
		x.instead(e)
	}}
}

// TokenError answers the token endpoint with an AADSTS code, such as 7000222. Its
// error, status and message are those of the service.
func TokenError(code int) Action {
	return Action{"TokenError " + strconv.Itoa(code), func(x *exchange) { x.instead(loginError(code)) }}
}

// ConditionalAccess answers the token endpoint as a policy does that wants more of
// the user (AADSTS50076 or 53003): with suberror and claims.
func ConditionalAccess(code int) Action {
	return Action{"ConditionalAccess", func(x *exchange) {
		e := loginError(code)
		e.suberror, e.claims = "basic_action", `{"access_token":{"capolids":{"essential":true,"values":["`+guid("policy")+`"]}}}`
		x.instead(e)
	}}
}

// ExpireToken makes the access token that the request presents expire, from this
// request on.
func ExpireToken() Action {
	return Action{"ExpireToken", func(x *exchange) {
		x.s.mu.Lock()
		defer x.s.mu.Unlock()
		if a := x.s.access[x.bearer]; a != nil {
			a.expires = x.s.now()
		}
	}}
}

// EchoCredentials answers with an error whose message repeats what the client
// sent, as a careless proxy may. Nothing of it may reach a log or a user.
func EchoCredentials() Action {
	return Action{"EchoCredentials", func(x *exchange) {
		sent := "Authorization: " + x.r.Header.Get("Authorization") + " body: " + x.form.Encode()
		if x.entry.Operation.login() {
			e := loginError(7000215)
			e.Message += " " + sent
			x.instead(e)
			return
		}
		x.instead(&Error{Code: "accessDenied", Message: sent})
	}}
}

// Delay waits before the request is looked at, on the real clock. If the client
// gives up or the server is closed meanwhile, there is no answer.
func Delay(d time.Duration) Action {
	return Action{"Delay", func(x *exchange) {
		t := time.NewTimer(d)
		defer t.Stop()
		hold(x, t.C)
	}}
}

// Wait holds the request until the channel is closed or has a value. If the client
// gives up or the server is closed meanwhile, there is no answer.
func Wait(until <-chan struct{}) Action {
	return Action{"Wait", func(x *exchange) { hold(x, until) }}
}

func hold[T any](x *exchange, until <-chan T) {
	select {
	case <-until:
	case <-x.r.Context().Done():
		x.plan.drop = true
	case <-x.s.closed:
		x.plan.drop = true
	}
}

// Drop breaks the connection without an answer. On a connection that it has used
// before, Go's client then silently repeats a request that may be repeated: to see
// the failure, drop it more often or use a new connection.
func Drop() Action { return Action{"Drop", func(x *exchange) { x.plan.drop = true }} }

// ResetAfter breaks the connection with a reset when n bytes of the body have
// been sent. The client may see fewer: a reset discards what it has not yet read.
// A body of no more than n bytes is not affected.
func ResetAfter(n int64) Action {
	return Action{"ResetAfter", func(x *exchange) {
		x.plan.Breaks, x.plan.Cut, x.plan.Resets = true, n, true
	}}
}

// ShortBody closes the connection when n bytes of the body have been sent,
// however many Content-Length says. The client sees exactly these. A body of no
// more than n bytes is not affected.
func ShortBody(n int64) Action {
	return Action{"ShortBody", func(x *exchange) { x.plan.Breaks, x.plan.Cut = true, n }}
}

// CorruptByte changes the byte of the body at an offset.
func CorruptByte(offset int64) Action {
	return Action{"CorruptByte", func(x *exchange) { x.plan.Corrupts, x.plan.Corrupt = true, offset }}
}

// IgnoreRange answers a download in full, with 200, whatever Range asks.
func IgnoreRange() Action {
	return Action{"IgnoreRange", func(x *exchange) { x.plan.ignoreRange = true }}
}

// DownloadRefused answers a download as one whose URL has expired, with status
// 401, 403 or 404. The body is not JSON.
func DownloadRefused(status int) Action {
	return Action{"DownloadRefused", func(x *exchange) { x.instead(refusedDownload(status)) }}
}

// WriteFirst gives the file that the request names another content before the
// request is looked at, so that it is not the one that was listed.
func WriteFirst(data []byte) Action {
	return Action{"WriteFirst", func(x *exchange) { x.s.Write(x.entry.Drive, x.entry.Item, data) }}
}

// WithoutHashes leaves file.hashes out, as the service does until a file was first
// read.
func WithoutHashes() Action {
	return Action{"WithoutHashes", func(x *exchange) { x.plan.noHashes = true }}
}

// PageAtMost gives at most n entries on a page, as the service may at any time.
func PageAtMost(n int) Action {
	return Action{"PageAtMost", func(x *exchange) { x.plan.page.limit = n }}
}

// EmptyPage gives a page without entries whose nextLink goes on where it stood.
func EmptyPage() Action { return Action{"EmptyPage", func(x *exchange) { x.plan.page.empty = true }} }

// ReversedPage gives the entries of a page in reverse order, so that items come
// before their parents.
func ReversedPage() Action {
	return Action{"ReversedPage", func(x *exchange) { x.plan.page.reverse = true }}
}

// DuplicateEntries gives each entry of a page twice.
func DuplicateEntries() Action {
	return Action{"DuplicateEntries", func(x *exchange) { x.plan.page.duplicate = true }}
}

// OmitEntries leaves items out of a page, by their ids. The service has been seen
// to lose changes, of folders that were copied and then moved.
func OmitEntries(ids ...string) Action {
	return Action{"OmitEntries", func(x *exchange) { x.plan.page.omit = append(x.plan.page.omit, ids...) }}
}

// StaleEntries gives, before the entries of a page of a delta, older versions of
// those that are not deleted: under another name and with an older eTag. The last
// occurrence counts.
func StaleEntries() Action {
	return Action{"StaleEntries", func(x *exchange) { x.plan.page.stale = true }}
}
