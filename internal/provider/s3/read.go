package s3

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// Open implements driver.Source.
func (s *source) Open(ctx context.Context, item driver.Item, off int64) (io.ReadCloser, error) {
	bucket, k, err := keyOf("s3.get", item.ID)
	if err != nil {
		return nil, err
	}
	t := target{op: "s3.get", bucket: bucket, object: true}
	switch {
	case off < 0 || item.Size >= 0 && off > item.Size:
		return nil, t.failure(errs.Stale, errs.ScopeObject, "InvalidRange", "the object is shorter than the offset asked for")
	case off > 0 && off == item.Size:
		return s.nothing(ctx, t, k, item) // no range can be asked for at the end
	}
	w := wanted{bucket: bucket, key: k, match: aws.ToString(ifMatch(item))}
	if off > 0 {
		w.span = "bytes=" + strconv.FormatInt(off, 10) + "-"
	}
	r, err := s.reader(ctx, t, w, item, off)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// OpenRange implements driver.Ranger.
func (s *source) OpenRange(ctx context.Context, item driver.Item, off, n int64) (io.ReadCloser, error) {
	bucket, k, err := keyOf("s3.get", item.ID)
	if err != nil {
		return nil, err
	}
	t := target{op: "s3.get", bucket: bucket, object: true}
	if off < 0 || n < 1 || item.Size >= 0 && off+n > item.Size {
		return nil, t.failure(errs.Stale, errs.ScopeObject, "InvalidRange", "the object is shorter than the range asked for")
	}
	w := wanted{bucket: bucket, key: k, match: aws.ToString(ifMatch(item)), span: fmt.Sprintf("bytes=%d-%d", off, off+n-1)}
	r, err := s.reader(ctx, t, w, item, off)
	if err != nil {
		return nil, err
	}
	if r.skip > 0 {
		_ = r.Close()
		return nil, t.failure(errs.Corrupt, errs.ScopeObject, "ContentRange", "the server does not give parts of objects")
	}
	r.left, r.sums = n, nil
	return r, nil
}

// reader asks for content and judges the head of the answer.
func (s *source) reader(ctx context.Context, t target, w wanted, item driver.Item, off int64) (*reader, error) {
	resp, err := do(ctx, s, t, func(ctx context.Context, c *sdk.Client) (*http.Response, error) { return s.get(ctx, c, w) })
	if err != nil {
		return nil, err
	}
	r := &reader{body: resp.Body, t: t, left: -1, ctx: ctx}
	if err := r.expect(resp, item, off); err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	return r, nil
}

func ifMatch(item driver.Item) *string {
	etag := etagOf(item.Version)
	switch {
	case etag == "":
		return nil
	case strings.HasPrefix(etag, `W/"`):
		return aws.String(etag)
	}
	return aws.String(`"` + etag + `"`)
}

// nothing is the rest of an object behind its last byte.
func (s *source) nothing(ctx context.Context, t target, k string, item driver.Item) (io.ReadCloser, error) {
	out, err := s.head(ctx, target{op: t.op, bucket: t.bucket, object: true}, k, ifMatch(item))
	if err != nil {
		return nil, err
	}
	if versionOf(aws.ToString(out.ETag), aws.ToInt64(out.ContentLength), aws.ToTime(out.LastModified)) != item.Version {
		return nil, stale(t)
	}
	return io.NopCloser(bytes.NewReader(nil)), nil
}

func stale(t target) error {
	return t.failure(errs.Stale, errs.ScopeObject, "PreconditionFailed", "the object has changed since it was listed")
}

// reader reads an object and knows how much is to come.
type reader struct {
	ctx  context.Context
	body io.ReadCloser
	t    target
	skip int64 // to be dropped first: the server ignored the range
	left int64 // -1: not known
	sums []driver.Checksum
}

var contentRange = regexp.MustCompile(`^bytes (\d+)-(\d+)/(\d+|\*)$`)

// expect compares the head of an answer with what was listed and asked for.
func (r *reader) expect(resp *http.Response, item driver.Item, off int64) error {
	if want, got := etagOf(item.Version), resp.Header.Get("ETag"); want != "" && got != "" && bare(got) != want {
		return stale(r.t) // a server that ignores If-Match
	}
	start, total := int64(0), resp.ContentLength // -1: not said
	if cr := resp.Header.Get("Content-Range"); cr != "" {
		m := contentRange.FindStringSubmatch(cr)
		if m == nil {
			return r.t.failure(errs.Corrupt, errs.ScopeObject, "ContentRange", "the answer does not say which part of the object it holds")
		}
		start, _ = strconv.ParseInt(m[1], 10, 64)
		if total, _ = strconv.ParseInt(m[3], 10, 64); m[3] == "*" {
			total = -1
		}
	}
	switch {
	case start > off, start > 0 && off == 0:
		return r.t.failure(errs.Corrupt, errs.ScopeObject, "ContentRange", "the answer holds another part of the object than was asked for")
	case item.Size >= 0 && total >= 0 && total != item.Size:
		return stale(r.t)
	}
	r.skip = off - start
	if size := max(item.Size, total); size >= 0 {
		r.left = size - off
	}
	r.sums = checksums(resp.Header, off)
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
		return int(r.left), r.t.failure(errs.Corrupt, errs.ScopeObject, "TooLong", "the object is longer than it says")
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
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return io.ErrUnexpectedEOF
	}
	if cause := r.ctx.Err(); cause != nil {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	return classify(r.t, err, zeroTime)
}

func (r *reader) Close() error { return r.body.Close() }

// checksums gathers what an answer says of the whole object. An answer with a
// part may carry the part's.
func checksums(h http.Header, off int64) (sums []driver.Checksum) {
	if off == 0 && h.Get("X-Amz-Checksum-Type") != string(types.ChecksumTypeComposite) {
		for _, c := range storedSums {
			// One with "-N" at its end is that of parts, and does not decode.
			if b, err := base64.StdEncoding.DecodeString(h.Get(c.header)); err == nil && len(b) == c.size {
				sums = append(sums, driver.Checksum{Algorithm: c.name, Value: b, Certain: true})
			}
		}
	}
	if b, err := hex.DecodeString(bare(h.Get("ETag"))); err == nil && len(b) == md5.Size {
		sums = append(sums, driver.Checksum{Algorithm: "md5", Value: b})
	}
	return sums
}

// storedSums are the checksums that S3 keeps, with their sizes in bytes.
var storedSums = []struct {
	name, header string
	size         int
}{
	{"sha256", "X-Amz-Checksum-Sha256", sha256.Size}, {"sha1", "X-Amz-Checksum-Sha1", sha1.Size}, {"crc64nvme", "X-Amz-Checksum-Crc64nvme", 8},
	{"crc32c", "X-Amz-Checksum-Crc32c", crc32.Size}, {"crc32", "X-Amz-Checksum-Crc32", crc32.Size},
}
