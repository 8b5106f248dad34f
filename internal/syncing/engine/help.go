package engine

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	"mooring/internal/bucket"
	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/syncing"
)

// Help works on shards of a run that another process executes, until none is left
// to be taken. That process alone judges, deletes and closes: what goes wrong here
// ends the help, and it meets the same.
func (e *Engine) Help(ctx context.Context, org id.Org, s id.Sync, w id.Worker) error {
	r := &runner{
		Engine: e, org: org, worker: w, helping: true, limits: e.Limits.withDefaults(), folders: map[string]string{},
		log: e.Log.With("sync", string(s), "organization", string(org), "helper", string(w)),
	}
	if open, err := r.loadOpen(ctx, s); err != nil || !open {
		return err
	}
	defer func() {
		if r.src != nil {
			_ = r.src.Close()
		}
	}()
	r.ready = sync.OnceValue(func() error { return r.prepare(ctx) })
	group, phase := errgroup.WithContext(ctx)
	c := &crew{r: r, ctx: phase, group: group, over: make(chan struct{}, 1), mine: map[string]bool{}}
	group.Go(c.lead)
	err := phaseError(phase, group)
	if r.sink == nil {
		return err // nothing was taken
	}
	return r.leaveHelp(ctx, err)
}

// loadOpen reads the run, and whether its process wants help.
func (r *runner) loadOpen(ctx context.Context, s id.Sync) (open bool, err error) {
	if r.Claims == nil {
		return false, nil
	}
	if r.sync, err = r.Store.Syncs().Get(ctx, r.org, s); err != nil {
		return false, err
	}
	if r.sync.CurrentRun == "" || r.sync.CurrentPass == "" || r.sync.DeletedAt != nil {
		return false, nil
	}
	r.pass, err = r.Store.Passes().Get(ctx, r.org, r.sync.CurrentPass)
	if errs.Is(err, errs.NotFound) {
		return false, nil
	}
	if err != nil || r.pass.State != syncing.Enumerating || r.pass.Open != r.sync.CurrentRun || r.pass.Run != r.sync.CurrentRun {
		return false, err
	}
	r.run, err = r.Store.Runs().Get(ctx, r.org, r.sync.CurrentRun)
	r.log = r.log.With("run", string(r.run.ID))
	return err == nil && r.run.Status == syncing.RunInProgress, err
}

// prepare opens what is worked with, once there is work.
func (r *runner) prepare(ctx context.Context) (err error) {
	if r.bucket, err = r.Store.Buckets().Get(ctx, r.org, r.sync.Bucket); err != nil {
		return err
	}
	if r.conn, err = r.Store.Connections().Get(ctx, r.org, r.sync.Connection); err != nil {
		return err
	}
	if r.conn.Status != connection.Active || r.bucket.Status != bucket.Active {
		return ErrConnectionNotActive
	}
	dest, err := r.Sinks(ctx, r.bucket)
	if err != nil {
		return ours(err, "opening the destination failed")
	}
	if err := r.connect(ctx); err != nil {
		return err
	}
	r.sink = dest
	return nil
}

// leaveHelp makes durable what was applied, and takes away what was staged in vain.
// A record that could not be applied is, by whoever takes its shard.
func (r *runner) leaveHelp(ctx context.Context, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finalGrace)
	defer cancel()
	if flushErr := r.flush(ctx); flushErr != nil {
		r.log.Warn("records of a run that was helped wait for the next one to drop them", "error", flushErr)
		return err
	}
	if !r.waiting && (err != nil || r.unused.Load()) {
		r.sweepOwn(ctx)
	}
	return err
}
