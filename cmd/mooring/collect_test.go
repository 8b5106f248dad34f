package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

func TestAHeapGrowsByHalfAndByRoomAtLeast(t *testing.T) {
	for inUse, want := range map[uint64]int{0: 1000, 1 << 20: 1000, 5 << 20: 200, 10 << 20: 100, 20 << 20: 50, 21 << 20: 50, 1 << 30: 50} {
		if got := growthOf(inUse); got != want {
			t.Errorf("%d MiB in use: %d, want %d", inUse>>20, got, want)
		}
	}
}

func TestGrowthFollowsWhatIsInUse(t *testing.T) {
	t.Setenv("GOGC", "")
	was := debug.SetGCPercent(100)
	defer debug.SetGCPercent(was)
	collectOften()
	held := make([]byte, 4*room)
	awaitGrowth(t, func(percent int) bool { return percent == growth })
	runtime.KeepAlive(held)
	awaitGrowth(t, func(percent int) bool { return percent > growth })
}

// awaitGrowth collects until the percentage is as wanted.
func awaitGrowth(t *testing.T, wanted func(percent int) bool) {
	t.Helper()
	percent := make([]metrics.Sample, 1)
	percent[0].Name = "/gc/gogc:percent"
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); runtime.Gosched() {
		runtime.GC()
		if metrics.Read(percent); wanted(int(percent[0].Value.Uint64())) {
			return
		}
	}
	t.Fatalf("the percentage stays at %d", percent[0].Value.Uint64())
}
