package requests_test

import (
	"slices"
	"testing"

	"mooring/emulator/internal/requests"
)

type entry struct{ seq int }

func TestTheLastAreKeptAndAllAreCounted(t *testing.T) {
	l := requests.Log[entry, string]{Limit: 3}
	for i := range 8 {
		e := &entry{}
		l.Add(e, map[bool]string{true: "even", false: "odd"}[i%2 == 0], func(seq int) { e.seq = seq })
	}
	var got []int
	for _, e := range l.Last(func(e entry) entry { return e }) {
		got = append(got, e.seq)
	}
	if !slices.Equal(got, []int{6, 7, 8}) || l.Count() != 8 || l.Count("even") != 4 || l.Count("none") != 0 {
		t.Errorf("kept %v, counted %d", got, l.Count())
	}
	done := false
	l.Reset(func() { done = true })
	if l.Count() != 0 || len(l.Last(func(e entry) entry { return e })) != 0 || !done {
		t.Error("a reset leaves something")
	}
}
