package s3

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// query is a request for a page of keys.
type query struct {
	op         string
	bucket     string
	prefix     string
	delimiter  string
	startAfter string
	token      string
	max        int // 0: as many as the server gives
}

// listing is a page of keys, decoded.
type listing struct {
	objects  []types.Object
	prefixes []string
	token    string // of the next page
	more     bool
}

// list asks for a page of keys.
func (s *source) list(ctx context.Context, q query) (listing, error) {
	in := &sdk.ListObjectsV2Input{Bucket: aws.String(q.bucket), EncodingType: types.EncodingTypeUrl}
	set := func(to **string, v string) {
		if v != "" {
			*to = aws.String(v)
		}
	}
	set(&in.Prefix, q.prefix)
	set(&in.Delimiter, q.delimiter)
	set(&in.StartAfter, q.startAfter)
	set(&in.ContinuationToken, q.token)
	if q.max > 0 {
		in.MaxKeys = aws.Int32(int32(q.max))
	}
	t := target{op: q.op, bucket: q.bucket}
	out, err := do(ctx, s, t, func(ctx context.Context, c *sdk.Client) (*sdk.ListObjectsV2Output, error) {
		return c.ListObjectsV2(ctx, in, scanning)
	})
	if err != nil {
		return listing{}, err
	}
	return decode(t, out)
}

// decode undoes the encoding of keys, if the server says that it encoded them:
// not all know it. A space may be "+" or "%20".
func decode(t target, out *sdk.ListObjectsV2Output) (listing, error) {
	if out.Name == nil && out.IsTruncated == nil && out.MaxKeys == nil {
		// The SDK takes any page of anybody's for a listing without keys. Who
		// believed it would delete everything.
		return listing{}, notS3(t)
	}
	l := listing{objects: out.Contents, token: aws.ToString(out.NextContinuationToken), more: aws.ToBool(out.IsTruncated)}
	plain := func(k string) (string, error) { return k, nil }
	if out.EncodingType == types.EncodingTypeUrl {
		plain = url.QueryUnescape
	}
	bad := t.failure(errs.Corrupt, errs.ScopePath, "ListEncoding", "the listing holds a key that can't be decoded")
	for i := range l.objects {
		given := aws.ToString(l.objects[i].Key)
		k, err := plain(given)
		if err != nil || k == "" {
			return listing{}, bad
		}
		if k != given {
			l.objects[i].Key = aws.String(k)
		}
	}
	for _, p := range out.CommonPrefixes {
		k, err := plain(aws.ToString(p.Prefix))
		if err != nil {
			return listing{}, bad
		}
		l.prefixes = append(l.prefixes, k)
	}
	return l, nil
}

func notS3(t target) error {
	return t.failure(errs.Corrupt, errs.ScopePath, "NotS3", msgNotS3)
}

// cursor is where an enumeration goes on: behind a key, or, where there is no
// order or a page was empty, at the server's token.
type cursor struct {
	V     int    `json:"v"`
	After []byte `json:"a,omitempty"`
	Token string `json:"t,omitempty"`
	Loose bool   `json:"l,omitempty"` // of an unordered enumeration
}

func readCursor(t target, cur driver.Cursor, loose bool) (cursor, error) {
	c := cursor{V: 1, Loose: loose}
	if len(cur) == 0 {
		return c, nil
	}
	if err := json.Unmarshal(cur, &c); err != nil || c.V != 1 || c.Loose != loose || len(c.After) == 0 && c.Token == "" {
		return c, t.failure(errs.CursorExpired, errs.ScopePath, "", "the cursor is not one of this enumeration: enumerate again")
	}
	return c, nil
}

// Changes implements driver.Source: a page of an enumeration.
func (s *source) Changes(ctx context.Context, scope driver.Scope, cur driver.Cursor) (driver.Page, error) {
	t := target{op: "s3.list"}
	p, err := placeOf(t.op, scope.Path)
	if err != nil {
		return driver.Page{}, err
	}
	t.bucket = p.bucket
	if p.directory() && !scope.Unordered {
		return driver.Page{}, disorder(t, "a directory bucket is listed in no order")
	}
	c, err := readCursor(t, cur, scope.Unordered)
	if err != nil {
		return driver.Page{}, err
	}
	w := &walk{s: s, t: t, p: p, span: p.spanOf(scope), loose: scope.Unordered, c: c}
	return w.page(ctx, len(cur) == 0)
}

func disorder(t target, why string) error {
	return t.failure(errs.Corrupt, errs.ScopePath, driver.CodeListOrder, why+": it must be enumerated without relying on order")
}

// walk is one step of an enumeration.
type walk struct {
	s     *source
	t     target
	p     place
	span  span
	loose bool
	c     cursor
	last  string // the key before, in order
	out   driver.Page
}

// page reads the page at the cursor.
func (w *walk) page(ctx context.Context, first bool) (driver.Page, error) {
	w.out = driver.Page{Snapshot: true, Ordered: !w.loose}
	w.last = string(w.c.After)
	if w.span.end && w.span.to <= w.span.from {
		return w.out, nil
	}
	if first {
		if err := w.exact(ctx); err != nil {
			return driver.Page{}, err
		}
	}
	q := query{op: w.t.op, bucket: w.p.bucket, prefix: w.p.base, token: w.c.Token}
	if !w.loose && q.token == "" {
		if q.startAfter = string(w.c.After); first {
			q.startAfter = before(w.span.from)
		}
		if q.startAfter < q.prefix {
			q.startAfter = "" // the prefix says it better
		}
	}
	l, err := w.s.list(ctx, q)
	if err != nil {
		if w.c.Token != "" && errs.Is(err, errs.Invalid) && len(w.c.After) == 0 {
			return driver.Page{}, w.t.failure(errs.CursorExpired, errs.ScopePath, errs.From(err).Code, "the server no longer knows where the listing was: enumerate again")
		}
		return driver.Page{}, err
	}
	return w.take(l, q.startAfter)
}

// take makes a page of a listing.
func (w *walk) take(l listing, startAfter string) (driver.Page, error) {
	behind := startAfter
	w.out.Changes = slices.Grow(w.out.Changes, len(l.objects))
	for i := range l.objects {
		o := &l.objects[i]
		k := aws.ToString(o.Key)
		if !w.loose {
			switch {
			case k <= behind && behind != "", k <= w.last && w.last != "":
				return driver.Page{}, disorder(w.t, "the listing does not ascend")
			case !strings.HasPrefix(k, w.p.base):
				return driver.Page{}, disorder(w.t, "the listing holds keys that do not begin with the prefix")
			case w.span.end && k >= w.span.to:
				return w.out, nil
			}
			behind = k
		}
		if !w.span.has(k) || !w.p.has(k) {
			continue
		}
		w.out.Changes = append(w.out.Changes, driver.Change{Item: w.p.listed(o)})
	}
	if !l.more {
		return w.out, nil
	}
	if !w.loose && len(l.objects) > 0 {
		w.c.After, w.c.Token = []byte(behind), ""
	}
	if w.loose || len(l.objects) == 0 {
		if l.token == "" || l.token == w.c.Token {
			w.out.Incomplete = true // it says that there is more, and not where
			return w.out, nil
		}
		w.c.Token = l.token
	}
	w.out.More = true
	w.out.Next, _ = json.Marshal(w.c)
	return w.out, nil
}

// exact looks for the key that is the prefix without its slash. Who may list
// only what is below does not have it.
func (w *walk) exact(ctx context.Context) error {
	if w.p.exact == "" || w.p.directory() || !w.span.has(w.p.exact) {
		return nil
	}
	l, err := w.s.list(ctx, query{op: w.t.op, bucket: w.p.bucket, prefix: w.p.exact, max: 1})
	if errs.Is(err, errs.PermissionDenied) {
		return nil
	}
	if err != nil {
		return err
	}
	for i := range l.objects {
		o := &l.objects[i]
		if aws.ToString(o.Key) == w.p.exact {
			w.out.Changes = append(w.out.Changes, driver.Change{Item: w.p.listed(o)})
		}
	}
	return nil
}

// listed describes an object of a listing.
func (p place) listed(o *types.Object) driver.Item {
	return p.item(aws.ToString(o.Key), aws.ToInt64(o.Size), aws.ToString(o.ETag), string(o.StorageClass), aws.ToTime(o.LastModified))
}

// item describes an object of the place.
func (p place) item(k string, size int64, etag, storageClass string, modified time.Time) driver.Item {
	it := driver.Item{
		ID: p.bucket + "/" + k, Path: k, Rel: strings.TrimPrefix(k, p.base), Name: nameOf(k),
		Size: size, Version: versionOf(etag, size, modified), ModifiedAt: modified.UTC(),
	}
	if k == p.exact && p.exact != "" {
		it.Rel = it.Name
	}
	switch {
	case strings.HasSuffix(k, "/") && size == 0:
		it.Skip = "directory_marker"
	case storageClass == string(types.ObjectStorageClassGlacier) || storageClass == string(types.ObjectStorageClassDeepArchive):
		it.Skip = "archived_storage_class"
	}
	return it
}

// nameOf returns the last part of a key that is not empty.
func nameOf(k string) string {
	k = strings.TrimRight(k, "/")
	if k == "" {
		return "/"
	}
	return k[strings.LastIndexByte(k, '/')+1:]
}

// versionOf makes the opaque version: the ETag without its quotes, and the size.
// It is the same for a listing, a HEAD and a GET. A server without ETags leaves
// the time, to the second.
func versionOf(etag string, size int64, modified time.Time) string {
	if etag = bare(etag); etag == "" {
		etag = "@" + strconv.FormatInt(modified.Unix(), 10)
	}
	return etag + ":" + strconv.FormatInt(size, 10)
}

// bare takes the quotes off an ETag.
func bare(etag string) string {
	if len(etag) >= 2 && strings.HasPrefix(etag, `"`) && strings.HasSuffix(etag, `"`) {
		return etag[1 : len(etag)-1]
	}
	return etag
}

// etagOf returns the ETag of a version, without quotes, "" when there was none.
func etagOf(version string) string {
	i := strings.LastIndexByte(version, ':')
	if i < 0 || strings.HasPrefix(version, "@") {
		return ""
	}
	return version[:i]
}
