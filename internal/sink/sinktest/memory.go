package sinktest

import (
	"bytes"
	"context"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/sink"
)

// Memory is a destination in memory that can crash and fail, to test with what
// writes to destinations. It holds every name, like an S3 bucket, and passes
// this package's suite.
type Memory struct {
	// Fail, when set, is asked before every call, by the method's name in lower
	// case ("stage", "write", "settle", "place", …) and the name it is about;
	// what it returns becomes the call's error. Set it before use.
	Fail func(op, name string) error

	mu    sync.Mutex
	parts map[string]*part
}

// part is one bucket's. Files are never changed once they are closed.
type part struct {
	files map[string]*file // "n/" + name, or "s/" + staging name
	undo  []func(*part)    // for each change since it was last settled, oldest first
}

type file struct {
	content []byte
	closed  bool
	settled bool
}

// NewMemory makes an empty one.
func NewMemory() *Memory { return &Memory{parts: map[string]*part{}} }

// Crash loses what a power cut loses: of all changes since a part was last
// settled, some of the latest are undone, and content that was not settled
// loses some of its end. Sinks and writers from before must not be used any
// more.
func (m *Memory) Crash(r *rand.Rand) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(m.parts)) {
		p := m.parts[name]
		kept := r.IntN(len(p.undo) + 1)
		for _, undo := range slices.Backward(p.undo[kept:]) {
			undo(p)
		}
		p.undo = nil
		for _, key := range slices.Sorted(maps.Keys(p.files)) {
			if f := p.files[key]; !f.settled {
				p.files[key] = &file{content: f.content[:r.IntN(len(f.content)+1)], closed: true, settled: true}
			}
		}
	}
}

// Bucket opens a part.
func (m *Memory) Bucket(ctx context.Context, b bucket.Bucket) (sink.Sink, error) {
	if err := sink.CheckBucket("memory.open", b); err != nil {
		return nil, err
	}
	s := &memorySink{m: m, name: string(b.Org) + "/" + string(b.ID)}
	return s, s.begin(ctx, "bucket", s.name)
}

// Free says that all is.
func (*Memory) Free(context.Context) (float64, error) { return 1, nil }

type memorySink struct {
	m    *Memory
	name string
}

// begin comes before every call.
func (s *memorySink) begin(ctx context.Context, op, name string) error {
	if err := ctx.Err(); err != nil {
		return errs.Wrap(err, errs.Canceled, "memory."+op, "canceled")
	}
	if s.m.Fail != nil {
		return s.m.Fail(op, name)
	}
	return nil
}

// with runs f over the part, alone.
func (s *memorySink) with(f func(p *part) error) error {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	p := s.m.parts[s.name]
	if p == nil {
		p = &part{files: map[string]*file{}}
		s.m.parts[s.name] = p
	}
	return f(p)
}

// set changes one key, nil removes it, in a way that can be undone.
func (p *part) set(key string, f *file) {
	old := p.files[key]
	p.put(key, f)
	p.undo = append(p.undo, func(p *part) { p.put(key, old) })
}

// move is one change of two keys: no crash leaves half of it.
func (p *part) move(from, to string) {
	was, over := p.files[from], p.files[to]
	p.put(from, nil)
	p.put(to, was)
	p.undo = append(p.undo, func(p *part) {
		p.put(to, over)
		p.put(from, was)
	})
}

func (p *part) put(key string, f *file) {
	if f == nil {
		delete(p.files, key)
		return
	}
	p.files[key] = f
}

func (*memorySink) Rules() bucket.Rules { return bucket.Rules{MaxComponent: 255, MaxPath: 1024} }

func (s *memorySink) Stage(ctx context.Context, staged string, _ int64) (sink.Writer, error) {
	if err := sink.CheckStaged("memory.stage", staged); err != nil {
		return nil, err
	}
	if err := s.begin(ctx, "stage", staged); err != nil {
		return nil, err
	}
	w := &memoryWriter{ctx: ctx, s: s, staged: staged, file: &file{}}
	return w, s.with(func(p *part) error {
		p.set("s/"+staged, w.file)
		return nil
	})
}

func (s *memorySink) Settle(ctx context.Context) error {
	if err := s.begin(ctx, "settle", ""); err != nil {
		return err
	}
	return s.with(func(p *part) error {
		p.undo = nil
		for _, f := range p.files {
			f.settled = f.settled || f.closed
		}
		return nil
	})
}

func (s *memorySink) Place(ctx context.Context, staged, name string, size int64) error {
	if err := sink.CheckStaged("memory.place", staged); err != nil {
		return err
	}
	if err := sink.CheckName("memory.place", name); err != nil {
		return err
	}
	if err := s.begin(ctx, "place", name); err != nil {
		return err
	}
	return s.with(func(p *part) error { return p.moveSized("memory.place", "s/"+staged, "n/"+name, size) })
}

func (s *memorySink) Rename(ctx context.Context, from, to string, size int64) error {
	for _, name := range []string{from, to} {
		if err := sink.CheckName("memory.rename", name); err != nil {
			return err
		}
	}
	if err := s.begin(ctx, "rename", from); err != nil {
		return err
	}
	return s.with(func(p *part) error { return p.moveSized("memory.rename", "n/"+from, "n/"+to, size) })
}

func (p *part) moveSized(op, from, to string, size int64) error {
	has := func(key string) bool {
		f := p.files[key]
		return f != nil && f.closed && int64(len(f.content)) == size
	}
	switch {
	case has(from) && from != to:
		p.move(from, to)
	case !has(to):
		return errs.New(errs.Corrupt, op, "the content is neither where it was nor where it should be")
	}
	return nil
}

func (s *memorySink) lookup(ctx context.Context, op, name string) (*file, error) {
	if err := sink.CheckName("memory."+op, name); err != nil {
		return nil, err
	}
	if err := s.begin(ctx, op, name); err != nil {
		return nil, err
	}
	var found *file
	return found, s.with(func(p *part) error {
		if found = p.files["n/"+name]; found == nil {
			return errs.New(errs.NotFound, "memory."+op, "there is no such file")
		}
		return nil
	})
}

func (s *memorySink) Stat(ctx context.Context, name string) (int64, error) {
	f, err := s.lookup(ctx, "stat", name)
	if err != nil {
		return 0, err
	}
	return int64(len(f.content)), nil
}

func (s *memorySink) Open(ctx context.Context, name string, off int64) (io.ReadCloser, error) {
	f, err := s.lookup(ctx, "open", name)
	if err != nil {
		return nil, err
	}
	if off < 0 {
		return nil, errs.New(errs.Invalid, "memory.open", "an offset can't be negative")
	}
	return io.NopCloser(bytes.NewReader(f.content[min(off, int64(len(f.content))):])), nil
}

func (s *memorySink) Remove(ctx context.Context, name string) error {
	if err := sink.CheckName("memory.remove", name); err != nil {
		return err
	}
	if err := s.begin(ctx, "remove", name); err != nil {
		return err
	}
	return s.with(func(p *part) error {
		p.set("n/"+name, nil)
		return nil
	})
}

func (s *memorySink) Sweep(ctx context.Context, keep func(string) bool) error {
	if err := s.begin(ctx, "sweep", ""); err != nil {
		return err
	}
	for key := range s.snapshot("s/") {
		if !keep(key) {
			_ = s.with(func(p *part) error {
				p.set("s/"+key, nil)
				return nil
			})
		}
	}
	return nil
}

func (s *memorySink) Names(ctx context.Context, f func(string, int64) error) error {
	if err := s.begin(ctx, "names", ""); err != nil {
		return err
	}
	for name, size := range s.snapshot("n/") {
		if err := f(name, size); err != nil {
			return err
		}
	}
	return nil
}

func (s *memorySink) snapshot(prefix string) map[string]int64 {
	all := map[string]int64{}
	_ = s.with(func(p *part) error {
		for key, f := range p.files {
			if name, ok := strings.CutPrefix(key, prefix); ok {
				all[name] = int64(len(f.content))
			}
		}
		return nil
	})
	return all
}

func (s *memorySink) Destroy(ctx context.Context) error {
	if err := s.begin(ctx, "destroy", ""); err != nil {
		return err
	}
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	delete(s.m.parts, s.name)
	return nil
}

// memoryWriter fills the file that Stage put in place, which may have been
// replaced meanwhile.
type memoryWriter struct {
	ctx    context.Context // of the transfer
	s      *memorySink
	staged string
	file   *file
	buf    bytes.Buffer
	err    error
	done   bool
}

func (w *memoryWriter) Write(b []byte) (int, error) {
	if w.err == nil {
		w.err = w.s.begin(w.ctx, "write", w.staged)
	}
	if w.err != nil {
		return 0, w.err
	}
	return w.buf.Write(b)
}

func (w *memoryWriter) Close() error {
	if w.err == nil {
		w.err = w.s.begin(w.ctx, "close", w.staged)
	}
	if w.err != nil {
		w.Abort()
		return w.err
	}
	w.done = true
	return w.s.with(func(*part) error {
		w.file.content, w.file.closed = w.buf.Bytes(), true
		return nil
	})
}

func (w *memoryWriter) Abort() {
	if w.done {
		return
	}
	w.done = true
	_ = w.s.with(func(p *part) error {
		if p.files["s/"+w.staged] == w.file {
			p.set("s/"+w.staged, nil)
		}
		return nil
	})
}
