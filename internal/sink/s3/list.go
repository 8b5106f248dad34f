package s3

import (
	"context"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"mooring/internal/errs"
	"mooring/internal/sink"
)

const (
	keysAtOnce    = 1000 // that one request lists or deletes
	deletesAtOnce = 8    // where a service deletes one by one
)

// list calls f with every key that begins with a prefix.
func (p *part) list(ctx context.Context, op, prefix string, f func(key string, size int64) error) error {
	in := &sdk.ListObjectsV2Input{Bucket: &p.d.Options.Bucket, Prefix: &prefix, EncodingType: types.EncodingTypeUrl}
	for {
		if err := ctx.Err(); err != nil {
			return errs.Wrap(err, errs.Canceled, op, "canceled")
		}
		out, err := p.d.client.ListObjectsV2(ctx, in)
		if err != nil {
			return failed(op, err)
		}
		for _, o := range out.Contents {
			key, err := decoded(op, o.Key, out.EncodingType)
			if err != nil {
				return err
			}
			if !strings.HasPrefix(key, prefix) {
				return errs.New(errs.Unavailable, op, "the destination lists keys that were not asked for")
			}
			if err := f(key, aws.ToInt64(o.Size)); err != nil {
				return err
			}
		}
		if !aws.ToBool(out.IsTruncated) {
			return nil
		}
		if in.ContinuationToken = out.NextContinuationToken; aws.ToString(in.ContinuationToken) == "" {
			return errs.New(errs.Unavailable, op, "the destination says that more keys follow, but not where")
		}
	}
}

func decoded(op string, key *string, enc types.EncodingType) (string, error) {
	if enc != types.EncodingTypeUrl {
		return aws.ToString(key), nil
	}
	k, err := url.QueryUnescape(aws.ToString(key))
	if err != nil {
		return "", errs.Wrap(err, errs.Unavailable, op, "the destination lists a key that can't be read")
	}
	return k, nil
}

// Names lists the part. What is no name of ours was put there by others.
func (p *part) Names(ctx context.Context, f func(name string, size int64) error) error {
	const op = "s3.names"
	return p.list(ctx, op, p.root, func(key string, size int64) error {
		if name := strings.TrimPrefix(key, p.root); sink.CheckName(op, name) == nil {
			return f(name, size)
		}
		return nil
	})
}

// Sweep deletes staged objects, and aborts uploads of such, that are not kept.
func (p *part) Sweep(ctx context.Context, keep func(staged string) bool) error {
	const op = "s3.sweep"
	prefix := p.root + stagingDir
	drop := func(key string) bool {
		staged := strings.TrimPrefix(key, prefix)
		p.mu.Lock()
		_, gone := p.placed[staged]
		p.mu.Unlock()
		if gone || keep(staged) {
			return false
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.staged, staged)
		return true
	}
	if err := p.sweep(ctx, op, prefix, drop); err != nil {
		return err
	}
	return p.abortUploads(ctx, op, prefix, func(key string) bool { return !keep(strings.TrimPrefix(key, prefix)) })
}

// sweep deletes the objects below a prefix that drop says.
func (p *part) sweep(ctx context.Context, op, prefix string, drop func(key string) bool) error {
	var batch []string
	err := p.list(ctx, op, prefix, func(key string, _ int64) error {
		if !drop(key) {
			return nil
		}
		if batch = append(batch, key); len(batch) < keysAtOnce {
			return nil
		}
		full := batch
		batch = nil
		return p.deleteAll(ctx, op, full)
	})
	if err != nil {
		return err
	}
	return p.deleteAll(ctx, op, batch)
}

// Destroy deletes everything below the part's root. It may be called again.
func (p *part) Destroy(ctx context.Context) error {
	const op = "s3.destroy"
	all := func(string) bool { return true }
	if err := p.abortUploads(ctx, op, p.root, all); err != nil {
		return err
	}
	if err := p.sweep(ctx, op, p.root, all); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.staged)
	clear(p.placed)
	return nil
}

// abortUploads drops uploads that were begun and not finished.
func (p *part) abortUploads(ctx context.Context, op, prefix string, drop func(key string) bool) error {
	in := &sdk.ListMultipartUploadsInput{Bucket: &p.d.Options.Bucket, Prefix: &prefix, EncodingType: types.EncodingTypeUrl}
	for {
		out, err := p.d.client.ListMultipartUploads(ctx, in)
		if codeOf(err) == "NotImplemented" || codeOf(err) == "NoSuchUpload" { // some say the latter when there is none
			return nil
		}
		if err != nil {
			return failed(op, err)
		}
		for _, u := range out.Uploads {
			key, err := decoded(op, u.Key, out.EncodingType)
			if err != nil {
				return err
			}
			if !strings.HasPrefix(key, prefix) || !drop(key) {
				continue
			}
			_, err = p.d.client.AbortMultipartUpload(ctx, &sdk.AbortMultipartUploadInput{Bucket: &p.d.Options.Bucket, Key: &key, UploadId: u.UploadId})
			if err != nil && !missing(err) && codeOf(err) != "NoSuchUpload" {
				return failed(op, err)
			}
		}
		if !aws.ToBool(out.IsTruncated) {
			return nil
		}
		marker, err := decoded(op, out.NextKeyMarker, out.EncodingType)
		if err != nil {
			return err
		}
		if marker == aws.ToString(in.KeyMarker) && aws.ToString(out.NextUploadIdMarker) == aws.ToString(in.UploadIdMarker) {
			return errs.New(errs.Unavailable, op, "the destination says that more uploads follow, but not where")
		}
		in.KeyMarker, in.UploadIdMarker = &marker, out.NextUploadIdMarker
	}
}

// delete deletes a key: whatever stands there, or only the version of an ETag. A
// key that is missing, or has another version, is done.
func (p *part) delete(ctx context.Context, op, key, etag string) error {
	in := &sdk.DeleteObjectInput{Bucket: &p.d.Options.Bucket, Key: &key}
	if etag != "" && !p.d.plain.Load() {
		in.IfMatch = &etag
	}
	_, err := p.d.client.DeleteObject(ctx, in)
	if codeOf(err) == "NotImplemented" && in.IfMatch != nil {
		in.IfMatch = nil
		_, err = p.d.client.DeleteObject(ctx, in)
	}
	if err == nil || missing(err) || codeOf(err) == "PreconditionFailed" {
		return nil
	}
	return failed(op, err)
}

// deleteAll deletes keys, in as few requests as the service allows.
func (p *part) deleteAll(ctx context.Context, op string, keys []string) error {
	for len(keys) > 0 {
		n := min(len(keys), keysAtOnce)
		if err := p.deleteSome(ctx, op, keys[:n]); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}

func (p *part) deleteSome(ctx context.Context, op string, keys []string) error {
	list := make([]types.ObjectIdentifier, len(keys))
	for i := range keys {
		list[i] = types.ObjectIdentifier{Key: &keys[i]}
	}
	out, err := p.d.client.DeleteObjects(ctx, &sdk.DeleteObjectsInput{Bucket: &p.d.Options.Bucket, Delete: &types.Delete{Objects: list, Quiet: aws.Bool(true)}})
	switch code := codeOf(err); {
	case code == "NotImplemented" || code == "MethodNotAllowed":
		return p.deleteEach(ctx, op, keys)
	case err != nil:
		return failed(op, err)
	}
	for _, e := range out.Errors {
		if code := aws.ToString(e.Code); code != "NoSuchKey" {
			return byCode(op, code)
		}
	}
	return nil
}

func (p *part) deleteEach(ctx context.Context, op string, keys []string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(deletesAtOnce)
	for _, key := range keys {
		group.Go(func() error { return p.delete(ctx, op, key, "") })
	}
	return group.Wait()
}
