package sinktest

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"mooring/internal/sink"
)

// parallel runs f for 0..n-1 at once and fails with every error.
func parallel(t *testing.T, n int, f func(i int) error) {
	t.Helper()
	all := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { all[i] = f(i) })
	}
	wg.Wait()
	if err := errors.Join(all...); err != nil {
		t.Fatal(err)
	}
}

// transfer stages, settles and places, without the suite's short forms, which
// end the test and so belong to its goroutine.
func transfer(s sink.Sink, staged, name, content string) error {
	w, err := s.Stage(bg, staged, -1)
	if err != nil {
		return err
	}
	if _, err = io.WriteString(w, content); err != nil {
		w.Abort()
		return err
	}
	if err = w.Close(); err != nil {
		return err
	}
	if err = s.Settle(bg); err != nil {
		return err
	}
	return s.Place(bg, staged, name, int64(len(content)))
}

// testConcurrentItems has many workers on items of their own.
func testConcurrentItems(t *testing.T, s *suite) {
	const workers, items = 8, 10
	want := map[string]string{}
	for w := range workers {
		for i := range items {
			want[fmt.Sprintf("d%d/e/moved-%d", i, w)] = strings.Repeat(fmt.Sprint(w), 10*w+i)
		}
	}
	parallel(t, workers, func(w int) error {
		for i := range items {
			name := fmt.Sprintf("d%d/f%d", i, w)
			content := strings.Repeat(fmt.Sprint(w), 10*w+i)
			if err := transfer(s.sink, fmt.Sprintf("s-%d-%d", w, i), name, content); err != nil {
				return err
			}
			if size, err := s.sink.Stat(bg, name); err != nil || size != int64(len(content)) {
				return fmt.Errorf("stat %s: %d, %w", name, size, err)
			}
			if err := s.sink.Rename(bg, name, fmt.Sprintf("d%d/e/moved-%d", i, w), int64(len(content))); err != nil {
				return err
			}
		}
		return nil
	})
	s.holds(want)
	s.stagedIs("")
}

// testConcurrentFolder has workers that empty folders which others fill.
func testConcurrentFolder(t *testing.T, s *suite) {
	const workers, rounds = 6, 60
	parallel(t, workers, func(w int) error {
		name, staged := fmt.Sprintf("a/b/c/f%d", w), fmt.Sprintf("s%d", w)
		for range rounds {
			wr, err := s.sink.Stage(bg, staged, -1)
			if err != nil {
				return err
			}
			if err := wr.Close(); err != nil {
				return err
			}
			if err := s.sink.Place(bg, staged, name, 0); err != nil {
				return fmt.Errorf("a folder that vanishes must not matter: %w", err)
			}
			if _, err := s.sink.Stat(bg, name); err != nil {
				return err
			}
			if err := s.sink.Rename(bg, name, "x/"+name, 0); err != nil {
				return err
			}
			if err := s.sink.Remove(bg, "x/"+name); err != nil {
				return err
			}
		}
		return nil
	})
	s.holds(nil)
}

// testConcurrentName: one name that several replace always holds one content,
// whole.
func testConcurrentName(t *testing.T, s *suite) {
	s.place("a/f", strings.Repeat("x", 1000))
	const workers, rounds = 4, 20
	parallel(t, workers, func(w int) error {
		for range rounds {
			if err := transfer(s.sink, fmt.Sprint("s", w), "a/f", strings.Repeat(fmt.Sprint(w), 1000)); err != nil {
				return err
			}
			content, err := s.read("a/f", 0)
			if err != nil {
				return err
			}
			if len(content) != 1000 || strings.Trim(content, content[:1]) != "" {
				return fmt.Errorf("the name holds %d bytes of several contents", len(content))
			}
		}
		return nil
	})
}
