package gdrive

import (
	"context"
	"slices"

	drive "google.golang.org/api/drive/v3"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// feed gives a page of changes. They are of the whole log: who keeps the index of
// folders decides what they mean for the scope.
func (s *source) feed(ctx context.Context, p place, c cursor) (driver.Page, error) {
	t := target{"gdrive.changes", errs.ScopePath}
	n := &news{s: s, p: p, c: &c, t: t}
	more := true
	for range emptyPages { // a page may have nothing but the place of the next
		l, err := s.changes(ctx, t, &c)
		if err != nil {
			return driver.Page{}, err
		}
		for _, ch := range l.Changes {
			if err := n.drive(ch); err != nil {
				return driver.Page{}, err
			}
		}
		if err := n.tell(ctx, l.Changes); err != nil {
			return driver.Page{}, err
		}
		if more = l.NextPageToken != ""; !more || len(n.out) > 0 {
			break
		}
	}
	return driver.Page{Changes: n.out, Feed: true, More: more, Next: c.encode()}, nil
}

// changes asks for the page that a cursor is at and moves it on.
func (s *source) changes(ctx context.Context, t target, c *cursor) (*drive.ChangeList, error) {
	l, err := do(ctx, s, t, func(b bearer) (*drive.ChangeList, error) {
		q := s.api.Changes.List(c.Page).PageSize(pageSize).Spaces("drive").Fields(changeFields).
			SupportsAllDrives(true).IncludeItemsFromAllDrives(true).IncludeRemoved(true).IncludeCorpusRemovals(true).Context(ctx)
		if c.Drive != "" {
			q.DriveId(c.Drive)
		}
		b.on(q)
		return q.Do()
	})
	switch {
	case errs.Is(err, errs.Stale): // 410
		return nil, t.expired()
	case err != nil:
		return nil, err
	}
	if c.Page = l.NextPageToken; c.Page == "" {
		c.Page = l.NewStartPageToken
	}
	if c.Page == "" {
		return nil, t.failure(errs.Unavailable, "", "the answer is not one of Google Drive")
	}
	return l, nil
}

// news are the changes of a page.
type news struct {
	s   *source
	p   place
	c   *cursor
	t   target
	out []driver.Change
}

// drive looks for the end of the scope itself: that it can no longer be seen is
// no deletion of what is in it.
func (n *news) drive(ch *drive.Change) error {
	if ch.ChangeType == "drive" {
		if ch.Removed && ch.DriveId != "" && ch.DriveId == n.p.home {
			return n.t.failure(errs.NotFound, "driveRemoved", "the shared drive was deleted, or the account of the connection is no longer a member")
		}
		return nil
	}
	if ch.FileId != n.p.root {
		return nil
	}
	n.s.places.drop() // it may have another name now
	if ch.Removed || ch.File == nil {
		return n.t.failure(errs.NotFound, "notFound", "the folder was deleted, or is no longer shared with the account of the connection")
	}
	if ch.File.Trashed {
		return n.t.failure(errs.NotFound, "trashed", "the folder is in the trash: restore it")
	}
	return nil
}

// tell makes changes of files what they are to the scope.
func (n *news) tell(ctx context.Context, list []*drive.Change) error {
	files := make([]*drive.File, len(list))
	for i, ch := range list {
		files[i] = &drive.File{Id: ch.FileId}
		if ch.File == nil || ch.Removed || ch.File.Trashed {
			continue
		}
		if isShortcut(ch.File) {
			inside, err := n.s.inside(ctx, target{n.t.op, errs.ScopeObject}, n.p, ch.File, n.c)
			if err != nil {
				return err
			}
			if !inside { // one that is not followed
				continue
			}
		}
		files[i] = ch.File
	}
	resolved, err := n.s.resolve(ctx, files)
	if err != nil {
		return err
	}
	for i, ch := range list {
		if ch.ChangeType == "drive" || ch.FileId == "" || ch.FileId == n.p.root {
			continue
		}
		if files[i] != ch.File || n.elsewhere(ch.File) {
			err = n.gone(ctx, ch)
		} else {
			err = n.there(ctx, ch.File, resolved[i])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// elsewhere says whether a file is certainly in no folder of the scope.
func (n *news) elsewhere(f *drive.File) bool {
	return len(f.Parents) == 0 || f.DriveId != n.p.home && !slices.ContainsFunc(n.c.Links, func(l link) bool { return l.Folder })
}

// gone tells that a file is not, or no longer, in the scope.
func (n *news) gone(ctx context.Context, ch *drive.Change) error {
	n.s.learn(ch.FileId, ch.File)
	n.out = append(n.out, driver.Change{Gone: true, Item: driver.Item{ID: ch.FileId, Folder: ch.File != nil && isFolder(ch.File)}})
	if err := n.unlink(ctx, ch.FileId); err != nil {
		return err
	}
	return n.again(ctx, ch.FileId)
}

// there tells of a file that exists.
func (n *news) there(ctx context.Context, f, to *drive.File) error {
	n.s.learn(f.Id, f)
	if isShortcut(f) {
		return n.shortcut(ctx, f, to)
	}
	if isFolder(f) && n.c.leads(f.Id) {
		// It stands where its shortcut is, unless it has come into the scope.
		_, inside, err := n.s.above(ctx, target{n.t.op, errs.ScopeObject}, f, func(a string) bool { return a == n.p.root })
		if err != nil {
			return err
		}
		if !inside {
			return n.again(ctx, f.Id)
		}
		for _, l := range n.to(f.Id) {
			n.forget(l.Shortcut)
		}
	}
	it, err := n.s.item(ctx, n.p, f)
	if err != nil {
		return err
	}
	n.out = append(n.out, driver.Change{Item: it})
	return n.again(ctx, f.Id)
}

// shortcut tells of a shortcut that is new or was changed.
func (n *news) shortcut(ctx context.Context, f, to *drive.File) error {
	ch, _, err := n.s.follow(ctx, n.p, f, to, n.c)
	n.out = append(n.out, ch...)
	return err
}

// unlink tells that a folder does not stand any more where a shortcut was that
// is gone, and whether another shortcut to it takes over.
func (n *news) unlink(ctx context.Context, shortcut string) error {
	old, was := n.forget(shortcut)
	if !was || !old.Folder {
		return nil
	}
	n.out = append(n.out, driver.Change{Gone: true, Item: driver.Item{ID: old.Target, Folder: true}})
	return n.heir(ctx, old.Target)
}

// heir looks for another shortcut to a folder.
func (n *news) heir(ctx context.Context, folder string) error {
	l, err := n.s.list(ctx, n.t, query{
		q: "trashed = false and mimeType = '" + mimeShortcut + "' and shortcutDetails.targetId = " + quote(folder), drive: n.p.drive, max: 10,
	})
	if err != nil {
		return err
	}
	for _, f := range l.Files {
		_, inside, err := n.s.above(ctx, target{n.t.op, errs.ScopeObject}, f, func(a string) bool { return a == n.p.root || n.c.leads(a) })
		if err != nil {
			return err
		}
		if inside && isShortcut(f) {
			return n.retell(ctx, f)
		}
	}
	return nil
}

// again tells of the shortcuts to something that has changed.
func (n *news) again(ctx context.Context, changed string) error {
	for _, l := range n.to(changed) {
		f, err := n.s.get(ctx, target{n.t.op, errs.ScopeObject}, l.Shortcut)
		if unseen(err) {
			n.forget(l.Shortcut)
			continue
		}
		if err == nil && (f.Trashed || !isShortcut(f)) {
			continue // it may come back
		}
		if err != nil {
			return err
		}
		if err := n.retell(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

func (n *news) retell(ctx context.Context, f *drive.File) error {
	to, err := n.s.resolve(ctx, []*drive.File{f})
	if err != nil {
		return err
	}
	return n.shortcut(ctx, f, to[0])
}

// to returns the shortcuts to something.
func (n *news) to(changed string) (out []link) {
	for _, l := range n.c.Links {
		if l.Target == changed {
			out = append(out, l)
		}
	}
	return out
}

func (n *news) forget(shortcut string) (link, bool) {
	n.s.links.drop(n.p.path, shortcut)
	return n.c.forget(shortcut)
}
