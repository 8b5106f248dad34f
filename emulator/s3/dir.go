package s3

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"
)

// DirOptions configure a DirOverlay.
type DirOptions struct {
	// Skip leaves files and directories out. It gets the path that would be, or
	// begin, a key, and must be pure. Hidden files are not left out by default.
	Skip func(path string, dir bool) bool
	// OnError decides about what can't be read: nil leaves it out, an error fails
	// the request. Without OnError the request fails, so that nothing is missing
	// without notice.
	OnError func(path string, err error) error
}

// DirOverlay adds a bucket of the files below a directory. The directory is only
// ever read: what is written or deleted lies over it, in memory.
//
// Keys are the relative paths of regular files with slashes. A symbolic link to a
// file below the directory is that file; links that leave the directory, and links
// to directories, are left out. Every request sees the directory as it is then. An
// ETag depends on path, size and modification time, and looks like that of a
// multipart object so that nobody takes it for an MD5. Empty directories have no
// key.
func (s *Server) DirOverlay(bucketName, dir string, opts DirOptions) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("s3: %w", err)
	}
	d := &directory{root: root, opts: opts, cache: map[string]cachedDir{}}
	if err := s.addBucket(&bucket{name: bucketName, base: d}); err != nil {
		_ = root.Close()
		return err
	}
	return nil
}

// directory is the layer of a DirOverlay.
type directory struct {
	root *os.Root
	opts DirOptions

	mu    sync.Mutex
	cache map[string]cachedDir
}

// cachedDir is a directory's entries as they were read.
type cachedDir struct {
	entries  []entry
	modified time.Time // of the directory, before it was read
	read     time.Time
}

// entry is a file or a directory. The names of directories end in a slash, which
// puts all entries in the order of the keys they lead to.
type entry struct {
	name string
	dir  bool
}

// settled is how long a directory must have been unchanged when it was read
// before its time of modification is taken to tell of every later change.
const settled = 2 * time.Second

func (d *directory) scan() scan   { return &dirScan{d: d, seen: map[string][]entry{}} }
func (d *directory) close() error { return d.root.Close() }

// dirScan remembers the directories it has read.
type dirScan struct {
	d    *directory
	seen map[string][]entry
}

func (s *dirScan) ceil(key string) (*object, error) { return s.ceilBelow("", key) }

// ceilBelow finds the first file in a directory ("" or ending in a slash) whose
// key is not below key.
func (s *dirScan) ceilBelow(dir, key string) (*object, error) {
	rest, inside := strings.CutPrefix(key, dir)
	if !inside {
		if key > dir {
			return nil, nil
		}
		rest = ""
	}
	entries, err := s.entries(dir)
	if err != nil {
		return nil, err
	}
	i := sort.Search(len(entries), func(i int) bool {
		e := entries[i]
		return e.name >= rest || e.dir && strings.HasPrefix(rest, e.name)
	})
	for ; i < len(entries); i++ {
		var o *object
		if name := dir + entries[i].name; entries[i].dir {
			o, err = s.ceilBelow(name, max(key, name))
		} else {
			o, err = s.d.file(name)
		}
		if o != nil || err != nil {
			return o, err
		}
	}
	return nil, nil
}

// entries returns what a directory holds.
func (s *dirScan) entries(dir string) ([]entry, error) {
	if list, ok := s.seen[dir]; ok {
		return list, nil
	}
	list, err := s.d.entries(dir)
	if err != nil {
		list, err = nil, s.d.unreadable(dir, err)
	}
	if err == nil {
		s.seen[dir] = list
	}
	return list, err
}

// entries reads a directory, or takes what was read before if it is the same.
func (d *directory) entries(dir string) ([]entry, error) {
	name := osName(dir)
	info, err := d.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	c, ok := d.cache[dir]
	d.mu.Unlock()
	if ok && c.modified.Equal(info.ModTime()) && c.read.Sub(c.modified) > settled {
		return c.entries, nil
	}
	c = cachedDir{modified: info.ModTime(), read: time.Now()}
	if c.entries, err = d.readDir(dir); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cache[dir] = c
	return c.entries, nil
}

func (d *directory) readDir(dir string) ([]entry, error) {
	f, err := d.root.Open(osName(dir))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	found, err := f.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	var list []entry
	for _, de := range found {
		e := entry{name: de.Name(), dir: de.IsDir()}
		if t := de.Type(); !e.dir && !t.IsRegular() && t&fs.ModeSymlink == 0 {
			continue
		}
		if d.opts.Skip != nil && d.opts.Skip(dir+e.name, e.dir) {
			continue
		}
		if e.dir {
			e.name += "/"
		}
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	return list, nil
}

// file returns the object of a file, or nil if it has none.
func (d *directory) file(key string) (*object, error) {
	info, err := d.root.Stat(osName(key)) // fails on links that lead outside
	if err != nil {
		if link, e := d.root.Lstat(osName(key)); e == nil && link.Mode()&fs.ModeSymlink != 0 {
			return nil, nil
		}
		return nil, d.unreadable(key, err)
	}
	if !info.Mode().IsRegular() {
		return nil, nil
	}
	h := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d\x00%d", key, info.Size(), info.ModTime().UnixNano()))
	return &object{
		key: key, size: info.Size(), modified: info.ModTime(), attributes: plain,
		etag:    fmt.Sprintf("%x-1", h[:16]),
		content: &fileContent{d: d, key: key, info: info},
	}, nil
}

// unreadable decides about an error. What has vanished is no error.
func (d *directory) unreadable(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if d.opts.OnError != nil {
		return d.opts.OnError(path, err)
	}
	return fmt.Errorf("s3: %w", err)
}

// osName is a key as the file system names it.
func osName(key string) string {
	key = strings.TrimSuffix(key, "/")
	if key == "" {
		return "."
	}
	return filepath.FromSlash(key)
}

// fileContent reads a file that must still be the one that was looked up.
type fileContent struct {
	d    *directory
	key  string
	info fs.FileInfo
}

func (c *fileContent) open(off, n int64) (io.ReadCloser, error) {
	f, err := c.d.root.Open(osName(c.key))
	if err != nil {
		return nil, err
	}
	r := &fileReader{f: f, c: c, left: n}
	if err := r.same(); err != nil {
		_ = f.Close()
		return nil, err
	}
	if _, err := f.Seek(off, io.SeekStart); err != nil {
		_ = f.Close()
		return nil, err
	}
	return r, nil
}

// fileReader holds the last bytes back if the file has changed meanwhile: a
// mixture of two versions must not look complete.
type fileReader struct {
	f    *os.File
	c    *fileContent
	left int64
}

func (r *fileReader) same() error {
	now, err := r.f.Stat()
	if err != nil {
		return err
	}
	if !os.SameFile(now, r.c.info) || now.Size() != r.c.info.Size() || !now.ModTime().Equal(r.c.info.ModTime()) {
		return fmt.Errorf("s3: %q changed while it was read", r.c.key)
	}
	return nil
}

func (r *fileReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > r.left {
		p = p[:r.left]
	}
	n, err := r.f.Read(p)
	if r.left -= int64(n); r.left == 0 {
		if err := r.same(); err != nil {
			return 0, err
		}
	}
	return n, err
}

func (r *fileReader) Close() error { return r.f.Close() }
