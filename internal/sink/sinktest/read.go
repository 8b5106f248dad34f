package sinktest

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/sink"
)

func testStat(t *testing.T, s *suite) {
	s.place("a/f", "content")
	s.place("empty", "")
	for name, want := range map[string]int64{"a/f": 7, "empty": 0} {
		if size, err := s.sink.Stat(bg, name); err != nil || size != want {
			t.Errorf("stat %q: %d, %v, not %d", name, size, err, want)
		}
	}
	s.stage("s", "staged")
	for _, name := range []string{"a", "b", "a/g", "b/f", "a/f/g", "s"} {
		_, err := s.sink.Stat(bg, name)
		s.is("stat "+name, err, errs.NotFound)
	}
	s.place("a/h", "hh")
	s.place("c/d/e", "e")
	names := []string{"a/f", "a/g", "a/h", "a", "b/f", "b/g", "c/d/e", "c/d/f", "c/d", "a/f/g", "a/f/h", "empty", "a/f"}
	want := []int64{7, sink.Gone, 2, sink.Gone, sink.Gone, sink.Gone, 1, sink.Gone, sink.Gone, sink.Gone, sink.Gone, 0, 7}
	if sizes, err := sink.Stats(bg, s.sink, names); err != nil || !slices.Equal(sizes, want) {
		t.Errorf("stats of %q: %d, %v, not %d", names, sizes, err, want)
	}
	_, err := sink.Stats(bg, s.sink, []string{"a/f", "../f"})
	s.is("stats of a name that leads out", err, errs.Invalid)
}

func testOpen(t *testing.T, s *suite) {
	content := strings.Repeat("0123456789", 20_000)
	s.place("a/f", content)
	for _, off := range []int64{0, 1, 9999, 131_072, int64(len(content)) - 1, int64(len(content)), int64(len(content)) + 5} {
		want := content[min(off, int64(len(content))):]
		if got, err := s.read("a/f", off); err != nil || got != want {
			t.Errorf("from %d: %d bytes, %v, not %d", off, len(got), err, len(want))
		}
	}
	for _, name := range []string{"a", "b", "a/f/g"} {
		_, err := s.read(name, 0)
		s.is("open "+name, err, errs.NotFound)
	}
	_, err := s.read("a/f", -1)
	s.is("open before the beginning", err, errs.Invalid)
}

// testOpenReplaced: a reader is never given half of one content and half of
// another. It may fail instead.
func testOpenReplaced(t *testing.T, s *suite) {
	before, after := strings.Repeat("a", 1<<20), strings.Repeat("b", 1<<20)
	s.place("f", before)
	r, err := s.sink.Open(bg, "f", 0)
	s.must("open", err)
	head := make([]byte, 10)
	_, err = io.ReadFull(r, head)
	s.must("read", err)
	s.place("f", after)
	rest, err := io.ReadAll(r)
	if err == nil && string(head)+string(rest) != before {
		t.Error("content changed under its reader")
	}
	s.must("close", r.Close())
	s.holds(map[string]string{"f": after})
}

func testRemove(_ *testing.T, s *suite) {
	s.place("a/f", "content")
	s.place("a/g", "stays")
	s.remove("a/f")
	s.remove("a/f")
	s.remove("never/was/there")
	s.remove("a/g/below-a-file")
	s.holds(map[string]string{"a/g": "stays"})
	s.settle()
	s.reopen()
	s.holds(map[string]string{"a/g": "stays"})
}

func testRemoveFolders(_ *testing.T, s *suite) {
	s.place("a/b/c/f", "content")
	s.place("a/g", "stays")
	s.remove("a/b/c/f")
	s.place("a/b", "a file now")
	s.holds(map[string]string{"a/b": "a file now", "a/g": "stays"})
	s.remove("a/b")
	s.remove("a/g")
	s.place("a", "a file now")
	s.remove("a")
	// The bucket itself stays, and folders that it knew are made anew.
	s.place("a/b/c/f", "again")
	s.holds(map[string]string{"a/b/c/f": "again"})
}

func testNames(_ *testing.T, s *suite) {
	s.holds(nil)
	want := map[string]string{}
	for i := range 40 {
		for _, name := range []string{fmt.Sprintf("f%d", i), fmt.Sprintf("d%d/f", i), fmt.Sprintf("d/%d/e/f", i)} {
			s.place(name, name)
			want[name] = name
		}
	}
	s.stage("s", "is no name")
	s.holds(want)
	s.settle()
	s.reopen()
	s.holds(want)
}

func testNamesStop(t *testing.T, s *suite) {
	for i := range 10 {
		s.place(fmt.Sprintf("d%d/f", i), "")
	}
	stop, calls := errors.New("enough"), 0
	err := s.sink.Names(bg, func(string, int64) error {
		calls++
		if calls == 3 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || calls != 3 {
		t.Errorf("%d calls, %v", calls, err)
	}
	// What it names can be removed meanwhile.
	s.must("names", s.sink.Names(bg, func(name string, _ int64) error { return s.sink.Remove(bg, name) }))
	s.holds(nil)
}

func testDestroy(_ *testing.T, s *suite) {
	for i := range 10 {
		s.place(fmt.Sprintf("d%d/e/f", i), "content")
	}
	s.stage("s", "staged")
	s.must("destroy", s.sink.Destroy(bg))
	s.must("destroy again", s.sink.Destroy(bg))
	s.reopen()
	s.holds(nil)
	s.stagedIs("")
	s.place("a/f", "anew")
	s.holds(map[string]string{"a/f": "anew"})
}

func testApart(_ *testing.T, s *suite) {
	s.place("a/f", "mine")
	mine := s.sink
	for _, b := range []bucket.Bucket{
		{Org: s.bucket.Org, ID: id.NewBucket()},
		{Org: id.NewOrg(), ID: s.bucket.ID},
		{Org: id.NewOrg(), ID: id.NewBucket()},
	} {
		s.sink = s.open(b)
		s.holds(nil)
		s.place("a/f", "theirs")
		s.stage("t", "theirs")
		s.must("destroy", s.sink.Destroy(bg))
		s.sink = mine
		s.holds(map[string]string{"a/f": "mine"})
		s.stagedIs("")
	}
	for _, b := range []bucket.Bucket{{}, {Org: "..", ID: "bkt_a"}, {Org: "int_a", ID: "a/b"}, {Org: "int_a", ID: ".mooring"}} {
		_, err := s.dest.Bucket(bg, b)
		s.is(fmt.Sprintf("open %q/%q", b.Org, b.ID), err, errs.Invalid)
	}
}
