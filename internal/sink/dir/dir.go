// Package dir is a destination that is a folder: each bucket has a part of its
// own at <root>/<organization>/<bucket>, files stand there under their recorded
// names, and what is being written waits in .mooring/staging.
//
// Files are made with mode 0600 and folders with 0700, whatever the umask adds:
// they hold customers' data. Everything goes through os.Root, so that no name
// and no symbolic link leads out of a part.
package dir

import (
	"context"
	"os"
	"path"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/sink"
)

const (
	systemDir  = bucket.SystemPrefix
	stagingDir = systemDir + "/staging"

	fileMode   = 0o600
	folderMode = 0o700
)

// Options of a folder destination. The zero Options are good.
type Options struct {
	// MinFree is the share of the file system (bytes and files) below which
	// nothing more is staged: 0 means 0.05, a negative one no limit.
	MinFree float64
	// Space and Now replace what the operating system says, for tests.
	Space func() (Space, error)
	Now   func() time.Time
	// SyncEach makes content durable file by file instead of by one sync of the
	// file system. It is always so where there is no such sync.
	SyncEach bool
}

// Destination is a folder that holds the parts of buckets. Opening a bucket
// that is open already shares its part; one that nobody uses any more is closed
// by the garbage collector, since sinks have no Close.
type Destination struct {
	root  *os.Root
	path  string // absolute
	guard guard
	fs    *os.File // of root, to sync its file system
	each  bool
	group group
	// epoch grows when the operating system reports that content was lost on
	// its way to the disk. It says so once, so every part open then is spoilt.
	epoch atomic.Int64

	mu    sync.Mutex
	parts map[string]weak.Pointer[part]

	faults faults
}

var _ sink.Destination = (*Destination)(nil)

// New opens the destination at a path, which it makes if need be.
func New(root string, o Options) (*Destination, error) {
	const op = "dir.new"
	abs, err := filepath.Abs(root)
	if err == nil {
		err = os.MkdirAll(abs, folderMode)
	}
	if err != nil {
		return nil, errs.Wrap(err, errs.Unavailable, op, "the destination's folder can't be made")
	}
	d := &Destination{path: abs, each: o.SyncEach || !canSyncFS, parts: map[string]weak.Pointer[part]{}}
	if d.root, err = os.OpenRoot(abs); err != nil {
		return nil, errs.Wrap(err, errs.Unavailable, op, "the destination's folder can't be opened")
	}
	if d.fs, err = d.root.Open("."); err != nil {
		return nil, errs.Wrap(err, errs.Unavailable, op, "the destination's folder can't be read")
	}
	d.guard.init(o, func() (Space, error) { return spaceOf(d.fs) })
	return d, nil
}

// Bucket opens the part of a bucket. The rules of a bucket that records none
// are found by probing its folder.
func (d *Destination) Bucket(ctx context.Context, b bucket.Bucket) (sink.Sink, error) {
	const op = "dir.open"
	if err := ctx.Err(); err != nil {
		return nil, errs.Wrap(err, errs.Canceled, op, "canceled")
	}
	if err := sink.CheckBucket(op, b); err != nil {
		return nil, err
	}
	p, err := d.part(path.Join(string(b.Org), string(b.ID)))
	if err != nil {
		return nil, err
	}
	s := &folder{part: p, rules: b.Rules}
	if s.rules == (bucket.Rules{}) {
		if s.rules, err = p.probe(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// part returns the open part at a name, or opens it.
func (d *Destination) part(name string) (*part, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p := d.parts[name].Value(); p != nil && p.usable() {
		return p, nil
	}
	p, err := d.openPart(name)
	if err != nil {
		return nil, d.failed("dir.open", err)
	}
	for other, w := range d.parts {
		if w.Value() == nil {
			delete(d.parts, other)
		}
	}
	d.parts[name] = weak.Make(p)
	return p, nil
}

func (d *Destination) openPart(name string) (*part, error) {
	p := &part{d: d, name: name, epoch: d.epoch.Load(), known: map[string]struct{}{}}
	if err := d.root.MkdirAll(name+"/"+stagingDir, folderMode); err != nil {
		return nil, err
	}
	var err error
	if p.root, err = d.root.OpenRoot(name); err != nil {
		return nil, err
	}
	if p.staging, err = p.root.OpenRoot(stagingDir); err != nil {
		return nil, err
	}
	if d.each {
		p.dirty = &dirty{}
		err = syncFolders(d.root, []string{name + "/" + systemDir, name, path.Dir(name), "."})
	}
	return p, err
}

// Free says how much of the file system is free: of its bytes or of its files,
// whichever is less.
func (d *Destination) Free(context.Context) (float64, error) {
	s, err := d.guard.space()
	if err != nil {
		return 1, d.failed("dir.free", err)
	}
	return s.Free(), nil
}
