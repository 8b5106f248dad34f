package storetest

import (
	"fmt"
	"slices"
	"testing"

	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/key"
	"mooring/internal/syncing"
)

func syncTests() []subtest {
	return []subtest{
		{"Remove", testSyncRemove},
		{"ShardsOfPass", testShards},
		{"Absences", testAbsences},
		{"Tree", testTree},
	}
}

// testSyncRemove removes one of two syncs that have rows of every kind.
func testSyncRemove(t *testing.T, h Harness) {
	org, at := id.NewOrg(), moment(9)
	gone, stays := newSync(org, 1), newSync(org, 2)
	before := map[id.Sync]string{}
	for _, s := range []syncing.Sync{gone, stays} {
		ok(h.Store.Syncs().Insert(t.Context(), org, s))(t)
		fillSync(t, h, org, s.ID)
		before[s.ID] = dumpSync(t, h, org, s.ID)
	}
	wantKind(t, "Remove of a sync that is not deleted", h.Store.Syncs().Remove(t.Context(), org, gone.ID), errs.Conflict)
	same(t, "its rows", dumpSync(t, h, org, gone.ID), before[gone.ID])
	ok(h.Store.Syncs().Update(t.Context(), org, gone.ID, func(s *syncing.Sync) error { s.DeletedAt = &at; return nil }))(t)
	for range 2 {
		must(t, h.Store.Syncs().Remove(t.Context(), org, gone.ID))
	}
	_, err := h.Store.Syncs().Get(t.Context(), org, gone.ID)
	wantKind(t, "Get of a removed sync", err, errs.NotFound)
	same(t, "its rows", dumpSync(t, h, org, gone.ID), dumpSync(t, h, org, "sync_none"))
	same(t, "the rows of the other", dumpSync(t, h, org, stays.ID), before[stays.ID])
}

// The passes of syncs that fillSync fills, so that they are found again.
func passOf(s id.Sync) id.Pass { return id.Pass("pass of " + s) }

func fillSync(t *testing.T, h Harness, org id.Org, s id.Sync) {
	t.Helper()
	p := newPass(org, s, 1)
	p.ID = passOf(s)
	ok(h.Store.Passes().Insert(t.Context(), org, p))(t)
	ok(h.Store.Shards().Insert(t.Context(), org, newShard(org, s, p.ID, 1)))(t)
	ok(h.Store.Runs().Insert(t.Context(), org, newRun(org, s, "bkt_a", 1)))(t)
	must(t, h.Store.Pages().Append(t.Context(), org, newRecord(org, s, p.ID, "000", 1)))
	var absent []syncing.Absence
	for i := range 1200 { // more than a store removes at once
		absent = append(absent, syncing.Absence{Object: id.Object(fmt.Sprint("obj_", i)), SourceID: key.Key(fmt.Sprint(i)), Name: "n"})
	}
	must(t, h.Store.Absences().Note(t.Context(), org, s, p.ID, absent))
	must(t, h.Store.DeadLetters().Put(t.Context(), org, []syncing.DeadLetter{newLetter(org, s, "k", 1)}))
	must(t, h.Store.Tree().Apply(t.Context(), org, s, []syncing.TreeChange{{Node: syncing.Node{ID: "n", Parent: "root", Name: "x"}}}))
}

// dumpSync says what rows a sync has.
func dumpSync(t *testing.T, h Harness, org id.Org, s id.Sync) string {
	t.Helper()
	ctx, p := t.Context(), passOf(s)
	_, err := h.Store.Passes().Get(ctx, org, p)
	return fmt.Sprint(
		errs.KindOf(err) == errs.NotFound && err != nil,
		len(ok(h.Store.Shards().OfPass(ctx, org, p))(t)),
		ok(h.Store.Runs().Count(ctx, org, syncing.RunFilter{Sync: s}))(t),
		len(ok(h.Store.Pages().Pending(ctx, org, s, "", 10))(t)),
		ok(h.Store.Absences().Count(ctx, org, s, p))(t),
		ok(h.Store.DeadLetters().Count(ctx, org, s, syncing.DeadLetterFilter{}))(t),
		ok(h.Store.Tree().Nodes(ctx, org, s, []string{"n"}))(t),
	)
}

func testShards(t *testing.T, h Harness) {
	org, p := id.NewOrg(), id.NewPass()
	var want []syncing.Shard
	for n := range 3 {
		want = append(want, ok(h.Store.Shards().Insert(t.Context(), org, newShard(org, syncA, p, n)))(t))
	}
	other := ok(h.Store.Shards().Insert(t.Context(), org, newShard(org, syncA, id.NewPass(), 1)))(t)
	got := ok(h.Store.Shards().OfPass(t.Context(), org, p))(t)
	slices.SortFunc(got, func(a, b syncing.Shard) int { return int(b.From[0]) - int(a.From[0]) })
	same(t, "the shards of a pass", got, want)
	for range 2 {
		must(t, h.Store.Shards().Remove(t.Context(), org, p))
		must(t, h.Store.Passes().Remove(t.Context(), org, p))
	}
	same(t, "after Remove", len(ok(h.Store.Shards().OfPass(t.Context(), org, p))(t)), 0)
	same(t, "another pass", ok(h.Store.Shards().OfPass(t.Context(), org, other.Pass))(t), []syncing.Shard{other})
	d := ok(h.Store.Passes().Insert(t.Context(), org, newPass(org, syncA, 1)))(t)
	must(t, h.Store.Passes().Remove(t.Context(), org, d.ID))
	_, err := h.Store.Passes().Get(t.Context(), org, d.ID)
	wantKind(t, "Get of a removed pass", err, errs.NotFound)
}

func testAbsences(t *testing.T, h Harness) {
	org := id.NewOrg()
	a := h.Store.Absences()
	absent := func(k key.Key) syncing.Absence {
		return syncing.Absence{Object: id.ObjectOf(bktA, connA, string(k)), SourceID: k, Name: "name " + k.Encode()}
	}
	list := []syncing.Absence{absent("a"), absent("b\xff"), absent("c")}
	for range 2 {
		must(t, a.Note(t.Context(), org, syncA, "pass", list))
	}
	must(t, a.Note(t.Context(), org, syncA, "other pass", list[:1]))
	must(t, a.Note(t.Context(), org, "sync_b", "pass", list[:1]))
	same(t, "List", ok(a.List(t.Context(), org, syncA, "pass", "", 9))(t), list)
	same(t, "List after a key", ok(a.List(t.Context(), org, syncA, "pass", "b\xff", 9))(t), list[2:])
	same(t, "Count", ok(a.Count(t.Context(), org, syncA, "pass"))(t), int64(3))
	for range 2 {
		must(t, a.Settle(t.Context(), org, syncA, "pass", []id.Object{list[1].Object, "obj_none"}))
	}
	same(t, "List after Settle", ok(a.List(t.Context(), org, syncA, "pass", "", 9))(t), []syncing.Absence{list[0], list[2]})
	for range 2 {
		must(t, a.Drop(t.Context(), org, syncA, "pass"))
	}
	same(t, "Count after Drop", ok(a.Count(t.Context(), org, syncA, "pass"))(t), int64(0))
	same(t, "another pass", ok(a.Count(t.Context(), org, syncA, "other pass"))(t), int64(1))
	same(t, "another sync", ok(a.Count(t.Context(), org, "sync_b", "pass"))(t), int64(1))
}

func testTree(t *testing.T, h Harness) {
	org := id.NewOrg()
	x := h.Store.Tree()
	put := func(i, parent, name string) syncing.TreeChange {
		return syncing.TreeChange{Node: syncing.Node{ID: i, Parent: parent, Name: name}}
	}
	changes := []syncing.TreeChange{put("1", "root", "one"), put("2", "root", "two"), put("3", "1", "three"), put("4", "root", "four")}
	for range 2 {
		must(t, x.Apply(t.Context(), org, syncA, changes))
	}
	must(t, x.Apply(t.Context(), org, "sync_b", changes))
	same(t, "Children", ok(x.Children(t.Context(), org, syncA, "root", "", 9))(t), []syncing.Node{changes[0].Node, changes[1].Node, changes[3].Node})
	same(t, "Children after", ok(x.Children(t.Context(), org, syncA, "root", "1", 1))(t), []syncing.Node{changes[1].Node})
	// A move and a removal; the second time nothing is left to do.
	for range 2 {
		must(t, x.Apply(t.Context(), org, syncA, []syncing.TreeChange{put("3", "2", "renamed"), {Node: syncing.Node{ID: "1"}, Gone: true}}))
	}
	same(t, "Nodes", ok(x.Nodes(t.Context(), org, syncA, []string{"1", "3", "none", "3"}))(t),
		map[string]syncing.Node{"3": {ID: "3", Parent: "2", Name: "renamed"}})
	must(t, x.Drop(t.Context(), org, syncA))
	same(t, "after Drop", len(ok(x.Nodes(t.Context(), org, syncA, []string{"2", "3"}))(t)), 0)
	same(t, "another sync", len(ok(x.Nodes(t.Context(), org, "sync_b", []string{"1", "2", "3", "4"}))(t)), 4)
}
