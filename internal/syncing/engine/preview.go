package engine

import (
	"context"

	"mooring/internal/bucket"
	"mooring/internal/id"
	"mooring/internal/key"
	"mooring/internal/provider/driver"
	"mooring/internal/syncing"
)

// Preview is what a sync would do, found by looking at the first pages of its
// source. Nothing is written.
type Preview struct {
	Listed    int64 // items met
	Transfer  int64 // would be downloaded
	Bytes     int64 // of those whose size is known
	Remap     int64 // would be mapped anew or renamed, without a download
	Unchanged int64
	Filtered  map[string]int64 // by rule
	Skipped   map[string]int64 // by reason
	Delete    int64            // known, and absent from what was listed: the policy would apply
	Suspect   string           // why nothing would be deleted, as far as can be told
	Complete  bool             // the whole source was listed; if not, nothing is said of deletions beyond what was seen
	Samples   []Sample
}

// Sample is one item and what would become of it.
type Sample struct {
	SourceID string
	Path     string
	Size     int64
	Outcome  string // "transfer", "remap", "unchanged", "filtered", "skipped" or "delete"
	Reason   string // rule or reason, where there is one
}

// PreviewOptions bound a preview. Zero values stand for the defaults.
type PreviewOptions struct {
	Pages   int // to list at most: 10
	Samples int // of each outcome: 20
}

// Preview lists, filters and compares without writing anything. The sync need
// not be stored: a draft of one can be previewed before it is created. Unlike a
// run it works whatever the state of sync and connection.
func (e *Engine) Preview(ctx context.Context, s syncing.Sync, o PreviewOptions) (Preview, error) {
	r := &runner{Engine: e, org: s.Org, sync: s, limits: e.Limits.withDefaults(), log: e.Log}
	var err error
	if r.bucket, err = e.Store.Buckets().Get(ctx, s.Org, s.Bucket); err != nil {
		return Preview{}, err
	}
	if r.sink, err = e.Sinks(ctx, r.bucket); err != nil {
		return Preview{}, err
	}
	if r.src, err = e.Open(ctx, s.Org, s.Connection); err != nil {
		return Preview{}, err
	}
	defer func() { _ = r.src.Close() }()
	if r.view, err = newView(s, r.bucket); err != nil {
		return Preview{}, err
	}
	p := &previewer{r: r, max: o.Samples, tree: newTree(r), out: Preview{Filtered: map[string]int64{}, Skipped: map[string]int64{}}}
	if p.max <= 0 {
		p.max = 20
	}
	if o.Pages <= 0 {
		o.Pages = 10
	}
	return p.run(ctx, o.Pages)
}

// previewer gathers a preview.
type previewer struct {
	r     *runner
	tree  *tree
	out   Preview
	max   int
	taken map[string]int
	seen  map[id.Object]bool
}

func (p *previewer) run(ctx context.Context, pages int) (Preview, error) {
	p.taken, p.seen = map[string]int{}, map[id.Object]bool{}
	r := p.r
	var cursor driver.Cursor
	if r.sync.FeedGoesOn() {
		cursor = r.sync.FeedCursor
	}
	feed, snapshot, incomplete, ordered := cursor != nil, true, false, true
	var last key.Key
	for n := 0; n < pages; n++ {
		pg := r.ask(ctx, r.scope(), cursor)
		if pg.err != nil {
			return p.out, pg.err
		}
		snapshot, incomplete, ordered = snapshot && pg.Snapshot, incomplete || pg.Incomplete, ordered && pg.Ordered
		if err := p.page(ctx, pg); err != nil {
			return p.out, err
		}
		if n := len(pg.Changes); n > 0 {
			last = sourceKey(pg.Changes[n-1].Item.ID)
		}
		if p.out.Complete = !pg.More; p.out.Complete {
			break
		}
		cursor = pg.Next
	}
	if feed || !snapshot || !ordered && !p.out.Complete {
		return p.out, nil
	}
	if p.out.Complete {
		last = ""
	}
	return p.out, p.absent(ctx, last, incomplete)
}

// page judges the items of one page as a run would.
func (p *previewer) page(ctx context.Context, pg page) error {
	d := &direct{r: p.r, sh: &shard{r: p.r, ctx: ctx}, tree: p.tree}
	if err := d.folders(pg.Changes); err != nil {
		return err
	}
	var trios []trio
	for i := range pg.Changes {
		c := &pg.Changes[i]
		if !c.Item.Folder {
			trios = append(trios, trio{key: sourceKey(c.Item.ID), item: &c.Item, gone: c.Gone, index: i})
		}
	}
	if err := d.lookup(trios); err != nil {
		return err
	}
	if err := p.r.lookAtFiles(ctx, trios); err != nil {
		return err
	}
	for i := range trios {
		p.item(&trios[i])
	}
	return nil
}

func (p *previewer) item(t *trio) {
	p.seen[p.r.objectOf(t.item.ID)] = true
	if t.gone {
		if t.object != nil && t.object.State == bucket.Present {
			p.out.Delete++
			p.sample(Sample{SourceID: t.item.ID, Path: t.object.Path, Size: t.object.Size, Outcome: "delete"})
		}
		return
	}
	p.out.Listed++
	s := Sample{SourceID: t.item.ID, Path: t.path, Size: t.item.Size}
	v := p.r.judgeItem(t)
	s.Reason = v.reason
	switch {
	case v.work && v.act == transferred:
		p.out.Transfer++
		p.out.Bytes += max(t.item.Size, 0)
		s.Outcome = "transfer"
	case v.work:
		p.out.Remap++
		s.Outcome = "remap"
	case v.outcome == syncing.Filtered:
		p.out.Filtered[v.reason]++
		s.Outcome = "filtered"
	case v.outcome == syncing.Skipped:
		p.out.Skipped[v.reason]++
		s.Outcome = "skipped"
	default:
		p.out.Unchanged++
		s.Outcome = "unchanged"
	}
	p.sample(s)
}

func (p *previewer) sample(s Sample) {
	if p.taken[s.Outcome]++; p.taken[s.Outcome] <= p.max {
		p.out.Samples = append(p.out.Samples, s)
	}
}

// absent counts the objects of the sync up to a source id ("": all) that were
// not listed, and judges them as a run would.
func (p *previewer) absent(ctx context.Context, upTo key.Key, incomplete bool) error {
	r := p.r
	to := upTo
	if to != "" {
		to += "\x00"
	}
	var known int64
	for after := key.Key(""); ; {
		list, err := r.Store.Catalogue().Scan(ctx, r.org, r.bucket.ID, r.sync.Connection, after, to, r.limits.ScanRows)
		if err != nil {
			return err
		}
		for _, o := range list {
			after = o.SourceID
			if o.Sync != r.sync.ID || o.State != bucket.Present {
				continue
			}
			if known++; !p.seen[o.ID] {
				p.out.Delete++
				p.sample(Sample{SourceID: string(o.SourceID), Path: o.Path, Size: o.Size, Outcome: "delete"})
			}
		}
		if len(list) < r.limits.ScanRows {
			break
		}
	}
	if p.out.Complete {
		p.out.Suspect = r.suspicion(&syncing.Pass{Known: known, Incomplete: incomplete}, p.out.Delete, p.out.Listed)
	}
	return nil
}
