package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"

	"mooring/internal/errs"
	"mooring/internal/sink"
)

// Stage takes content for a staging name. Nothing is sent before a part is full
// or the content ends. While too much is held in memory already, it waits.
func (p *part) Stage(ctx context.Context, staged string, size int64) (sink.Writer, error) {
	const op = "s3.stage"
	if err := sink.CheckStaged(op, staged); err != nil {
		return nil, err
	}
	w := &writer{ctx: ctx, p: p, staged: staged, part: p.d.PartSize}
	switch {
	case size < 0:
		w.part, w.held = 2*p.d.PartSize, 4*p.d.PartSize
	case size > p.d.PartSize:
		w.part = partSize(size, p.d.PartSize)
		w.held = 2 * w.part
	default:
		w.held = size
	}
	w.held = min(w.held, p.d.Memory)
	if err := p.d.memory.Acquire(ctx, w.held); err != nil {
		return nil, errs.Wrap(err, errs.Canceled, op, "canceled")
	}
	w.buf = make([]byte, 0, max(min(size, w.part), 0))
	if err := p.stagedAnew(ctx, op, w); err != nil {
		p.d.memory.Release(w.held)
		return nil, err
	}
	return w, nil
}

// stagedAnew makes a writer the one of its staging name. What was placed from
// that name and is not settled is deleted first: it would look like the new
// content otherwise.
func (p *part) stagedAnew(ctx context.Context, op string, w *writer) error {
	p.mu.Lock()
	_, placed := p.placed[w.staged]
	p.writers[w.staged] = w
	delete(p.staged, w.staged)
	p.mu.Unlock()
	if !placed {
		return nil
	}
	if err := p.delete(ctx, op, p.stagedKey(w.staged), ""); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.placed, w.staged)
	return nil
}

// writer gathers content and uploads it: in one request, or in parts of which
// one is filled while the one before is sent. Its first error stays, so that
// content with a hole is never closed as if it were whole.
type writer struct {
	ctx    context.Context // of the transfer
	p      *part
	staged string
	part   int64 // size of parts
	held   int64 // of the destination's memory
	buf    []byte
	spare  []byte // of the part before
	err    error
	done   bool

	size    int64 // sent
	upload  string
	parts   []types.CompletedPart
	sending chan error // of the part on its way; nil for none
}

// Write takes the next bytes of the content.
func (w *writer) Write(b []byte) (int, error) {
	if w.err == nil && w.ctx.Err() != nil {
		w.err = errs.Wrap(w.ctx.Err(), errs.Canceled, "s3.write", "canceled")
	}
	written := 0
	for len(b) > 0 && w.err == nil {
		if int64(len(w.buf)) == w.part {
			w.err = w.send()
			continue
		}
		n := min(len(b), int(w.part)-len(w.buf))
		w.buf = append(w.buf, b[:n]...)
		b, written = b[n:], written+n
	}
	if w.err != nil {
		return 0, w.err
	}
	return written, nil
}

// send begins to upload what is gathered as a part, once the one before is
// through.
func (w *writer) send() error {
	if w.upload == "" {
		out, err := w.p.d.client.CreateMultipartUpload(w.ctx, &sdk.CreateMultipartUploadInput{Bucket: &w.p.d.Options.Bucket, Key: w.key()})
		if err != nil {
			return failed("s3.write", err)
		}
		w.upload = aws.ToString(out.UploadId)
	}
	if err := w.sent(); err != nil {
		return err
	}
	if len(w.parts) == maxParts {
		return errs.New(errs.Unavailable, "s3.write", fmt.Sprintf("the content is larger than %d parts of %d bytes: its size was not known before", maxParts, w.part))
	}
	n, body := int32(len(w.parts)+1), w.buf
	w.parts = append(w.parts, types.CompletedPart{PartNumber: &n})
	w.size += int64(len(body))
	w.sending = make(chan error, 1)
	done := &w.parts[len(w.parts)-1]
	go func(sending chan<- error) {
		out, err := w.p.d.client.UploadPart(w.ctx, &sdk.UploadPartInput{
			Bucket: &w.p.d.Options.Bucket, Key: w.key(), UploadId: &w.upload, PartNumber: &n, Body: bytes.NewReader(body), ContentLength: aws.Int64(int64(len(body))),
		}, signed(body))
		if err == nil {
			done.ETag = out.ETag
		}
		sending <- err
	}(w.sending)
	w.buf, w.spare = w.spare[:0], body
	return nil
}

// sent waits for the part on its way.
func (w *writer) sent() error {
	if w.sending == nil {
		return nil
	}
	err := <-w.sending
	w.sending = nil
	if err != nil {
		return failed("s3.write", err)
	}
	return nil
}

func (w *writer) key() *string { return aws.String(w.p.stagedKey(w.staged)) }

// Close finishes the content. If it fails, nothing stays behind.
func (w *writer) Close() error {
	if w.done {
		return w.err
	}
	if w.err == nil && w.ctx.Err() != nil {
		w.err = errs.Wrap(w.ctx.Err(), errs.Canceled, "s3.write", "canceled")
	}
	if w.err == nil && !w.current() {
		w.err = errs.New(errs.Canceled, "s3.write", "other content took the staging name meanwhile")
	}
	var v version
	if w.err == nil {
		v, w.err = w.finish()
	}
	if w.err != nil {
		w.Abort()
		return w.err
	}
	w.release()
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	if w.p.writers[w.staged] == w {
		delete(w.p.writers, w.staged)
		w.p.staged[w.staged] = v
	}
	return nil
}

func (w *writer) finish() (version, error) {
	const op = "s3.write"
	if w.upload == "" {
		return w.p.put(w.ctx, op, *w.key(), w.buf)
	}
	if err := w.send(); err != nil {
		return version{}, err
	}
	if err := w.sent(); err != nil {
		return version{}, err
	}
	out, err := w.p.d.client.CompleteMultipartUpload(w.ctx, &sdk.CompleteMultipartUploadInput{
		Bucket: &w.p.d.Options.Bucket, Key: w.key(), UploadId: &w.upload, MultipartUpload: &types.CompletedMultipartUpload{Parts: w.parts},
	})
	if err != nil {
		return version{}, failed(op, err)
	}
	w.upload = ""
	return version{w.size, aws.ToString(out.ETag)}, nil
}

// current reports whether no other writer took the staging name.
func (w *writer) current() bool {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	return w.p.writers[w.staged] == w
}

// Abort drops the content. What an earlier writer left under the name stays for
// a sweep.
func (w *writer) Abort() {
	if w.done {
		return
	}
	if w.err == nil {
		w.err = errs.New(errs.Canceled, "s3.write", "the content was dropped")
	}
	_ = w.sent() // it is dropped with the others
	if w.upload != "" {
		w.p.abort(w.ctx, *w.key(), w.upload)
	}
	w.release()
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	if w.p.writers[w.staged] == w {
		delete(w.p.writers, w.staged)
	}
}

func (w *writer) release() {
	w.done, w.buf, w.spare = true, nil, nil
	w.p.d.memory.Release(w.held)
}

// put writes an object in one request.
func (p *part) put(ctx context.Context, op, key string, content []byte) (version, error) {
	out, err := p.d.client.PutObject(ctx, &sdk.PutObjectInput{
		Bucket: &p.d.Options.Bucket, Key: &key, Body: bytes.NewReader(content), ContentLength: aws.Int64(int64(len(content))),
	}, signed(content))
	if err != nil {
		return version{}, failed(op, err)
	}
	return version{int64(len(content)), aws.ToString(out.ETag)}, nil
}

// signed makes the SHA-256 of a body part of the request's signature, over TLS
// too: so every service checks that what arrives is what was sent, whatever it
// knows of checksums.
func signed(body []byte) func(*sdk.Options) {
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	return func(o *sdk.Options) {
		o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error {
			return s.Finalize.Add(middleware.FinalizeMiddlewareFunc("MooringPayloadHash", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
				return next.HandleFinalize(v4.SetPayloadHash(ctx, hash), in)
			}), middleware.Before)
		})
	}
}
