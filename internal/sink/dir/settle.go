package dir

import (
	"context"
	"maps"
	"os"
	"path"
	"runtime"
	"slices"
	"sync"

	"mooring/internal/errs"
)

// Settle makes everything done so far durable: by one sync of the file system
// where there is one, for all buckets whose workers ask meanwhile.
//
// When content was lost on its way to the disk, the system tells only whoever
// asks first. So from then on every open sink refuses to settle, and what was
// not yet settled is transferred again after opening anew.
func (p *part) Settle(ctx context.Context) error {
	const op = "dir.settle"
	if err := ctx.Err(); err != nil {
		return errs.Wrap(err, errs.Canceled, op, "canceled")
	}
	g, do := &p.d.group, p.d.syncAll
	if p.dirty != nil {
		g, do = &p.group, p.syncDirty
	}
	if err := g.do(do); err != nil {
		p.d.epoch.Add(1)
		return errs.Wrap(err, errs.Unavailable, op, "bucket content could not be made durable")
	}
	if !p.usable() {
		return errs.New(errs.Unavailable, op, "content may have been lost on its way to the disk: the work goes on from what is durable")
	}
	return nil
}

func (d *Destination) syncAll() error {
	if d.faults.sync != nil {
		return d.faults.sync()
	}
	return syncFS(d.fs)
}

// group lets all who come while one call is under way share the next one. The
// one under way is not enough for them: it may have passed what they wrote.
type group struct {
	mu   sync.Mutex
	next *shared
	run  sync.Mutex
}

type shared struct {
	done chan struct{}
	err  error
}

func (g *group) do(f func() error) error {
	g.mu.Lock()
	c, first := g.next, g.next == nil
	if first {
		c = &shared{done: make(chan struct{})}
		g.next = c
	}
	g.mu.Unlock()
	if !first {
		<-c.done
		return c.err
	}
	g.run.Lock()
	defer g.run.Unlock()
	g.mu.Lock()
	g.next = nil
	g.mu.Unlock()
	c.err = f()
	close(c.done)
	return c.err
}

// dirty is what has to be synced where it is done one by one. A nil one notes
// nothing.
type dirty struct {
	mu      sync.Mutex
	files   map[string]struct{}
	folders map[string]struct{}
}

func (d *dirty) note(set *map[string]struct{}, name string) {
	if *set == nil {
		*set = map[string]struct{}{}
	}
	(*set)[name] = struct{}{}
}

// file notes content that was closed.
func (d *dirty) file(name string) {
	if d != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.note(&d.files, name)
		d.note(&d.folders, path.Dir(name))
	}
}

// folder notes a folder whose entries changed.
func (d *dirty) folder(name string) {
	if d != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.note(&d.folders, path.Clean(name))
	}
}

// moved notes a rename; content not yet synced is then to be found elsewhere.
func (d *dirty) moved(from, to string) {
	if d != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		if _, ok := d.files[from]; ok {
			delete(d.files, from)
			d.note(&d.files, to)
		}
		d.note(&d.folders, path.Dir(from))
		d.note(&d.folders, path.Dir(to))
	}
}

func (d *dirty) take() (files, folders map[string]struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	files, folders = d.files, d.folders
	d.files, d.folders = nil, nil
	return files, folders
}

// syncDirty syncs files first, so that no folder points at content that isn't
// there. What has gone since needs none; its folder is among those noted.
func (p *part) syncDirty() error {
	if p.d.faults.sync != nil {
		return p.d.faults.sync()
	}
	files, folders := p.dirty.take()
	for name := range files {
		f, err := p.root.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			if missing(err) {
				continue
			}
			return err
		}
		if err = f.Sync(); err != nil {
			_ = f.Close()
			return err
		}
		if err = f.Close(); err != nil {
			return err
		}
	}
	return syncFolders(p.root, slices.Collect(maps.Keys(folders)))
}

// syncFolders makes the entries of folders durable. Windows has no such thing:
// its journal does.
func syncFolders(root *os.Root, folders []string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	for _, name := range folders {
		f, err := root.Open(name)
		if err != nil {
			if missing(err) {
				continue
			}
			return err
		}
		if err = f.Sync(); err != nil {
			_ = f.Close()
			return err
		}
		_ = f.Close()
	}
	return nil
}
