package engine

import (
	"context"
	"fmt"

	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/key"
	"mooring/internal/provider/driver"
	"mooring/internal/syncing"
)

// begin inserts the run and lets the sync name it.
func (r *runner) begin(ctx context.Context) error {
	now, before := r.now(), r.sync.CurrentRun
	run, err := r.Store.Runs().Insert(ctx, r.org, syncing.Run{
		ID: r.run.ID, Org: r.org, Sync: r.sync.ID, Bucket: r.bucket.ID, Provider: r.sync.Provider, Pass: r.sync.CurrentPass,
		Number: r.sync.RunCounter + 1, Kind: syncing.KindSync, Status: syncing.RunInProgress, Worker: r.worker, StartedAt: now, UpdatedAt: now,
	})
	if err != nil {
		return err
	}
	r.run = run
	r.log = r.log.With("run", string(run.ID))
	r.step(StepRunInserted)
	s, err := r.Store.Syncs().Update(ctx, r.org, r.sync.ID, func(s *syncing.Sync) error {
		if s.CurrentRun != before {
			return errLost
		}
		return s.Begin(run.ID, now)
	})
	if err != nil {
		_ = r.Store.Runs().Remove(context.WithoutCancel(ctx), r.org, run.ID)
		return err
	}
	r.sync = s
	r.step(StepRunBegun)
	return nil
}

// findPass goes on with the pass under way, or begins one.
func (r *runner) findPass(ctx context.Context) error {
	if r.sync.CurrentPass == "" {
		if err := r.mine(ctx, func(s *syncing.Sync) error {
			s.CurrentPass = id.NewPass()
			s.PassCounter++
			return nil
		}); err != nil {
			return err
		}
		r.step(StepPassNamed)
	}
	p, err := r.Store.Passes().Update(ctx, r.org, r.sync.CurrentPass, func(p *syncing.Pass) error {
		p.Run = r.run.ID
		return nil
	})
	if errs.Is(err, errs.NotFound) {
		p, err = r.newPass(ctx)
	}
	if err != nil {
		return err
	}
	r.pass = p
	r.run, err = r.Store.Runs().Update(ctx, r.org, r.run.ID, func(run *syncing.Run) error {
		run.Pass = p.ID
		return nil
	})
	if err != nil {
		return err
	}
	return r.ensureShards(ctx)
}

// newPass plans a pass: a feed goes on where the last pass ended, anything else
// is enumerated, in parts where the source can tell good ones.
func (r *runner) newPass(ctx context.Context) (syncing.Pass, error) {
	now := r.now()
	p := syncing.Pass{
		ID: r.sync.CurrentPass, Org: r.org, Sync: r.sync.ID, Number: r.sync.PassCounter, State: syncing.Enumerating,
		Feed: r.sync.FeedGoesOn(), Snapshot: !r.sync.FeedGoesOn(), Unordered: r.sync.Unordered, Mapping: r.sync.MappingRevision, View: r.sync.View(), Run: r.run.ID, StartedAt: now, UpdatedAt: now,
	}
	var err error
	if p.Known, err = r.Store.Catalogue().CountSync(ctx, r.org, r.bucket.ID, r.sync.ID); err != nil {
		return p, err
	}
	if parts := r.parts(p); parts > 1 {
		if p.Bounds, err = r.split(ctx, parts); err != nil {
			return p, err
		}
	}
	if p, err = r.Store.Passes().Insert(ctx, r.org, p); err == nil {
		r.begun = true
		r.step(StepPassInserted)
	}
	return p, err
}

// large is how many objects make a source worth to be split for other processes:
// each part costs some requests.
const large = 10_000

// parts says into how many shards an enumeration is split.
func (r *runner) parts(p syncing.Pass) int {
	switch {
	case p.Feed, p.Unordered:
		return 1
	case r.Claims != nil && r.sync.MaxObjectsPerRun <= 0 && (p.Known == 0 || p.Known >= large):
		return r.limits.Parts
	}
	return r.limits.Shards
}

// split asks the source where to divide the scope.
func (r *runner) split(ctx context.Context, into int) ([]key.Key, error) {
	splitter, ok := r.src.Splitter()
	if !ok {
		return nil, nil
	}
	parts, err := patient(ctx, r, func() ([]driver.Scope, error) { return splitter.Split(ctx, r.scope(), into) })
	if err != nil || len(parts) < 2 {
		return nil, err
	}
	var bounds []key.Key
	for i, part := range parts[1:] {
		if part.From == "" || i > 0 && part.From <= bounds[i-1] {
			return nil, errs.New(errs.Internal, "sync.split", "the source gave parts out of order")
		}
		bounds = append(bounds, part.From)
	}
	return bounds, nil
}

// ensureShards inserts the shards that the pass says it has.
func (r *runner) ensureShards(ctx context.Context) error {
	have, err := r.Store.Shards().OfPass(ctx, r.org, r.pass.ID)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, s := range have {
		known[s.Name] = true
	}
	for _, s := range r.plannedShards() {
		if known[s.Name] {
			continue
		}
		if _, err := r.Store.Shards().Insert(ctx, r.org, s); err != nil && !errs.Is(err, errs.AlreadyExists) {
			return err
		}
	}
	return nil
}

// plannedShards follow from the pass alone: its ranges, the retries, and the
// delete phase once it has begun.
func (r *runner) plannedShards() []syncing.Shard {
	names := []string{syncing.RetryShard}
	if r.pass.State == syncing.Deleting {
		names = append(names, syncing.DeleteShard)
	}
	var out []syncing.Shard
	for _, name := range names {
		out = append(out, r.newShard(name))
	}
	from := key.Key("")
	for i := range len(r.pass.Bounds) + 1 {
		s := r.newShard(fmt.Sprintf("%03d", i))
		s.From = from
		if i < len(r.pass.Bounds) {
			s.To = r.pass.Bounds[i]
		}
		from = s.To
		if r.pass.Feed {
			s.Position.Cursor = r.sync.FeedCursor
		}
		out = append(out, s)
	}
	return out
}

func (r *runner) newShard(name string) syncing.Shard {
	return syncing.Shard{
		ID: syncing.ShardID(r.pass.ID, name), Org: r.org, Sync: r.sync.ID, Pass: r.pass.ID, Name: name, UpdatedAt: r.now(),
	}
}

// isEnumeration tells the shards of the enumeration from those beside it.
func isEnumeration(s syncing.Shard) bool {
	return s.Name != syncing.RetryShard && s.Name != syncing.DeleteShard
}
