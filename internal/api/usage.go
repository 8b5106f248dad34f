package api

import (
	"maps"
	"net/http"

	"mooring/internal/access"
	"mooring/internal/connection"
)

func usageRoutes() []route {
	return tagged("Connections",
		op(http.MethodGet, connectionPath+"/usage", "get_connection_usage", "What a connection did, by day; of the last minute some may be missing", access.Read, (*call).usage),
	)
}

type usageQuery struct {
	Days int `query:"days" minimum:"1" maximum:"366" default:"30" doc:"how many, today included; kept are 400"`
}

type usageResponse struct {
	ConnectionID string      `json:"connection_id"`
	Days         []usageDay  `json:"days" doc:"in order; days on which nothing happened are missing"`
	Total        usageCounts `json:"total"`
}

type usageDay struct {
	Day string `json:"day" doc:"in UTC, as 2026-01-31"`
	usageCounts
}

type usageCounts struct {
	Syncs     int64            `json:"syncs" doc:"runs that ended"`
	Objects   int64            `json:"objects" doc:"that runs brought"`
	Bytes     int64            `json:"bytes" doc:"of content that runs brought"`
	Requests  int64            `json:"requests" doc:"calls to the provider, checks and retries included"`
	Throttles int64            `json:"throttles" doc:"calls that the provider throttled"`
	Errors    map[string]int64 `json:"errors" doc:"other calls that failed, by kind"`
}

func countsOf(u connection.Usage) usageCounts {
	return usageCounts{u.Syncs, u.Objects, u.Bytes, u.Requests, u.Throttles, orEmpty(maps.Clone(u.Errors))}
}

func (c *call) usage(q usageQuery, _ none) (out usageResponse, err error) {
	found, err := c.connection()
	if err != nil {
		return out, err
	}
	last := c.now()
	days, err := c.Store.Usage().List(c.ctx(), c.org(), found.ID, connection.DayOf(last.AddDate(0, 0, 1-q.Days)), connection.DayOf(last))
	out = usageResponse{ConnectionID: string(found.ID), Days: []usageDay{}}
	var total connection.Usage
	for _, d := range days {
		out.Days = append(out.Days, usageDay{d.Day, countsOf(d)})
		d.Runs = nil
		total.Add(d)
	}
	out.Total = countsOf(total)
	return out, err
}
