package engine_test

import (
	"context"
	"testing"

	"mooring/internal/errs"
	"mooring/internal/provider/providertest"
	"mooring/internal/syncing"
)

// failing makes a source of which one item can't be read.
func failing(t *testing.T, kind errs.Kind) (*world, *providertest.Flat, []string) {
	f, keys := flat(providertest.FlatOptions{PageSize: 4}, 9)
	w := newWorld(t, f, nil)
	f.Inject(providertest.Fault{Method: providertest.Open, ID: f.ID(keys[4]), Action: providertest.FailWith(itemError(kind))})
	return w, f, keys
}

func TestAFailedItemIsTriedThreeTimesThenDeadLettered(t *testing.T) {
	for _, kind := range []errs.Kind{errs.PermissionDenied, errs.Corrupt, errs.Unavailable, errs.Stale, errs.NotFound} {
		t.Run(kind.String(), func(t *testing.T) {
			w, f, keys := failing(t, kind)
			run := w.ok()
			w.check(run, syncing.Ledger{Discovered: 9, Synced: 8, Failed: 1})
			if run.Status != syncing.RunWithErrors || !run.PassEnded {
				t.Errorf("run %s, pass ended %v", run.Status, run.PassEnded)
			}
			l := w.letters(1)[0]
			if l.SourceID != sourceKey(f.ID(keys[4])) || l.SourcePath != keys[4] || l.Attempts != 3 || l.Status != syncing.DeadOpen || l.Message == "" || l.Run != run.ID {
				t.Errorf("the letter says %+v", l)
			}
			if s := w.current(); s.Failures != 0 || s.Status != syncing.Active {
				t.Errorf("a failed item counts on the sync: %d, %s", s.Failures, s.Status)
			}

			opens := f.Count(providertest.Open)
			run = w.ok()
			w.check(run, syncing.Ledger{Discovered: 9, Unchanged: 8, Skipped: 1})
			if run.Ledger.SkippedBy["dead_letter"] != 1 || f.Count(providertest.Open) != opens {
				t.Errorf("the same version was tried again: %v", run.Ledger.SkippedBy)
			}
		})
	}
}

func TestANewVersionReopensALetter(t *testing.T) {
	w, f, keys := failing(t, errs.PermissionDenied)
	w.ok()
	f.ClearFaults()
	f.Put(keys[4], []byte("new"))
	w.check(w.ok(), syncing.Ledger{Discovered: 9, Unchanged: 8, Synced: 1})
	w.letters(0)
	w.holds(want(f, keys...))
}

func TestARetryReopensALetter(t *testing.T) {
	w, f, keys := failing(t, errs.PermissionDenied)
	w.ok()
	retry := func() {
		t.Helper()
		must(t)(w.store.DeadLetters().SetStatus(context.Background(), w.org, w.sync, syncing.DeadLetterFilter{}, nil, syncing.DeadRetry))
	}
	retry()
	w.check(w.ok(), syncing.Ledger{Discovered: 10, Unchanged: 8, Failed: 1, Skipped: 1})
	if l := w.letters(1)[0]; l.Attempts != 6 || l.Status != syncing.DeadOpen {
		t.Errorf("after a retry in vain the letter says %+v", l)
	}
	f.ClearFaults()
	retry()
	w.check(w.ok(), syncing.Ledger{Discovered: 10, Unchanged: 9, Synced: 1})
	w.letters(0)
	w.holds(want(f, keys...))
}

func TestADeleteAtTheSourceClosesALetter(t *testing.T) {
	w, f, keys := failing(t, errs.PermissionDenied)
	w.ok()
	f.Delete(keys[4])
	w.check(w.ok(), syncing.Ledger{Discovered: 8, Unchanged: 8})
	w.letters(0)
}

func TestARetriedItemThatIsGoneClosesItsLetter(t *testing.T) {
	w, f, keys := failing(t, errs.PermissionDenied)
	w.ok()
	f.Delete(keys[4])
	must(t)(w.store.DeadLetters().SetStatus(context.Background(), w.org, w.sync, syncing.DeadLetterFilter{}, nil, syncing.DeadRetry))
	w.check(w.ok(), syncing.Ledger{Discovered: 9, Unchanged: 8, Skipped: 1})
	w.letters(0)
}

func TestAnItemWithALetterCountsAsPresent(t *testing.T) {
	f, keys := flat(providertest.FlatOptions{}, 5)
	w := newWorld(t, f, nil)
	w.ok()
	before := want(f, keys...)
	f.Put(keys[2], []byte("a version that fails"))
	f.Inject(providertest.Fault{Method: providertest.Open, ID: f.ID(keys[2]), Action: providertest.FailWith(itemError(errs.PermissionDenied))})
	w.check(w.ok(), syncing.Ledger{Discovered: 5, Unchanged: 4, Failed: 1})
	w.check(w.ok(), syncing.Ledger{Discovered: 5, Unchanged: 4, Skipped: 1})
	w.holds(before) // the old version stays
}

func TestWhatConcernsTheConnectionDeadLettersNothing(t *testing.T) {
	for kind, scope := range map[errs.Kind]errs.Scope{
		errs.Unauthenticated: errs.ScopeConnection, errs.PermissionDenied: errs.ScopePath, errs.Unavailable: errs.ScopeConnection, errs.NotFound: errs.ScopePath,
	} {
		t.Run(kind.String(), func(t *testing.T) {
			f, keys := flat(providertest.FlatOptions{PageSize: 4}, 9)
			w := newWorld(t, f, nil)
			f.Inject(providertest.Fault{Method: providertest.Open, ID: f.ID(keys[4]), Action: providertest.FailWith(&errs.Error{Kind: kind, Scope: scope, Origin: errs.Provider})})
			run, err := w.run()
			if errs.KindOf(err) != kind || run.Status != syncing.RunFailed || run.ErrorKind != kind.String() {
				t.Errorf("run %s, %v", run.Status, err)
			}
			w.sound(run)
			w.letters(0)
			if len(w.health.failed) != 1 {
				t.Errorf("health heard of %d failures", len(w.health.failed))
			}
			f.ClearFaults()
			w.ok()
			w.holds(want(f, keys...))
			if s := w.current(); s.Totals.Synced != 9 || s.Failures != 0 {
				t.Errorf("totals %v, failures %d", s.Totals, s.Failures)
			}
		})
	}
}
