package sharepoint

import (
	"context"
	"strings"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// Stat implements driver.Source. That an item is outside is said only after its
// folders were looked at one by one, and that it is gone only while the scope's
// folder is there: what is believed gone is deleted.
func (s *source) Stat(ctx context.Context, scope driver.Scope, id string) (driver.Item, error) {
	t := target{op: "sharepoint.stat", scope: errs.ScopeObject, what: "item"}
	p, err := s.placeOf(ctx, t.op, scope.Path)
	if err != nil {
		return driver.Item{}, err
	}
	outside := t.failure(errs.NotFound, errs.ScopeObject, "itemNotFound", "the item is not in the folder")
	drive, item, ok := split(id)
	if !ok || drive != p.drive {
		return driver.Item{}, outside
	}
	var w wireItem
	if err := s.get(ctx, t, address(drive, item)+selected, &w); err != nil {
		if errs.Is(err, errs.NotFound) {
			if e := s.there(ctx, t, p); e != nil {
				return driver.Item{}, e
			}
		}
		return driver.Item{}, err
	}
	switch {
	case w.ID == "":
		return driver.Item{}, t.notGraph()
	case w.Root != nil, w.ID == p.folder, w.Deleted != nil:
		return driver.Item{}, outside
	case p.whole, w.Parent.ID == p.folder, p.above(w.Parent.Path):
		return p.item(&w), nil
	}
	inside, err := s.below(ctx, t, p, w.Parent.ID)
	if err != nil {
		return driver.Item{}, err
	}
	if !inside {
		return driver.Item{}, outside
	}
	return p.item(&w), nil
}

// there makes sure that the scope's folder, and so its library, still exists.
func (s *source) there(ctx context.Context, t target, p place) error {
	t.scope, t.what = errs.ScopePath, "folder"
	return s.get(ctx, t, address(p.drive, p.folder)+"?$select=id", &wireItem{})
}

// above says whether a path is the place's, or below it.
func (p place) above(raw string) bool {
	if raw == "" {
		return false
	}
	in := pathOf(raw)
	for _, own := range p.paths {
		if in.raw == own.raw || in.plain == own.plain || strings.HasPrefix(in.raw, own.raw+"/") || strings.HasPrefix(in.plain, own.plain+"/") {
			return true
		}
	}
	return false
}

// below says whether a folder is below the place's, folder by folder.
func (s *source) below(ctx context.Context, t target, p place, folder string) (bool, error) {
	for range maxDepth {
		switch folder {
		case p.folder:
			return true, nil
		case "":
			return false, nil
		}
		var w wireItem
		err := s.get(ctx, t, address(p.drive, folder)+"?$select=id,root,parentReference", &w)
		switch {
		case errs.Is(err, errs.NotFound):
			return false, s.there(ctx, t, p)
		case err != nil:
			return false, err
		case w.Root != nil:
			return false, nil
		}
		folder = w.Parent.ID
	}
	return false, t.failure(errs.Corrupt, errs.ScopePath, "TooDeep", "the folders of the library seem to have no end")
}
