package api

import (
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"

	"mooring/internal/errs"
	"mooring/internal/id"
)

// answer is a ResponseWriter that remembers what was answered, for the log, and
// which request it was.
type answer struct {
	http.ResponseWriter
	id     string
	route  *route
	who    slog.Attr
	status int
	bytes  int64
}

// WriteHeader notes the status.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.patience()
	a.ResponseWriter.WriteHeader(status)
}

// patience gives the client its time to take what comes next: one that reads
// nothing would else hold a handler for as long as it likes.
func (a *answer) patience() {
	_ = http.NewResponseController(a.ResponseWriter).SetWriteDeadline(time.Now().Add(stalled))
}

// Write counts.
func (a *answer) Write(p []byte) (n int, err error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	for piece := range slices.Chunk(p, contentBuffer) {
		a.patience()
		written, err := a.ResponseWriter.Write(piece)
		n += written
		a.bytes += int64(written)
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func of(w http.ResponseWriter) *answer {
	a, _ := w.(*answer)
	return a
}

func started(w http.ResponseWriter) bool           { return of(w).status != 0 }
func requestID(w http.ResponseWriter) string       { return of(w).id }
func noteRoute(w http.ResponseWriter, r *route)    { of(w).route = r }
func noteWho(w http.ResponseWriter, who slog.Attr) { of(w).who = who }

// routeName is how logs name a request: by its pattern, since paths hold names
// that users chose.
func routeName(r *route) string {
	if r == nil {
		return "unknown"
	}
	return r.method + " " + r.path
}

// outer is what every request passes through.
func (s *server) outer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		a := &answer{ResponseWriter: w, id: requestIDOf(r)}
		ctx, span := otel.Tracer("mooring").Start(r.Context(), "request") // goes nowhere unless the operator wants traces
		r = r.WithContext(ctx)
		_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // that of the answer before, on the same connection
		h := a.Header()
		h.Set("X-Request-Id", a.id)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		defer func() {
			if p := recover(); p != nil {
				s.recovered(a, r, p)
			}
			s.logged(a, r, began)
			span.SetName(routeName(a.route))
			span.SetAttributes(attribute.String("mooring.request", a.id), attribute.Int("http.response.status_code", a.status))
			span.End()
		}()
		next.ServeHTTP(a, r)
	})
}

// recovered answers a panic. Its stack is logged, never the request's body.
func (s *server) recovered(a *answer, r *http.Request, p any) {
	if p == http.ErrAbortHandler { //nolint:errorlint // the sentinel itself is what panics
		panic(p)
	}
	s.Log.Error("a handler panicked", "request_id", a.id, "route", routeName(a.route), "panic", p, "stack", string(debug.Stack()))
	if a.status != 0 {
		panic(http.ErrAbortHandler)
	}
	s.fail(a, r, a.route, errs.New(errs.Internal, "api", "a handler panicked"))
}

func (s *server) logged(a *answer, r *http.Request, began time.Time) {
	s.Observer.Request(routeName(a.route), a.status, time.Since(began))
	level := slog.LevelInfo
	if a.route != nil && a.route.need == "" {
		level = slog.LevelDebug // probes
	}
	s.Log.LogAttrs(r.Context(), level, "request",
		slog.String("request_id", a.id), slog.String("method", r.Method), slog.String("route", routeName(a.route)), slog.Int("status", a.status),
		slog.Int64("bytes", a.bytes), slog.Duration("took", time.Since(began)), slog.String("ip", s.clientIP(r)), a.who)
}

// requestIDOf takes the client's request id if it is a harmless one.
func requestIDOf(r *http.Request) string {
	given := r.Header.Get("X-Request-Id")
	harmless := len(given) >= 1 && len(given) <= 64 && !strings.ContainsFunc(given, func(c rune) bool {
		return ('a' > c || c > 'z') && ('A' > c || c > 'Z') && ('0' > c || c > '9') && c != '-' && c != '_' && c != '.'
	})
	if harmless {
		return given
	}
	return "req_" + id.NewToken(20)
}

// clientIP is where a request comes from. X-Forwarded-For is read from its end
// and believed only as far as each hop is one of the trusted proxies.
func (s *server) clientIP(r *http.Request) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	ip := peer.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && s.trusted(ip); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		ip = hop.Unmap()
	}
	return ip.WithZone("").String()
}

func (s *server) trusted(ip netip.Addr) bool {
	for _, p := range s.TrustedProxies {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}
