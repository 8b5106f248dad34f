package kmstest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// service is a server on loopback that has a certificate for the names of the
// real ones.
type service struct {
	*httptest.Server

	mu     sync.Mutex
	status int
	code   string
	asked  []string
	tokens map[string]bool
}

func (s *service) start(t testing.TB, serve http.HandlerFunc, names ...string) {
	t.Helper()
	s.tokens = map[string]bool{}
	s.Server = httptest.NewUnstartedServer(serve)
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate(t, names)}}
	s.StartTLS()
	t.Cleanup(s.Close)
}

func certificate(t testing.TB, names []string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kmstest"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// Client returns a client that trusts the server, and finds every name there.
func (s *service) Client() *http.Client {
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	address := s.Address()
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}}
}

// Address is host:port.
func (s *service) Address() string { return strings.TrimPrefix(s.URL, "https://") }

// CA is the certificate to trust, as PEM.
func (s *service) CA() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
}

// Fail has every request about keys refused, until the status is 0.
func (s *service) Fail(status int, code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.code = status, code
}

// Asked returns the actions so far: "token", and what was asked of keys.
func (s *service) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}

// ask notes an action and returns what it is to fail with.
func (s *service) ask(action string) (status int, code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, action)
	return s.status, s.code
}

// issue answers with a new token.
func (s *service) issue(w http.ResponseWriter) {
	token := rand.Text()
	s.mu.Lock()
	s.tokens[token] = true
	s.mu.Unlock()
	write(w, http.StatusOK, map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": 3600})
}

// entitled reports whether a request carries a token from here.
func (s *service) entitled(r *http.Request) bool {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	s.mu.Lock()
	defer s.mu.Unlock()
	return ok && s.tokens[token]
}

// body reads an object that has no other fields than v's.
func body(w http.ResponseWriter, r *http.Request, v any) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
