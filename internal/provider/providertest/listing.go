package providertest

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/errs"
	"mooring/internal/key"
	"mooring/internal/provider/driver"
)

func testEnumeration(t *testing.T, s *suite) {
	put := s.fill(t, 2*s.PageSize+s.PageSize/2+1)
	pages := s.pages(t, s.open(t), s.Scope)
	if len(pages) < 3 {
		t.Errorf("%d items came on %d pages: the page size is not what the harness says", len(put), len(pages))
	}
	if !pages[0].Snapshot {
		t.Error("an enumeration is not a snapshot")
	}
	if pages[0].Feed != s.Feed {
		t.Errorf("Feed is %v", pages[0].Feed)
	}
	ids := map[string]bool{}
	for _, p := range pages {
		for _, c := range p.Changes {
			it := c.Item
			if it.ID == "" || it.Name == "" || c.Gone {
				t.Errorf("bad change in an enumeration: %+v", c)
			}
			if ids[it.ID] && !p.Feed {
				t.Errorf("%q is there twice", it.ID)
			}
			ids[it.ID] = true
			if !it.Folder && it.Version == "" {
				t.Errorf("%q has no version", it.ID)
			}
			if len(it.Inline) > driver.MaxInline {
				t.Errorf("%q has %d bytes inline", it.ID, len(it.Inline))
			}
		}
	}
	equalNames(t, s.rels(t, items(pages)), s.names(put))
}

func testEmpty(t *testing.T, s *suite) {
	s.Put(t, "gone", []byte("x"))
	s.Delete(t, "gone")
	pages := s.pages(t, s.open(t), s.Scope)
	if got := s.rels(t, items(pages)); len(got) != 0 {
		t.Errorf("an empty scope has %d items", len(got))
	}
}

func testOrder(t *testing.T, s *suite) {
	for _, n := range s.Odd {
		s.Put(t, n, []byte("x"))
	}
	s.fill(t, s.PageSize)
	pages := s.pages(t, s.open(t), s.Scope)
	if pages[0].Ordered == (s.Unordered || s.Feed) {
		t.Errorf("Ordered is %v", pages[0].Ordered)
	}
	if pages[0].Ordered {
		ascending(t, pages)
	}
}

func ascending(t testing.TB, pages []driver.Page) {
	t.Helper()
	last := ""
	for _, p := range pages {
		for _, c := range p.Changes {
			if c.Item.ID <= last {
				t.Errorf("%q comes after %q", c.Item.ID, last)
			}
			last = c.Item.ID
		}
	}
}

func testCursorAgain(t *testing.T, s *suite) {
	s.fill(t, 3*s.PageSize)
	src := s.open(t)
	first := s.pages(t, src, s.Scope)
	for i := len(first) - 1; i > 0; i-- { // backwards: an old cursor is as good as a new one
		cur := bytes.Clone(first[i-1].Next)
		again, err := s.open(t).Changes(t.Context(), s.Scope, cur)
		if err != nil {
			t.Fatalf("the cursor of page %d, asked again with a new source: %v", i+1, err)
		}
		if !bytes.Equal(cur, first[i-1].Next) {
			t.Error("Changes changed the cursor it was given")
		}
		if d := cmp.Diff(first[i].Changes, again.Changes); d != "" {
			t.Errorf("page %d asked again is another one: %s", i+1, d)
		}
		if again.More != first[i].More {
			t.Errorf("page %d asked again: More is %v", i+1, again.More)
		}
	}
}

func testCursorForeign(t *testing.T, s *suite) {
	s.fill(t, s.PageSize)
	for _, cur := range []string{"", "x", `{"page":"x"}`, "\x00\xff"} {
		_, err := s.open(t).Changes(t.Context(), s.Scope, driver.Cursor(cur))
		if cur == "" && err == nil {
			continue // an empty cursor may be the beginning
		}
		wantKind(t, "Changes with a cursor that is none", err, errs.CursorExpired)
	}
}

func testUnorderedScope(t *testing.T, s *suite) {
	put := s.fill(t, 2*s.PageSize+1)
	scope := s.Scope
	scope.Unordered = true
	pages := s.pages(t, s.open(t), scope)
	if pages[0].Ordered {
		t.Error("pages of an Unordered scope are Ordered")
	}
	equalNames(t, s.rels(t, items(pages)), s.names(put))
}

func testRanges(t *testing.T, s *suite) {
	if s.Feed || s.Unordered {
		t.Log("not asked: the source has no order, so no ranges")
		return
	}
	for _, n := range s.Odd {
		s.Put(t, n, []byte("x"))
	}
	s.fill(t, s.PageSize+1)
	src := s.open(t)
	var ids []key.Key
	for _, it := range items(s.pages(t, src, s.Scope)) {
		ids = append(ids, key.Key(it.ID))
	}
	bounds := []key.Key{"", ids[0], ids[len(ids)/3], ids[len(ids)/3] + "\x00", ids[len(ids)/2] + "~", ids[len(ids)-1], ids[len(ids)-1] + "\x00"}
	for _, from := range bounds {
		for _, to := range bounds {
			if to != "" && to < from {
				continue
			}
			scope := s.Scope
			scope.From, scope.To = from, to
			var want, got []key.Key
			for _, id := range ids {
				if id >= from && (to == "" || id < to) {
					want = append(want, id)
				}
			}
			pages := s.pages(t, src, scope)
			ascending(t, pages)
			for _, it := range items(pages) {
				got = append(got, key.Key(it.ID))
			}
			if !slices.Equal(got, want) {
				t.Errorf("range [%q, %q): %d items %.300q, want %d %.300q", from, to, len(got), got, len(want), want)
			}
		}
	}
}

func testSplits(t *testing.T, s *suite) {
	src := s.open(t)
	sp, ok := src.(driver.Splitter)
	if s.lacks(t, !ok, "Splitter") {
		return
	}
	if parts, err := sp.Split(t.Context(), s.Scope, 4); err != nil || len(parts) < 1 {
		t.Errorf("Split of an empty scope: %d parts, %v", len(parts), err)
	}
	for _, n := range s.Odd {
		s.Put(t, n, []byte("x"))
	}
	put := append(s.fill(t, 4*s.PageSize), s.Odd...)
	for _, n := range []int{1, 2, 3, 8, 40} {
		var before int
		if s.Requests != nil {
			before = s.Requests()
		}
		parts, err := sp.Split(t.Context(), s.Scope, n)
		if err != nil || len(parts) < 1 || len(parts) > n {
			t.Fatalf("Split in %d: %d parts, %v", n, len(parts), err)
		}
		if s.Requests != nil && s.Requests()-before > 4*n+4 {
			t.Errorf("Split in %d took %d requests", n, s.Requests()-before)
		}
		if parts[0].From != s.Scope.From || parts[len(parts)-1].To != s.Scope.To {
			t.Error("the parts do not reach the ends of the scope")
		}
		var all []driver.Item
		for i, p := range parts {
			if p.Path != s.Scope.Path || i > 0 && (p.From != parts[i-1].To || p.From == "") {
				t.Errorf("part %d does not begin where the one before ends: %+v", i, p)
			}
			all = append(all, items(s.pages(t, src, p))...)
		}
		equalNames(t, s.rels(t, all), s.names(put))
		// Parts split again, as a sub-range is.
		sub, err := sp.Split(t.Context(), parts[len(parts)/2], 3)
		if err != nil || sub[0].From != parts[len(parts)/2].From || sub[len(sub)-1].To != parts[len(parts)/2].To {
			t.Errorf("a part of a range does not split within it: %+v, %v", sub, err)
		}
	}
}

// testMeanwhile changes the storage between two pages: what stays is met once.
func testMeanwhile(t *testing.T, s *suite) {
	put := s.fill(t, 3*s.PageSize)
	src := s.open(t)
	first, err := src.Changes(t.Context(), s.Scope, nil)
	if err != nil {
		t.Fatal(err)
	}
	gone := map[string]bool{}
	for i := 0; i < len(put); i += 4 {
		s.Delete(t, put[i])
		gone[s.Rel(put[i])] = true
	}
	rest := s.follow(t, src, s.Scope, first.Next)
	got := s.rels(t, items(append([]driver.Page{first}, rest...)))
	for _, want := range s.names(put) {
		if n := count(got, want); !gone[want] && n != 1 {
			t.Errorf("%q was there all the time and is met %d times", want, n)
		}
	}
}

func count(all []string, one string) (n int) {
	for _, s := range all {
		if s == one {
			n++
		}
	}
	return n
}

func testOddNames(t *testing.T, s *suite) {
	for _, n := range s.Odd {
		s.Put(t, n, []byte("content of "+n))
	}
	src := s.open(t)
	all := items(s.pages(t, src, s.Scope))
	equalNames(t, s.rels(t, all), s.names(s.Odd))
	for _, n := range s.Odd {
		it := s.item(t, src, n)
		got, err := read(t.Context(), src, it, 0)
		if err != nil {
			t.Errorf("reading %q: %v", n, err)
			continue
		}
		wantBytes(t, n, got, s.Content(n, []byte("content of "+n)))
		st, err := src.Stat(t.Context(), s.Scope, it.ID)
		if err != nil || st.ID != it.ID || st.Version != it.Version {
			t.Errorf("Stat of %q: %+v, %v", n, st, err)
		}
	}
}

func testVersions(t *testing.T, s *suite) {
	s.Put(t, "same", []byte("one"))
	s.Put(t, "other", []byte("one"))
	src := s.open(t)
	same, other := s.item(t, src, "same"), s.item(t, src, "other")
	s.Put(t, "other", []byte("two"))
	if v := s.item(t, src, "other"); v.Version == other.Version || v.ID != other.ID {
		t.Errorf("new content: version %q then %q, id %q then %q", other.Version, v.Version, other.ID, v.ID)
	}
	if v := s.item(t, s.open(t), "same"); v.Version != same.Version {
		t.Errorf("unchanged content: version %q then %q", same.Version, v.Version)
	}
}

func testBrowse(t *testing.T, s *suite) {
	s.Put(t, "dir/in", []byte("1"))
	s.Put(t, "dir/sub/deep", []byte("1"))
	s.Put(t, "dir.txt", []byte("2"))
	s.Put(t, "top", []byte("3"))
	s.Put(t, "zoo/animal", []byte("3"))
	src := s.open(t)
	whole := browse(t, src, s.Scope.Path, 1000)
	for _, limit := range []int{1, 2, 3} {
		part := browse(t, src, s.Scope.Path, limit)
		if d := cmp.Diff(browseNames(whole), browseNames(part)); d != "" {
			t.Errorf("by pages of %d: %s", limit, d)
		}
	}
	if s.Rel("x/y") != "x/y" {
		return // no folders in the names of items
	}
	if d := cmp.Diff([]string{"dir.txt", "dir/", "top", "zoo/"}, browseNames(whole)); d != "" {
		t.Error(d)
	}
	for _, it := range whole {
		if it.Folder && it.Name == "dir" {
			if d := cmp.Diff([]string{"in", "sub/"}, browseNames(browse(t, src, it.Path, 1000))); d != "" {
				t.Errorf("Browse of the path %q of a folder: %s", it.Path, d)
			}
			var direct []driver.Item // in the folder itself: a feed may tell of much else
			for _, in := range items(s.pages(t, src, driver.Scope{Path: it.Path})) {
				if !in.Folder && in.Parent == "" && !strings.Contains(in.Rel, "/") {
					direct = append(direct, in)
				}
			}
			if d := cmp.Diff([]string{"in"}, browseNames(direct)); d != "" {
				t.Errorf("Changes of the path %q of a folder: %s", it.Path, d)
			}
		}
	}
}

// testBrowseTop follows the paths that Browse gives, from the top down to where
// rows and files are: each is taken as it is given.
func testBrowseTop(t *testing.T, s *suite) {
	s.Put(t, "dir/in", []byte("1"))
	src := s.open(t)
	level := browse(t, src, "", 10)
	for range 4 {
		var below []driver.Item
		for _, it := range level {
			if it.Path == "" {
				t.Errorf("%q has no path", it.Name)
			}
			if it.Folder {
				below = append(below, browse(t, src, it.Path, 10)...)
			}
		}
		level = below
	}
}

func browse(t testing.TB, src driver.Source, path string, limit int) (out []driver.Item) {
	t.Helper()
	page := ""
	for range 100 {
		l, err := src.Browse(t.Context(), path, page, limit)
		if err != nil {
			t.Fatalf("Browse: %v", err)
		}
		if len(l.Items) > limit {
			t.Errorf("%d entries on a page of %d", len(l.Items), limit)
		}
		out = append(out, l.Items...)
		if page = l.Next; page == "" {
			return out
		}
	}
	t.Fatal("Browse does not end")
	return nil
}

func browseNames(all []driver.Item) []string {
	var out []string
	for _, it := range all {
		n := it.Name
		if it.Folder {
			n += "/"
		}
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

func testMissing(t *testing.T, s *suite) {
	if s.lacks(t, s.Missing == "", "missing path") {
		return
	}
	src := s.open(t)
	_, err := src.Changes(t.Context(), driver.Scope{Path: s.Missing}, nil)
	wantKind(t, "Changes of a missing path", err, errs.NotFound)
	if errs.ScopeOf(err) != errs.ScopePath {
		t.Errorf("its scope is %v", errs.ScopeOf(err))
	}
	_, err = src.Check(t.Context(), s.Missing)
	wantKind(t, "Check of a missing target", err, errs.NotFound)
	var e *errs.Error
	if !errors.As(err, &e) || e.Origin != errs.Provider {
		t.Errorf("its origin is not the provider: %v", err)
	}
	_, err = src.Browse(t.Context(), s.Missing, "", 10)
	wantKind(t, "Browse of a missing path", err, errs.NotFound)
}
