package sqlite

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"

	"mooring/internal/errs"
)

// held is a store whose writer is held in a write until release is called, so
// that what is queued meanwhile shares the next transaction.
func held(t *testing.T) (s *Store, release func()) {
	t.Helper()
	s, err := Open(t.Context(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	begun, end := make(chan struct{}), make(chan struct{})
	var once, start sync.Once
	release = func() { once.Do(func() { close(end) }) }
	t.Cleanup(func() {
		release()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := s.w.queue(t.Context(), "test", interactive, func(*tx) error {
		start.Do(func() { close(begun) }) // it is run again when its group is lost
		<-end
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	<-begun
	return s, release
}

func fact(name string) func(*tx) error {
	return func(t *tx) error {
		_, err := t.exec("INSERT INTO meta (name, value) VALUES (?, 'x')", name)
		return err
	}
}

func facts(t *testing.T, s *Store, names ...string) (there []string) {
	t.Helper()
	for _, name := range names {
		v, err := s.System().Meta(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if v != nil {
			there = append(there, name)
		}
	}
	return there
}

// TestGroupNeighbours queues good and bad writes for one transaction.
func TestGroupNeighbours(t *testing.T) {
	s, release := held(t)
	oops := errors.New("oops")
	halfway := func(x *tx) error { return errors.Join(fact("half")(x), oops) }
	var jobs []*job
	for _, do := range []func(*tx) error{fact("a"), fact("a"), fact("b"), halfway, fact("c")} {
		j, err := s.w.queue(t.Context(), "test", interactive, do)
		if err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, j)
	}
	release()
	var outcomes []error
	for _, j := range jobs {
		outcomes = append(outcomes, s.w.wait(t.Context(), "test", j))
	}
	if outcomes[0] != nil || !errs.Is(outcomes[1], errs.AlreadyExists) || outcomes[2] != nil || !errors.Is(outcomes[3], oops) || outcomes[4] != nil {
		t.Errorf("outcomes: %v", outcomes)
	}
	if got := facts(t, s, "a", "b", "c", "half"); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("stored %v, want a, b and c", got)
	}
}

// TestLostTransaction ends the transaction under the writes of a group, as
// SQLite does when the disk is full: those that can be made still are.
func TestLostTransaction(t *testing.T) {
	s, release := held(t)
	bad := errors.New("bad")
	var jobs []*job
	for _, do := range []func(*tx) error{fact("a"), func(x *tx) error { x.rollback(); return bad }, fact("b")} {
		j, err := s.w.queue(t.Context(), "test", interactive, do)
		if err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, j)
	}
	release()
	for i, j := range jobs {
		if err := s.w.wait(t.Context(), "test", j); (err != nil) != (i == 1) {
			t.Errorf("write %d: %v", i, err)
		}
	}
	if got := facts(t, s, "a", "b"); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("stored %v, want a and b", got)
	}
}

func TestInteractiveGoesFirst(t *testing.T) {
	s, release := held(t)
	var order []string
	var jobs []*job
	for i, l := range []lane{bulk, bulk, interactive, bulk, interactive} {
		j, err := s.w.queue(t.Context(), "test", l, func(*tx) error {
			order = append(order, strconv.Itoa(i))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, j)
	}
	release()
	for _, j := range jobs {
		if err := s.w.wait(t.Context(), "test", j); err != nil {
			t.Error(err)
		}
	}
	if at := func(s string) int { return slices.Index(order, s) }; at("4") > at("1") || at("2") > at("1") || len(order) != 5 {
		t.Errorf("written in the order %v: interactive writes (2, 4) waited for bulk ones", order)
	}
}

// TestBulkIsNotStarved queues interactive writes one after the other, each from
// the one before, and a bulk write beside them.
func TestBulkIsNotStarved(t *testing.T) {
	s, release := held(t)
	served, ended := false, make(chan int)
	var again func(n int)
	again = func(n int) {
		if _, err := s.w.queue(t.Context(), "test", interactive, func(*tx) error {
			if served || n == 1_000_000 {
				go func() { ended <- n }()
				return nil
			}
			again(n + 1)
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
	again(0)
	if _, err := s.w.queue(t.Context(), "test", bulk, func(*tx) error { served = true; return nil }); err != nil {
		t.Fatal(err)
	}
	release()
	if n := <-ended; n == 1_000_000 {
		t.Errorf("a bulk write was not served beside %d interactive ones", n)
	}
}

// TestCancelWhileQueued gives a write up before the writer has begun it.
func TestCancelWhileQueued(t *testing.T) {
	s, release := held(t)
	ctx, cancel := context.WithCancel(t.Context())
	j, err := s.w.queue(ctx, "test", interactive, fact("a"))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := s.w.wait(ctx, "test", j); !errs.Is(err, errs.Canceled) {
		t.Errorf("a write that was given up: %v", err)
	}
	release()
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := facts(t, s, "a"); len(got) != 0 {
		t.Error("a write that was given up was made")
	}
}

// TestCancelOnceBegun gives a write up when the writer has begun it: it is
// made, and says so.
func TestCancelOnceBegun(t *testing.T) {
	s, release := held(t)
	release()
	ctx, cancel := context.WithCancel(t.Context())
	if err := s.w.write(ctx, "test", interactive, func(x *tx) error {
		cancel()
		return fact("a")(x)
	}); err != nil {
		t.Errorf("a write that was made returned %v", err)
	}
	if got := facts(t, s, "a"); len(got) != 1 {
		t.Error("the write was not made")
	}
}

// TestCloseFinishes closes while writes are queued.
func TestCloseFinishes(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	var jobs []*job
	for i := range 50 {
		j, err := s.w.queue(t.Context(), "test", lane(i%2), fact(strconv.Itoa(i)))
		if err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, j)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs {
		if err := s.w.wait(t.Context(), "test", j); err != nil {
			t.Error(err)
		}
	}
	if err := s.w.write(t.Context(), "test", bulk, fact("late")); !errs.Is(err, errs.Unavailable) {
		t.Errorf("a write after Close: %v", err)
	}
}

// TestDurability reads back what makes a commit survive a loss of power, which
// no test here can cause.
func TestDurability(t *testing.T) {
	s, release := held(t)
	release()
	if err := s.w.write(t.Context(), "test", bulk, func(x *tx) error {
		var mode string
		var level int
		_, err := x.row("PRAGMA journal_mode", nil, &mode)
		_, err2 := x.row("PRAGMA synchronous", nil, &level)
		if mode != "wal" || level != 2 {
			t.Errorf("journal mode %s, synchronous %d; want wal and 2 (FULL)", mode, level)
		}
		return errors.Join(err, err2)
	}); err != nil {
		t.Fatal(err)
	}
}
