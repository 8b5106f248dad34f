package snowflake_test

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	emulator "mooring/emulator/snowflake"
	"mooring/internal/provider/driver"
)

// rowCount is MOORING_TEST_ROWS, else 100,000, and less with -short.
func rowCount(t testing.TB) int {
	n, err := strconv.Atoi(os.Getenv("MOORING_TEST_ROWS"))
	switch {
	case err == nil && n > 0:
		return n
	case testing.Short():
		return 20_000
	}
	return 100_000
}

// generated is a table that takes no memory, its rows in the order of their key.
func generated(t testing.TB, n int) *emulator.Server {
	t.Helper()
	srv := start(t, emulator.Options{})
	srv.Table(items, []emulator.Column{
		{Name: "ID", Type: emulator.Varchar}, {Name: "N", Type: emulator.Number}, {Name: "AT", Type: emulator.TimestampNTZ}, {Name: "NOTE", Type: emulator.Varchar},
	}).Generate(n, func(i int) emulator.Row {
		return emulator.Row{fmt.Sprintf("row-%09d", i), i, time.Unix(int64(i), 0).UTC(), "some text that every row has, about as long as this"}
	}, `COALESCE(REPLACE("ID", '%', '%25'), '%00')`)
	return srv
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestMemoryIsFlat reads a table from end to end, and looks at what is held at a
// tenth of it and near its end.
func TestMemoryIsFlat(t *testing.T) {
	n := rowCount(t)
	srv := generated(t, n)
	before := heap()
	src := open(t, srv, settings(map[string]any{"primary_key_columns": []string{"ID"}, "fetch_size": int64(10_000)}))
	begun := time.Now()
	rows, most, early := 0, uint64(0), uint64(0)
	for cur := driver.Cursor(nil); ; {
		p, err := src.Changes(t.Context(), driver.Scope{Path: items}, cur)
		must(t, err)
		rows += len(p.Changes)
		now := heap()
		before = min(before, now) // what tests before this one still held
		held := now - before
		if most = max(most, held); rows <= n/5 {
			early = max(early, held)
		}
		if cur = p.Next; !p.More {
			break
		}
	}
	took := time.Since(begun)
	if rows != n {
		t.Fatalf("%d rows of %d", rows, n)
	}
	t.Logf("%d rows, %.0f rows/s, most held %d MiB, in the first fifth %d MiB", n, float64(n)/took.Seconds(), most>>20, early>>20)
	if most > 2*early+64<<20 {
		t.Errorf("%d MiB are held at most, %d MiB in the first fifth", most>>20, early>>20)
	}
	if q := queries(srv); q != 1 {
		t.Errorf("%d queries read the table", q)
	}
}

// queries counts the statements that read rows.
func queries(srv *emulator.Server) int { return srv.WarehouseStatements() }

// TestAKilledReaderReadsNothingTwice stops a reader in the middle and goes on in
// another one, from the cursor alone.
func TestAKilledReaderReadsNothingTwice(t *testing.T) {
	n := rowCount(t) / 4
	srv := generated(t, n)
	fields := map[string]any{"primary_key_columns": []string{"ID"}, "fetch_size": int64(1000)}
	var cur driver.Cursor
	rows, last := 0, ""
	for life := 0; ; life++ {
		src := open(t, srv, settings(fields))
		more := true
		for page := 0; more && (page < 3+life || life > 4); page++ {
			p, err := src.Changes(t.Context(), driver.Scope{Path: items}, cur)
			must(t, err)
			for _, c := range p.Changes {
				if c.Item.ID <= last {
					t.Fatalf("%s comes after %s", c.Item.ID, last)
				}
				last = c.Item.ID
			}
			rows += len(p.Changes)
			cur, more = p.Next, p.More
		}
		must(t, src.Close())
		if !more {
			break
		}
	}
	if rows != n {
		t.Errorf("%d rows of %d", rows, n)
	}
	// What is fetched again is at most what was under way at each kill.
	var sent int64
	for _, q := range srv.Requests() {
		sent += q.Bytes
	}
	t.Logf("%d rows, %d bytes sent", rows, sent)
}

func BenchmarkChanges(b *testing.B) {
	srv := generated(b, max(b.N, 1000))
	src := open(b, srv, settings(map[string]any{"primary_key_columns": []string{"ID"}, "fetch_size": int64(10_000)}))
	b.ReportAllocs()
	b.ResetTimer()
	for cur, rows := driver.Cursor(nil), 0; rows < b.N; {
		p, err := src.Changes(b.Context(), driver.Scope{Path: items}, cur)
		must(b, err)
		rows += len(p.Changes)
		cur = p.Next
	}
}
