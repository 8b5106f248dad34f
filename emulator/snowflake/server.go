package snowflake

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"mooring/emulator/internal/fault"
)

// Options configure a Server. The zero value is useful.
type Options struct {
	// Listen is the address to listen on, 127.0.0.1:0 when empty.
	Listen string
	// Account is the identifier that clients must name, "ORG-ACCT" or
	// "locator.region"; any is accepted when empty.
	Account string
	// ChunkRows is how many rows a reply holds inline, and how many each chunk
	// after that holds: 10,000 when zero.
	ChunkRows int
	// Async makes every query answer "in progress" first.
	Async bool
	// SessionLife and MasterLife are how long the tokens of a session last: one
	// hour and four when zero.
	SessionLife, MasterLife time.Duration
	// Timezone of a session that sets none: America/Los_Angeles when empty, as
	// with Snowflake.
	Timezone string
	// Now is the clock of the server, time.Now when nil. JWTs are made with the
	// client's clock and compared with this one.
	Now func() time.Time
	// LogSize bounds the logs of requests and statements: 10,000 when zero.
	LogSize int
}

func (o Options) withDefaults() Options {
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if o.ChunkRows <= 0 {
		o.ChunkRows = 10_000
	}
	if o.SessionLife <= 0 {
		o.SessionLife = time.Hour
	}
	if o.MasterLife <= 0 {
		o.MasterLife = 4 * time.Hour
	}
	if o.Timezone == "" {
		o.Timezone = "America/Los_Angeles"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.LogSize <= 0 {
		o.LogSize = 10_000
	}
	return o
}

// Server is a running emulator. Its methods are safe for concurrent use.
type Server struct {
	opts     Options
	zone     *time.Location
	listener net.Listener
	http     *http.Server
	closed   chan struct{}
	once     sync.Once
	ids      atomic.Int64
	log      requestLog
	faults   fault.Faults[Request, Action]

	mu         sync.RWMutex
	users      map[string]*User // by name
	roles      map[string]*role // by name
	warehouses map[string]bool
	tables     map[string]*Table // by key of path
	sessions   map[int64]*session
	queries    map[string]*query // by query id
	commits    int64             // transactions committed
}

// TB is what Start needs of a testing.TB.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Start makes a server that is closed at the end of the test. At most one
// Options may be given.
func Start(tb TB, options ...Options) *Server {
	tb.Helper()
	var o Options
	if len(options) > 0 {
		o = options[0]
	}
	s, err := New(o)
	if err != nil {
		tb.Fatalf("%v", err)
		return nil
	}
	tb.Cleanup(s.Close)
	return s
}

// New makes a server that listens on opts.Listen. It fails when it can't, or when
// the time zone is unknown.
func New(opts Options) (*Server, error) {
	opts = opts.withDefaults()
	zone, err := time.LoadLocation(opts.Timezone)
	if err != nil {
		return nil, fmt.Errorf("snowflake: %w", err)
	}
	l, err := net.Listen("tcp", opts.Listen)
	if err != nil {
		return nil, fmt.Errorf("snowflake: %w", err)
	}
	s := &Server{
		opts: opts, zone: zone, listener: l, closed: make(chan struct{}),
		users: map[string]*User{}, roles: map[string]*role{adminRole: {admin: true}}, warehouses: map[string]bool{},
		tables: map[string]*Table{}, sessions: map[int64]*session{}, queries: map[string]*query{},
	}
	s.log.Limit = opts.LogSize
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          log.New(io.Discard, "", 0), // broken connections are on purpose here
	}
	go func() { _ = s.http.Serve(l) }()
	return s, nil
}

// Close stops listening and breaks what is still being answered. Calling it again
// does nothing.
func (s *Server) Close() {
	s.once.Do(func() {
		close(s.closed)
		_ = s.http.Close()
	})
}

// URL is the address of the server, without a slash at its end.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// Host is the host of the address, for a client that takes it apart.
func (s *Server) Host() string {
	host, _, _ := net.SplitHostPort(s.listener.Addr().String())
	return host
}

// Port is the port of the address.
func (s *Server) Port() int {
	_, port, _ := net.SplitHostPort(s.listener.Addr().String())
	n, _ := strconv.Atoi(port)
	return n
}

func (s *Server) now() time.Time { return s.opts.Now().UTC() }

// token makes an unguessable text.
func token() string {
	b := make([]byte, 24)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// queryID makes an id in the form of Snowflake's, which counts up.
func (s *Server) queryID() string {
	return fmt.Sprintf("01b00000-0000-0000-0000-%012x", s.ids.Add(1))
}
