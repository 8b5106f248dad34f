package s3

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

	wire.Damage

	spoilChecksum bool
	list          listPlan
}

// listPlan is what actions make of a list.
type listPlan struct {
	limit     int  // at most so many entries, when not zero
	claimEnd  bool // and nothing says that there are more
	empty     bool
	reverse   bool
	duplicate bool
	overlap   bool
	unencoded bool
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

// Run calls a function before the request is looked at, for instance to change a
// bucket between two pages of a list.
func Run(fn func()) Action { return Action{"Run", func(*exchange) { fn() }} }

// Reply answers with an error, in the form of S3 or of STS.
func Reply(e Error) Action { return Action{"Reply " + e.Code, func(x *exchange) { x.instead(&e) }} }

// ReplyCode answers with an error that has the status and message which AWS gives
// with the code.
func ReplyCode(code string) Action { return Reply(Error{Code: code}) }

// SlowDown answers 503 SlowDown, with Retry-After in seconds unless it is zero.
func SlowDown(retryAfter time.Duration) Action {
	e := Error{Code: "SlowDown"}
	if retryAfter > 0 {
		e.Header = http.Header{"Retry-After": {strconv.Itoa(int(retryAfter.Seconds()))}}
	}
	return Reply(e)
}

// InternalError answers 500 InternalError.
func InternalError() Action { return ReplyCode("InternalError") }

// RequestTimeTooSkewed answers as if the server's clock were ahead of the
// request's by skew.
func RequestTimeTooSkewed(skew time.Duration) Action {
	return Action{"RequestTimeTooSkewed", func(x *exchange) {
		date := x.r.Header.Get("X-Amz-Date")
		signed, err := time.Parse(amzTime, date)
		if err != nil {
			signed = x.entry.Time
		}
		x.instead(failure("RequestTimeTooSkewed",
			Element{"RequestTime", date},
			Element{"ServerTime", signed.Add(skew).UTC().Format(time.RFC3339)},
			Element{"MaxAllowedSkewMilliseconds", "900000"}))
	}}
}

// WrongRegion answers as if the bucket were in another region: 301
// PermanentRedirect with x-amz-bucket-region.
func WrongRegion(region string) Action {
	return Action{"WrongRegion", func(x *exchange) { x.instead(x.redirect(region)) }}
}

// EchoCredentials answers 403 SignatureDoesNotMatch with a body that repeats what
// was presented (Authorization, session token) and the secret key on file, as a
// careless server or proxy may. Nothing of it may reach a log or a user.
func EchoCredentials() Action {
	return Action{"EchoCredentials", func(x *exchange) {
		secret := ""
		if c := x.s.credential(x.entry.AccessKey); c != nil {
			secret = c.Secret
		}
		e := failure("SignatureDoesNotMatch",
			Element{"AWSAccessKeyId", x.entry.AccessKey},
			Element{"Authorization", x.r.Header.Get("Authorization")},
			Element{"SecurityToken", sessionToken(x.r, x.query)},
			Element{"SecretAccessKey", secret})
		e.Message = "The signature of " + x.r.Header.Get("Authorization") + " does not match; the secret is " + secret
		x.instead(e)
	}}
}

// ExpireSession makes the session that the request presents expire, from this
// request on.
func ExpireSession() Action {
	return Action{"ExpireSession", func(x *exchange) { x.s.ExpireSession(x.entry.AccessKey) }}
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

// ChecksumMismatch makes the checksum headers of the answer wrong. The request
// must ask for them, and the object must have a checksum.
func ChecksumMismatch() Action {
	return Action{"ChecksumMismatch", func(x *exchange) { x.plan.spoilChecksum = true }}
}

// ChangeFirst touches the object before the request is looked at, so that its
// ETag is another one than a list or an earlier part of a download gave.
func ChangeFirst() Action {
	return Action{"ChangeFirst", func(x *exchange) { _ = x.s.Touch(x.entry.Bucket, x.entry.Key) }}
}

// ListAtMost gives at most n entries on a page, as the service may at any time:
// the page says that it is truncated and how to go on.
func ListAtMost(n int) Action {
	return Action{"ListAtMost", func(x *exchange) { x.plan.list.limit = n }}
}

// ListCutOff gives at most n entries and claims that there are no more.
func ListCutOff(n int) Action {
	return Action{"ListCutOff", func(x *exchange) { x.plan.list.limit, x.plan.list.claimEnd = n, true }}
}

// EmptyList answers 200 with a list that has nothing in it.
func EmptyList() Action {
	return Action{"EmptyList", func(x *exchange) { x.plan.list.empty = true }}
}

// UnorderedList gives the entries of a page in reverse order.
func UnorderedList() Action {
	return Action{"UnorderedList", func(x *exchange) { x.plan.list.reverse = true }}
}

// DuplicateKeys gives the first key of a page twice.
func DuplicateKeys() Action {
	return Action{"DuplicateKeys", func(x *exchange) { x.plan.list.duplicate = true }}
}

// OverlapPages makes the page after this one begin with the last key of this one.
func OverlapPages() Action {
	return Action{"OverlapPages", func(x *exchange) { x.plan.list.overlap = true }}
}

// IgnoreEncoding answers a list as a server does that does not know
// encoding-type: keys as they are, and no EncodingType.
func IgnoreEncoding() Action {
	return Action{"IgnoreEncoding", func(x *exchange) { x.plan.list.unencoded = true }}
}
