package api

import (
	"mooring/internal/access"
)

func metricsRoutes() []route {
	return tagged("Health",
		streams("/metrics", "metrics", "Metrics of this process, for Prometheus; for admins of the operator's organization", metricsType, access.Admin, (*call).metrics),
	)
}

const metricsType = "text/plain"

// metrics tells of all organizations, so that only the operator's own may ask.
func (c *call) metrics(none) error {
	if err := c.covers(access.OfOrganization(c.org())); err != nil {
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
