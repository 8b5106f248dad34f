package sink

import (
	"context"

	"mooring/internal/errs"
)

// Gone is the size of what is not there.
const Gone = -1

// looker is a Sink that looks at many names for less than it looks at each.
type looker interface {
	Stats(ctx context.Context, names []string) ([]int64, error)
}

// Stats returns the sizes under names, Gone where there is nothing. Names of one
// folder are best next to each other.
func Stats(ctx context.Context, s Sink, names []string) (sizes []int64, err error) {
	if l, ok := s.(looker); ok {
		return l.Stats(ctx, names)
	}
	sizes = make([]int64, len(names))
	for i, name := range names {
		switch sizes[i], err = s.Stat(ctx, name); {
		case errs.Is(err, errs.NotFound):
			sizes[i] = Gone
		case err != nil:
			return nil, err
		}
	}
	return sizes, nil
}
