package s3

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"
)

// PutOptions says what an object written by Put is besides its content.
type PutOptions struct {
	ContentType  string            // default binary/octet-stream
	Metadata     map[string]string // user metadata, names without x-amz-meta-
	Tags         map[string]string
	StorageClass string // STANDARD when empty; GLACIER and DEEP_ARCHIVE can't be read

	// PartSize makes it a multipart object of parts of this size, with an ETag
	// like hex-N that is not the MD5 of the content.
	PartSize int64

	// ETag replaces the computed one (without quotes), as with KMS encryption.
	ETag string

	// LastModified replaces the time of the clock.
	LastModified time.Time

	// Checksum is stored with the object and returned where a request asks for
	// it with ChecksumMode ENABLED. A Composite ChecksumType needs a PartSize.
	Checksum     ChecksumAlgorithm
	ChecksumType ChecksumType // default FullObject
}

// CreateBucket adds a bucket in the server's region.
func (s *Server) CreateBucket(name string) error {
	return s.CreateBucketIn(name, s.opts.Region)
}

// CreateBucketIn adds a bucket in another region: requests signed for any other
// region are sent there (301 PermanentRedirect), those signed for it are answered.
func (s *Server) CreateBucketIn(name, region string) error {
	return s.addBucket(&bucket{name: name, region: region})
}

// Put writes an object as if a client had, without a request.
func (s *Server) Put(bucket, key string, data []byte, opts PutOptions) error {
	b, err := s.bucket(bucket)
	if err != nil {
		return err
	}
	a := &attributes{
		contentType: opts.ContentType, metadata: lowered(opts.Metadata),
		tags: opts.Tags, class: opts.StorageClass,
	}
	if opts.PartSize > 0 {
		a.parts = partSizes(int64(len(data)), opts.PartSize)
	}
	if opts.Checksum != "" {
		if a.checksum, err = sum(opts.Checksum, opts.ChecksumType, data, a.parts); err != nil {
			return err
		}
	}
	o := s.newObject(append([]byte(nil), data...), a)
	if opts.ETag != "" {
		o.etag = opts.ETag
	}
	if !opts.LastModified.IsZero() {
		o.modified = opts.LastModified
	}
	return b.update(key, func(*object) (*object, error) { return o, nil })
}

// newObject makes an object of data that nobody changes any more.
func (s *Server) newObject(data []byte, a *attributes) *object {
	return &object{
		size: int64(len(data)), etag: etagOf(data, a.parts), modified: s.now(),
		content: memory(data), attributes: a,
	}
}

// Delete removes an object. One that does not exist is no error.
func (s *Server) Delete(bucket, key string) error {
	b, err := s.bucket(bucket)
	if err != nil {
		return err
	}
	return b.update(key, func(*object) (*object, error) { return nil, nil })
}

// Touch gives an object another ETag and the clock's time, as if it had been
// written again. Its content stays.
func (s *Server) Touch(bucket, key string) error {
	b, err := s.bucket(bucket)
	if err != nil {
		return err
	}
	return b.update(key, func(old *object) (*object, error) {
		if old == nil {
			return nil, fmt.Errorf("s3: no object %q in bucket %q to touch", key, bucket)
		}
		o := *old
		o.etag = s.otherETag(old.etag)
		o.modified = s.now()
		return &o, nil
	})
}

// otherETag derives an ETag that no object had before.
func (s *Server) otherETag(etag string) string {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], s.touches.Add(1))
	h := md5.New()
	h.Write(n[:])
	h.Write([]byte(etag))
	return hex.EncodeToString(h.Sum(nil))
}

// Keys returns the keys of a bucket in the order of a listing.
func (s *Server) Keys(bucket string) ([]string, error) {
	b, err := s.bucket(bucket)
	if err != nil {
		return nil, err
	}
	var keys []string
	sc := b.scan()
	for from := ""; ; {
		o, err := sc.ceil(from)
		if err != nil || o == nil {
			return keys, err
		}
		keys = append(keys, o.key)
		from = o.key + "\x00"
	}
}

// ETag returns the ETag of an object, without quotes.
func (s *Server) ETag(bucket, key string) (string, error) {
	b, err := s.bucket(bucket)
	if err != nil {
		return "", err
	}
	o, err := b.get(key)
	if err != nil {
		return "", err
	}
	if o == nil {
		return "", failure("NoSuchKey")
	}
	return o.etag, nil
}
