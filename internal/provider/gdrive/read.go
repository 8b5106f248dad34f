package gdrive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	drive "google.golang.org/api/drive/v3"
	"google.golang.org/api/googleapi"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

const codeLarge = "exportSizeLimitExceeded"

// Open implements driver.Source. The file is looked at first: what was listed
// must still be there, and then its checksum is that of the content.
func (s *source) Open(ctx context.Context, item driver.Item, off int64) (io.ReadCloser, error) {
	t := target{"gdrive.get", errs.ScopeObject}
	f, err := s.content(ctx, t, item.ID, fileFields+",exportLinks")
	if err != nil {
		return nil, err
	}
	if native(f) {
		return s.export(ctx, t, f, item, off)
	}
	switch {
	case versionOf(f) != item.Version:
		return nil, t.failure(errs.Stale, "", "the file has changed since it was listed")
	case off < 0 || off > f.Size:
		return nil, t.failure(errs.Stale, "", "the file is shorter than the offset asked for")
	}
	r := &reader{ctx: ctx, t: t, left: f.Size - off, sums: checksumsOf(f)}
	if off == f.Size {
		if off > 0 { // no range can be asked for at the end
			r.body = io.NopCloser(bytes.NewReader(nil))
			return r, nil
		}
	}
	resp, err := do(ctx, s, t, func(b bearer) (*http.Response, error) {
		c := s.api.Files.Get(f.Id).SupportsAllDrives(true).Context(ctx)
		if off > 0 {
			c.Header().Set("Range", "bytes="+strconv.FormatInt(off, 10)+"-")
		}
		b.on(c)
		return c.Download()
	})
	if err != nil {
		return nil, ofContent(err)
	}
	r.body = resp.Body
	if err := r.expect(resp, f.Size, off); err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	return r, nil
}

// ofContent narrows a failure of the content to the file: its metadata could be
// read a moment before.
func ofContent(err error) error {
	if e := errs.From(err); e.Kind == errs.Unavailable && e.Code != "" && e.Scope == errs.ScopeConnection {
		e.Scope = errs.ScopeObject
		return e
	}
	return err
}

// export reads a document as what it is exported to.
func (s *source) export(ctx context.Context, t target, f *drive.File, item driver.Item, off int64) (io.ReadCloser, error) {
	to, ok, err := s.format(ctx, f.MimeType)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, t.failure(errs.Conflict, "fileNotExportable", classes["fileNotExportable"].msg)
	case versionOf(f)+"/"+to.ext != item.Version:
		return nil, t.failure(errs.Stale, "", "the document has changed since it was listed")
	case off != 0:
		// No export is like another, byte for byte.
		return nil, t.failure(errs.Stale, "", "an export can't be taken up where it broke off")
	}
	resp, err := do(ctx, s, t, func(b bearer) (*http.Response, error) { //nolint:bodyclose // the reader closes it
		c := s.api.Files.Export(f.Id, to.mime).Context(ctx)
		b.on(c)
		return c.Download()
	})
	if err != nil && errs.From(err).Code == codeLarge {
		resp, err = s.exportLink(ctx, t, f.ExportLinks[to.mime], to) //nolint:bodyclose // the reader closes it
	}
	if err != nil {
		return nil, ofContent(err)
	}
	return &reader{ctx: ctx, t: t, body: resp.Body, left: resp.ContentLength}, nil
}

// exportLink reads a large document by the address that Drive names for it.
func (s *source) exportLink(ctx context.Context, t target, link string, to format) (*http.Response, error) {
	u, err := url.Parse(link)
	if link == "" || err != nil || u.Host == "" {
		return nil, t.failure(errs.Invalid, codeLarge, msgLarge)
	}
	return do(ctx, s, t, func(b bearer) (*http.Response, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, link, http.NoBody)
		if err != nil {
			return nil, t.failure(errs.Invalid, codeLarge, msgLarge)
		}
		if s.trusted(u) {
			r.Header.Set("Authorization", "Bearer "+b.token.Reveal())
		}
		resp, err := s.http.Do(r)
		if err != nil {
			return nil, err
		}
		if err := googleapi.CheckResponse(resp); err != nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusForbidden || resp.StatusCode == http.StatusNotFound {
				return nil, t.failure(errs.Invalid, codeLarge, msgLarge)
			}
			return nil, err
		}
		if got, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); got == "text/html" && to.mime != got {
			_ = resp.Body.Close() // a page to sign in
			return nil, t.failure(errs.Invalid, codeLarge, msgLarge)
		}
		return resp, nil
	})
}

// trusted says whether a host may see the access token: the API's own, and
// Google's, over TLS.
func (s *source) trusted(u *url.URL) bool {
	if u.Scheme == s.base.Scheme && strings.EqualFold(u.Host, s.base.Host) {
		return true
	}
	host := strings.ToLower(u.Hostname())
	return u.Scheme == "https" && (strings.HasSuffix(host, ".google.com") || strings.HasSuffix(host, ".googleapis.com") || strings.HasSuffix(host, ".googleusercontent.com"))
}

// reader reads content and knows how much is to come.
type reader struct {
	ctx  context.Context
	body io.ReadCloser
	t    target
	skip int64 // to be dropped first: the range was ignored
	left int64 // -1: not known
	sums []driver.Checksum
}

var contentRange = regexp.MustCompile(`^bytes (\d+)-(\d+)/(\d+|\*)$`)

// expect compares the head of an answer with what was asked for.
func (r *reader) expect(resp *http.Response, size, off int64) error {
	start, total := int64(0), int64(-1)
	if resp.StatusCode == http.StatusPartialContent {
		m := contentRange.FindStringSubmatch(resp.Header.Get("Content-Range"))
		if m == nil {
			return r.t.failure(errs.Corrupt, "", "the answer does not say which part of the file it holds")
		}
		start, _ = strconv.ParseInt(m[1], 10, 64)
		if m[3] != "*" {
			total, _ = strconv.ParseInt(m[3], 10, 64)
		}
	} else if resp.ContentLength >= 0 && !resp.Uncompressed {
		total = resp.ContentLength
	}
	switch {
	case start > off:
		return r.t.failure(errs.Corrupt, "", "the answer holds another part of the file than was asked for")
	case total >= 0 && total != size:
		return r.t.failure(errs.Stale, "", "the file has changed since it was listed")
	}
	r.skip = off - start
	return nil
}

// Checksums implements driver.Checksummed.
func (r *reader) Checksums() []driver.Checksum { return r.sums }

func (r *reader) Read(p []byte) (int, error) {
	if r.skip > 0 {
		n, err := io.CopyN(io.Discard, r.body, r.skip)
		r.skip -= n
		if err != nil {
			return 0, r.broken(err)
		}
	}
	n, err := r.body.Read(p)
	if r.left >= 0 && int64(n) > r.left {
		return int(r.left), r.t.failure(errs.Stale, "", "the file has become longer since it was listed")
	}
	if r.left >= 0 {
		r.left -= int64(n)
	}
	switch {
	case err == nil:
		return n, nil
	case err == io.EOF && r.left <= 0:
		return n, io.EOF
	}
	return n, r.broken(err)
}

// broken classifies the end of a transfer before its time.
func (r *reader) broken(err error) error {
	if cause := r.ctx.Err(); cause != nil {
		err = fmt.Errorf("%w: %w", cause, err)
	} else if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return io.ErrUnexpectedEOF
	}
	if e := r.t.network(err); e != nil {
		return e
	}
	return io.ErrUnexpectedEOF
}

func (r *reader) Close() error { return r.body.Close() }
