package api

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"mooring/internal/access"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store"
	"mooring/internal/surface"
	"mooring/internal/syncing"
)

const analyticsPath = "/v1/analytics/buckets/{bucket_identifier}"

func analyticsRoutes() []route {
	return tagged("Analytics",
		op(http.MethodGet, analyticsPath+"/sync-performance", "get_sync_performance_analytics_buckets", "The runs of a time, with what they moved and how fast", access.Read, (*call).syncPerformance, inNamespace),
		op(http.MethodGet, analyticsPath+"/sync-comparison", "get_sync_comparison_analytics_buckets", "The syncs of a bucket side by side", access.Read, (*call).syncComparison, inNamespace),
		op(http.MethodGet, analyticsPath+"/health", "get_bucket_health_analytics", "What went wrong in a bucket's syncs", access.Read, (*call).bucketHealth, inNamespace),
	)
}

// maxAnalysed bounds the runs that one analysis looks at.
const maxAnalysed = 20_000

type timeRange struct {
	Start stamp `json:"start"`
	End   stamp `json:"end"`
}

func (s *server) lastHours(n int) timeRange {
	now := s.now()
	return timeRange{Start: at(now.Add(-time.Duration(n) * time.Hour)), End: at(now)}
}

// runsIn lists the runs of a time, newest first. Verifications move nothing and
// are left out.
func (c *call) runsIn(b id.Bucket, sid id.Sync, when timeRange) ([]syncing.Run, error) {
	runs, err := c.runsSince(c.ctx(), syncing.RunFilter{Bucket: b, Sync: sid, Since: time.Time(when.Start)}, maxAnalysed)
	runs = slices.DeleteFunc(runs, func(r syncing.Run) bool { return r.Kind == syncing.KindVerify })
	for i := range runs {
		if err == nil {
			runs[i], err = c.Engine.Live(c.ctx(), runs[i])
		}
	}
	return runs, err
}

func ended(r syncing.Run) bool { return r.Status != syncing.RunInProgress }

func good(r syncing.Run) bool {
	return r.Status == syncing.RunCompleted || r.Status == syncing.RunWithErrors
}

// share is n of total, from 0 to 1.
func share(n, total int) float64 {
	if total == 0 {
		return 0
	}
	return float64(n) / float64(total)
}

// throughput is in megabytes a second, as the contract means by its mbps.
func throughput(bytes int64, seconds float64) float64 {
	if seconds <= 0 {
		return 0
	}
	return float64(bytes) / 1e6 / seconds
}

type performanceQuery struct {
	SyncConfigID string `query:"sync_config_id" maxLength:"100"`
	Hours        int    `query:"hours" minimum:"1" maximum:"720" default:"168"`
	Limit        int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

type syncPerformanceResponse struct {
	BucketID     string             `json:"bucket_id"`
	SyncConfigID *string            `json:"sync_config_id"`
	TimeRange    timeRange          `json:"time_range"`
	Runs         []syncRunMetric    `json:"runs" doc:"newest first"`
	Summary      performanceSummary `json:"summary" doc:"of all runs of the time"`
}

type syncRunMetric struct {
	SyncRunID       string  `json:"sync_run_id"`
	StartedAt       stamp   `json:"started_at"`
	DurationSeconds float64 `json:"duration_seconds"`
	FilesDiscovered int64   `json:"files_discovered"`
	FilesSynced     int64   `json:"files_synced"`
	FilesFailed     int64   `json:"files_failed"`
	BytesSynced     int64   `json:"bytes_synced"`
	ThroughputMBps  float64 `json:"throughput_mbps" doc:"megabytes a second"`
	Status          string  `json:"status"`
	ProviderType    string  `json:"provider_type"`
	SyncConfigID    string  `json:"sync_config_id"`
}

type performanceSummary struct {
	TotalRuns     int     `json:"total_runs"`
	EndedRuns     int     `json:"ended_runs"`
	SuccessRate   float64 `json:"success_rate" doc:"0 to 1, of those ended"`
	FilesSynced   int64   `json:"files_synced"`
	FilesFailed   int64   `json:"files_failed"`
	BytesSynced   int64   `json:"bytes_synced"`
	FilesSeen     int64   `json:"files_discovered"`
	AvgDuration   float64 `json:"avg_duration_seconds"`
	AvgThroughput float64 `json:"avg_throughput_mbps"`
}

func (c *call) syncPerformance(q performanceQuery, _ none) (out syncPerformanceResponse, err error) {
	b, err := c.bucket()
	if err != nil {
		return out, err
	}
	if q.SyncConfigID != "" {
		if _, err := c.Syncs.Get(c.ctx(), c.org(), b.ID, id.Sync(q.SyncConfigID)); err != nil {
			return out, surface.MissingIf(err, "sync", q.SyncConfigID)
		}
	}
	out = syncPerformanceResponse{BucketID: string(b.ID), SyncConfigID: text(q.SyncConfigID), TimeRange: c.lastHours(q.Hours), Runs: []syncRunMetric{}}
	runs, err := c.runsIn(b.ID, id.Sync(q.SyncConfigID), out.TimeRange)
	out.Summary = c.summary(runs)
	for _, r := range runs[:min(len(runs), q.Limit)] {
		took := c.duration(r)
		out.Runs = append(out.Runs, syncRunMetric{
			SyncRunID: string(r.ID), StartedAt: at(r.StartedAt), DurationSeconds: took, FilesDiscovered: r.Ledger.Discovered, FilesSynced: r.Ledger.Synced,
			FilesFailed: r.Ledger.Failed, BytesSynced: r.Ledger.Bytes, ThroughputMBps: throughput(r.Ledger.Bytes, took),
			Status: string(r.Status), ProviderType: r.Provider, SyncConfigID: string(r.Sync),
		})
	}
	return out, err
}

func (s *server) summary(runs []syncing.Run) (out performanceSummary) {
	fine, took := 0, 0.0
	for _, r := range runs {
		out.TotalRuns++
		out.FilesSeen += r.Ledger.Discovered
		out.FilesSynced += r.Ledger.Synced
		out.FilesFailed += r.Ledger.Failed
		out.BytesSynced += r.Ledger.Bytes
		took += s.duration(r)
		if ended(r) {
			out.EndedRuns++
		}
		if good(r) {
			fine++
		}
	}
	out.SuccessRate = share(fine, out.EndedRuns)
	out.AvgThroughput = throughput(out.BytesSynced, took)
	if out.TotalRuns > 0 {
		out.AvgDuration = took / float64(out.TotalRuns)
	}
	return out
}

type hoursQuery struct {
	Hours int `query:"hours" minimum:"1" maximum:"720" default:"168"`
}

type syncComparisonResponse struct {
	BucketID  string             `json:"bucket_id"`
	TimeRange timeRange          `json:"time_range"`
	Configs   []syncConfigMetric `json:"configs"`
}

type syncConfigMetric struct {
	SyncConfigID         string  `json:"sync_config_id"`
	ProviderType         string  `json:"provider_type"`
	AvgDurationSeconds   float64 `json:"avg_duration_seconds"`
	AvgThroughputMBps    float64 `json:"avg_throughput_mbps" doc:"megabytes a second"`
	SuccessRate          float64 `json:"success_rate" doc:"0 to 1"`
	TotalFilesSynced     int64   `json:"total_files_synced"`
	TotalBytesSynced     int64   `json:"total_bytes_synced"`
	TotalRuns            int     `json:"total_runs"`
	TotalFilesDiscovered int64   `json:"total_files_discovered"`
	TotalFilesFailed     int64   `json:"total_files_failed"`
}

func (c *call) syncComparison(q hoursQuery, _ none) (out syncComparisonResponse, err error) {
	b, err := c.bucket()
	if err != nil {
		return out, err
	}
	out = syncComparisonResponse{BucketID: string(b.ID), TimeRange: c.lastHours(q.Hours), Configs: []syncConfigMetric{}}
	runs, err := c.runsIn(b.ID, "", out.TimeRange)
	bySync := map[id.Sync][]syncing.Run{}
	for _, r := range runs {
		bySync[r.Sync] = append(bySync[r.Sync], r)
	}
	for sid, runs := range bySync {
		s := c.summary(runs)
		out.Configs = append(out.Configs, syncConfigMetric{
			SyncConfigID: string(sid), ProviderType: runs[0].Provider, AvgDurationSeconds: s.AvgDuration, AvgThroughputMBps: s.AvgThroughput, SuccessRate: s.SuccessRate,
			TotalFilesSynced: s.FilesSynced, TotalBytesSynced: s.BytesSynced, TotalRuns: s.TotalRuns, TotalFilesDiscovered: s.FilesSeen, TotalFilesFailed: s.FilesFailed,
		})
	}
	slices.SortFunc(out.Configs, func(a, b syncConfigMetric) int { return cmp.Compare(a.SyncConfigID, b.SyncConfigID) })
	return out, err
}

type healthQuery struct {
	Hours int `query:"hours" minimum:"1" maximum:"720" default:"24"`
}

type bucketHealthResponse struct {
	BucketID       string             `json:"bucket_id"`
	TimeRange      timeRange          `json:"time_range"`
	OverallHealth  string             `json:"overall_health" enum:"healthy,degraded,unhealthy"`
	TotalErrors    int64              `json:"total_errors" doc:"items given up and runs failed"`
	ErrorBreakdown []errorBreakdown   `json:"error_breakdown"`
	SyncHealth     []syncHealthMetric `json:"sync_health"`
	StuckSyncs     []string           `json:"stuck_syncs" doc:"syncs that should have run, or moved on, and did not"`
}

type errorBreakdown struct {
	ErrorType  string  `json:"error_type" doc:"the kind of error"`
	Count      int64   `json:"count"`
	Percentage float64 `json:"percentage"`
	FirstSeen  stamp   `json:"first_seen"`
	LastSeen   stamp   `json:"last_seen"`
}

type syncHealthMetric struct {
	SyncConfigID        string  `json:"sync_config_id"`
	ConsecutiveFailures int     `json:"consecutive_failures"`
	LastSuccessAt       *stamp  `json:"last_success_at"`
	LastFailureAt       *stamp  `json:"last_failure_at"`
	FailureRate         float64 `json:"failure_rate" doc:"0 to 1, of the runs ended in the time"`
}

func (c *call) bucketHealth(q healthQuery, _ none) (out bucketHealthResponse, err error) {
	b, err := c.bucket()
	if err != nil {
		return out, err
	}
	out = bucketHealthResponse{BucketID: string(b.ID), TimeRange: c.lastHours(q.Hours), SyncHealth: []syncHealthMetric{}, StuckSyncs: []string{}}
	runs, err := c.runsIn(b.ID, "", out.TimeRange)
	if err != nil {
		return out, err
	}
	syncs, err := all(c.ctx(), maxAnalysed, func(ctx context.Context, p store.Page) (store.List[syncing.Sync], error) {
		return c.Store.Syncs().List(ctx, c.org(), syncing.Filter{Bucket: b.ID}, p)
	})
	if err != nil {
		return out, err
	}
	out.ErrorBreakdown, out.TotalErrors = breakdown(runs)
	for _, sy := range syncs {
		out.SyncHealth = append(out.SyncHealth, healthOf(sy, runs))
		if c.stuck(sy, runs) {
			out.StuckSyncs = append(out.StuckSyncs, string(sy.ID))
		}
	}
	out.OverallHealth = overall(out, syncs)
	return out, nil
}

// breakdown counts items given up by kind, and runs that failed as a whole.
func breakdown(runs []syncing.Run) (list []errorBreakdown, total int64) {
	byKind := map[string]*errorBreakdown{}
	count := func(kind string, n int64, when time.Time) {
		if n == 0 {
			return
		}
		e := byKind[kind]
		if e == nil {
			e = &errorBreakdown{ErrorType: kind, FirstSeen: at(when), LastSeen: at(when)}
			byKind[kind] = e
		}
		e.Count += n
		total += n
		if when.Before(time.Time(e.FirstSeen)) {
			e.FirstSeen = at(when)
		}
		if when.After(time.Time(e.LastSeen)) {
			e.LastSeen = at(when)
		}
	}
	for _, r := range runs {
		when := r.UpdatedAt
		if r.EndedAt != nil {
			when = *r.EndedAt
		}
		for kind, n := range r.Ledger.FailedBy {
			count(kind, n, when)
		}
		if r.Status == syncing.RunFailed {
			count(cmp.Or(r.ErrorKind, errs.Internal.String()), 1, when)
		}
	}
	list = []errorBreakdown{}
	for _, kind := range slices.Sorted(maps.Keys(byKind)) {
		e := *byKind[kind]
		e.Percentage = 100 * float64(e.Count) / float64(total)
		list = append(list, e)
	}
	slices.SortStableFunc(list, func(a, b errorBreakdown) int { return cmp.Compare(b.Count, a.Count) })
	return list, total
}

func healthOf(sy syncing.Sync, runs []syncing.Run) syncHealthMetric {
	m := syncHealthMetric{SyncConfigID: string(sy.ID), ConsecutiveFailures: sy.Failures, LastSuccessAt: maybe(sy.LastSyncAt)}
	failed, done := 0, 0
	for _, r := range runs { // newest first
		if r.Sync != sy.ID || !ended(r) {
			continue
		}
		done++
		if r.Status == syncing.RunFailed {
			if failed++; m.LastFailureAt == nil {
				m.LastFailureAt = maybe(r.EndedAt)
			}
		}
	}
	m.FailureRate = share(failed, done)
	return m
}

// patience is how long nothing may happen before a sync counts as stuck.
const patience = 15 * time.Minute

func (c *call) stuck(sy syncing.Sync, runs []syncing.Run) bool {
	for _, r := range runs {
		if r.Sync == sy.ID && !ended(r) {
			return c.now().Sub(r.UpdatedAt) > patience && c.now().Sub(sy.UpdatedAt) > patience
		}
	}
	return sy.IsActive() && sy.NextSyncAt != nil && c.now().Sub(*sy.NextSyncAt) > patience
}

func overall(h bucketHealthResponse, syncs []syncing.Sync) string {
	bad := slices.ContainsFunc(syncs, func(s syncing.Sync) bool { return s.Status == syncing.Failed }) ||
		slices.ContainsFunc(h.SyncHealth, func(m syncHealthMetric) bool { return m.FailureRate >= 0.5 })
	switch {
	case bad:
		return "unhealthy"
	case h.TotalErrors > 0 || len(h.StuckSyncs) > 0:
		return "degraded"
	}
	return "healthy"
}
