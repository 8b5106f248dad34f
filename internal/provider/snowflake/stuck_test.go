package snowflake

import (
	"context"
	"testing"
	"time"

	"mooring/internal/errs"
)

// A reader that the driver leaves waiting for good is left, whether or not
// somebody still wants the rows.
func TestAReaderThatHangsIsLeft(t *testing.T) {
	grace, stuck := lastGrace, stuckAfter
	defer func() { lastGrace, stuckAfter = grace, stuck }()
	lastGrace, stuckAfter = time.Millisecond, time.Hour
	hang := func() (int, error) { select {} }

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	open := func() *result {
		_, n := noted(t.Context())
		return &result{op: "test", notes: n}
	}
	r := open()
	if _, err := during(ctx, r, hang); !errs.Is(err, errs.Canceled) || !r.left.Load() {
		t.Errorf("given up: %v", err)
	}
	stuckAfter = time.Millisecond
	r = open()
	if _, err := during(t.Context(), r, hang); !errs.Is(err, errs.Unavailable) || !r.left.Load() {
		t.Errorf("without a row: %v", err)
	}
	stuckAfter = time.Hour
	r = open()
	if n, err := during(t.Context(), r, func() (int, error) { return 7, nil }); n != 7 || err != nil || r.left.Load() {
		t.Errorf("read: %d, %v", n, err)
	}
}
