package msgraph

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ticket is what a download URL stands for.
type ticket struct {
	Drive, Item string
	Expires     int64 // Unix seconds
	Generation  int   `json:",omitempty"`
}

// ExpireDownloadURLs makes every download URL given so far expire: it is refused
// with 401. DownloadRefused does so with other statuses.
func (s *Server) ExpireDownloadURLs() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.downloads++
}

// downloadURL makes a pre-authenticated URL.
func (x *exchange) downloadURL(i *item) string {
	b, _ := json.Marshal(ticket{i.drive.id, i.id, x.s.now().Add(x.s.opts.DownloadURLLife).Unix(), x.s.downloads})
	base := x.s.opts.DownloadBase
	if base == "" {
		base = x.base()
	}
	return base + "/_layouts/download/" + base64.RawURLEncoding.EncodeToString(b)
}

// ticket finds the item of a download URL.
func (s *Server) ticket(encoded string) (*item, *Error) {
	var t ticket
	raw, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || json.Unmarshal(raw, &t) != nil || s.drives[t.Drive] == nil {
		return nil, refusedDownload(http.StatusNotFound)
	}
	if t.Generation != s.downloads || !s.now().Before(time.Unix(t.Expires, 0)) {
		return nil, refusedDownload(http.StatusUnauthorized)
	}
	i := s.drives[t.Drive].item(t.Item)
	if i == nil || i.content == nil {
		return nil, refusedDownload(http.StatusNotFound)
	}
	return i, nil
}

// getContent sends to where the content is. A client that has it already is told
// so.
func (x *exchange) getContent(i *item) (answer, *Error) {
	switch known := x.r.Header.Get("If-None-Match"); {
	case i.content == nil:
		return answer{}, &Error{Code: "notSupported", Status: http.StatusBadRequest, Message: "Only files have content."}
	case i.malware:
		return answer{}, failure("malwareDetected")
	case known != "" && (known == i.eTag() || known == i.cTag()):
		return answer{status: http.StatusNotModified}, nil
	}
	return answer{status: http.StatusFound, header: http.Header{"Location": {x.downloadURL(i)}}}, nil
}

// download gives the content of a file as it is now.
func (x *exchange) download() (answer, *Error) {
	if x.entry.Bearer {
		x.s.log.violation(x.entry, BearerAtDownload)
	}
	x.s.mu.Lock()
	i, err := x.s.ticket(x.addr.ticket)
	if err != nil {
		x.s.mu.Unlock()
		return answer{}, err
	}
	c, etag, modified := i.content, i.eTag(), i.modified
	x.s.mu.Unlock()

	h := http.Header{
		"Content-Type": {"application/octet-stream"}, "Accept-Ranges": {"bytes"}, "Etag": {etag},
		"Last-Modified": {modified.Format(http.TimeFormat)},
	}
	off, n, status := int64(0), c.size, http.StatusOK
	if x.entry.Range != "" && !x.plan.ignoreRange {
		var partial, ok bool
		if off, n, partial, ok = parseRange(x.entry.Range, c.size); !ok {
			return answer{}, &Error{
				Status: http.StatusRequestedRangeNotSatisfiable, Code: "invalidRange", HTML: "<html></html>",
				Header: http.Header{"Content-Range": {fmt.Sprintf("bytes */%d", c.size)}},
			}
		}
		if partial {
			status = http.StatusPartialContent
			h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", off, off+n-1, c.size))
		}
	}
	h.Set("Content-Length", strconv.FormatInt(n, 10))
	return answer{status: status, header: h, content: c.open(off, n)}, nil
}

// parseRange reads a Range header. Like the service it gives all to one that it
// can't read or that names several ranges. It fails if nothing of the file is in
// the range.
func parseRange(header string, size int64) (off, n int64, partial, ok bool) {
	spec, isBytes := strings.CutPrefix(header, "bytes=")
	first, last, dash := strings.Cut(strings.TrimSpace(spec), "-")
	if !isBytes || !dash {
		return 0, size, false, true
	}
	from, err1 := strconv.ParseUint(first, 10, 63)
	to, err2 := strconv.ParseUint(last, 10, 63)
	switch {
	case first == "" && err2 == nil: // the last bytes
		n = min(int64(to), size)
		return size - n, n, true, n > 0
	case err1 == nil && last == "":
		to = uint64(max(size-1, 0))
	case err1 != nil || err2 != nil || to < from:
		return 0, size, false, true
	}
	off = int64(from)
	return off, min(int64(to), size-1) - off + 1, true, off < size
}
