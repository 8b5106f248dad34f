// Package storetest proves that a store keeps the contract of the packages
// store and system. It uses nothing but their interfaces, so that every store
// passes the same tests; each sentence of the contract has one.
package storetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mooring/internal/errs"
	"mooring/internal/store"
	"mooring/internal/store/system"
)

// Harness is a store that is open, as a test needs it.
type Harness struct {
	Store  store.Store
	System system.System
	// Reopen closes the store and opens it again on the same data.
	Reopen func(t *testing.T) Harness
}

// relay moves what waits in outboxes, in a store that does not do so at once.
func (h Harness) relay(t *testing.T) {
	t.Helper()
	for {
		n, err := h.System.Relay(t.Context(), 100)
		must(t, err)
		if n == 0 {
			return
		}
	}
}

type subtest struct {
	name string
	run  func(*testing.T, Harness)
}

// Run runs the suite. open gives a new, empty store to each subtest and closes
// it when the subtest ends.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	groups := map[string][]subtest{
		"Records":     recordTests(),
		"Names":       uniqueTests(),
		"Lists":       listTests(),
		"Filters":     filterTests(),
		"Connections": connectionTests(),
		"Watch":       watchTests(),
		"Tokens":      tokenTests(),
		"Sessions":    sessionTests(),
		"Catalogue":   catalogueTests(),
		"Objects":     objectTests(),
		"Reserve":     reserveTests(),
		"Order":       orderTests(),
		"Sync":        syncTests(),
		"Pages":       pageTests(),
		"DeadLetters": deadLetterTests(),
		"Trail":       trailTests(),
		"Webhooks":    webhookTests(),
		"Leases":      leaseTests(),
		"System":      systemTests(),
		"Whole":       wholeTests(),
	}
	for name, tests := range groups {
		t.Run(name, func(t *testing.T) {
			for _, s := range tests {
				t.Run(s.name, func(t *testing.T) { s.run(t, open(t)) })
			}
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ok returns a value or ends the test.
func ok[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		must(t, err)
		return v
	}
}

func wantKind(t testing.TB, what string, err error, kind errs.Kind) {
	t.Helper()
	if !errs.Is(err, kind) {
		t.Errorf("%s: got error %v, want one of kind %v", what, err, kind)
	}
}

func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s: (-want +got)\n%s", what, diff)
	}
}

// race runs do n times at once and returns the errors in order.
func race(n int, do func(i int) error) []error {
	out := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			out[i] = do(i)
		})
	}
	close(start)
	wg.Wait()
	return out
}

// winners counts the successes of a race whose losers must fail with a kind.
func winners(t testing.TB, outcomes []error, kind errs.Kind) (n int) {
	t.Helper()
	for _, err := range outcomes {
		if err == nil {
			n++
			continue
		}
		wantKind(t, "a loser of the race", err, kind)
	}
	return n
}

// moment is a fixed time with n milliseconds added.
func moment(n int) time.Time { return time.UnixMilli(1700000000000 + int64(n)).UTC() }

var errTest = errors.New("storetest: an error of a change")

// ended is a context that its owner has given up.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
