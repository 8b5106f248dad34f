package syncing_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mooring/internal/syncing"
)

var outcomes = []syncing.Outcome{
	syncing.Synced, syncing.Unchanged, syncing.Filtered, syncing.Duplicate, syncing.Skipped, syncing.FailedItem,
}

// counted draws a ledger and what was counted into it.
func counted(t *rapid.T, label string) (l syncing.Ledger, by map[syncing.Outcome]int64) {
	by = map[syncing.Outcome]int64{}
	reasons := rapid.SampledFrom([]string{"exclude_patterns", "archived_storage_class", "unavailable", ""})
	for _, o := range rapid.SliceOf(rapid.SampledFrom(outcomes)).Draw(t, label) {
		l.Count(o, reasons.Draw(t, "reason"))
		by[o]++
	}
	for range rapid.IntRange(0, 3).Draw(t, "notes") {
		l.Note(rapid.SampledFrom([]string{"null_watermark", "other", ""}).Draw(t, "note"))
	}
	l.Deleted, l.Moved = int64(rapid.IntRange(0, 9).Draw(t, "deleted")), int64(rapid.IntRange(0, 9).Draw(t, "moved"))
	l.Remapped, l.Bytes = int64(rapid.IntRange(0, 9).Draw(t, "remapped")), rapid.Int64Range(0, 1e12).Draw(t, "bytes")
	return l, by
}

func sum(reasons map[string]int64) (n int64) {
	for _, c := range reasons {
		n += c
	}
	return n
}

func TestCountingBalances(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, by := counted(t, "outcomes")
		if !l.Balanced() {
			t.Fatalf("out of balance: %v", l)
		}
		got := map[syncing.Outcome]int64{}
		for o, n := range map[syncing.Outcome]int64{
			syncing.Synced: l.Synced, syncing.Unchanged: l.Unchanged, syncing.Filtered: l.Filtered,
			syncing.Duplicate: l.Duplicate, syncing.Skipped: l.Skipped, syncing.FailedItem: l.Failed,
		} {
			if n != 0 {
				got[o] = n
			}
		}
		if d := cmp.Diff(by, got); d != "" {
			t.Fatalf("outcomes counted, and found:\n%s", d)
		}
		if sum(l.FilteredBy) != l.Filtered || sum(l.SkippedBy) != l.Skipped || sum(l.FailedBy) != l.Failed {
			t.Fatalf("reasons do not add up: %v, %v %v %v", l, l.FilteredBy, l.SkippedBy, l.FailedBy)
		}
		broken := l
		broken.Discovered++
		if broken.Balanced() {
			t.Fatal("an item without an outcome balances")
		}
	})
}

// Ledgers are added in any grouping: of records into shards, of shards into
// runs, of runs into a sync's totals.
func TestAddingKeepsTheBalance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, _ := counted(t, "a")
		b, _ := counted(t, "b")
		c, _ := counted(t, "c")
		var left, right, bc syncing.Ledger
		left.Add(a)
		left.Add(b)
		left.Add(c)
		bc.Add(b)
		bc.Add(c)
		right.Add(bc)
		right.Add(a)
		if !left.Balanced() {
			t.Fatalf("out of balance: %v", left)
		}
		if d := cmp.Diff(left, right); d != "" {
			t.Fatalf("grouping matters:\n%s", d)
		}
		if left.Bytes != a.Bytes+b.Bytes+c.Bytes || left.Deleted != a.Deleted+b.Deleted+c.Deleted || left.Moved != a.Moved+b.Moved+c.Moved ||
			left.Remapped != a.Remapped+b.Remapped+c.Remapped || left.Discovered != a.Discovered+b.Discovered+c.Discovered {
			t.Fatalf("%v is not the sum", left)
		}
	})
}

// Adding copies: a fold must not grow the record it was folded from.
func TestAddingSharesNothing(t *testing.T) {
	var record, total syncing.Ledger
	record.Count(syncing.Skipped, "directory_marker")
	record.Note("null_watermark")
	total.Add(record)
	total.Add(record)
	if record.SkippedBy["directory_marker"] != 1 || total.SkippedBy["directory_marker"] != 2 || record.NotedBy["null_watermark"] != 1 || total.NotedBy["null_watermark"] != 2 {
		t.Errorf("record %v, total %v", record.SkippedBy, total.SkippedBy)
	}
}

func TestLedgerShowsTheIdentity(t *testing.T) {
	var l syncing.Ledger
	for _, o := range outcomes {
		l.Count(o, "x")
	}
	if want := "discovered 6 = synced 1 + unchanged 1 + filtered 1 + duplicate 1 + skipped 1 + failed 1"; !strings.HasPrefix(l.String(), want) {
		t.Errorf("%q", l)
	}
}
