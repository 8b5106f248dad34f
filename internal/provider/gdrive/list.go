package gdrive

import (
	"context"
	"slices"
	"strings"

	drive "google.golang.org/api/drive/v3"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// Bounds of an enumeration.
const (
	groupSize   = 20      // folders listed by one request
	maxQueue    = 5_000   // folders that a cursor keeps; with more, the drive is listed flat
	maxWalk     = 100_000 // the same of Walk, whose cursor is not stored
	maxRestarts = 20
	emptyPages  = 8 // requests without result before a page is given all the same
)

// Changes implements driver.Source.
func (s *source) Changes(ctx context.Context, scope driver.Scope, cur driver.Cursor) (driver.Page, error) {
	t := target{"gdrive.list", errs.ScopePath}
	p, err := s.place(ctx, t.op, scope.Path)
	if err != nil {
		return driver.Page{}, err
	}
	bound, err := s.bind(ctx, p, t)
	if err != nil {
		return driver.Page{}, err
	}
	var c cursor
	if len(cur) == 0 {
		s.links.drop(p.path, "")
		c, err = s.begin(ctx, t, p, bound)
	} else {
		c, err = t.read(cur, bound)
	}
	if err != nil {
		return driver.Page{}, err
	}
	s.links.remember(p.path, &c)
	if c.Mode == modeFeed {
		return s.feed(ctx, p, c)
	}
	w := &walk{s: s, p: p, c: &c, t: t, page: driver.Page{Snapshot: true, Feed: true}}
	if err := w.step(ctx); err != nil {
		return driver.Page{}, err
	}
	w.page.More = !w.done
	if w.done {
		c = cursor{Bound: bound, Mode: modeFeed, Drive: c.Drive, Page: c.Start, Links: c.Links}
	}
	s.links.remember(p.path, &c)
	w.page.Next = c.encode()
	return w.page, nil
}

// begin takes the start token, before anything is listed.
func (s *source) begin(ctx context.Context, t target, p place, bound string) (cursor, error) {
	start, err := do(ctx, s, t, func(b bearer) (*drive.StartPageToken, error) {
		c := s.api.Changes.GetStartPageToken().SupportsAllDrives(true).Context(ctx)
		if p.drive != "" {
			c.DriveId(p.drive)
		}
		b.on(c)
		return c.Do()
	})
	if err != nil {
		return cursor{}, err
	}
	if start.StartPageToken == "" {
		return cursor{}, t.failure(errs.Unavailable, "", "the answer is not one of Google Drive")
	}
	c := cursor{Bound: bound, Drive: p.drive, Start: start.StartPageToken, Mode: modeWalk, Queue: []string{p.root}}
	if p.whole {
		c.Mode, c.Queue = modeFlat, nil
	}
	return c, nil
}

// Walk implements driver.Walker.
func (s *source) Walk(ctx context.Context, scope driver.Scope, folder string, cur driver.Cursor) (driver.Page, error) {
	t := target{"gdrive.walk", errs.ScopePath}
	p, err := s.place(ctx, t.op, scope.Path)
	if err != nil {
		return driver.Page{}, err
	}
	c := cursor{Bound: folder, Mode: modeWalk, Queue: []string{folder}}
	if len(cur) > 0 {
		if c, err = t.read(cur, folder); err != nil {
			return driver.Page{}, err
		}
	} else {
		it, err := s.Stat(ctx, scope, folder)
		if err != nil {
			return driver.Page{}, err
		}
		if !it.Folder {
			return driver.Page{}, target{t.op, errs.ScopeObject}.failure(errs.NotFound, "", "this is not a folder any more")
		}
	}
	s.links.remember(p.path, &c)
	w := &walk{s: s, p: p, c: &c, t: t, below: true}
	if err := w.step(ctx); err != nil {
		return driver.Page{}, err
	}
	s.links.remember(p.path, &c)
	if w.page.More = !w.done; w.page.More {
		w.page.Next = c.encode()
	}
	return w.page, nil
}

// walk makes one page of an enumeration.
type walk struct {
	s     *source
	p     place
	c     *cursor
	t     target
	below bool // of Walk: there is no falling back to a flat list
	page  driver.Page
	done  bool
}

// step asks until there is something to tell.
func (w *walk) step(ctx context.Context) error {
	for range emptyPages {
		var err error
		if w.c.Mode == modeFlat {
			err = w.flat(ctx)
		} else {
			err = w.folders(ctx)
		}
		if err != nil || w.done || len(w.page.Changes) > 0 {
			return err
		}
	}
	return nil
}

// flat lists a page of the whole drive: the folders first, so that nobody has to
// ask for them when the files come.
func (w *walk) flat(ctx context.Context) error {
	op := "="
	if w.c.Files {
		op = "!="
	}
	l, err := w.list(ctx, query{q: "trashed = false and mimeType " + op + " '" + mimeFolder + "'", mine: w.p.home == ""})
	if err != nil {
		return err
	}
	var found []*drive.File
	for _, f := range l.Files {
		if f.Id == w.p.root || len(f.Parents) == 0 || f.Trashed {
			continue
		}
		if isShortcut(f) { // the others are whose folder the index knows: this one would be followed
			inside, err := w.s.inside(ctx, target{w.t.op, errs.ScopeObject}, w.p, f, w.c)
			if err != nil {
				return err
			}
			if !inside {
				continue
			}
		}
		found = append(found, f)
	}
	if err := w.tell(ctx, found); err != nil {
		return err
	}
	switch {
	case w.c.Page != "":
	case !w.c.Files:
		w.c.Files = true
	case len(w.c.Queue) > 0: // folders that shortcuts point to
		w.c.Mode = modeWalk
	default:
		w.done = true
	}
	return nil
}

// folders lists the children of some folders.
func (w *walk) folders(ctx context.Context) error {
	c := w.c
	if len(c.Group) == 0 {
		c.take()
	}
	if len(c.Group) == 0 {
		w.done = true
		return nil
	}
	l, err := w.list(ctx, query{q: "trashed = false and " + anyOf("%s in parents", c.Group), drive: w.p.corpus(c.In)})
	if errs.Is(err, errs.NotFound) {
		return w.missing(ctx, err)
	}
	if err != nil {
		return err
	}
	var found []*drive.File
	for _, f := range l.Files {
		i := slices.Index(c.Group, parentOf(f))
		if i < 0 || f.Trashed || f.Id == w.p.root {
			continue
		}
		if !slices.Contains(c.Met, i) {
			c.Met = append(c.Met, i)
		}
		found = append(found, f)
	}
	if err := w.tell(ctx, found); err != nil {
		return err
	}
	if c.Page == "" {
		// A list of several folders may wrongly show nothing in some of them.
		if len(c.Group) > 1 {
			for i, f := range c.Group {
				if !slices.Contains(c.Met, i) {
					c.Alone = append(c.Alone, spot(f, c.In))
				}
			}
		}
		c.Group, c.Met = nil, nil
		w.done = len(c.Queue)+len(c.Alone) == 0
	}
	if len(c.Queue)+len(c.Alone) > w.most() {
		return w.giveUp()
	}
	return nil
}

// missing goes on where one of the folders to be listed is not there any more.
func (w *walk) missing(ctx context.Context, err error) error {
	c := w.c
	group := c.Group
	c.Group, c.Met, c.Page = nil, nil, ""
	if len(group) > 1 {
		for _, f := range group {
			c.Alone = append(c.Alone, spot(f, c.In))
		}
		return nil
	}
	// Is it this folder, or can the scope not be seen any more?
	if _, lost := w.s.find(ctx, w.t, w.p.path); lost != nil {
		return lost
	}
	f, gone := w.s.get(ctx, target{w.t.op, errs.ScopeObject}, group[0])
	if !unseen(gone) && (gone != nil || !f.Trashed) {
		return err
	}
	w.done = len(c.Queue)+len(c.Alone) == 0
	return nil
}

// take takes what is to be listed next: of the folders found last, so that few
// wait, those that are in one drive.
func (c *cursor) take() {
	if n := len(c.Alone); n > 0 {
		c.Group, c.Alone = []string{c.Alone[n-1]}, c.Alone[:n-1]
	} else {
		n := len(c.Queue)
		for n > 0 && len(c.Queue)-n < groupSize && driveOf(c.Queue[n-1]) == driveOf(c.Queue[len(c.Queue)-1]) {
			n--
		}
		c.Group, c.Queue = slices.Clone(c.Queue[n:]), c.Queue[:n]
	}
	if len(c.Group) > 0 {
		c.In = driveOf(c.Group[0])
	}
	for i, f := range c.Group {
		c.Group[i], _, _ = strings.Cut(f, "@")
	}
}

// spot is a folder in a queue, with the drive that it is in if that is another
// than the scope's.
func spot(folder, drive string) string {
	if drive == "" {
		return folder
	}
	return folder + "@" + drive
}

func driveOf(spot string) string {
	_, drive, _ := strings.Cut(spot, "@")
	return drive
}

// ofAccount stands for what is in no shared drive.
const ofAccount = "-"

// corpus is where to look for what is in a drive.
func (p place) corpus(drive string) string {
	switch drive {
	case "":
		return p.drive
	case ofAccount:
		return ""
	}
	return drive
}

func (w *walk) most() int {
	if w.below {
		return maxWalk
	}
	return maxQueue
}

// giveUp ends a walk over more folders than a cursor can keep. The drive is listed
// instead, what was told is told again.
func (w *walk) giveUp() error {
	if w.below {
		return w.t.failure(errs.CursorExpired, "", "the folder has too many folders to be walked: all has to be listed anew")
	}
	c := w.c
	c.Mode, c.Page, c.Files, c.Queue, c.Alone, c.Group, c.Met = modeFlat, "", false, nil, nil, nil, nil
	for _, l := range c.Links { // what they point to may be in another drive
		if l.Folder && l.Drive != "" {
			c.Queue = append(c.Queue, spot(l.Target, l.Drive))
		}
	}
	w.done = false
	return nil
}

// list asks for the page that the cursor is at and moves it on. A list whose
// token is no longer good is begun anew.
func (w *walk) list(ctx context.Context, q query) (*drive.FileList, error) {
	q.page, q.max = w.c.Page, pageSize
	if w.c.Mode == modeFlat {
		q.drive = w.p.drive
	}
	l, err := w.s.list(ctx, w.t, q)
	if q.page != "" && errs.Is(err, errs.CursorExpired) && w.c.Restarts < maxRestarts {
		w.c.Restarts++
		q.page = ""
		l, err = w.s.list(ctx, w.t, q)
	}
	if err != nil {
		return nil, err
	}
	w.c.Page = l.NextPageToken
	w.page.Incomplete = w.page.Incomplete || l.IncompleteSearch
	return l, nil
}

// tell adds what was found to the page, and folders to the queue.
func (w *walk) tell(ctx context.Context, found []*drive.File) error {
	resolved, err := w.s.resolve(ctx, found)
	if err != nil {
		return err
	}
	for i, f := range found {
		switch {
		case isShortcut(f):
			ch, into, err := w.s.follow(ctx, w.p, f, resolved[i], w.c)
			if err != nil {
				return err
			}
			w.page.Changes = append(w.page.Changes, ch...)
			if into != "" {
				w.c.Queue = append(w.c.Queue, into)
			}
			continue
		case isFolder(f) && w.c.leads(f.Id):
			continue // it stands where its shortcut is
		case isFolder(f):
			w.s.learn(f.Id, f)
			if w.c.Mode == modeWalk {
				w.c.Queue = append(w.c.Queue, spot(f.Id, w.c.In))
			}
		}
		it, err := w.s.item(ctx, w.p, f)
		if err != nil {
			return err
		}
		w.page.Changes = append(w.page.Changes, driver.Change{Item: it})
	}
	return nil
}
