package s3

import (
	"context"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/rclone/gofakes3"
)

// backend is the storage that gofakes3 writes to: the server's buckets.
type backend struct{ s *Server }

var (
	_ gofakes3.Backend              = (*backend)(nil)
	_ gofakes3.MultipartBackend     = (*backend)(nil)
	_ gofakes3.ObjectTaggingBackend = (*backend)(nil)
)

// bucket translates the error of a missing bucket.
func (b *backend) bucket(name string) (*bucket, error) {
	found, err := b.s.bucket(name)
	if err != nil {
		return nil, gofakes3.BucketNotFound(name)
	}
	return found, nil
}

func (b *backend) ListBuckets(context.Context) ([]gofakes3.BucketInfo, error) {
	var out []gofakes3.BucketInfo
	for _, bucket := range b.s.bucketList() {
		out = append(out, gofakes3.BucketInfo{Name: bucket.name, CreationDate: gofakes3.NewContentTime(bucket.created)})
	}
	return out, nil
}

// ListBucket serves ListObjectVersions; other lists don't come here.
func (b *backend) ListBucket(_ context.Context, name string, prefix *gofakes3.Prefix, page gofakes3.ListBucketPage) (*gofakes3.ObjectList, error) {
	bucket, err := b.bucket(name)
	if err != nil {
		return nil, err
	}
	l := listQuery{startAfter: page.Marker}
	if prefix != nil {
		l.prefix, l.delimiter = prefix.Prefix, prefix.Delimiter
	}
	limit := maxListKeys
	if page.MaxKeys > 0 {
		limit = int(min(page.MaxKeys, maxListKeys))
	}
	p, err := l.take(bucket.scan(), limit)
	if err != nil {
		return nil, err
	}
	out := gofakes3.NewObjectList()
	for _, o := range p.objects {
		out.Add(&gofakes3.Content{
			Key: o.key, Size: o.size, ETag: `"` + o.etag + `"`, LastModified: gofakes3.NewContentTime(o.modified),
		})
	}
	for _, group := range p.prefixes {
		out.AddPrefix(group)
	}
	if out.IsTruncated = p.truncated; p.truncated {
		out.NextMarker = p.last
	}
	return out, nil
}

func (b *backend) CreateBucket(_ context.Context, name string) error {
	if b.s.CreateBucket(name) != nil {
		return gofakes3.ResourceError(gofakes3.ErrBucketAlreadyExists, name)
	}
	return nil
}

func (b *backend) BucketExists(_ context.Context, name string) (bool, error) {
	_, err := b.s.bucket(name)
	return err == nil, nil
}

func (b *backend) DeleteBucket(_ context.Context, name string) error {
	bucket, err := b.bucket(name)
	if err != nil {
		return err
	}
	if o, err := bucket.scan().ceil(""); err != nil {
		return err
	} else if o != nil {
		return gofakes3.ResourceError(gofakes3.ErrBucketNotEmpty, name)
	}
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	delete(b.s.buckets, name)
	if bucket.base != nil {
		return bucket.base.close()
	}
	return nil
}

// find returns an object or the error that gofakes3 knows.
func (b *backend) find(name, key string) (*object, error) {
	bucket, err := b.bucket(name)
	if err != nil {
		return nil, err
	}
	o, err := bucket.get(key)
	if err == nil && o == nil {
		err = gofakes3.KeyNotFound(key)
	}
	return o, err
}

func (b *backend) GetObject(_ context.Context, name, key string, rng *gofakes3.ObjectRangeRequest) (*gofakes3.Object, error) {
	o, err := b.find(name, key)
	if err != nil {
		return nil, err
	}
	out := foreign(o)
	if out.Range, err = rng.Range(o.size); err != nil {
		return nil, err
	}
	part := span{0, o.size}
	if out.Range != nil {
		part = span{out.Range.Start, out.Range.Length}
	}
	out.Contents, err = o.content.open(part.off, part.n)
	return out, err
}

func (b *backend) HeadObject(_ context.Context, name, key string) (*gofakes3.Object, error) {
	o, err := b.find(name, key)
	if err != nil {
		return nil, err
	}
	return foreign(o), nil
}

func (b *backend) DeleteObject(ctx context.Context, name, key string) (gofakes3.ObjectDeleteResult, error) {
	bucket, err := b.bucket(name)
	if err != nil {
		return gofakes3.ObjectDeleteResult{}, err
	}
	return gofakes3.ObjectDeleteResult{}, bucket.update(key, func(old *object) (*object, error) {
		if err := checkWrite(ctx, old); err != nil && old != nil {
			return nil, err
		}
		return nil, nil
	})
}

func (b *backend) DeleteMulti(_ context.Context, name string, keys ...string) (gofakes3.MultiDeleteResult, error) {
	var out gofakes3.MultiDeleteResult
	for _, key := range keys {
		if err := b.s.Delete(name, key); err != nil {
			out.Error = append(out.Error, gofakes3.ErrorResult{Key: key, Code: gofakes3.ErrInternal, Message: err.Error()})
			continue
		}
		out.Deleted = append(out.Deleted, gofakes3.ObjectID{Key: key})
	}
	return out, nil
}

func (b *backend) PutObject(ctx context.Context, name, key string, meta map[string]string, input io.Reader, size int64) (gofakes3.PutObjectResult, error) {
	data, err := gofakes3.ReadAll(input, size)
	if err != nil {
		return gofakes3.PutObjectResult{}, err
	}
	a := attributesOf(meta)
	if algorithm := requestedChecksum(headers(ctx)); algorithm != "" && a.checksum == nil {
		if a.checksum, err = sum(algorithm, FullObject, data, nil); err != nil {
			return gofakes3.PutObjectResult{}, gofakes3.ErrorMessage(gofakes3.ErrInvalidRequest, err.Error())
		}
	}
	o, err := b.put(ctx, name, key, b.s.newObject(data, a))
	if err != nil {
		return gofakes3.PutObjectResult{}, err
	}
	return gofakes3.PutObjectResult{ETag: `"` + o.etag + `"`}, nil
}

// put stores an object if the request's conditions hold.
func (b *backend) put(ctx context.Context, name, key string, o *object) (*object, error) {
	bucket, err := b.bucket(name)
	if err != nil {
		return nil, err
	}
	return o, bucket.update(key, func(old *object) (*object, error) {
		return o, checkWrite(ctx, old)
	})
}

func (b *backend) CopyObject(ctx context.Context, srcBucket, srcKey, dstBucket, dstKey string, meta map[string]string) (gofakes3.CopyObjectResult, error) {
	var out gofakes3.CopyObjectResult
	src, err := b.find(srcBucket, srcKey)
	if err != nil {
		return out, err
	}
	r, err := src.content.open(0, src.size)
	if err != nil {
		return out, err
	}
	defer r.Close()
	data, err := gofakes3.ReadAll(r, src.size)
	if err != nil {
		return out, err
	}
	o, err := b.put(ctx, dstBucket, dstKey, b.s.newObject(data, attributesOf(meta)))
	if err != nil {
		return out, err
	}
	return gofakes3.CopyObjectResult{ETag: `"` + o.etag + `"`, LastModified: gofakes3.NewContentTime(o.modified)}, nil
}

func (b *backend) SetObjectTagging(_ context.Context, name, key, tagging string) error {
	bucket, err := b.bucket(name)
	if err != nil {
		return err
	}
	return bucket.update(key, func(old *object) (*object, error) {
		if old == nil {
			return nil, gofakes3.KeyNotFound(key)
		}
		o, a := *old, *old.attributes
		a.tags = parseTags(tagging)
		o.attributes = &a
		return &o, nil
	})
}

// foreign gives an object in the form of gofakes3. An ETag that is not plain hex
// has no such form; what depends on it is done here and not there.
func foreign(o *object) *gofakes3.Object {
	meta := map[string]string{"Last-Modified": httpTime(o.modified)}
	for name, value := range o.headers {
		meta[name] = value
	}
	for name, value := range o.metadata {
		meta["X-Amz-Meta-"+name] = value
	}
	if o.contentType != "" {
		meta["Content-Type"] = o.contentType
	}
	if o.class != "" {
		meta["X-Amz-Storage-Class"] = o.class
	}
	if len(o.tags) > 0 {
		tags := url.Values{}
		for name, value := range o.tags {
			tags.Set(name, value)
		}
		meta[gofakes3.TaggingMetadataKey] = tags.Encode()
	}
	hash, _ := hex.DecodeString(o.etag)
	return &gofakes3.Object{
		Name: o.key, Metadata: meta, Size: o.size, Hash: hash, PartSizes: o.parts,
		Contents: http.NoBody,
	}
}

// attributesOf reads what gofakes3 found in the headers of a write.
func attributesOf(meta map[string]string) *attributes {
	a := &attributes{headers: map[string]string{}, metadata: map[string]string{}}
	for name, value := range meta {
		name = http.CanonicalHeaderKey(name)
		rest, isMeta := strings.CutPrefix(name, "X-Amz-Meta-")
		algorithm, isSum := strings.CutPrefix(name, "X-Amz-Checksum-")
		switch {
		case isMeta:
			a.metadata[strings.ToLower(rest)] = value
		case isSum:
			a.checksum = &checksum{ChecksumAlgorithm(strings.ToLower(algorithm)), FullObject, value}
		case name == "Content-Type":
			a.contentType = value
		case name == "X-Amz-Storage-Class":
			a.class = value
		case name == gofakes3.TaggingMetadataKey:
			a.tags = parseTags(value)
		case name != "Last-Modified":
			a.headers[name] = value
		}
	}
	return a
}

// requestedChecksum is the algorithm of a checksum that follows the body, which
// gofakes3 does not read, so that it is computed here.
func requestedChecksum(h http.Header) ChecksumAlgorithm {
	for _, name := range []string{h.Get("X-Amz-Sdk-Checksum-Algorithm"), strings.TrimPrefix(strings.ToLower(h.Get("X-Amz-Trailer")), "x-amz-checksum-")} {
		if algorithm := ChecksumAlgorithm(strings.ToLower(name)); hashes[algorithm] != nil {
			return algorithm
		}
	}
	return ""
}

func parseTags(encoded string) map[string]string {
	values, _ := url.ParseQuery(encoded)
	tags := make(map[string]string, len(values))
	for name := range values {
		tags[name] = values.Get(name)
	}
	return tags
}

// lowered returns metadata with names in lower case, as headers have none other.
func lowered(metadata map[string]string) map[string]string {
	out := make(map[string]string, len(metadata))
	for name, value := range metadata {
		out[strings.ToLower(name)] = value
	}
	return out
}
