package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/key"
)

func reserveTests() []subtest {
	return []subtest{
		{"OnceAndForAll", testReserveOnce},
		{"SecondCandidate", testReserveSecond},
		{"AllTaken", testReserveTaken},
		{"WithinOneCall", testReserveOneCall},
		{"Race", testReserveRace},
		{"RaceForOneSource", testReserveSourceRace},
		{"Release", testRelease},
		{"Many", testReserveMany},
	}
}

// candidates are names whose folded form is their lower case.
func candidates(names ...string) []bucket.Candidate {
	var out []bucket.Candidate
	for _, n := range names {
		out = append(out, bucket.Candidate{Name: n, Folded: strings.ToLower(n)})
	}
	return out
}

func reserve(t testing.TB, h Harness, org id.Org, source key.Key, names ...string) string {
	t.Helper()
	return ok(h.Store.Catalogue().Reserve(t.Context(), org, bktA, []bucket.Claim{{Source: source, Candidates: candidates(names...)}}))(t)[0]
}

func testReserveOnce(t *testing.T, h Harness) {
	org := id.NewOrg()
	same(t, "the first time", reserve(t, h, org, "k\xff", "Name"), "Name")
	same(t, "again", reserve(t, h, org, "k\xff", "Name"), "Name")
	same(t, "with other candidates", reserve(t, h, org, "k\xff", "other"), "Name")
	same(t, "the other candidate, by another source", reserve(t, h, org, "k", "other"), "other")
	same(t, "in another organization", reserve(t, h, id.NewOrg(), "x", "Name"), "Name")
	got := ok(h.Store.Catalogue().Reserve(t.Context(), org, "bkt_b", []bucket.Claim{{Source: "x", Candidates: candidates("Name")}}))(t)
	same(t, "in another bucket", got, []string{"Name"})
	same(t, "no claims", ok(h.Store.Catalogue().Reserve(t.Context(), org, bktA, nil))(t), []string(nil))
}

func testReserveSecond(t *testing.T, h Harness) {
	org := id.NewOrg()
	reserve(t, h, org, "a", "readme")
	same(t, "a name that differs in case", reserve(t, h, org, "b", "README", "README~1"), "README~1")
	same(t, "again", reserve(t, h, org, "b", "README", "README~1"), "README~1")
	same(t, "a third", reserve(t, h, org, "c", "ReadMe", "readme~1", "readme~2"), "readme~2")
}

func testReserveTaken(t *testing.T, h Harness) {
	org := id.NewOrg()
	reserve(t, h, org, "a", "name")
	_, err := h.Store.Catalogue().Reserve(t.Context(), org, bktA, []bucket.Claim{
		{Source: "b", Candidates: candidates("free")}, {Source: "c", Candidates: candidates("NAME", "name")},
	})
	wantKind(t, "no candidate left", err, errs.AlreadyExists)
	same(t, "after the refusal", reserve(t, h, org, "c", "free", "free~"), "free") // all of a call or nothing
}

func testReserveOneCall(t *testing.T, h Harness) {
	org := id.NewOrg()
	got := ok(h.Store.Catalogue().Reserve(t.Context(), org, bktA, []bucket.Claim{
		{Source: "a", Candidates: candidates("name", "name~a")},
		{Source: "b", Candidates: candidates("NAME", "NAME~b")},
		{Source: "a", Candidates: candidates("name", "name~a")},
	}))(t)
	same(t, "claims of one call", got, []string{"name", "NAME~b", "name"})
}

func testReserveRace(t *testing.T, h Harness) {
	const n = 32
	org := id.NewOrg()
	names := make([]string, n)
	for _, err := range race(n, func(i int) error {
		got, err := h.Store.Catalogue().Reserve(t.Context(), org, bktA, []bucket.Claim{
			{Source: key.Key(fmt.Sprint(i)), Candidates: candidates("name", fmt.Sprint("name~", i))},
		})
		names[i] = strings.Join(got, "")
		return err
	}) {
		must(t, err)
	}
	first := 0
	for i, got := range names {
		if got == "name" {
			first++
		}
		same(t, "asked again", reserve(t, h, org, key.Key(fmt.Sprint(i)), "other"), got)
	}
	slices.Sort(names)
	if first != 1 || len(slices.Compact(names)) != n {
		t.Errorf("%d of %d got the name; all: %v", first, n, names)
	}
}

func testReserveSourceRace(t *testing.T, h Harness) {
	const n = 32
	org := id.NewOrg()
	names := make([]string, n)
	for _, err := range race(n, func(i int) error {
		got, err := h.Store.Catalogue().Reserve(t.Context(), org, bktA, []bucket.Claim{{Source: "one", Candidates: candidates(fmt.Sprint("name ", i))}})
		names[i] = strings.Join(got, "")
		return err
	}) {
		must(t, err)
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) != 1 {
		t.Errorf("one source got the names %v", names)
	}
}

func testRelease(t *testing.T, h Harness) {
	org := id.NewOrg()
	reserve(t, h, org, "a\x01", "name")
	reserve(t, h, org, "b", "other")
	for range 2 {
		must(t, h.Store.Catalogue().Release(t.Context(), org, bktA, []key.Key{"a\x01", "none"}))
	}
	same(t, "a released name", reserve(t, h, org, "c", "name", "name~"), "name")
	same(t, "one that was not released", reserve(t, h, org, "d", "other", "other~"), "other~")
}

func testReserveMany(t *testing.T, h Harness) {
	const n = 2500
	org := id.NewOrg()
	var claims []bucket.Claim
	var want []string
	for i := range n {
		want = append(want, fmt.Sprint("name ", i))
		claims = append(claims, bucket.Claim{Source: key.Key(fmt.Sprint(i)), Candidates: candidates(want[i])})
	}
	for range 2 {
		same(t, "names", ok(h.Store.Catalogue().Reserve(t.Context(), org, bktA, claims))(t), want)
	}
}
