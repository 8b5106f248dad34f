// Package metrics counts what a process does, for Prometheus. Labels take few
// values: providers, statuses, kinds of error, methods, never names or paths.
// The one exception are the heads of audit trails, of which a limited number is
// shown: a head that is scraped is a head that is kept elsewhere.
package metrics

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/syncing"
)

// Metrics are those of a process. It implements provider.Metrics. Its methods
// don't block and may be called concurrently.
type Metrics struct {
	registry *prometheus.Registry

	calls    *prometheus.HistogramVec
	waits    *prometheus.CounterVec
	queued   *prometheus.CounterVec
	read     *prometheus.CounterVec
	good     *prometheus.GaugeVec
	runs     *prometheus.CounterVec
	runTime  *prometheus.HistogramVec
	items    *prometheus.CounterVec
	moved    *prometheus.CounterVec
	requests *prometheus.HistogramVec

	mu    sync.Mutex
	heads map[id.Org]string
	trail *prometheus.GaugeVec
}

// maxHeads bounds the organizations whose audit head is shown.
const maxHeads = 100

// latencies are the buckets of what answers in milliseconds to a minute, durations of what takes longer.
var (
	latencies = []float64{.005, .025, .1, .25, 1, 2.5, 5, 15, 60}
	durations = []float64{.1, 1, 10, 60, 300, 1800, 7200, 43200}
)

// New makes the metrics of a process of this version.
func New(version string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), heads: map[id.Org]string{}}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		m.registry.MustRegister(c)
		return c
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
		m.registry.MustRegister(g)
		return g
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
		m.registry.MustRegister(h)
		return h
	}
	m.calls = histogram("mooring_provider_call_seconds", "Calls to providers, each try by itself; check is a health check.", latencies, "provider", "method", "kind")
	m.waits = counter("mooring_provider_retries_total", "Calls tried again; kind throttled is the provider's throttling.", "provider", "method", "kind")
	m.queued = counter("mooring_provider_queued_seconds_total", "Time calls waited for the budget of their credential.", "provider", "method")
	m.read = counter("mooring_provider_read_bytes_total", "Content read from providers.", "provider")
	m.good = gauge("mooring_provider_last_success_timestamp_seconds", "When a call to a provider last succeeded.", "provider")
	m.runs = counter("mooring_runs_total", "Sync runs that ended.", "provider", "status")
	m.runTime = histogram("mooring_run_seconds", "Duration of sync runs.", durations, "provider")
	m.items = counter("mooring_items_total", "Items that runs settled, by outcome.", "provider", "outcome")
	m.moved = counter("mooring_synced_bytes_total", "Content that runs brought.", "provider")
	m.requests = histogram("mooring_http_request_seconds", "Requests to the API.", latencies, "route", "status")
	m.trail = gauge("mooring_audit_head_sequence", "The last entry of an organization's audit trail; head is what mooring audit verify takes.", "organization", "head")
	info := gauge("mooring_build_info", "The version that runs.", "version")
	info.WithLabelValues(version).Set(1)
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Call implements provider.Metrics.
func (m *Metrics) Call(provider, method, kind string, took time.Duration) {
	m.calls.WithLabelValues(provider, method, kind).Observe(took.Seconds())
	if kind == "ok" {
		m.good.WithLabelValues(provider).SetToCurrentTime()
	}
}

// Retry implements provider.Metrics.
func (m *Metrics) Retry(provider, method string, kind errs.Kind, _ time.Duration) {
	m.waits.WithLabelValues(provider, method, kind.String()).Inc()
}

// Queued implements provider.Metrics.
func (m *Metrics) Queued(provider, method string, wait time.Duration) {
	m.queued.WithLabelValues(provider, method).Add(wait.Seconds())
}

// Read implements provider.Metrics.
func (m *Metrics) Read(provider string, n int) { m.read.WithLabelValues(provider).Add(float64(n)) }

// Run takes note of a run that ended.
func (m *Metrics) Run(run syncing.Run, took time.Duration) {
	m.runs.WithLabelValues(run.Provider, string(run.Status)).Inc()
	m.runTime.WithLabelValues(run.Provider).Observe(took.Seconds())
	l := run.Ledger
	for outcome, n := range map[string]int64{
		"synced": l.Synced, "unchanged": l.Unchanged, "filtered": l.Filtered, "duplicate": l.Duplicate, "skipped": l.Skipped, "failed": l.Failed,
		"deleted": l.Deleted, "moved": l.Moved,
	} {
		m.items.WithLabelValues(run.Provider, outcome).Add(float64(n))
	}
	m.moved.WithLabelValues(run.Provider).Add(float64(l.Bytes))
}

// Request takes note of a request to the API; route is its pattern.
func (m *Metrics) Request(route string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Observe(took.Seconds())
}

// AuditHead takes note of where an organization's trail ends.
func (m *Metrics) AuditHead(org id.Org, sequence int64, head string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old, known := m.heads[org]
	if !known && len(m.heads) >= maxHeads {
		return
	}
	if known {
		m.trail.DeleteLabelValues(string(org), old)
	}
	m.heads[org] = head
	m.trail.WithLabelValues(string(org), head).Set(float64(sequence))
}

// Census is what a store holds, at a moment.
type Census struct {
	Connections map[[2]string]int64 // by provider and status
	SyncDelay   time.Duration       // of the sync that is due longest
	CheckDelay  time.Duration       // of the health check that is due longest
}

// Watch has each scrape tell what census finds, which is asked at most every
// half minute, and how many runs are under way.
func (m *Metrics) Watch(census func(context.Context) (Census, error), running func() int, log *slog.Logger) {
	m.registry.MustRegister(&watcher{census: census, running: running, log: log})
}

const (
	censusKept    = 30 * time.Second
	censusTimeout = 5 * time.Second
)

var (
	connectionsDesc = prometheus.NewDesc("mooring_connections", "Connections.", []string{"provider", "status"}, nil)
	syncDelayDesc   = prometheus.NewDesc("mooring_sync_queue_age_seconds", "How long the sync that is due longest has waited.", nil, nil)
	checkDelayDesc  = prometheus.NewDesc("mooring_check_queue_age_seconds", "How long the health check that is due longest has waited.", nil, nil)
	runningDesc     = prometheus.NewDesc("mooring_leases_held", "Syncs that this process works on, each under its lease.", nil, nil)
)

// watcher collects what is counted only when somebody looks.
type watcher struct {
	census  func(context.Context) (Census, error)
	running func() int
	log     *slog.Logger

	mu   sync.Mutex
	at   time.Time
	last Census
}

// Describe implements prometheus.Collector.
func (w *watcher) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{connectionsDesc, syncDelayDesc, checkDelayDesc, runningDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (w *watcher) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(runningDesc, float64(w.running()))
	c, ok := w.count()
	if !ok {
		return
	}
	for k, n := range c.Connections {
		gauge(connectionsDesc, float64(n), k[0], k[1])
	}
	gauge(syncDelayDesc, c.SyncDelay.Seconds())
	gauge(checkDelayDesc, c.CheckDelay.Seconds())
}

func (w *watcher) count() (Census, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.at.IsZero() && time.Since(w.at) < censusKept {
		return w.last, true
	}
	ctx, cancel := context.WithTimeout(context.Background(), censusTimeout)
	defer cancel()
	c, err := w.census(ctx)
	if err != nil {
		w.log.Warn("counting for metrics", "error", err)
		return Census{}, false
	}
	w.last, w.at = c, time.Now()
	return c, true
}

// Handler answers scrapes.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
}
