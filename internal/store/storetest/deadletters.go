package storetest

import (
	"fmt"
	"testing"

	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/key"
	"mooring/internal/syncing"
)

func deadLetterTests() []subtest {
	return []subtest{
		{"Put", testPutLetters},
		{"CloseAndLookup", testCloseLetters},
		{"Filters", testLetterFilters},
		{"SetStatus", testSetStatus},
		{"Purge", testPurge},
	}
}

func putLetters(t *testing.T, h Harness, org id.Org, letters ...syncing.DeadLetter) {
	t.Helper()
	must(t, h.Store.DeadLetters().Put(t.Context(), org, letters))
}

func testPutLetters(t *testing.T, h Harness) {
	org := id.NewOrg()
	l := newLetter(org, syncA, "k\xff", 1)
	putLetters(t, h, org, l)
	got := ok(h.Store.DeadLetters().Get(t.Context(), org, syncA, l.ID))(t)
	l.Revision = got.Revision // the store's own
	same(t, "Get", got, l)
	for range 2 {
		putLetters(t, h, org, l)
		same(t, "Get after putting it again", ok(h.Store.DeadLetters().Get(t.Context(), org, syncA, l.ID))(t), got)
	}
	newer := newLetter(org, syncA, "k\xff", 50)
	newer.Version, newer.Kind = "v2", errs.Corrupt.String()
	putLetters(t, h, org, newer)
	got = ok(h.Store.DeadLetters().Get(t.Context(), org, syncA, l.ID))(t)
	if got.Revision <= l.Revision {
		t.Errorf("revision %d after %d", got.Revision, l.Revision)
	}
	newer.Revision, newer.CreatedAt = got.Revision, l.CreatedAt
	same(t, "a newer one", got, newer)
	same(t, "Count", ok(h.Store.DeadLetters().Count(t.Context(), org, syncA, syncing.DeadLetterFilter{}))(t), int64(1))
	wantKind(t, "a letter of another organization", h.Store.DeadLetters().Put(t.Context(), id.NewOrg(), []syncing.DeadLetter{l}), errs.Invalid)
}

func testCloseLetters(t *testing.T, h Harness) {
	org := id.NewOrg()
	a, b := newLetter(org, syncA, "a", 1), newLetter(org, syncA, "b", 2)
	putLetters(t, h, org, a, b)
	a.Revision, b.Revision = 1, 1
	same(t, "Lookup", ok(h.Store.DeadLetters().Lookup(t.Context(), org, syncA, []string{a.ID, "none", b.ID}))(t), map[string]syncing.DeadLetter{a.ID: a, b.ID: b})
	for range 2 {
		must(t, h.Store.DeadLetters().Close(t.Context(), org, syncA, []string{a.ID, "none"}))
	}
	_, err := h.Store.DeadLetters().Get(t.Context(), org, syncA, a.ID)
	wantKind(t, "Get of a closed letter", err, errs.NotFound)
	must(t, h.Store.DeadLetters().Close(t.Context(), org, "sync_b", []string{b.ID}))
	same(t, "another sync's", ok(h.Store.DeadLetters().Get(t.Context(), org, syncA, b.ID))(t), b)
}

// threeLetters are of two kinds and two states.
func threeLetters(t *testing.T, h Harness, org id.Org) []syncing.DeadLetter {
	t.Helper()
	out := []syncing.DeadLetter{newLetter(org, syncA, "a", 1), newLetter(org, syncA, "b", 2), newLetter(org, syncA, "c", 3)}
	out[1].Kind, out[2].Status = errs.Internal.String(), syncing.DeadRetry
	other := newLetter(org, "sync_b", "a", 1)
	putLetters(t, h, org, append(out, other)...)
	return out
}

var letterFilters = []struct {
	filter syncing.DeadLetterFilter
	want   []int
}{
	{syncing.DeadLetterFilter{}, []int{2, 1, 0}},
	{syncing.DeadLetterFilter{Status: syncing.DeadOpen}, []int{1, 0}},
	{syncing.DeadLetterFilter{Kind: errs.Stale, ByKind: true}, []int{2, 0}},
	{syncing.DeadLetterFilter{Kind: errs.Internal, ByKind: true}, []int{1}},
	{syncing.DeadLetterFilter{Kind: errs.Internal}, []int{2, 1, 0}},
	{syncing.DeadLetterFilter{Status: syncing.DeadRetry, Kind: errs.Stale, ByKind: true}, []int{2}},
}

func testLetterFilters(t *testing.T, h Harness) {
	org := id.NewOrg()
	made := threeLetters(t, h, org)
	for _, c := range letterFilters {
		l := ok(h.Store.DeadLetters().List(t.Context(), org, syncA, c.filter, whole))(t)
		var want []string
		for _, i := range c.want {
			want = append(want, made[i].ID)
		}
		same(t, fmt.Sprintf("list %+v", c.filter), ids(l, func(d *syncing.DeadLetter) string { return d.ID }), want)
		same(t, "count", ok(h.Store.DeadLetters().Count(t.Context(), org, syncA, c.filter))(t), int64(len(c.want)))
	}
}

func testSetStatus(t *testing.T, h Harness) {
	org := id.NewOrg()
	made := threeLetters(t, h, org)
	set := func(f syncing.DeadLetterFilter, ids []string, status string) int64 {
		return ok(h.Store.DeadLetters().SetStatus(t.Context(), org, syncA, f, ids, status))(t)
	}
	same(t, "named ones that the filter selects", set(syncing.DeadLetterFilter{Kind: errs.Stale, ByKind: true}, []string{made[0].ID, made[1].ID}, syncing.DeadRetry), int64(1))
	got := ok(h.Store.DeadLetters().Get(t.Context(), org, syncA, made[0].ID))(t)
	if got.Status != syncing.DeadRetry || got.Revision != 2 || got.UpdatedAt.Before(made[0].UpdatedAt) {
		t.Errorf("a letter whose status was set: %+v", got)
	}
	same(t, "retrying by filter", ok(h.Store.DeadLetters().Count(t.Context(), org, syncA, syncing.DeadLetterFilter{Status: syncing.DeadRetry}))(t), int64(2))
	var many []syncing.DeadLetter
	for i := range 1300 { // more than a store changes at once
		many = append(many, newLetter(org, syncA, key.Key(fmt.Sprint("many ", i)), i))
	}
	putLetters(t, h, org, many...)
	same(t, "all that are open", set(syncing.DeadLetterFilter{Status: syncing.DeadOpen}, nil, syncing.DeadRetry), int64(1301))
	same(t, "none left", set(syncing.DeadLetterFilter{Status: syncing.DeadOpen}, nil, syncing.DeadRetry), int64(0))
	same(t, "another sync's", ok(h.Store.DeadLetters().Count(t.Context(), org, "sync_b", syncing.DeadLetterFilter{Status: syncing.DeadOpen}))(t), int64(1))
}

func testPurge(t *testing.T, h Harness) {
	for _, c := range letterFilters {
		org := id.NewOrg()
		threeLetters(t, h, org)
		same(t, fmt.Sprintf("purged %+v", c.filter), ok(h.Store.DeadLetters().Purge(t.Context(), org, syncA, c.filter, nil))(t), int64(len(c.want)))
		same(t, "left", ok(h.Store.DeadLetters().Count(t.Context(), org, syncA, syncing.DeadLetterFilter{}))(t), int64(3-len(c.want)))
		same(t, "another sync's", ok(h.Store.DeadLetters().Count(t.Context(), org, "sync_b", syncing.DeadLetterFilter{}))(t), int64(1))
	}
	org := id.NewOrg()
	made := threeLetters(t, h, org)
	n := ok(h.Store.DeadLetters().Purge(t.Context(), org, syncA, syncing.DeadLetterFilter{Status: syncing.DeadOpen}, []string{made[0].ID, made[2].ID}))(t)
	same(t, "named ones that the filter selects", n, int64(1))
}
