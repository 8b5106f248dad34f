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
	id, err := s.idOf(ctx, t, path)
	if err != nil {
		return place{}, err
	}
	f, err := s.get(ctx, t, id)
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
	p := place{path: path, root: f.Id, name: f.Name, home: f.DriveId, drive: f.DriveId, whole: id == rootAlias || f.Id == f.DriveId}
	if p.drive != "" && !p.whole {
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

// idOf returns the id of a scope's folder.
func (s *source) idOf(ctx context.Context, t target, path string) (string, error) {
	top := s.shared
	if top == "" {
		top = rootAlias
	}
	switch {
	case path == "":
		return top, nil
	case fileID.MatchString(path):
		return path, nil
	case !strings.HasPrefix(path, "/"):
		return "", t.failure(errs.Invalid, "", "give the id of a folder, or its path from the top, such as /Reports/2026")
	}
	names := strings.Split(strings.Trim(path, "/"), "/")
	if len(names) > maxDepth {
		return "", t.failure(errs.Invalid, "", "the path has too many folders")
	}
	return s.descend(ctx, t, top, names)
}

// maxDepth bounds folders within folders: Drive itself allows 100.
const maxDepth = 200

// descend follows names from a folder on. The folders of a long path are asked
// for at once.
func (s *source) descend(ctx context.Context, t target, top string, names []string) (string, error) {
	var known []*drive.File
	if len(names) > 2 {
		root, err := s.get(ctx, t, top)
		if err != nil {
			return "", err
		}
		l, err := s.list(ctx, t, query{q: "trashed = false and mimeType = '" + mimeFolder + "' and " + anyOf("name = %s", names), drive: s.shared, max: pageSize})
		if err != nil {
			return "", err
		}
		if top = root.Id; l.NextPageToken == "" {
			known = l.Files
		}
	}
	at := top
	for i, name := range names {
		found := known
		if known == nil {
			l, err := s.list(ctx, t, query{
				q: "trashed = false and mimeType = '" + mimeFolder + "' and name = " + quote(name) + " and " + quote(at) + " in parents", drive: s.shared, max: 100,
			})
			if err != nil {
				return "", err
			}
			found = l.Files
		}
		var ids []string
		for _, f := range found {
			if f.Name == name && (known == nil || slices.Contains(f.Parents, at)) {
				ids = append(ids, f.Id)
			}
		}
		switch len(ids) {
		case 0:
			return "", t.failure(errs.NotFound, "notFound", "there is no folder "+strings.Join(names[:i+1], "/")+", or the account of the connection can't see it")
		case 1:
			at = ids[0]
		default:
			ids = ids[:min(len(ids), 10)]
			return "", t.failure(errs.Invalid, "", fmt.Sprintf("several folders are called /%s: give the id of one of them (%s)", strings.Join(names[:i+1], "/"), strings.Join(ids, ", ")))
		}
	}
	return at, nil
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
