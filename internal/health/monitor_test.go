package health_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"mooring/internal/health"
	"mooring/internal/id"
	"mooring/internal/store/system"
)

// one has one connection that is always due.
type one struct{ system.System }

func (one) DueConnections(context.Context, time.Time, int) ([]system.ConnectionRef, error) {
	return []system.ConnectionRef{{Org: "int_a", Connection: "conn_a"}}, nil
}

type checks chan time.Duration

func (c checks) Check(ctx context.Context, _ id.Org, _ id.Connection) error {
	end, _ := ctx.Deadline()
	select {
	case c <- time.Until(end):
	case <-ctx.Done():
	}
	return nil
}

// TestATestEndsBeforeItsCheck: a provider that does not answer is found out by
// the test's own end (30 s). Were the check's end first, it would look like one
// that we gave up, and never count.
func TestATestEndsBeforeItsCheck(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	c := make(checks)
	m := &health.Monitor{System: one{}, Checker: c, Log: slog.New(slog.DiscardHandler), Now: time.Now}
	ended := make(chan struct{})
	go func() { defer close(ended); m.Run(ctx) }()
	if left := <-c; left < time.Minute {
		t.Errorf("a check has only %s", left)
	}
	stop()
	<-ended
}
