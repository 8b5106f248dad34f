// Package service verifies and prunes audit trails.
package service

import (
	"context"
	"time"

	"mooring/internal/audit"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store"
)

// Trails are the audit trails of a store. It is safe for concurrent use.
type Trails struct {
	Audit store.Audit
	Chain *audit.Chain
	Now   func() time.Time
}

// page is how many entries are read, or pruned, at once.
const page = 500

// Verdict is what a verification found.
type Verdict struct {
	Head     audit.Head // the trail's end
	Verified int64      // entries
	Pruned   int64      // entries that retention removed, which a signed checkpoint stands for
}

// Verify goes along an organization's whole trail. kept is a head that was kept
// elsewhere, zero for none. errs.Corrupt names the first entry that is not what
// it was, or that the trail's end is missing.
func (t *Trails) Verify(ctx context.Context, org id.Org, kept audit.Head) (out Verdict, err error) {
	// The checkpoint is read again afterwards: retention may prune meanwhile.
	for range 3 {
		var p *audit.Checkpoint
		if p, err = t.Audit.Checkpoint(ctx, org); err != nil {
			return out, err
		}
		if out, err = t.verify(ctx, org, p, kept); err == nil || !errs.Is(err, errs.Corrupt) {
			return out, err
		}
		now, failed := t.Audit.Checkpoint(ctx, org)
		if failed != nil || now == nil || p != nil && now.Sequence == p.Sequence {
			return out, err
		}
	}
	return out, err
}

func (t *Trails) verify(ctx context.Context, org id.Org, p *audit.Checkpoint, kept audit.Head) (out Verdict, err error) {
	v, err := t.Chain.Verify(org, p, kept)
	if err != nil {
		return out, err
	}
	if p != nil {
		out.Pruned = p.Sequence
	}
	for after := out.Pruned; ; {
		list, err := t.Audit.Scan(ctx, org, after, page)
		if err != nil {
			return out, err
		}
		for _, e := range list {
			if err := v.Next(e); err != nil {
				return out, err
			}
			after = e.Sequence
		}
		if len(list) < page {
			break
		}
	}
	out.Head, out.Verified, err = v.End()
	return out, err
}

// Head returns the end of an organization's trail, to be kept elsewhere; zero
// while the trail is empty.
func (t *Trails) Head(ctx context.Context, org id.Org) (audit.Head, error) {
	e, err := t.Audit.Last(ctx, org)
	if errs.Is(err, errs.NotFound) {
		return audit.Head{}, nil
	}
	return audit.Head{Sequence: e.Sequence, MAC: e.MAC, Time: e.Time}, err
}

// Prune removes what is older than keep and leaves a signed checkpoint in its
// place. Each step removes a part; what is left when ctx ends goes next time.
// errs.Corrupt: what would be removed was changed, so that nothing more is.
func (t *Trails) Prune(ctx context.Context, org id.Org, keep time.Duration) (removed int64, err error) {
	before := t.Now().Add(-keep)
	for {
		n, err := t.prune(ctx, org, before)
		if removed += n; err != nil || n < page {
			return removed, err
		}
	}
}

// prune removes one part. It verifies what it removes: a checkpoint signed over
// entries that somebody changed, or made look old, would make good what they did.
func (t *Trails) prune(ctx context.Context, org id.Org, before time.Time) (n int64, err error) {
	last, err := t.Audit.Last(ctx, org)
	if errs.Is(err, errs.NotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	p, err := t.Audit.Checkpoint(ctx, org)
	if err != nil {
		return 0, err
	}
	v, err := t.Chain.Verify(org, p, audit.Head{})
	if err != nil {
		return 0, err
	}
	list, err := t.Audit.Scan(ctx, org, 0, page)
	if err != nil {
		return 0, err
	}
	for _, e := range list {
		if !e.Time.Before(before) || e.Sequence >= last.Sequence {
			break
		}
		if err := v.Next(e); err != nil {
			return 0, err
		}
		n++
	}
	if n == 0 {
		return 0, nil
	}
	at := list[n-1]
	return n, t.Audit.Prune(ctx, org, t.Chain.Sign(audit.Checkpoint{
		Org: org, Sequence: at.Sequence, MAC: at.MAC, Time: t.Now().UTC().Truncate(time.Millisecond),
	}))
}
