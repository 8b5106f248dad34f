package s3

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rclone/gofakes3"

	"mooring/emulator/internal/fault"
)

// The credentials that a server accepts when Options.Keys is empty.
const (
	DefaultAccessKeyID     = "AKIAEMULATOR00000000"
	DefaultSecretAccessKey = "emulator-secret-access-key"
)

// Options configure a Server. The zero value is useful.
type Options struct {
	// Listen is the address to listen on, 127.0.0.1:0 when empty.
	Listen string
	// Region of the endpoint and of buckets that name no other, us-east-1 when
	// empty.
	Region string
	// Keys are the credentials accepted; when empty, the default ones.
	Keys []AccessKey
	// Roles can be assumed with AssumeRole.
	Roles []Role
	// DisabledSTSRegions answer RegionDisabledException.
	DisabledSTSRegions []string
	// Domain makes <bucket>.<Domain> an address of the bucket, besides the path.
	Domain string
	// Now is the clock for LastModified and the expiry of sessions, time.Now when
	// nil. The time at which a request was signed is compared with the real
	// clock, as clients sign with theirs.
	Now func() time.Time
	// LogSize bounds the request log, 10,000 when zero.
	LogSize int
	// PercentSpaces writes a space in a url-encoded key as %20, as some servers
	// do, instead of the + of S3.
	PercentSpaces bool
}

// Server is a running emulator. Its methods are safe for concurrent use.
type Server struct {
	opts    Options
	inner   http.Handler // gofakes3, for writing
	uploads uploads
	log     requestLog
	faults  fault.Faults[Request, Action]
	ids     atomic.Uint64
	touches atomic.Uint64
	closed  chan struct{}
	once    sync.Once

	listener net.Listener
	http     *http.Server

	mu      sync.RWMutex
	buckets map[string]*bucket
	keys    map[string]*credential // by access key id
	roles   map[string]Role        // by ARN
}

// New makes a server that does not listen; use its Handler. Close releases what
// it holds.
func New(opts Options) *Server {
	if opts.Region == "" {
		opts.Region = "us-east-1"
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.LogSize <= 0 {
		opts.LogSize = 10_000
	}
	s := &Server{
		opts: opts, closed: make(chan struct{}),
		buckets: map[string]*bucket{}, keys: map[string]*credential{}, roles: map[string]Role{},
	}
	s.log.Limit = opts.LogSize
	if len(opts.Keys) == 0 {
		s.AddKey(AccessKey{ID: DefaultAccessKeyID, Secret: DefaultSecretAccessKey})
	}
	for _, k := range opts.Keys {
		s.AddKey(k)
	}
	for _, r := range opts.Roles {
		s.AddRole(r)
	}
	s.inner = gofakes3.New(&backend{s},
		gofakes3.WithTimeSource(clock{s}),
		gofakes3.WithTimeSkewLimit(0), // measured when the signature is verified
	).Server()
	return s
}

// Start makes a server that listens on opts.Listen.
func Start(opts Options) (*Server, error) {
	address := opts.Listen
	if address == "" {
		address = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	s := New(opts)
	s.listener = l
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          log.New(io.Discard, "", 0), // broken connections are on purpose here
	}
	go func() { _ = s.http.Serve(l) }()
	return s, nil
}

// Close stops listening, breaks what is still being answered and releases
// directories. Calling it again does nothing.
func (s *Server) Close() error {
	var errs []error
	s.once.Do(func() {
		close(s.closed)
		if s.http != nil {
			errs = append(errs, s.http.Close())
		}
		for _, b := range s.bucketList() {
			if b.base != nil {
				errs = append(errs, b.base.close())
			}
		}
	})
	return errors.Join(errs...)
}

// URL is the endpoint to give to a client, without a slash at its end. It is
// empty for a server that does not listen.
func (s *Server) URL() string {
	if s.listener == nil {
		return ""
	}
	return "http://" + s.listener.Addr().String()
}

// Handler answers requests. Don't put it behind http.ServeMux: that rewrites
// paths, and a/../b is a key.
func (s *Server) Handler() http.Handler { return s }

// Region is the region of the endpoint.
func (s *Server) Region() string { return s.opts.Region }

func (s *Server) now() time.Time { return s.opts.Now().UTC() }

// clock gives the server's clock to gofakes3.
type clock struct{ s *Server }

func (c clock) Now() time.Time                  { return c.s.now() }
func (c clock) Since(t time.Time) time.Duration { return c.s.now().Sub(t) }
