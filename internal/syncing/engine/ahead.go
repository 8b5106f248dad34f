package engine

import (
	"context"
	"errors"
	"io"
	"sync/atomic"

	"mooring/internal/provider/driver"
)

// ahead reads a large item in parts, some at once: one connection to a provider is
// often far slower than the way there. Who reads it sees one stream. Parts are
// only asked for where transfers are free that nobody waits for, and memory for
// them is. A part that fails is no failure: the item is then read on as one stream,
// and what is wrong shows there, or does not.
type ahead struct {
	r      *runner
	ctx    context.Context // of the item's streams
	parts  []*part         // asked for, in order, without gaps
	within context.Context // of the parts
	cancel context.CancelFunc
	src    driver.Ranger
	item   driver.Item

	stream io.ReadCloser // reads at; nil: none is open
	until  int64         // where the stream ends and the parts begin
	at     int64
	lent   atomic.Bool // a part goes by the item's own permit
	single bool        // a part has failed
}

// part is a piece of content on its way into memory.
type part struct {
	off  int64
	buf  []byte
	read int           // how much of buf was given out
	done chan struct{} // closed when buf is full, or could not be filled
	full bool
}

// ahead returns the rest of an item, which body is the beginning of, to be read
// in parts if it is large. It takes over the body.
func (r *runner) ahead(ctx context.Context, d *stream, body io.ReadCloser) io.ReadCloser {
	src, ok := r.src.Ranger()
	if !ok || d.item.Size-d.at < r.limits.LargeItem {
		return body
	}
	a := &ahead{r: r, ctx: ctx, src: src, item: d.item, stream: body, at: d.at, until: d.item.Size}
	a.within, a.cancel = context.WithCancel(ctx)
	return a
}

// Read implements io.Reader.
func (a *ahead) Read(p []byte) (int, error) {
	for {
		a.ask()
		switch {
		case a.stream != nil && (a.at < a.until || a.until == a.item.Size):
			n, err := a.stream.Read(p[:min(int64(len(p)), max(a.until-a.at, 1))])
			a.at += int64(n)
			return n, err
		case a.stream != nil:
			_ = a.stream.Close()
			a.stream = nil
		case len(a.parts) > 0:
			if n, err := a.take(p); n > 0 || err != nil {
				return n, err
			}
		case a.at == a.item.Size:
			return 0, io.EOF
		default:
			s, err := a.r.src.Open(a.ctx, a.item, a.at)
			if err != nil {
				return 0, err
			}
			a.stream, a.until = s, a.item.Size
		}
	}
}

// take gives out of the first part. Nothing and no error: it has failed.
func (a *ahead) take(p []byte) (int, error) {
	first := a.parts[0]
	select {
	case <-first.done:
	case <-a.ctx.Done():
		return 0, context.Cause(a.ctx)
	}
	if !first.full {
		a.single = true
		a.drop()
		return 0, nil
	}
	n := copy(p, first.buf[first.read:])
	first.read += n
	a.at += int64(n)
	if first.read == len(first.buf) {
		a.r.buffers <- first.buf
		a.parts = a.parts[1:]
	}
	return n, nil
}

// ask asks for as many parts as there is room for.
func (a *ahead) ask() {
	for !a.single {
		off := a.at
		switch n := len(a.parts); {
		case n > 0:
			off = a.parts[n-1].off + int64(len(a.parts[n-1].buf))
		case a.stream != nil:
			off += a.r.limits.PartBytes
		}
		if off >= a.item.Size || !a.askFor(off) {
			return
		}
	}
}

// askFor asks for the part at an offset, if there is room.
func (a *ahead) askFor(off int64) bool {
	var buf []byte
	select {
	case buf = <-a.r.buffers:
	default:
		return false
	}
	leave := func(bool) { a.lent.Store(false) }
	if a.stream == nil && a.lent.CompareAndSwap(false, true) {
		// the item's own permit, which no stream needs now
	} else if permit := a.r.pool.spare(); permit != nil {
		leave = permit.release
	} else {
		a.r.buffers <- buf
		return false
	}
	n := min(a.r.limits.PartBytes, a.item.Size-off)
	if int64(cap(buf)) < n {
		buf = make([]byte, a.r.limits.PartBytes)
	}
	p := &part{off: off, buf: buf[:n], done: make(chan struct{})}
	if len(a.parts) == 0 && a.stream != nil {
		a.until = off
	}
	a.parts = append(a.parts, p)
	go func() {
		defer close(p.done)
		p.full = a.fetch(p) == nil
		leave(p.full)
	}()
	return true
}

// fetch reads a part into its memory.
func (a *ahead) fetch(p *part) error {
	body, err := a.src.OpenRange(a.within, a.item, p.off, int64(len(p.buf)))
	if err != nil {
		return err
	}
	_, err = io.ReadFull(body, p.buf)
	return errors.Join(err, body.Close())
}

// drop gives up what was asked for.
func (a *ahead) drop() {
	a.cancel()
	for _, p := range a.parts {
		<-p.done
		a.r.buffers <- p.buf
	}
	a.parts = nil
}

// Close implements io.Closer: it waits until nothing is under way.
func (a *ahead) Close() error {
	a.drop()
	if a.stream == nil {
		return nil
	}
	return a.stream.Close()
}
