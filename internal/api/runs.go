package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"mooring/internal/access"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store"
	"mooring/internal/surface"
	"mooring/internal/syncing"
)

const (
	runsPath = syncPath + "/runs"
	runPath  = runsPath + "/{run_id}"
)

func runRoutes() []route {
	return tagged("Runs",
		op(http.MethodGet, runsPath, "list_sync_runs", "List a sync's runs, newest first", access.Read, (*call).listRuns, inNamespace),
		op(http.MethodGet, runPath, "get_sync_run", "Show a run; while it is in progress with its ledger so far", access.Read, (*call).getRun, inNamespace),
		streams(runPath+"/events", "watch_sync_run", "Follow a run: server-sent events named progress, each the run as getting it shows it, until it has ended", eventType, access.Read, (*call).runEvents, inNamespace),
	)
}

type syncRun struct {
	SyncRunID       string         `json:"sync_run_id"`
	SyncConfigID    string         `json:"sync_config_id"`
	BucketID        string         `json:"bucket_id"`
	ProviderType    string         `json:"provider_type"`
	Number          int64          `json:"number" doc:"from 1 within a sync"`
	Kind            string         `json:"kind" enum:"sync,verify"`
	Status          string         `json:"status" enum:"IN_PROGRESS,COMPLETED,COMPLETED_WITH_ERRORS,FAILED,CANCELED"`
	Ledger          syncing.Ledger `json:"ledger" doc:"discovered = synced + unchanged + filtered + duplicate + skipped + failed"`
	Suspect         bool           `json:"suspect" doc:"absences were met that were not trusted: nothing was deleted"`
	Reason          *string        `json:"reason" doc:"why suspect, canceled or failed"`
	ErrorKind       *string        `json:"error_kind"`
	PassID          *string        `json:"pass_id"`
	PassEnded       bool           `json:"pass_ended" doc:"the source was traversed to its end"`
	QuietRuns       int64          `json:"quiet_runs" doc:"runs before it that changed nothing and are folded into this row"`
	WorkerID        *string        `json:"worker_id"`
	StartedAt       stamp          `json:"started_at"`
	EndedAt         *stamp         `json:"ended_at"`
	UpdatedAt       stamp          `json:"updated_at"`
	DurationSeconds float64        `json:"duration_seconds" doc:"so far, while it is in progress"`
	Progress        *runProgress   `json:"progress,omitempty" doc:"of a run in this process, ahead of its ledger, which grows by whole records"`
}

type runProgress struct {
	Listed       int64 `json:"listed" doc:"items met in the source"`
	Waiting      int64 `json:"waiting" doc:"items whose transfer has not begun"`
	Transferring int64 `json:"transferring"`
	Bytes        int64 `json:"bytes" doc:"of content, as it arrives"`
	BytesKnown   int64 `json:"bytes_known" doc:"of all items found to transfer"`
	ListedAll    bool  `json:"listed_all" doc:"nothing more will be found: bytes_known - bytes remain"`
}

func (s *server) runModel(r syncing.Run) syncRun {
	out := syncRun{
		SyncRunID: string(r.ID), SyncConfigID: string(r.Sync), BucketID: string(r.Bucket), ProviderType: r.Provider, Number: r.Number, Kind: r.Kind,
		Status: string(r.Status), Ledger: r.Ledger, Suspect: r.Suspect, Reason: text(r.Reason), ErrorKind: text(r.ErrorKind), PassID: text(r.Pass),
		PassEnded: r.PassEnded, QuietRuns: r.Quiet, WorkerID: text(r.Worker), StartedAt: at(r.StartedAt), EndedAt: maybe(r.EndedAt), UpdatedAt: at(r.UpdatedAt),
		DurationSeconds: s.duration(r),
	}
	if p, ok := s.Engine.Progress(r.ID); ok && r.Status == syncing.RunInProgress {
		out.Progress = &runProgress{p.Listed, p.Waiting, p.Transferring, p.Bytes, p.BytesKnown, p.ListedAll}
	}
	return out
}

// duration is in seconds, with milliseconds.
func (s *server) duration(r syncing.Run) float64 {
	end := s.now()
	if r.EndedAt != nil {
		end = *r.EndedAt
	}
	return max(end.Sub(r.StartedAt).Round(time.Millisecond).Seconds(), 0)
}

type runListResponse struct {
	Results    []syncRun  `json:"results"`
	Pagination pagination `json:"pagination"`
	Total      int64      `json:"total"`
}

func (c *call) listRuns(p paging, _ none) (out runListResponse, err error) {
	sy, err := c.sync()
	if err != nil {
		return out, err
	}
	f := syncing.RunFilter{Bucket: sy.Bucket, Sync: sy.ID}
	found, err := c.Store.Runs().List(c.ctx(), c.org(), f, p.page())
	if err != nil {
		return out, err
	}
	total, err := c.Store.Runs().Count(c.ctx(), c.org(), f)
	if err != nil {
		return out, err
	}
	out = runListResponse{Results: make([]syncRun, len(found.Items)), Pagination: p.answer(found.Next, total), Total: total}
	for i, r := range found.Items {
		if r, err = c.Engine.Live(c.ctx(), r); err != nil {
			return out, err
		}
		out.Results[i] = c.runModel(r)
	}
	return out, nil
}

func (c *call) oneRun() (syncing.Run, error) {
	sy, err := c.sync()
	if err != nil {
		return syncing.Run{}, err
	}
	name := c.r.PathValue("run_id")
	r, err := c.Store.Runs().Get(c.ctx(), c.org(), id.Run(name))
	if errs.Is(err, errs.NotFound) || err == nil && r.Sync != sy.ID {
		return syncing.Run{}, surface.Missing("run", name)
	}
	if err != nil {
		return r, err
	}
	return c.Engine.Live(c.ctx(), r)
}

func (c *call) getRun(none, none) (syncRun, error) {
	r, err := c.oneRun()
	return c.runModel(r), err
}

const eventType = "text/event-stream"

// runEvents tells how a run goes until it has ended, the key has, or the client
// has gone. Each event is complete in itself: a client that was away lost nothing.
func (c *call) runEvents(none) error {
	r, err := c.oneRun()
	if err != nil || c.r.Method == http.MethodHead {
		return err
	}
	done, err := c.Guard.Stream(c.who.Key.ID)
	if err != nil {
		return err
	}
	defer done()
	conn := http.NewResponseController(c.w)
	h := c.w.Header()
	h.Set("Content-Type", eventType)
	h.Set("X-Accel-Buffering", "no") // a proxy that gathers would keep it all back
	c.w.WriteHeader(http.StatusOK)
	tick := time.NewTicker(c.EventInterval)
	defer tick.Stop()
	for {
		if err := c.event(conn, r); err != nil {
			return nil // the client has gone
		}
		if r.Status != syncing.RunInProgress {
			return nil
		}
		select {
		case <-c.ctx().Done():
			return nil
		case <-tick.C:
		}
		if !c.stillAdmitted() {
			return nil
		}
		if r, err = c.oneRun(); err != nil {
			return nil // the sync is gone, or the server is: asking again tells
		}
	}
}

func (c *call) event(conn *http.ResponseController, r syncing.Run) error {
	raw, err := json.Marshal(c.runModel(r))
	if err != nil {
		return err
	}
	if _, err := c.w.Write(append(append([]byte("event: progress\ndata: "), raw...), "\n\n"...)); err != nil {
		return err
	}
	return conn.Flush()
}

// stillAdmitted asks again whether the key works: it may have been revoked, or
// given other rights, while a stream runs.
func (c *call) stillAdmitted() bool {
	key, err := bearer(c.r.Header)
	if err != nil {
		return false
	}
	who, err := c.Access.Authenticate(c.ctx(), key)
	if err != nil || !who.Allows(c.route.need) {
		return false
	}
	c.who = who
	return true
}

// runsSince lists the ended and running runs of a bucket, newest first.
func (c *call) runsSince(ctx context.Context, f syncing.RunFilter, most int) ([]syncing.Run, error) {
	return all(ctx, most, func(ctx context.Context, p store.Page) (store.List[syncing.Run], error) {
		return c.Store.Runs().List(ctx, c.org(), f, p)
	})
}
