package s3

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/sink"
)

// part is one bucket's keys.
type part struct {
	d     *Destination
	root  string // of its keys, with a slash at the end
	rules bucket.Rules

	mu      sync.Mutex
	writers map[string]*writer  // the last of each staging name
	staged  map[string]version  // written here and not yet placed
	placed  map[string]struct{} // staging names to be deleted when settled
}

// version is what tells an object from another one under the same key.
type version struct {
	size int64
	etag string
}

var _ sink.Sink = (*part)(nil)

// Rules are those recorded; S3 tells all names apart.
func (p *part) Rules() bucket.Rules { return p.rules }

func (p *part) key(name string) string { return p.root + name }

func (p *part) stagedKey(staged string) string { return p.root + stagingDir + staged }

// begin comes before every call about a name.
func (p *part) begin(ctx context.Context, op, name string) error {
	if err := sink.CheckName(op, name); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return errs.Wrap(err, errs.Canceled, op, "canceled")
	}
	if len(p.key(name)) > maxKey {
		return errs.New(errs.Corrupt, op, "the name is longer than the destination allows")
	}
	return nil
}

// probe proves that objects can be written and deleted.
func (p *part) probe(ctx context.Context) error {
	const op = "s3.probe"
	key := p.key(systemDir + "probe-" + strings.ToLower(rand.Text()))
	if _, err := p.put(ctx, op, key, nil); err != nil {
		return err
	}
	return p.delete(ctx, op, key, "")
}

// Place copies staged content into place. The staged object goes when placements
// are settled, and counts as gone from here on.
func (p *part) Place(ctx context.Context, staged, name string, size int64) error {
	const op = "s3.place"
	if err := sink.CheckStaged(op, staged); err != nil {
		return err
	}
	if err := p.begin(ctx, op, name); err != nil {
		return err
	}
	from, err := p.findStaged(ctx, op, staged)
	if err != nil {
		return err
	}
	moved, err := p.move(ctx, op, p.stagedKey(staged), p.key(name), size, from)
	if moved {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.staged, staged)
		p.placed[staged] = struct{}{}
	}
	return err
}

// findStaged returns nil for what is not staged.
func (p *part) findStaged(ctx context.Context, op, staged string) (*version, error) {
	p.mu.Lock()
	v, known := p.staged[staged]
	_, gone := p.placed[staged]
	p.mu.Unlock()
	switch {
	case known:
		return &v, nil
	case gone:
		return nil, nil
	}
	return p.head(ctx, op, p.stagedKey(staged))
}

// Rename copies a placed object and deletes it where it was.
func (p *part) Rename(ctx context.Context, from, to string, size int64) error {
	const op = "s3.rename"
	if err := p.begin(ctx, op, from); err != nil {
		return err
	}
	if err := p.begin(ctx, op, to); err != nil {
		return err
	}
	there, err := p.head(ctx, op, p.key(from))
	if err != nil {
		return err
	}
	if from == to {
		there = nil // it is where it should be, or it is not
	}
	moved, err := p.move(ctx, op, p.key(from), p.key(to), size, there)
	if !moved {
		return err
	}
	return p.delete(ctx, op, p.key(from), there.etag)
}

// move copies from, of a version that is nil when there is none, to a key. When
// it did not, content of the size has to stand there already. Content of another
// size is not what is meant: it took the name since.
func (p *part) move(ctx context.Context, op, from, to string, size int64, v *version) (moved bool, _ error) {
	if v != nil && v.size == size {
		switch copied, err := p.copy(ctx, op, from, to, *v); {
		case err != nil:
			return false, err
		case copied:
			return true, nil
		}
	}
	there, err := p.head(ctx, op, to)
	switch {
	case err != nil:
		return false, err
	case there == nil || there.size != size:
		return false, errs.New(errs.Corrupt, op, "the content of \""+strings.TrimPrefix(to, p.root)+"\" is neither where it was nor where it should be")
	}
	return false, nil
}

// Settle deletes what was staged and is placed. All else is durable once the
// service has answered.
func (p *part) Settle(ctx context.Context) error {
	const op = "s3.settle"
	if err := ctx.Err(); err != nil {
		return errs.Wrap(err, errs.Canceled, op, "canceled")
	}
	p.mu.Lock()
	done := slices.Collect(maps.Keys(p.placed))
	p.mu.Unlock()
	keys := make([]string, len(done))
	for i, staged := range done {
		keys[i] = p.stagedKey(staged)
	}
	if err := p.deleteAll(ctx, op, keys); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, staged := range done {
		delete(p.placed, staged)
	}
	return nil
}

// head returns nil for an object that does not exist.
func (p *part) head(ctx context.Context, op, key string) (*version, error) {
	out, err := p.d.client.HeadObject(ctx, &sdk.HeadObjectInput{Bucket: &p.d.Options.Bucket, Key: &key})
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, failed(op, err)
	}
	return &version{aws.ToInt64(out.ContentLength), aws.ToString(out.ETag)}, nil
}

// Stat returns an object's size.
func (p *part) Stat(ctx context.Context, name string) (int64, error) {
	const op = "s3.stat"
	if err := p.begin(ctx, op, name); err != nil {
		return 0, err
	}
	v, err := p.head(ctx, op, p.key(name))
	if err == nil && v == nil {
		err = notFound(op, name)
	}
	if err != nil {
		return 0, err
	}
	return v.size, nil
}

// Open reads an object. The reader stays with the version that it opened.
func (p *part) Open(ctx context.Context, name string, off int64) (io.ReadCloser, error) {
	const op = "s3.open"
	if off < 0 {
		return nil, errs.New(errs.Invalid, op, "an offset can't be negative")
	}
	if err := p.begin(ctx, op, name); err != nil {
		return nil, err
	}
	r := &reader{ctx: ctx, p: p, name: name, at: off, left: rereads}
	return r, r.open()
}

// Remove deletes an object.
func (p *part) Remove(ctx context.Context, name string) error {
	const op = "s3.remove"
	if err := p.begin(ctx, op, name); err != nil {
		return err
	}
	return p.delete(ctx, op, p.key(name), "")
}

func notFound(op, name string) error {
	return errs.New(errs.NotFound, op, "there is no file \""+name+"\"")
}

// rereads is how often one reader takes up a connection that broke.
const rereads = 5

// reader reads one version of an object over as many requests as it takes.
type reader struct {
	ctx  context.Context // of whoever opened it
	p    *part
	name string
	at   int64
	etag string // "" until it is open
	body io.ReadCloser
	left int
}

func (r *reader) open() error {
	const op = "s3.open"
	in := &sdk.GetObjectInput{Bucket: &r.p.d.Options.Bucket, Key: aws.String(r.p.key(r.name))}
	if r.at > 0 {
		in.Range = aws.String("bytes=" + strconv.FormatInt(r.at, 10) + "-")
	}
	if r.etag != "" {
		in.IfMatch = &r.etag
	}
	out, err := r.p.d.client.GetObject(r.ctx, in)
	switch code := codeOf(err); {
	case missing(err):
		return notFound(op, r.name)
	case code == "InvalidRange":
		r.body = io.NopCloser(strings.NewReader("")) // behind its end
		return nil
	case code == "PreconditionFailed":
		return errs.New(errs.Unavailable, op, "the file was replaced while it was read")
	case err != nil:
		return failed(op, err)
	}
	r.body, r.etag = out.Body, aws.ToString(out.ETag)
	return nil
}

func (r *reader) Read(b []byte) (int, error) {
	n, err := r.body.Read(b)
	r.at += int64(n)
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	if r.ctx.Err() != nil || r.left == 0 {
		return n, failed("s3.read", err)
	}
	r.left--
	_ = r.body.Close()
	r.body = io.NopCloser(strings.NewReader(""))
	return n, r.open()
}

func (r *reader) Close() error { return r.body.Close() }
