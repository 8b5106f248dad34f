package engine

import (
	"context"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/provider/driver"
	"mooring/internal/syncing"
)

// view is what a sync takes in, and what it makes of it: filters and mapping.
type view struct {
	filters  *syncing.Filters
	mapper   *syncing.Mapper
	needs    syncing.Needs
	revision int64 // of the mapping
}

// mapping is what the schema mapping makes of an item.
type mapping struct {
	fields map[string]any
	blobs  []bucket.Blob
	mime   string
}

func newView(s syncing.Sync, b bucket.Bucket) (view, error) {
	m, err := s.Mapping.Compile(b.Schema)
	return view{filters: s.Filters, mapper: m, needs: s.Mapping.Needs(), revision: s.MappingRevision}, err
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

// describe maps an item, asking the source for attributes if the mapping needs
// some.
func (r *runner) describe(ctx context.Context, w *work) error {
	in := syncing.MapInput{Name: w.item.Name, Path: w.path, MIME: w.item.MIME, Columns: w.item.Columns}
	if source, ok := r.src.Attributer(); ok && r.view.needs.Any() {
		a, err := source.Attributes(ctx, w.item, driver.Want(r.view.needs))
		if err != nil {
			return err
		}
		in.Metadata, in.Tags, in.Properties = a.Metadata, a.Tags, a.Properties
		if a.MIME != "" {
			in.MIME = a.MIME
		}
	}
	fields, blobs, err := r.view.mapper.Apply(in)
	if err != nil {
		return &errs.Error{Kind: errs.Invalid, Scope: errs.ScopeObject, Op: opMapping, Msg: errs.From(err).Message()}
	}
	w.mapped = mapping{fields: fields, blobs: blobs, mime: in.MIME}
	if in.MIME == "" && len(blobs) > 0 {
		w.mapped.mime = blobs[0].MIME
	}
	return nil
}

// opMapping marks the error of an item that the mapping can't be applied to.
const opMapping = "sync.mapping"

// redescribe maps an item whose content stays, with the tries of a transfer.
func (r *runner) redescribe(ctx context.Context, w *work, p *permit) error {
	t := &tries{r: r, w: w, permit: p}
	for {
		err := r.describe(ctx, w)
		if err == nil {
			return nil
		}
		if again, err := t.failed(ctx, err); err != nil || !again {
			return err
		}
	}
}
