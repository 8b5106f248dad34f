package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/key"
)

const (
	bktA  = id.Bucket("bkt_a")
	connA = id.Connection("conn_a")
	syncA = id.Sync("sync_a")
)

func catalogueTests() []subtest {
	return []subtest{
		{"UpsertRoundTrip", testUpsertRoundTrip},
		{"UpsertIsIdempotent", testUpsertIdempotent},
		{"UpsertKeepsCreatedAt", testUpsertCreated},
		{"UpsertRefuses", testUpsertRefuses},
		{"UpsertMany", testUpsertMany},
		{"UpsertLeavesWhatAUserDeleted", testUpsertRemoved},
		{"UpsertLeavesWhatIsNewer", testUpsertNewer},
		{"ScanEntries", testScanEntries},
		{"ByContent", testByContent},
		{"Duplicates", testDuplicates},
		{"InFolder", testInFolder},
		{"Unseen", testUnseen},
		{"Remove", testRemove},
		{"StatsAndCounts", testStats},
		{"Drop", testDropBucket},
		{"BucketsAreApart", testBucketsApart},
	}
}

func objectTests() []subtest {
	return []subtest{
		{"Update", testObjectUpdate},
		{"UpdateRace", testObjectUpdateRace},
		{"UpdateReruns", testObjectUpdateReruns},
		{"UpdateErrors", testObjectUpdateErrors},
		{"UpdateBesideUpsertAndMarkSeen", testObjectUpdateBeside},
	}
}

func upsert(t testing.TB, h Harness, org id.Org, objects ...bucket.Object) {
	t.Helper()
	must(t, h.Store.Catalogue().Upsert(t.Context(), org, bktA, objects))
}

func simple(org id.Org, k key.Key, n int) bucket.Object {
	return newObject(org, bktA, connA, syncA, k, n)
}

func testUpsertRoundTrip(t *testing.T, h Harness) {
	org := id.NewOrg()
	modified := moment(7)
	o := simple(org, "dir/\x00\xff\"!~", 5)
	o.Parent, o.ModifiedAt, o.DuplicateOf, o.Mapping = "folder", &modified, "obj_other", 3
	o.Fields = map[string]any{"s": "x", "i": int64(1), "f": 1.5, "l": []any{"a", int64(2)}, "m": map[string]any{"z": nil}, "t": moment(1)}
	o.Blobs = []bucket.Blob{{Property: "content", Type: "text", MIME: "text/plain"}}
	upsert(t, h, org, o)
	same(t, "Get", ok(h.Store.Catalogue().Get(t.Context(), org, bktA, o.ID))(t), o)
	found := ok(h.Store.Catalogue().Lookup(t.Context(), org, bktA, []id.Object{"obj_none", o.ID, o.ID}))(t)
	same(t, "Lookup", found, map[id.Object]bucket.Object{o.ID: o})
	_, err := h.Store.Catalogue().Get(t.Context(), org, bktA, "obj_none")
	wantKind(t, "Get of an unknown object", err, errs.NotFound)
	must(t, h.Store.Catalogue().Upsert(t.Context(), org, bktA, nil))
}

func testUpsertIdempotent(t *testing.T, h Harness) {
	org := id.NewOrg()
	a, b := simple(org, "a", 1), simple(org, "b", 2)
	for range 3 {
		upsert(t, h, org, a, b)
	}
	same(t, "a", ok(h.Store.Catalogue().Get(t.Context(), org, bktA, a.ID))(t), a)
	same(t, "stats", ok(h.Store.Catalogue().Stats(t.Context(), org, bktA))(t).Objects, int64(2))
	same(t, "entries", len(ok(h.Store.Catalogue().Scan(t.Context(), org, bktA, connA, "", "", 10))(t)), 2)
}

func testUpsertCreated(t *testing.T, h Harness) {
	org := id.NewOrg()
	o := simple(org, "a", 1)
	upsert(t, h, org, o)
	newer := simple(org, "a", 1000)
	newer.Version, newer.Size, newer.State = "v2", 9, bucket.Tombstoned
	upsert(t, h, org, newer)
	newer.CreatedAt = o.CreatedAt
	same(t, "Get", ok(h.Store.Catalogue().Get(t.Context(), org, bktA, o.ID))(t), newer)
	l := ok(h.Store.Catalogue().List(t.Context(), org, bktA, bucket.Filter{}, whole))(t)
	same(t, "List", l.Items, []bucket.Object{newer})
	twice := []bucket.Object{simple(org, "b", 1), simple(org, "b", 2)}
	upsert(t, h, org, twice...)
	same(t, "the last of two in one call", ok(h.Store.Catalogue().Get(t.Context(), org, bktA, twice[1].ID))(t).Size, int64(2))
}

func testUpsertRefuses(t *testing.T, h Harness) {
	org := id.NewOrg()
	for what, change := range map[string]func(*bucket.Object){
		"another organization": func(o *bucket.Object) { o.Org = id.NewOrg() },
		"another bucket":       func(o *bucket.Object) { o.Bucket = "bkt_b" },
		"another id":           func(o *bucket.Object) { o.ID = "obj_x" },
		"another connection":   func(o *bucket.Object) { o.Connection = "conn_b" },
	} {
		o := simple(org, "a", 1)
		change(&o)
		wantKind(t, what, h.Store.Catalogue().Upsert(t.Context(), org, bktA, []bucket.Object{simple(org, "b", 1), o}), errs.Invalid)
	}
	same(t, "what a refused call stored", ok(h.Store.Catalogue().Stats(t.Context(), org, bktA))(t).Objects, int64(0))
	wantKind(t, "an ended context", h.Store.Catalogue().Upsert(ended(), org, bktA, []bucket.Object{simple(org, "b", 1)}), errs.Canceled)
}

// testUpsertMany uses more objects than a store takes at once.
func testUpsertMany(t *testing.T, h Harness) {
	const n = 3000
	org := id.NewOrg()
	var objects []bucket.Object
	var all []id.Object
	for i := range n {
		o := simple(org, key.Key(fmt.Sprintf("%06d", i)), i)
		objects, all = append(objects, o), append(all, o.ID)
	}
	upsert(t, h, org, objects...)
	same(t, "entries", len(ok(h.Store.Catalogue().Scan(t.Context(), org, bktA, connA, "", "", 2*n))(t)), n)
	same(t, "looked up", len(ok(h.Store.Catalogue().Lookup(t.Context(), org, bktA, all))(t)), n)
	must(t, h.Store.Catalogue().MarkSeen(t.Context(), org, bktA, "pass", all[1:]))
	same(t, "unseen", len(ok(h.Store.Catalogue().Unseen(t.Context(), org, bktA, syncA, "pass", "", n))(t)), 1)
	must(t, h.Store.Catalogue().Remove(t.Context(), org, bktA, all[1:]))
	same(t, "left", len(ok(h.Store.Catalogue().Scan(t.Context(), org, bktA, connA, "", "", n))(t)), 1)
}

func testScanEntries(t *testing.T, h Harness) {
	org := id.NewOrg()
	a, b := simple(org, "a", 1), simple(org, "b", 2)
	a.Name, a.Mapping, a.State = a.SourcePath, 4, bucket.Tombstoned // whatever the state
	other := newObject(org, bktA, "conn_b", "sync_b", "a", 3)
	upsert(t, h, org, b, a, other)
	got := ok(h.Store.Catalogue().Scan(t.Context(), org, bktA, connA, "", "", 10))(t)
	same(t, "Scan", got, []bucket.Entry{entryOf(a), entryOf(b)})
	_, err := h.Store.Catalogue().Scan(t.Context(), org, bktA, connA, "", "", 0)
	wantKind(t, "a limit of 0", err, errs.Invalid)
}

func entryOf(o bucket.Object) bucket.Entry {
	return bucket.Entry{
		ID: o.ID, Sync: o.Sync, SourceID: o.SourceID, Version: o.Version, Size: o.Size, Name: o.Name, State: o.State, Mapping: o.Mapping, Path: o.SourcePath,
	}
}

func testByContent(t *testing.T, h Harness) {
	org := id.NewOrg()
	first, dup, gone, removed, none := simple(org, "a", 1), simple(org, "b", 1), simple(org, "c", 2), simple(org, "d", 3), simple(org, "e", 0)
	dup.DuplicateOf = string(first.ID)
	gone.State, removed.State, none.SHA256 = bucket.Tombstoned, bucket.Removed, ""
	near := simple(org, "f", 1)
	near.SHA256 = "f" + first.SHA256[1:]
	upsert(t, h, org, dup, first, gone, removed, none, near)
	got := ok(h.Store.Catalogue().ByContent(t.Context(), org, bktA, []string{first.SHA256, gone.SHA256, removed.SHA256, "", "no hash", first.SHA256}))(t)
	same(t, "ByContent", got, map[string]id.Object{first.SHA256: first.ID})
	first.State = bucket.Tombstoned
	upsert(t, h, org, first)
	same(t, "ByContent when the first went", ok(h.Store.Catalogue().ByContent(t.Context(), org, bktA, []string{first.SHA256}))(t), map[string]id.Object{})
}

func testDuplicates(t *testing.T, h Harness) {
	org := id.NewOrg()
	first, second, third, gone, other := simple(org, "a", 1), simple(org, "b", 1), simple(org, "c", 1), simple(org, "d", 1), simple(org, "e", 2)
	second.DuplicateOf, third.DuplicateOf, gone.DuplicateOf, other.DuplicateOf = string(first.ID), string(first.ID), string(first.ID), "obj_x"
	gone.State = bucket.Tombstoned
	upsert(t, h, org, first, second)
	upsert(t, h, org, third, gone, other)
	find := func(sum string, limit int) (ids []id.Object) {
		for _, o := range ok(h.Store.Catalogue().Duplicates(t.Context(), org, bktA, sum, limit))(t) {
			ids = append(ids, o.ID)
		}
		return ids
	}
	same(t, "Duplicates", find(first.SHA256, 10), []id.Object{second.ID, third.ID})
	same(t, "one of them", find(first.SHA256, 1), []id.Object{second.ID})
	same(t, "of no content", find("", 10), []id.Object(nil))
}

func testInFolder(t *testing.T, h Harness) {
	org := id.NewOrg()
	var want []bucket.Object
	for n := range 5 {
		o := simple(org, key.Key(fmt.Sprint("k", n)), n)
		o.Parent = "folder"
		want = append(want, o)
	}
	other, root := simple(org, "x", 1), simple(org, "y", 1)
	other.Parent = "other"
	upsert(t, h, org, append(want, other, root)...)
	got := map[id.Object]bool{}
	var after id.Object
	for {
		page := ok(h.Store.Catalogue().InFolder(t.Context(), org, bktA, connA, "folder", after, 2))(t)
		if len(page) == 0 {
			break
		}
		for _, o := range page {
			if o.ID <= after || o.Parent != "folder" {
				t.Errorf("object %s of folder %s after %s", o.ID, o.Parent, after)
			}
			after, got[o.ID] = o.ID, true
		}
	}
	same(t, "objects met", len(got), len(want))
	same(t, "another connection", ok(h.Store.Catalogue().InFolder(t.Context(), org, bktA, "conn_b", "folder", "", 9))(t), []bucket.Object(nil))
}

func testUnseen(t *testing.T, h Harness) {
	org := id.NewOrg()
	a, b, c, d := simple(org, "a", 1), simple(org, "b", 2), simple(org, "c", 3), simple(org, "d", 4)
	d.State = bucket.Tombstoned
	other := newObject(org, bktA, connA, "sync_b", "e", 5)
	upsert(t, h, org, a, b, c, d, other)
	must(t, h.Store.Catalogue().MarkSeen(t.Context(), org, bktA, "pass1", []id.Object{b.ID, "obj_none"}))
	unseen := func(pass id.Pass, after key.Key, limit int) []bucket.Entry {
		return ok(h.Store.Catalogue().Unseen(t.Context(), org, bktA, syncA, pass, after, limit))(t)
	}
	same(t, "unseen", unseen("pass1", "", 9), []bucket.Entry{entryOf(a), entryOf(c)})
	same(t, "after a key", unseen("pass1", "a", 9), []bucket.Entry{entryOf(c)})
	same(t, "limited", unseen("pass1", "", 1), []bucket.Entry{entryOf(a)})
	same(t, "by another pass", len(unseen("pass2", "", 9)), 3)
	b.SeenPass = "pass1"
	same(t, "Get says who saw it", ok(h.Store.Catalogue().Get(t.Context(), org, bktA, b.ID))(t), b)
	a.SeenPass = "pass1"
	upsert(t, h, org, a) // an upsert says it too
	same(t, "after an upsert", unseen("pass1", "", 9), []bucket.Entry{entryOf(c)})
}

func testRemove(t *testing.T, h Harness) {
	org := id.NewOrg()
	a, b := simple(org, "a", 1), simple(org, "b", 2)
	upsert(t, h, org, a, b)
	claim := func(o bucket.Object, name string) []string {
		return ok(h.Store.Catalogue().Reserve(t.Context(), org, bktA, []bucket.Claim{{Source: bucket.FileSource(o.ID), Candidates: candidates(name, name+"~")}}))(t)
	}
	claim(a, "name a")
	claim(b, "name b")
	must(t, h.Store.Catalogue().Remove(t.Context(), org, bktA, []id.Object{a.ID, "obj_none"}))
	must(t, h.Store.Catalogue().Remove(t.Context(), org, bktA, []id.Object{a.ID}))
	_, err := h.Store.Catalogue().Get(t.Context(), org, bktA, a.ID)
	wantKind(t, "Get of a removed object", err, errs.NotFound)
	other := simple(org, "other", 1)
	same(t, "the name of a removed object", claim(other, "name a"), []string{"name a"})
	same(t, "the name of one that stays", claim(simple(org, "third", 1), "name b"), []string{"name b~"})
}

func testStats(t *testing.T, h Harness) {
	org := id.NewOrg()
	empty := ok(h.Store.Catalogue().Stats(t.Context(), org, bktA))(t)
	if empty.Objects != 0 || empty.Bytes != 0 || empty.LastAt != nil || empty.UpdatedAt == nil {
		t.Errorf("stats of an empty bucket: %+v", empty)
	}
	a, b, c := simple(org, "a", 10), simple(org, "b", 20), simple(org, "c", 40)
	c.State = bucket.Tombstoned
	other := newObject(org, bktA, "conn_b", "sync_b", "a", 100)
	upsert(t, h, org, a, b, c, other)
	s := ok(h.Store.Catalogue().Stats(t.Context(), org, bktA))(t)
	if s.Objects != 3 || s.Bytes != 130 || s.LastAt == nil || !s.LastAt.Equal(moment(100)) {
		t.Errorf("stats: %+v, want 3 objects of 130 bytes, the last at %v", s, moment(100))
	}
	same(t, "objects of a sync", ok(h.Store.Catalogue().CountSync(t.Context(), org, bktA, syncA))(t), int64(2))
	a.State = bucket.Removed
	upsert(t, h, org, a)
	same(t, "objects of a sync, less one", ok(h.Store.Catalogue().CountSync(t.Context(), org, bktA, syncA))(t), int64(1))
}

func testDropBucket(t *testing.T, h Harness) {
	org := id.NewOrg()
	for n := range 7 {
		upsert(t, h, org, simple(org, key.Key(fmt.Sprint(n)), n))
		ok(h.Store.Catalogue().Reserve(t.Context(), org, bktA, []bucket.Claim{{Source: key.Key(fmt.Sprint(n)), Candidates: candidates(fmt.Sprint(n))}}))(t)
	}
	kept := newObject(org, "bkt_b", connA, syncA, "k", 1)
	must(t, h.Store.Catalogue().Upsert(t.Context(), org, "bkt_b", []bucket.Object{kept}))
	calls := 0
	for more := true; more; calls++ {
		if calls > 20 {
			t.Fatal("dropping 14 rows by 4 does not end")
		}
		more = ok(h.Store.Catalogue().Drop(t.Context(), org, bktA, 4))(t)
	}
	if calls < 4 {
		t.Errorf("14 rows were dropped by %d calls of 4", calls)
	}
	same(t, "objects left", ok(h.Store.Catalogue().Stats(t.Context(), org, bktA))(t).Objects, int64(0))
	got := ok(h.Store.Catalogue().Reserve(t.Context(), org, bktA, []bucket.Claim{{Source: "new", Candidates: candidates("3", "3~")}}))(t)
	same(t, "a name that was dropped", got, []string{"3"})
	same(t, "another bucket", ok(h.Store.Catalogue().Get(t.Context(), org, "bkt_b", kept.ID))(t), kept)
}

func testBucketsApart(t *testing.T, h Harness) {
	org := id.NewOrg()
	o := simple(org, "a", 1)
	upsert(t, h, org, o)
	_, err := h.Store.Catalogue().Get(t.Context(), org, "bkt_b", o.ID)
	wantKind(t, "Get in another bucket", err, errs.NotFound)
	must(t, h.Store.Catalogue().Remove(t.Context(), org, "bkt_b", []id.Object{o.ID}))
	must(t, h.Store.Catalogue().MarkSeen(t.Context(), org, "bkt_b", "pass", []id.Object{o.ID}))
	same(t, "the object", ok(h.Store.Catalogue().Get(t.Context(), org, bktA, o.ID))(t), o)
}

func testObjectUpdate(t *testing.T, h Harness) {
	org := id.NewOrg()
	o := simple(org, "a", 1)
	upsert(t, h, org, o)
	got := ok(h.Store.Catalogue().Update(t.Context(), org, bktA, o.ID, func(o *bucket.Object) error {
		o.State, o.UpdatedAt = bucket.Removed, moment(50).Add(time.Microsecond)
		return nil
	}))(t)
	o.State, o.UpdatedAt = bucket.Removed, moment(50)
	same(t, "Update", got, o)
	same(t, "Get", ok(h.Store.Catalogue().Get(t.Context(), org, bktA, o.ID))(t), o)
	same(t, "Stats", ok(h.Store.Catalogue().Stats(t.Context(), org, bktA))(t).Objects, int64(0))
	same(t, "Update without a change", ok(h.Store.Catalogue().Update(t.Context(), org, bktA, o.ID, func(*bucket.Object) error { return nil }))(t), o)
}

// What a user has deleted does not come back with the version deleted.
func testUpsertRemoved(t *testing.T, h Harness) {
	org := id.NewOrg()
	o := simple(org, "a", 1)
	upsert(t, h, org, o)
	removed := ok(h.Store.Catalogue().Update(t.Context(), org, bktA, o.ID, func(o *bucket.Object) error { o.State = bucket.Removed; return nil }))(t)
	holds := func(what string, want bucket.Object) {
		t.Helper()
		same(t, what, ok(h.Store.Catalogue().Get(t.Context(), org, bktA, o.ID))(t), want)
	}
	upsert(t, h, org, o)
	holds("the same version", removed)
	none := o
	none.Version = ""
	upsert(t, h, org, none)
	holds("no version", removed)
	removed.Name = "another"
	upsert(t, h, org, removed)
	holds("still removed", removed)
	o.Version += "+"
	upsert(t, h, org, o)
	holds("a new version", o)
}

// A process that was stopped before its write, and goes on after others have
// written, changes nothing.
func testUpsertNewer(t *testing.T, h Harness) {
	org := id.NewOrg()
	at := func(revision int64, version string) bucket.Object {
		o := simple(org, "a", 1)
		o.Revision, o.Version = revision, version
		return o
	}
	holds := func(why string, want bucket.Object) {
		t.Helper()
		got := ok(h.Store.Catalogue().Get(t.Context(), org, bktA, want.ID))(t)
		if got.Revision != want.Revision || got.Version != want.Version {
			t.Errorf("%s: revision %d of %s, want %d of %s", why, got.Revision, got.Version, want.Revision, want.Version)
		}
	}
	upsert(t, h, org, at(5, "v5"), simple(org, "b", 2))
	upsert(t, h, org, at(4, "v4"), simple(org, "c", 3))
	holds("an older one", at(5, "v5"))
	same(t, "beside it", len(ok(h.Store.Catalogue().Lookup(t.Context(), org, bktA, []id.Object{at(0, "").ID, simple(org, "b", 2).ID, simple(org, "c", 3).ID}))(t)), 3)
	upsert(t, h, org, at(5, "v5 again"))
	holds("the same revision", at(5, "v5 again"))
	upsert(t, h, org, at(6, "v6"))
	holds("a newer one", at(6, "v6"))
	gone := at(1, "v1")
	gone.State = bucket.Removed
	upsert(t, h, org, gone)
	holds("what a user deleted", gone)
}

func testObjectUpdateRace(t *testing.T, h Harness) {
	const n = 64
	org := id.NewOrg()
	o := simple(org, "a", 0)
	upsert(t, h, org, o)
	for _, err := range race(n, func(int) error {
		_, err := h.Store.Catalogue().Update(t.Context(), org, bktA, o.ID, func(o *bucket.Object) error { o.Mapping++; return nil })
		return err
	}) {
		must(t, err)
	}
	same(t, "increments", ok(h.Store.Catalogue().Get(t.Context(), org, bktA, o.ID))(t).Mapping, int64(n))
}

func testObjectUpdateReruns(t *testing.T, h Harness) {
	org := id.NewOrg()
	o := simple(org, "a", 1)
	upsert(t, h, org, o)
	calls := 0
	got := ok(h.Store.Catalogue().Update(t.Context(), org, bktA, o.ID, func(o *bucket.Object) error {
		if calls++; calls == 1 {
			between := *o
			between.Version = "between"
			upsert(t, h, org, between)
		}
		o.Mapping++
		return nil
	}))(t)
	if calls != 2 || got.Version != "between" || got.Mapping != 1 {
		t.Errorf("change ran %d times and made %+v", calls, got)
	}
}

func testObjectUpdateErrors(t *testing.T, h Harness) {
	org := id.NewOrg()
	o := simple(org, "a", 1)
	upsert(t, h, org, o)
	_, err := h.Store.Catalogue().Update(t.Context(), org, bktA, o.ID, func(o *bucket.Object) error { o.Size = 9; return errTest })
	if !errors.Is(err, errTest) {
		t.Errorf("Update returned %v, want the error of its change", err)
	}
	_, err = h.Store.Catalogue().Update(t.Context(), org, bktA, o.ID, func(o *bucket.Object) error { o.SourceID = "b"; return nil })
	wantKind(t, "a change of identity", err, errs.Invalid)
	_, err = h.Store.Catalogue().Update(t.Context(), org, bktA, "obj_none", func(*bucket.Object) error { t.Error("called"); return nil })
	wantKind(t, "an unknown object", err, errs.NotFound)
	same(t, "the object", ok(h.Store.Catalogue().Get(t.Context(), org, bktA, o.ID))(t), o)
}

// testObjectUpdateBeside updates while the engine writes the same object: what
// was marked or upserted meanwhile is not lost.
func testObjectUpdateBeside(t *testing.T, h Harness) {
	org := id.NewOrg()
	o := simple(org, "a", 1)
	upsert(t, h, org, o)
	calls := 0
	got := ok(h.Store.Catalogue().Update(t.Context(), org, bktA, o.ID, func(o *bucket.Object) error {
		if calls++; calls == 1 {
			must(t, h.Store.Catalogue().MarkSeen(t.Context(), org, bktA, "pass", []id.Object{o.ID}))
		}
		o.Size = 77
		return nil
	}))(t)
	if got.SeenPass != "pass" || got.Size != 77 {
		t.Errorf("seen %q, size %d; want both writes", got.SeenPass, got.Size)
	}
}
