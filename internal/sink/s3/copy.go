package s3

import (
	"context"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"mooring/internal/errs"
)

const (
	copyTries    = 8 // of a copy whose place others write to
	folderTries  = 4 // of one that a folder is in the way of: services that keep files remove empty ones late
	copiesAtOnce = 4 // parts of one copy
)

// condition is what has to stand under a key for it to be written: nothing, a
// version, or anything.
type condition struct {
	match, noneMatch *string
}

// copy copies a version to a key, over exactly what it finds there. It reports
// false when the version is not there (any more).
func (p *part) copy(ctx context.Context, op, from, to string, v version) (bool, error) {
	c := condition{noneMatch: aws.String("*")} // most names are new
	for try := range copyTries {
		if p.d.plain.Load() {
			c = condition{}
		}
		err := p.copyOnce(ctx, from, to, v, c)
		switch code := codeOf(err); {
		case err == nil:
			return true, nil
		case code == "NotImplemented" && c != (condition{}):
			p.d.plain.Store(true)
			continue
		case notHere[code] && try < folderTries:
		case !missing(err) && code != "PreconditionFailed" && code != "ConditionalRequestConflict" && code != "NoSuchUpload":
			return false, failed(op, err)
		}
		// Either the source is another or none, or what stands at the target is.
		switch there, err := p.head(ctx, op, from); {
		case err != nil:
			return false, err
		case there == nil || there.etag != v.etag:
			return false, nil
		}
		there, err := p.head(ctx, op, to)
		switch {
		case err != nil:
			return false, err
		case there == nil:
			c = condition{noneMatch: aws.String("*")}
		default:
			c = condition{match: &there.etag}
		}
	}
	return false, errs.New(errs.Unavailable, op, "a name in the destination changes faster than it can be written")
}

func (p *part) copyOnce(ctx context.Context, from, to string, v version, c condition) error {
	if v.size > p.d.CopyLimit {
		return p.copyParts(ctx, from, to, v, c)
	}
	_, err := p.d.client.CopyObject(ctx, &sdk.CopyObjectInput{
		Bucket: &p.d.Options.Bucket, Key: &to, CopySource: p.source(from), CopySourceIfMatch: &v.etag, IfMatch: c.match, IfNoneMatch: c.noneMatch,
	})
	return err
}

// copyParts copies what is too large for one request. What an earlier attempt,
// perhaps of a worker that was killed or sleeps, has left unfinished is aborted.
func (p *part) copyParts(ctx context.Context, from, to string, v version, c condition) error {
	const op = "s3.copy"
	if err := p.abortUploads(ctx, op, to, func(key string) bool { return key == to }); err != nil {
		return err
	}
	up, err := p.d.client.CreateMultipartUpload(ctx, &sdk.CreateMultipartUploadInput{Bucket: &p.d.Options.Bucket, Key: &to})
	if err != nil {
		return err
	}
	size := partSize(v.size, p.d.CopyPart)
	parts := make([]types.CompletedPart, (v.size+size-1)/size)
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(copiesAtOnce)
	for i := range parts {
		group.Go(func() error {
			first := int64(i) * size
			last := min(first+size, v.size) - 1
			n := int32(i + 1)
			out, err := p.d.client.UploadPartCopy(inner, &sdk.UploadPartCopyInput{
				Bucket: &p.d.Options.Bucket, Key: &to, UploadId: up.UploadId, PartNumber: &n, CopySource: p.source(from), CopySourceIfMatch: &v.etag,
				CopySourceRange: aws.String("bytes=" + strconv.FormatInt(first, 10) + "-" + strconv.FormatInt(last, 10)),
			})
			if err == nil {
				parts[i] = types.CompletedPart{PartNumber: &n, ETag: out.CopyPartResult.ETag}
			}
			return err
		})
	}
	if err = group.Wait(); err == nil {
		_, err = p.d.client.CompleteMultipartUpload(ctx, &sdk.CompleteMultipartUploadInput{
			Bucket: &p.d.Options.Bucket, Key: &to, UploadId: up.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
			IfMatch: c.match, IfNoneMatch: c.noneMatch,
		})
	}
	if err != nil {
		p.abort(ctx, to, aws.ToString(up.UploadId))
	}
	return err
}

// abort drops an upload. Should that fail, a sweep or a redo will.
func (p *part) abort(ctx context.Context, key, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortGrace)
	defer cancel()
	_, _ = p.d.client.AbortMultipartUpload(ctx, &sdk.AbortMultipartUploadInput{Bucket: &p.d.Options.Bucket, Key: &key, UploadId: &id})
}

// partSize is the size of parts for content of a size: least, or as much as the
// number of parts demands. All parts but the last are of it, as some services
// want.
func partSize(size, least int64) int64 {
	need := (size + maxParts - 1) / maxParts
	if need <= least {
		return least
	}
	return (need + mebi - 1) / mebi * mebi
}

// source names the source of a copy, where everything that is not plain has to
// be escaped.
func (p *part) source(key string) *string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	b.WriteString(p.d.Options.Bucket + "/")
	for i := range len(key) {
		switch c := key[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.', c == '~', c == '/':
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return aws.String(b.String())
}
