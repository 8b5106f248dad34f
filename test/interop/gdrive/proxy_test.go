//go:build interop

package gdrive

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// googleHost is where rclone looks for Drive, whatever it is told.
const googleHost = "www.googleapis.com"

// proxy stands between a client and Google, and lets the emulator answer.
type proxy struct {
	url string
	ca  string // file with the certificate by which the client knows Google
}

// startProxy runs a proxy that hands requests for Google, and for the emulator itself,
// to a handler and refuses all others.
func startProxy(t *testing.T, emulator http.Handler) proxy {
	t.Helper()
	certificate, ca := issue(t, googleHost)
	inside := handed{make(chan net.Conn), make(chan struct{})}
	google := &http.Server{Handler: emulator, ReadHeaderTimeout: time.Minute}
	go func() { _ = google.Serve(inside) }()
	t.Cleanup(func() { _ = google.Close() })

	config := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method != http.MethodConnect:
			emulator.ServeHTTP(w, r)
		case r.Host != googleHost+":443":
			t.Errorf("the client wants %s", r.Host)
			http.Error(w, "not here", http.StatusForbidden)
		default:
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = conn.Write([]byte("HTTP/1.1 200 Connection established\r\n\r\n"))
			inside.give(tls.Server(conn, config))
		}
	}))
	t.Cleanup(server.Close)
	return proxy{server.URL, ca}
}

// handed is a listener whose connections somebody else accepts.
type handed struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (h handed) give(c net.Conn) {
	select {
	case h.conns <- c:
	case <-h.closed:
		_ = c.Close()
	}
}

func (h handed) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

func (h handed) Close() error {
	close(h.closed)
	return nil
}

func (h handed) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 443} }

// issue makes a certificate for a host and a file with the authority behind it.
func issue(t *testing.T, host string) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	file := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
