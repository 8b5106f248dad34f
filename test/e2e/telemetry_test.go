package e2e

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"mooring/emulator/s3"
)

func scrape(t *testing.T, s *server, key string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(s.ctx, http.MethodGet, s.Server.URL+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// What a sync did is measured; only the operator's own admins see it.
func TestMetrics(t *testing.T) {
	from := newStorage(t, s3.Options{})
	from.put("a.txt", "one")
	s := Start(t)
	j := s.connect(from, sourceBucket, nil)
	j.pass()
	const synced = `mooring_items_total{outcome="synced",provider="s3"} 1`
	status, got := scrape(t, s, s.Key)
	for s.ctx.Err() == nil && status == http.StatusOK && !strings.Contains(got, synced) { // counted just after the run is seen to end
		status, got = scrape(t, s, s.Key)
	}
	if status != http.StatusOK {
		t.Fatalf("%d: %s", status, got)
	}
	for _, want := range []string{`mooring_connections{provider="s3",status="ACTIVE"} 1`, synced, "mooring_audit_head_sequence{"} {
		if !strings.Contains(got, want) {
			t.Errorf("there is no %s", want)
		}
	}
	if status, _ := scrape(t, s, ""); status != http.StatusUnauthorized {
		t.Errorf("without a key: %d", status)
	}
	other := s.cli("", "organization", "create", "other", "other@example.org")
	file := keyFile.FindString(other.Stdout)
	if other.Code != 0 || file == "" {
		t.Fatal(other)
	}
	if status, body := scrape(t, s, strings.TrimSpace(read(t, "", file))); status != http.StatusNotFound {
		t.Errorf("another organization: %d %s", status, body)
	}
}

// collector keeps what is exported to it.
type collector struct {
	mu    sync.Mutex
	spans []byte
	came  chan struct{}
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	c.spans = append(c.spans, body...)
	c.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-protobuf")
	select {
	case c.came <- struct{}{}:
	default:
	}
}

// Traces lead from a request and a run to the provider's calls, and hold
// neither paths nor secrets.
func TestTraces(t *testing.T) {
	from := newStorage(t, s3.Options{})
	from.put("private-name.txt", "one")
	c := &collector{came: make(chan struct{}, 1)}
	srv := httptest.NewServer(c)
	t.Cleanup(srv.Close)
	s := Start(t, "--otlp-endpoint", srv.URL+"/v1/traces")
	j := s.connect(from, sourceBucket, nil)
	j.pass()
	s.stop() // sends what is left
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case <-c.came:
	case <-ctx.Done():
		t.Fatal("no traces came")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, want := range []string{"sync.run", "s3.changes", "s3.check", "s3.open", "POST /v1/buckets"} {
		if !bytes.Contains(c.spans, []byte(want)) {
			t.Errorf("there is no span %s", want)
		}
	}
	for _, secret := range []string{"private-name", s.Key, from.Secret, sourceBucket} {
		if bytes.Contains(c.spans, []byte(secret)) {
			t.Errorf("a span holds %q", secret)
		}
	}
}
