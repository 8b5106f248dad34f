package engine

import "time"

// LookAlways has an engine look at a shard before each thing that it does late:
// in a test nobody is stopped for long.
func LookAlways() { sureFor = time.Nanosecond }
