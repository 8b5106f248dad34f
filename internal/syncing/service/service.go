// Package service creates syncs and steers them: pause, resume, trigger, runs,
// dead letters. The engine executes what it sets.
package service

import (
	"context"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

	"mooring/internal/audit"
	"mooring/internal/bucket"
	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store"
	"mooring/internal/syncing"
)

// Service is safe for concurrent use.
type Service struct {
	Store store.Store
	Now   func() time.Time
	Wake  func()        // looks at the due queue now; nil where no worker is in this process
	Stop  func(id.Sync) // interrupts a run in this process; nil likewise
	Log   *slog.Logger  // hears what nobody waits for; nil: nobody does
}

// Defaults of a sync.
const (
	DefaultPolling          = 300
	DefaultBatch            = 50
	DefaultMaxObjects       = 100_000
	DefaultMaxDeletePercent = 20
	maxMetadata             = 50
)

// Settings are the changeable parts of a sync; nil leaves one as it is (on
// creation: its default).
type Settings struct {
	Description      *string
	Metadata         map[string]any
	Polling          *int
	Schedule         *string // cron; "" goes back to polling
	TimeZone         *string
	Batch            *int
	SkipBatch        *bool
	Mapping          *syncing.Mapping // validated by syncing.DecodeMapping
	OnDelete         *syncing.DeletePolicy
	MaxDeletePercent *int
	MaxObjects       *int64
	Status           *syncing.Status
	IsActive         *bool
}

// CreateRequest is what a sync is made of.
type CreateRequest struct {
	Connection id.Connection
	SourcePath string
	Mode       syncing.Mode
	Filters    *syncing.Filters
	CreatedBy  id.User // on whose behalf; "" is the actor
	Settings
}

// Draft is the sync that Create would make, checked as there and not stored.
func (s *Service) Draft(ctx context.Context, org id.Org, actor audit.Actor, b bucket.Bucket, r CreateRequest) (syncing.Sync, error) {
	conn, err := s.Store.Connections().Get(ctx, org, r.Connection)
	if err != nil {
		return syncing.Sync{}, errs.Wrap(err, errs.NotFound, "sync.create", "there is no connection "+string(r.Connection))
	}
	if conn.Status == connection.Archived {
		return syncing.Sync{}, errs.New(errs.Conflict, "sync.create", "the connection is ARCHIVED and can't be used: create another one")
	}
	now := s.now()
	sy := syncing.Sync{
		ID: id.NewSync(), Org: org, Namespace: b.Namespace, Bucket: b.ID, Connection: conn.ID, Provider: conn.Provider,
		SourcePath: r.SourcePath, Mode: r.Mode, Metadata: map[string]any{}, Filters: r.Filters,
		PollingSeconds: DefaultPolling, BatchSize: DefaultBatch, OnDelete: syncing.Ignore, MaxDeletePercent: DefaultMaxDeletePercent,
		MaxObjectsPerRun: DefaultMaxObjects, Status: syncing.Pending, NextSyncAt: &now, CreatedAt: now, UpdatedAt: now, CreatedBy: string(r.CreatedBy),
	}
	if sy.CreatedBy == "" {
		sy.CreatedBy = actor.ID
	}
	r.Status, r.IsActive = nil, nil // a new sync is PENDING
	if err := s.apply(&sy, r.Settings, actor, now); err != nil {
		return sy, err
	}
	return sy, s.overlap(ctx, sy)
}

// Create makes a sync, due at once.
func (s *Service) Create(ctx context.Context, org id.Org, actor audit.Actor, b bucket.Bucket, r CreateRequest) (syncing.Sync, error) {
	sy, err := s.Draft(ctx, org, actor, b, r)
	if err != nil {
		return sy, err
	}
	note(&sy, sy.CreatedAt, actor, map[string]any{"created": true, "source_path": sy.SourcePath, "connection_id": string(sy.Connection)})
	created, err := s.Store.Syncs().Insert(ctx, org, sy)
	if err != nil {
		return sy, err
	}
	// A second request may have passed the same check meanwhile: the later one yields.
	if err := s.overlap(ctx, created); err != nil {
		_ = s.Store.Syncs().Remove(context.WithoutCancel(ctx), org, created.ID)
		return sy, err
	}
	s.wake()
	return created, nil
}

// overlap refuses a source path that contains or lies within that of another
// sync of the same connection in the same bucket.
func (s *Service) overlap(ctx context.Context, sy syncing.Sync) error {
	page := store.Page{Limit: 1000}
	for {
		list, err := s.Store.Syncs().List(ctx, sy.Org, syncing.Filter{Bucket: sy.Bucket, Connection: sy.Connection}, page)
		if err != nil {
			return err
		}
		for _, o := range list.Items {
			if o.ID != sy.ID && within(o.SourcePath, sy.SourcePath) {
				return errs.New(errs.Conflict, "sync.create", "the source path overlaps that of "+string(o.ID)+" ("+o.SourcePath+") of the same connection in this bucket: choose another path or another bucket")
			}
		}
		if list.Next == "" {
			return nil
		}
		page.Cursor = list.Next
	}
}

func within(a, b string) bool {
	a, b = strings.Trim(a, "/")+"/", strings.Trim(b, "/")+"/"
	return a == "/" || b == "/" || strings.HasPrefix(a, b) || strings.HasPrefix(b, a)
}

// Get finds a sync of a bucket.
func (s *Service) Get(ctx context.Context, org id.Org, b id.Bucket, sid id.Sync) (syncing.Sync, error) {
	sy, err := s.Store.Syncs().Get(ctx, org, sid)
	if err == nil && (sy.Bucket != b || sy.DeletedAt != nil) {
		err = errs.New(errs.NotFound, "sync.get", "there is no sync "+string(sid)+" in this bucket")
	}
	return sy, err
}

// change updates a sync of a bucket that is not deleted.
func (s *Service) change(ctx context.Context, org id.Org, b id.Bucket, sid id.Sync, f func(*syncing.Sync, time.Time) error) (syncing.Sync, error) {
	if _, err := s.Get(ctx, org, b, sid); err != nil {
		return syncing.Sync{}, err
	}
	return s.Store.Syncs().Update(ctx, org, sid, func(sy *syncing.Sync) error {
		if sy.DeletedAt != nil {
			return errs.New(errs.NotFound, "sync.update", "there is no sync "+string(sid)+" in this bucket")
		}
		return f(sy, s.now())
	})
}

// Update changes settings; they take effect with the next run.
func (s *Service) Update(ctx context.Context, org id.Org, actor audit.Actor, b id.Bucket, sid id.Sync, r Settings) (syncing.Sync, error) {
	sy, err := s.change(ctx, org, b, sid, func(sy *syncing.Sync, now time.Time) error { return s.apply(sy, r, actor, now) })
	if err == nil {
		s.wake()
	}
	return sy, err
}

// Pause lets a run under way finish and starts no new one. Pausing a paused
// sync changes nothing.
func (s *Service) Pause(ctx context.Context, org id.Org, actor audit.Actor, b id.Bucket, sid id.Sync, reason string) (syncing.Sync, error) {
	return s.change(ctx, org, b, sid, func(sy *syncing.Sync, now time.Time) error {
		if sy.Paused {
			return nil
		}
		note(sy, now, actor, map[string]any{"paused": true})
		return sy.Pause(now, actor.ID, reason)
	})
}

// Resume ends a pause; the next run goes on where the last one stopped.
func (s *Service) Resume(ctx context.Context, org id.Org, actor audit.Actor, b id.Bucket, sid id.Sync) (syncing.Sync, error) {
	sy, err := s.change(ctx, org, b, sid, func(sy *syncing.Sync, now time.Time) error {
		if !sy.Paused && sy.IsActive() {
			return nil
		}
		note(sy, now, actor, map[string]any{"paused": false})
		return sy.Resume(now)
	})
	if err == nil {
		s.wake()
	}
	return sy, err
}

// Trigger asks for a run now. It is a Conflict while one is under way.
func (s *Service) Trigger(ctx context.Context, org id.Org, actor audit.Actor, b id.Bucket, sid id.Sync) (syncing.Sync, error) {
	before, err := s.Get(ctx, org, b, sid)
	if err != nil {
		return before, err
	}
	if before.CurrentRun != "" {
		run, err := s.Store.Runs().Get(ctx, org, before.CurrentRun)
		if err == nil && run.Status == syncing.RunInProgress {
			return before, errs.New(errs.Conflict, "sync.trigger", "run "+string(run.ID)+" of this sync is under way")
		}
	}
	if err := s.connected(ctx, before); err != nil {
		return before, err
	}
	sy, err := s.change(ctx, org, b, sid, func(sy *syncing.Sync, now time.Time) error {
		note(sy, now, actor, map[string]any{"triggered": true})
		return sy.Trigger(now)
	})
	if err == nil {
		s.wake()
	}
	return sy, err
}

// connected refuses a run that could not begin.
func (s *Service) connected(ctx context.Context, sy syncing.Sync) error {
	conn, err := s.Store.Connections().Get(ctx, sy.Org, sy.Connection)
	if err != nil || conn.Status == connection.Active {
		return err
	}
	remedy := map[connection.Status]string{
		connection.Suspended: "resume it first", connection.Archived: "make a sync of another connection",
		connection.Failed: "test it, or correct its provider_config; the sync runs by itself once it is ACTIVE",
	}[conn.Status]
	return errs.New(errs.Conflict, "sync.trigger", "connection "+string(conn.ID)+" of this sync is "+string(conn.Status)+" and can't be used: "+remedy)
}

// Awaken makes the syncs of a connection that has become ACTIVE due that waited
// for it.
func (s *Service) Awaken(ctx context.Context, org id.Org, conn id.Connection) {
	page := store.Page{Limit: 1000}
	for {
		list, err := s.Store.Syncs().List(ctx, org, syncing.Filter{Connection: conn}, page)
		for _, sy := range list.Items {
			if err == nil {
				_, err = s.Store.Syncs().Update(ctx, org, sy.ID, func(sy *syncing.Sync) error {
					sy.Awaken(s.now())
					return nil
				})
			}
		}
		if err != nil && s.Log != nil {
			s.Log.Warn("syncs of an active connection wait for their next time", "connection", conn, "error", err)
		}
		if page.Cursor = list.Next; err != nil || page.Cursor == "" {
			break
		}
	}
	s.wake()
}

// Delete ends a sync: a run under way stops at its next step, its rows are
// removed by a worker, what it brought stays in the bucket.
func (s *Service) Delete(ctx context.Context, org id.Org, actor audit.Actor, b id.Bucket, sid id.Sync) error {
	_, err := s.change(ctx, org, b, sid, func(sy *syncing.Sync, now time.Time) error {
		sy.DeletedAt, sy.NextSyncAt, sy.UpdatedAt, sy.TriggerDone = &now, nil, now, sy.Triggered
		note(sy, now, actor, map[string]any{"deleted": true})
		return nil
	})
	if err == nil && s.Stop != nil {
		s.Stop(sid)
	}
	return err
}

// note records a change of a sync as one of its bucket: the contract has no
// audit action for syncs.
func note(sy *syncing.Sync, at time.Time, by audit.Actor, changes map[string]any) {
	changes["sync_config_id"] = string(sy.ID)
	sy.Outbox.Note(at, by, audit.BucketUpdated, audit.Bucket, string(sy.Bucket), true, changes)
}

func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }

func (s *Service) wake() {
	if s.Wake != nil {
		s.Wake()
	}
}

func tooLong(s *string, limit int) bool { return s != nil && utf8.RuneCountInString(*s) > limit }
