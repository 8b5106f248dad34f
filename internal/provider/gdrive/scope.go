package gdrive

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	drive "google.golang.org/api/drive/v3"

	"mooring/internal/errs"
)

// place is what a scope is at Google.
type place struct {
	path  string
	root  string // id of the folder
	name  string
	home  string // the shared drive that it is in, "" for My Drive
	drive string // home, "" where the account is no member of it
	whole bool   // the folder is a whole drive
}

// rootAlias names the root of the account's My Drive in requests.
const rootAlias = "root"

var fileID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)

// place finds a scope. What is found is believed for a minute.
func (s *source) place(ctx context.Context, op, path string) (place, error) {
	if path == "/" {
		path = ""
	}
	if p, ok := s.places.get(path, s.now()); ok {
		return p, nil
	}
	return s.find(ctx, target{op, errs.ScopePath}, path)
}

// find finds a scope by asking.
func (s *source) find(ctx context.Context, t target, path string) (place, error) {
	f, err := s.locate(ctx, t, path)
	if err != nil {
		return place{}, err
	}
	if isShortcut(f) {
		if f, err = s.get(ctx, t, f.ShortcutDetails.TargetId); err != nil {
			return place{}, err
		}
	}
	switch {
	case !isFolder(f):
		return place{}, t.failure(errs.Invalid, "", "this is not a folder: give the id or the path of one")
	case f.Trashed:
		return place{}, t.failure(errs.NotFound, "trashed", "the folder is in the trash: restore it")
	case s.shared != "" && f.DriveId != s.shared:
		return place{}, t.failure(errs.NotFound, "", "the folder is not in the shared drive that the connection is limited to")
	}
	top := path == "" || path == rootAlias
	p := place{path: path, root: f.Id, name: f.Name, home: f.DriveId, drive: f.DriveId, whole: top || f.Id == f.DriveId}
	if p.drive != "" && p.drive != s.shared && !p.whole {
		member, err := s.member(ctx, p.drive)
		if err != nil {
			return place{}, err
		}
		if !member {
			p.drive = "" // the folder alone is shared: its changes are in the account's log
		}
	}
	s.places.put(path, p, s.now())
	return p, nil
}

// locate finds the folder of a scope.
func (s *source) locate(ctx context.Context, t target, path string) (*drive.File, error) {
	top := s.shared
	if top == "" {
		top = rootAlias
	}
	names := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case path == "":
		return s.get(ctx, t, top)
	case fileID.MatchString(path):
		return s.get(ctx, t, path)
	case !strings.HasPrefix(path, "/"):
		return nil, t.failure(errs.Invalid, "", "give the id of a folder, or its path from the top, such as /Reports/2026")
	case len(names) > maxDepth:
		return nil, t.failure(errs.Invalid, "", "the path has too many folders")
	case len(names) <= 2:
		return s.descend(ctx, t, top, names, nil)
	}
	// The folders of a long path are asked for at once.
	root, err := s.get(ctx, t, top)
	if err != nil {
		return nil, err
	}
	l, err := s.list(ctx, t, query{q: foldersOnly + " and " + anyOf("name = %s", names), drive: s.shared, mine: s.shared == "", max: pageSize})
	if err != nil {
		return nil, err
	}
	if l.NextPageToken != "" || len(l.Files) == 0 {
		l.Files = nil // there are too many of these names
	}
	return s.descend(ctx, t, root.Id, names, l.Files)
}

const foldersOnly = "trashed = false and mimeType = '" + mimeFolder + "'"

// maxDepth bounds folders within folders: Drive itself allows 100.
const maxDepth = 200

// descend follows names from a folder on, among the folders that are known or,
// where none are, by asking for each.
func (s *source) descend(ctx context.Context, t target, at string, names []string, known []*drive.File) (*drive.File, error) {
	var f *drive.File
	for i, name := range names {
		candidates := known
		if known == nil {
			l, err := s.list(ctx, t, query{q: foldersOnly + " and name = " + quote(name) + " and " + quote(at) + " in parents", drive: s.shared, mine: s.shared == "", max: 100})
			if err != nil {
				return nil, err
			}
			candidates = l.Files
		}
		var found []*drive.File
		var ids []string
		for _, c := range candidates {
			if c.Name == name && (known == nil || parentOf(c) == at) {
				found, ids = append(found, c), append(ids, c.Id)
			}
		}
		so := "/" + strings.Join(names[:i+1], "/")
		switch {
		case len(found) == 0:
			return nil, t.failure(errs.NotFound, "notFound", "there is no folder "+so+", or the account of the connection can't see it")
		case len(found) > 1:
			return nil, t.failure(errs.Invalid, "", fmt.Sprintf("several folders are called %s: give the id of one of them (%s)", so, strings.Join(ids[:min(len(ids), 10)], ", ")))
		}
		f = found[0]
		at = f.Id
	}
	return f, nil
}

// quote writes a string for the query language.
func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// anyOf joins one condition for several values.
func anyOf(format string, values []string) string {
	var all []string
	for _, v := range values {
		if c := fmt.Sprintf(format, quote(v)); !slices.Contains(all, c) {
			all = append(all, c)
		}
	}
	return "(" + strings.Join(all, " or ") + ")"
}

// member says whether the account is a member of a shared drive.
func (s *source) member(ctx context.Context, id string) (bool, error) {
	_, err := do(ctx, s, target{"gdrive.drive", errs.ScopePath}, func(b bearer) (*drive.Drive, error) {
		c := s.api.Drives.Get(id).Fields("id").Context(ctx)
		b.on(c)
		return c.Do()
	})
	if err != nil && errs.ScopeOf(err) == errs.ScopePath && (errs.Is(err, errs.NotFound) || errs.Is(err, errs.PermissionDenied)) {
		return false, nil
	}
	return err == nil, err
}

// get reads one file as it is now.
func (s *source) get(ctx context.Context, t target, id string) (*drive.File, error) {
	if !fileID.MatchString(id) {
		return nil, t.failure(errs.NotFound, "", "this is not the id of anything in Google Drive")
	}
	f, err := do(ctx, s, t, func(b bearer) (*drive.File, error) {
		c := s.api.Files.Get(id).SupportsAllDrives(true).Fields(fileFields).Context(ctx)
		b.on(c)
		return c.Do()
	})
	if err == nil && f.Id == "" {
		return nil, t.failure(errs.Unavailable, "", "the answer is not one of Google Drive")
	}
	return f, err
}

// query is a request for a list of files.
type query struct {
	q, page string
	order   string
	drive   string // the shared drive to look in; "": all that the account can see
	mine    bool   // leave shared drives out
	max     int
}

const pageSize = 1000

// list asks for one page of files.
func (s *source) list(ctx context.Context, t target, q query) (*drive.FileList, error) {
	return do(ctx, s, t, func(b bearer) (*drive.FileList, error) {
		c := s.api.Files.List().Q(q.q).PageSize(int64(q.max)).Spaces("drive").Fields(listFields).
			SupportsAllDrives(true).IncludeItemsFromAllDrives(!q.mine).Context(ctx)
		if q.drive != "" {
			c.Corpora("drive").DriveId(q.drive)
		} else {
			c.Corpora("user")
		}
		if q.page != "" {
			c.PageToken(q.page)
		}
		if q.order != "" {
			c.OrderBy(q.order)
		}
		b.on(c)
		return c.Do()
	})
}
