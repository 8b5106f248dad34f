package keys_test

import (
	"errors"
	"sync"
	"testing"

	"mooring/csfle"
	"mooring/internal/audit"
	"mooring/internal/errs"
	"mooring/internal/keys"
)

func TestRewrap(t *testing.T) {
	w := newWorld(t)
	to := csfle.GenerateLocalMasterKey()
	s := w.process(t, nil, w.master) // the server was not given the new key before
	r, err := s.Rewrap(t.Context(), to, false)
	if err != nil || r.Rewrapped != 2 || r.From != w.master.Fingerprint() || r.To != to.Fingerprint() {
		t.Fatalf("%+v, %v", r, err)
	}
	w.rewrapped(t, to)
	if _, err := s.Rotate(t.Context(), w.orgs[0]); err != nil { // it goes on, under the new key alone
		t.Error(err)
	}
	w.rewrapped(t, to)
	if n := len(w.trail(t, w.orgs[0], audit.MasterKeyChanged)); n != 1 {
		t.Errorf("the operator's trail holds %d entries", n)
	}
	if r, err := s.Rewrap(t.Context(), to, false); err != nil || r.Rewrapped != 0 || r.Already != 2 {
		t.Errorf("again: %+v, %v", r, err)
	}
}

// rewrapped expects that only one key opens the store, and opens all of it.
func (w *world) rewrapped(t *testing.T, to csfle.MasterKey) {
	t.Helper()
	for _, org := range w.orgs {
		w.mustOpen(t, org, to)
	}
	if _, err := keys.OpenChain(t.Context(), w.st.System(), to); err != nil {
		t.Errorf("the key of the audit trail: %v", err)
	}
	if _, err := keys.Open(t.Context(), w.st.System(), w.master); !errs.Is(err, errs.Invalid) {
		t.Errorf("the old key is taken: %v", err)
	}
}

func TestRewrapIsResumedWhereverItWasCutOff(t *testing.T) {
	var to csfle.MasterKey
	everyCut(t, func(w *world, s *keys.Service) error {
		_, err := s.Rewrap(t.Context(), to, false)
		if errors.Is(err, errCut) { // a process that has both keys opens all; it is the only one that starts
			for _, org := range w.orgs {
				w.mustOpen(t, org, to, w.master)
			}
			inventory, err := w.process(t, nil, w.master, to).List(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			_, alone := keys.Open(t.Context(), w.st.System(), w.master)
			if changing := inventory.Next != ""; changing != errs.Is(alone, errs.Invalid) {
				t.Errorf("while the key is being changed (%v), the old one alone is %v", changing, alone)
			}
		}
		return err
	}, func(w *world, c *cut) *keys.Service {
		if c != nil {
			to = csfle.GenerateLocalMasterKey()
		}
		return w.process(t, c, w.master, to)
	}, func(t *testing.T, w *world) { w.rewrapped(t, to) })
}

// cutOffRewrap is a store whose data keys are under two master keys.
func cutOffRewrap(t *testing.T, to csfle.MasterKey) *world {
	t.Helper()
	w := newWorld(t)
	if _, err := w.process(t, &cut{left: 2}, w.master).Rewrap(t.Context(), to, false); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	return w
}

func TestRewrapGoesBack(t *testing.T) {
	to := csfle.GenerateLocalMasterKey()
	w := cutOffRewrap(t, to)
	s := w.process(t, nil, w.master, to)
	if _, err := s.Rewrap(t.Context(), csfle.GenerateLocalMasterKey(), false); !errs.Is(err, errs.Conflict) {
		t.Errorf("to a third key: %v", err)
	}
	if _, err := s.Rewrap(t.Context(), w.master, false); err != nil {
		t.Fatal(err)
	}
	for _, org := range w.orgs {
		w.mustOpen(t, org, w.master)
	}
	if _, err := keys.Open(t.Context(), w.st.System(), to); !errs.Is(err, errs.Invalid) {
		t.Errorf("the key that was given up is taken: %v", err)
	}
}

func TestRewrapOfSeveralAtOnce(t *testing.T) {
	w, to := newWorld(t), csfle.GenerateLocalMasterKey()
	processes := make([]*keys.Service, 4)
	for i := range processes { // all before one begins: with the old key alone none starts during a change
		processes[i] = w.process(t, nil, w.master)
	}
	var wg sync.WaitGroup
	for _, s := range processes {
		wg.Go(func() {
			if _, err := s.Rewrap(t.Context(), to, false); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	w.rewrapped(t, to)
}

// A process that was not given the new key must not wrap by the old one any more:
// once that is gone nobody could open what it made.
func TestOtherProcessesDoNotWrapByTheOldKey(t *testing.T) {
	w, to := newWorld(t), csfle.GenerateLocalMasterKey()
	uninformed, informed := w.process(t, nil, w.master), w.process(t, nil, to, w.master)
	if _, err := informed.Ring.CreateKey(t.Context(), "before/1"); err != nil {
		t.Fatal(err)
	}
	if d, err := w.st.KeyVault().GetByAltName(t.Context(), "before/1"); err != nil {
		t.Fatal(err)
	} else if _, err := w.master.Unwrap(t.Context(), d.KeyMaterial, d.MasterKey); err != nil {
		t.Errorf("before the change it wrapped by the next key: %v", err)
	}
	if _, err := w.process(t, nil, w.master).Rewrap(t.Context(), to, false); err != nil {
		t.Fatal(err)
	}
	if _, err := uninformed.Ring.CreateKey(t.Context(), "after/1"); !errs.Is(err, errs.Conflict) {
		t.Errorf("a process without the new key: %v", err)
	}
	if _, err := informed.Ring.CreateKey(t.Context(), "after/2"); err != nil {
		t.Fatal(err)
	}
	if n, err := w.opens(t, informed, w.orgs[0]); n != secrets || err != nil {
		t.Errorf("a process with both keys opens %d secrets, %v", n, err)
	}
	w.rewrapped(t, to)
}

// A data key that neither opens keeps the change from ending, unless that is wanted.
func TestRewrapWithAnUnreadableKey(t *testing.T) {
	w, to := newWorld(t), csfle.GenerateLocalMasterKey()
	if _, err := csfle.NewKeyring(w.st.KeyVault(), csfle.GenerateLocalMasterKey(), csfle.KeyringOptions{}).CreateKey(t.Context(), "stranger/1"); err != nil {
		t.Fatal(err)
	}
	s := w.process(t, nil, w.master)
	r, err := s.Rewrap(t.Context(), to, false)
	if !errs.Is(err, errs.Corrupt) || len(r.Left) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	w.mustOpen(t, w.orgs[0], w.master, to)
	if r, err := s.Rewrap(t.Context(), to, true); err != nil || len(r.Left) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	w.rewrapped(t, to)
}

func TestOpenSaysWhichKeyIsExpected(t *testing.T) {
	to := csfle.GenerateLocalMasterKey()
	w := cutOffRewrap(t, to)
	for what, given := range map[string][]csfle.MasterKey{"none": nil, "the old": {w.master}, "the new": {to}, "another": {csfle.GenerateLocalMasterKey()}} {
		if _, err := keys.Open(t.Context(), w.st.System(), given...); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
