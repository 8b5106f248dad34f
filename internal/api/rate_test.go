package api_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"mooring/internal/id"
)

// BenchmarkReads asks for single connections and for pages of them with a
// hundred thousand stored, on one processor: what it reports is the rate at which
// that is saturated, the way over a socket not included.
func BenchmarkReads(b *testing.B) {
	w := newWorld(b)
	first := w.as(http.StatusOK, http.MethodPost, connections, object{"name": "first", "provider_type": "s3", "provider_config": s3Config(goodAccess)}).text("connection_id")
	ids := fillConnections(b, w, id.Connection(first), 100_000)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for name, ask := range map[string]func(n int) *http.Request{
		"get": func(n int) *http.Request {
			return httptest.NewRequest(http.MethodGet, connections+"/"+ids[n*7919%len(ids)], nil)
		},
		"get by name": func(n int) *http.Request {
			return httptest.NewRequest(http.MethodGet, fmt.Sprintf("%s/connection%%20%06d", connections, n*7919%len(ids)), nil)
		},
		"list": func(int) *http.Request {
			return httptest.NewRequest(http.MethodPost, connections+"/list?limit=10", strings.NewReader("{}"))
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				r := ask(n)
				r.Header.Set("Authorization", "Bearer "+w.admin)
				r.Header.Set("Content-Type", "application/json")
				rec := httptest.NewRecorder()
				w.handler.ServeHTTP(rec, r)
				if rec.Code != http.StatusOK {
					b.Fatalf("%d: %s", rec.Code, rec.Body)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
		})
	}
}

// fillConnections stores copies of a connection.
func fillConnections(b *testing.B, w *world, first id.Connection, n int) []string {
	b.Helper()
	like, err := w.store.Connections().Get(b.Context(), w.org.Organization.ID, first)
	if err != nil {
		b.Fatal(err)
	}
	ids := make([]string, n)
	group, ctx := errgroup.WithContext(b.Context())
	group.SetLimit(64)
	for i := range n {
		group.Go(func() error {
			c := like
			c.ID, c.Name = id.NewConnection(), fmt.Sprintf("connection %06d", i)
			c.CreatedAt = like.CreatedAt.Add(time.Duration(i) * time.Millisecond)
			ids[i] = string(c.ID)
			_, err := w.store.Connections().Insert(ctx, w.org.Organization.ID, c)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
	return ids
}
