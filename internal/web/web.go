// Package web is the dashboard: pages that the server renders, which work
// without scripts and are made smoother by htmx. Like the API it is one table,
// from which handlers and permission checks are made; it calls the services that
// the API calls, and asks the package surface what a key reaches. Its choices,
// and how a page is added, are explained in docs/design/0013-dashboard.md.
//
// How a request flows:
//
//	internal/surface  request id, security headers, access log, panics
//	web.go            finds the page, refuses what other sites send
//	visit.go          who asks, and whether they may
//	<subject>.go      one file a subject: calls the services, fills a template
//	render.go         templates/<subject>.html within templates/layout.html
package web

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"mooring/internal/access"
	accessservice "mooring/internal/access/service"
	auditservice "mooring/internal/audit/service"
	bucketservice "mooring/internal/bucket/service"
	connectionservice "mooring/internal/connection/service"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/oauth"
	"mooring/internal/store"
	"mooring/internal/surface"
	"mooring/internal/syncing"
	"mooring/internal/syncing/engine"
	syncingservice "mooring/internal/syncing/service"
	webhookservice "mooring/internal/webhook/service"
)

// Server is what the dashboard works with. Fields without a remark are required.
type Server struct {
	Access      *accessservice.Service
	Connections *connectionservice.Service
	Buckets     *bucketservice.Service
	Syncs       *syncingservice.Service
	Engine      Engine
	// Verify has a worker hash a sync's files anew; nil: that can't be asked for.
	Verify   func(ctx context.Context, org id.Org, s id.Sync, repair bool) (job string, err error)
	OAuth    *oauth.Service          // nil: no connections by consent
	Webhooks *webhookservice.Service // nil: none
	Trails   *auditservice.Trails    // nil: audit trails can't be verified
	Store    store.Store             // for reads
	Guard    *surface.Guard          // shared with the API
	Log      *slog.Logger
	Observer surface.Observer
	Now      func() time.Time // nil: time.Now
	Version  string
	// PublicURL is how browsers reach the server, "" when that is not known. With
	// https, cookies are for https alone.
	PublicURL      string
	TLS            bool // the server itself speaks TLS
	TrustedProxies []netip.Prefix
	Providers      []string // with an adapter; nil: all that have a configuration
	// RequestTimeout ends what a request has the store and providers do, but for
	// streams; 0: surface.RequestTimeout. So does a browser that goes away.
	RequestTimeout time.Duration
	// Tick is the time between two events of a stream; 0: a second.
	Tick time.Duration
}

// Engine is what the dashboard needs of the engine that executes syncs;
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
	cross *http.CrossOriginProtection
}

// page is one thing that a browser can ask for.
type page struct {
	pattern string            // method and path, as ServeMux has them
	need    access.Permission // "" for pages open to everybody
	serve   func(v *visit) error
}

// pages is the whole table.
func pages() (all []page) {
	for _, part := range [][]page{
		signInPages(), connectionPages(), connectPages(), browsePages(), bucketPages(), syncPages(), auditPages(), keyPages(), webhookPages(), settingsPages(), sessionPages(),
	} {
		all = append(all, part...)
	}
	return all
}

// policy is what a browser may do with what is sent: everything comes from this
// server, and nothing is written into a page but markup.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; " +
	"frame-ancestors 'none'; base-uri 'none'"

// New makes the handler of the dashboard. It is safe for concurrent use.
func New(deps Server) http.Handler {
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.RequestTimeout <= 0 {
		deps.RequestTimeout = surface.RequestTimeout
	}
	if deps.Tick <= 0 {
		deps.Tick = time.Second
	}
	s := &server{Server: deps, cross: http.NewCrossOriginProtection()}
	if u, err := url.Parse(deps.PublicURL); err == nil && u.Host != "" {
		_ = s.cross.AddTrustedOrigin(u.Scheme + "://" + u.Host) // as the configuration has checked
	}
	return surface.Front{Log: s.Log, Observer: s.Observer, Proxies: s.TrustedProxies, Policy: policy, Fail: s.fail}.Wrap(s.mux())
}

func (s *server) mux() http.Handler {
	mux := http.NewServeMux()
	for _, p := range pages() {
		mux.HandleFunc(p.pattern, func(w http.ResponseWriter, r *http.Request) { s.dispatch(surface.Of(w), r, &p) })
	}
	mux.HandleFunc("GET /assets/{hash}/{name}", s.asset)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.dispatch(surface.Of(w), r, &page{pattern: "unknown", serve: func(*visit) error {
			return errs.New(errs.NotFound, "web", "there is no such page")
		}})
	})
	return mux
}

func (s *server) dispatch(a *surface.Answer, r *http.Request, p *page) {
	a.Route = p.pattern
	a.Header().Set("Referrer-Policy", "same-origin") // else some browsers send forms from the origin "null"
	ctx, cancel := context.WithTimeout(r.Context(), s.RequestTimeout)
	defer cancel()
	v := &visit{server: s, w: a, r: r.WithContext(ctx), browser: r.Context(), page: p}
	if err := v.run(); err != nil {
		v.fail(err)
	}
}

// fail answers when a handler has panicked.
func (s *server) fail(a *surface.Answer, r *http.Request, err error) {
	(&visit{server: s, w: a, r: r, page: &page{}}).fail(err)
}

func (s *server) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }

// secure reports whether browsers reach the server by TLS.
func (s *server) secure() bool {
	u, err := url.Parse(s.PublicURL)
	return s.TLS || err == nil && u.Scheme == "https"
}
