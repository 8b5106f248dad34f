package sharepoint

import (
	"context"
	"encoding/json"
	"strconv"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// maxDepth of folders: SharePoint's addresses have 400 characters.
const maxDepth = 400

// step is a folder that a walk has still to list, or the rest of one.
type step struct {
	Folder string `json:"f,omitempty"`
	Link   string `json:"l,omitempty"`
	Depth  int    `json:"d,omitempty"`
}

// Walk implements driver.Walker: the children of one folder a page, the deepest
// first, so that what is left to do stays short however wide a folder is.
func (s *source) Walk(ctx context.Context, scope driver.Scope, folder string, cur driver.Cursor) (driver.Page, error) {
	t := target{op: "sharepoint.walk", scope: errs.ScopeObject, what: "folder"}
	p, err := s.placeOf(ctx, t.op, scope.Path)
	if err != nil {
		return driver.Page{}, err
	}
	var todo []step
	if len(cur) > 0 {
		if json.Unmarshal(cur, &todo) != nil || len(todo) == 0 {
			return driver.Page{}, t.failure(errs.CursorExpired, errs.ScopePath, "", "the cursor is not one of this walk: begin it anew")
		}
	} else {
		if _, err := s.Stat(ctx, scope, folder); err != nil {
			return driver.Page{}, err
		}
		_, item, _ := split(folder)
		todo = []step{{Folder: item}}
	}
	at := todo[len(todo)-1]
	todo = todo[:len(todo)-1]
	got, err := s.children(ctx, t, p.drive, at)
	if err != nil && (len(cur) == 0 || !errs.Is(err, errs.NotFound) && !errs.Is(err, errs.Invalid)) {
		return driver.Page{}, err
	}
	// A folder below that has gone meanwhile, or a package that can't be listed,
	// holds nothing; the feed tells what became of it.
	out := driver.Page{Feed: true, Snapshot: true}
	if out.Changes, err = t.changes(p, got.Value); err != nil {
		return driver.Page{}, err
	}
	if got.Next != "" {
		todo = append(todo, step{Link: got.Next, Depth: at.Depth})
	}
	for i := range got.Value {
		if w := &got.Value[i]; w.holds() && w.Deleted == nil {
			todo = append(todo, step{Folder: w.ID, Depth: at.Depth + 1})
		}
	}
	if out.More = len(todo) > 0; out.More {
		out.Next, err = json.Marshal(todo)
	}
	return out, err
}

// children lists a page of a folder.
func (s *source) children(ctx context.Context, t target, drive string, at step) (items, error) {
	if at.Depth > maxDepth {
		return items{}, t.failure(errs.Corrupt, errs.ScopePath, "TooDeep", "the folders of the library seem to have no end")
	}
	link := at.Link
	if link == "" {
		link = s.base.String() + address(drive, at.Folder) + "/children" + selected + "&$top=" + strconv.Itoa(s.page)
	}
	if !s.own(link) {
		return items{}, t.notGraph()
	}
	return s.pageAt(ctx, t, link)
}
