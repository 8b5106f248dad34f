package sinktest

import (
	"context"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/sink"
)

func testRules(t *testing.T, s *suite) {
	r := s.sink.Rules()
	if r.MaxComponent < 64 || r.MaxPath < r.MaxComponent {
		t.Errorf("the rules leave no room: %+v", r)
	}
	recorded := r
	s.reopen()
	if s.sink.Rules() != recorded {
		t.Errorf("a bucket that records its rules gets others: %+v, not %+v", s.sink.Rules(), recorded)
	}
}

func testStage(t *testing.T, s *suite) {
	// Sizes around every buffer there may be, written in uneven pieces.
	content := strings.Repeat("0123456789abcdef", 64<<10)
	pieces := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the sizes of writes are no secret
	for _, size := range []int{0, 1, 4095, 4096, 4097, 65535, 65536, 65537, 131072, 131073, 1 << 20} {
		w, err := s.sink.Stage(context.Background(), "s", -1)
		s.must("stage", err)
		for rest := content[:size]; rest != ""; {
			n := min(1+pieces.IntN(100_000), len(rest))
			written, err := io.WriteString(w, rest[:n])
			s.must("write", err)
			if written != n {
				t.Fatalf("%d of %d bytes were written without an error", written, n)
			}
			rest = rest[n:]
		}
		s.must("close", w.Close())
		s.holds(nil) // what is staged has no name
		s.settle()
		s.must("place", s.sink.Place(context.Background(), "s", "f", int64(size)))
		s.settle()
		s.holds(map[string]string{"f": content[:size]})
		s.remove("f")
	}

	// Staged content outlives the process once it is settled.
	s.stage("kept", "kept content")
	s.settle()
	s.reopen()
	s.must("place after a restart", s.sink.Place(context.Background(), "kept", "f", 12))
	s.holds(map[string]string{"f": "kept content"})
	s.settle()
	s.settle() // nothing to do
}

func testStageReplaces(_ *testing.T, s *suite) {
	s.stage("s", "an older and longer one")
	s.stage("s", "new")
	s.stagedIs("s")
	s.must("place", s.sink.Place(context.Background(), "s", "f", 3))
	s.holds(map[string]string{"f": "new"})

	// A writer that was overtaken can't spoil what replaced its content.
	slow, err := s.sink.Stage(context.Background(), "s", -1)
	s.must("stage", err)
	_, err = io.WriteString(slow, "from a worker that lost its lease")
	s.must("write", err)
	s.stage("s", "from its successor")
	_, _ = io.WriteString(slow, " and woke up later")
	slow.Abort()
	s.must("place", s.sink.Place(context.Background(), "s", "f", 18))
	s.holds(map[string]string{"f": "from its successor"})
}

func testAbort(_ *testing.T, s *suite) {
	for _, size := range []int{0, 10, 200_000} {
		w, err := s.sink.Stage(context.Background(), "s", -1)
		s.must("stage", err)
		_, err = w.Write(make([]byte, size))
		s.must("write", err)
		w.Abort()
		w.Abort()
		s.stagedIs("")
		s.is("place what was aborted", s.sink.Place(context.Background(), "s", "f", int64(size)), errs.Corrupt)
	}
	s.holds(nil)

	w, err := s.sink.Stage(context.Background(), "s", -1)
	s.must("stage", err)
	_, err = io.WriteString(w, "content")
	s.must("write", err)
	s.must("close", w.Close())
	w.Abort() // after Close it does nothing
	s.stagedIs("s")
	s.must("place", s.sink.Place(context.Background(), "s", "f", 7))
	w.Abort()
	s.holds(map[string]string{"f": "content"})
}

func testSweep(t *testing.T, s *suite) {
	s.must("sweep nothing", s.sink.Sweep(context.Background(), func(string) bool { return false }))
	s.place("a/f", "placed")
	for _, staged := range []string{"keep-1", "keep_2", "drop.3", "drop"} {
		s.stage(staged, "content")
	}
	s.settle()
	s.reopen()
	s.must("sweep", s.sink.Sweep(context.Background(), func(staged string) bool { return strings.HasPrefix(staged, "keep") }))
	s.stagedIs("keep-1 keep_2")
	s.holds(map[string]string{"a/f": "placed"})
	if err := s.sink.Place(context.Background(), "drop", "g", 7); err == nil {
		t.Error("what was swept can be placed")
	}
	s.must("place what was kept", s.sink.Place(context.Background(), "keep-1", "g", 7))
}

func testCanceled(_ *testing.T, s *suite) {
	s.place("f", "content")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := s.sink.Stage(ctx, "s", -1)
	s.is("stage", err, errs.Canceled)
	s.is("names", s.sink.Names(ctx, func(string, int64) error { return nil }), errs.Canceled)
	s.is("settle", s.sink.Settle(ctx), errs.Canceled)
	_, err = s.dest.Bucket(ctx, s.bucket)
	s.is("open", err, errs.Canceled)

	// A transfer whose context ends stops writing and leaves nothing.
	ctx, cancel = context.WithCancel(context.Background())
	w, err := s.sink.Stage(ctx, "s", -1)
	s.must("stage", err)
	cancel()
	if _, err = w.Write(make([]byte, 1<<20)); err == nil {
		err = w.Close()
	}
	s.is("write or close", err, errs.Canceled)
	w.Abort()
	s.stagedIs("")
	s.holds(map[string]string{"f": "content"})
}

func testFree(t *testing.T, s *suite) {
	if f, err := s.dest.Free(context.Background()); err != nil || f < 0 || f > 1 {
		t.Errorf("free: %v, %v", f, err)
	}
}

// Large takes content of a size through a destination: staged, placed over
// another one, moved, and read from its middle on. Run does not, since only the
// destination knows what is large to it.
func Large(t *testing.T, d sink.Destination, size int) {
	t.Helper()
	s := &suite{t: t, dest: d, bucket: bucket.Bucket{Org: id.NewOrg(), ID: id.NewBucket()}}
	s.sink = s.open(s.bucket)
	unit := "0123456789abcdef~"
	content := strings.Repeat(unit, size/len(unit)+1)[:size]
	s.place("a/f", "to be replaced")
	s.place("a/f", content)
	s.settle()
	s.must("rename", s.sink.Rename(bg, "a/f", "b", int64(size)))
	s.holds(map[string]string{"b": content})
	if rest, err := s.read("b", int64(size/2)); err != nil || rest != content[size/2:] {
		t.Errorf("from the middle: %d bytes, %v", len(rest), err)
	}
	s.stagedIs("")
	s.must("destroy", s.sink.Destroy(bg))
	s.holds(nil)
}
