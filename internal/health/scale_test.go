package health_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"mooring/csfle"
	"mooring/internal/access"
	"mooring/internal/audit"
	"mooring/internal/connection/config"
	"mooring/internal/connection/service"
	"mooring/internal/health"
	"mooring/internal/id"
	"mooring/internal/outbound"
	"mooring/internal/provider"
	"mooring/internal/provider/all"
	"mooring/internal/provider/driver"
	"mooring/internal/store/sqlite"
	"mooring/internal/usage"
)

// fleet is a process with many connections to a stub that answers in 100 ms.
type fleet struct {
	store       *sqlite.Store
	connections *service.Service
	usage       *usage.Counter
	size        int
	asked       atomic.Int64 // requests to the stub
	now, most   atomic.Int64 // of them at once
	checked     atomic.Int64
	goroutines  atomic.Int64
}

func newFleet(t *testing.T, size int) *fleet {
	t.Helper()
	f := &fleet{size: size}
	stub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		f.asked.Add(1)
		f.most.Store(max(f.most.Load(), f.now.Add(1)))
		time.Sleep(100 * time.Millisecond)
		f.now.Add(-1)
		_, _ = w.Write([]byte(`<ListBucketResult><Name>media</Name><KeyCount>0</KeyCount><MaxKeys>1</MaxKeys><IsTruncated>false</IsTruncated></ListBucketResult>`))
	}))
	t.Cleanup(stub.Close)
	s, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	f.store = s
	guard := outbound.New(outbound.Options{AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	t.Cleanup(guard.Close)
	f.usage = &usage.Counter{Store: s.Usage(), Log: slog.New(slog.DiscardHandler), Now: time.Now}
	deps := provider.Deps{Registry: all.Adapters(), Budgets: provider.NewBudgets(0), Options: driver.Options{Transport: guard, Now: time.Now}}
	f.connections = service.New(service.Deps{
		Connections: s.Connections(), Organizations: s.Organizations(), For: usage.For,
		Sealer: csfle.NewSealer(csfle.NewKeyring(s.KeyVault(), csfle.GenerateLocalMasterKey(), csfle.KeyringOptions{})),
		Opener: service.OpenerFunc(func(ctx context.Context, name string, c config.Config, tok driver.Tokens) (service.Prober, error) {
			deps := deps
			deps.Options.Tokens, deps.Metrics = tok, f.usage.Metrics(ctx, noMetrics{})
			return provider.Open(ctx, name, c, deps)
		}),
	})
	f.fill(t, stub.URL)
	return f
}

type noMetrics struct{ provider.Metrics }

func (noMetrics) Call(string, string, string, time.Duration) {}
func (noMetrics) Queued(string, string, time.Duration)       {}

// fill makes the connections, all of them due.
func (f *fleet) fill(t *testing.T, url string) {
	t.Helper()
	org := id.NewOrg()
	if _, err := f.store.Organizations().Insert(t.Context(), org, access.Organization{ID: org, Name: "fleet", DataKey: 1, CreatedAt: time.Now(), UpdatedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	var makers sync.WaitGroup
	var next atomic.Int64
	for range 64 {
		makers.Go(func() {
			for n := next.Add(1); n <= int64(f.size); n = next.Add(1) {
				_, err := f.connections.Create(context.Background(), org, audit.System(), service.CreateRequest{
					Name: fmt.Sprint("c", n), Provider: "s3", TestBeforeSave: new(false), ProviderConfig: map[string]any{
						"region": "eu-west-1", "bucket": "media", "endpoint_url": url,
						"credentials": map[string]any{"access_key_id": fmt.Sprintf("AKIA%016d", n), "secret_access_key": strings.Repeat("k", 40)},
					},
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	makers.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// CheckDue implements health.Checker.
func (f *fleet) CheckDue(ctx context.Context, org id.Org, c id.Connection, due time.Time) error {
	result, err := f.connections.CheckDue(ctx, org, c, due)
	if result.Success { // else it was no longer due
		f.checked.Add(1)
	}
	f.goroutines.Store(max(f.goroutines.Load(), int64(runtime.NumGoroutine())))
	return err
}

// TestScale sweeps MOORING_TEST_CONNECTIONS connections, which are all due at
// once: each is checked once, in bounded goroutines and requests at once. What
// it took is logged.
func TestScale(t *testing.T) {
	size, err := strconv.Atoi(os.Getenv("MOORING_TEST_CONNECTIONS"))
	if err != nil {
		size = 300
	}
	f := newFleet(t, size)
	ctx, cancel := context.WithCancel(t.Context())
	m := &health.Monitor{System: f.store.System(), Checker: f, Log: slog.New(slog.DiscardHandler), Now: time.Now}
	before, start := cpu(), time.Now()
	ended := make(chan struct{})
	go func() { defer close(ended); m.Run(ctx) }()
	for f.checked.Load() < int64(size) {
		time.Sleep(10 * time.Millisecond)
	}
	took, spent := time.Since(start), cpu()-before
	flush := time.Now()
	f.usage.Flush(ctx)
	flushed := time.Since(flush)
	cancel()
	<-ended
	if got := f.asked.Load(); got != int64(size) {
		t.Errorf("%d requests for %d connections", got, size)
	}
	const bound = 128 // half of the room, for one host
	if most := f.most.Load(); most > bound {
		t.Errorf("%d requests to one host at once", most)
	}
	if n := f.goroutines.Load(); n > 10*bound {
		t.Errorf("%d goroutines", n)
	}
	due, err := f.store.System().DueConnections(t.Context(), time.Now(), nil, 10)
	if took < 4*time.Minute && (err != nil || len(due) > 0) {
		t.Errorf("%d are still due, %v", len(due), err)
	}
	t.Logf("%d connections swept in %s (%.0f a second), %s of CPU (%s a check, the stub included), peak RSS %s, %d goroutines, %d requests at once; usage written in %s",
		size, took.Round(time.Millisecond), float64(size)/took.Seconds(), spent.Round(time.Millisecond), (spent / time.Duration(size)).Round(time.Microsecond),
		peak(), f.goroutines.Load(), f.most.Load(), flushed.Round(time.Millisecond))
}

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peak is the most memory that the process has had, where the system tells.
func peak() string {
	status, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(line)
}
