package s3

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/rclone/gofakes3"
)

// write hands a request to gofakes3, which reads uploads, copies, deletes and tags
// and calls the backend. What it does not know it refuses.
func (x *exchange) write() error {
	switch x.entry.Operation {
	case GetObjectAttributes: // gofakes3 has no ETags of multipart objects
		return failure("NotImplemented")
	case CopyObject, UploadPartCopy:
		if err := x.checkCopySource(); err != nil {
			return err
		}
	}
	ctx := context.WithValue(x.r.Context(), exchangeKey{}, x)
	r := x.r.Clone(ctx)
	r.URL.Path, r.URL.RawPath = "/"+x.entry.Bucket, ""
	if x.entry.Key != "" {
		r.URL.Path += "/" + x.entry.Key
	}
	r.Header.Del("Authorization")
	r.Header.Del("If-Match") // checked by the backend, under its lock
	r.Header.Del("If-None-Match")
	r.Body = hashedBody(r)
	x.s.inner.ServeHTTP(x.w, r)
	return nil
}

// exchangeKey finds the exchange in the context that gofakes3 hands on.
type exchangeKey struct{}

// headers are those of the request that the backend is called for.
func headers(ctx context.Context) http.Header {
	if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		return x.r.Header
	}
	return http.Header{}
}

// checkWrite checks the conditions under which an object may be replaced or
// deleted.
func checkWrite(ctx context.Context, old *object) error {
	h := headers(ctx)
	if v := h.Get("If-Match"); v != "" {
		if old == nil {
			return gofakes3.ErrNoSuchKey
		}
		if !etagListed(v, old.etag) {
			return gofakes3.ErrPreconditionFailed
		}
	}
	if v := h.Get("If-None-Match"); v != "" && old != nil && etagListed(v, old.etag) {
		return gofakes3.ErrPreconditionFailed
	}
	return nil
}

// checkCopySource checks the conditions on the source of a copy, which gofakes3
// can't for multipart objects, and takes them out.
func (x *exchange) checkCopySource() error {
	const header = "X-Amz-Copy-Source"
	bucket, rest := split(x.r.Header.Get(header))
	key, _, _ := strings.Cut(rest, "?")
	key, err := url.QueryUnescape(key)
	if err != nil {
		return invalid("x-amz-copy-source", rest, "Invalid copy source encoding")
	}
	b, err := x.s.bucket(bucket)
	if err != nil {
		return err
	}
	o, err := b.get(key)
	if err != nil {
		return err
	}
	if o == nil {
		return failure("NoSuchKey", Element{"Key", key})
	}
	conditions := http.Header{}
	for _, name := range []string{"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"} {
		if v := x.r.Header.Get(header + "-" + name); v != "" {
			conditions.Set(name, v)
			x.r.Header.Del(header + "-" + name)
		}
	}
	if checkConditions(conditions, o) != nil {
		return failure("PreconditionFailed")
	}
	return nil
}

// hashedBody checks the body against the hash that the signature covers.
func hashedBody(r *http.Request) io.ReadCloser {
	want, err := hex.DecodeString(r.Header.Get("X-Amz-Content-Sha256"))
	if err != nil || len(want) != sha256.Size {
		return r.Body // unsigned or signed by chunks
	}
	return &checkedBody{ReadCloser: r.Body, hash: sha256.New(), want: string(want), left: r.ContentLength}
}

// checkedBody fails at its last byte if the content is not what was signed.
type checkedBody struct {
	io.ReadCloser
	hash hash.Hash
	want string
	left int64 // -1 when the length is not known
}

func (b *checkedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.hash.Write(p[:n])
	if b.left >= 0 {
		b.left -= int64(n)
	}
	if (b.left == 0 && n > 0 || err == io.EOF) && string(b.hash.Sum(nil)) != b.want {
		return 0, gofakes3.ErrorMessage(gofakes3.ErrBadDigest, "The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	return n, err
}
