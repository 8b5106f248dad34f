package gdrive

import (
	"context"
	"strings"

	drive "google.golang.org/api/drive/v3"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// What a page of Browse at the top begins with: its own folders and files, then
// the shared drives, then the folders that others share with the account.
const (
	pageDrives = "drives:"
	pageShared = "shared:"
)

// Browse implements driver.Source. path is as in a scope. At the top of a
// connection that is not limited to a shared drive, the shared drives and the
// folders that are shared with the account follow: they are scopes by their ids.
// They come on the same page where there is room: the first page is all that some
// clients ask for, and a service account has nothing of its own.
func (s *source) Browse(ctx context.Context, path, page string, limit int) (driver.Listing, error) {
	limit = max(1, min(limit, pageSize))
	var out driver.Listing
	for {
		l, err := s.browse(ctx, path, page, limit-len(out.Items))
		if err != nil {
			return driver.Listing{}, err
		}
		out.Items, out.Next = append(out.Items, l.Items...), l.Next
		if part := l.Next == pageDrives || l.Next == pageShared; !part || len(out.Items) >= limit {
			return out, nil
		}
		page = l.Next
	}
}

// browse is one page of one of the parts.
func (s *source) browse(ctx context.Context, path, page string, limit int) (driver.Listing, error) {
	t := target{"gdrive.browse", errs.ScopePath}
	top := (path == "" || path == "/") && s.shared == ""
	if token, ok := strings.CutPrefix(page, pageDrives); ok && top {
		return s.browseDrives(ctx, t, token, limit)
	}
	q := query{order: "folder,name", max: limit}
	token, shared := strings.CutPrefix(page, pageShared)
	p := place{}
	if shared && top {
		q.page, q.q = token, "sharedWithMe = true and trashed = false and mimeType = '"+mimeFolder+"'"
	} else {
		var err error
		if p, err = s.place(ctx, t.op, path); err != nil {
			if e := errs.From(err); e.Kind == errs.Invalid && e.Code == "" && e.Err == nil { // the caller's mistake, not the provider's refusal
				return driver.Listing{}, errs.New(errs.Invalid, t.op, e.Msg)
			}
			return driver.Listing{}, err
		}
		shared = false
		q.page, q.drive, q.q = page, p.drive, "trashed = false and "+quote(p.root)+" in parents"
	}
	l, err := s.list(ctx, t, q)
	if err != nil {
		return driver.Listing{}, browsed(err, page)
	}
	named := map[string]int{} // a path that would be that of several folders is that of none
	for _, f := range l.Files {
		if isFolder(f) {
			named[f.Name]++
		}
	}
	var out driver.Listing
	for _, f := range l.Files {
		it := s.browseItem(p, f)
		if !shared && !isShortcut(f) && named[f.Name] < 2 {
			it.Path = under(path, it)
		}
		out.Items = append(out.Items, it)
	}
	switch {
	case l.NextPageToken != "" && shared:
		out.Next = pageShared + l.NextPageToken
	case l.NextPageToken != "":
		out.Next = l.NextPageToken
	case top && !shared:
		out.Next = pageDrives
	}
	return out, nil
}

// browsed makes a page that is not good the caller's to begin anew.
func browsed(err error, page string) error {
	if page != "" && errs.Is(err, errs.CursorExpired) {
		return errs.New(errs.CursorExpired, "gdrive.browse", "the cursor is not one of this listing, or no longer: start again without one")
	}
	return err
}

func (s *source) browseDrives(ctx context.Context, t target, page string, limit int) (driver.Listing, error) {
	l, err := do(ctx, s, t, func(b bearer) (*drive.DriveList, error) {
		c := s.api.Drives.List().PageSize(int64(min(limit, 100))).Fields("nextPageToken,drives(id,name)").Context(ctx)
		if page != "" {
			c.PageToken(page)
		}
		b.on(c)
		return c.Do()
	})
	if err != nil {
		return driver.Listing{}, browsed(err, page)
	}
	out := driver.Listing{Next: pageShared}
	for _, d := range l.Drives {
		out.Items = append(out.Items, driver.Item{ID: d.Id, Path: d.Id, Name: d.Name, Folder: true, Size: -1, MIME: mimeFolder})
	}
	if l.NextPageToken != "" {
		out.Next = pageDrives + l.NextPageToken
	}
	return out, nil
}

// browseItem describes an entry without asking for more: of a shortcut to a folder
// the folder.
func (s *source) browseItem(p place, f *drive.File) driver.Item {
	if isFolder(f) {
		it := p.folderItem(f)
		it.Path = f.Id
		return it
	}
	it := driver.Item{ID: f.Id, Path: f.Id, Name: nameOf(f), Parent: p.rel(parentOf(f)), Size: f.Size, Version: versionOf(f), ModifiedAt: timeOf(f.ModifiedTime), MIME: f.MimeType}
	if native(f) || isShortcut(f) {
		it.Size = -1
	}
	if isShortcut(f) {
		it.MIME = f.ShortcutDetails.TargetMimeType
		if it.MIME == mimeFolder {
			it.ID, it.Path, it.Folder = f.ShortcutDetails.TargetId, f.ShortcutDetails.TargetId, true
		}
	}
	return it
}

// under is the path of an entry where it can be one: below a path, for a name
// without a slash. Else an entry goes by its id.
func under(path string, it driver.Item) string {
	if strings.Contains(it.Name, "/") || path != "" && !strings.HasPrefix(path, "/") {
		return it.ID
	}
	return strings.TrimSuffix(path, "/") + "/" + it.Name
}

// Check implements driver.Source: a token, and what the target needs to be found;
// without one, whom the credentials stand for.
func (s *source) Check(ctx context.Context, path string) (driver.Report, error) {
	if path == "" && s.shared == "" {
		t := target{"gdrive.check", errs.ScopeConnection}
		about, err := do(ctx, s, t, func(b bearer) (*drive.About, error) {
			c := s.api.About.Get().Fields("user(displayName,emailAddress)").Context(ctx)
			b.on(c)
			return c.Do()
		})
		if err != nil {
			return driver.Report{}, err
		}
		if about.User == nil {
			return driver.Report{}, t.failure(errs.Unavailable, "", "the answer is not one of Google Drive")
		}
		return driver.Report{Message: "Google Drive answers as " + about.User.EmailAddress, Details: map[string]any{"account": about.User.EmailAddress}}, nil
	}
	p, err := s.find(ctx, target{"gdrive.check", s.checkScope(path)}, strings.TrimSuffix(path, "/"))
	if err != nil {
		return driver.Report{}, err
	}
	details := map[string]any{"folder": p.root}
	if p.home != "" {
		details["shared_drive"] = p.home
	}
	return driver.Report{Message: "the folder " + p.name + " can be read", Details: details}, nil
}

// checkScope is what fails when a check finds nothing: without a target, the drive
// of the configuration.
func (s *source) checkScope(path string) errs.Scope {
	if path == "" {
		return errs.ScopeConnection
	}
	return errs.ScopePath
}
