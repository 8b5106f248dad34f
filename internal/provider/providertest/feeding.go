package providertest

import (
	"slices"
	"testing"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// end enumerates and returns the cursor from which a feed goes on, and what was there.
func (s *suite) end(t *testing.T, src driver.Source) (driver.Cursor, []driver.Page) {
	t.Helper()
	pages := s.pages(t, src, s.Scope)
	return pages[len(pages)-1].Next, pages
}

func testFeed(t *testing.T, s *suite) {
	if s.lacks(t, !s.Feed, "Feed") {
		return
	}
	put := s.fill(t, 2*s.PageSize+1)
	src := s.open(t)
	first, err := src.Changes(t.Context(), s.Scope, nil)
	if err != nil {
		t.Fatal(err)
	}
	// Changed after the enumeration began: the feed must tell, wherever the
	// enumeration was.
	s.Put(t, put[0], []byte("rewritten"))
	s.Put(t, put[len(put)-1], []byte("rewritten too"))
	s.Delete(t, put[1])
	s.Put(t, "new", []byte("n"))
	rest := s.follow(t, src, s.Scope, first.Next)
	cur := rest[len(rest)-1].Next
	fed := s.follow(t, s.open(t), s.Scope, cur)
	if fed[0].Snapshot || fed[0].Ordered || !fed[0].Feed {
		t.Errorf("pages of a feed are %+v", flags(fed[0]))
	}
	all := slices.Concat([]driver.Page{first}, rest, fed)
	want := append(slices.Delete(slices.Clone(put), 1, 2), "new")
	equalNames(t, s.rels(t, items(all)), s.names(want))
	var gone bool // told by the feed, or already by the rest of the enumeration
	for _, p := range all {
		for _, c := range p.Changes {
			gone = gone || c.Gone
		}
	}
	if !gone {
		t.Error("nothing tells of the deletion")
	}
	quiet := s.follow(t, src, s.Scope, fed[len(fed)-1].Next)
	if n := len(items(quiet)); n != 0 {
		t.Errorf("the feed tells %d changes where there are none", n)
	}
	again := s.follow(t, s.open(t), s.Scope, cur)
	equalNames(t, s.rels(t, items(slices.Concat([]driver.Page{first}, rest, again))), s.names(want))
}

func testFeedFolders(t *testing.T, s *suite) {
	if s.lacks(t, s.Rename == nil, "Rename") {
		return
	}
	s.fill(t, s.PageSize)
	src := s.open(t)
	cur, before := s.end(t, src)
	s.Rename(t, "b", "renamed")
	fed := s.follow(t, src, s.Scope, cur)
	var ids []string
	for _, p := range fed {
		for _, c := range p.Changes {
			if !c.Item.Folder || c.Item.Name != "renamed" {
				t.Errorf("a folder's new name is told of %+v", c)
			}
			ids = append(ids, c.Item.ID)
		}
	}
	if len(ids) != 1 {
		t.Errorf("a folder's new name is %d changes", len(ids))
	}
	for _, rel := range s.rels(t, items(append(before, fed...))) {
		if len(rel) > 2 && rel[:2] == "b/" {
			t.Errorf("%q is still there", rel)
		}
	}
}

func testFeedExpires(t *testing.T, s *suite) {
	if s.lacks(t, s.ExpireCursors == nil, "ExpireCursors") {
		return
	}
	put := s.fill(t, s.PageSize)
	src := s.open(t)
	cur, _ := s.end(t, src)
	s.ExpireCursors(t)
	_, err := src.Changes(t.Context(), s.Scope, cur)
	wantKind(t, "Changes with a dead cursor", err, errs.CursorExpired)
	equalNames(t, s.rels(t, items(s.pages(t, src, s.Scope))), s.names(put))
}
