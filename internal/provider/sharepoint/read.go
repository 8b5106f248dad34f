package sharepoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
	"mooring/internal/secret"
)

// readTries is how often an item is looked at anew when its address is refused or
// leads to something else.
const readTries = 3

// Open implements driver.Source. The item is looked at first, which proves its
// version and gives a pre-authenticated address; the address is used at once, for
// this reader alone, and is gone with it.
func (s *source) Open(ctx context.Context, item driver.Item, off int64) (io.ReadCloser, error) {
	t := target{op: "sharepoint.read", scope: errs.ScopeObject, what: "file"}
	drive, id, ok := split(item.ID)
	if !ok {
		return nil, t.failure(errs.NotFound, errs.ScopeObject, "", "this is not the id of an item")
	}
	for try := 1; ; try++ {
		w, err := s.look(ctx, t, drive, id, item.Version)
		if err != nil {
			return nil, err
		}
		size := w.size()
		switch {
		case off < 0 || size >= 0 && off > size:
			return nil, t.failure(errs.Stale, errs.ScopeObject, "invalidRange", "the file is shorter than the offset asked for")
		case size == off: // nothing is left: no range can be asked for
			return &reader{t: t, body: http.NoBody, sums: w.checksums()}, nil
		}
		from, err := s.address(ctx, t, drive, w)
		if err != nil {
			return nil, err
		}
		r, again, err := s.download(ctx, t, from, off, size)
		if err == nil {
			r.sums = w.checksums()
			return r, nil
		}
		if !again || try == readTries {
			return nil, err
		}
	}
}

// look reads an item and compares it with the version that was listed.
func (s *source) look(ctx context.Context, t target, drive, id, version string) (*wireItem, error) {
	w := &wireItem{}
	if err := s.get(ctx, t, address(drive, id), w); err != nil {
		return nil, err
	}
	switch {
	case w.ID == "":
		return nil, t.notGraph()
	case w.Deleted != nil:
		return nil, t.failure(errs.NotFound, errs.ScopeObject, "itemNotFound", "the file was deleted")
	case w.Malware != nil:
		return nil, t.failure(errs.Conflict, errs.ScopeObject, "malwareDetected", codes["malwaredetected"].msg)
	case w.File == nil:
		return nil, t.failure(errs.Invalid, errs.ScopeObject, "", "the item has no content")
	case !w.is(version):
		return nil, t.failure(errs.Stale, errs.ScopeObject, "", msgChanged)
	}
	return w, nil
}

func (w *wireItem) checksums() []driver.Checksum {
	if sum := w.quickXor(); sum != nil {
		return []driver.Checksum{{Algorithm: "quickxor", Value: sum, Certain: true}}
	}
	return nil
}

// address is where an item's content is: as the item tells, else where its content
// redirects to.
func (s *source) address(ctx context.Context, t target, drive string, w *wireItem) (secret.String, error) {
	at := w.Download
	if at.IsZero() {
		resp, err := s.ask(ctx, t, s.base.String()+address(drive, w.ID)+"/content")
		if err != nil {
			return at, err
		}
		defer func() { _ = resp.Body.Close() }()
		if resp.StatusCode != http.StatusFound {
			return at, s.refused(t, resp)
		}
		at = secret.New(resp.Header.Get("Location"))
	}
	u, err := url.Parse(at.Reveal())
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != s.base.Scheme {
		return at, t.failure(errs.Corrupt, errs.ScopeObject, "BadAddress", "the provider gave an address that is none")
	}
	return at, nil
}

// download asks for content from off on. again says that a new look at the item
// may help.
func (s *source) download(ctx context.Context, t target, from secret.String, off, size int64) (_ *reader, again bool, _ error) {
	q, err := request(ctx, t, from.Reveal())
	if err != nil {
		return nil, false, err
	}
	if off > 0 {
		q.Header.Set("Range", "bytes="+strconv.FormatInt(off, 10)+"-")
	}
	resp, err := s.files.Do(q)
	if err != nil {
		return nil, false, t.network(err)
	}
	r := &reader{ctx: ctx, t: t, body: resp.Body, left: size - off}
	if again, err = r.expect(resp, s, off, size); err != nil {
		_ = resp.Body.Close()
		return nil, again, err
	}
	return r, false, nil
}

// reader reads a file and knows how much is to come.
type reader struct {
	ctx  context.Context
	t    target
	body io.ReadCloser
	skip int64 // to be dropped first: the server ignored the range
	left int64
	sums []driver.Checksum
}

var contentRange = regexp.MustCompile(`^bytes (\d+)-(\d+)/(\d+|\*)$`)

// expect compares the head of an answer with what was asked for.
func (r *reader) expect(resp *http.Response, s *source, off, size int64) (again bool, _ error) {
	total, start := int64(-1), int64(0) // -1: not said
	switch resp.StatusCode {
	case http.StatusOK:
		total = resp.ContentLength
	case http.StatusPartialContent:
		m := contentRange.FindStringSubmatch(resp.Header.Get("Content-Range"))
		if m == nil {
			return false, r.t.failure(errs.Corrupt, errs.ScopeObject, "ContentRange", "the answer does not say which part of the file it holds")
		}
		start, _ = strconv.ParseInt(m[1], 10, 64)
		if n, err := strconv.ParseInt(m[3], 10, 64); err == nil {
			total = n
		}
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusGone, http.StatusRequestedRangeNotSatisfiable:
		return true, r.turnedAway(resp.StatusCode)
	default: // the body is a page for people
		return false, r.t.answered(resp.StatusCode, resp.Header, nil, s.now())
	}
	switch {
	case start > off || start > 0 && off == 0:
		return false, r.t.failure(errs.Corrupt, errs.ScopeObject, "ContentRange", "the answer holds another part of the file than was asked for")
	case total >= 0 && size >= 0 && total != size:
		return true, r.t.failure(errs.Corrupt, errs.ScopeObject, "Length", "the provider gives content of another length than it tells")
	}
	r.skip = off - start
	if size < 0 {
		r.left = -1
		if total >= 0 {
			r.left = total - off
		}
	}
	return false, nil
}

// turnedAway is a refusal of the content's host. It never speaks of credentials,
// of which that host knows nothing.
func (r *reader) turnedAway(status int) error {
	code := strconv.Itoa(status)
	switch status {
	case http.StatusNotFound, http.StatusGone:
		return r.t.failure(errs.NotFound, errs.ScopeObject, code, "the file's content is not there")
	case http.StatusRequestedRangeNotSatisfiable:
		return r.t.failure(errs.Stale, errs.ScopeObject, code, "the file is shorter than it was when it was listed")
	}
	return r.t.failure(errs.PermissionDenied, errs.ScopeObject, code, "the provider refuses the address that it gave for the file's content")
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
		return int(r.left), r.t.failure(errs.Corrupt, errs.ScopeObject, "TooLong", "the file is longer than it says")
	}
	if r.left >= 0 {
		r.left -= int64(n)
	}
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF) && r.left <= 0:
		return n, io.EOF
	}
	return n, r.broken(err)
}

// broken classifies the end of a transfer before its time.
func (r *reader) broken(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return io.ErrUnexpectedEOF
	}
	if cause := r.ctx.Err(); cause != nil {
		return &errs.Error{Kind: errs.KindOf(cause), Origin: errs.Provider, Op: r.t.op, Msg: "the transfer was given up", Err: fmt.Errorf("%w: %w", cause, err)}
	}
	return r.t.network(err)
}

func (r *reader) Close() error { return r.body.Close() }
