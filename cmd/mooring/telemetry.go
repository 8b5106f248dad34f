package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"mooring/internal/audit"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/metrics"
	"mooring/internal/store"
	"mooring/internal/store/system"
	"mooring/internal/syncing"
	"mooring/internal/worker"
)

// traceGrace is how long a stop waits for a collector that may be down: the
// store is closed only then.
const traceGrace = 2 * time.Second

// startTracing sends spans of requests, runs and provider calls to --otlp-endpoint. It
// returns what sends the last of them.
func startTracing(ctx context.Context, endpoint string, log *slog.Logger) (stop func(), err error) {
	if endpoint == "" {
		return func() {}, nil
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint))
	if err != nil {
		return nil, errs.New(errs.Invalid, "tracing", "--otlp-endpoint can't be used")
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces are lost", "error", err) }))
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(resource.NewSchemaless(
		attribute.String("service.name", "mooring"), attribute.String("service.version", version))))
	otel.SetTracerProvider(provider)
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), traceGrace)
		defer cancel()
		_ = provider.Shutdown(ctx)
	}, nil
}

// observed is a runner whose runs are counted and traced.
type observed struct {
	worker.Runner
	metrics *metrics.Metrics
}

// Run implements worker.Runner.
func (o observed) Run(ctx context.Context, org id.Org, s id.Sync, l store.Lease, w id.Worker) (syncing.Run, error) {
	ctx, span := otel.Tracer("mooring").Start(ctx, "sync.run", trace.WithAttributes(attribute.String("mooring.sync", string(s))))
	defer span.End()
	began := time.Now()
	run, err := o.Runner.Run(ctx, org, s, l, w)
	span.SetAttributes(attribute.String("mooring.run", string(run.ID)), attribute.String("mooring.status", string(run.Status)))
	if err != nil {
		span.SetStatus(codes.Error, errs.KindOf(err).String())
	}
	if run.ID != "" && run.Status != syncing.RunInProgress {
		o.metrics.Run(run, time.Since(began))
	}
	return run, err
}

// watchedTrails tells the metrics where the audit trails end.
type watchedTrails struct {
	worker.Trails
	metrics *metrics.Metrics
}

// Head implements worker.Trails.
func (t watchedTrails) Head(ctx context.Context, org id.Org) (audit.Head, error) {
	h, err := t.Trails.Head(ctx, org)
	if err == nil && h.Sequence > 0 {
		t.metrics.AuditHead(org, h.Sequence, h.String())
	}
	return h, err
}

func census(sys system.System) func(context.Context) (metrics.Census, error) {
	return func(ctx context.Context) (metrics.Census, error) {
		c, err := sys.Census(ctx, time.Now())
		out := metrics.Census{Connections: map[[2]string]int64{}, SyncDelay: c.SyncDelay, CheckDelay: c.CheckDelay}
		for _, n := range c.Connections {
			out.Connections[[2]string{n.Provider, string(n.Status)}] = n.N
		}
		return out, err
	}
}

// serveMetrics answers scrapes on an address of their own until ctx ends.
func (a *app) serveMetrics(ctx context.Context) error {
	if a.settings.MetricsListen == "" {
		return nil
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a.settings.MetricsListen)
	if err != nil {
		return errs.New(errs.Unavailable, "serve", "can't listen on "+a.settings.MetricsListen+" for metrics: is another server running there?")
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", a.metrics.Handler())
	srv := httpServer(mux, patience{header: headerTimeout, read: readTimeout, idle: idleTimeout})
	srv.WriteTimeout = readTimeout
	go func() {
		<-ctx.Done()
		_ = srv.Close()
	}()
	go func() {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			a.log.Error("metrics are no longer served", "error", err)
		}
	}()
	return nil
}
