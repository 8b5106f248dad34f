//go:build unix && mongo

package chaos

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"mooring/emulator/s3"
	"mooring/internal/connection"
	"mooring/internal/store"
	"mooring/internal/syncing"
)

// watch follows the sync and changes its source.
type watch struct {
	t                  *testing.T
	s                  setup
	src                *storage
	rng                *rand.Rand
	st                 store.Store
	processed, deleted int64
	changes, later     int              // later: after the first pass
	passes             int64            // that had ended when the source was changed last
	arrived            map[string]int64 // after how many passes a key is where the source has it
}

func (w *watch) open() {
	w.t.Helper()
	w.arrived = map[string]int64{}
	for key := range w.src.objects {
		w.arrived[key] = 1
	}
	var err error
	if w.st, err = w.s.store(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = w.st.Close() })
}

// ended counts the passes that have, without those that are under way.
func (w *watch) ended() (n int64, quiet bool) {
	w.t.Helper()
	sy, err := w.st.Syncs().Get(w.t.Context(), w.s.IDs.Org, w.s.IDs.Sync)
	if err != nil {
		w.t.Fatal(err)
	}
	if sy.CurrentPass == "" {
		return sy.PassCounter, true
	}
	return sy.PassCounter - 1, false
}

// change changes the source at any moment, so that passes over a source that
// moves are killed too. What is changed or deleted has arrived: of what changes
// twice before it is read nobody knows how often it is.
func (w *watch) change() {
	w.t.Helper()
	n, _ := w.ended()
	news, gone, touched := w.src.drift(w.t, w.rng, func(key string) bool { return n >= w.arrived[key] })
	w.processed += int64(news)
	w.deleted += int64(gone)
	w.changes++
	w.passes, _ = w.ended()
	for _, key := range touched {
		w.arrived[key] = w.passes + 2 // the first may have begun before
	}
	if n >= 1 {
		w.later++
	}
	w.due()
}

// due has the sync run again, as a trigger does.
func (w *watch) due() {
	w.t.Helper()
	_, err := w.st.Syncs().Update(w.t.Context(), w.s.IDs.Org, w.s.IDs.Sync, func(s *syncing.Sync) error { return s.Trigger(time.Now().UTC()) })
	if err != nil {
		w.t.Fatal(err)
	}
}

// settle waits for the passes that bring the last change.
func (w *watch) settle() {
	w.t.Helper()
	for end := time.Now().Add(settleTime); ; time.Sleep(time.Second) {
		n, quiet := w.ended()
		if n >= w.passes+2 && quiet {
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("%d passes have ended, want %d", n, w.passes+2)
		}
		if quiet {
			w.due()
		}
	}
}

// counted checks that the failing connection was suspended by five checks.
func (w *watch) counted() {
	w.t.Helper()
	c, err := w.st.Connections().Get(w.t.Context(), w.s.IDs.Org, w.s.IDs.Failing)
	if err != nil {
		w.t.Fatal(err)
	}
	attempts := map[string]bool{}
	for _, e := range c.Evidence {
		attempts[e.Attempt] = true
	}
	if c.Status != connection.Suspended || c.Failures != connection.FailureLimit || len(attempts) != connection.FailureLimit || len(c.Evidence) != connection.FailureLimit {
		w.t.Errorf("the failing connection is %s after %d failures by %d checks", c.Status, c.Failures, len(attempts))
	}
}

// drift is what happens to the source at any moment. It deletes and changes what
// has settled, adds, and copies; it returns what change does, and the keys it put.
func (s *storage) drift(t *testing.T, rng *rand.Rand, settled func(key string) bool) (news, gone int, touched []string) {
	t.Helper()
	keys := slices.Sorted(maps.Keys(s.objects))
	keys = slices.DeleteFunc(keys, func(k string) bool { return s.shared[k] || !settled(k) })
	rng.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	gone = min(6, len(keys))
	for _, k := range keys[:gone] {
		if err := s.Delete(sourceBucket, k); err != nil {
			t.Fatal(err)
		}
		delete(s.objects, k)
		s.told[telling{"deleted", k}]++
	}
	keys = keys[gone:]
	for _, k := range keys[:min(5, len(keys))] {
		s.put(t, k, content(rng, 1+rng.IntN(3000)), s3.PutOptions{})
		touched = append(touched, k)
	}
	for range 6 {
		k := fmt.Sprintf("bulk/%02d/later-%08x", rng.IntN(40), rng.Uint32())
		s.put(t, k, content(rng, 1+rng.IntN(3000)), s3.PutOptions{})
		touched = append(touched, k)
	}
	if len(keys) > 5 {
		k := fmt.Sprintf("copies/%08x", rng.Uint32())
		s.share(t, k, s.objects[keys[5]])
		touched = append(touched, k)
	}
	return len(touched), gone, touched
}
