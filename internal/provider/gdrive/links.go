package gdrive

import (
	"context"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	drive "google.golang.org/api/drive/v3"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// link is a shortcut that was followed. A cursor keeps them, so that a change of
// what they point to is told of them too.
type link struct {
	Shortcut string `json:"s"`
	Target   string `json:"t"`
	Folder   bool   `json:"f,omitempty"` // the target is a folder, which stands where the shortcut is
	Drive    string `json:"d,omitempty"` // the folder is in this drive, not in the scope's
}

const (
	maxLinks = 500 // that a cursor keeps
	atOnce   = 8   // targets asked for at the same time
)

// leads says whether a folder stands where a shortcut to it is.
func (c *cursor) leads(folder string) bool {
	return slices.ContainsFunc(c.Links, func(l link) bool { return l.Folder && l.Target == folder })
}

// forget drops a shortcut and says what it pointed to.
func (c *cursor) forget(shortcut string) (old link, was bool) {
	i := slices.IndexFunc(c.Links, func(l link) bool { return l.Shortcut == shortcut })
	if i < 0 {
		return link{}, false
	}
	old = c.Links[i]
	c.Links = slices.Delete(slices.Clone(c.Links), i, i+1)
	return old, true
}

// links are those that the cursors of a scope keep: Stat and Walk have none.
type links struct {
	mu  sync.Mutex
	all map[string][]link // by the scope's path
}

// remember gives a cursor the links found by a walk meanwhile, and keeps its own.
func (k *links) remember(path string, c *cursor) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, l := range k.all[path] {
		if len(c.Links) < maxLinks && !slices.Contains(c.Links, l) {
			c.Links = append(slices.Clone(c.Links), l)
		}
	}
	k.all[path] = c.Links
}

// drop forgets a shortcut that is gone, or all when "".
func (k *links) drop(path, shortcut string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.all[path] = slices.DeleteFunc(slices.Clone(k.all[path]), func(l link) bool { return shortcut == "" || l.Shortcut == shortcut })
}

// of returns those of a scope; known is false while no cursor of it was seen.
func (k *links) of(path string) (_ []link, known bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	all, known := k.all[path]
	return all, known
}

// linksTo looks for the shortcuts in the scope behind which a file stands: those
// to a folder above it, or to itself if it is one. Those behind other shortcuts
// count too; met holds the folders that were looked at.
func (s *source) linksTo(ctx context.Context, t target, p place, f *drive.File, met map[string]bool) (out []link, _ error) {
	folders, _, err := s.above(ctx, t, f, func(string) bool { return false })
	if err != nil {
		return nil, err
	}
	if isFolder(f) {
		folders = append(folders, f.Id)
	}
	folders = slices.DeleteFunc(folders, func(folder string) bool { return met[folder] })
	for _, folder := range folders {
		met[folder] = true
	}
	for some := range slices.Chunk(folders, groupSize) {
		l, err := s.list(ctx, t, query{
			q: "trashed = false and mimeType = '" + mimeShortcut + "' and " + anyOf("shortcutDetails.targetId = %s", some), drive: p.drive, max: pageSize,
		})
		if err != nil {
			return nil, err
		}
		if l.NextPageToken != "" || l.IncompleteSearch {
			return nil, t.failure(errs.Unavailable, "", "Google Drive does not tell all shortcuts to a folder at once")
		}
		for _, shortcut := range l.Files {
			if !isShortcut(shortcut) {
				continue
			}
			inside, err := s.inside(ctx, t, p, shortcut, &cursor{})
			if err == nil && !inside {
				var behind []link
				behind, err = s.linksTo(ctx, t, p, shortcut, met)
				inside = len(behind) > 0
			}
			if err != nil {
				return nil, err
			}
			if inside {
				out = append(out, link{Shortcut: shortcut.Id, Target: shortcut.ShortcutDetails.TargetId, Folder: true})
			}
		}
	}
	return out, nil
}

// resolve reads what the shortcuts among some files point to: nil where that
// can't be seen, or is in the trash.
func (s *source) resolve(ctx context.Context, files []*drive.File) ([]*drive.File, error) {
	out := make([]*drive.File, len(files))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, f := range files {
		if !isShortcut(f) {
			continue
		}
		group.Go(func() error {
			t, err := s.get(ctx, target{"gdrive.shortcut", errs.ScopeObject}, f.ShortcutDetails.TargetId)
			switch {
			case err == nil && !t.Trashed && !isShortcut(t):
				out[i] = t
			case err != nil && !unseen(err):
				return err
			}
			return nil
		})
	}
	return out, group.Wait()
}

// follow tells of a shortcut. into is the folder that it leads to, which is to be
// walked.
func (s *source) follow(ctx context.Context, p place, f, to *drive.File, c *cursor) (_ []driver.Change, into string, _ error) {
	it := driver.Item{ID: f.Id, Name: nameOf(f), Parent: p.rel(parentOf(f)), Size: -1, Version: "shortcut:" + f.ShortcutDetails.TargetId, ModifiedAt: timeOf(f.ModifiedTime)}
	var err error
	switch {
	case to == nil:
		it.Skip = skipDangling
	case !isFolder(to):
		it, err = s.linked(ctx, p, f, to)
	default:
		it.Skip, err = s.leadsOut(ctx, p, f.Id, to, c)
	}
	if err != nil {
		return nil, "", err
	}
	l := link{Shortcut: f.Id, Target: f.ShortcutDetails.TargetId, Folder: to != nil && isFolder(to)}
	if l.Folder && to.DriveId != p.home {
		if l.Drive = to.DriveId; l.Drive == "" {
			l.Drive = ofAccount
		}
	}
	if it.Skip == skipDangling || it.Skip == "" {
		if !slices.Contains(c.Links, l) && len(c.Links) >= maxLinks {
			it.Skip = skipMany
		} else if !slices.Contains(c.Links, l) {
			c.forget(f.Id)
			c.Links = append(slices.Clone(c.Links), l)
		}
	}
	if it.Skip == "" && l.Folder {
		it = p.folderItem(to)
		it.Name, it.Parent = nameOf(f), p.rel(parentOf(f))
		into = spot(to.Id, l.Drive)
	}
	return []driver.Change{{Item: it}}, into, nil
}

// linked is a shortcut to a file: its own id, name and place, the file's content.
func (s *source) linked(ctx context.Context, p place, f, to *drive.File) (driver.Item, error) {
	it, err := s.item(ctx, p, to)
	if err != nil {
		return it, err
	}
	it.ID, it.Parent, it.Name = f.Id, p.rel(parentOf(f)), nameOf(f)
	if native(to) {
		as, ok, err := s.format(ctx, to.MimeType)
		if err != nil || !ok {
			return it, err
		}
		it.Name = withExt(it.Name, as.ext)
	}
	return it, nil
}

// leadsOut says why a shortcut to a folder is not followed, or "": what is in the
// scope already is not put there twice, and nothing is put into itself.
func (s *source) leadsOut(ctx context.Context, p place, shortcut string, to *drive.File, c *cursor) (skip string, _ error) {
	t := target{"gdrive.shortcut", errs.ScopeObject}
	if to.Id == p.root {
		return skipLoop, nil
	}
	if slices.ContainsFunc(c.Links, func(l link) bool { return l.Folder && l.Target == to.Id && l.Shortcut != shortcut }) {
		return skipTwice, nil
	}
	_, inside, err := s.above(ctx, t, to, func(a string) bool { return a == p.root || c.leads(a) })
	if err != nil || inside {
		return skipInScope, err
	}
	root, err := s.get(ctx, target{"gdrive.shortcut", errs.ScopePath}, p.root)
	if err != nil {
		return "", err
	}
	_, contains, err := s.above(ctx, t, root, func(a string) bool { return a == to.Id })
	if contains {
		return skipLoop, err
	}
	return "", err
}
