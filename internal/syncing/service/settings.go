package service

import (
	"reflect"
	"strings"
	"time"

	"mooring/internal/audit"
	"mooring/internal/errs"
	"mooring/internal/syncing"
)

// apply validates settings and sets those that differ, gathering every bad
// field. A sync that FAILED is tried again after any real change.
func (s *Service) apply(sy *syncing.Sync, r Settings, actor audit.Actor, now time.Time) error {
	f := errs.NewFields("body")
	check(sy, r, f)
	if err := f.Err("sync.settings"); err != nil {
		return err
	}
	changed := map[string]any{}
	setDirect(sy, r, changed)
	if r.Mapping != nil && !reflect.DeepEqual(r.Mapping, sy.Mapping) {
		sy.Mapping = r.Mapping
		sy.MappingRevision++
		changed["schema_mapping"] = sy.MappingRevision
	}
	return s.applyState(sy, r, actor, now, changed)
}

func setDirect(sy *syncing.Sync, r Settings, changed map[string]any) {
	if r.Description != nil {
		sy.Description = r.Description
		changed["description"] = *r.Description
	}
	if r.Metadata != nil && !reflect.DeepEqual(r.Metadata, sy.Metadata) {
		sy.Metadata = r.Metadata
		changed["metadata"] = r.Metadata
	}
	set(&sy.PollingSeconds, r.Polling, "polling_interval_seconds", changed)
	set(&sy.Schedule, r.Schedule, "schedule", changed)
	set(&sy.TimeZone, r.TimeZone, "time_zone", changed)
	if sy.Schedule == "" {
		sy.TimeZone = ""
	}
	set(&sy.BatchSize, r.Batch, "batch_size", changed)
	set(&sy.SkipBatch, r.SkipBatch, "skip_batch_submission", changed)
	set(&sy.OnDelete, r.OnDelete, "delete_policy", changed)
	set(&sy.MaxDeletePercent, r.MaxDeletePercent, "max_delete_percent", changed)
	set(&sy.MaxObjectsPerRun, r.MaxObjects, "max_objects_per_run", changed)
}

func set[T comparable](to *T, v *T, name string, changed map[string]any) {
	if v != nil && *v != *to {
		*to = *v
		changed[name] = *v
	}
}

// applyState follows status and is_active, then reschedules.
func (s *Service) applyState(sy *syncing.Sync, r Settings, actor audit.Actor, now time.Time, changed map[string]any) error {
	status, ok := wanted(r)
	var err error
	switch {
	case ok && status == syncing.Suspended && !sy.Paused:
		changed["status"] = string(syncing.Suspended)
		err = sy.Pause(now, actor.ID, "")
	case ok && status == syncing.Active && !sy.IsActive():
		changed["status"] = string(syncing.Active)
		err = sy.Resume(now)
	case len(changed) > 0 && sy.Status == syncing.Failed:
		err = sy.Resume(now)
	case changed["polling_interval_seconds"] != nil || changed["schedule"] != nil || changed["time_zone"] != nil:
		err = sy.Reschedule(now)
	}
	if err != nil || len(changed) == 0 {
		return err
	}
	sy.UpdatedAt = now
	if sy.Revision > 0 {
		note(sy, now, actor, changed)
	}
	return nil
}

// wanted is the state asked for: Active or Suspended.
func wanted(r Settings) (syncing.Status, bool) {
	switch {
	case r.Status != nil:
		return *r.Status, true
	case r.IsActive != nil && *r.IsActive:
		return syncing.Active, true
	case r.IsActive != nil:
		return syncing.Suspended, true
	}
	return "", false
}

func check(sy *syncing.Sync, r Settings, f errs.Fields) {
	if strings.Trim(sy.SourcePath, "/ ") == "" && sy.Provider != "google_drive" && sy.Provider != "sharepoint" {
		f.Add("missing", "must name what to sync, for S3 as bucket or bucket/prefix", "source_path")
	}
	if len(sy.SourcePath) > 4096 || strings.ContainsRune(sy.SourcePath, 0) {
		f.Add("invalid_path", "must have at most 4096 bytes and no NUL", "source_path")
	}
	if tooLong(r.Description, 500) {
		f.Add("string_too_long", "must have at most 500 characters", "description")
	}
	if len(r.Metadata) > maxMetadata {
		f.Add("too_many_keys", "must have at most 50 keys", "metadata")
	}
	between(f, r.Polling, 30, 900, "polling_interval_seconds")
	between(f, r.Batch, 1, 100, "batch_size")
	between(f, r.MaxDeletePercent, 0, 100, "max_delete_percent")
	if r.MaxObjects != nil && *r.MaxObjects < 1 {
		f.Add("greater_than_equal", "must be at least 1", "max_objects_per_run")
	}
	if r.OnDelete != nil && *r.OnDelete != syncing.Ignore && *r.OnDelete != syncing.Tombstone && *r.OnDelete != syncing.Delete {
		f.Add("enum", "must be ignore, tombstone or delete", "delete_policy")
	}
	if r.Status != nil && *r.Status != syncing.Active && *r.Status != syncing.Suspended {
		f.Add("enum", "can be set to ACTIVE or SUSPENDED only", "status")
	}
	checkSchedule(sy, r, f)
}

// checkSchedule looks at what the schedule and its zone will be together. One
// that is taken away takes its zone with it.
func checkSchedule(sy *syncing.Sync, r Settings, f errs.Fields) {
	expr, zone := sy.Schedule, sy.TimeZone
	if r.Schedule != nil {
		expr = *r.Schedule
	}
	switch {
	case r.TimeZone != nil:
		zone = *r.TimeZone
	case expr == "":
		zone = ""
	}
	syncing.ValidateSchedule(expr, zone, f)
}

func between(f errs.Fields, v *int, low, high int, name string) {
	switch {
	case v == nil:
	case *v < low:
		f.Add("greater_than_equal", "must be at least "+itoa(low), name)
	case *v > high:
		f.Add("less_than_equal", "must be at most "+itoa(high), name)
	}
}
