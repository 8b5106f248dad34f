package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"mooring/internal/errs"
)

// roundTripper classifies what goes wrong on the way, and gives up on bodies
// that stall.
type roundTripper struct {
	guard   *Guard
	next    http.RoundTripper
	guarded bool
}

var errStalled = errors.New("outbound: no more of the answer came in time")

// RoundTrip implements http.RoundTripper.
func (t *roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	caller := r.Context()
	if t.guarded && t.guard.opts.Proxy != nil {
		if err := t.guard.beforeProxy(caller, r.URL.Hostname()); err != nil {
			closeBody(r)
			return nil, classify(caller, r.URL.Host, err)
		}
	}
	ctx, cancel := context.WithCancelCause(caller)
	resp, err := t.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		cancel(nil)
		return nil, classify(caller, r.URL.Host, err)
	}
	t.guard.sites.answered(r)
	b := &body{ReadCloser: resp.Body, caller: caller, ctx: ctx, cancel: cancel, host: r.URL.Host, stall: t.guard.opts.StallTimeout}
	b.timer = time.AfterFunc(b.stall, func() { cancel(errStalled) })
	b.timer.Stop()
	resp.Body = b
	return resp, nil
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}

// beforeProxy checks what can be known of a host that a proxy will resolve.
func (g *Guard) beforeProxy(ctx context.Context, host string) error {
	if a, err := netip.ParseAddr(host); err == nil {
		return g.check(a)
	}
	ctx, cancel := context.WithTimeout(ctx, g.opts.DialTimeout)
	defer cancel()
	addrs, err := g.opts.Resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil // behind a proxy names need not resolve here
	}
	for _, a := range addrs {
		if err := g.check(a); err != nil {
			return err
		}
	}
	return nil
}

// body is an answer's body. The timer runs only while a Read waits, so that a
// slow consumer is no stall.
type body struct {
	io.ReadCloser
	caller context.Context
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	host   string
	stall  time.Duration
}

func (b *body) Read(p []byte) (int, error) {
	b.timer.Reset(b.stall)
	n, err := b.ReadCloser.Read(p)
	b.timer.Stop()
	if err == nil || err == io.EOF {
		return n, err
	}
	if errors.Is(context.Cause(b.ctx), errStalled) {
		err = errStalled
	}
	return n, classify(b.caller, b.host, err)
}

func (b *body) Close() error {
	b.timer.Stop()
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}

// Error returns the classified error in err, which may come from http.Client.Do
// and then print the whole URL: use this instead of err's own text. An error
// that is not the network's is errs.Internal.
func Error(err error) *errs.Error {
	var e *errs.Error
	if errors.As(err, &e) {
		return e
	}
	return &errs.Error{Kind: errs.KindOf(err), Origin: errs.Provider, Msg: "the request could not be made", Err: err}
}

// classify turns an error of the network into one of ours. Its text names the
// host and nothing else of the request.
func classify(caller context.Context, host string, err error) error {
	var e *errs.Error
	if errors.As(err, &e) {
		return e
	}
	if cause := caller.Err(); cause != nil {
		return &errs.Error{Kind: errs.KindOf(cause), Origin: errs.Provider, Msg: "the request to " + host + " was given up", Err: cause}
	}
	out := &errs.Error{Kind: errs.Unavailable, Origin: errs.Provider, Scope: errs.ScopeConnection, Err: err}
	var refused *Refused
	if errors.As(err, &refused) {
		out.Kind, out.Msg = errs.Invalid, host+" can't be used: "+refused.Error()
		return out
	}
	out.Msg = host + " can't be reached: " + reason(err)
	if text, invalid := certificate(err); text != "" {
		out.Msg = host + " " + text
		if invalid {
			out.Kind = errs.Invalid
		}
	}
	return out
}

// certificate words a failure to verify a certificate; invalid when no time will
// heal it without a change by somebody.
func certificate(err error) (text string, invalid bool) {
	var bad x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &bad) && bad.Reason == x509.Expired:
		return "shows a certificate that is expired or not yet valid", false
	case errors.As(err, &unknown):
		return "shows a certificate of an unknown authority; verify_ssl=false would accept it", true
	case errors.As(err, &name):
		return "shows a certificate for another name; verify_ssl=false would accept it", true
	case errors.As(err, &bad):
		return "shows a certificate that is not valid", true
	case errors.As(err, &record), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return "does not speak TLS; use_ssl=false or an http:// endpoint would", true
	}
	return "", false
}

// reason words a failure of the network.
func reason(err error) string {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return "there is no such host"
	case errors.As(err, &dns):
		return "its name could not be resolved"
	case errors.Is(err, errStalled):
		return "the answer stopped midway"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the connection was reset"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "there is no route"
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "the connection ended midway"
	case errors.Is(err, os.ErrDeadlineExceeded), isTimeout(err):
		return "no answer in time"
	}
	return "the connection failed"
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}
