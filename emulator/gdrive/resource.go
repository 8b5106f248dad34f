package gdrive

import (
	"fmt"
	"hash/fnv"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// timeFormat is how Drive writes times, always in UTC.
const timeFormat = "2006-01-02T15:04:05.000Z"

func stamp(t time.Time) string { return t.UTC().Format(timeFormat) }

// view is an item as one user sees it.
type view struct {
	*item
	user *user
	base string // URL of the server
}

// fileFields tell what a file resource holds. What gives nil is absent.
var fileFields = map[string]func(view) any{
	"kind":              func(view) any { return "drive#file" },
	"id":                func(v view) any { return v.id },
	"name":              func(v view) any { return v.name },
	"mimeType":          func(v view) any { return v.mime },
	"starred":           func(v view) any { return v.starred },
	"trashed":           func(v view) any { return v.isTrashed() },
	"explicitlyTrashed": func(v view) any { return v.trashed },
	"parents":           view.parents,
	"properties": func(v view) any {
		if len(v.properties) == 0 {
			return nil
		}
		return texts(v.properties)
	},
	"spaces":       func(view) any { return []string{"drive"} },
	"version":      func(v view) any { return strconv.FormatInt(v.version, 10) },
	"createdTime":  func(v view) any { return stamp(v.created) },
	"modifiedTime": func(v view) any { return stamp(v.modified) },
	"webViewLink": func(v view) any {
		return "https://drive.google.com/file/d/" + url.PathEscape(v.id) + "/view?usp=drivesdk"
	},
	"size":           view.storedSize,
	"quotaBytesUsed": view.quota,
	"md5Checksum":    func(v view) any { return v.content(func(c *content) any { return c.sum().md5 }) },
	"sha1Checksum":   func(v view) any { return v.content(func(c *content) any { return c.sum().sha1 }) },
	"sha256Checksum": func(v view) any { return v.content(func(c *content) any { return c.sum().sha256 }) },
	"headRevisionId": func(v view) any { return v.content(func(*content) any { return v.head().id }) },
	"originalFilename": func(v view) any {
		return v.content(func(*content) any { return v.name })
	},
	"fullFileExtension": func(v view) any { return v.content(func(*content) any { return extension(v.name) }) },
	"fileExtension":     func(v view) any { return v.content(func(*content) any { return extension(v.name) }) },
	"webContentLink": func(v view) any {
		return v.content(func(*content) any {
			return "https://drive.google.com/uc?id=" + url.QueryEscape(v.id) + "&export=download"
		})
	},
	"ownedByMe":       func(v view) any { return v.root().home.user == v.user },
	"shared":          view.shared,
	"owners":          view.owners,
	"driveId":         view.driveID,
	"teamDriveId":     view.driveID,
	"capabilities":    view.capabilities,
	"permissions":     view.permissions,
	"permissionIds":   view.permissionIDs,
	"resourceKey":     func(v view) any { return text(v.resourceKey) },
	"shortcutDetails": view.shortcut,
	"exportLinks":     view.exportLinks,
	"viewedByMe":      func(view) any { return false },
	"writersCanShare": func(view) any { return true },
	"isAppAuthorized": func(view) any { return false },
	"sharedWithMeTime": func(v view) any {
		if slices.Contains(v.grants, v.user) {
			return stamp(v.created)
		}
		return nil
	},
}

// Fields of a file that are known but that nothing has here.
const absentFields = "appProperties(*),contentHints,contentRestrictions,copyRequiresWriterPermission,description,downloadRestrictions," +
	"folderColorRgb,hasAugmentedPermissions,hasThumbnail,iconLink,imageMediaMetadata,inheritedPermissionsDisabled,labelInfo," +
	"lastModifyingUser,linkShareMetadata,modifiedByMe,modifiedByMeTime,sharingUser,thumbnailLink,thumbnailVersion,trashedTime," +
	"trashingUser,videoMediaMetadata,viewedByMeTime,viewersCanCopyContent"

const (
	userSchema       = "kind,displayName,photoLink,me,permissionId,emailAddress"
	permissionSchema = "kind,id,type,role,emailAddress,displayName,domain,deleted,allowFileDiscovery,expirationTime,pendingOwner,permissionDetails,photoLink,view"
)

var fileSchema = makeFileSchema()

func makeFileSchema() selection {
	s := schema(absentFields)
	for name := range fileFields {
		s[name] = nil
	}
	s["owners"] = schema(userSchema)
	s["permissions"] = schema(permissionSchema)
	s["properties"] = schema("*")
	s["exportLinks"] = schema("*")
	s["shortcutDetails"] = schema("targetId,targetMimeType,targetResourceKey")
	s["capabilities"] = schema("canDownload,canListChildren,canReadRevisions,canEdit,canCopy,canRename,canTrash,canDelete,canAddChildren,canShare,canComment,canReadDrive")
	return s
}

var fileDefault = schema("kind,id,name,mimeType,driveId,teamDriveId")

// file renders what is selected of an item.
func (x *exchange) file(i *item, s selection) object {
	v := view{i, x.user, x.base()}
	out := make(object, len(s))
	render := func(name string, get func(view) any) {
		if value := get(v); value != nil {
			out[name] = s.of(name).pick(value)
		}
	}
	if _, all := s["*"]; s == nil || all {
		for name, get := range fileFields {
			render(name, get)
		}
		return out
	}
	for name := range s {
		if get, ok := fileFields[name]; ok {
			render(name, get)
		}
	}
	return out
}

// base is the address of the server, as the client knows it if nobody else does.
func (x *exchange) base() string {
	if x.s.URL != "" {
		return x.s.URL
	}
	return "http://" + x.r.Host
}

// text gives a string, or nothing.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func texts(m map[string]string) object {
	out := make(object, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

func extension(name string) any { return text(strings.TrimPrefix(path.Ext(name), ".")) }

// content asks the current content, if there is any.
func (v view) content(get func(*content) any) any {
	if h := v.head(); h != nil {
		return get(h.content)
	}
	return nil
}

// editorSize is what a document of the editors takes, which says nothing about its
// exports.
const editorSize = 1024

func (v view) isEditor() bool {
	return v.mime != mimeFolder && v.mime != mimeShortcut && strings.HasPrefix(v.mime, mimePrefix)
}

func (v view) storedSize() any {
	if v.isEditor() {
		return strconv.Itoa(editorSize)
	}
	return v.content(func(c *content) any { return strconv.FormatInt(c.size, 10) })
}

func (v view) quota() any {
	if size := v.storedSize(); size != nil {
		return size
	}
	return "0"
}

// parents is the folder an item is in, if the user sees it.
func (v view) parents() any {
	if v.parent == nil || !v.parent.seenBy(v.user) {
		return nil
	}
	return []string{v.parent.id}
}

func (v view) driveID() any {
	if d := v.drive(); d != nil {
		return d.root.id
	}
	return nil
}

func (v view) shared() any {
	for i := v.item; i != nil; i = i.parent {
		if len(i.grants) > 0 || i.resourceKey != "" {
			return true
		}
	}
	return v.drive() != nil
}

func (v view) owners() any {
	owner := v.root().home.user
	if owner == nil {
		return nil // the members of a shared drive own nothing
	}
	return []object{person(owner, v.user)}
}

// person is a user as another one sees them.
func person(u, me *user) object {
	name, _, _ := strings.Cut(u.email, "@")
	return object{
		"kind": "drive#user", "displayName": name, "me": u == me, "permissionId": permissionID(u), "emailAddress": u.email,
	}
}

func permissionID(u *user) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(u.email))
	return fmt.Sprintf("%020d", h.Sum64())
}

func (v view) capabilities() any {
	folder := v.mime == mimeFolder
	mine := v.root().home.user == v.user
	return object{
		"canDownload": !folder && !v.undownloadable, "canListChildren": folder, "canReadRevisions": !folder && !v.undownloadable,
		"canEdit": mine, "canCopy": !folder && !v.undownloadable, "canRename": mine, "canTrash": mine, "canDelete": mine,
		"canAddChildren": mine && folder, "canShare": mine, "canComment": mine, "canReadDrive": v.drive() != nil,
	}
}

// access lists who may see the item and as what.
func (v view) access() []object {
	var out []object
	add := func(u *user, role string) {
		name, _, _ := strings.Cut(u.email, "@")
		out = append(out, object{
			"kind": "drive#permission", "id": permissionID(u), "type": "user", "role": role, "emailAddress": u.email,
			"displayName": name, "deleted": false, "pendingOwner": false,
		})
	}
	for i := v.item; i != nil; i = i.parent {
		for _, u := range i.grants {
			add(u, "reader")
		}
	}
	switch home := v.root().home; {
	case home.drive != nil:
		for _, u := range home.drive.members {
			add(u, "organizer")
		}
	default:
		add(home.user, "owner")
	}
	return out
}

// permissions are absent for who can't share the item, and in shared drives.
func (v view) permissions() any {
	if v.root().home.user != v.user {
		return nil
	}
	return v.access()
}

func (v view) permissionIDs() any {
	var out []string
	for _, p := range v.access() {
		out = append(out, p["id"].(string))
	}
	return out
}

func (v view) shortcut() any {
	if v.target == nil {
		return nil
	}
	out := object{"targetId": v.target.id, "targetMimeType": v.target.mime}
	if v.target.key != "" {
		out["targetResourceKey"] = v.target.key
	}
	return out
}

// exportLinks point to this server instead of docs.google.com.
func (v view) exportLinks() any {
	formats := v.formats()
	if len(formats) == 0 {
		return nil
	}
	out := object{}
	for _, f := range formats {
		q := url.Values{"id": {v.id}, "exportFormat": {f}}
		out[f] = v.base + exportPath + "?" + q.Encode()
	}
	return out
}

// formats are what the item can be exported as.
func (i *item) formats() []string {
	out := slices.Clone(exportFormats[i.mime])
	for f := range i.exports {
		if !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	return out
}

// mimeOf guesses a MIME type from a name, the same on every machine.
func mimeOf(name string) string {
	if m, ok := mimeTypes[strings.ToLower(path.Ext(name))]; ok {
		return m
	}
	return "application/octet-stream"
}

var mimeTypes = map[string]string{
	".csv": "text/csv", ".html": "text/html", ".jpeg": "image/jpeg", ".jpg": "image/jpeg", ".json": "application/json",
	".md": "text/markdown", ".mp4": "video/mp4", ".pdf": "application/pdf", ".png": "image/png", ".txt": "text/plain",
	".xml": "text/xml", ".zip": "application/zip",
	".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}
