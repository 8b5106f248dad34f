package gdrive

const changesFrame = "kind,nextPageToken,newStartPageToken,changes"

var (
	changesSchema = schema(changesFrame)
	startSchema   = schema("kind,startPageToken")
)

const changeFrame = "kind,type,changeType,time,removed,fileId,driveId,teamDriveId"

// changeSchemas join what a change may hold and what it holds by default.
func changeSchemas() (all, preset selection) {
	all, preset = schema(changeFrame), schema(changeFrame)
	all["file"], preset["file"] = fileSchema, fileDefault
	all["drive"], preset["drive"] = driveSchema, driveDefault
	all["teamDrive"] = driveSchema
	all, preset = selection{"changes": all}, selection{"changes": preset}
	for name := range changesSchema {
		if name != "changes" {
			all[name], preset[name] = nil, nil
		}
	}
	return all, preset
}

// corpus is whose log is read, and which part of it.
type corpus struct {
	log            *changeLog
	drive          *drive // nil for the log of the user
	include        bool   // what is in shared drives, too
	removed        bool   // what has gone, too
	corpusRemovals bool   // tell of what has gone elsewhere as it is now
	restrictToMine bool
	bound          uint64
	since          int64 // number of the first change that is asked for, on this page or one before
}

// corpus reads whose log a request asks for. The lock is held.
func (x *exchange) corpus(start bool) (c corpus, err error) {
	supports, include, err := x.allDrives()
	if c.include = include; err != nil {
		return c, err
	}
	if c.removed, err = x.flag(true, "includeRemoved"); err != nil {
		return c, err
	}
	if c.corpusRemovals, err = x.flag(false, "includeCorpusRemovals"); err != nil {
		return c, err
	}
	if c.restrictToMine, err = x.flag(false, "restrictToMyDrive"); err != nil {
		return c, err
	}
	if c.drive, err = x.driveCorpus(supports, include || start); err != nil {
		return c, err
	}
	if c.log, c.bound = &x.user.log, bind("changes", x.user.email); c.drive != nil {
		c.log, c.bound = &c.drive.log, bind("changes", c.drive.root.id)
	}
	return c, x.checkSpaces()
}

// startPageToken answers changes.getStartPageToken.
func (x *exchange) startPageToken() error {
	fields, err := x.fields(startSchema, nil)
	if err != nil {
		return err
	}
	x.s.mu.Lock()
	c, err := x.corpus(true)
	token := pageToken{Bound: c.bound, Next: x.s.change + 1}
	x.s.mu.Unlock()
	if err != nil {
		return err
	}
	return x.json(fields.pick(object{"kind": "drive#startPageToken", "startPageToken": token.String()}))
}

// changes answers changes.list.
func (x *exchange) changes() error {
	all, preset := changeSchemas()
	fields, err := x.fields(all, preset)
	if err != nil {
		return err
	}
	size, err := x.pageSize(100, 1000, false)
	if err != nil {
		return err
	}
	if x.query.Get("pageToken") == "" {
		return badParameter("pageToken", "required", "Required parameter: pageToken")
	}
	x.s.mu.Lock()
	page, err := x.changePage(fields, size)
	x.s.mu.Unlock()
	if err != nil {
		return err
	}
	return x.json(fields.pick(page))
}

// changePage renders a page of a log. The lock is held.
func (x *exchange) changePage(fields selection, size int) (object, error) {
	c, err := x.corpus(false)
	if err != nil {
		return nil, err
	}
	from, err := readToken(x.query.Get("pageToken"), c.bound)
	if err != nil {
		return nil, err
	}
	if from.Next > x.s.change+1 {
		return nil, badParameter("pageToken", "invalid", "Invalid Value")
	}
	if c.since = from.First; c.since == 0 {
		c.since = from.Next
	}
	plan := x.plan.list
	var list []object
	last, next := from.Next, int64(0)
	for _, e := range c.log.since(from.Next) {
		change := x.render(c, e, fields.of("changes"))
		if change == nil {
			continue
		}
		if len(list) == size || plan.empty {
			next = e.n
			break
		}
		list = append(list, change)
		last = e.n
	}
	if plan.overlap && next > 0 {
		next = last
	}
	page := object{"kind": "drive#changeList", "changes": plan.reorder(list)}
	if next > 0 && !plan.claimEnd {
		page["nextPageToken"] = pageToken{Bound: c.bound, Next: next, First: c.since}.String()
	} else if plan.empty {
		page["nextPageToken"] = from.String()
	} else {
		page["newStartPageToken"] = pageToken{Bound: c.bound, Next: x.s.change + 1}.String()
	}
	return page, nil
}

// render is an entry of a log as the user sees it now, or nil if there is nothing to
// see.
func (x *exchange) render(c corpus, e entry, fields selection) object {
	if e.item == nil && e.drive == nil {
		return nil // superseded
	}
	out := object{"kind": "drive#change", "time": stamp(e.time), "removed": false}
	if e.drive != nil {
		return x.renderDrive(c, e, fields, out)
	}
	i := e.item
	seen, in := i.seenBy(x.user), i.drive()
	removed := !seen
	switch {
	case c.drive != nil:
		removed = removed || in != c.drive
	case c.restrictToMine && i.root() != x.user.root:
		return nil
	case in != nil && !c.include:
		if e.left < c.since {
			return nil
		}
		removed = true
	}
	if removed && !c.removed {
		return nil
	}
	out["type"], out["changeType"], out["fileId"], out["removed"] = "file", "file", i.id, removed
	if (!removed || c.corpusRemovals && seen) && fields.has("file") {
		out["file"] = x.file(i, fields.of("file"))
	}
	return out
}

// renderDrive is the change of a shared drive: of its name, or of who may use it.
func (x *exchange) renderDrive(c corpus, e entry, fields selection, out object) object {
	d := e.drive
	removed := !d.root.seenBy(x.user)
	if !c.include || c.restrictToMine || removed && !c.removed {
		return nil
	}
	out["type"], out["changeType"], out["removed"] = "drive", "drive", removed
	out["driveId"], out["teamDriveId"] = d.root.id, d.root.id
	if !removed && fields.has("drive") {
		out["drive"] = fields.of("drive").pick(d.resource())
	}
	return out
}
