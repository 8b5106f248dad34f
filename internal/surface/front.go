package surface

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"

	"mooring/internal/errs"
	"mooring/internal/id"
)

// Observer hears of every request that was answered; route is its pattern.
type Observer interface {
	Request(route string, status int, took time.Duration)
}

// Front is what every request passes through: a request id, headers that bind
// the browser, the log, and an answer when a handler panics.
type Front struct {
	Log      *slog.Logger
	Observer Observer // nil: nobody hears
	Proxies  []netip.Prefix
	// Policy is the content security policy of answers that set none of their own.
	Policy string
	// Fail answers with an error.
	Fail func(a *Answer, r *http.Request, err error)
}

// Wrap makes the handler whose next one is given an *Answer to write to.
func (f Front) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		a := &Answer{ResponseWriter: w, ID: requestID(r), Route: "unknown"}
		ctx, span := otel.Tracer("mooring").Start(r.Context(), "request") // goes nowhere unless the operator wants traces
		r = r.WithContext(ctx)
		_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // that of the answer before, on the same connection
		h := a.Header()
		h.Set("X-Request-Id", a.ID)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", f.Policy)
		defer func() {
			if p := recover(); p != nil {
				f.recovered(a, r, p)
			}
			f.logged(a, r, began)
			span.SetName(a.Route)
			span.SetAttributes(attribute.String("mooring.request", a.ID), attribute.Int("http.response.status_code", a.Code))
			span.End()
		}()
		next.ServeHTTP(a, r)
	})
}

// recovered answers a panic. Its stack is logged, never the request's body, nor
// what was panicked with: it may hold a secret. What Go itself says is no text of ours.
func (f Front) recovered(a *Answer, r *http.Request, p any) {
	if p == http.ErrAbortHandler { //nolint:errorlint // the sentinel itself is what panics
		panic(p)
	}
	f.Log.Error("a handler panicked", "request_id", a.ID, "route", a.Route, "panic", kindOf(p), "stack", string(debug.Stack()))
	if a.Started() {
		panic(http.ErrAbortHandler)
	}
	f.Fail(a, r, errs.New(errs.Internal, "surface", "a handler panicked"))
}

// kindOf is what may be said of a value that somebody panicked with.
func kindOf(p any) string {
	if e, ok := p.(runtime.Error); ok {
		return e.Error()
	}
	return fmt.Sprintf("a value of type %T", p)
}

func (f Front) logged(a *Answer, r *http.Request, began time.Time) {
	if f.Observer != nil {
		f.Observer.Request(a.Route, a.Code, time.Since(began))
	}
	level := slog.LevelInfo
	if a.Quiet {
		level = slog.LevelDebug
	}
	f.Log.LogAttrs(r.Context(), level, "request",
		slog.String("request_id", a.ID), slog.String("method", r.Method), slog.String("route", a.Route), slog.Int("status", a.Code),
		slog.Int64("bytes", a.bytes), slog.Duration("took", time.Since(began)), slog.String("ip", ClientIP(r, f.Proxies)), a.Who)
}

// requestID takes the client's request id if it is a harmless one.
func requestID(r *http.Request) string {
	given := r.Header.Get("X-Request-Id")
	harmless := len(given) >= 1 && len(given) <= 64
	for _, c := range given {
		harmless = harmless && ('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.')
	}
	if harmless {
		return given
	}
	return "req_" + id.NewToken(20)
}
