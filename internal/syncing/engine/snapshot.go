package engine

import (
	"mooring/internal/errs"
	"mooring/internal/key"
	"mooring/internal/provider/driver"
	"mooring/internal/syncing"
)

// enumerate works the shard in the way that its source's pages ask for.
func (sh *shard) enumerate() error {
	r := sh.r
	if r.pass.Unordered {
		return sh.sorted()
	}
	if sh.begin.Position.Index == unseenPhase {
		return sh.newDirect(true).unseen(sh.begin.Position)
	}
	ps := r.list(sh.ctx, sh.scope, sh.begin.Position.Cursor)
	defer ps.close()
	first, err := ps.next(sh.ctx)
	switch {
	case err != nil:
		return err
	case first.Feed || !first.Snapshot:
		return sh.direct(ps, first)
	case !first.Ordered:
		ps.close()
		return sh.sorted()
	}
	return sh.mergeListing(ps, first)
}

// mergeListing merges the pages of an ordered listing as they come.
func (sh *shard) mergeListing(ps *pages, pg page) error {
	m := sh.r.newMerge(sh.ctx, sh)
	var last key.Key // of the listing
	for {
		var err error
		if last, err = ordered(sh, pg.Changes, last); err != nil {
			return err
		}
		if !pg.Ordered {
			return outOfOrder("the listing")
		}
		if pg.Incomplete {
			m.close = false
			if err := sh.r.noteIncomplete(sh.ctx); err != nil {
				return err
			}
		}
		more, err := m.page(beyond(pg.Changes, sh.begin.Position.After), pg.cursor)
		if err != nil {
			return err
		}
		if !more {
			return m.b.cut(m.b.at, false)
		}
		if !pg.More {
			break
		}
		next := syncing.Position{Cursor: pg.Next, After: max(last, m.b.at.After)}
		if err := m.b.cut(next, false); err != nil {
			return err
		}
		if pg, err = ps.next(sh.ctx); err != nil {
			return err
		}
	}
	return m.end(pg.cursor)
}

// end merges what is left of the catalogue, and ends the shard.
func (m *merge) end(cursor []byte) error {
	more, err := m.rest(cursor)
	if err != nil {
		return err
	}
	return m.b.cut(m.b.at, more)
}

// beyond leaves out what an interrupted run has settled. The changes are in
// order.
func beyond(changes []driver.Change, after key.Key) []driver.Change {
	for len(changes) > 0 && sourceKey(changes[0].Item.ID) <= after {
		changes = changes[1:]
	}
	return changes
}

// brokenOrder reports the error of a listing that broke its promise.
func brokenOrder(err error) bool {
	if !errs.Is(err, errs.Corrupt) {
		return false
	}
	code := errs.From(err).Code
	return code == codeOrder || code == driver.CodeListOrder
}
