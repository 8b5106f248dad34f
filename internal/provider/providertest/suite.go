package providertest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// Harness is a fresh, empty storage and the adapter under test on it. Fields
// that are nil or zero say that the storage can't do it: what needs them is
// then not asked. The suite skips no test silently: what a harness leaves out is
// logged.
type Harness struct {
	// Open makes another source on the same storage.
	Open func(t testing.TB) driver.Source
	// Scope is where Put puts.
	Scope driver.Scope
	// Put writes an item by its name below the scope; with slashes it is in
	// folders, which are made. Content is for the harness to wrap, see Content.
	Put func(t testing.TB, name string, content []byte)
	// Delete removes what Put wrote.
	Delete func(t testing.TB, name string)
	// PageSize is how many items the source gives on a page here, at most 100.
	PageSize int

	// Rel is an item's Rel for the name put; nil: the name.
	Rel func(name string) string
	// Content is what reading gives for the content put; nil: the content.
	Content func(name string, content []byte) []byte
	// Odd are names that must arrive intact; nil: OddNames.
	Odd []string

	Folders   bool // the source has folders: Parent tells where an item is
	Feed      bool // its enumeration is followed by a feed
	Unordered bool // it can't enumerate in order

	// Outside is a scope beside Scope, in which nothing is put.
	Outside *driver.Scope
	// Missing is a path that does not exist.
	Missing string

	// Requests counts what the storage was asked so far.
	Requests func() int
	// Fail makes all following requests of the source fail as the provider
	// does for a kind, with BodyText and Secret in the answer's body; false when
	// it has no such failure.
	Fail func(t testing.TB, k errs.Kind) bool
	// BodyText is the text of these answers, which must not be repeated, and
	// Secret a secret of the configuration.
	BodyText, Secret string
	// Break breaks the next transfer of an item after n bytes.
	Break func(t testing.TB, name string, n int64)
	// Block makes following requests hang until the source gives up; started is
	// called when one does.
	Block func(t testing.TB, started func())

	// ExpireCursors kills the cursors given so far.
	ExpireCursors func(t testing.TB)
	// Rename gives a folder another name, in place.
	Rename func(t testing.TB, folder, name string)
	// MoveOut moves a file or folder that Put made, by its name below the scope,
	// to a place outside of Scope that the connection can see. MoveIn moves it
	// back to where it was. Both keep its id.
	MoveOut, MoveIn func(t testing.TB, name string)
}

// OddNames are names that every storage of keys must carry intact.
var OddNames = []string{
	" lead", "trail ", "a b", "a+b", "a%2Fb", "a%b", "100%", "a//b", "../up", "./dot", "a/../b", "\u00e9", "e\u0301", "日本語", "\U0001F600",
	"\uFFEE", "tab\t", "new\nline", "cr\r", "ctl\x01", "del\x7f", `&<>"'`, "tail.", "CON", "?q=1#f", `back\slash`, "a=b&c;d", "*", "~", "`", "^",
	"{}", "|", ":", "@", ",", strings.Repeat("l", 200), "deep/er/and/deeper/file.txt", "deep.er", "deep-er", "deep0er",
}

// Run proves an adapter against the contract of package driver.
func Run(t *testing.T, fresh func(t *testing.T) Harness) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *suite)
	}{
		{"Enumeration", testEnumeration},
		{"Empty", testEmpty},
		{"Order", testOrder},
		{"CursorAskedAgain", testCursorAgain},
		{"CursorOfAnotherKind", testCursorForeign},
		{"UnorderedScope", testUnorderedScope},
		{"Ranges", testRanges},
		{"Splits", testSplits},
		{"ChangesDuringEnumeration", testMeanwhile},
		{"OddNames", testOddNames},
		{"Versions", testVersions},
		{"Read", testRead},
		{"ReadOffsets", testOffsets},
		{"ReadRanges", testReadRanges},
		{"ReadStale", testStale},
		{"ReadGone", testGone},
		{"ReadBroken", testBroken},
		{"Stat", testStat},
		{"Attributes", testAttributes},
		{"Check", testCheck},
		{"Browse", testBrowse},
		{"BrowseFromTheTop", testBrowseTop},
		{"MissingPath", testMissing},
		{"Errors", testErrors},
		{"Canceled", testCanceled},
		{"CanceledMidway", testCanceledMidway},
		{"Concurrency", testConcurrency},
		{"Feed", testFeed},
		{"FeedFolders", testFeedFolders},
		{"FeedExpires", testFeedExpires},
		{"FeedMoves", testFeedMoves},
		{"Walk", testWalk},
		{"WalkGone", testWalkGone},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := fresh(t)
			if h.Rel == nil {
				h.Rel = func(name string) string { return name }
			}
			if h.Content == nil {
				h.Content = func(_ string, content []byte) []byte { return content }
			}
			if h.Odd == nil {
				h.Odd = OddNames
			}
			c.test(t, &suite{Harness: h})
		})
	}
}

// suite is one subtest's harness with helpers.
type suite struct{ Harness }

// lacks says that a harness leaves out what a test needs.
func (s *suite) lacks(t *testing.T, missing bool, what string) bool {
	if missing {
		t.Logf("not asked: the harness has no %s", what)
	}
	return missing
}

func (s *suite) open(t testing.TB) driver.Source {
	t.Helper()
	src := s.Open(t)
	t.Cleanup(func() {
		if err := src.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return src
}

// fill puts n items of different content, in two folders and beside them.
func (s *suite) fill(t testing.TB, n int) (names []string) {
	for i := range n {
		name := [...]string{"a/", "b/c/", ""}[i%3] + "item" + string(rune('0'+i/100%10)) + string(rune('0'+i/10%10)) + string(rune('0'+i%10))
		s.Put(t, name, []byte("content of "+name))
		names = append(names, name)
	}
	return names
}

// pages enumerates a scope to its end and asserts what holds of every enumeration.
func (s *suite) pages(t testing.TB, src driver.Source, scope driver.Scope) []driver.Page {
	t.Helper()
	return s.follow(t, src, scope, nil)
}

func (s *suite) follow(t testing.TB, src driver.Source, scope driver.Scope, cur driver.Cursor) (out []driver.Page) {
	t.Helper()
	for range 10_000 {
		p, err := src.Changes(t.Context(), scope, cur)
		if err != nil {
			t.Fatalf("Changes, page %d: %v", len(out)+1, err)
		}
		out = append(out, p)
		if q := out[0]; p.Snapshot != q.Snapshot || p.Ordered != q.Ordered || p.Feed != q.Feed {
			t.Fatalf("page %d has other flags than the first: %+v, %+v", len(out), flags(p), flags(q))
		}
		if p.More && p.Next == nil {
			t.Fatalf("page %d says More and has no cursor", len(out))
		}
		if !p.More {
			if p.Feed && p.Next == nil {
				t.Fatal("the last page of a feed has no cursor to go on from")
			}
			return out
		}
		cur = p.Next
	}
	t.Fatal("the enumeration does not end")
	return nil
}

func flags(p driver.Page) driver.Page {
	return driver.Page{Snapshot: p.Snapshot, Ordered: p.Ordered, Feed: p.Feed}
}

// items returns the items of pages, with the last word on each id.
func items(pages []driver.Page) []driver.Item {
	var order []string
	last := map[string]driver.Item{}
	for _, p := range pages {
		for _, c := range p.Changes {
			if _, met := last[c.Item.ID]; !met {
				order = append(order, c.Item.ID)
			}
			last[c.Item.ID] = c.Item
			if c.Gone {
				delete(last, c.Item.ID)
			}
		}
	}
	var out []driver.Item
	for _, id := range order {
		if it, ok := last[id]; ok {
			out = append(out, it)
			delete(last, id)
		}
	}
	return out
}

// rels returns the path of each file below the scope, sorted.
func (s *suite) rels(t testing.TB, all []driver.Item) []string {
	t.Helper()
	var out []string
	tree := newMirror(s, t)
	for _, it := range all {
		if it.Folder {
			tree.folders[it.ID] = it
		}
	}
	for _, it := range all {
		switch {
		case it.Folder:
		case !s.Folders:
			out = append(out, it.Rel)
		default:
			if it.Path != "" || it.Rel != "" {
				t.Errorf("item %q of a source with folders has a path", it.ID)
			}
			if rel, inside := tree.path(it); inside {
				out = append(out, rel)
			}
		}
	}
	slices.Sort(out)
	return out
}

// names returns what rels should give for names that were put.
func (s *suite) names(put []string) []string {
	out := make([]string, len(put))
	for i, n := range put {
		out[i] = s.Rel(n)
	}
	slices.Sort(out)
	return out
}

// item returns the listed item of a name.
func (s *suite) item(t testing.TB, src driver.Source, name string) driver.Item {
	t.Helper()
	all := items(s.pages(t, src, s.Scope))
	for _, it := range all {
		if it.Folder {
			continue
		}
		folders := slices.DeleteFunc(slices.Clone(all), func(o driver.Item) bool { return !o.Folder })
		if got := s.rels(t, append(folders, it)); len(got) > 0 && got[0] == s.Rel(name) {
			return it
		}
	}
	t.Fatalf("no item %q is listed", name)
	return driver.Item{}
}

// read reads an item from an offset on.
func read(ctx context.Context, src driver.Source, it driver.Item, off int64) ([]byte, error) {
	r, err := src.Open(ctx, it, off)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	return b, errors.Join(err, r.Close())
}

func equalNames(t testing.TB, got, want []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("missing: %q", w)
		}
	}
	for _, g := range got {
		if !slices.Contains(want, g) {
			t.Errorf("not put: %q", g)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d items, want %d", len(got), len(want))
	}
}

func wantKind(t testing.TB, what string, err error, kinds ...errs.Kind) {
	t.Helper()
	if err == nil {
		t.Errorf("%s succeeded, want %v", what, kinds)
		return
	}
	if !slices.Contains(kinds, errs.KindOf(err)) {
		t.Errorf("%s: %v is %v, want %v", what, err, errs.KindOf(err), kinds)
	}
}

func wantBytes(t testing.TB, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s: %d bytes %.60q, want %d bytes %.60q", what, len(got), got, len(want), want)
	}
}
