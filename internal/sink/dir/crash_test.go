package dir

import (
	"os"
	"path/filepath"
	"testing"

	"mooring/internal/errs"
)

// What a crash leaves between the steps of one call is built by hand here, and
// then the call is made again in a new process.

func TestPlaceAfterACrashWithin(t *testing.T) {
	for _, folders := range []string{"", "a", "a/b"} {
		root := t.TempDir()
		p := openPart(t, open(t, root, Options{}))
		must(t, put(t, asSink(p), "s", "content"))
		must(t, os.MkdirAll(filepath.Join(root, "int_a/bkt_a", folders), 0o700))
		p = openPart(t, open(t, root, Options{}))
		must(t, p.Place(bg, "s", "a/b/f", 7))
		if size, err := p.Stat(bg, "a/b/f"); err != nil || size != 7 {
			t.Errorf("after %q: %d, %v", folders, size, err)
		}
	}
}

func TestRemoveAfterACrashWithin(t *testing.T) {
	for _, left := range []string{"a", "a/b", "a/b/c"} { // the file went, folders stayed
		root := t.TempDir()
		p := openPart(t, open(t, root, Options{}))
		must(t, os.MkdirAll(filepath.Join(root, "int_a/bkt_a", left), 0o700))
		must(t, p.Remove(bg, "a/b/c/f"))
		must(t, put(t, asSink(p), "s", "content"))
		must(t, p.Place(bg, "s", "a", 7))
	}
}

func TestDestroyAfterACrashWithin(t *testing.T) {
	root := t.TempDir()
	p := openPart(t, open(t, root, Options{}))
	must(t, os.RemoveAll(filepath.Join(root, "int_a/bkt_a", systemDir)))
	must(t, p.Destroy(bg))
	must(t, p.Destroy(bg))
}

// A power cut can leave staged content short, and can leave no staging folder.
func TestAfterAPowerCut(t *testing.T) {
	root := t.TempDir()
	here := filepath.Join(root, "int_a/bkt_a")
	p := openPart(t, open(t, root, Options{}))
	must(t, put(t, asSink(p), "s", "content"))
	must(t, os.Truncate(filepath.Join(here, stagingDir, "s"), 3))
	if err := p.Place(bg, "s", "f", 7); !errs.Is(err, errs.Corrupt) {
		t.Errorf("short content: %v", err)
	}
	must(t, os.RemoveAll(filepath.Join(here, systemDir)))
	must(t, put(t, asSink(openPart(t, open(t, root, Options{}))), "s", "content"))
}

// Folders removed by hand below a running process are made again, and so is
// the staging folder once the bucket is opened anew.
func TestFoldersRemovedByOthers(t *testing.T) {
	root := t.TempDir()
	here := filepath.Join(root, "int_a/bkt_a")
	d := open(t, root, Options{})
	p := openPart(t, d)
	for range 3 {
		must(t, put(t, asSink(p), "s", "content"))
		must(t, p.Place(bg, "s", "a/b/f", 7))
		must(t, os.RemoveAll(filepath.Join(here, "a")))
	}
	must(t, os.RemoveAll(here))
	if err := put(t, asSink(p), "s", "content"); !errs.Is(err, errs.Unavailable) {
		t.Errorf("without a folder: %v", err)
	}
	p = openPart(t, d)
	must(t, put(t, asSink(p), "s", "content"))
	must(t, p.Place(bg, "s", "a/b/f", 7))
}

// Opening a bucket again while it is open shares its part; otherwise its
// folders would be open once for each.
func TestPartsAreShared(t *testing.T) {
	d := open(t, t.TempDir(), Options{})
	if a, b := openPart(t, d), openPart(t, d); a != b {
		t.Error("two parts are open for one bucket")
	}
}
