package storetest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"

	"mooring/internal/access"
	"mooring/internal/bucket"
	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/key"
	"mooring/internal/store"
	"mooring/internal/syncing"
)

// lister is a list that is paged newest first. insert adds a record that was
// created at moment(n); list returns the ids of a page.
type lister struct {
	name   string
	insert func(ctx context.Context, s store.Store, org id.Org, n int) (string, error)
	list   func(ctx context.Context, s store.Store, org id.Org, p store.Page) ([]string, string, error)
}

func listTests() []subtest {
	var out []subtest
	for _, l := range listers() {
		out = append(out,
			subtest{l.name + "/PagesNewestFirst", l.pages},
			subtest{l.name + "/InsertsInBetween", l.inserts},
			subtest{l.name + "/Offset", l.offset},
			subtest{l.name + "/BadPages", l.badPages},
		)
	}
	return append(out, subtest{"ForeignCursors", testForeignCursors}, subtest{"DeletesInBetween", testDeletesInBetween})
}

func page[T any](of func(*T) string) func(store.List[T], error) ([]string, string, error) {
	return func(l store.List[T], err error) ([]string, string, error) {
		var ids []string
		for i := range l.Items {
			ids = append(ids, of(&l.Items[i]))
		}
		return ids, l.Next, err
	}
}

func listers() []lister {
	return append(recordListers(), lister{
		"Objects",
		func(ctx context.Context, s store.Store, org id.Org, n int) (string, error) {
			o := newObject(org, "bkt_a", "conn_a", "sync_a", key.Key(id.NewToken(12)), n)
			return string(o.ID), s.Catalogue().Upsert(ctx, org, "bkt_a", []bucket.Object{o})
		},
		func(ctx context.Context, s store.Store, org id.Org, p store.Page) ([]string, string, error) {
			return page(func(d *bucket.Object) string { return string(d.ID) })(s.Catalogue().List(ctx, org, "bkt_a", bucket.Filter{}, p))
		},
	}, lister{
		"DeadLetters",
		func(ctx context.Context, s store.Store, org id.Org, n int) (string, error) {
			l := newLetter(org, "sync_a", key.Key(id.NewToken(12)), n)
			return l.ID, s.DeadLetters().Put(ctx, org, []syncing.DeadLetter{l})
		},
		func(ctx context.Context, s store.Store, org id.Org, p store.Page) ([]string, string, error) {
			return page(func(d *syncing.DeadLetter) string { return d.ID })(s.DeadLetters().List(ctx, org, "sync_a", syncing.DeadLetterFilter{}, p))
		},
	})
}

func recordListers() []lister {
	return []lister{
		{
			"Connections",
			func(ctx context.Context, s store.Store, org id.Org, n int) (string, error) {
				c, err := s.Connections().Insert(ctx, org, newConnection(org, n))
				return string(c.ID), err
			},
			func(ctx context.Context, s store.Store, org id.Org, p store.Page) ([]string, string, error) {
				return page(func(d *connection.Connection) string { return string(d.ID) })(s.Connections().List(ctx, org, connection.Filter{}, p))
			},
		}, {
			"Buckets",
			func(ctx context.Context, s store.Store, org id.Org, n int) (string, error) {
				b, err := s.Buckets().Insert(ctx, org, newBucket(org, "ns_a", n))
				return string(b.ID), err
			},
			func(ctx context.Context, s store.Store, org id.Org, p store.Page) ([]string, string, error) {
				return page(func(d *bucket.Bucket) string { return string(d.ID) })(s.Buckets().List(ctx, org, bucket.ListFilter{}, p))
			},
		}, {
			"Syncs",
			func(ctx context.Context, s store.Store, org id.Org, n int) (string, error) {
				d, err := s.Syncs().Insert(ctx, org, newSync(org, n))
				return string(d.ID), err
			},
			func(ctx context.Context, s store.Store, org id.Org, p store.Page) ([]string, string, error) {
				return page(func(d *syncing.Sync) string { return string(d.ID) })(s.Syncs().List(ctx, org, syncing.Filter{}, p))
			},
		}, {
			"Runs",
			func(ctx context.Context, s store.Store, org id.Org, n int) (string, error) {
				d, err := s.Runs().Insert(ctx, org, newRun(org, "sync_a", "bkt_a", n))
				return string(d.ID), err
			},
			func(ctx context.Context, s store.Store, org id.Org, p store.Page) ([]string, string, error) {
				return page(func(d *syncing.Run) string { return string(d.ID) })(s.Runs().List(ctx, org, syncing.RunFilter{}, p))
			},
		}, {
			"Consents",
			func(ctx context.Context, s store.Store, org id.Org, n int) (string, error) {
				d, err := s.Consents().Insert(ctx, org, newConsent(org, n))
				return d.ID, err
			},
			func(ctx context.Context, s store.Store, org id.Org, p store.Page) ([]string, string, error) {
				return page(func(d *connection.Consent) string { return d.ID })(s.Consents().List(ctx, org, p))
			},
		}, {
			"Users",
			func(ctx context.Context, s store.Store, org id.Org, n int) (string, error) {
				d, err := s.Users().Insert(ctx, org, newUser(org, n))
				return string(d.ID), err
			},
			func(ctx context.Context, s store.Store, org id.Org, p store.Page) ([]string, string, error) {
				return page(func(d *access.User) string { return string(d.ID) })(s.Users().List(ctx, org, p))
			},
		}, {
			"Namespaces",
			func(ctx context.Context, s store.Store, org id.Org, n int) (string, error) {
				d, err := s.Namespaces().Insert(ctx, org, newNamespace(org, n))
				return string(d.ID), err
			},
			func(ctx context.Context, s store.Store, org id.Org, p store.Page) ([]string, string, error) {
				return page(func(d *access.Namespace) string { return string(d.ID) })(s.Namespaces().List(ctx, org, p))
			},
		}, {
			"Sessions",
			func(ctx context.Context, s store.Store, org id.Org, n int) (string, error) {
				d, err := s.Sessions().Insert(ctx, org, newSession(org, n))
				return string(d.ID), err
			},
			func(ctx context.Context, s store.Store, org id.Org, p store.Page) ([]string, string, error) {
				return page(func(d *access.Session) string { return string(d.ID) })(s.Sessions().List(ctx, org, p))
			},
		}, {
			"APIKeys",
			func(ctx context.Context, s store.Store, org id.Org, n int) (string, error) {
				d, err := s.APIKeys().Insert(ctx, org, newKey(org, "usr_a", n))
				return string(d.ID), err
			},
			func(ctx context.Context, s store.Store, org id.Org, p store.Page) ([]string, string, error) {
				return page(func(d *access.APIKey) string { return string(d.ID) })(s.APIKeys().List(ctx, org, "usr_a", p))
			},
		},
	}
}

// fill inserts records in a mixed order, three of each moment, and returns
// their ids as the list must order them.
func (l lister) fill(t *testing.T, h Harness, org id.Org, n int) []string {
	t.Helper()
	type row struct {
		at int
		id string
	}
	var rows []row
	for i := range n {
		at := (i * 7 % n) / 3
		rows = append(rows, row{at, ok(l.insert(t.Context(), h.Store, org, at))(t)})
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Or(cmp.Compare(b.at, a.at), cmp.Compare(b.id, a.id)) })
	var ids []string
	for _, r := range rows {
		ids = append(ids, r.id)
	}
	return ids
}

// walk reads a list to its end; between is called after each page.
func (l lister) walk(t *testing.T, h Harness, org id.Org, limit int, between func()) []string {
	t.Helper()
	var all []string
	p := store.Page{Limit: limit}
	for {
		ids, next, err := l.list(t.Context(), h.Store, org, p)
		must(t, err)
		if all = append(all, ids...); next == "" {
			return all
		}
		if len(all) > 1000 {
			t.Fatal("the list does not end")
		}
		if len(ids) != limit {
			t.Fatalf("a page that is not the last has %d items, want %d", len(ids), limit)
		}
		p.Cursor = next
		between()
	}
}

func (l lister) pages(t *testing.T, h Harness) {
	org := id.NewOrg()
	want := l.fill(t, h, org, 20)
	l.fill(t, h, id.NewOrg(), 5)
	for _, limit := range []int{1, 4, 5, 19, 20, 21} {
		same(t, fmt.Sprint("pages of ", limit), l.walk(t, h, org, limit, func() {}), want)
	}
	ids, next, err := l.list(t.Context(), h.Store, org, store.Page{})
	must(t, err)
	if len(ids) != 10 || next == "" {
		t.Errorf("a page without a limit has %d items, want 10 and a cursor", len(ids))
	}
}

func (l lister) inserts(t *testing.T, h Harness) {
	org := id.NewOrg()
	want := l.fill(t, h, org, 20)
	got := l.walk(t, h, org, 3, func() { ok(l.insert(t.Context(), h.Store, org, 1000))(t) })
	same(t, "a list into which newer records came", got, want)
}

func (l lister) offset(t *testing.T, h Harness) {
	org := id.NewOrg()
	want := l.fill(t, h, org, 9)
	for _, offset := range []int{0, 4, 8, 9, 100} {
		ids, next, err := l.list(t.Context(), h.Store, org, store.Page{Limit: 3, Offset: offset})
		must(t, err)
		end := min(offset+3, len(want))
		same(t, fmt.Sprint("offset ", offset), ids, want[min(offset, len(want)):end])
		if (next != "") != (end < len(want)) {
			t.Errorf("offset %d: cursor %q", offset, next)
		}
		if next != "" { // a cursor goes on from there, whatever the offset says
			ids, _, err = l.list(t.Context(), h.Store, org, store.Page{Limit: 1, Offset: offset, Cursor: next})
			must(t, err)
			same(t, "the item after the cursor", ids, want[end:end+1])
		}
	}
}

func (l lister) badPages(t *testing.T, h Harness) {
	org := id.NewOrg()
	l.fill(t, h, org, 3)
	_, next, err := l.list(t.Context(), h.Store, org, store.Page{Limit: 1})
	must(t, err)
	if next == "" {
		t.Fatal("no cursor after the first of three")
	}
	flipped := []byte(next)
	flipped[len(flipped)/2] ^= 1
	for _, p := range []store.Page{
		{Limit: -1}, {Limit: 1001}, {Offset: -1}, {Cursor: "x"}, {Cursor: next[:len(next)-1]}, {Cursor: next + "A"}, {Cursor: string(flipped)}, {Cursor: "\x00\xff"},
	} {
		_, _, err := l.list(t.Context(), h.Store, org, p)
		wantKind(t, fmt.Sprintf("page %+v", p), err, errs.Invalid)
	}
	other := id.NewOrg()
	l.fill(t, h, other, 3)
	_, _, err = l.list(t.Context(), h.Store, other, store.Page{Cursor: next})
	wantKind(t, "a cursor of another organization", err, errs.Invalid)
}

func testForeignCursors(t *testing.T, h Harness) {
	org := id.NewOrg()
	cursors := map[string]string{}
	for _, l := range listers() {
		l.fill(t, h, org, 3)
		_, next, err := l.list(t.Context(), h.Store, org, store.Page{Limit: 1})
		must(t, err)
		cursors[l.name] = next
	}
	for _, l := range listers() {
		for from, cursor := range cursors {
			_, _, err := l.list(t.Context(), h.Store, org, store.Page{Cursor: cursor})
			if from == l.name {
				must(t, err)
			} else {
				wantKind(t, "a cursor of "+from+" in "+l.name, err, errs.Invalid)
			}
		}
	}
	by := func(sort string, desc bool, cursor string) (store.List[bucket.Object], error) {
		return h.Store.Catalogue().List(t.Context(), org, "bkt_a", bucket.Filter{Sort: sort, Desc: desc}, store.Page{Limit: 1, Cursor: cursor})
	}
	next := ok(by("size", true, ""))(t).Next
	for _, sort := range []string{"created_at", "source_path", "updated_at"} {
		_, err := by(sort, true, next)
		wantKind(t, "a cursor of another sort in "+sort, err, errs.Invalid)
	}
	_, err := by("size", false, next)
	wantKind(t, "a cursor of the other direction", err, errs.Invalid)
}

// testDeletesInBetween removes what a cursor points at and what comes next.
func testDeletesInBetween(t *testing.T, h Harness) {
	org, b := id.NewOrg(), id.Bucket("bkt_a")
	l := listers()[len(recordListers())]
	want := l.fill(t, h, org, 20)
	var got []string
	p := store.Page{Limit: 4}
	gone := map[string]bool{}
	for {
		ids, next, err := l.list(t.Context(), h.Store, org, p)
		must(t, err)
		if got = append(got, ids...); next == "" {
			break
		}
		if len(got) > len(want) {
			t.Fatal("the list does not end")
		}
		p.Cursor = next
		at := len(got) + len(gone)
		for _, i := range []int{at - 1, at} { // the last one shown, and the one after it
			must(t, h.Store.Catalogue().Remove(t.Context(), org, b, []id.Object{id.Object(want[i])}))
		}
		gone[want[at]] = true
	}
	same(t, "a list from which records went", got, slices.DeleteFunc(want, func(i string) bool { return gone[i] }))
}
