package surface

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"

	"mooring/internal/bucket"
	bucketservice "mooring/internal/bucket/service"
	"mooring/internal/errs"
)

const contentBuffer = 128 << 10

// ErrRange says that the range asked for lies beyond the object's end: 416.
var ErrRange error = errs.New(errs.Invalid, "object.content", "the range lies beyond the object's end")

// Content serves stored content, which comes from strangers: always as a
// download, never to be sniffed, and sandboxed should a browser show it anyway.
func Content(w http.ResponseWriter, r *http.Request, buckets *bucketservice.Service, b bucket.Bucket, o bucket.Object) error {
	h := w.Header()
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "private, no-cache")
	h.Set("Accept-Ranges", "bytes")
	etag := `"` + o.SHA256 + `"`
	if o.SHA256 != "" {
		h.Set("ETag", etag)
		if matches(r.Header.Get("If-None-Match"), etag) {
			w.WriteHeader(http.StatusNotModified)
			return nil
		}
	}
	from, n, partial, err := span(r.Header, etag, o.Size)
	if err != nil {
		h.Set("Content-Range", "bytes */"+strconv.FormatInt(o.Size, 10))
		return err
	}
	if o.State != bucket.Present {
		return errs.New(errs.NotFound, "object.content", "the object has no content: it is gone at its source")
	}
	var in io.ReadCloser
	if r.Method != http.MethodHead {
		if in, err = buckets.Content(r.Context(), b, o, from); err != nil {
			if errs.Is(err, errs.Unavailable) || errs.Is(err, errs.Conflict) {
				return err // the destination is down, or is no more in the settings: nothing is to be repaired
			}
			return errs.Wrap(err, errs.Internal, "object.content", "the content can't be read: mooring sync verify --repair brings it again")
		}
		defer in.Close()
	}
	h.Set("Content-Type", contentType(o.MIME))
	h.Set("Content-Disposition", disposition(path.Base(o.SourcePath)))
	h.Set("Content-Length", strconv.FormatInt(n, 10))
	status := http.StatusOK
	if partial {
		h.Set("Content-Range", "bytes "+strconv.FormatInt(from, 10)+"-"+strconv.FormatInt(from+n-1, 10)+"/"+strconv.FormatInt(o.Size, 10))
		status = http.StatusPartialContent
	}
	w.WriteHeader(status)
	if in == nil {
		return nil
	}
	return send(w, in, n)
}

// send copies exactly n bytes. Anything less breaks the connection, so that
// nobody takes a part for the whole.
func send(w io.Writer, in io.Reader, n int64) error {
	buf := make([]byte, contentBuffer)
	for n > 0 {
		got, err := io.ReadFull(in, buf[:min(int64(len(buf)), n)])
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = errs.New(errs.Corrupt, "object.content", "the stored content is shorter than its record says")
			}
			return err
		}
		if _, err := w.Write(buf[:got]); err != nil {
			panic(http.ErrAbortHandler) // the client has gone
		}
		n -= int64(got)
	}
	return nil
}

func matches(header, etag string) bool {
	for part := range strings.SplitSeq(header, ",") {
		if part = strings.TrimPrefix(strings.TrimSpace(part), "W/"); part == etag || part == "*" {
			return true
		}
	}
	return false
}

// span reads a Range of one part. What can't be read, or asks for several, is
// ignored, as HTTP allows.
func span(h http.Header, etag string, size int64) (from, n int64, partial bool, err error) {
	spec, ok := strings.CutPrefix(h.Get("Range"), "bytes=")
	if given := h.Get("If-Range"); !ok || strings.Contains(spec, ",") || given != "" && given != etag {
		return 0, size, false, nil
	}
	first, last, ok := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok {
		return 0, size, false, nil
	}
	end := size - 1
	if first == "" {
		tail, err := strconv.ParseInt(last, 10, 64)
		if err != nil || tail < 0 {
			return 0, size, false, nil //nolint:nilerr // ignored, see above
		}
		from = max(size-tail, 0)
		if tail == 0 {
			return 0, 0, false, ErrRange
		}
	} else {
		if from, err = strconv.ParseInt(first, 10, 64); err != nil || from < 0 {
			return 0, size, false, nil //nolint:nilerr // ignored, see above
		}
		if last != "" {
			to, err := strconv.ParseInt(last, 10, 64)
			if err != nil || to < from {
				return 0, size, false, nil //nolint:nilerr // ignored, see above
			}
			end = min(to, end)
		}
	}
	if from >= size {
		return 0, 0, false, ErrRange
	}
	return from, end - from + 1, true, nil
}

// contentType passes on a type that is well-formed.
func contentType(said string) string {
	kind, params, err := mime.ParseMediaType(said)
	if err != nil || !strings.Contains(kind, "/") {
		return "application/octet-stream"
	}
	if full := mime.FormatMediaType(kind, params); full != "" {
		return full
	}
	return "application/octet-stream"
}

func disposition(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '/' || r == '\\' || r == '"' {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(name, "_"))
	if d := mime.FormatMediaType("attachment", map[string]string{"filename": name}); d != "" {
		return d
	}
	return "attachment"
}
