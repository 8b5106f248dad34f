package api

import (
	"strconv"

	"mooring/internal/errs"
)

type syncTriggerResponse struct {
	SyncJobID    string `json:"sync_job_id" doc:"of a trigger: the sync and how often it was triggered; the run gets its id when it starts"`
	SyncConfigID string `json:"sync_config_id"`
	BucketID     string `json:"bucket_id"`
	Status       string `json:"status" enum:"PENDING"`
	Message      string `json:"message"`
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
		Status: "PENDING", Message: "a run starts as soon as a worker is free",
	}, nil
}

var errNoEngine = errs.New(errs.Unavailable, "api.engine", "no engine runs in this process: ask one that works on syncs")

func (c *call) previewSync(none, none) (any, error) {
	sy, err := c.sync()
	if err != nil {
		return nil, err
	}
	engine, ok := c.Engine.(Previewer)
	if !ok {
		return nil, errNoEngine
	}
	return engine.Preview(c.ctx(), c.org(), sy.ID)
}

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
	engine, ok := c.Engine.(Verifier)
	if !ok {
		return out, errNoEngine
	}
	job, err := engine.Verify(c.ctx(), c.org(), c.actor, sy.ID, r.Repair != nil && *r.Repair)
	return verifyResponse{SyncJobID: job, SyncConfigID: string(sy.ID), Message: "the destination is hashed anew as soon as a worker is free: see the sync's runs"}, err
}
