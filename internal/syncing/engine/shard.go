package engine

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
	"mooring/internal/syncing"
)

// shard is one part of a pass being worked. Three stages work at once, each on
// another batch: a differ finds what there is to do, a feeder starts transfers
// as the pool allows, a committer waits for them and commits in order.
type shard struct {
	r     *runner
	begin syncing.Shard // as it was when the run came to it; the differ reads it
	doc   syncing.Shard // as of the last commit; the committer's
	fence int64         // of the lease held
	scope driver.Scope
	ctx   context.Context // of the phase: ends with the first error
	group *errgroup.Group
	fed   chan *batch // differ to feeder
	ready chan *batch // feeder to committer
	last  *batch      // sent last; the differ's
}

// phaseError waits for a phase. What first went wrong is its error, not the
// cancellation that followed from it.
func phaseError(ctx context.Context, group *errgroup.Group) error {
	err := group.Wait()
	if cause := context.Cause(ctx); errs.Is(err, errs.Canceled) && cause != nil && !errs.Is(cause, errs.Canceled) {
		return cause
	}
	return err
}

// startShard starts the feeder and the committer of a shard.
func (r *runner) startShard(ctx context.Context, group *errgroup.Group, d syncing.Shard) *shard {
	sh := &shard{r: r, begin: d, doc: d, fence: r.lease.Fence, scope: r.scope(), ctx: ctx, group: group, fed: make(chan *batch), ready: make(chan *batch)}
	sh.scope.From, sh.scope.To = d.From, d.To
	group.Go(sh.feed)
	group.Go(sh.commit)
	return sh
}

// differ runs a function that sends batches, and ends the stages after it.
func (sh *shard) differ(find func() error) error {
	defer close(sh.fed)
	return find()
}

// send hands a batch to the feeder.
func (sh *shard) send(b *batch) error {
	sh.last = b
	select {
	case sh.fed <- b:
		return nil
	case <-sh.ctx.Done():
		return context.Cause(sh.ctx)
	}
}

// barrier waits until everything sent is committed.
func (sh *shard) barrier() error {
	if sh.last == nil {
		return nil
	}
	select {
	case <-sh.last.over:
		return nil
	case <-sh.ctx.Done():
		return context.Cause(sh.ctx)
	}
}

// feed starts the work of each batch, then passes it on.
func (sh *shard) feed() error {
	defer close(sh.ready)
	for b := range sh.fed {
		if err := sh.start(b); err != nil {
			return err
		}
		select {
		case sh.ready <- b:
		case <-sh.ctx.Done():
			return context.Cause(sh.ctx)
		}
	}
	return nil
}

// start begins everything in a batch that needs the source.
func (sh *shard) start(b *batch) error {
	for _, w := range b.works {
		if w.outcome != "" || w.act != transferred && w.act != updated {
			continue
		}
		p, err := sh.r.pool.acquire(sh.ctx, w.item.Size)
		if err != nil {
			return err
		}
		b.done.Add(1)
		sh.group.Go(func() error {
			defer b.done.Done()
			err := sh.r.perform(sh.ctx, w, p)
			p.release(err == nil && w.outcome != syncing.FailedItem)
			return err
		})
	}
	return nil
}

// perform does what one work needs of the source.
func (r *runner) perform(ctx context.Context, w *work, p *permit) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if w.act == updated {
		return r.redescribe(ctx, w, p)
	}
	defer r.progress.begin()()
	w.staged = r.stagingName()
	err := r.transfer(ctx, w, p)
	w.item.Inline = nil // staged, or failed
	if err == nil && w.outcome == "" {
		r.dirty.Store(true)
		r.step(StepStaged)
	}
	return err
}

// commit writes batches in the order in which they were found.
func (sh *shard) commit() error {
	for b := range sh.ready {
		b.done.Wait()
		if sh.ctx.Err() != nil {
			return context.Cause(sh.ctx)
		}
		if err := sh.r.commitBatch(sh.ctx, sh, b); err != nil {
			return err
		}
		if err := sh.r.allowed(sh.ctx); err != nil {
			return err
		}
		close(b.over)
	}
	return nil
}

// A staging name says whose it is, so that what is left behind can be swept
// without touching another sync's. No two processes give the same, and none gives
// one twice.
func (r *runner) stagingPrefix() string { return string(r.sync.ID) + "-" + string(r.run.ID) + "-" }

func (r *runner) ownPrefix() string { return r.stagingPrefix() + string(r.worker) + "-" }

func (r *runner) stagingName() string { return fmt.Sprintf("%s%d", r.ownPrefix(), r.staged.Add(1)) }
