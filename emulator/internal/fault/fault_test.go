package fault_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"mooring/emulator/internal/fault"
)

func TestGlob(t *testing.T) {
	for _, tt := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "anything", true}, {"a", "a", true}, {"a", "ab", false}, {"*", "", true}, {"a*", "a/b/c", true},
		{"a*", "ba", false}, {"*c", "a/b/c", true}, {"a*c", "ac", true}, {"a*b*c", "a-b-c", true}, {"a*b*c", "acb", false},
		{"ab*ba", "aba", false}, {"*.txt", "a.txt.gz", false}, {"a*a", "a", false},
	} {
		if got := fault.Glob(tt.pattern, tt.s); got != tt.want {
			t.Errorf("Glob(%q, %q) is %t", tt.pattern, tt.s, got)
		}
	}
}

// Of concurrent requests exactly as many meet a fault as it says.
func TestExactlyAsManyMeetAFault(t *testing.T) {
	var f fault.Faults[int, string]
	divides := func(by int, r *int) bool { return *r%by == 0 }
	nth := fault.Inject(&f, divides, fault.Fault[int, string]{Match: 2, Nth: 3, Action: "nth"})
	some := fault.Inject(&f, divides, fault.Fault[int, string]{Match: 2, After: 10, Times: 5, Action: "some"})
	all := fault.Inject(&f, divides, fault.Fault[int, string]{Match: 1, Action: "all"})
	var met atomic.Int64
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() { met.Add(int64(len(f.Due(&i)))) })
	}
	wg.Wait()
	if nth.Hits() != 1 || some.Hits() != 5 || all.Hits() != 100 || some.Seen() != 50 || met.Load() != 106 {
		t.Errorf("hits %d, %d, %d; %d actions", nth.Hits(), some.Hits(), all.Hits(), met.Load())
	}
	all.Remove()
	r := 1
	if due := f.Due(&r); len(due) != 0 {
		t.Errorf("after its removal: %v", due)
	}
	f.Clear()
	if r = 0; len(f.Due(&r)) != 0 || some.Seen() != 50 {
		t.Error("cleared faults still count")
	}
}
