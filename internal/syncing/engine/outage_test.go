package engine_test

import (
	"context"
	"sync/atomic"
	"testing"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/provider/providertest"
	"mooring/internal/store"
	"mooring/internal/syncing"
)

// leaving is a store that goes away at one kind of write, while the rest still
// answers, as seen by a run whose database comes and goes.
type leaving struct {
	store.Store
	away atomic.Pointer[errs.Error]
	at   string
	met  atomic.Int32
}

func (l *leaving) fails(write string) error {
	err := l.away.Load()
	if err == nil || write != l.at {
		return nil
	}
	l.met.Add(1)
	return err
}

func (l *leaving) Pages() store.Pages         { return leavingPages{l.Store.Pages(), l} }
func (l *leaving) Catalogue() store.Catalogue { return leavingCatalogue{l.Store.Catalogue(), l} }

type leavingPages struct {
	store.Pages
	l *leaving
}

func (p leavingPages) Append(ctx context.Context, org id.Org, r syncing.Record) error {
	if err := p.l.fails("append"); err != nil {
		return err
	}
	return p.Pages.Append(ctx, org, r)
}

type leavingCatalogue struct {
	store.Catalogue
	l *leaving
}

func (c leavingCatalogue) Upsert(ctx context.Context, org id.Org, b id.Bucket, objects []bucket.Object) error {
	if err := c.l.fails("upsert"); err != nil {
		return err
	}
	return c.Catalogue.Upsert(ctx, org, b, objects)
}

// A database that goes away amid more runs than a sync may fail, and comes back
// each time to have them closed, suspends nothing, and is held against no
// connection. Where the record of a page waits, only the next run can close.
func TestAnOutageOfTheDatabaseSuspendsNothing(t *testing.T) {
	for what, away := range map[string]*errs.Error{
		"a full disk":      errs.New(errs.Unavailable, "store.write", "the disk that holds the data directory is full: nothing was written"),
		"a server is gone": {Kind: errs.Unavailable, Op: "store.write", Msg: "the database does not answer", Err: context.DeadlineExceeded},
	} {
		for _, at := range []string{"append", "upsert"} {
			t.Run(what+", "+at, func(t *testing.T) {
				f, keys := flat(providertest.FlatOptions{}, 24)
				w := newWorld(t, f, nil)
				db := &leaving{Store: w.store, at: at}
				w.engine.Store = db
				db.away.Store(away)
				for n := range 2 * syncing.FailureLimit {
					if run, err := w.run(); err == nil || run.Status == syncing.RunCompleted {
						t.Fatalf("run %d: %s, %v", n, run.Status, err)
					}
					s := w.current()
					if !s.IsActive() || s.Failures != 0 || s.NextSyncAt == nil || s.LastError == nil || *s.LastError != away.Msg {
						t.Fatalf("after run %d: %s, %d failures, next %v", n, s.Status, s.Failures, s.NextSyncAt)
					}
				}
				if db.met.Load() < 2*syncing.FailureLimit || w.health.blames() != 0 {
					t.Errorf("%d writes failed; held against the connection: %v", db.met.Load(), w.health.failed)
				}
				db.away.Store(nil)
				w.ok()
				if s := w.current(); s.Status != syncing.Active || s.LastError != nil {
					t.Errorf("after it: %+v", s)
				}
				w.holds(want(f, keys...))
			})
		}
	}
}
