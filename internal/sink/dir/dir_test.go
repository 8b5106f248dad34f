package dir

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/sink"
	"mooring/internal/sink/sinktest"
)

var bg = context.Background()

type harness struct {
	path string
	o    Options
}

func (h harness) Destination(t *testing.T) sink.Destination { return open(t, h.path, h.o) }

func open(t testing.TB, path string, o Options) *Destination {
	t.Helper()
	if o.MinFree == 0 {
		o.MinFree = -1 // the disk that tests run on is not under test
	}
	d, err := New(path, o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestConformance(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Harness { return harness{path: t.TempDir()} })
}

func TestConformanceSyncEach(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Harness { return harness{path: t.TempDir(), o: Options{SyncEach: true}} })
}

var aBucket = bucket.Bucket{Org: "int_a", ID: "bkt_a"}

func openPart(t testing.TB, d *Destination) *part {
	t.Helper()
	s, err := d.Bucket(bg, aBucket)
	if err != nil {
		t.Fatal(err)
	}
	f, ok := s.(*folder)
	if !ok {
		t.Fatalf("the sink is a %T", s)
	}
	return f.part
}

func put(t testing.TB, s sink.Sink, staged, content string) error {
	t.Helper()
	w, err := s.Stage(bg, staged, -1)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, content); err != nil {
		w.Abort()
		return err
	}
	return w.Close()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func asSink(p *part) sink.Sink { return &folder{part: p} }

func TestLayoutAndModes(t *testing.T) {
	root := filepath.Join(t.TempDir(), "made", "by", "it")
	p := openPart(t, open(t, root, Options{}))
	must(t, put(t, asSink(p), "s", "content"))
	must(t, p.Place(bg, "s", "a/f", 7))
	content, err := os.ReadFile(filepath.Join(root, "int_a", "bkt_a", "a", "f"))
	if err != nil || string(content) != "content" {
		t.Fatalf("%q, %v", content, err)
	}
	must(t, put(t, asSink(p), "s", "content"))
	err = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s can be read by others: %v", path, info.Mode())
		}
		return nil
	})
	must(t, err)
	if entries, _ := os.ReadDir(filepath.Join(root, "int_a", "bkt_a", systemDir)); len(entries) != 1 {
		t.Errorf("the probe left something behind: %v", entries)
	}
	must(t, p.Destroy(bg))
	if entries, err := os.ReadDir(root); err != nil || len(entries) != 0 {
		t.Errorf("the last bucket of an organization leaves %v, %v", entries, err)
	}
}

func TestFolderInTheWaySaysSo(t *testing.T) {
	p := openPart(t, open(t, t.TempDir(), Options{}))
	for _, name := range []string{"a/f", "b"} {
		must(t, put(t, asSink(p), "s", "content"))
		must(t, p.Place(bg, "s", name, 7))
	}
	must(t, put(t, asSink(p), "s", "content"))
	for _, name := range []string{"a", "b/f"} {
		if err := p.Place(bg, "s", name, 7); !errs.Is(err, errs.Corrupt) || !strings.Contains(errs.From(err).Message(), "folder stands") {
			t.Errorf("place %s: %v", name, err)
		}
	}
}

func TestProbeFindsWhatLinuxHolds(t *testing.T) {
	root := t.TempDir()
	s, err := open(t, root, Options{}).Bucket(bg, aBucket)
	must(t, err)
	r := s.Rules()
	if _, err := os.Stat(filepath.Join(root, "int_a", "BKT_A")); errors.Is(err, fs.ErrNotExist) == r.FoldCase {
		t.Errorf("case: %+v", r)
	}
	if want := 4095 - len(root) - len("/int_a/bkt_a") - 1; r.MaxPath != want {
		t.Errorf("paths of %d bytes, not %d", r.MaxPath, want)
	}
	recorded := bucket.Rules{FoldCase: true, MaxComponent: 99, MaxPath: 999}
	b := aBucket
	b.Rules = recorded
	if s, err = open(t, root, Options{}).Bucket(bg, b); err != nil || s.Rules() != recorded {
		t.Errorf("recorded rules became %+v, %v", s.Rules(), err)
	}
}

// Nobody puts links there but somebody with access to the machine; still no
// link may lead out.
func TestLinksLeadNowhere(t *testing.T) {
	root, outside := t.TempDir(), t.TempDir()
	must(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("secret!"), 0o600))
	p := openPart(t, open(t, root, Options{}))
	here := filepath.Join(root, "int_a", "bkt_a")
	must(t, os.Symlink(outside, filepath.Join(here, "folder")))
	must(t, os.Symlink(filepath.Join(outside, "secret"), filepath.Join(here, "file")))
	must(t, os.Symlink(filepath.Join(outside, "new"), filepath.Join(here, stagingDir, "s")))

	for _, name := range []string{"file", "folder/secret"} {
		if _, err := p.Stat(bg, name); err == nil {
			t.Errorf("stat %s works", name)
		}
		if r, err := p.Open(bg, name, 0); err == nil {
			t.Errorf("open %s works", name)
			must(t, r.Close())
		}
	}
	must(t, put(t, asSink(p), "s", "content")) // replaces the link
	if err := p.Place(bg, "s", "folder/new", 7); !errs.Is(err, errs.Corrupt) {
		t.Errorf("place below a link: %v", err)
	}
	_ = p.Remove(bg, "folder/secret")
	must(t, p.Names(bg, func(name string, _ int64) error {
		t.Errorf("%s is a name", name)
		return nil
	}))
	must(t, p.Place(bg, "s", "file", 7)) // replaces the link, not what it points to
	must(t, p.Destroy(bg))
	left, err := os.ReadDir(outside)
	content, _ := os.ReadFile(filepath.Join(outside, "secret"))
	if err != nil || len(left) != 1 || string(content) != "secret!" {
		t.Errorf("outside there is %v, %q, %v", left, content, err)
	}
}

func TestWritingStopsWhenLittleIsFree(t *testing.T) {
	space, now := Space{FreeBytes: 60e9, TotalBytes: 1000e9}, time.Unix(1000, 0)
	asked := 0
	d := open(t, t.TempDir(), Options{
		MinFree: 0.05, Now: func() time.Time { return now },
		Space: func() (Space, error) { asked++; return space, nil },
	})
	s := asSink(openPart(t, d))
	must(t, put(t, s, "a", "content"))
	must(t, put(t, s, "b", "content"))
	if asked != 1 {
		t.Errorf("asked %d times within a second", asked)
	}
	space.FreeBytes = 49e9
	now = now.Add(time.Second)
	err := put(t, s, "c", "content")
	if !errs.Is(err, errs.Unavailable) {
		t.Fatalf("below the limit: %v", err)
	}
	for _, want := range []string{"49.0 GB of 1.0 TB", "5 %", "free some space"} {
		if !strings.Contains(errs.From(err).Message(), want) {
			t.Errorf("the message does not say %q: %v", want, err)
		}
	}
	if free, err := d.Free(bg); err != nil || free != 0.049 {
		t.Errorf("free: %v, %v", free, err)
	}
	// What is staged can still be placed, and space made by removing.
	must(t, s.Place(bg, "a", "a", 7))
	must(t, s.Remove(bg, "a"))
	space = Space{FreeBytes: 60e9, TotalBytes: 1000e9, FreeFiles: 4, TotalFiles: 100}
	now = now.Add(time.Second)
	if err := put(t, s, "c", "content"); !errs.Is(err, errs.Unavailable) || !strings.Contains(err.Error(), "4 of 100 files") {
		t.Errorf("without free files: %v", err)
	}
	space.FreeFiles = 50
	now = now.Add(time.Second)
	must(t, put(t, s, "c", "content"))

	// One large item fills a disk too.
	w, err := s.Stage(bg, "large", -1)
	must(t, err)
	space.FreeBytes = 0
	for i := 0; err == nil && i < 100; i++ {
		_, err = w.Write(make([]byte, 1<<20))
	}
	if !errs.Is(err, errs.Unavailable) {
		t.Errorf("a large item: %v", err)
	}
	if err := w.Close(); !errs.Is(err, errs.Unavailable) {
		t.Errorf("content that was refused in part is closed: %v", err)
	}
	if _, err := os.Stat(filepath.Join(d.path, "int_a/bkt_a", stagingDir, "large")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it stays behind: %v", err)
	}
}

// fullAfter is a disk that takes so many bytes more.
type fullAfter struct {
	to   io.Writer
	left *atomic.Int64
	err  error
}

func (f fullAfter) Write(b []byte) (int, error) {
	if n := int64(len(b)); f.left.Add(-n) < 0 {
		return 0, f.err
	}
	return f.to.Write(b)
}

func TestFullDisk(t *testing.T) {
	for name, code := range map[string]error{"disk": syscall.ENOSPC, "quota": syscall.EDQUOT} {
		t.Run(name, func(t *testing.T) {
			var left atomic.Int64
			d := open(t, t.TempDir(), Options{Space: func() (Space, error) { return Space{FreeBytes: 12_000, TotalBytes: 1e6}, nil }})
			d.faults.write = func(w io.Writer) io.Writer {
				return fullAfter{to: w, left: &left, err: &fs.PathError{Op: "write", Path: "x", Err: code}}
			}
			s := asSink(openPart(t, d))
			for _, size := range []int{1, 70_000, 500_000} {
				left.Store(int64(size) - 1)
				err := put(t, s, "s", strings.Repeat("x", size))
				if !errs.Is(err, errs.Unavailable) || !strings.Contains(err.Error(), "full") || !strings.Contains(err.Error(), "12.0 kB of 1.0 MB") {
					t.Errorf("%d bytes: %v", size, err)
				}
				if err := s.Sweep(bg, func(staged string) bool { t.Errorf("%s stays behind", staged); return true }); err != nil {
					t.Error(err)
				}
			}
			left.Store(1e9)
			must(t, put(t, s, "s", "content"))
			must(t, s.Place(bg, "s", "f", 7))
		})
	}
}

// The system reports lost content once. Nobody who had content under way then
// may be told that it is durable.
func TestLostContentSpoilsOpenSinks(t *testing.T) {
	for _, each := range []bool{false, true} {
		d := open(t, t.TempDir(), Options{SyncEach: each})
		fail := true
		d.faults.sync = func() error {
			if fail {
				fail = false
				return syscall.EIO
			}
			return nil
		}
		mine := asSink(openPart(t, d))
		other, err := d.Bucket(bg, bucket.Bucket{Org: "int_a", ID: "bkt_b"})
		must(t, err)
		for _, s := range []sink.Sink{mine, other, mine} {
			if err := s.Settle(bg); !errs.Is(err, errs.Unavailable) {
				t.Errorf("each=%t: settle: %v", each, err)
			}
		}
		again, err := d.Bucket(bg, aBucket)
		must(t, err)
		must(t, again.Settle(bg))
	}
}
