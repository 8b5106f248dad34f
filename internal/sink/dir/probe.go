package dir

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"

	"mooring/internal/bucket"
)

const (
	// Below the limit of Linux for one path, 4096 with its end, so that other
	// programs reach every file too.
	pathLimit = 4095
	minPath   = 512
	// No file system in use allows less; ecryptfs allows 143.
	minComponent = 64
	maxComponent = 255
)

// probe finds out what names the part can hold, by making some in a folder of
// the system's own.
func (p *part) probe() (bucket.Rules, error) {
	dir, err := makeProbe(p.root)
	if err != nil {
		return bucket.Rules{}, p.d.failed("dir.probe", err)
	}
	defer func() { _ = p.root.RemoveAll(dir) }()
	in, err := p.root.OpenRoot(dir)
	if err != nil {
		return bucket.Rules{}, p.d.failed("dir.probe", err)
	}
	defer in.Close()
	r := bucket.Rules{
		FoldCase:     same(in, "case", "CASE"),
		FoldUnicode:  same(in, "unicode-\u00e9", "unicode-e\u0301"),
		Windows:      !holds(in, "a:b?") || same(in, "dot", "dot."),
		MaxComponent: longest(in),
		MaxPath:      max(pathLimit-len(filepath.Join(p.d.path, p.name))-1, minPath),
	}
	return r, nil
}

func makeProbe(root *os.Root) (string, error) {
	name := systemDir + "/probe-" + rand.Text()
	return name, root.Mkdir(name, folderMode)
}

func holds(in *os.Root, name string) bool {
	f, err := in.OpenFile(name, os.O_WRONLY|os.O_CREATE, fileMode)
	if err != nil {
		return false
	}
	_ = f.Close()
	return true
}

// same reports whether a name reaches a file made under another one.
func same(in *os.Root, name, other string) bool {
	if !holds(in, name) {
		return false
	}
	_, err := in.Lstat(other)
	return err == nil
}

func longest(in *os.Root) int {
	if holds(in, strings.Repeat("x", maxComponent)) {
		return maxComponent
	}
	low, high := minComponent, maxComponent-1
	for low < high {
		middle := (low + high + 1) / 2
		if holds(in, strings.Repeat("x", middle)) {
			low = middle
		} else {
			high = middle - 1
		}
	}
	return low
}
