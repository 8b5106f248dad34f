// Package api is the HTTP API: one table of routes, from which the handlers, the
// permission checks and the OpenAPI document are made. It decides what is asked
// and by whom, calls a service, and shapes the answer; it holds no rules of the
// domain. Its choices are explained in docs/design/0004-http-api.md.
//
// How a request flows:
//
//	internal/surface  request id, security headers, access log, panics
//	route.go       finds the route
//	auth.go        who asks, how often, and whether they may
//	decode.go      the query and the body become typed values, all bad fields gathered
//	<resource>.go  one file a resource: calls the service and shapes the answer
//	errors.go      the one table from kinds of error to status codes
package api

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	accessservice "mooring/internal/access/service"
	auditservice "mooring/internal/audit/service"
	bucketservice "mooring/internal/bucket/service"
	connectionservice "mooring/internal/connection/service"
	"mooring/internal/id"
	"mooring/internal/oauth"
	"mooring/internal/store"
	"mooring/internal/surface"
	"mooring/internal/syncing"
	"mooring/internal/syncing/engine"
	syncingservice "mooring/internal/syncing/service"
	webhookservice "mooring/internal/webhook/service"
)

// Server is what the API works with. Fields without a remark are required.
type Server struct {
	Access      *accessservice.Service
	Connections *connectionservice.Service
	Buckets     *bucketservice.Service
	Syncs       *syncingservice.Service
	Engine      Engine
	// Verify has a worker hash a sync's files anew, once it is free, and with
	// repair bring again what is missing or damaged. It returns at once, with a
	// name for the job; nil: verifications are answered 503.
	Verify func(ctx context.Context, org id.Org, s id.Sync, repair bool) (job string, err error)
	// OAuth makes connections by a user's consent; nil: none are made so.
	OAuth *oauth.Service
	Store store.Store // for reads: runs, dead letters, audit, objects
	// Webhooks manages webhooks; nil: that is answered 503.
	Webhooks *webhookservice.Service
	// Trails verify audit trails; nil: that is answered 503.
	Trails  *auditservice.Trails
	Log     *slog.Logger
	Now     func() time.Time // nil: time.Now
	Version string
	// TrustedProxies may say in X-Forwarded-For from where a request comes.
	TrustedProxies []netip.Prefix
	// Ready reports why the process can't serve; nil: whether the store answers.
	Ready func(ctx context.Context) error
	// Degraded says why the process can serve but not all works, "" when all does,
	// without waiting; nil: all does.
	Degraded func() string
	// Providers are those with an adapter; nil: all that have a configuration.
	Providers []string
	// Observer hears of requests; nil: nobody does.
	Observer surface.Observer
	// Guard is shared with the dashboard; nil: the API has its own.
	Guard *surface.Guard
	// Metrics are served to admins of the Operator's organization; nil: to nobody.
	Metrics  http.Handler
	Operator func() id.Org
	// RequestTimeout ends what a request has the store and providers do, but for
	// streams; 0: surface.RequestTimeout. So does a client that goes away.
	RequestTimeout time.Duration
	// EventInterval is the time between two events of a run's stream; 0: a second.
	EventInterval time.Duration
}

// Engine is what the API needs of the engine that executes syncs;
// *engine.Engine is one.
type Engine interface {
	// Live returns a run with its ledger as it is now.
	Live(ctx context.Context, run syncing.Run) (syncing.Run, error)
	// Progress is what a run in this process does at the moment; false: it is not here.
	Progress(run id.Run) (engine.Progress, bool)
	// Preview says what a run would do, without doing it.
	Preview(ctx context.Context, s syncing.Sync, o engine.PreviewOptions) (engine.Preview, error)
}

// server is a Server at work.
type server struct {
	Server
	routes []route
	pulse  pulse
	reads  chan struct{} // bounds the audit entries of reads being written
	spec   []byte        // the OpenAPI document
}

// New makes the handler of the whole API. It is safe for concurrent use.
func New(deps Server) http.Handler { return serve(deps, routes()) }

func serve(deps Server, table []route) http.Handler {
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.RequestTimeout <= 0 {
		deps.RequestTimeout = surface.RequestTimeout
	}
	if deps.EventInterval <= 0 {
		deps.EventInterval = time.Second
	}
	if deps.Guard == nil {
		deps.Guard = &surface.Guard{}
	}
	s := &server{Server: deps, routes: table, reads: make(chan struct{}, readAudits)}
	s.spec = s.openAPI()
	return surface.Front{
		Log: s.Log, Observer: s.Observer, Proxies: s.TrustedProxies, Policy: "default-src 'none'; frame-ancestors 'none'",
		Fail: func(a *surface.Answer, r *http.Request, err error) { s.fail(a, r, nil, err) },
	}.Wrap(s.mux())
}

// Owns reports whether a path is the API's: each that begins like one of its
// routes, so that what is below /v1 is answered by the API even where nothing is.
func Owns(path string) bool { return owned()[firstSegment(path)] }

var owned = sync.OnceValue(func() map[string]bool {
	out := map[string]bool{}
	for _, r := range routes() {
		out[firstSegment(r.path)] = true
	}
	return out
})

func firstSegment(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return first
}

// routes is the whole table, in the order of the documentation.
func routes() (all []route) {
	for _, part := range [][]route{
		connectionRoutes(), usageRoutes(), oauthRoutes(), bucketRoutes(), objectRoutes(), syncRoutes(), runRoutes(), letterRoutes(),
		analyticsRoutes(), auditRoutes(), webhookRoutes(), eventRoutes(), keyRoutes(), userRoutes(), namespaceRoutes(), taskRoutes(), healthRoutes(), metricsRoutes(), documentRoutes(),
	} {
		all = append(all, part...)
	}
	return all
}

func (s *server) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }
