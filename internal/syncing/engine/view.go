package engine

import (
	"context"

	"mooring/internal/bucket"
	"mooring/internal/provider/driver"
	"mooring/internal/syncing"
)

// view is what a sync takes in, and what it makes of it: filters and mapping.
type view struct {
	filters  *syncing.Filters
	revision int64 // of the mapping
}

// mapping is what the schema mapping makes of an item.
type mapping struct {
	fields map[string]any
	blobs  []bucket.Blob
	mime   string
}

const opMapping = "sync.mapping"

func newView(s syncing.Sync) (view, error) {
	return view{filters: s.Filters, revision: s.MappingRevision}, nil
}

// match says whether the filters let an item pass, or which rule does not.
func (r *runner) match(item driver.Item) (rule string, ok bool) {
	ok, rule = r.view.filters.Match(syncing.FilterItem{
		Name: item.Name, Rel: item.Rel, Size: item.Size, ModifiedAt: item.ModifiedAt, MIME: item.MIME,
	})
	return rule, ok
}

// movedOut reports an item whose path changed to one that the filters leave
// out. An item that stayed where it is and merely changed so is kept: what the
// bucket holds of it was wanted when it came.
func (r *runner) movedOut(o bucket.Object, item driver.Item) bool {
	if item.Path == "" || item.Path == o.SourcePath {
		return false
	}
	_, ok := r.match(item)
	return !ok
}

// describe maps an item.
func (r *runner) describe(ctx context.Context, w *work) error { return nil }

// redescribe maps an item whose content stays.
func (r *runner) redescribe(ctx context.Context, w *work) error { return nil }
