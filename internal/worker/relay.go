package worker

import (
	"context"
	"log/slog"
	"time"

	"mooring/internal/store/system"
)

// How often outboxes are looked through, and how many records at once.
const (
	relayEvery = 5 * time.Second
	relaySome  = 500
)

// Relay moves what waits in outboxes on until ctx ends. A store that several
// processes share does so with each write; what a process left that died in
// between is moved by whoever comes first.
func Relay(ctx context.Context, s system.System, log *slog.Logger) {
	tick := time.NewTicker(relayEvery)
	defer tick.Stop()
	for {
		moved, err := s.Relay(ctx, relaySome)
		if err != nil && ctx.Err() == nil {
			log.Error("moving audit entries and events on", "error", err)
		}
		if err == nil && moved == relaySome {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
