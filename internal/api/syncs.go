package api

import (
	"context"
	"net/http"

	"mooring/internal/access"
	"mooring/internal/bucket"
	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store"
	"mooring/internal/surface"
	"mooring/internal/syncing"
	syncingservice "mooring/internal/syncing/service"
)

const (
	syncsPath = "/v1/buckets/{bucket_identifier}/syncs"
	syncPath  = syncsPath + "/{sync_config_id}"
)

func syncRoutes() []route {
	return tagged("Syncs",
		op(http.MethodPost, syncsPath, "create_sync_configuration_buckets", "Make a sync; it starts at once", access.Write, (*call).createSync, inNamespace, creates),
		op(http.MethodPost, syncsPath+"/list", "list_sync_configurations_buckets", "List a bucket's syncs, newest first", access.Read, (*call).listSyncs, inNamespace, optionalBody),
		op(http.MethodGet, syncPath, "get_sync_configuration_buckets_id_config", "Show a sync", access.Read, (*call).getSync, inNamespace),
		op(http.MethodPatch, syncPath, "update_sync_configuration_buckets_id_config", "Change a sync; it takes effect with the next run", access.Write, (*call).updateSync, inNamespace, creates, optionalBody),
		op(http.MethodDelete, syncPath, "delete_sync_configuration_buckets_id_config", "End a sync; what it brought stays in the bucket", access.Delete, (*call).deleteSync, inNamespace),
		op(http.MethodPost, syncPath+"/pause", "pause_sync_configuration_buckets_id_config", "Let a run under way finish and start no new one", access.Write, (*call).pauseSync, inNamespace, optionalBody),
		op(http.MethodPost, syncPath+"/resume", "resume_sync_configuration_buckets_id_config", "Go on where it stopped", access.Write, (*call).resumeSync, inNamespace),
		op(http.MethodPost, syncPath+"/trigger", "trigger_sync_configuration_buckets_id_config", "Run a sync now", access.Write, (*call).triggerSync, inNamespace),
		op(http.MethodPost, syncPath+"/preview", "preview_sync", "Say what a run would do, without doing it", access.Read, (*call).previewSync, inNamespace),
		op(http.MethodPost, syncPath+"/verify", "verify_sync", "Hash the destination anew and compare it with the catalogue", access.Write, (*call).verifySync, inNamespace, optionalBody),
	)
}

// SyncSettings are the parts of a sync that can be given at its creation and
// changed later.
type SyncSettings struct {
	Description            *string        `json:"description,omitempty" doc:"at most 500 characters"`
	Metadata               map[string]any `json:"metadata,omitempty" doc:"at most 50 keys"`
	PollingIntervalSeconds *int           `json:"polling_interval_seconds,omitempty" minimum:"30" maximum:"900" doc:"default 300"`
	Schedule               *string        `json:"schedule,omitempty" maxLength:"200" doc:"five-field cron expression instead of polling; empty: poll"`
	TimeZone               *string        `json:"time_zone,omitempty" maxLength:"100" doc:"IANA zone of the schedule; default UTC"`
	BatchSize              *int           `json:"batch_size,omitempty" minimum:"1" maximum:"100"`
	SkipBatchSubmission    *bool          `json:"skip_batch_submission,omitempty"`
	SchemaMapping          map[string]any `json:"schema_mapping,omitempty" doc:"mappings: target to entry; the bare map is taken too"`
	DeletePolicy           *string        `json:"delete_policy,omitempty" fold:"lower" oneof:"ignore,tombstone,delete" doc:"what follows when an item is gone at the source: ignore (default), tombstone or delete"`
	MaxDeletePercent       *int           `json:"max_delete_percent,omitempty" minimum:"0" maximum:"100" doc:"delete nothing when more than this share is gone at once; default 20"`
	MaxObjectsPerRun       *int64         `json:"max_objects_per_run,omitempty" minimum:"1" doc:"default 100000"`
}

// settings reads what has a form of its own, gathering what is wrong in f.
func (r SyncSettings) settings(provider string, f errs.Fields) syncingservice.Settings {
	out := syncingservice.Settings{
		Description: r.Description, Polling: r.PollingIntervalSeconds, Schedule: r.Schedule, TimeZone: r.TimeZone, Batch: r.BatchSize,
		SkipBatch: r.SkipBatchSubmission, MaxDeletePercent: r.MaxDeletePercent, MaxObjects: r.MaxObjectsPerRun,
	}
	if r.Metadata != nil {
		out.Metadata = connection.CleanMetadata(r.Metadata, f)
	}
	if r.DeletePolicy != nil {
		out.OnDelete = new(syncing.DeletePolicy(*r.DeletePolicy))
	}
	if r.SchemaMapping != nil {
		if out.Mapping = syncing.DecodeMapping(r.SchemaMapping, provider, f.At("schema_mapping")); out.Mapping == nil {
			out.Mapping = &syncing.Mapping{} // given without entries: back to none
		}
	}
	return out
}

type syncCreateRequest struct {
	ConnectionID string         `json:"connection_id" maxLength:"100"`
	SourcePath   string         `json:"source_path" doc:"what to sync; of S3: bucket or bucket/prefix"`
	SyncMode     *string        `json:"sync_mode,omitempty" fold:"lower" oneof:"continuous,initial_only,one_time,scheduled" doc:"continuous (default) or initial_only; one_time and scheduled are taken for them"`
	FileFilters  map[string]any `json:"file_filters,omitempty" doc:"include_patterns, exclude_patterns, min_size_bytes, max_size_bytes, modified_after, modified_before, mime_types, extensions"`
	SyncSettings
}

var modes = map[string]syncing.Mode{"continuous": syncing.Continuous, "scheduled": syncing.Continuous, "initial_only": syncing.InitialOnly, "one_time": syncing.InitialOnly}

func (c *call) createSync(_ none, r syncCreateRequest) (out syncConfigurationModel, err error) {
	b, err := c.live()
	if err != nil {
		return out, err
	}
	// A key must reach the connection too: else a bucket of its own would be a
	// way to what it may not read.
	conn, err := c.Connections.Get(c.ctx(), c.org(), r.ConnectionID)
	if errs.Is(err, errs.NotFound) || err == nil && !c.who.Reaches(access.Write, access.OfConnection(c.org(), conn.ID)) {
		return out, surface.Missing("connection", r.ConnectionID)
	}
	if err != nil {
		return out, err
	}
	f := errs.NewFields("body")
	made := syncingservice.CreateRequest{Connection: conn.ID, SourcePath: r.SourcePath, Mode: syncing.Continuous, Settings: r.settings(conn.Provider, f), CreatedBy: c.user()}
	if r.SyncMode != nil {
		made.Mode = modes[*r.SyncMode]
	}
	if r.FileFilters != nil {
		made.Filters = syncing.DecodeFilters(r.FileFilters, f.At("file_filters"))
	}
	if err := f.Err("sync.create"); err != nil {
		return out, err
	}
	sy, err := c.Syncs.Create(c.ctx(), c.org(), c.actor, b, made)
	if err != nil {
		return out, err
	}
	return c.syncModel(sy)
}

type listSyncConfigurationsRequest struct {
	ConnectionID *string `json:"connection_id,omitempty" maxLength:"100"`
	Status       *string `json:"status,omitempty" fold:"upper" doc:"in any case; paused is SUSPENDED"`
	IsActive     *bool   `json:"is_active,omitempty"`
}

type syncListResponse struct {
	Results    []syncConfigurationModel `json:"results"`
	Pagination pagination               `json:"pagination"`
	Total      int64                    `json:"total"`
}

func (c *call) listSyncs(p paging, r listSyncConfigurationsRequest) (out syncListResponse, err error) {
	b, err := c.bucket()
	if err != nil {
		return out, err
	}
	f := syncing.Filter{Bucket: b.ID, IsActive: r.IsActive}
	if r.ConnectionID != nil {
		f.Connection = id.Connection(*r.ConnectionID)
	}
	if r.Status != nil {
		status, err := listStatus(*r.Status)
		if err != nil {
			return out, err
		}
		f.Status = syncing.Status(status)
	}
	found, err := c.Store.Syncs().List(c.ctx(), c.org(), f, p.page())
	if err != nil {
		return out, err
	}
	total, err := c.Store.Syncs().Count(c.ctx(), c.org(), f)
	if err != nil {
		return out, err
	}
	out = syncListResponse{Results: make([]syncConfigurationModel, len(found.Items)), Pagination: p.answer(found.Next, total), Total: total}
	for i, sy := range found.Items {
		if out.Results[i], err = c.syncModel(sy); err != nil {
			return out, err
		}
	}
	return out, nil
}

// sync finds the one that the path names, in the bucket that it names.
func (c *call) sync() (sy syncing.Sync, err error) {
	b, err := c.bucket()
	if err != nil {
		return sy, err
	}
	return c.syncOf(b)
}

func (c *call) syncOf(b bucket.Bucket) (syncing.Sync, error) {
	return c.reach().Sync(c.ctx(), b.ID, c.r.PathValue("sync_config_id"))
}

func (c *call) getSync(none, none) (out syncConfigurationModel, err error) {
	sy, err := c.sync()
	if err != nil {
		return out, err
	}
	return c.syncModel(sy)
}

type syncUpdateRequest struct {
	Status   *string `json:"status,omitempty" doc:"ACTIVE resumes, SUSPENDED (or paused) pauses; in any case"`
	IsActive *bool   `json:"is_active,omitempty" doc:"without status: false pauses, true resumes"`
	SyncSettings
}

func (c *call) updateSync(_ none, r syncUpdateRequest) (out syncConfigurationModel, err error) {
	sy, err := c.sync()
	if err != nil {
		return out, err
	}
	f := errs.NewFields("body")
	change := r.settings(sy.Provider, f)
	if err := f.Err("sync.update"); err != nil {
		return out, err
	}
	change.IsActive = r.IsActive
	if r.Status != nil {
		change.Status = new(syncing.Status(connection.ParseStatus(*r.Status)))
	}
	if sy, err = c.Syncs.Update(c.ctx(), c.org(), c.actor, sy.Bucket, sy.ID, change); err != nil {
		return out, err
	}
	return c.syncModel(sy)
}

type syncDeleteResponse struct {
	Success      bool   `json:"success"`
	Message      string `json:"message"`
	SyncConfigID string `json:"sync_config_id"`
}

func (c *call) deleteSync(none, none) (out syncDeleteResponse, err error) {
	sy, err := c.sync()
	if err != nil {
		return out, err
	}
	err = c.Syncs.Delete(c.ctx(), c.org(), c.actor, sy.Bucket, sy.ID)
	return syncDeleteResponse{Success: true, Message: "the sync is deleted; what it brought stays in the bucket", SyncConfigID: string(sy.ID)}, err
}

type pauseRequest struct {
	Reason *string `json:"reason,omitempty" maxLength:"500"`
}

func (c *call) pauseSync(_ none, r pauseRequest) (out syncConfigurationModel, err error) {
	reason := ""
	if r.Reason != nil {
		reason = *r.Reason
	}
	return c.steer(func(sy syncing.Sync) (syncing.Sync, error) {
		return c.Syncs.Pause(c.ctx(), c.org(), c.actor, sy.Bucket, sy.ID, reason)
	})
}

func (c *call) resumeSync(none, none) (syncConfigurationModel, error) {
	return c.steer(func(sy syncing.Sync) (syncing.Sync, error) {
		return c.Syncs.Resume(c.ctx(), c.org(), c.actor, sy.Bucket, sy.ID)
	})
}

func (c *call) steer(how func(syncing.Sync) (syncing.Sync, error)) (out syncConfigurationModel, err error) {
	sy, err := c.sync()
	if err != nil {
		return out, err
	}
	if sy, err = how(sy); err != nil {
		return out, err
	}
	return c.syncModel(sy)
}

// liveRun is the run under way, with its ledger so far; ok is false when there is none.
func (c *call) liveRun(ctx context.Context, sy syncing.Sync) (r syncing.Run, ok bool, err error) {
	if sy.CurrentRun == "" || sy.CurrentRun == sy.FoldedRun {
		return r, false, nil
	}
	r, err = c.Store.Runs().Get(ctx, c.org(), sy.CurrentRun)
	switch {
	case errs.Is(err, errs.NotFound):
		return r, false, nil
	case err != nil || r.Status != syncing.RunInProgress:
		return r, false, err
	}
	r, err = c.Engine.Live(ctx, r)
	return r, err == nil, err
}

// all pages through a list of the store.
func all[T any](ctx context.Context, most int, next func(ctx context.Context, p store.Page) (store.List[T], error)) (out []T, err error) {
	p := store.Page{Limit: 1000}
	for len(out) < most {
		part, err := next(ctx, p)
		if err != nil {
			return nil, err
		}
		out = append(out, part.Items...)
		if part.Next == "" {
			break
		}
		p.Cursor = part.Next
	}
	return out, nil
}
