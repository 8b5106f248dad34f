package gdrive

import (
	"net/http"
	"slices"
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

	wire.Damage
	ignoreRange bool

	list listPlan
}

// listPlan is what actions make of a page of files or changes.
type listPlan struct {
	limit      int  // at most so many entries, when not zero
	claimEnd   bool // and nothing says that there are more
	empty      bool
	overlap    bool
	duplicate  bool
	reverse    bool
	incomplete bool
}

// reorder does to the entries of a page what the plan says. It is never nil.
func (p listPlan) reorder(list []object) []object {
	out := append([]object{}, list...)
	if p.reverse {
		slices.Reverse(out)
	}
	if p.duplicate && len(out) > 0 {
		out = append(out, out[0])
	}
	return out
}

// instead sets the answer, unless an earlier action has.
func (x *exchange) instead(e *Error) {
	if x.plan.reply == nil {
		x.plan.reply = e
	}
}

// Do combines actions.
func Do(actions ...Action) Action {
	return Action{"Do", func(x *exchange) {
		for _, a := range actions {
			x.s.log.fault(x.entry, a.name)
			a.do(x)
		}
	}}
}

// Run calls a function before the request is looked at, for instance to move a
// file between two pages of a list.
func Run(fn func()) Action { return Action{"Run", func(*exchange) { fn() }} }

// Reply answers with an error, in the form of the API or of the token endpoint. At the
// authorization endpoint its Reason goes back to the redirect address.
func Reply(e Error) Action { return Action{"Reply " + e.Reason, func(x *exchange) { x.instead(&e) }} }

// ReplyReason answers with an error that has the status and message which Google gives
// with the reason.
func ReplyReason(reason string) Action { return Reply(Error{Reason: reason}) }

// RateLimited answers 403 userRateLimitExceeded, as Drive mostly throttles.
func RateLimited() Action { return ReplyReason("userRateLimitExceeded") }

// TooManyRequests answers 429 rateLimitExceeded, with Retry-After in seconds unless it is
// zero.
func TooManyRequests(retryAfter time.Duration) Action {
	e := Error{Status: http.StatusTooManyRequests, Reason: "rateLimitExceeded"}
	if retryAfter > 0 {
		e.Header = http.Header{"Retry-After": {strconv.Itoa(int(retryAfter.Seconds()))}}
	}
	return Reply(e)
}

// Unauthorized answers 401 authError, though the token may be good.
func Unauthorized() Action { return ReplyReason("authError") }

// Forbidden answers 403 insufficientFilePermissions.
func Forbidden() Action { return ReplyReason("insufficientFilePermissions") }

// NotFound answers 404 notFound, naming the file asked for.
func NotFound() Action {
	return Action{"NotFound", func(x *exchange) { x.instead(fileNotFound(x.entry.File)) }}
}

// InternalError answers 500 internalError.
func InternalError() Action { return ReplyReason("internalError") }

// Unavailable answers 503 backendError.
func Unavailable() Action { return ReplyReason("backendError") }

// InvalidPageToken answers 400 invalid, about pageToken.
func InvalidPageToken() Action { return Reply(*badParameter("pageToken", "invalid", "Invalid Value")) }

// InvalidGrant answers a request for a token with 400 invalid_grant. Google tells the
// variants apart by the description alone: "Invalid JWT Signature.", "Invalid grant:
// account not found", "Invalid email or User ID", "Token has been expired or revoked." …
func InvalidGrant(description string) Action { return Reply(*invalidGrant(description)) }

// UnauthorizedClient answers a request for a token with 401 unauthorized_client: the
// account may not impersonate the user, or not with this scope.
func UnauthorizedClient() Action { return ReplyReason("unauthorized_client") }

// EchoCredentials answers 401 authError with a message that repeats what was presented,
// as a careless server or proxy may. Nothing of it may reach a log or a user.
func EchoCredentials() Action {
	return Action{"EchoCredentials", func(x *exchange) {
		e := *failure("authError")
		e.Message = "refused: " + x.r.Header.Get("Authorization") + " " + x.form.Encode()
		if x.entry.Operation == Token {
			e = *invalidGrant(e.Message)
		}
		x.instead(&e)
	}}
}

// ExpireTokens ends all access tokens, from this request on.
func ExpireTokens() Action {
	return Action{"ExpireTokens", func(x *exchange) { x.s.ExpireAccessTokens() }}
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

// IgnoreRange answers a download in full, with 200.
func IgnoreRange() Action {
	return Action{"IgnoreRange", func(x *exchange) { x.plan.ignoreRange = true }}
}

// ChangeFirst writes other content of the same size to the file before the request is
// looked at, so that it is not what a list or an earlier part of a download gave.
func ChangeFirst() Action {
	return Action{"ChangeFirst", func(x *exchange) { x.s.scramble(x.entry.File) }}
}

// scramble replaces the content of a file, if it has any.
func (s *Server) scramble(id string) {
	s.mu.Lock()
	i := s.tree.items[id]
	ok := i != nil && i.head() != nil
	s.mu.Unlock()
	if ok {
		s.edit(id, func(i *item, _ time.Time) {
			s.write(i, generatedContent(uint64(i.version)+1, i.head().size))
		})
	}
}

// ListAtMost gives at most n entries on a page, as the service may at any time:
// the page says how to go on.
func ListAtMost(n int) Action {
	return Action{"ListAtMost", func(x *exchange) { x.plan.list.limit = n }}
}

// ListCutOff gives at most n entries and claims that there are no more.
func ListCutOff(n int) Action {
	return Action{"ListCutOff", func(x *exchange) { x.plan.list.limit, x.plan.list.claimEnd = n, true }}
}

// EmptyPage answers a page of files or changes with nothing in it but the token of the
// next one.
func EmptyPage() Action {
	return Action{"EmptyPage", func(x *exchange) { x.plan.list.empty = true }}
}

// IncompleteSearch answers a list of files that says it is not complete.
func IncompleteSearch() Action {
	return Action{"IncompleteSearch", func(x *exchange) { x.plan.list.incomplete = true }}
}

// DuplicateEntries gives the first entry of a page once more at its end.
func DuplicateEntries() Action {
	return Action{"DuplicateEntries", func(x *exchange) { x.plan.list.duplicate = true }}
}

// OverlapPages makes the page after this one begin with the last entry of this one.
func OverlapPages() Action {
	return Action{"OverlapPages", func(x *exchange) { x.plan.list.overlap = true }}
}

// ReverseOrder gives the entries of a page in reverse order.
func ReverseOrder() Action {
	return Action{"ReverseOrder", func(x *exchange) { x.plan.list.reverse = true }}
}
