package engine

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
	"mooring/internal/sink"
	"mooring/internal/syncing"
)

// content is what a transfer brought to a staging name.
type content struct {
	size    int64
	sha256  string
	verdict string
}

const (
	shortPause    = 200 * time.Millisecond // before the second try, then five times as long each
	throttleFirst = time.Second            // where the provider does not say how long, doubling
	throttleMost  = time.Minute
	patience      = 2 * time.Minute // longer than that a run doesn't wait
	copyBuffer    = 128 << 10
)

// transfer brings one item to its staging name and maps its fields. What became
// of it is noted in the work; an error concerns the whole run.
func (r *runner) transfer(ctx context.Context, w *work, p *permit) error {
	t := &tries{r: r, w: w, permit: p}
	for {
		err := r.describe(ctx, w)
		if err == nil {
			err = t.download(ctx)
		}
		if err == nil {
			return nil
		}
		if again, err := t.failed(ctx, err); err != nil || !again {
			return err
		}
	}
}

// tries is the budget of one item's transfer.
type tries struct {
	r         *runner
	w         *work
	permit    *permit
	made      int    // attempts that failed
	throttles int    // times that the provider asked us to wait
	fresh     bool   // the item was read anew because it had changed
	doubted   string // SHA-256 of a download that an uncertain checksum spoke against
}

func (t *tries) download(ctx context.Context) error {
	c, err := t.r.download(ctx, t.w.item, t.w.staged)
	if err != nil {
		return err
	}
	if c.verdict == verdictUndecided {
		if t.doubted != c.sha256 {
			t.doubted = c.sha256
			return errDoubt
		}
		c.verdict = foreignETag
	}
	t.w.got = c
	t.w.attempts += t.made + 1
	return nil
}

// errDoubt asks for a second download, to be compared with the first.
var errDoubt = &errs.Error{
	Kind: errs.Corrupt, Origin: errs.Provider, Scope: errs.ScopeObject, Op: "sync.verify",
	Msg: "the content does not have the checksum that the provider's ETag seems to be, and did not arrive the same twice",
}

// failed decides what follows a failed attempt: another one, the end of the
// item (noted in the work), or an error that ends the run.
func (t *tries) failed(ctx context.Context, err error) (again bool, _ error) {
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	switch errs.KindOf(err) {
	case errs.Throttled:
		t.permit.throttled()
		t.throttles++
		return true, t.r.waitThrottle(ctx, t.throttles, err)
	case errs.Stale:
		if !t.fresh {
			t.fresh = true
			return t.refresh(ctx)
		}
	case errs.NotFound:
		if ofItem(err) {
			return t.refresh(ctx)
		}
	}
	if t.made++; t.made < t.r.limits.Tries && (ofItem(err) || retryHere(err)) && !errs.Is(err, errs.Invalid) {
		if errors.Is(err, errDoubt) {
			return true, nil
		}
		return true, t.r.sleep(ctx, pause(t.made))
	}
	if retryHere(err) { // is it this item, or can nothing be reached?
		if _, statErr := t.r.src.Stat(ctx, t.r.scope(), t.w.item.ID); statErr != nil {
			return false, err
		}
	} else if !ofItem(err) {
		return false, err
	}
	t.w.attempts += t.made
	t.w.fail(err)
	return false, nil
}

// refresh reads the item anew: it has changed, or is gone. A second NotFound of
// an item that can be seen counts as a failed attempt.
func (t *tries) refresh(ctx context.Context) (again bool, _ error) {
	item, err := t.r.stat(ctx, t.w.item.ID)
	switch {
	case errs.Is(err, errs.NotFound) && errs.ScopeOf(err) != errs.ScopeConnection && errs.ScopeOf(err) != errs.ScopePath:
		t.w.settle(syncing.Skipped, reasonGone)
		return false, nil
	case err != nil && ofItem(err):
		t.w.attempts += t.made + 1
		t.w.fail(err)
		return false, nil
	case err != nil:
		return false, err
	}
	item.Path, item.Rel = t.w.item.Path, t.w.item.Rel
	tried := t.w.item
	t.w.item = item
	if rule, ok := t.r.match(item); !ok {
		t.w.settle(syncing.Filtered, rule)
		return false, nil
	}
	if item.Skip != "" {
		t.w.settle(syncing.Skipped, item.Skip)
		return false, nil
	}
	if t.made++; t.made >= t.r.limits.Tries {
		t.w.item = tried // the letter is of this version: the new one was not tried
		t.w.attempts += t.made
		t.w.fail(&errs.Error{Kind: errs.Stale, Origin: errs.Provider, Scope: errs.ScopeObject, Op: "sync.transfer", Msg: "the item kept changing, or could be seen but not read"})
		return false, nil
	}
	return true, nil
}

// ofItem reports whether a failure speaks about one item alone, which may then
// be dead-lettered. All others end the run with the page uncommitted.
func ofItem(err error) bool {
	e := errs.From(err)
	switch {
	case e.Kind == errs.Canceled, e.Kind == errs.Unauthenticated, e.Kind == errs.Throttled:
		return false
	case e.Origin == errs.Ours:
		return e.Kind == errs.Invalid // a mapping that the item can't satisfy
	case e.Scope == errs.ScopeConnection, e.Scope == errs.ScopePath:
		return false
	case e.Kind == errs.Unavailable:
		return e.Scope == errs.ScopeObject
	}
	return true
}

// retryHere reports a provider's unavailability that may be this item's alone:
// nothing says that it is the connection's.
func retryHere(err error) bool {
	e := errs.From(err)
	return e.Origin == errs.Provider && e.Kind == errs.Unavailable && e.Scope == errs.ScopeNone
}

func pause(n int) time.Duration {
	d := shortPause
	for range n - 1 {
		d *= 5
	}
	return d
}

// waitThrottle waits as the provider asks, or returns its error once it has
// asked too often.
func (r *runner) waitThrottle(ctx context.Context, n int, err error) error {
	if n >= r.limits.ThrottleTries {
		return err
	}
	wait := errs.From(err).RetryAfter
	if wait <= 0 {
		wait = min(throttleFirst<<(n-1), throttleMost)
	}
	if wait > patience {
		return err // the sync is put off until then, and its lease with it
	}
	return r.sleep(ctx, wait)
}

// patient repeats a request of listings while it is throttled.
func patient[T any](ctx context.Context, r *runner, ask func() (T, error)) (T, error) {
	for n := 1; ; n++ {
		out, err := ask()
		if !errs.Is(err, errs.Throttled) {
			return out, err
		}
		if err := r.waitThrottle(ctx, n, err); err != nil {
			return out, err
		}
	}
}

func (r *runner) stat(ctx context.Context, item string) (driver.Item, error) {
	return patient(ctx, r, func() (driver.Item, error) { return r.src.Stat(ctx, r.scope(), item) })
}

// download streams an item to a staging name, hashing on the way, and takes a
// broken transfer up again where it broke.
func (r *runner) download(ctx context.Context, item driver.Item, staged string) (content, error) {
	size := item.Size
	if item.Inline != nil {
		size = int64(len(item.Inline))
	}
	out, err := r.sink.Stage(ctx, staged, size)
	if err != nil {
		return content{}, ours(err, "writing to the destination failed")
	}
	defer out.Abort()
	d := &stream{out: out, sums: newSums(), item: item, seen: &r.progress.bytes}
	if item.Inline != nil {
		_, err = d.copy(bytes.NewReader(item.Inline))
	} else {
		err = r.stream(ctx, d)
	}
	if err != nil {
		return content{}, err
	}
	verdict, err := d.sums.verdict()
	if err != nil {
		return content{}, err
	}
	if err := out.Close(); err != nil {
		return content{}, ours(err, "writing to the destination failed")
	}
	return content{size: d.at, sha256: d.sums.sha256(), verdict: verdict}, nil
}

// stream is content under way.
type stream struct {
	item driver.Item
	out  sink.Writer
	sums *sums
	at   int64 // bytes written
	seen *atomic.Int64
}

// stream reads the whole item, over as many requests as the way there needs.
func (r *runner) stream(ctx context.Context, d *stream) error {
	left := 5 + max(d.item.Size, 0)>>26 // longer content may break more often
	for {
		n, err := r.open(ctx, d)
		if err == nil || !broken(err) || left <= 0 || ctx.Err() != nil {
			return err
		}
		left--
		if n == 0 {
			if err := r.sleep(ctx, shortPause); err != nil {
				return err
			}
		}
	}
}

// open reads from where the stream stands.
func (r *runner) open(ctx context.Context, d *stream) (int64, error) {
	body, err := r.src.Open(ctx, d.item, d.at)
	if err != nil {
		return 0, err
	}
	defer func() { _ = body.Close() }()
	if d.at == 0 {
		if c, ok := body.(driver.Checksummed); ok {
			d.sums.offer(c.Checksums())
		}
	}
	body = r.ahead(ctx, d, body)
	n, err := d.copy(body)
	if err == nil && d.item.Size >= 0 && d.at < d.item.Size {
		err = errShort
	}
	return n, err
}

var buffers = sync.Pool{New: func() any { b := make([]byte, copyBuffer); return &b }}

// copy moves bytes until the reader ends. It moves them by whole buffers, as many
// as the network gives at a time would be written in odd pieces, and by two in
// turn: one is still hashed while the other is filled.
func (d *stream) copy(body io.Reader) (n int64, _ error) {
	var pair [2]*[]byte
	defer func() {
		d.sums.settle()
		for _, b := range pair {
			if b != nil {
				buffers.Put(b)
			}
		}
	}()
	for i := 0; ; i = 1 - i {
		if pair[i] == nil {
			pair[i] = buffers.Get().(*[]byte)
		}
		b := *pair[i]
		got, err := fill(body, b)
		if got > 0 {
			d.sums.write(b[:got])
			if _, err := d.out.Write(b[:got]); err != nil {
				return n, ours(err, "writing to the destination failed")
			}
			n += int64(got)
			d.at += int64(got)
			d.seen.Add(int64(got))
		}
		switch {
		case d.item.Size >= 0 && d.at > d.item.Size:
			return n, &errs.Error{Kind: errs.Corrupt, Origin: errs.Provider, Scope: errs.ScopeObject, Op: "sync.transfer", Msg: "more content arrived than was listed"}
		case errors.Is(err, io.EOF):
			return n, nil
		case err != nil:
			return n, readError(err)
		}
	}
}

// fill reads until b is full or the reader ends, which its error says.
func fill(body io.Reader, b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var got int
		got, err = body.Read(b[n:])
		n += got
	}
	return n, err
}

var errShort = &errs.Error{
	Kind: errs.Unavailable, Origin: errs.Provider, Scope: errs.ScopeObject, Op: "sync.transfer", Msg: "the transfer ended before the content did",
}

// readError classifies what a body gave: an error that nobody classified is a
// transfer that broke.
func readError(err error) error {
	var e *errs.Error
	if errors.As(err, &e) || errors.Is(err, context.Canceled) {
		return err
	}
	return &errs.Error{Kind: errs.Unavailable, Origin: errs.Provider, Scope: errs.ScopeObject, Op: "sync.transfer", Msg: "the transfer broke off", Err: err}
}

// broken reports a transfer that may be taken up where it broke.
func broken(err error) bool {
	return errs.Is(err, errs.Unavailable) && errs.From(err).Origin == errs.Provider
}

// ours marks a failure of our own side, which is never the item's; nil stays nil.
func ours(err error, msg string) error {
	if err == nil || errs.KindOf(err) == errs.Canceled || errors.Is(err, errLost) {
		return err
	}
	k := errs.KindOf(err)
	if k != errs.Unavailable && k != errs.Corrupt {
		k = errs.Internal
	}
	return &errs.Error{Kind: k, Origin: errs.Ours, Op: "sync.sink", Msg: msg + ": " + errs.From(err).Message(), Err: err}
}
