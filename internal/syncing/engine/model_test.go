package engine_test

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/provider/driver"
	"mooring/internal/provider/providertest"
	"mooring/internal/syncing"
	"mooring/internal/syncing/engine"
)

// Whatever happens at a source, and whatever fails on the way, the bucket holds
// what the source holds once a pass has gone through undisturbed.
func TestModelOfAFlatSource(t *testing.T) {
	outer := t
	rapid.Check(t, func(t *rapid.T) {
		policy := rapid.SampledFrom([]syncing.DeletePolicy{syncing.Ignore, syncing.Tombstone, syncing.Delete}).Draw(t, "policy")
		f := providertest.NewFlat(providertest.FlatOptions{
			PageSize: rapid.IntRange(1, 6).Draw(t, "page"), Unordered: rapid.Bool().Draw(t, "unordered"), NoChecksums: rapid.Bool().Draw(t, "no checksums"),
		})
		w := newWorld(outer, f, func(s *syncing.Sync) { s.OnDelete = policy })
		w.engine.Limits = engine.Limits{
			PageItems: rapid.IntRange(1, 5).Draw(t, "items"), Shards: rapid.IntRange(1, 3).Draw(t, "shards"), ScanRows: rapid.IntRange(1, 5).Draw(t, "rows"), SortBytes: 600,
		}
		keys := rapid.SampledFrom([]string{"a", "a/b", "a/c", "b", "b/\xff", "c d", "A", "z/../y", "é"})
		m := &flatModel{w: w, f: f, policy: policy}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				f.Put(keys.Draw(t, "key"), []byte(rapid.SampledFrom([]string{"", "x", "y", "zz"}).Draw(t, "content")))
			},
			"delete": func(t *rapid.T) { f.Delete(keys.Draw(t, "key")) },
			"restart": func(*rapid.T) {
				w.reopen()
			},
			"fault": func(t *rapid.T) {
				f.Inject(providertest.Fault{
					Method: rapid.SampledFrom([]string{providertest.Changes, providertest.Open, providertest.Stat}).Draw(t, "method"),
					After:  rapid.IntRange(0, 8).Draw(t, "after"), Times: rapid.IntRange(1, 3).Draw(t, "times"),
					Action: rapid.SampledFrom([]providertest.Action{
						providertest.Fail(errs.Unavailable), providertest.Fail(errs.Unauthenticated), providertest.Throttle(1), providertest.FailWith(itemError(errs.Stale)), providertest.ShortRead(0),
						providertest.FailWith(itemError(errs.PermissionDenied)), providertest.OrderError(), providertest.Incomplete(),
					}).Draw(t, "action"),
				})
				w.disturbed()
			},
			"sync": func(t *rapid.T) { m.sync(t) },
		})
		m.sync(t)
	})
}

// flatModel knows what the bucket should hold.
type flatModel struct {
	w      *world
	f      *providertest.Flat
	policy syncing.DeletePolicy
}

// disturbed runs while something fails, and revives the sync should it give up.
func (w *world) disturbed() {
	w.t.Helper()
	run, _ := w.run()
	if run.ID != "" {
		w.sound(run)
	}
	w.revive()
}

func (w *world) revive() {
	w.edit(func(s *syncing.Sync) {
		if s.Status == syncing.Failed {
			if err := s.Trigger(w.now); err != nil {
				w.t.Error(err)
			}
		}
	})
}

// sync lets a whole pass go through undisturbed and compares.
func (m *flatModel) sync(t *rapid.T) {
	m.f.ClearFaults()
	m.w.retryAll()
	for passes := 0; passes < 2; { // the first may have begun before the last change
		run, err := m.w.run()
		if err != nil {
			t.Fatalf("an undisturbed run fails: %v", err)
		}
		m.w.sound(run)
		if run.PassEnded {
			passes++
		}
	}
	now := m.source()
	// Policy ignore keeps what is gone; and an empty listing is not believed.
	m.w.matches(t, now, m.policy == syncing.Ignore || len(now) == 0)
}

func (m *flatModel) source() map[string]string {
	out := map[string]string{}
	var cur driver.Cursor
	for {
		p, err := m.f.Changes(m.w.t.Context(), driver.Scope{Path: "data"}, cur)
		if err != nil {
			m.w.t.Fatal(err)
		}
		for _, c := range p.Changes {
			out[c.Item.ID] = string(m.f.Content(c.Item.ID))
		}
		if !p.More {
			return out
		}
		cur = p.Next
	}
}

// retryAll asks for every dead letter to be tried again.
func (w *world) retryAll() {
	must(w.t)(w.store.DeadLetters().SetStatus(w.t.Context(), w.org, w.sync, syncing.DeadLetterFilter{}, nil, syncing.DeadRetry))
}

// matches is holds for a rapid test: it stops at the first difference. more
// allows present objects beside those wanted.
func (w *world) matches(t *rapid.T, want map[string]string, more bool) {
	files, objects := w.files(), w.objects()
	for _, source := range slices.Sorted(maps.Keys(want)) {
		o := objects[source]
		if got, there := files[o.Name]; o.State != bucket.Present || !there || got != want[source] {
			t.Fatalf("%q: state %q, file %q there %v holds %q, want %q", source, o.State, o.Name, there, got, want[source])
		}
		delete(files, o.Name)
		delete(objects, source)
	}
	for source, o := range objects {
		if o.State != bucket.Present {
			continue
		}
		delete(files, o.Name)
		if !more {
			t.Fatalf("%q is in the catalogue, but not at the source", source)
		}
	}
	if len(files) > 0 {
		t.Fatalf("files that are nobody's: %v", files)
	}
}
