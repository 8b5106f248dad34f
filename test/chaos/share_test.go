//go:build unix

package chaos

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/outbound"
	"mooring/internal/store"
	"mooring/internal/store/mongo"
	"mooring/internal/syncing/engine"
	"mooring/internal/worker"
)

// clusterTerm is short, so that a stopped worker loses its leases within the test.
const clusterTerm = 3 * time.Second

// share works on a database beside other workers until it is killed.
func (s setup) share(ctx context.Context) error {
	opened, err := s.store(ctx)
	if err != nil {
		return err
	}
	st, ok := opened.(*mongo.Store)
	if !ok {
		return fmt.Errorf("%T is not shared", opened)
	}
	open, err := s.sinks()
	if err != nil {
		return err
	}
	guard := outbound.New(outbound.Options{AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	defer guard.Close()
	now := func() time.Time { return time.Now().Add(s.Skew) }
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	e := &engine.Engine{
		Store: st, Sinks: open, Now: now, Scratch: s.Dir, Log: log,
		Open: func(ctx context.Context, _ id.Org, _ id.Connection) (engine.Source, error) {
			return s.source(ctx, guard)
		},
		Limits: engine.Limits{PageItems: s.Page, Shards: s.Shards, Parts: 4 * s.Shards, Transfers: transfers},
	}
	w := (&worker.Worker{Store: st, System: st.System(), Runner: e, Helper: e, Log: log, Now: now, Term: clusterTerm, Poll: clusterTerm / 10}).Init()
	e.Claims = w
	go s.fail(ctx, st, log)
	go worker.Relay(ctx, st.System(), log)
	w.Run(ctx)
	return nil
}

// attemptEvery is the time between two checks of the connection that fails.
const attemptEvery = 2 * time.Second

// fail makes the checks of a connection that fails, each in every worker: one of
// them counts.
func (s setup) fail(ctx context.Context, st store.Store, log *slog.Logger) {
	for {
		began := time.Now().Truncate(attemptEvery)
		_, err := st.Connections().Update(ctx, s.IDs.Org, s.IDs.Failing, func(c *connection.Connection) error {
			connection.Failure(c, connection.Attempt{ID: "due " + began.String(), Began: began, Source: connection.SourceCheck},
				connection.Fault{Kind: errs.Unauthenticated, Origin: errs.Provider, Scope: errs.ScopeConnection, Message: "refused"}, time.Now())
			return nil
		})
		if err != nil {
			log.Warn("a failed check was not recorded", "error", err)
		}
		time.Sleep(attemptEvery / 10)
	}
}
