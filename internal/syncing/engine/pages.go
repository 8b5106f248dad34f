package engine

import (
	"context"

	"mooring/internal/errs"
	"mooring/internal/key"
	"mooring/internal/provider/driver"
)

// page is a listing's page and where it came from.
type page struct {
	driver.Page
	cursor []byte // that asks for this page again
	err    error
}

// pages gives the pages of an enumeration, reading one ahead while the one
// before is worked on, unless that holds much content itself. Reading ahead asks
// for pages and no more: what a page means is decided when its turn comes, by an
// index that holds the page before.
type pages struct {
	wanted chan struct{} // once for each page
	ch     chan page
	stop   context.CancelFunc
}

// list starts reading at a cursor. Call close when done.
func (r *runner) list(ctx context.Context, scope driver.Scope, cursor []byte) *pages {
	ctx, stop := context.WithCancel(ctx)
	p := &pages{wanted: make(chan struct{}), ch: make(chan page), stop: stop}
	go func() {
		defer close(p.ch)
		for asked := false; ; {
			got := r.ask(ctx, scope, cursor)
			if !asked && !p.isWanted(ctx) {
				return
			}
			large := got.inline() > r.limits.InlineBytes // whoever gets the page lets go of its content
			select {
			case p.ch <- got:
			case <-ctx.Done():
				return
			}
			if got.err != nil || !got.More {
				return
			}
			cursor = got.Next
			if asked = large; asked && !p.isWanted(ctx) {
				return
			}
		}
	}()
	return p
}

// isWanted waits until somebody asks for the next page.
func (p *pages) isWanted(ctx context.Context) bool {
	select {
	case <-p.wanted:
		return true
	case <-ctx.Done():
		return false
	}
}

// inline is how many bytes of content a page holds.
func (p *page) inline() (n int) {
	for i := range p.Changes {
		n += len(p.Changes[i].Item.Inline)
	}
	return n
}

// ask reads one page.
func (r *runner) ask(ctx context.Context, scope driver.Scope, cursor []byte) page {
	got, err := patient(ctx, r, func() (driver.Page, error) { return r.src.Changes(ctx, scope, cursor) })
	if err == nil && got.More && (len(got.Next) == 0 || string(got.Next) == string(cursor)) {
		err = &errs.Error{Kind: errs.Corrupt, Origin: errs.Provider, Scope: errs.ScopePath, Op: "sync.list", Msg: "the listing says that more follows, but not where"}
	}
	return page{Page: got, cursor: cursor, err: err}
}

// next returns the next page. After the last, or an error, don't call it again.
func (p *pages) next(ctx context.Context) (page, error) {
	select {
	case p.wanted <- struct{}{}:
	case <-ctx.Done():
		return page{}, context.Cause(ctx)
	}
	select {
	case got, ok := <-p.ch:
		if !ok {
			return page{}, context.Cause(ctx)
		}
		return got, got.err
	case <-ctx.Done():
		return page{}, context.Cause(ctx)
	}
}

// close ends the reading ahead.
func (p *pages) close() {
	p.stop()
	for range p.ch {
	}
}

// ordered checks that a page's items ascend strictly, after a key and within
// the shard's range, and returns the last.
func ordered(sh *shard, changes []driver.Change, after key.Key) (key.Key, error) {
	for i := range changes {
		k := sourceKey(changes[i].Item.ID)
		if k <= after || k < sh.begin.From || sh.begin.To != "" && k >= sh.begin.To {
			return after, outOfOrder("the listing")
		}
		after = k
	}
	return after, nil
}
