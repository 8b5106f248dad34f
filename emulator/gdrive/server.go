package gdrive

import (
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"mooring/emulator/internal/fault"
)

// Options configure a Server. The zero value is useful.
type Options struct {
	// Now is the clock for times of files and changes, and for the expiry of
	// tokens; time.Now when nil. When an assertion was signed is compared with the
	// real clock, as clients sign with theirs.
	Now func() time.Time
	// PageSize bounds the entries on a page, whatever is asked for. Zero leaves it to
	// the request.
	PageSize int
	// AccessTokenLife is how long an access token is good, an hour when zero.
	AccessTokenLife time.Duration
	// RotateRefreshTokens gives a new refresh token with each use of one. Google does
	// not do so by default; other identity providers do.
	RotateRefreshTokens bool
	// RefuseReused refuses a refresh token that was replaced by rotation. Without it
	// the old one stays good.
	RefuseReused bool
	// ExportLimit is the size in bytes from which on an export is refused, 10 MiB
	// when zero.
	ExportLimit int64
	// LogSize bounds the request log, 10,000 when zero.
	LogSize int
}

// Server is an emulator. Its methods are safe for concurrent use.
type Server struct {
	// URL is where the server is reached, without a slash at its end. Start sets
	// it; who serves a Server made by New sets it before first use.
	URL string

	opts   Options
	log    requestLog
	faults fault.Faults[Request, Action]
	closed chan struct{}
	once   sync.Once
	http   *http.Server

	mu     sync.Mutex
	tree   tree
	oauth  oauth
	change int64 // number of the last change
}

var _ http.Handler = (*Server)(nil)

// New makes a server that does not listen: it is an http.Handler, which must see
// paths as they were sent (not behind http.ServeMux). Close ends what it holds up.
func New(opts Options) *Server {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.AccessTokenLife <= 0 {
		opts.AccessTokenLife = time.Hour
	}
	if opts.ExportLimit <= 0 {
		opts.ExportLimit = 10 << 20
	}
	if opts.LogSize <= 0 {
		opts.LogSize = 10_000
	}
	s := &Server{opts: opts, closed: make(chan struct{})}
	s.log.Limit = opts.LogSize
	s.tree = newTree()
	s.oauth = newOAuth()
	return s
}

// Start makes a server that listens on a free loopback port until the test ends.
// At most one Options is looked at.
func Start(tb testing.TB, opts ...Options) *Server {
	tb.Helper()
	var o Options
	if len(opts) > 0 {
		o = opts[0]
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("gdrive: %v", err)
	}
	s := New(o)
	s.URL = "http://" + l.Addr().String()
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          log.New(io.Discard, "", 0), // broken connections are on purpose here
	}
	go func() { _ = s.http.Serve(l) }()
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

// Close stops listening and breaks what is still being answered. Calling it again
// does nothing.
func (s *Server) Close() error {
	var err error
	s.once.Do(func() {
		close(s.closed)
		if s.http != nil {
			err = s.http.Close()
		}
	})
	return err
}

// Where the endpoints are, below URL.
const (
	apiPath    = "/drive/v3/"
	tokenPath  = "/token"
	authPath   = "/auth"
	exportPath = "/feeds/download/documents/export/Export"
)

// API is the base of the Drive API, with a slash at its end, as clients take for an
// endpoint.
func (s *Server) API() string { return s.URL + apiPath }

// TokenURL is the OAuth 2.0 token endpoint.
func (s *Server) TokenURL() string { return s.URL + tokenPath }

// AuthURL is the OAuth 2.0 authorization endpoint. It asks nobody: the user named by
// login_hint, or else the first one, consents at once, and the browser is sent back.
func (s *Server) AuthURL() string { return s.URL + authPath }

func (s *Server) now() time.Time { return s.opts.Now().UTC() }
