package dir

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"

	"mooring/internal/errs"
	"mooring/internal/sink"
)

const bufferSize = 64 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// faults are for tests of this package.
type faults struct {
	write func(io.Writer) io.Writer
	sync  func() error
}

// Stage makes a new file in the staging folder. An older one of that name is
// unlinked, never written over: a writer that still has it open, in this
// process or in another one, then writes where nobody looks.
func (p *part) Stage(ctx context.Context, staged string, _ int64) (sink.Writer, error) {
	const op = "dir.stage"
	if err := sink.CheckStaged(op, staged); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, errs.Wrap(err, errs.Canceled, op, "canceled")
	}
	if err := p.d.guard.check(); err != nil {
		return nil, err
	}
	var f *os.File
	var err error
	for range 3 {
		f, err = p.staging.OpenFile(staged, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
		if !errors.Is(err, fs.ErrExist) {
			break
		}
		if gone := p.staging.Remove(staged); gone != nil && !missing(gone) {
			return nil, p.d.failed(op, gone)
		}
	}
	if err != nil {
		if missing(err) {
			p.dead.Store(true) // the next to open the bucket makes its folder anew
		}
		return nil, p.d.failed(op, err)
	}
	w := &writer{ctx: ctx, p: p, staged: staged, f: f, out: f}
	if p.d.faults.write != nil {
		w.out = p.d.faults.write(f)
	}
	return w, nil
}

// writer gathers small writes in a buffer of the pool. Its first error stays,
// so that content with a hole is never closed as if it were whole.
type writer struct {
	ctx    context.Context // of the transfer
	p      *part
	staged string
	f      *os.File
	out    io.Writer
	buf    *[bufferSize]byte
	n      int // bytes in buf
	err    error
	done   bool
}

// Write takes the next bytes of the content.
func (w *writer) Write(b []byte) (int, error) {
	if w.err == nil && w.ctx.Err() != nil {
		w.err = errs.Wrap(w.ctx.Err(), errs.Canceled, "dir.write", "canceled")
	}
	written := 0
	for len(b) > 0 && w.err == nil {
		if w.n == 0 && len(b) >= bufferSize {
			n := len(b) - len(b)%bufferSize
			w.flush(b[:n])
			b, written = b[n:], written+n
			continue
		}
		if w.buf == nil {
			w.buf, _ = buffers.Get().(*[bufferSize]byte)
		}
		n := copy(w.buf[w.n:], b)
		w.n += n
		b, written = b[n:], written+n
		if w.n == bufferSize {
			w.flush(w.buf[:])
			w.n = 0
		}
	}
	if w.err != nil {
		return 0, w.err
	}
	return written, nil
}

func (w *writer) flush(b []byte) {
	if err := w.p.d.guard.wrote(len(b)); err != nil {
		w.err = err
		return
	}
	if _, err := w.out.Write(b); err != nil {
		w.err = w.p.d.failed("dir.write", err)
	}
}

// Close finishes the content. If it fails, nothing stays behind.
func (w *writer) Close() error {
	if w.done {
		return w.err
	}
	if w.err == nil && w.ctx.Err() != nil {
		w.err = errs.Wrap(w.ctx.Err(), errs.Canceled, "dir.write", "canceled")
	}
	if w.err == nil && w.n > 0 {
		w.flush(w.buf[:w.n])
	}
	if w.err != nil {
		w.Abort()
		return w.err
	}
	w.release()
	if err := w.f.Close(); err != nil {
		w.err = w.p.d.failed("dir.write", err)
		_ = w.p.staging.Remove(w.staged)
		return w.err
	}
	w.p.dirty.file(stagingDir + "/" + w.staged)
	return nil
}

// Abort drops the content. It removes the file only while it is its own.
func (w *writer) Abort() {
	if w.done {
		return
	}
	w.release()
	if w.err == nil {
		w.err = errs.New(errs.Canceled, "dir.write", "the content was dropped")
	}
	mine, err := w.f.Stat()
	if err == nil {
		if there, gone := w.p.staging.Lstat(w.staged); gone == nil && os.SameFile(mine, there) {
			_ = w.p.staging.Remove(w.staged)
		}
	}
	_ = w.f.Close()
}

func (w *writer) release() {
	w.done = true
	if w.buf != nil {
		buffers.Put(w.buf)
		w.buf = nil
	}
}
