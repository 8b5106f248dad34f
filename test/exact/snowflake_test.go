package exact_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	emulator "mooring/emulator/snowflake"
	"mooring/internal/provider/driver"
	"mooring/internal/provider/snowflake"
)

const (
	rowsTable    = "DB.PUBLIC.ITEMS"
	rowsPassword = "correct horse battery staple"
)

// rows is a table that is written to, and a rig that syncs it.
type rows struct {
	*rig
	random *rand.Rand
	srv    *emulator.Server
	table  *emulator.Table
	next   int
	at     time.Time       // the newest watermark
	before map[string]file // what the table held at the run before
}

func newRows(t *testing.T, seed uint64, columns map[string]any) *rows {
	srv := emulator.Start(t, emulator.Options{ChunkRows: 7})
	srv.User("SYNC", rowsPassword)
	srv.Warehouse("WH")
	table := srv.Table(rowsTable, []emulator.Column{
		{Name: "ID", Type: emulator.Number, Precision: 38}, {Name: "CHANGED", Type: emulator.TimestampNTZ, Nullable: true}, {Name: "V", Type: emulator.Varchar},
	})
	fields := map[string]any{
		"account": "org-acct", "warehouse": "WH", "fetch_size": 100,
		"credentials": map[string]any{"type": "username_password", "username": "sync", "password": rowsPassword},
	}
	for k, v := range columns {
		fields[k] = v
	}
	r := newRig(t, setup{
		provider: "snowflake", open: snowflake.Open, path: rowsTable, config: fields, endpoints: map[string]string{"api": srv.URL()},
	})
	return &rows{rig: r, random: rand.New(rand.NewPCG(seed, 2)), srv: srv, table: table, at: r.clock.Now().Add(-time.Hour)}
}

// stamp is the next watermark: often the same one, or a nanosecond later.
func (r *rows) stamp() string {
	r.at = r.at.Add([]time.Duration{0, 1, 111, 20 * time.Minute}[r.random.IntN(4)])
	return r.at.UTC().Format("2006-01-02 15:04:05.000000000")
}

func (r *rows) insert(at any) {
	r.next++
	r.table.Insert(emulator.Row{r.next, at, fmt.Sprint("row ", r.next)})
}

// one is a row's number, of those there have been.
func (r *rows) one() func(emulator.Record) bool {
	n := fmt.Sprint(1 + r.random.IntN(max(1, r.next)))
	return func(row emulator.Record) bool { return row["ID"] == n }
}

// change writes to the table; with deletes, rows go as well.
func (r *rows) change(deletes bool) {
	switch r.random.IntN(7) {
	case 0, 1:
		r.insert(r.stamp())
	case 2:
		r.insert(nil)
	case 3:
		r.table.Update(r.one(), map[string]any{"CHANGED": r.stamp(), "V": fmt.Sprint(r.random.Uint64())})
	case 4: // a transaction that began long before it ends
		late := r.at.Add(-time.Duration(r.random.IntN(899)) * time.Second)
		r.insert(late.UTC().Format("2006-01-02 15:04:05.000000000"))
	case 5: // a row without watermark changes
		r.table.Update(func(row emulator.Record) bool { return row["CHANGED"] == nil }, map[string]any{"V": fmt.Sprint(r.random.Uint64())})
	case 6:
		if deletes {
			r.table.Delete(r.one())
		}
	}
}

// held is what the table holds, read from end to end.
func (r *rows) held() map[string]file {
	r.t.Helper()
	c := r.config
	fields := map[string]any{}
	for k, v := range c.Fields {
		if k != "incremental_column" {
			fields[k] = v
		}
	}
	c.Fields = fields
	src, err := snowflake.Open(context.Background(), c, r.deps.Options)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = src.Close() }()
	out := map[string]file{}
	for cur := driver.Cursor(nil); ; {
		p, err := src.Changes(context.Background(), driver.Scope{Path: rowsTable}, cur)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, c := range p.Changes {
			sum := sha256.Sum256(c.Item.Inline)
			out[c.Item.ID] = file{Path: c.Item.Path, Size: c.Item.Size, SHA256: hex.EncodeToString(sum[:])}
		}
		if cur = p.Next; !p.More {
			return out
		}
	}
}

// synced runs once; the bucket then is the table, and each row that is new or
// changed was transferred once.
func (r *rows) synced() {
	r.t.Helper()
	now := r.held()
	news := int64(0)
	for id, f := range now {
		if r.before[id].SHA256 != f.SHA256 {
			news++
		}
	}
	run := r.must()
	r.exact(now)
	if got := run.Ledger.Synced + run.Ledger.Duplicate; got != news {
		r.t.Errorf("%d rows are new or changed, %d were transferred: %v", news, got, run.Ledger)
	}
	r.before = now
	r.clock.Advance(5 * time.Minute)
}

func TestSnowflakeIsExact(t *testing.T) {
	for name, c := range map[string]struct {
		columns map[string]any
		deletes bool // a watermark tells of none
	}{
		"whole table":  {map[string]any{"primary_key_columns": []any{"ID"}}, true},
		"without key":  {nil, true},
		"by watermark": {map[string]any{"primary_key_columns": []any{"ID"}, "incremental_column": "CHANGED"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			seeds := uint64(3)
			if testing.Short() {
				seeds = 1
			}
			for seed := range seeds {
				r := newRows(t, seed, c.columns)
				for range 12 {
					for range r.random.IntN(25) {
						r.change(c.deletes)
					}
					r.synced()
				}
				if r.failures() != 0 || r.letters() != 0 {
					t.Errorf("%d failures count, %d dead letters", r.failures(), r.letters())
				}
			}
		})
	}
}

// TestSnowflakeGoesOnWhereItStopped stops runs while they fetch parts of a
// result: what was committed is not transferred again.
func TestSnowflakeGoesOnWhereItStopped(t *testing.T) {
	r := newRows(t, 1, map[string]any{"primary_key_columns": []any{"ID"}, "incremental_column": "CHANGED"})
	const n = 600
	for range n {
		r.insert(r.stamp())
	}
	stopped := 0
	for _, part := range []int64{15, 40, 60} {
		ctx, cancel := context.WithCancel(context.Background())
		var parts atomic.Int64
		fault := r.srv.Inject(emulator.Fault{
			Match: emulator.Match{Operations: []emulator.Operation{emulator.Chunk}, If: func(emulator.Request) bool {
				if parts.Add(1) == part {
					cancel()
				}
				return false
			}},
		})
		if _, err := r.run(ctx); err != nil {
			stopped++
		}
		cancel()
		fault.Remove()
		r.reopen()
	}
	run := r.must()
	r.exact(r.held())
	if stopped == 0 || run.Ledger.Synced == 0 || run.Ledger.Synced == n {
		t.Errorf("%d runs were stopped, the last transferred %d rows", stopped, run.Ledger.Synced)
	}
}
