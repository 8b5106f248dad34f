package engine

import (
	"context"

	"mooring/internal/bucket"
	"mooring/internal/provider/driver"
	"mooring/internal/syncing"
)

// view is what a sync takes in, and what it makes of it: filters and mapping.
type view struct {
	revision int64 // of the mapping
}

// mapping is what the schema mapping makes of an item.
type mapping struct {
	fields map[string]any
	blobs  []bucket.Blob
	mime   string
}

const opMapping = "sync.mapping"

func newView(s syncing.Sync) (view, error) { return view{revision: s.MappingRevision}, nil }

// match says whether the filters let an item pass, or which rule does not.
func (r *runner) match(item driver.Item) (rule string, ok bool) { return "", true }

// movedOut reports an item that left what the filters let pass because its path
// changed.
func (r *runner) movedOut(o bucket.Object, item driver.Item) bool { return false }

// describe maps an item.
func (r *runner) describe(ctx context.Context, w *work) error { return nil }

// redescribe maps an item whose content stays.
func (r *runner) redescribe(ctx context.Context, w *work) error { return nil }
