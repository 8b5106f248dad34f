package gdrive

import (
	"context"
	"slices"
	"strconv"

	drive "google.golang.org/api/drive/v3"
	"google.golang.org/api/googleapi"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// Stat implements driver.Source. What can't be seen is gone only if the scope can
// be seen: that is looked at afterwards.
func (s *source) Stat(ctx context.Context, scope driver.Scope, id string) (driver.Item, error) {
	t := target{"gdrive.stat", errs.ScopeObject}
	p, err := s.place(ctx, t.op, scope.Path)
	if err != nil {
		return driver.Item{}, err
	}
	it, err := s.stat(ctx, t, p, id)
	if errs.Is(err, errs.NotFound) && errs.ScopeOf(err) == errs.ScopeObject {
		if _, lost := s.find(ctx, target{t.op, errs.ScopePath}, p.path); lost != nil {
			return driver.Item{}, lost
		}
	}
	return it, err
}

func (s *source) stat(ctx context.Context, t target, p place, id string) (driver.Item, error) {
	f, err := s.get(ctx, t, id)
	if err != nil {
		return driver.Item{}, err
	}
	if f.Trashed {
		return driver.Item{}, t.failure(errs.NotFound, "trashed", "the item is in the trash")
	}
	c := &cursor{}
	var known bool
	if c.Links, known = s.links.of(p.path); !c.leads(id) {
		inside, err := s.inside(ctx, t, p, f, c)
		if err == nil && !inside && !known { // no page was read yet
			c.Links, err = s.linksTo(ctx, t, p, f, map[string]bool{})
			inside = len(c.Links) > 0
		}
		if err != nil {
			return driver.Item{}, err
		}
		if !inside {
			return driver.Item{}, t.failure(errs.NotFound, "", "the item is not in the scope")
		}
	}
	if isFolder(f) { // one that stands where a shortcut is
		if i := slices.IndexFunc(c.Links, func(l link) bool { return l.Folder && l.Target == id }); i >= 0 {
			return s.statLinked(ctx, t, p, f, c.Links[i].Shortcut)
		}
	}
	if !isShortcut(f) {
		return s.item(ctx, p, f)
	}
	to, err := s.resolve(ctx, []*drive.File{f})
	if err != nil {
		return driver.Item{}, err
	}
	if to[0] != nil && isFolder(to[0]) {
		to[0] = nil // a shortcut to a folder is no item of its own
	}
	ch, _, err := s.follow(ctx, p, f, to[0], c)
	if err != nil {
		return driver.Item{}, err
	}
	return ch[0].Item, nil
}

// inside says whether a file is in the scope, by the folders above it.
func (s *source) inside(ctx context.Context, t target, p place, f *drive.File, c *cursor) (bool, error) {
	if p.whole && p.drive != "" && f.DriveId == p.drive {
		return f.Id != p.root && len(f.Parents) > 0, nil
	}
	_, inside, err := s.above(ctx, t, f, func(a string) bool { return a == p.root || c.leads(a) })
	return inside, err
}

func (s *source) statLinked(ctx context.Context, t target, p place, f *drive.File, shortcut string) (driver.Item, error) {
	at, err := s.get(ctx, t, shortcut)
	if err != nil {
		return driver.Item{}, err
	}
	it := p.folderItem(f)
	it.Name, it.Parent = nameOf(at), p.rel(parentOf(at))
	return it, nil
}

const (
	propertyFields   = ",description,starred,createdTime,webViewLink,properties,appProperties"
	permissionFields = "id,type,role,emailAddress,domain,allowFileDiscovery,expirationTime,deleted"
	maxPermissions   = 1000
)

// Attributes implements driver.Attributer. Properties are the API's by their
// names, those of applications (appProperties, then properties) by their keys,
// and "permissions": a list of documents with type, role and whom they are for.
func (s *source) Attributes(ctx context.Context, item driver.Item, want driver.Want) (driver.Attributes, error) {
	t := target{"gdrive.attributes", errs.ScopeObject}
	f, err := s.content(ctx, t, item.ID, fileFields+propertyFields)
	if err != nil {
		return driver.Attributes{}, err
	}
	out := driver.Attributes{MIME: item.MIME}
	if !want.Properties && !want.Permissions {
		return out, nil
	}
	out.Properties = properties(f)
	if want.Permissions {
		list, err := s.permissions(ctx, t, f)
		if err != nil {
			return out, err
		}
		if list != nil {
			out.Properties["permissions"] = list
		}
	}
	return out, nil
}

func properties(f *drive.File) map[string]any {
	out := map[string]any{}
	for k, v := range f.Properties {
		out[k] = v
	}
	for k, v := range f.AppProperties {
		out[k] = v
	}
	for k, v := range map[string]string{
		"name": f.Name, "mimeType": f.MimeType, "description": f.Description, "createdTime": f.CreatedTime,
		"modifiedTime": f.ModifiedTime, "webViewLink": f.WebViewLink,
	} {
		if delete(out, k); v != "" {
			out[k] = v
		}
	}
	var parents []any
	for _, p := range f.Parents {
		parents = append(parents, p)
	}
	out["starred"], out["trashed"], out["parents"] = f.Starred, f.Trashed, parents
	if delete(out, "size"); !native(f) {
		out["size"] = f.Size
	}
	return out
}

// permissions lists who may see a file; nil where the account may not know, as
// one that only reads often may not.
func (s *source) permissions(ctx context.Context, t target, f *drive.File) ([]any, error) {
	if _, muted := s.muted.Load(f.DriveId); muted && f.DriveId != "" {
		return nil, nil
	}
	out := []any{}
	for page := ""; ; {
		l, err := do(ctx, s, t, func(b bearer) (*drive.PermissionList, error) {
			c := s.api.Permissions.List(f.Id).SupportsAllDrives(true).PageSize(100).
				Fields("nextPageToken,permissions(" + permissionFields + ")").Context(ctx)
			if page != "" {
				c.PageToken(page)
			}
			b.on(c)
			return c.Do()
		})
		if errs.Is(err, errs.PermissionDenied) && errs.ScopeOf(err) == errs.ScopeObject {
			s.muted.Store(f.DriveId, true)
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		for _, p := range l.Permissions {
			if !p.Deleted {
				out = append(out, permission(p))
			}
		}
		if page = l.NextPageToken; page == "" || len(out) >= maxPermissions {
			return out, nil
		}
	}
}

func permission(p *drive.Permission) map[string]any {
	out := map[string]any{}
	for k, v := range map[string]string{
		"id": p.Id, "type": p.Type, "role": p.Role, "emailAddress": p.EmailAddress, "domain": p.Domain, "expirationTime": p.ExpirationTime,
	} {
		if v != "" {
			out[k] = v
		}
	}
	return out
}

// content reads the file whose content an item has: of a shortcut, its target.
func (s *source) content(ctx context.Context, t target, id string, fields googleapi.Field) (*drive.File, error) {
	for range 2 {
		if !fileID.MatchString(id) {
			break
		}
		f, err := do(ctx, s, t, func(b bearer) (*drive.File, error) {
			c := s.api.Files.Get(id).SupportsAllDrives(true).Fields(fields).Context(ctx)
			b.on(c)
			return c.Do()
		})
		if err != nil {
			return nil, err
		}
		if f.Trashed {
			return nil, t.failure(errs.NotFound, "trashed", "the item is in the trash")
		}
		if !isShortcut(f) {
			return f, nil
		}
		id = f.ShortcutDetails.TargetId
	}
	return nil, t.failure(errs.NotFound, "", "there is no such file in Google Drive: "+strconv.Quote(id))
}
