package api

import (
	"strconv"

	"mooring/internal/errs"
	"mooring/internal/syncing/engine"
)

type syncTriggerResponse struct {
	SyncJobID    string `json:"sync_job_id" doc:"of a trigger: the sync and how often it was triggered; the run gets its id when it starts"`
	SyncConfigID string `json:"sync_config_id"`
	BucketID     string `json:"bucket_id"`
	Status       string `json:"status" enum:"PENDING"`
	Message      string `json:"message"`
	RunsBefore   int64  `json:"sync_run_counter" doc:"the number of the last run before: that of the one asked for is higher"`
}

func (c *call) triggerSync(none, none) (out syncTriggerResponse, err error) {
	sy, err := c.sync()
	if err != nil {
		return out, err
	}
	if sy, err = c.Syncs.Trigger(c.ctx(), c.org(), c.actor, sy.Bucket, sy.ID); err != nil {
		return out, err
	}
	return syncTriggerResponse{
		SyncJobID: string(sy.ID) + "." + strconv.FormatInt(sy.Triggered, 10), SyncConfigID: string(sy.ID), BucketID: string(sy.Bucket),
		Status: "PENDING", Message: "a run starts as soon as a worker is free", RunsBefore: sy.RunCounter,
	}, nil
}

type syncPreview struct {
	Listed    int64            `json:"listed" doc:"items met"`
	Transfer  int64            `json:"transfer" doc:"would be downloaded"`
	Bytes     int64            `json:"bytes" doc:"of those whose size is known"`
	Remap     int64            `json:"remap" doc:"would be mapped anew or renamed, without a download"`
	Unchanged int64            `json:"unchanged"`
	Filtered  map[string]int64 `json:"filtered" doc:"by rule"`
	Skipped   map[string]int64 `json:"skipped" doc:"by reason"`
	Delete    int64            `json:"delete" doc:"known, and absent from what was listed: the delete policy would apply"`
	Suspect   *string          `json:"suspect" doc:"why nothing would be deleted, as far as can be told"`
	Complete  bool             `json:"complete" doc:"the whole source was listed, not only its first pages"`
	Samples   []previewSample  `json:"samples"`
}

type previewSample struct {
	SourceID  string  `json:"source_id"`
	Path      string  `json:"path"`
	SizeBytes *int64  `json:"size_bytes"`
	Outcome   string  `json:"outcome" enum:"transfer,remap,unchanged,filtered,skipped,delete"`
	Reason    *string `json:"reason"`
}

func (c *call) previewSync(none, none) (out syncPreview, err error) {
	sy, err := c.sync()
	if err != nil {
		return out, err
	}
	p, err := c.Engine.Preview(c.ctx(), sy, engine.PreviewOptions{})
	out = syncPreview{
		Listed: p.Listed, Transfer: p.Transfer, Bytes: p.Bytes, Remap: p.Remap, Unchanged: p.Unchanged, Filtered: orEmpty(p.Filtered), Skipped: orEmpty(p.Skipped),
		Delete: p.Delete, Suspect: text(p.Suspect), Complete: p.Complete, Samples: make([]previewSample, len(p.Samples)),
	}
	for i, x := range p.Samples {
		out.Samples[i] = previewSample{SourceID: x.SourceID, Path: x.Path, Outcome: x.Outcome, Reason: text(x.Reason)}
		if x.Size >= 0 {
			out.Samples[i].SizeBytes = new(x.Size)
		}
	}
	return out, err
}

var errNoWorker = errs.New(errs.Unavailable, "api.verify", "no worker runs in this process: ask one that works on syncs")

type verifyRequest struct {
	Repair *bool `json:"repair,omitempty" doc:"bring what is missing or damaged again"`
}

type verifyResponse struct {
	SyncJobID    string `json:"sync_job_id"`
	SyncConfigID string `json:"sync_config_id"`
	Message      string `json:"message"`
}

func (c *call) verifySync(_ none, r verifyRequest) (out verifyResponse, err error) {
	b, err := c.live()
	if err != nil {
		return out, err
	}
	sy, err := c.syncOf(b)
	if err != nil {
		return out, err
	}
	if c.Verify == nil {
		return out, errNoWorker
	}
	job, err := c.Verify(c.ctx(), c.org(), sy.ID, r.Repair != nil && *r.Repair)
	return verifyResponse{SyncJobID: job, SyncConfigID: string(sy.ID), Message: "the destination is hashed anew as soon as a worker is free: see the sync's runs"}, err
}
