package api

import (
	"time"

	"mooring/internal/access"
)

// Observer hears of every request that was answered; route is its pattern.
type Observer interface {
	Request(route string, status int, took time.Duration)
}

type noObserver struct{}

func (noObserver) Request(string, int, time.Duration) {}

func metricsRoutes() []route {
	return tagged("Health",
		streams("/metrics", "metrics", "Metrics of this process, for Prometheus; for admins of the operator's organization", metricsType, access.Admin, (*call).metrics),
	)
}

const metricsType = "text/plain"

// metrics tells of all organizations, so that only the operator's own may ask.
func (c *call) metrics(none) error {
	if err := c.covers(c.ofOrganization()); err != nil {
		return err
	}
	if c.Metrics == nil || c.org() != c.Operator() {
		return errNoRoute
	}
	r := c.r.Clone(c.ctx())
	r.Header.Del("Authorization")
	c.w.Header().Set("Content-Type", metricsType)
	c.Metrics.ServeHTTP(c.w, r)
	return nil
}
