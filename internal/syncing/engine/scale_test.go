package engine_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mooring/internal/bucket"
	"mooring/internal/id"
	"mooring/internal/key"
	"mooring/internal/provider/providertest"
	"mooring/internal/syncing"
	"mooring/internal/syncing/engine"
)

// keysToList is how many keys the tests of scale list: with
// MOORING_TEST_KEYS=10000000 the ten million that the design promises.
func keysToList(t *testing.T) int {
	n, err := strconv.Atoi(os.Getenv("MOORING_TEST_KEYS"))
	switch {
	case err == nil:
		return n
	case testing.Short():
		return 50_000
	}
	return 200_000
}

// heapPeak watches the heap at some pages that are listed and at each record.
type heapPeak struct {
	mu    sync.Mutex
	bytes uint64
}

func (p *heapPeak) look() {
	p.mu.Lock()
	defer p.mu.Unlock()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	p.bytes = max(p.bytes, m.HeapInuse+m.StackInuse)
}

// peakRSS is the most memory that this process ever had, where the system tells.
func peakRSS() string {
	b, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return strings.TrimSpace(rest)
		}
	}
	return "unknown"
}

func TestMemoryIsBoundedAndTheFirstObjectIsEarly(t *testing.T) {
	for _, unordered := range []bool{false, true} {
		t.Run(fmt.Sprintf("unordered=%v", unordered), func(t *testing.T) {
			n := keysToList(t)
			f := providertest.NewFlat(providertest.FlatOptions{Synthetic: n, SyntheticSize: 100, Unordered: unordered})
			w := newWorld(t, f, func(s *syncing.Sync) { s.Filters = &syncing.Filters{Include: []string{"*77"}} })
			w.engine.Limits = engine.Limits{Shards: 1, SortBytes: 1 << 20}
			var heap heapPeak
			var pages, firstAt atomic.Int64
			f.SetGate(func(_ context.Context, c providertest.Call) error {
				if c.Method == providertest.Changes {
					if pages.Add(1)%16 == 1 {
						heap.look()
					}
				}
				return nil
			})
			w.engine.Hooks.Step = func(name string) {
				if name == engine.StepAppended {
					heap.look()
				}
				if name == engine.StepPlaced {
					firstAt.CompareAndSwap(0, pages.Load())
				}
			}
			begun := time.Now()
			run := w.ok()
			if run.Ledger.Synced != int64(n/100) || run.Ledger.Discovered != int64(n) {
				t.Fatalf("%v", run.Ledger)
			}
			t.Logf("%d keys in %v, heap %d MiB, process %s, first object at page %d of %d",
				n, time.Since(begun).Round(time.Millisecond), heap.bytes>>20, peakRSS(), firstAt.Load(), pages.Load())
			if heap.bytes > 160<<20 {
				t.Errorf("%d keys took %d MiB of heap", n, heap.bytes>>20)
			}
			if !unordered && firstAt.Load() > pages.Load()/10+5 {
				t.Errorf("the first object landed at page %d of %d", firstAt.Load(), pages.Load())
			}
		})
	}
}

// A gap in a listing may cover any number of objects: it is cut into records of
// bounded size, and killed within it the run goes on there.
func TestAGapIsCutIntoRecords(t *testing.T) {
	const gap = 12_000
	f := providertest.NewFlat(providertest.FlatOptions{})
	f.Put("a", []byte("first"))
	f.Put("z", []byte("last"))
	w := newWorld(t, f, func(s *syncing.Sync) { s.OnDelete = syncing.Tombstone })
	w.engine.Limits = engine.Limits{Shards: 1, PageItems: 100}
	w.ok()
	var rows []bucket.Object
	for i := range gap {
		source := f.ID(fmt.Sprintf("m%06d", i))
		rows = append(rows, bucket.Object{
			ID: id.ObjectOf(w.bucket.ID, w.conn.ID, source), Org: w.org, Bucket: w.bucket.ID, Connection: w.conn.ID, Sync: w.sync, SourceID: key.Key(source),
			SourcePath: source, Name: source, State: bucket.Present, CreatedAt: w.clock(), UpdatedAt: w.clock(),
		})
	}
	if err := w.store.Catalogue().Upsert(context.Background(), w.org, w.bucket.ID, rows); err != nil {
		t.Fatal(err)
	}
	k := &killer{w: w}
	k.arm(engine.StepFolded, 4)
	if _, err := w.run(); err == nil {
		t.Fatal("the run was not killed")
	}
	k.arm("", 0)
	records := 0
	w.engine.Hooks.Step = func(name string) {
		if name == engine.StepAppended {
			records++
		}
	}
	run := w.ok()
	if run.Ledger.Deleted != gap || records < gap/2000 {
		t.Errorf("%v in %d records", run.Ledger, records)
	}
	w.holds(want(f, "a", "z"))
	if s := w.current(); s.Totals.Deleted != gap || s.Totals.Discovered != 4 {
		t.Errorf("totals %v", s.Totals)
	}
}

func BenchmarkUnchanged(b *testing.B) {
	f, _ := flat(providertest.FlatOptions{}, 20_000)
	w := newWorld(b, f, nil)
	w.ok()
	b.ResetTimer()
	for b.Loop() {
		w.ok()
	}
	b.ReportMetric(float64(b.N)*20_000/b.Elapsed().Seconds(), "items/s")
}

func BenchmarkTransfer(b *testing.B) {
	for _, size := range []int{1 << 10, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			n := min(5000, 256<<20/size)
			for b.Loop() {
				f := providertest.NewFlat(providertest.FlatOptions{Synthetic: n, SyntheticSize: int64(size)})
				newWorld(b, f, nil).ok()
			}
			b.SetBytes(int64(n * size))
			b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "items/s")
		})
	}
}
