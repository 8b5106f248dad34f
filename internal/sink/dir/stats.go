package dir

import (
	"context"
	"os"

	"mooring/internal/sink"
)

// Stats implements what sink.Stats looks for: a folder whose names follow one
// another is opened once for all of them, where Stat opens every folder above
// every name.
func (p *part) Stats(ctx context.Context, names []string) ([]int64, error) {
	const op = "dir.stat"
	sizes := make([]int64, len(names))
	l := look{root: p.root}
	defer l.leave()
	for i, name := range names {
		if err := p.begin(ctx, op, name); err != nil {
			return nil, err
		}
		if parent := parentOf(name); parent != l.name || l.folder == nil {
			l.leave()
			if i+1 < len(names) && parent != "" && parentOf(names[i+1]) == parent {
				l.enter(parent)
			}
		}
		info, err := l.lstat(name)
		switch {
		case err != nil && !missing(err):
			return nil, p.d.failed(op, err)
		case err != nil || !info.Mode().IsRegular():
			sizes[i] = sink.Gone
		default:
			sizes[i] = info.Size()
		}
	}
	return sizes, nil
}

// look is a folder being looked at.
type look struct {
	root   *os.Root
	name   string
	folder *os.Root // nil: none is open
}

// enter opens a folder. One that can't be opened is told by what is asked of it.
func (l *look) enter(name string) {
	l.name = name
	l.folder, _ = l.root.OpenRoot(name)
}

func (l *look) leave() {
	if l.folder != nil {
		_ = l.folder.Close()
		l.folder = nil
	}
}

func (l *look) lstat(name string) (os.FileInfo, error) {
	if l.folder == nil {
		return l.root.Lstat(name)
	}
	return l.folder.Lstat(name[len(l.name)+1:])
}
