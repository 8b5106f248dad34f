package dir

import "strings"

// mostKnown bounds the memory that known folders take.
const mostKnown = 1 << 16

func parentOf(name string) string {
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		return name[:i]
	}
	return ""
}

// makeFolder makes a folder and those above it, unless it was seen before. The
// caller holds tree.
func (p *part) makeFolder(name string) error {
	if name == "" {
		return nil
	}
	p.mu.Lock()
	_, ok := p.known[name]
	p.mu.Unlock()
	if ok {
		return nil
	}
	if err := p.root.MkdirAll(name, folderMode); err != nil {
		return err
	}
	for f := name; f != ""; f = parentOf(f) {
		p.dirty.folder(f)
	}
	p.dirty.folder("")
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.known) >= mostKnown {
		clear(p.known)
	}
	p.known[name] = struct{}{}
	return nil
}

func (p *part) forget(name string) {
	p.mu.Lock()
	delete(p.known, name)
	p.mu.Unlock()
}

// prune removes the empty folders above a name that is gone.
func (p *part) prune(name string) {
	parent := parentOf(name)
	if parent == "" {
		return
	}
	p.tree.Lock()
	defer p.tree.Unlock()
	for ; parent != ""; parent = parentOf(parent) {
		// os.Root's Remove takes files too, and a file may stand where the
		// name says a folder is.
		info, err := p.root.Lstat(parent)
		if err == nil && !info.IsDir() {
			return
		}
		if err == nil {
			err = p.root.Remove(parent)
		}
		if err != nil && !missing(err) {
			return // not empty
		}
		p.forget(parent)
		p.dirty.folder(parentOf(parent))
	}
}
