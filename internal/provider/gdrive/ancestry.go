package gdrive

import (
	"context"

	drive "google.golang.org/api/drive/v3"

	"mooring/internal/errs"
)

// ancestor is what is known of a folder: where it is, and whether it can be seen.
type ancestor struct {
	parent string
	gone   bool
}

// above returns the folders above a file, nearest first, up to a folder that one
// of the ends names or to the last that the account can see.
func (s *source) above(ctx context.Context, t target, f *drive.File, ends func(folder string) bool) (chain []string, reached bool, _ error) {
	for at := parentOf(f); at != "" && len(chain) < maxDepth; {
		chain = append(chain, at)
		if ends(at) {
			return chain, true, nil
		}
		a, err := s.ancestor(ctx, t, at)
		if err != nil || a.gone {
			return chain, false, err
		}
		at = a.parent
	}
	return chain, false, nil
}

// ancestor finds a folder.
func (s *source) ancestor(ctx context.Context, t target, folder string) (ancestor, error) {
	if a, ok := s.folders.get(folder, s.now()); ok {
		return a, nil
	}
	f, err := s.get(ctx, t, folder)
	var a ancestor
	switch {
	case err == nil:
		a = ancestor{parentOf(f), f.Trashed}
	case unseen(err):
		a.gone = true
	default:
		return a, err
	}
	s.folders.put(folder, a, s.now())
	return a, nil
}

// unseen says whether an error is that of an item that the account can't see,
// and no more than that.
func unseen(err error) bool {
	scope := errs.ScopeOf(err)
	return scope == errs.ScopeObject && (errs.Is(err, errs.NotFound) || errs.Is(err, errs.PermissionDenied))
}

// learn notes what a change tells of a folder.
func (s *source) learn(id string, f *drive.File) {
	switch {
	case f == nil:
		s.folders.put(id, ancestor{gone: true}, s.now())
	case isFolder(f):
		s.folders.put(id, ancestor{parentOf(f), f.Trashed}, s.now())
	}
}
