package s3

import (
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// get answers GetObject and HeadObject.
func (x *exchange) get(who *credential) error {
	o, err := x.find(who)
	if err != nil {
		return err
	}
	if err := checkConditions(x.r.Header, o); err != nil {
		return err
	}
	isGet := x.r.Method == http.MethodGet
	if isGet && o.archived() {
		return failure("InvalidObjectState", Element{"StorageClass", o.class})
	}
	rng, partial, err := parseRange(x.r.Header.Get("Range"), o.size)
	if err != nil {
		return err
	}
	var body io.ReadCloser
	if isGet {
		if body, err = o.content.open(rng.off, rng.n); err != nil {
			return err
		}
		defer body.Close()
	}
	x.describe(o, partial)
	h := x.w.Header()
	h.Set("Content-Length", strconv.FormatInt(rng.n, 10))
	status := http.StatusOK
	if partial {
		h.Set("Content-Range", rng.header(o.size))
		status = http.StatusPartialContent
	}
	x.w.WriteHeader(status)
	if isGet {
		return x.copyBody(body, rng.n)
	}
	return nil
}

// copyBody sends exactly n bytes or breaks the connection off: a source that has
// become shorter must not look complete.
func (x *exchange) copyBody(body io.Reader, n int64) error {
	if _, err := io.CopyN(x.w, body, n); err != nil {
		x.w.End()
	}
	return nil
}

// find returns the object that the request names.
func (x *exchange) find(who *credential) (*object, error) {
	b, err := x.s.bucket(x.entry.Bucket)
	if err != nil {
		return nil, err
	}
	if x.query.Has("partNumber") {
		return nil, failure("NotImplemented")
	}
	if v := x.entry.VersionID; v != "" && v != "null" {
		return nil, failure("NoSuchVersion", Element{"Key", x.entry.Key}, Element{"VersionId", v})
	}
	o, err := b.get(x.entry.Key)
	if err != nil {
		return nil, err
	}
	if o == nil {
		if !x.mayList(who) {
			return nil, failure("AccessDenied")
		}
		return nil, failure("NoSuchKey", Element{"Key", x.entry.Key})
	}
	return o, nil
}

// describe writes the headers that say what an object is.
func (x *exchange) describe(o *object, partial bool) {
	h := x.w.Header()
	h.Set("ETag", `"`+o.etag+`"`)
	h.Set("Last-Modified", httpTime(o.modified))
	h.Set("Accept-Ranges", "bytes")
	h.Set("Content-Type", "binary/octet-stream")
	if o.contentType != "" {
		h.Set("Content-Type", o.contentType)
	}
	for name, value := range o.headers {
		h.Set(name, value)
	}
	for name, value := range o.metadata {
		h.Set("X-Amz-Meta-"+name, mime.QEncoding.Encode("utf-8", value))
	}
	if len(o.tags) > 0 {
		h.Set("X-Amz-Tagging-Count", strconv.Itoa(len(o.tags)))
	}
	if o.class != "" && o.class != "STANDARD" {
		h.Set("X-Amz-Storage-Class", o.class)
	}
	if c := o.checksum; c != nil && !partial && strings.EqualFold(x.entry.ChecksumMode, "ENABLED") {
		h.Set(c.header(), c.value)
		h.Set("X-Amz-Checksum-Type", string(c.kind))
	}
	for param, name := range responseOverrides {
		if v := x.query.Get(param); v != "" {
			h.Set(name, v)
		}
	}
}

var responseOverrides = map[string]string{
	"response-content-type":        "Content-Type",
	"response-content-language":    "Content-Language",
	"response-expires":             "Expires",
	"response-cache-control":       "Cache-Control",
	"response-content-disposition": "Content-Disposition",
	"response-content-encoding":    "Content-Encoding",
}

// checkConditions checks the conditional headers of a read. As S3 does, it lets
// an If-Match that holds win over If-Unmodified-Since, and an If-None-Match over
// If-Modified-Since.
func checkConditions(h http.Header, o *object) error {
	if v := h.Get("If-Match"); v != "" {
		if !etagListed(v, o.etag) {
			return failure("PreconditionFailed", Element{"Condition", "If-Match"})
		}
	} else if since, err := http.ParseTime(h.Get("If-Unmodified-Since")); err == nil && modifiedAfter(o, since.Unix()) {
		return failure("PreconditionFailed", Element{"Condition", "If-Unmodified-Since"})
	}
	unchanged := failure("NotModified")
	unchanged.Header = http.Header{"Etag": {`"` + o.etag + `"`}, "Last-Modified": {httpTime(o.modified)}}
	if v := h.Get("If-None-Match"); v != "" {
		if etagListed(v, o.etag) {
			return unchanged
		}
	} else if since, err := http.ParseTime(h.Get("If-Modified-Since")); err == nil && !modifiedAfter(o, since.Unix()) {
		return unchanged
	}
	return nil
}

// modifiedAfter compares whole seconds, which is all that HTTP dates have.
func modifiedAfter(o *object, second int64) bool { return o.modified.Unix() > second }

// etagListed says whether a list of quoted ETags, or *, holds an ETag.
func etagListed(list, etag string) bool {
	for item := range strings.SplitSeq(list, ",") {
		item = strings.Trim(strings.TrimPrefix(strings.TrimSpace(item), "W/"), `"`)
		if item == "*" || item == etag {
			return true
		}
	}
	return false
}
