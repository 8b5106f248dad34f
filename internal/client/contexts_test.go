package client

import (
	"os"
	"path/filepath"
	"testing"
)

// A file is replaced, not written over: whoever reads meanwhile, or after the
// power was cut, has the old content or the new, and no half of either.
func TestFilesAreReplacedInOneStep(t *testing.T) {
	dir := t.TempDir()
	name, old := filepath.Join(dir, "made", "admin.key"), filepath.Join(dir, "old")
	if err := WriteFile(name, []byte("one")); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(name, old); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(name, []byte("two")); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{name: "two", old: "one"} {
		if got, err := os.ReadFile(file); err != nil || string(got) != want {
			t.Errorf("%s holds %q, %v", filepath.Base(file), got, err)
		}
	}
	if info, err := os.Stat(name); err != nil || info.Mode() != 0o600 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	if left, err := os.ReadDir(filepath.Dir(name)); err != nil || len(left) != 1 {
		t.Errorf("beside it there is %v, %v", left, err)
	}
}
