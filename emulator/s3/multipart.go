package s3

import (
	"context"
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"io"
	"strings"
	"sync"

	"github.com/rclone/gofakes3"
)

// uploads are the multipart uploads that are under way. They are kept here, not
// by gofakes3, because the finished object needs its parts for its ETag.
type uploads struct {
	mu   sync.Mutex
	byID map[gofakes3.UploadID]*upload
}

type upload struct {
	attributes *attributes
	algorithm  ChecksumAlgorithm
	kind       ChecksumType
	parts      map[int]part
}

type part struct {
	data []byte
	etag string
}

func (b *backend) CreateMultipartUpload(ctx context.Context, _, _ string, meta map[string]string) (gofakes3.UploadID, error) {
	h := headers(ctx)
	u := &upload{
		attributes: attributesOf(meta), parts: map[int]part{},
		algorithm: ChecksumAlgorithm(strings.ToLower(h.Get("X-Amz-Checksum-Algorithm"))),
		kind:      ChecksumType(strings.ToUpper(h.Get("X-Amz-Checksum-Type"))),
	}
	if u.kind == "" {
		u.kind = Composite
		if u.algorithm == CRC64NVME {
			u.kind = FullObject
		}
	}
	id := gofakes3.UploadID(rand.Text())
	b.s.uploads.mu.Lock()
	defer b.s.uploads.mu.Unlock()
	if b.s.uploads.byID == nil {
		b.s.uploads.byID = map[gofakes3.UploadID]*upload{}
	}
	b.s.uploads.byID[id] = u
	return id, nil
}

func (b *backend) UploadPart(_ context.Context, _, _ string, id gofakes3.UploadID, number int, size int64, body io.Reader) (string, error) {
	data, err := gofakes3.ReadAll(body, size)
	if err != nil {
		return "", err
	}
	sum := md5.Sum(data)
	etag := hex.EncodeToString(sum[:])
	b.s.uploads.mu.Lock()
	defer b.s.uploads.mu.Unlock()
	u := b.s.uploads.byID[id]
	if u == nil {
		return "", gofakes3.ErrNoSuchUpload
	}
	u.parts[number] = part{data, etag}
	return `"` + etag + `"`, nil
}

func (b *backend) CompleteMultipartUpload(ctx context.Context, bucket, key string, id gofakes3.UploadID, in *gofakes3.CompleteMultipartUploadRequest) (gofakes3.VersionID, string, error) {
	b.s.uploads.mu.Lock()
	u := b.s.uploads.byID[id]
	b.s.uploads.mu.Unlock()
	if u == nil {
		return "", "", gofakes3.ErrNoSuchUpload
	}
	data, sizes, err := b.assemble(u, in)
	if err != nil {
		return "", "", err
	}
	a := *u.attributes
	a.parts = sizes
	if u.algorithm != "" {
		if a.checksum, err = sum(u.algorithm, u.kind, data, sizes); err != nil {
			return "", "", gofakes3.ErrorMessage(gofakes3.ErrInvalidRequest, err.Error())
		}
	}
	o, err := b.put(ctx, bucket, key, b.s.newObject(data, &a))
	if err != nil {
		return "", "", err
	}
	return "", `"` + o.etag + `"`, b.AbortMultipartUpload(ctx, bucket, key, id)
}

// assemble joins the parts that a client lists.
func (b *backend) assemble(u *upload, in *gofakes3.CompleteMultipartUploadRequest) (data []byte, sizes []int64, err error) {
	b.s.uploads.mu.Lock()
	defer b.s.uploads.mu.Unlock()
	if len(in.Parts) == 0 {
		return nil, nil, gofakes3.ErrMalformedXML
	}
	last := 0
	for _, listed := range in.Parts {
		if listed.PartNumber <= last {
			return nil, nil, gofakes3.ErrInvalidPartOrder
		}
		last = listed.PartNumber
		p, ok := u.parts[listed.PartNumber]
		if !ok || strings.Trim(listed.ETag, `"`) != p.etag {
			return nil, nil, gofakes3.ErrInvalidPart
		}
		data = append(data, p.data...)
		sizes = append(sizes, int64(len(p.data)))
	}
	return data, sizes, nil
}

func (b *backend) AbortMultipartUpload(_ context.Context, _, _ string, id gofakes3.UploadID) error {
	b.s.uploads.mu.Lock()
	defer b.s.uploads.mu.Unlock()
	delete(b.s.uploads.byID, id)
	return nil
}
