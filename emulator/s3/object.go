package s3

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"time"
)

// object is one object of a bucket. It never changes: a write puts another one
// in its place, so that a reader needs no lock.
type object struct {
	key      string
	size     int64
	etag     string // without quotes
	modified time.Time
	content  content
	deleted  bool // hides the object of the same key in the layer below
	*attributes
}

// attributes is what an object has besides its content.
type attributes struct {
	contentType string
	headers     map[string]string // Cache-Control and the like, canonical names
	metadata    map[string]string // names in lower case, without x-amz-meta-
	tags        map[string]string
	class       string  // "" is STANDARD
	parts       []int64 // sizes, for a multipart object
	checksum    *checksum
}

// plain are the attributes of objects that have none.
var plain = &attributes{}

// storageClass is the class as it is written.
func (a *attributes) storageClass() string {
	if a.class == "" {
		return "STANDARD"
	}
	return a.class
}

// archived says whether the content must be restored before it can be read.
func (a *attributes) archived() bool { return a.class == "GLACIER" || a.class == "DEEP_ARCHIVE" }

// content gives the bytes of an object.
type content interface {
	// open returns n bytes from off on; the range lies within the object.
	open(off, n int64) (io.ReadCloser, error)
}

// memory is content that is kept in memory.
type memory []byte

func (m memory) open(off, n int64) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(m[off : off+n])), nil
}

// etagOf gives the ETag that S3 gives: the MD5 of the content, or for a multipart
// object the MD5 of the parts' MD5s and their number.
func etagOf(data []byte, parts []int64) string {
	if len(parts) == 0 {
		sum := md5.Sum(data)
		return hex.EncodeToString(sum[:])
	}
	h := md5.New()
	for _, part := range cut(data, parts) {
		sum := md5.Sum(part)
		h.Write(sum[:])
	}
	return fmt.Sprintf("%x-%d", h.Sum(nil), len(parts))
}

// cut divides data into parts of the sizes given.
func cut(data []byte, sizes []int64) [][]byte {
	var out [][]byte
	for _, n := range sizes {
		out = append(out, data[:n])
		data = data[n:]
	}
	return out
}

// partSizes divides total into parts of at most size bytes; one part at least.
func partSizes(total, size int64) []int64 {
	var out []int64
	for total > size {
		out = append(out, size)
		total -= size
	}
	return append(out, total)
}
