package gdrive

import (
	"net/http"
	"net/url"
	"strings"
)

// Operation names an API call, as Google names it.
type Operation string

// The operations that the emulator tells apart. Anything else is Unknown and answered
// with 404.
const (
	AboutGet         Operation = "about.get"
	ChangesList      Operation = "changes.list"
	StartPageToken   Operation = "changes.getStartPageToken"
	DrivesGet        Operation = "drives.get"
	DrivesList       Operation = "drives.list"
	FilesGet         Operation = "files.get"
	FilesDownload    Operation = "files.get?alt=media"
	FilesExport      Operation = "files.export"
	FilesList        Operation = "files.list"
	PermissionsList  Operation = "permissions.list"
	RevisionsGet     Operation = "revisions.get"
	RevisionDownload Operation = "revisions.get?alt=media"
	RevisionsList    Operation = "revisions.list"
	ExportLink       Operation = "exportLink" // what File.exportLinks point to
	Token            Operation = "token"
	Authorize        Operation = "authorize"
	Unknown          Operation = "unknown"
)

// oauth says whether errors have the form of RFC 6749.
func (o Operation) oauth() bool { return o == Token || o == Authorize }

// route names the operation of a request and what it is about: a file or a drive, and a
// revision.
func route(r *http.Request, q url.Values) (op Operation, id, revision string) {
	path := r.URL.EscapedPath()
	switch path {
	case tokenPath:
		return Token, "", ""
	case authPath:
		return Authorize, "", ""
	case exportPath:
		return ExportLink, q.Get("id"), ""
	}
	rest, ok := strings.CutPrefix(path, apiPath)
	if !ok || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return Unknown, "", ""
	}
	part := strings.Split(rest, "/")
	for i, p := range part {
		part[i], _ = url.PathUnescape(p)
	}
	pattern := part[0]
	if len(part) > 1 {
		id = part[1]
	}
	if pattern == "changes" && id == "startPageToken" {
		return StartPageToken, "", ""
	}
	if len(part) > 1 {
		pattern += "/*"
	}
	if len(part) > 2 {
		pattern += "/" + part[2]
	}
	if len(part) > 3 {
		pattern, revision = pattern+"/*", part[3]
	}
	op, ok = routes[pattern]
	if !ok || len(part) > 4 {
		return Unknown, "", ""
	}
	switch media := q.Get("alt") == "media"; {
	case op == FilesGet && media:
		op = FilesDownload
	case op == RevisionsGet && media:
		op = RevisionDownload
	}
	return op, id, revision
}

var routes = map[string]Operation{
	"about":               AboutGet,
	"changes":             ChangesList,
	"drives":              DrivesList,
	"drives/*":            DrivesGet,
	"files":               FilesList,
	"files/*":             FilesGet,
	"files/*/export":      FilesExport,
	"files/*/permissions": PermissionsList,
	"files/*/revisions":   RevisionsList,
	"files/*/revisions/*": RevisionsGet,
}
