package dir

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/sink"
)

// part is one bucket's folder, shared by all who have it open.
type part struct {
	d       *Destination
	name    string // below the destination
	root    *os.Root
	staging *os.Root
	epoch   int64
	dead    atomic.Bool
	dirty   *dirty // nil where the whole file system is synced
	group   group  // used with dirty

	// tree is held for reading while something is placed into a folder, and for
	// writing while empty folders are removed, so that no folder vanishes
	// between being made and being used.
	tree  sync.RWMutex
	mu    sync.Mutex
	known map[string]struct{} // folders seen to exist
}

// usable reports whether nothing is known to be wrong with an open part.
func (p *part) usable() bool { return !p.dead.Load() && p.epoch == p.d.epoch.Load() }

// folder is a part with the rules recorded for it.
type folder struct {
	*part
	rules bucket.Rules
}

var _ sink.Sink = (*folder)(nil)

// Rules are those recorded, or found by probing.
func (f *folder) Rules() bucket.Rules { return f.rules }

// Place renames staged content into place.
func (p *part) Place(ctx context.Context, staged, name string, size int64) error {
	const op = "dir.place"
	if err := sink.CheckStaged(op, staged); err != nil {
		return err
	}
	if err := p.begin(ctx, op, name); err != nil {
		return err
	}
	info, err := p.staging.Lstat(staged)
	return p.move(op, stagingDir+"/"+staged, name, size, info, err)
}

// Rename moves a placed file, and removes the folders that it leaves empty.
func (p *part) Rename(ctx context.Context, from, to string, size int64) error {
	const op = "dir.rename"
	if err := p.begin(ctx, op, from); err != nil {
		return err
	}
	if err := p.begin(ctx, op, to); err != nil {
		return err
	}
	info, err := p.root.Lstat(from)
	if err := p.move(op, from, to, size, info, err); err != nil {
		return err
	}
	if parentOf(from) != parentOf(to) {
		p.prune(from)
	}
	return nil
}

// begin comes before every call about a name.
func (p *part) begin(ctx context.Context, op, name string) error {
	if err := sink.CheckName(op, name); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return errs.Wrap(err, errs.Canceled, op, "canceled")
	}
	return nil
}

// move renames from, whose Lstat gave info and err, to a name. Content of
// another size is not what is meant: it took the name since, or lost its end in
// a crash.
func (p *part) move(op, from, to string, size int64, info os.FileInfo, err error) error {
	if err != nil && !missing(err) {
		return p.d.failed(op, err)
	}
	if err == nil && info.Mode().IsRegular() && info.Size() == size {
		err = p.rename(from, to)
		if err == nil {
			p.dirty.moved(from, to)
			return nil
		}
		if !missing(err) || notFolder(err) {
			return p.d.failed(op, err)
		}
	}
	if info, err := p.root.Lstat(to); err == nil && info.Mode().IsRegular() && info.Size() == size {
		return nil
	}
	return errs.New(errs.Corrupt, op, "the content of \""+to+"\" is neither where it was nor where it should be")
}

// rename makes the folder of to and renames. Another process may remove an
// empty folder at any moment, so it tries more than once.
func (p *part) rename(from, to string) (err error) {
	p.tree.RLock()
	defer p.tree.RUnlock()
	parent := parentOf(to)
	for range 10 {
		if err = p.makeFolder(parent); err == nil {
			err = p.root.Rename(from, to)
		}
		if err == nil || !missing(err) || notFolder(err) {
			return err
		}
		p.forget(parent)
		if _, gone := p.root.Lstat(from); gone != nil {
			return err
		}
	}
	return err
}

// Stat returns a file's size. Folders, and whatever else is no plain file, are
// not found.
func (p *part) Stat(ctx context.Context, name string) (int64, error) {
	const op = "dir.stat"
	if err := p.begin(ctx, op, name); err != nil {
		return 0, err
	}
	info, err := p.root.Lstat(name)
	switch {
	case err != nil && !missing(err):
		return 0, p.d.failed(op, err)
	case err != nil || !info.Mode().IsRegular():
		return 0, notFound(op, name)
	}
	return info.Size(), nil
}

// Open reads a file. The reader stays with the content that it opened.
func (p *part) Open(ctx context.Context, name string, off int64) (io.ReadCloser, error) {
	const op = "dir.open"
	if off < 0 {
		return nil, errs.New(errs.Invalid, op, "an offset can't be negative")
	}
	if _, err := p.Stat(ctx, name); err != nil {
		return nil, err
	}
	f, err := p.root.Open(name)
	switch {
	case err != nil && missing(err):
		return nil, notFound(op, name)
	case err != nil:
		return nil, p.d.failed(op, err)
	}
	if off > 0 {
		if _, err := f.Seek(off, io.SeekStart); err != nil {
			_ = f.Close()
			return nil, p.d.failed(op, err)
		}
	}
	return &reader{d: p.d, f: f}, nil
}

// Remove deletes a file and the folders that this leaves empty, also those that
// an earlier Remove left when it was cut short.
func (p *part) Remove(ctx context.Context, name string) error {
	const op = "dir.remove"
	if err := p.begin(ctx, op, name); err != nil {
		return err
	}
	info, err := p.root.Lstat(name)
	if err == nil && !info.IsDir() {
		err = p.root.Remove(name)
	}
	if err != nil && !missing(err) {
		return p.d.failed(op, err)
	}
	p.dirty.folder(parentOf(name))
	p.prune(name)
	return nil
}

func notFound(op, name string) error {
	return errs.New(errs.NotFound, op, "there is no file \""+name+"\"")
}

// reader classifies the errors of a file.
type reader struct {
	d *Destination
	f *os.File
}

func (r *reader) Read(b []byte) (int, error) {
	n, err := r.f.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		err = r.d.failed("dir.read", err)
	}
	return n, err
}

func (r *reader) Close() error { return r.f.Close() }
