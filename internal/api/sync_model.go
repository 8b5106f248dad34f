package api

import (
	"mooring/internal/syncing"
)

// syncConfigurationModel is the contract's. Some of its keys describe parts that
// this service does not have; they are constants.
type syncConfigurationModel struct {
	SyncConfigID           string         `json:"sync_config_id"`
	BucketID               string         `json:"bucket_id"`
	ConnectionID           string         `json:"connection_id"`
	InternalID             string         `json:"internal_id"`
	NamespaceID            string         `json:"namespace_id"`
	SourcePath             string         `json:"source_path"`
	FileFilters            map[string]any `json:"file_filters,omitempty"`
	SchemaMapping          map[string]any `json:"schema_mapping,omitempty"`
	SyncMode               string         `json:"sync_mode" enum:"initial_only,continuous"`
	PollingIntervalSeconds int            `json:"polling_interval_seconds"`
	BatchSize              int            `json:"batch_size"`
	CreateObjectOnConfirm  bool           `json:"create_object_on_confirm" doc:"always true"`
	SkipDuplicates         bool           `json:"skip_duplicates" doc:"always true"`
	SkipBatchSubmission    bool           `json:"skip_batch_submission"`
	Status                 string         `json:"status" enum:"PENDING,ACTIVE,SUSPENDED,COMPLETED,FAILED"`
	IsActive               bool           `json:"is_active"`
	TotalFilesDiscovered   int64          `json:"total_files_discovered" doc:"lifetime, with the run under way"`
	TotalFilesSynced       int64          `json:"total_files_synced"`
	TotalFilesFailed       int64          `json:"total_files_failed"`
	TotalBytesSynced       int64          `json:"total_bytes_synced"`
	CreatedAt              stamp          `json:"created_at"`
	UpdatedAt              stamp          `json:"updated_at"`
	LastSyncAt             *stamp         `json:"last_sync_at" doc:"end of the last good run"`
	NextSyncAt             *stamp         `json:"next_sync_at"`
	CreatedByUserID        string         `json:"created_by_user_id"`
	LastError              *string        `json:"last_error"`
	ConsecutiveFailures    int            `json:"consecutive_failures" doc:"the fifth makes the sync FAILED"`
	Metadata               map[string]any `json:"metadata"`

	LockedByWorkerID *string `json:"locked_by_worker_id"`
	LockedAt         *stamp  `json:"locked_at"`
	LockExpiresAt    *stamp  `json:"lock_expires_at" doc:"for display: by the holder's clock"`
	Paused           bool    `json:"paused"`
	PauseReason      *string `json:"pause_reason"`
	PausedAt         *stamp  `json:"paused_at"`
	PausedByUserID   *string `json:"paused_by_user_id"`

	MaxObjectsPerRun          int64    `json:"max_objects_per_run"`
	MaxBatchChunkSize         int      `json:"max_batch_chunk_size"`
	BatchChunkSize            int      `json:"batch_chunk_size"`
	CurrentSyncRunID          *string  `json:"current_sync_run_id" doc:"running or latest"`
	SyncRunCounter            int64    `json:"sync_run_counter"`
	BatchIDs                  []string `json:"batch_ids"`
	TaskIDs                   []string `json:"task_ids"`
	BatchesCreated            int      `json:"batches_created"`
	ResumeEnabled             bool     `json:"resume_enabled"`
	ResumeCursor              *string  `json:"resume_cursor" doc:"always null: cursors are no business of clients"`
	ResumeLastPrimaryKey      *string  `json:"resume_last_primary_key"`
	ResumeObjectsProcessed    int64    `json:"resume_objects_processed"`
	ResumeCheckpointFrequency int      `json:"resume_checkpoint_frequency"`

	Description      *string        `json:"description"`
	ProviderType     string         `json:"provider_type"`
	Schedule         *string        `json:"schedule"`
	TimeZone         *string        `json:"time_zone"`
	DeletePolicy     string         `json:"delete_policy" enum:"ignore,tombstone,delete"`
	MaxDeletePercent int            `json:"max_delete_percent"`
	Totals           syncing.Ledger `json:"totals" doc:"the lifetime ledger"`
	KeptGone         int64          `json:"objects_gone_at_source" doc:"under delete_policy ignore: objects kept though gone, as of the last pass"`
}

// syncModel shows a sync, with the run under way counted in.
func (c *call) syncModel(sy syncing.Sync) (out syncConfigurationModel, err error) {
	run, running, err := c.liveRun(c.ctx(), sy)
	if err != nil {
		return out, err
	}
	totals, bytes := syncing.Ledger{}, sy.TotalBytes
	totals.Add(sy.Totals)
	if running {
		totals.Add(run.Ledger)
		bytes += run.Ledger.Bytes
	}
	out = syncConfigurationModel{
		SyncConfigID: string(sy.ID), BucketID: string(sy.Bucket), ConnectionID: string(sy.Connection), InternalID: string(sy.Org), NamespaceID: string(sy.Namespace),
		SourcePath: sy.SourcePath, SyncMode: string(sy.Mode), PollingIntervalSeconds: sy.PollingSeconds, BatchSize: sy.BatchSize,
		CreateObjectOnConfirm: true, SkipDuplicates: true, SkipBatchSubmission: sy.SkipBatch, Status: string(sy.Status), IsActive: sy.IsActive(),
		TotalFilesDiscovered: totals.Discovered, TotalFilesSynced: totals.Synced, TotalFilesFailed: totals.Failed, TotalBytesSynced: bytes,
		CreatedAt: at(sy.CreatedAt), UpdatedAt: at(sy.UpdatedAt), LastSyncAt: maybe(sy.LastSyncAt), NextSyncAt: maybe(sy.NextSyncAt),
		CreatedByUserID: sy.CreatedBy, LastError: sy.LastError, ConsecutiveFailures: sy.Failures, Metadata: orEmpty(sy.Metadata),
		Paused: sy.Paused, PauseReason: text(sy.PauseReason), PausedAt: maybe(sy.PausedAt), PausedByUserID: text(sy.PausedBy),
		MaxObjectsPerRun: sy.MaxObjectsPerRun, MaxBatchChunkSize: 1000, BatchChunkSize: 100, CurrentSyncRunID: text(sy.CurrentRun),
		SyncRunCounter: sy.RunCounter, BatchIDs: []string{}, TaskIDs: []string{}, ResumeEnabled: true, ResumeCheckpointFrequency: 1000,
		Description: sy.Description, ProviderType: sy.Provider, Schedule: text(sy.Schedule), TimeZone: text(sy.TimeZone),
		DeletePolicy: string(sy.OnDelete), MaxDeletePercent: sy.MaxDeletePercent, Totals: totals, KeptGone: sy.Absent,
	}
	if filters := sy.Filters.Wire(); len(filters) > 0 {
		out.FileFilters = filters
	}
	out.SchemaMapping = sy.Mapping.Wire()
	if running {
		err = c.lock(&out, sy)
	}
	return out, err
}

// lock shows who works on a sync.
func (c *call) lock(out *syncConfigurationModel, sy syncing.Sync) error {
	lease, err := c.Store.Leases().Read(c.ctx(), "sync/"+string(sy.ID))
	if err == nil && lease.Holder != "" {
		out.LockedByWorkerID, out.LockedAt, out.LockExpiresAt = text(lease.Holder), maybe(&lease.Since), maybe(&lease.Until)
	}
	return err
}
