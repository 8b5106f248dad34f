package outbound_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mooring/internal/errs"
	"mooring/internal/outbound"
	"mooring/internal/provider/driver"
)

var _ driver.Transport = (*outbound.Guard)(nil)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}

func guard(t *testing.T, o outbound.Options) *outbound.Guard {
	g := outbound.New(o)
	t.Cleanup(g.Close)
	return g
}

func server(t *testing.T, h http.HandlerFunc) *httptest.Server {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func get(t *testing.T, c *http.Client, url string, header ...string) (string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := c.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

func hello(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }

// want checks the kind of an error and that its text says some things and not others.
func want(t *testing.T, err error, k errs.Kind, says ...string) {
	t.Helper()
	if err == nil || errs.KindOf(err) != k {
		t.Fatalf("%v is %v, want %v", err, errs.KindOf(err), k)
	}
	e := outbound.Error(err)
	for _, s := range says {
		if not, ok := strings.CutPrefix(s, "!"); ok {
			if strings.Contains(e.Error(), not) {
				t.Errorf("%q says %q", e, not)
			}
		} else if !strings.Contains(e.Error(), s) {
			t.Errorf("%q does not say %q", e, s)
		}
	}
	if e.Origin != errs.Provider {
		t.Errorf("%v has the origin %v", err, e.Origin)
	}
}

func TestLoopbackNeedsToBeAllowed(t *testing.T) {
	var hits atomic.Int32
	s := server(t, func(w http.ResponseWriter, r *http.Request) { hits.Add(1); hello(w, r) })
	_, err := get(t, guard(t, outbound.Options{}).Client(false), s.URL+"/secret-path?token=hunter2")
	want(t, err, errs.Invalid, "127.0.0.1", "--allow-network 127.0.0.1/32", "!secret-path", "!hunter2")
	if errs.ScopeOf(err) != errs.ScopeConnection {
		t.Errorf("scope %v", errs.ScopeOf(err))
	}
	if hits.Load() != 0 {
		t.Error("a refused address was contacted")
	}
	if b, err := get(t, guard(t, outbound.Options{AllowNetworks: loopback}).Client(false), s.URL); b != "hello" || err != nil {
		t.Errorf("allowed: %q, %v", b, err)
	}
	if b, err := get(t, guard(t, outbound.Options{}).Operator(), s.URL); b != "hello" || err != nil {
		t.Errorf("the operator's own client: %q, %v", b, err)
	}
}

func TestFormsOfRefusedAddresses(t *testing.T) {
	c := guard(t, outbound.Options{}).Client(false)
	for _, host := range []string{
		"127.0.0.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "[::ffff:a9fe:a9fe]:80", "169.254.169.254", "[fd00:ec2::254]", "localhost:1", "0.0.0.0:1", "[::]:1",
		"[64:ff9b::a9fe:a9fe]:80", "2130706433:1", "0x7f000001:1", "127.1:1", "017700000001:1",
	} {
		_, err := get(t, c, "http://"+host+"/")
		if k := errs.KindOf(err); k != errs.Invalid && k != errs.Unavailable || err == nil {
			t.Errorf("%s: %v", host, err)
		}
		if errs.KindOf(err) == errs.Unavailable && !strings.Contains(outbound.Error(err).Error(), "no such host") &&
			!strings.Contains(outbound.Error(err).Error(), "could not be resolved") {
			t.Errorf("%s was dialled: %v", host, outbound.Error(err))
		}
	}
}

// resolver answers every A question with the next address of a list, the last
// one for ever.
func resolver(addrs ...string) *net.Resolver {
	var n atomic.Int32
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, srv := net.Pipe()
		go func() {
			defer srv.Close()
			var size [2]byte
			for {
				if _, err := io.ReadFull(srv, size[:]); err != nil {
					return
				}
				q := make([]byte, binary.BigEndian.Uint16(size[:]))
				if _, err := io.ReadFull(srv, q); err != nil {
					return
				}
				_, _ = srv.Write(answer(q, func() netip.Addr {
					i := min(int(n.Add(1))-1, len(addrs)-1)
					return netip.MustParseAddr(addrs[i])
				}))
			}
		}()
		return client, nil
	}}
}

// answer makes a DNS answer, framed for TCP.
func answer(q []byte, next func() netip.Addr) []byte {
	end := 12
	for q[end] != 0 {
		end += int(q[end]) + 1
	}
	question := q[12 : end+5]
	typ := binary.BigEndian.Uint16(q[end+1:])
	out := append([]byte{0, 0}, q[0], q[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0)
	out = append(out, question...)
	if typ == 1 {
		out[9] = 1 // one answer
		a := next().As4()
		out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
		out = append(out, a[:]...)
	}
	binary.BigEndian.PutUint16(out, uint16(len(out)-2))
	return out
}

func TestRebindingIsSeenAtEachDial(t *testing.T) {
	s := server(t, hello)
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	g := guard(t, outbound.Options{AllowNetworks: loopback, Resolver: resolver("127.0.0.1", "127.0.0.2", "169.254.169.254")})
	url := "http://storage.example:" + port + "/"
	if b, err := get(t, g.Client(false), url); b != "hello" || err != nil {
		t.Fatalf("first: %q, %v", b, err)
	}
	g.Close()
	_, err := get(t, g.Client(false), url)
	want(t, err, errs.Invalid, "storage.example", "127.0.0.2", "--allow-network")
	_, err = get(t, g.Client(false), url)
	want(t, err, errs.Invalid, "169.254.169.254", "metadata", "!--allow-network")
}

func TestRedirects(t *testing.T) {
	var seen http.Header
	other := server(t, func(w http.ResponseWriter, r *http.Request) { seen = r.Header.Clone(); hello(w, r) })
	first := server(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/other":
			http.Redirect(w, r, other.URL+"/x?sig=1", http.StatusFound)
		case "/self":
			http.Redirect(w, r, "/end", http.StatusFound)
		case "/end":
			seen = r.Header.Clone()
			hello(w, r)
		case "/metadata":
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
		case "/private":
			http.Redirect(w, r, "http://10.0.0.1:1/", http.StatusTemporaryRedirect)
		case "/file":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		case "/post":
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		default:
			http.Redirect(w, r, "/loop", http.StatusFound)
		}
	})
	c := guard(t, outbound.Options{AllowNetworks: loopback, MaxRedirects: 3}).Client(false)
	secrets := []string{"Authorization", "Bearer hunter2", "X-Amz-Security-Token", "hunter2", "Cookie", "a=hunter2", "X-Custom", "hunter2", "Range", "bytes=0-"}

	if b, err := get(t, c, first.URL+"/other?q=hunter2", secrets...); b != "hello" || err != nil {
		t.Fatalf("%q, %v", b, err)
	}
	for name, v := range seen {
		if strings.Contains(strings.Join(v, " "), "hunter2") {
			t.Errorf("%s followed to another host", name)
		}
	}
	if seen.Get("Range") == "" {
		t.Error("Range did not follow")
	}
	if b, err := get(t, c, first.URL+"/self?q=hunter2", secrets...); b != "hello" || err != nil || seen.Get("Authorization") == "" || seen.Get("X-Custom") == "" {
		t.Errorf("on one host: %q, %v, %v", b, err, seen)
	}
	if seen.Get("Referer") != "" {
		t.Errorf("Referer repeats the query: %q", seen.Get("Referer"))
	}
	_, err := get(t, c, first.URL+"/metadata")
	want(t, err, errs.Invalid, "169.254.169.254", "metadata")
	_, err = get(t, c, first.URL+"/private")
	want(t, err, errs.Invalid, "10.0.0.1", "--allow-network")
	_, err = get(t, c, first.URL+"/loop?q=hunter2")
	want(t, err, errs.Unavailable, "more than 3 times", "!hunter2")
	_, err = get(t, c, first.URL+"/file")
	if err == nil {
		t.Error("a redirect to a file was followed")
	}
	resp, err := c.PostForm(first.URL+"/post", url.Values{"client_secret": {"hunter2"}})
	if err == nil {
		resp.Body.Close()
		t.Error("a form followed to another host")
	}
	r, err := outbound.NoRedirects(c).Get(first.URL + "/other")
	if err != nil || r.StatusCode != http.StatusFound {
		t.Fatalf("NoRedirects: %v", err)
	}
	r.Body.Close()
}

func TestDowngradeIsNotFollowed(t *testing.T) {
	open := server(t, hello)
	s := httptest.NewTLSServer(http.RedirectHandler(open.URL, http.StatusFound))
	defer s.Close()
	_, err := get(t, guard(t, outbound.Options{AllowNetworks: loopback}).Client(true), s.URL)
	want(t, err, errs.Unavailable, "encrypted")
}

func TestCertificates(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(hello))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	g := guard(t, outbound.Options{AllowNetworks: loopback})
	_, err := get(t, g.Client(false), s.URL+"/secret-path")
	want(t, err, errs.Invalid, "unknown authority", "!secret-path")
	if b, err := get(t, g.Client(true), s.URL); b != "hello" || err != nil {
		t.Errorf("insecure: %q, %v", b, err)
	}
	_, err = get(t, guard(t, outbound.Options{}).Client(true), s.URL)
	want(t, err, errs.Invalid, "--allow-network")
	plain := server(t, hello)
	_, err = get(t, g.Client(false), strings.Replace(plain.URL, "http:", "https:", 1))
	want(t, err, errs.Invalid, "does not speak TLS")
}

func TestFailuresOfTheNetwork(t *testing.T) {
	g := guard(t, outbound.Options{AllowNetworks: loopback, HeaderTimeout: 20 * time.Millisecond, StallTimeout: 20 * time.Millisecond})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	_, err = get(t, g.Client(false), "http://"+l.Addr().String()+"/p?q=hunter2")
	want(t, err, errs.Unavailable, "connection refused", "!hunter2")

	stop := make(chan struct{})
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/short":
			w.Header().Set("Content-Length", "100")
			hello(w, r)
		case "/stall":
			hello(w, r)
			_ = http.NewResponseController(w).Flush()
			<-stop
		default:
			<-stop
		}
	})
	defer close(stop)
	_, err = get(t, g.Client(false), s.URL+"/never")
	want(t, err, errs.Unavailable, "no answer in time")
	b, err := get(t, g.Client(false), s.URL+"/short")
	want(t, err, errs.Unavailable, "ended midway")
	if b != "hello" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%q, %v", b, err)
	}
	b, err = get(t, g.Client(false), s.URL+"/stall")
	want(t, err, errs.Unavailable, "stopped midway")
	if b != "hello" {
		t.Errorf("%q came before the stall", b)
	}
}

func TestCancellationIsNoFailureOfTheNetwork(t *testing.T) {
	started, stop := make(chan struct{}), make(chan struct{})
	s := server(t, func(http.ResponseWriter, *http.Request) { close(started); <-stop })
	defer close(stop)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-started; cancel() }()
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
	resp, err := guard(t, outbound.Options{AllowNetworks: loopback}).Client(false).Do(r)
	if err == nil {
		resp.Body.Close()
	}
	want(t, err, errs.Canceled)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v hides its cause", err)
	}
}

func TestNoProxyFromTheEnvironment(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	s := server(t, hello)
	g := guard(t, outbound.Options{AllowNetworks: loopback, Resolver: resolver("127.0.0.1")})
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	if b, err := get(t, g.Client(false), "http://storage.example:"+port); b != "hello" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

func TestExplicitProxyCarriesWhatMayBeReached(t *testing.T) {
	var asked atomic.Value
	asked.Store("")
	p := server(t, func(w http.ResponseWriter, r *http.Request) { asked.Store(r.URL.String()); hello(w, r) })
	u, _ := url.Parse(p.URL)
	g := guard(t, outbound.Options{Proxy: u, Resolver: resolver("203.0.114.7", "10.0.0.1")})
	if b, err := get(t, g.Client(false), "http://storage.example/key"); b != "hello" || err != nil || asked.Load() != "http://storage.example/key" {
		t.Errorf("%q, %v, asked for %v", b, err, asked.Load())
	}
	asked.Store("")
	_, err := get(t, g.Client(false), "http://storage.example/key")
	want(t, err, errs.Invalid, "10.0.0.1")
	_, err = get(t, g.Client(false), "http://169.254.169.254/latest/")
	want(t, err, errs.Invalid, "metadata")
	if asked.Load() != "" {
		t.Errorf("the proxy was asked for %v", asked.Load())
	}
}

func TestConnectionsAreKept(t *testing.T) {
	var opened atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(hello))
	s.Config.ConnState = func(_ net.Conn, st http.ConnState) {
		if st == http.StateNew {
			opened.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	g := guard(t, outbound.Options{AllowNetworks: loopback})
	for range 5 {
		if _, err := get(t, g.Client(false), s.URL); err != nil { // each time another client
			t.Fatal(err)
		}
	}
	if n := opened.Load(); n != 1 {
		t.Errorf("%d connections for 5 requests in turn", n)
	}
}
