package provider

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"mooring/internal/errs"
)

// TestBudgetsRememberWhatTheyWereTaught: a sweep of many connections leaves
// nothing behind but what a provider has told, and that for a while.
func TestBudgetsRememberWhatTheyWereTaught(t *testing.T) {
	now := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	b := NewBudgets(8)
	use := func(name string, err error) *budget {
		x, leave := b.of(sha256.Sum256([]byte(name)), clock)
		if err := x.enter(t.Context(), "test"); err != nil {
			t.Fatal(err)
		}
		(&slot{b: x, begun: now}).release(err, now)
		leave()
		leave() // counts once
		return x
	}
	for n := range 1000 {
		use(fmt.Sprint("c", n), nil)
	}
	if len(b.all) > 0 {
		t.Errorf("%d budgets are kept that nobody uses and nothing was learned from", len(b.all))
	}
	throttled := &errs.Error{Kind: errs.Throttled, RetryAfter: time.Second}
	first := use("throttled", throttled)
	now = now.Add(keepBudget)
	if use("throttled", nil) != first {
		t.Error("what a credential has taught is forgotten while it may still hold")
	}
	now = now.Add(keepBudget + sweepBudgets)
	use("another", nil)
	if len(b.all) > 0 {
		t.Errorf("%d budgets are kept for ever", len(b.all))
	}
}
