package sharepoint

import (
	"context"
	"encoding/json"
	"strconv"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// cursor is where a feed goes on. It is bound to the folder and to who asks.
type cursor struct {
	V       int    `json:"v"`
	Drive   string `json:"d"`
	Folder  string `json:"f"`
	Subject string `json:"s"`
	Link    string `json:"l"`           // Graph's own nextLink or deltaLink
	Fed     bool   `json:"n,omitempty"` // the enumeration has ended
}

// items is a page of items.
type items struct {
	Value []wireItem `json:"value"`
	Next  string     `json:"@odata.nextLink"`
	Delta string     `json:"@odata.deltaLink"`
}

// emptyTries is how often an empty page that leads to itself is asked for.
const emptyTries = 4

// pageAt reads a page. Graph may give an empty one and say that it goes on where it
// stood; after a few of these nothing will come.
func (s *source) pageAt(ctx context.Context, t target, link string) (items, error) {
	for try := 1; ; try++ {
		var got items
		if err := s.follow(ctx, t, link, &got); err != nil {
			return items{}, err
		}
		switch {
		case got.Value == nil, got.Next == link && try == emptyTries:
			return items{}, t.notGraph()
		case len(got.Value) > 0 || got.Next != link:
			return got, nil
		}
	}
}

// Changes implements driver.Source: a page of the library's delta. The first one
// to carry a deltaLink ends the enumeration.
func (s *source) Changes(ctx context.Context, scope driver.Scope, cur driver.Cursor) (driver.Page, error) {
	t := target{op: "sharepoint.changes", scope: errs.ScopePath, what: "library", feed: true}
	dead := t.failure(errs.CursorExpired, errs.ScopePath, "", "the cursor is not one of this folder: enumerate again")
	var c cursor
	if len(cur) > 0 && (json.Unmarshal(cur, &c) != nil || c.V != 1) {
		return driver.Page{}, dead
	}
	p, err := s.placeOf(ctx, t.op, scope.Path)
	if err != nil {
		return driver.Page{}, err
	}
	link := s.base.String() + "/drives" + escape([]string{p.drive, "root", "delta"}) + selected + "&$top=" + strconv.Itoa(s.page)
	if len(cur) > 0 {
		if c.Drive != p.drive || c.Folder != p.folder || c.Subject != s.subject() || !s.own(c.Link) {
			return driver.Page{}, dead
		}
		link = c.Link
	}
	got, err := s.pageAt(ctx, t, link)
	if err != nil {
		if len(cur) > 0 && errs.Is(err, errs.Invalid) { // Graph can't read its own link any more
			e := *errs.From(err)
			e.Kind, e.Msg = errs.CursorExpired, msgExpired
			return driver.Page{}, &e
		}
		return driver.Page{}, err
	}
	c = cursor{V: 1, Drive: p.drive, Folder: p.folder, Subject: s.subject(), Fed: c.Fed}
	return s.fed(t, p, c, got)
}

// fed makes a page of a delta's.
func (s *source) fed(t target, p place, c cursor, got items) (driver.Page, error) {
	out := driver.Page{Feed: true, Snapshot: !c.Fed, More: got.Next != ""}
	c.Link = got.Next
	if !out.More {
		c.Link, c.Fed = got.Delta, true
	}
	if !s.own(c.Link) {
		return driver.Page{}, t.notGraph()
	}
	var err error
	if out.Changes, err = t.changes(p, got.Value); err != nil {
		return driver.Page{}, err
	}
	out.Next, err = json.Marshal(c)
	return out, err
}

// changes makes changes of a page's items. Graph may tell of one several times,
// and the last word counts. The library's root is left out, so that nothing but
// what is below the scope's folder has the parent "".
func (t target) changes(p place, all []wireItem) ([]driver.Change, error) {
	last := make(map[string]int, len(all))
	for i := range all {
		last[all[i].ID] = i
	}
	out := make([]driver.Change, 0, len(all))
	for i := range all {
		w := &all[i]
		switch {
		case last[w.ID] != i:
			continue
		case w.ID == "":
			return nil, t.notGraph()
		case w.ID == p.folder && w.Deleted != nil:
			return nil, t.failure(errs.NotFound, errs.ScopePath, "itemNotFound", "the folder was deleted: restore it, or give another one")
		case w.ID == p.folder, w.Root != nil:
			continue
		case w.Deleted != nil, w.Name == "": // nothing that is there has no name
			out = append(out, driver.Change{Item: driver.Item{ID: idOf(p.drive, w.ID), Folder: w.Folder != nil || w.Package != nil}, Gone: true})
			continue
		}
		out = append(out, driver.Change{Item: p.item(w)})
	}
	return out, nil
}
