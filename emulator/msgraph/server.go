package msgraph

import (
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"mooring/emulator/internal/fault"
)

// Options configure a Server. The zero value is useful; Documented gives the
// options under which a client has it hardest.
type Options struct {
	// Now is the clock for timestamps and every expiry, time.Now when nil.
	Now func() time.Time
	// PageSize of lists and deltas without $top, 200 when zero.
	PageSize int
	// AccessTokenLife is 3599 seconds when zero, DownloadURLLife an hour.
	AccessTokenLife, DownloadURLLife time.Duration
	// RotateRefreshTokens answers each use of a refresh token with a new one, as
	// the service does. Without it an answer has none, which RFC 6749 allows.
	RotateRefreshTokens bool
	// RefuseReused refuses a refresh token that was used before (AADSTS70000), to
	// prove that a client keeps the new one. The service would still accept it.
	RefuseReused bool
	// DeltaWithoutPath leaves parentReference.path out of deltas, as documented.
	// Tenants have been seen to send it.
	DeltaWithoutPath bool
	// FolderDeltaRefused answers 501 notSupported to a delta that isn't asked of
	// the root, as business drives did until 2021.
	FolderDeltaRefused bool
	// DeleteFolderOnly reports the deletion of a folder without those of what was
	// in it. Otherwise each comes as an item of its own, after its folder.
	DeleteFolderOnly bool
	// FunctionLinks writes the links of deltas as …/delta(token='…'), as the
	// service does for some drives, instead of with a parameter token.
	FunctionLinks bool
	// UnitsPerMinute is the budget of resource units of each app in each tenant;
	// zero is unlimited. At 80 % of it RateLimit headers appear, beyond it 429.
	UnitsPerMinute int
	// DownloadBase is the beginning of download URLs, the address of the request
	// when empty. The service's are on another host than its API.
	DownloadBase string
	// LogSize bounds the request log, 10,000 when zero.
	LogSize int
}

// Documented are the options that follow Microsoft's documentation to the letter:
// rotating refresh tokens, no paths in deltas.
func Documented() Options {
	return Options{RotateRefreshTokens: true, DeltaWithoutPath: true}
}

// Server is an emulator. Its methods are safe for concurrent use. Those that build
// or change a tree panic when they are asked for the impossible, such as a file in
// a folder that doesn't exist: that is a mistake of the test.
type Server struct {
	// URL is where the server listens, without a slash at its end. Whoever mounts
	// a server that New made sets it, before the first request.
	URL string

	opts   Options
	log    requestLog
	faults fault.Faults[Request, Action]
	ids    atomic.Uint64
	closed chan struct{}
	once   sync.Once
	http   *http.Server

	mu sync.Mutex // guards all below
	directory
	tokens
	storage
	budgets map[string]*budget
}

// New makes a server that does not listen: it is an http.Handler. Don't put it
// behind http.ServeMux, which rewrites paths.
func New(opts Options) *Server {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.PageSize <= 0 {
		opts.PageSize = 200
	}
	if opts.AccessTokenLife <= 0 {
		opts.AccessTokenLife = 3599 * time.Second
	}
	if opts.DownloadURLLife <= 0 {
		opts.DownloadURLLife = time.Hour
	}
	if opts.LogSize <= 0 {
		opts.LogSize = 10_000
	}
	s := &Server{opts: opts, closed: make(chan struct{}), budgets: map[string]*budget{}}
	s.directory = newDirectory()
	s.tokens = newTokens()
	s.storage = newStorage()
	s.log.Limit = opts.LogSize
	return s
}

// TB is what Start needs of a testing.TB.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Start makes a server that listens on a free port of the loopback address until
// the test ends. Without options they are Documented.
func Start(tb TB, opts ...Options) *Server {
	tb.Helper()
	o := Documented()
	if len(opts) > 0 {
		o = opts[0]
	}
	s, err := Listen("127.0.0.1:0", o)
	if err != nil {
		tb.Fatalf("msgraph: %v", err)
	}
	tb.Cleanup(s.Close)
	return s
}

// Listen makes a server that listens on an address until it is closed.
func Listen(address string, opts Options) (*Server, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	s := New(opts)
	s.URL = "http://" + l.Addr().String()
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          log.New(io.Discard, "", 0), // broken connections are on purpose here
	}
	go func() { _ = s.http.Serve(l) }()
	return s, nil
}

// Close stops listening and breaks what is still being answered.
func (s *Server) Close() {
	s.once.Do(func() {
		close(s.closed)
		if s.http != nil {
			_ = s.http.Close()
		}
	})
}

// API is the base of the API, version included.
func (s *Server) API() string { return s.URL + "/v1.0" }

// LoginURL is the base of the token endpoint, LoginURL/{tenant}/oauth2/v2.0/token,
// and of its neighbour authorize.
func (s *Server) LoginURL() string { return s.URL }

func (s *Server) now() time.Time { return s.opts.Now().UTC() }
