package api

import (
	"context"
	"net/http"
	"sync"
	"time"

	"mooring/internal/errs"
)

func healthRoutes() []route {
	return tagged("Health",
		op(http.MethodGet, "/v1/health", "healthcheck_health", "Whether the service works; DEGRADED is 200 too", "", (*call).health),
		op(http.MethodGet, "/v1/health/liveness", "liveness_health", "Whether the process answers", "", (*call).liveness),
		op(http.MethodGet, "/v1/health/beat", "celery_beat_health", "Whether the process answers", "", (*call).liveness),
		op(http.MethodGet, "/healthz", "healthz", "Whether the process answers", "", (*call).liveness),
		op(http.MethodGet, "/readyz", "readyz", "Whether the process can serve; 503 when not", "", (*call).readiness),
	)
}

type healthQueryFlags struct {
	Deep    bool `query:"deep" doc:"taken, and the same"`
	Metrics bool `query:"metrics" doc:"taken, and the same: metrics are served elsewhere"`
}

type healthCheckResponse struct {
	Status string               `json:"status" enum:"OK,DEGRADED"`
	Data   healthServiceStatus  `json:"data" doc:"true for parts that this service does not have"`
	Errors *healthServiceErrors `json:"errors"`
	Meta   map[string]any       `json:"meta"`
}

type healthServiceStatus struct {
	Cache         bool `json:"cache"`
	Metadata      bool `json:"metadata"`
	VectorStore   bool `json:"vector_store"`
	ObjectStorage bool `json:"object_storage"`
	TaskQueue     bool `json:"task_queue"`
	Inference     bool `json:"inference"`
	Analytics     bool `json:"analytics"`
}

type healthServiceErrors struct {
	Metadata *string `json:"metadata"`
	Outbound *string `json:"outbound" doc:"why providers can't be reached"`
}

func (c *call) health(healthQueryFlags, none) (healthCheckResponse, error) {
	out := healthCheckResponse{Status: "OK", Meta: map[string]any{}, Data: healthServiceStatus{
		Cache: true, Metadata: true, VectorStore: true, ObjectStorage: true, TaskQueue: true, Inference: true, Analytics: true,
	}}
	if err := c.ready(); err != nil {
		out.Status, out.Data.Metadata, out.Data.TaskQueue = "DEGRADED", false, false
		out.Errors = &healthServiceErrors{Metadata: new("the store does not answer")}
	}
	if reason := c.degraded(); reason != "" {
		if out.Errors == nil {
			out.Errors = &healthServiceErrors{}
		}
		out.Status, out.Data.ObjectStorage, out.Errors.Outbound = "DEGRADED", false, &reason
	}
	return out, nil
}

type livenessResponse struct {
	Status string `json:"status" enum:"ok"`
}

func (c *call) liveness(none, none) (livenessResponse, error) { return livenessResponse{"ok"}, nil }

type readinessResponse struct {
	Status string  `json:"status" enum:"ok,degraded" doc:"degraded can serve: 200 too"`
	Reason *string `json:"reason" doc:"why it is degraded"`
}

func (s *server) degraded() string {
	if s.Degraded == nil {
		return ""
	}
	return s.Degraded()
}

func (c *call) readiness(none, none) (readinessResponse, error) {
	if err := c.ready(); err != nil {
		c.Log.Warn("not ready", "error", err)
		return readinessResponse{}, errs.New(errs.Unavailable, "api.ready", "the service can't serve now: its log says why")
	}
	if reason := c.degraded(); reason != "" {
		return readinessResponse{"degraded", &reason}, nil
	}
	return readinessResponse{Status: "ok"}, nil
}

// pulse remembers for a moment whether the process is ready, so that whoever
// may ask without a key can't make it work.
type pulse struct {
	mu  sync.Mutex
	at  time.Time
	err error
}

const (
	pulseKept    = time.Second
	pulseTimeout = 5 * time.Second
)

func (s *server) ready() error {
	s.pulse.mu.Lock()
	defer s.pulse.mu.Unlock()
	if !s.pulse.at.IsZero() && time.Since(s.pulse.at) < pulseKept {
		return s.pulse.err
	}
	ctx, cancel := context.WithTimeout(context.Background(), pulseTimeout)
	defer cancel()
	check := s.Ready
	if check == nil {
		check = s.Store.Ping
	}
	s.pulse.err, s.pulse.at = check(ctx), time.Now()
	return s.pulse.err
}
