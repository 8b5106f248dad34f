package engine

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"mooring/internal/errs"
	"mooring/internal/store"
	"mooring/internal/syncing"
)

// crew works the shards of a pass in this process, some at once, beside the crews
// of other processes. Each shard is worked under a lease of its own. The crew of
// the process that has the run waits until every shard has ended, whoever works
// it; one that helps ends when there is none left to be taken.
type crew struct {
	r     *runner
	ctx   context.Context
	group *errgroup.Group
	over  chan struct{} // a shard is worked no more

	mu   sync.Mutex
	mine map[string]bool // the shards being worked here
}

// crewPoll is the time between two looks at shards that other processes work.
const crewPoll = 500 * time.Millisecond

// workShards works every shard of the enumeration that has not ended. It returns
// the first error that concerns the run.
func (r *runner) workShards(ctx context.Context) error {
	if err := r.invite(ctx); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	c := &crew{r: r, ctx: ctx, group: group, over: make(chan struct{}, 1), mine: map[string]bool{}}
	group.Go(c.lead)
	return phaseError(ctx, group)
}

// lead takes shards until none is left.
func (c *crew) lead() error {
	poll := time.NewTicker(crewPoll)
	defer poll.Stop()
	for !c.r.cut.Load() {
		left, err := c.take()
		if err != nil || left == 0 {
			return err
		}
		if c.r.helping && c.working() == 0 {
			return nil
		}
		select {
		case <-c.ctx.Done():
			return context.Cause(c.ctx)
		case <-c.over:
		case <-poll.C:
		}
		if err := c.r.stillRuns(c.ctx); err != nil {
			return err
		}
	}
	return nil
}

// take begins to work on shards, as far as there is room and nobody else does. It
// returns how many have not ended.
func (c *crew) take() (left int, err error) {
	docs, err := c.r.Store.Shards().OfPass(c.ctx, c.r.org, c.r.pass.ID)
	if err != nil {
		return 0, err
	}
	for _, d := range docs {
		if !isEnumeration(d) || d.Ended {
			continue
		}
		left++
		if !c.enter(d.Name) {
			continue
		}
		claim, err := c.r.claim(c.ctx, d)
		if err != nil {
			c.leave(d.Name)
			if !errs.Is(err, errs.Conflict) {
				return left, err
			}
			c.r.unused.Store(true) // another process may leave something behind
			continue
		}
		c.r.progress.shards.Add(1)
		c.group.Go(func() error {
			listed := sync.OnceFunc(func() { c.r.progress.shards.Add(-1) })
			defer listed()
			err := c.work(claim, d, listed)
			claim.Release()
			c.leave(d.Name)
			if err == nil {
				c.tell()
			}
			return err
		})
	}
	if left == c.working() {
		c.r.progress.enumerated.Store(true)
	}
	return left, nil
}

// claim takes a shard's lease. Shards of all passes of a sync share their names,
// so that leases don't become more and more.
func (r *runner) claim(ctx context.Context, d syncing.Shard) (store.Claim, error) {
	if r.Claims == nil {
		return store.Claim{Lease: r.lease, Context: ctx, Release: func() {}}, nil
	}
	return r.Claims.Claim(ctx, "shard/"+string(d.Sync)+"/"+d.Name)
}

// enter notes that a shard is being worked, unless it is already or too many are.
func (c *crew) enter(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mine[name] || len(c.mine) >= c.r.limits.Shards {
		return false
	}
	c.mine[name] = true
	return true
}

func (c *crew) leave(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.mine, name)
}

func (c *crew) working() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.mine)
}

func (c *crew) tell() {
	select {
	case c.over <- struct{}{}:
	default:
	}
}

// work works a shard until it has ended, or somebody else has taken it: it is
// then theirs, or free at the next look. listed is called once nothing more will
// be found in it.
func (c *crew) work(claim store.Claim, d syncing.Shard, listed func()) error {
	err := c.workClaimed(claim, d, listed)
	if err == nil || c.ctx.Err() != nil {
		return err
	}
	if lost := claim.Context.Err() != nil || c.r.Claims != nil && errors.Is(err, errLost); !lost {
		return err
	}
	c.r.log.Info("a shard was lost to another process", "shard", d.Name, "error", err)
	c.r.unused.Store(true)
	return nil
}

func (c *crew) workClaimed(claim store.Claim, d syncing.Shard, listed func()) error {
	r := c.r
	if r.ready != nil {
		if err := r.ready(); err != nil {
			return err
		}
	}
	d, err := r.takeShard(claim, d)
	if err != nil || d.Ended {
		return err
	}
	group, ctx := errgroup.WithContext(claim.Context)
	sh := r.startShard(ctx, group, d)
	sh.fence = claim.Fence
	group.Go(func() error {
		defer listed()
		return sh.differ(sh.enumerate)
	})
	return phaseError(ctx, group)
}

// takeShard reads a shard anew, now that it is ours: it may have been worked, here
// or elsewhere, since it was listed. What others have appended and not applied is
// applied first, and they can append no more.
func (r *runner) takeShard(claim store.Claim, d syncing.Shard) (syncing.Shard, error) {
	ctx := claim.Context
	d, err := r.Store.Shards().Get(ctx, r.org, d.ID)
	if err != nil || d.Ended || r.Claims == nil {
		return d, err
	}
	next := syncing.RecordID(d.Pass, d.Name, d.Applied+1)
	waiting, err := r.Store.Pages().Pending(ctx, r.org, r.sync.ID, syncing.RecordID(d.Pass, d.Name, d.Applied), 1)
	if err != nil || !claim.Taken && (len(waiting) == 0 || waiting[0].ID != next) {
		return d, err
	}
	if err := r.fenceShard(ctx, d, r.run.ID); err != nil {
		return d, err
	}
	err = r.redo(ctx, func(rec *syncing.Record) bool { return rec.Pass == d.Pass && rec.Shard == d.Name })
	if err != nil {
		return d, err
	}
	return r.Store.Shards().Get(ctx, r.org, d.ID)
}

// invite lets other processes work on the shards of the pass.
func (r *runner) invite(ctx context.Context) error {
	if r.Claims == nil || len(r.pass.Bounds) == 0 || r.sync.MaxObjectsPerRun > 0 {
		return nil
	}
	r.opened = true
	return r.minePass(ctx, func(p *syncing.Pass) error {
		p.Open = r.run.ID
		return nil
	})
}

// dismiss ends that. What others have appended is applied, and they can append no
// more: the ledger of the run is complete.
func (r *runner) dismiss(ctx context.Context) error {
	if !r.opened {
		return nil
	}
	err := r.minePass(ctx, func(p *syncing.Pass) error {
		p.Open = ""
		return nil
	})
	if err != nil {
		return err
	}
	shards, err := r.Store.Shards().OfPass(ctx, r.org, r.pass.ID)
	if err != nil {
		return err
	}
	fenced := false
	for _, s := range shards {
		if isEnumeration(s) && !s.Ended {
			if err := r.fenceShard(ctx, s, r.run.ID); err != nil {
				return err
			}
			fenced = true
		}
	}
	if fenced {
		if err := r.redo(ctx, all); err != nil {
			return err
		}
	}
	r.opened = false
	return nil
}

// stillRuns fails once the run is no longer worked on by its process or, for those
// who help, no longer open to them.
func (r *runner) stillRuns(ctx context.Context) error {
	if r.Claims == nil {
		return nil
	}
	p, err := r.Store.Passes().Get(ctx, r.org, r.pass.ID)
	if errs.Is(err, errs.NotFound) || err == nil && (p.Run != r.run.ID || r.helping && p.Open != r.run.ID) {
		return errLost
	}
	return err
}
