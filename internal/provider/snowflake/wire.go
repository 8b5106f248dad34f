package snowflake

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"mooring/internal/errs"
	"mooring/internal/outbound"
)

// wire is the driver's transport. The driver would retry on its own, for
// minutes, and tell in the end neither what happened nor that it was the
// network: so what fails is noted in the request's context, and the driver gets
// an answer that it does not retry. Retrying is for who calls the adapter.
type wire struct {
	next http.RoundTripper
	now  func() time.Time
	tls  bool // Snowflake is reached by it
}

// sideTime bounds requests that nobody waits for: to abort a query, to close a
// session. The driver makes them without a context of ours.
const sideTime = 10 * time.Second

// loginPath is where the driver begins a session.
const loginPath = "/session/v1/login-request"

// RoundTrip implements http.RoundTripper.
func (w wire) RoundTrip(q *http.Request) (*http.Response, error) {
	given := q.Context()
	ctx, stop := context.WithCancel(given)
	if strings.HasSuffix(q.URL.Path, "/abort-request") || q.URL.Path == "/session" {
		ctx, stop = context.WithTimeout(given, sideTime)
	}
	if n, ok := given.Value(notesKey{}).(*notes); ok {
		context.AfterFunc(n.halted, stop)
	}
	q = q.WithContext(ctx)
	if bad := w.inTheOpen(q); bad != nil {
		stop()
		note(given, bad)
		return refusal(q), nil
	}
	r, err := w.next.RoundTrip(q)
	if err != nil {
		stop()
		if given.Err() != nil {
			return nil, err
		}
		note(given, failed(err))
		return refusal(q), nil
	}
	bad := w.weather(r)
	if bad == nil {
		bad = elsewhere(r)
	}
	if bad != nil {
		note(q.Context(), bad)
		_ = r.Body.Close()
		stop()
		return refusal(q), nil
	}
	r.Body = &body{ReadCloser: unpack(r.Body), ctx: q.Context(), stop: stop}
	return r, nil
}

// weather is the error of an answer whose status means that the same request may
// succeed later, or that there is no such account: the driver would ask for minutes.
func (w wire) weather(r *http.Response) *errs.Error {
	e := &errs.Error{Origin: errs.Provider, Scope: errs.ScopeConnection, Code: strconv.Itoa(r.StatusCode)}
	switch {
	case r.StatusCode == http.StatusTooManyRequests:
		e.Kind, e.Msg = errs.Throttled, "Snowflake asks to slow down"
	case r.StatusCode >= 500 || r.StatusCode == http.StatusRequestTimeout:
		e.Kind, e.Msg = errs.Unavailable, "Snowflake does not work at the moment"
	case r.StatusCode == http.StatusNotFound && r.Request.URL.Path == loginPath:
		e.Kind, e.Msg = errs.NotFound, "Snowflake has no such account where the connection says: check account and region"
		return e
	default:
		return nil
	}
	e.RetryAfter = outbound.RetryAfter(r.Header, w.now())
	return e
}

// failed classifies what the transport could not do.
func failed(err error) *errs.Error {
	var e *errs.Error
	if errors.As(err, &e) {
		return e
	}
	if e = outbound.Error(err); e.Kind != errs.Internal {
		return e
	}
	return &errs.Error{
		Kind: errs.Unavailable, Origin: errs.Provider, Scope: errs.ScopeConnection, Msg: "Snowflake can't be reached", Err: err,
	}
}

// settling is how long the driver needs, and more, to begin to wait for a chunk
// that it has asked for. It may not hear of a failure before: see during.
const settling = 20 * time.Millisecond

// refusal is an answer that the driver takes for final.
func refusal(q *http.Request) *http.Response {
	if q.Method == http.MethodGet {
		time.Sleep(settling)
	}
	return &http.Response{
		Status: "400 Bad Request", StatusCode: http.StatusBadRequest, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(nil)), Request: q,
	}
}

// body notes a transfer that breaks.
type body struct {
	io.ReadCloser
	ctx  context.Context
	stop context.CancelFunc
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF && b.ctx.Err() == nil {
		e := failed(err)
		if e.Kind == errs.Internal {
			e = &errs.Error{Kind: errs.Unavailable, Origin: errs.Provider, Scope: errs.ScopeConnection, Msg: "the transfer from Snowflake broke", Err: err}
		}
		note(b.ctx, e)
	}
	return n, err
}

func (b *body) Close() error {
	defer b.stop()
	return b.ReadCloser.Close()
}

// notes keeps the last failure of the requests that are made for one call, and
// can stop them. The context that the driver has is not ended for that: a driver
// whose context ends while it reads the last part of a result may panic.
type notes struct {
	mu     sync.Mutex
	err    *errs.Error
	halted context.Context
	halt   context.CancelFunc // of the requests
	giveUp context.CancelFunc // of the statement, until there is a result
}

type notesKey struct{}

// noted gives a context whose failures are kept.
func noted(ctx context.Context) (context.Context, *notes) {
	n := &notes{}
	n.halted, n.halt = context.WithCancel(context.Background())
	return context.WithValue(ctx, notesKey{}, n), n
}

func note(ctx context.Context, err *errs.Error) {
	if n, ok := ctx.Value(notesKey{}).(*notes); ok {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.err = err
	}
}

// take returns the failure and forgets it.
func (n *notes) take() *errs.Error {
	n.mu.Lock()
	defer n.mu.Unlock()
	err := n.err
	n.err = nil
	return err
}
