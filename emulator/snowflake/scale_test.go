package snowflake_test

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"mooring/emulator/snowflake"
)

// scale is how many rows are streamed: MOORING_TEST_ROWS, or a million.
func scale(t *testing.T) int {
	if text := os.Getenv("MOORING_TEST_ROWS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("MOORING_TEST_ROWS: %v", err)
		}
		return n
	}
	if testing.Short() {
		return 50_000
	}
	return 1_000_000
}

// A million rows pass through without being kept.
func TestManyRows(t *testing.T) {
	n := scale(t)
	s := account(t)
	table := s.Table("DB.PUBLIC.MANY", []snowflake.Column{
		{Name: "ID", Type: snowflake.Number}, {Name: "TEXT", Type: snowflake.Varchar}, {Name: "AT", Type: snowflake.TimestampNTZ},
	})
	epoch := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	table.Generate(n, func(i int) snowflake.Row {
		return snowflake.Row{i, fmt.Sprintf("row %d of the table, with some text in it", i), epoch.Add(time.Duration(i) * time.Millisecond)}
	}, "ID")
	db := open(t, config(s))

	peak := watchHeap()
	start := time.Now()
	rows, err := db.QueryContext(lasting(t), `SELECT ID, TEXT, AT FROM DB.PUBLIC.MANY WHERE ID >= 0 ORDER BY ID`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	count := 0
	for rows.Next() {
		var id int
		var text string
		var at time.Time
		if err := rows.Scan(&id, &text, &at); err != nil {
			t.Fatal(err)
		}
		if id != count {
			t.Fatalf("row %d has id %d", count, id)
		}
		count++
	}
	if err := rows.Err(); err != nil || count != n {
		t.Fatalf("%d rows, %v", count, err)
	}
	used := peak()
	t.Logf("%d rows in %v, %.0f a second; heap at most %d MiB", n, time.Since(start).Round(time.Millisecond), float64(n)/time.Since(start).Seconds(), used>>20)
	// The driver holds ten chunks of 10,000 rows; the table would be 300 MiB and more.
	if limit := uint64(200 << 20); used > limit {
		t.Errorf("the heap grew to %d MiB, want at most %d", used>>20, limit>>20)
	}

	// A page from the middle doesn't read what is before it.
	s.ResetRequests()
	var made atomic.Int64
	table.Generate(n, func(i int) snowflake.Row {
		made.Add(1)
		return snowflake.Row{i, "", epoch}
	}, "ID")
	if got := mustRead(t, db, `SELECT ID FROM DB.PUBLIC.MANY WHERE ID > ? ORDER BY ID LIMIT 10`, strconv.Itoa(n/2)); len(got) != 10 || got[0][0] != strconv.Itoa(n/2+1) {
		t.Fatalf("got %v", got)
	}
	if made.Load() > 100 {
		t.Errorf("%d rows were made for a page of 10", made.Load())
	}
}

// watchHeap samples the heap until the returned function is called, which gives
// its greatest size.
func watchHeap() func() uint64 {
	stop, done := make(chan struct{}), make(chan uint64)
	go func() {
		var peak uint64
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapInuse)
			select {
			case <-tick.C:
			case <-stop:
				done <- peak
				return
			}
		}
	}()
	return func() uint64 { close(stop); return <-done }
}
