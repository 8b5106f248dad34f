package storetest

import (
	"testing"

	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/syncing"
)

func pageTests() []subtest {
	return []subtest{
		{"Fence", testFence},
		{"PendingOrder", testPending},
		{"RoundTrip", testRecordRoundTrip},
		{"Refuses", testAppendRefuses},
	}
}

func testFence(t *testing.T, h Harness) {
	org := id.NewOrg()
	p := id.NewPass()
	for seq := int64(1); seq <= 3; seq++ {
		if n := winners(t, race(64, func(i int) error {
			r := newRecord(org, syncA, p, "000", seq)
			r.Fence = int64(i)
			return h.Store.Pages().Append(t.Context(), org, r)
		}), errs.AlreadyExists); n != 1 {
			t.Errorf("%d of 64 racing appends won, want 1", n)
		}
	}
	same(t, "pending", len(ok(h.Store.Pages().Pending(t.Context(), org, syncA, "", 10))(t)), 3)
	must(t, h.Store.Pages().Append(t.Context(), org, newRecord(org, syncA, p, "001", 1))) // another shard
}

func testPending(t *testing.T, h Harness) {
	org := id.NewOrg()
	p := id.NewPass()
	var want []string
	for _, shard := range []string{"000", "001", "delete"} {
		for _, seq := range []int64{1, 2, 9, 10, 11, 1000000} {
			want = append(want, syncing.RecordID(p, shard, seq))
		}
	}
	for i := range want { // appended in another order
		j := i * 7 % len(want)
		for _, shard := range []string{"000", "001", "delete"} {
			for _, seq := range []int64{1, 2, 9, 10, 11, 1000000} {
				if r := newRecord(org, syncA, p, shard, seq); r.ID == want[j] {
					must(t, h.Store.Pages().Append(t.Context(), org, r))
				}
			}
		}
	}
	must(t, h.Store.Pages().Append(t.Context(), org, newRecord(org, "sync_b", id.NewPass(), "000", 1)))
	var got []string
	after := ""
	for {
		page := ok(h.Store.Pages().Pending(t.Context(), org, syncA, after, 4))(t)
		for _, r := range page {
			after, got = r.ID, append(got, r.ID)
		}
		if len(page) < 4 {
			break
		}
	}
	same(t, "Pending", got, want)
	for range 2 {
		must(t, h.Store.Pages().Drop(t.Context(), org, syncA, want[1:]))
	}
	same(t, "after Drop", len(ok(h.Store.Pages().Pending(t.Context(), org, syncA, "", 99))(t)), 1)
}

func testRecordRoundTrip(t *testing.T, h Harness) {
	org := id.NewOrg()
	r := newRecord(org, syncA, id.NewPass(), "000", 1)
	r.Ledger.SkippedBy = map[string]int64{"a": 1}
	r.Seen, r.Settled, r.Closed = []id.Object{"obj_a"}, []id.Object{"obj_b"}, []string{"dl_a"}
	r.Absent = []syncing.Absence{{Object: "obj_c", SourceID: "\x00\xff", Name: "n"}}
	r.Dead = []syncing.DeadLetter{newLetter(org, syncA, "\xff", 1)}
	r.Place = []syncing.Placement{{Staged: "s", Name: "n", Size: 3}}
	must(t, h.Store.Pages().Append(t.Context(), org, r))
	same(t, "Pending", ok(h.Store.Pages().Pending(t.Context(), org, syncA, "", 1))(t), []syncing.Record{r})
}

func testAppendRefuses(t *testing.T, h Harness) {
	org := id.NewOrg()
	r := newRecord(org, syncA, id.NewPass(), "000", 1)
	other := r
	other.ID = "something else"
	wantKind(t, "an id that is not made of pass, shard and seq", h.Store.Pages().Append(t.Context(), org, other), errs.Invalid)
	wantKind(t, "a record of another organization", h.Store.Pages().Append(t.Context(), id.NewOrg(), r), errs.Invalid)
	wantKind(t, "an ended context", h.Store.Pages().Append(ended(), org, r), errs.Canceled)
	same(t, "pending", len(ok(h.Store.Pages().Pending(t.Context(), org, syncA, "", 1))(t)), 0)
}
