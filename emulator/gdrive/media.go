package gdrive

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// get answers files.get for metadata.
func (x *exchange) get() error {
	fields, err := x.fields(fileSchema, fileDefault)
	if err != nil {
		return err
	}
	x.s.mu.Lock()
	i, err := x.lookup()
	var out object
	if err == nil {
		out = x.file(i, fields)
	}
	x.s.mu.Unlock()
	if err != nil {
		return err
	}
	return x.json(out)
}

// download answers files.get and revisions.get for content.
func (x *exchange) download() error {
	acknowledged, err := x.flag(false, "acknowledgeAbuse")
	if err != nil {
		return err
	}
	x.s.mu.Lock()
	mime, c, err := x.readable(acknowledged)
	x.s.mu.Unlock()
	if err != nil {
		return err
	}
	part, partial := span{0, c.size}, false
	if !x.plan.ignoreRange {
		if part, partial, err = parseRange(x.r.Header.Get("Range"), c.size); err != nil {
			return err
		}
	}
	status := http.StatusOK
	if partial {
		status = http.StatusPartialContent
		x.w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", part.off, part.off+part.n-1, c.size))
	}
	x.send(status, mime, part.n, c.open(part.off, part.n))
	return nil
}

// send writes content. A reader that ends early or a client that goes away breaks the
// answer off.
func (x *exchange) send(status int, mime string, size int64, content io.Reader) {
	x.w.Header().Set("Content-Type", mime)
	x.w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	x.w.WriteHeader(status)
	if x.r.Method != http.MethodHead {
		_, _ = io.Copy(struct{ io.Writer }{x.w}, content)
	}
}

// readable finds the content that a request names. The lock is held.
func (x *exchange) readable(acknowledged bool) (mime string, c *content, err error) {
	i, err := x.lookup()
	if err != nil {
		return "", nil, err
	}
	rev := i.head()
	switch {
	case rev == nil:
		return "", nil, failure("fileNotDownloadable")
	case i.undownloadable:
		return "", nil, failure("cannotDownloadFile")
	case i.abusive && !acknowledged:
		return "", nil, failure("cannotDownloadAbusiveFile")
	}
	if x.entry.Operation == RevisionDownload {
		if rev, err = x.findRevision(i); err != nil {
			return "", nil, err
		}
	}
	return i.mime, rev.content, nil
}

func (x *exchange) findRevision(i *item) (*revision, error) {
	for k := range i.revisions {
		if id := i.revisions[k].id; id == x.entry.Revision || x.entry.Revision == "head" && k == len(i.revisions)-1 {
			return &i.revisions[k], nil
		}
	}
	return nil, &Error{
		Status: http.StatusNotFound, Reason: "notFound", Message: "Revision not found: " + x.entry.Revision + ".",
		Location: "revisionId", LocationType: "parameter",
	}
}

// span is a part of a file.
type span struct{ off, n int64 }

// parseRange reads a Range header for content of a size. What it can't read and what
// names several ranges is answered in full.
func parseRange(header string, size int64) (s span, partial bool, err error) {
	whole := span{0, size}
	spec, ok := strings.CutPrefix(header, "bytes=")
	first, last, dash := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok || !dash || strings.Contains(spec, ",") {
		return whole, false, nil
	}
	unsatisfiable := failure("requestedRangeNotSatisfiable")
	unsatisfiable.Header = http.Header{"Content-Range": {fmt.Sprintf("bytes */%d", size)}}
	if first == "" {
		n, ok := number(last)
		switch {
		case !ok:
			return whole, false, nil
		case n == 0 || size == 0:
			return span{}, false, unsatisfiable
		}
		n = min(n, size)
		return span{size - n, n}, true, nil
	}
	from, ok := number(first)
	if !ok {
		return whole, false, nil
	}
	to := size - 1
	if last != "" {
		n, ok := number(last)
		if !ok || n < from {
			return whole, false, nil
		}
		to = min(n, to)
	}
	if from >= size {
		return span{}, false, unsatisfiable
	}
	return span{from, to - from + 1}, true, nil
}

// number reads digits, without a sign.
func number(s string) (int64, bool) {
	n, err := strconv.ParseUint(s, 10, 63)
	return int64(n), err == nil
}

// export answers files.export, and what exportLinks point to, which has no limit.
func (x *exchange) export() error {
	parameter := "mimeType"
	if x.entry.Operation == ExportLink {
		parameter = "exportFormat"
	}
	format := x.query.Get(parameter)
	if format == "" {
		return badParameter(parameter, "required", "Required parameter: "+parameter)
	}
	x.s.mu.Lock()
	data, err := x.exported(format)
	x.s.mu.Unlock()
	if err != nil {
		return err
	}
	if x.entry.Operation == FilesExport && int64(len(data)) > x.s.opts.ExportLimit {
		return failure("exportSizeLimitExceeded")
	}
	x.send(http.StatusOK, format, int64(len(data)), bytes.NewReader(data))
	return nil
}

// exported is a document in another format. The lock is held.
func (x *exchange) exported(format string) ([]byte, error) {
	i, err := x.lookup()
	if err != nil {
		return nil, err
	}
	switch data, ok := i.exports[format]; {
	case !(view{item: i}).isEditor():
		return nil, failure("fileNotExportable")
	case i.undownloadable:
		return nil, failure("cannotDownloadFile")
	case ok:
		return data, nil
	}
	for _, f := range exportFormats[i.mime] {
		if f == format {
			return fmt.Appendf(nil, "%s as %s\n", i.name, format), nil
		}
	}
	return nil, badParameter("convertTo", "badRequest", "The requested conversion is not supported.")
}

const revisionFields = "kind,id,mimeType,modifiedTime,size,md5Checksum,keepForever,originalFilename,published,publishAuto,publishedOutsideDomain,publishedLink,exportLinks,lastModifyingUser"

var (
	revisionSchema  = schema(revisionFields)
	revisionDefault = schema("kind,id,mimeType,modifiedTime")
)

func (r *revision) resource(i *item) object {
	return object{
		"kind": "drive#revision", "id": r.id, "mimeType": i.mime, "modifiedTime": stamp(r.modified), "keepForever": false,
		"size": strconv.FormatInt(r.size, 10), "md5Checksum": r.sum().md5, "originalFilename": i.name,
	}
}

// revision answers revisions.get for metadata.
func (x *exchange) revision() error {
	fields, err := x.fields(revisionSchema, revisionDefault)
	if err != nil {
		return err
	}
	x.s.mu.Lock()
	i, err := x.lookup()
	var out object
	if err == nil {
		var r *revision
		if r, err = x.findRevision(i); err == nil {
			out = r.resource(i)
		}
	}
	x.s.mu.Unlock()
	if err != nil {
		return err
	}
	return x.json(fields.pick(out))
}

// revisions answers revisions.list, in one page.
func (x *exchange) revisions() error {
	frame := selection{"kind": nil, "nextPageToken": nil, "revisions": revisionSchema}
	fields, err := x.fields(frame, selection{"kind": nil, "nextPageToken": nil, "revisions": revisionDefault})
	if err != nil {
		return err
	}
	x.s.mu.Lock()
	i, err := x.lookup()
	list := []object{}
	if err == nil {
		for k := range i.revisions {
			list = append(list, i.revisions[k].resource(i))
		}
	}
	x.s.mu.Unlock()
	if err != nil {
		return err
	}
	return x.json(fields.pick(object{"kind": "drive#revisionList", "revisions": list}))
}

// permissions answers permissions.list, in one page.
func (x *exchange) permissions() error {
	frame := selection{"kind": nil, "nextPageToken": nil, "permissions": schema(permissionSchema)}
	fields, err := x.fields(frame, selection{"kind": nil, "nextPageToken": nil, "permissions": schema("kind,id,type,role")})
	if err != nil {
		return err
	}
	x.s.mu.Lock()
	i, err := x.lookup()
	var list []object
	if err == nil {
		list = view{item: i, user: x.user}.access()
	}
	x.s.mu.Unlock()
	if err != nil {
		return err
	}
	return x.json(fields.pick(object{"kind": "drive#permissionList", "permissions": list}))
}
