package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// growth is what the heap may grow by until it is collected again, in hundredths
	// of what is in use: half of what Go allows by itself.
	growth = 50
	// room is the least that it may grow by. A heap of a few MiB would else be
	// collected every few milliseconds.
	room = 10 << 20
)

// collectOften trades some of the processor for memory, of which a service that is
// little to operate takes little. Who wants it otherwise sets GOGC, as for any Go program.
func collectOften() {
	if os.Getenv("GOGC") == "" {
		pace(0)
	}
}

// pace says when the next collection comes, and is called again after it; percent
// is what it said before.
func pace(percent int) {
	inUse := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(inUse)
	if next := growthOf(inUse[0].Value.Uint64()); next != percent {
		debug.SetGCPercent(next)
		percent = next
	}
	runtime.AddCleanup(new(*byte), pace, percent) // what nobody holds goes with the next collection
}

// growthOf is by how many hundredths a heap may grow of which so much is in use.
func growthOf(inUse uint64) int {
	return int(max(growth, 100*room/max(inUse, 1<<20)))
}
