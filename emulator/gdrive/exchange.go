package gdrive

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"mooring/emulator/internal/wire"
)

// exchange is one request on its way through the server.
type exchange struct {
	s      *Server
	r      *http.Request
	w      *wire.Writer
	query  url.Values
	form   url.Values // of a request for a token
	entry  *Request   // fields that the log's setters don't set are fixed
	plan   plan       // what the injected faults make of it
	user   *user      // whom the request is made as
	access access     // by which the user is known
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := s.receive(w, r)
	s.log.add(x.entry)
	x.disturb()
	if x.plan.drop {
		x.w.Reset()
	}
	if err := x.answer(); err != nil {
		x.fail(err)
	}
}

// maxForm bounds the body of a request for a token.
const maxForm = 64 << 10

// receive reads what a request asks.
func (s *Server) receive(w http.ResponseWriter, r *http.Request) *exchange {
	x := &exchange{s: s, r: r, query: r.URL.Query(), form: url.Values{}}
	op, id, revision := route(r, x.query)
	x.entry = &Request{
		Time: s.now(), Operation: op, Method: r.Method, File: id, Revision: revision, Query: x.query,
		Range: r.Header.Get("Range"), UserAgent: r.UserAgent(),
	}
	x.w = x.writer(w)
	w.Header().Set("Server", "ESF")
	if op == Token {
		body, _ := io.ReadAll(io.LimitReader(r.Body, maxForm))
		x.form, _ = url.ParseQuery(string(bytes.TrimSpace(body)))
		x.entry.Grant = x.form.Get("grant_type")
		return x
	}
	x.identify()
	return x
}

// identify finds out whom the token stands for, nobody when it is not good.
func (x *exchange) identify() {
	x.user = nil
	token, ok := strings.CutPrefix(x.r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return
	}
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	if a, ok := x.s.oauth.access[token]; ok && x.s.now().Before(a.expires) {
		x.access, x.user = a, a.user
		x.entry.User = a.user.email
	}
}

// answer does what is asked.
func (x *exchange) answer() error {
	switch op := x.entry.Operation; {
	case op == Authorize:
		return x.authorize()
	case x.plan.reply != nil:
		return x.plan.reply
	case op == Token:
		return x.grantToken()
	case op == Unknown:
		return failure("notFound")
	}
	if err := x.permit(); err != nil {
		return err
	}
	return x.perform()
}

// The scopes that let a token read: all, or metadata alone.
var (
	contentScopes  = []string{"https://www.googleapis.com/auth/drive", scopeReadonly}
	metadataScopes = []string{"https://www.googleapis.com/auth/drive.metadata", "https://www.googleapis.com/auth/drive.metadata.readonly"}
)

// permit checks the token, which faults may have ended meanwhile, and its scope.
func (x *exchange) permit() error {
	if x.r.Header.Get("Authorization") == "" {
		return loginRequired()
	}
	if x.identify(); x.user == nil {
		return failure("authError")
	}
	scopes := strings.Fields(x.access.scope)
	has := func(s string) bool { return slices.Contains(scopes, s) }
	if slices.ContainsFunc(contentScopes, has) {
		return nil
	}
	switch x.entry.Operation {
	case FilesDownload, FilesExport, ExportLink, RevisionDownload:
	default:
		if slices.ContainsFunc(metadataScopes, has) {
			return nil
		}
	}
	return failure("insufficientPermissions")
}

// perform does what is asked by one who may.
func (x *exchange) perform() error {
	switch x.entry.Operation {
	case AboutGet:
		return x.about()
	case StartPageToken:
		return x.startPageToken()
	case ChangesList:
		return x.changes()
	case DrivesGet:
		return x.drive()
	case DrivesList:
		return x.drives()
	case FilesList:
		return x.list()
	case FilesGet:
		return x.get()
	case FilesDownload, RevisionDownload:
		return x.download()
	case FilesExport, ExportLink:
		return x.export()
	case PermissionsList:
		return x.permissions()
	case RevisionsGet:
		return x.revision()
	default:
		return x.revisions()
	}
}

// flag reads a parameter that is true or false.
func (x *exchange) flag(preset bool, names ...string) (bool, error) {
	for _, name := range names {
		switch value := x.query.Get(name); value {
		case "":
		case "true":
			return true, nil
		case "false":
			return false, nil
		default:
			return false, badParameter(name, "invalidParameter", "Invalid value for boolean parameter: "+value)
		}
	}
	return preset, nil
}

// allDrives says whether the request knows about shared drives, and whether it wants
// what is in them.
func (x *exchange) allDrives() (supports, include bool, err error) {
	if supports, err = x.flag(false, "supportsAllDrives", "supportsTeamDrives"); err != nil {
		return false, false, err
	}
	include, err = x.flag(false, "includeItemsFromAllDrives", "includeTeamDriveItems")
	if include && !supports && err == nil {
		err = &Error{
			Status: http.StatusForbidden, Reason: "teamDrivesNotSupported",
			Message: "The supportsAllDrives parameter must be set to true when includeItemsFromAllDrives is.",
		}
	}
	return supports, include, err
}

// pageSize reads how many entries are asked for. What is above the most is an error, or
// taken for the most.
func (x *exchange) pageSize(preset, most int, strict bool) (int, error) {
	n := preset
	if text := x.query.Get("pageSize"); text != "" {
		v, err := strconv.Atoi(text)
		if err != nil || v < 1 || strict && v > most {
			return 0, badParameter("pageSize", "invalidParameter",
				"Invalid value '"+text+"'. Values must be within the range: [1, "+strconv.Itoa(most)+"]")
		}
		n = min(v, most)
	}
	for _, limit := range []int{x.s.opts.PageSize, x.plan.list.limit} {
		if limit > 0 {
			n = min(n, limit)
		}
	}
	return n, nil
}

// lookup finds the item that the request names, if the user may see it. The lock is
// held.
func (x *exchange) lookup() (*item, error) {
	id := x.entry.File
	i := x.s.tree.items[id]
	if id == "root" {
		i = x.user.root
	}
	// Drive gives content to clients that don't say they support shared drives: rclone does
	// not when it downloads, and files.export has no parameter to say so.
	content := x.entry.Operation == FilesDownload || x.entry.Operation == FilesExport || x.entry.Operation == ExportLink
	supports, err := x.flag(content, "supportsAllDrives", "supportsTeamDrives")
	if err != nil {
		return nil, err
	}
	if i == nil || !i.seenBy(x.user) && !x.showsKey(i) || i.drive() != nil && !supports {
		return nil, fileNotFound(id)
	}
	return i, nil
}

// showsKey says whether the request has the resource key of an item shared by a link.
func (x *exchange) showsKey(i *item) bool {
	if i.resourceKey == "" {
		return false
	}
	for _, pair := range strings.Split(x.r.Header.Get("X-Goog-Drive-Resource-Keys"), ",") {
		if strings.TrimSpace(pair) == i.id+"/"+i.resourceKey {
			return true
		}
	}
	return false
}
