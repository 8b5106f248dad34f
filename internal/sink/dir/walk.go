package dir

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"

	"mooring/internal/errs"
)

// entriesAtOnce bounds what a listing holds in memory of one folder.
const entriesAtOnce = 1024

// Names walks the whole part. Folders that vanish meanwhile are passed over.
func (p *part) Names(ctx context.Context, f func(name string, size int64) error) error {
	pending := []string{""}
	for len(pending) > 0 {
		folder := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		at := folder
		if at == "" {
			at = "."
		}
		err := entries(ctx, p.root, at, func(in *os.Root, e fs.DirEntry) error {
			if folder == "" && e.Name() == systemDir {
				return nil
			}
			name := path.Join(folder, e.Name())
			info, err := in.Lstat(e.Name())
			switch {
			case err != nil && !missing(err):
				return p.d.failed("dir.names", err)
			case err == nil && info.IsDir():
				pending = append(pending, name)
			case err == nil && info.Mode().IsRegular():
				return f(name, info.Size())
			}
			return nil
		})
		if err = p.listed("dir.names", err); err != nil {
			return err
		}
	}
	return nil
}

// Sweep empties the staging folder of what is not kept.
func (p *part) Sweep(ctx context.Context, keep func(staged string) bool) error {
	const op = "dir.sweep"
	err := entries(ctx, p.staging, ".", func(in *os.Root, e fs.DirEntry) error {
		if keep(e.Name()) {
			return nil
		}
		if err := in.RemoveAll(e.Name()); err != nil {
			return p.d.failed(op, err)
		}
		return nil
	})
	return p.listed(op, err)
}

// Destroy removes the part, entry by entry so that it can be stopped, and its
// organization's folder when it was the last. It may be called again.
func (p *part) Destroy(ctx context.Context) error {
	const op = "dir.destroy"
	p.dead.Store(true)
	err := entries(ctx, p.root, ".", func(in *os.Root, e fs.DirEntry) error { return in.RemoveAll(e.Name()) })
	if err == nil {
		err = p.d.root.RemoveAll(p.name)
	}
	if err = p.listed(op, err); err != nil {
		return err
	}
	p.mu.Lock()
	clear(p.known)
	p.mu.Unlock()
	_ = p.d.root.Remove(path.Dir(p.name)) // fails while it holds other buckets
	return nil
}

// listed classifies what entries returned, but for errors of the caller's.
func (p *part) listed(op string, err error) error {
	var ours *errs.Error
	var pathErr *fs.PathError
	switch {
	case err == nil || errors.As(err, &ours) || !errors.As(err, &pathErr):
		return err
	}
	return p.d.failed(op, err)
}

// entries calls f with each entry of a folder, beside the folder opened as a
// root. A folder that is gone has none.
func entries(ctx context.Context, root *os.Root, folder string, f func(in *os.Root, e fs.DirEntry) error) error {
	in, err := root.OpenRoot(folder)
	if err != nil {
		if missing(err) {
			return nil
		}
		return err
	}
	defer in.Close()
	list, err := in.Open(".")
	if err != nil {
		if missing(err) {
			return nil
		}
		return err
	}
	defer list.Close()
	for {
		if err := ctx.Err(); err != nil {
			return errs.Wrap(err, errs.Canceled, "dir.list", "canceled")
		}
		batch, err := list.ReadDir(entriesAtOnce)
		for _, e := range batch {
			if err := f(in, e); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) || (err != nil && missing(err)) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
