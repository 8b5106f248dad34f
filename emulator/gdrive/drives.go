package gdrive

import (
	"slices"
)

const driveFields = "kind,id,name,createdTime,hidden,capabilities,restrictions,colorRgb,orgUnitId,themeId,backgroundImageLink,backgroundImageFile"

var (
	driveSchema  = schema(driveFields)
	driveDefault = schema("kind,id,name")
)

// resource renders a shared drive.
func (d *drive) resource() object {
	return object{
		"kind": "drive#drive", "id": d.root.id, "name": d.name, "createdTime": stamp(d.created), "hidden": false,
		"capabilities": object{"canListChildren": true, "canDownload": true, "canReadRevisions": true, "canEdit": false},
	}
}

// drive answers drives.get.
func (x *exchange) drive() error {
	fields, err := x.fields(driveSchema, driveDefault)
	if err != nil {
		return err
	}
	x.s.mu.Lock()
	d, err := x.findDrive(x.entry.File)
	var out object
	if err == nil {
		out = d.resource()
	}
	x.s.mu.Unlock()
	if err != nil {
		return err
	}
	return x.json(fields.pick(out))
}

// drives answers drives.list.
func (x *exchange) drives() error {
	frame := selection{"kind": nil, "nextPageToken": nil, "drives": driveSchema}
	fields, err := x.fields(frame, selection{"kind": nil, "nextPageToken": nil, "drives": driveDefault})
	if err != nil {
		return err
	}
	size, err := x.pageSize(10, 100, true)
	if err != nil {
		return err
	}
	token := pageToken{Bound: bind("drives", x.user.email)}
	if text := x.query.Get("pageToken"); text != "" {
		if token, err = readToken(text, token.Bound); err != nil {
			return err
		}
	}
	out, list := object{"kind": "drive#driveList"}, []object{}
	x.s.mu.Lock()
	for _, d := range x.s.tree.drives {
		if d.root.seq <= token.Next || !slices.Contains(d.members, x.user) {
			continue
		}
		if len(list) == size {
			out["nextPageToken"] = token.String()
			break
		}
		list = append(list, d.resource())
		token.Next = d.root.seq
	}
	x.s.mu.Unlock()
	out["drives"] = list
	return x.json(fields.pick(out))
}

var aboutSchema = selection{
	"kind": nil, "user": schema(userSchema), "storageQuota": schema("limit,usage,usageInDrive,usageInDriveTrash"),
	"exportFormats": schema("*"), "importFormats": schema("*"), "maxUploadSize": nil, "appInstalled": nil,
	"canCreateDrives": nil, "canCreateTeamDrives": nil, "folderColorPalette": nil, "driveThemes": nil, "teamDriveThemes": nil, "maxImportSizes": schema("*"),
}

// about answers about.get, which must be told what it is asked.
func (x *exchange) about() error {
	if x.query.Get("fields") == "" {
		return badParameter("fields", "required", "The 'fields' parameter is required for this method.")
	}
	fields, err := x.fields(aboutSchema, nil)
	if err != nil {
		return err
	}
	formats := object{}
	for mime, list := range exportFormats {
		formats[mime] = list
	}
	return x.json(fields.pick(object{
		"kind": "drive#about", "user": person(x.user, x.user), "exportFormats": formats, "importFormats": object{},
		"storageQuota":  object{"limit": "16106127360", "usage": "0", "usageInDrive": "0", "usageInDriveTrash": "0"},
		"maxUploadSize": "5242880000000", "appInstalled": false, "canCreateDrives": false, "canCreateTeamDrives": false,
		"folderColorPalette": []string{}, "maxImportSizes": object{},
	}))
}

// exportFormats are what documents of a MIME type can be exported as. What is not listed
// can't be exported at all: forms, maps, sites.
var exportFormats = map[string][]string{
	mimePrefix + "document": {
		"application/vnd.openxmlformats-officedocument.wordprocessingml.document", "application/vnd.oasis.opendocument.text",
		"application/rtf", "application/pdf", "text/plain", "application/zip", "application/epub+zip", "text/markdown",
	},
	mimePrefix + "spreadsheet": {
		"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "application/vnd.oasis.opendocument.spreadsheet",
		"application/pdf", "application/zip", "text/csv", "text/tab-separated-values",
	},
	mimePrefix + "presentation": {
		"application/vnd.openxmlformats-officedocument.presentationml.presentation", "application/vnd.oasis.opendocument.presentation",
		"application/pdf", "text/plain", "image/jpeg", "image/png", "image/svg+xml",
	},
	mimePrefix + "drawing": {"application/pdf", "image/jpeg", "image/png", "image/svg+xml"},
	mimePrefix + "script":  {"application/vnd.google-apps.script+json"},
	mimePrefix + "vid":     {"video/mp4"},
}
