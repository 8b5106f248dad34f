package sinktest

import (
	"context"
	"fmt"
	"maps"
	"testing"

	"mooring/internal/errs"
)

var bg = context.Background()

func testPlace(_ *testing.T, s *suite) {
	want := map[string]string{}
	for _, name := range []string{"f", "a/b/c/d/e", "a/b/f", "a/f", "b", "a~b/f", "a b/f.txt"} {
		s.place(name, "content of "+name)
		want[name] = "content of " + name
	}
	s.stagedIs("")
	s.holds(want)
	s.settle()
	s.reopen()
	s.holds(want)
}

func testPlaceReplaces(_ *testing.T, s *suite) {
	s.place("a/f", "first")
	s.place("a/f", "second one")
	s.holds(map[string]string{"a/f": "second one"})
	s.stagedIs("")
}

func testPlaceAgain(_ *testing.T, s *suite) {
	s.place("a/f", "content")
	s.must("place again", s.sink.Place(bg, "s", "a/f", 7))
	s.reopen()
	s.must("place again after a restart", s.sink.Place(bg, "s", "a/f", 7))
	s.holds(map[string]string{"a/f": "content"})
	s.is("place what is not staged", s.sink.Place(bg, "s", "a/g", 7), errs.Corrupt)
	s.is("place what is not staged over another size", s.sink.Place(bg, "s", "a/f", 8), errs.Corrupt)
	s.holds(map[string]string{"a/f": "content"})
}

// testPlaceWrongSize: content that lost its end in a crash is never placed.
func testPlaceWrongSize(_ *testing.T, s *suite) {
	s.place("f", "as it was")
	s.stage("s", "half")
	s.is("place", s.sink.Place(bg, "s", "f", 8), errs.Corrupt)
	s.holds(map[string]string{"f": "as it was"})
	s.stage("s", "all of it")
	s.must("place", s.sink.Place(bg, "s", "f", 9))
	s.holds(map[string]string{"f": "all of it"})
}

// testPlaceBesideFolder: where a destination can't hold both, it says so and
// loses nothing. (Names are reserved so that it doesn't come to this.)
func testPlaceBesideFolder(t *testing.T, s *suite) {
	want := map[string]string{"a/f": "in a folder", "b": "a file"}
	for name, content := range want {
		s.place(name, content)
	}
	for _, name := range []string{"a", "b/f", "b/f/g"} {
		s.stage("s", "content")
		if err := s.sink.Place(bg, "s", name, 7); err == nil {
			want[name] = "content"
		} else {
			s.is("place "+name, err, errs.Corrupt)
			s.stagedIs("s")
		}
		if err := s.sink.Rename(bg, "b", name, 6); err == nil {
			t.Logf("%s can be held beside a folder", name)
			want[name] = want["b"]
			s.place("b", want["b"])
		} else {
			s.is("rename to "+name, err, errs.Corrupt)
		}
		s.holds(want)
	}
}

// testPlaceLate has a worker wake up between its download and its placement,
// after its successor has placed the same content and a newer version over it.
func testPlaceLate(t *testing.T, s *suite) {
	for _, newer := range []string{"bytes that are new", "as long"} {
		s.stage("s", "content")
		s.settle()
		slept := s.sink
		s.reopen()
		s.must("redo", s.sink.Place(bg, "s", "a/f", 7))
		s.settle()
		s.place("a/f", newer)
		s.settle()
		if err := slept.Place(bg, "s", "a/f", 7); err != nil {
			s.is("late placement", err, errs.Corrupt)
		} else if len(newer) != 7 {
			t.Error("a placement of content that is gone succeeded")
		}
		s.must("late settling", slept.Settle(bg))
		s.holds(map[string]string{"a/f": newer})
	}
	// Nor does it carry off a name that its successor gave to something else.
	s.place("from", "content")
	slept := s.sink
	s.reopen()
	s.must("redo", s.sink.Rename(bg, "from", "to", 7))
	s.place("from", "something else")
	if err := slept.Rename(bg, "from", "to", 7); err != nil {
		s.is("late renaming", err, errs.Corrupt)
	}
	s.holds(map[string]string{"a/f": "as long", "to": "content", "from": "something else"})
}

func testRename(_ *testing.T, s *suite) {
	s.place("a/b/f", "content")
	s.place("g", "other")
	s.must("rename", s.sink.Rename(bg, "a/b/f", "c/d/f", 7))
	s.holds(map[string]string{"c/d/f": "content", "g": "other"})
	// The folders that held it are gone: their names are free for files.
	s.place("a", "a file now")
	s.holds(map[string]string{"c/d/f": "content", "g": "other", "a": "a file now"})
	s.must("rename to itself", s.sink.Rename(bg, "g", "g", 5))
	s.must("rename in place", s.sink.Rename(bg, "c/d/f", "c/d/h", 7))
	s.settle()
	s.reopen()
	s.holds(map[string]string{"c/d/h": "content", "g": "other", "a": "a file now"})
}

func testRenameAgain(_ *testing.T, s *suite) {
	s.place("a", "content")
	s.must("rename", s.sink.Rename(bg, "a", "b", 7))
	s.must("rename again", s.sink.Rename(bg, "a", "b", 7))
	s.is("rename nothing", s.sink.Rename(bg, "a", "c", 7), errs.Corrupt)
	s.is("rename nothing over another size", s.sink.Rename(bg, "a", "b", 8), errs.Corrupt)
	s.holds(map[string]string{"b": "content"})

	// A redo must not carry off what took the old name since.
	s.place("a", "another")
	s.place("a", "another one")
	s.must("rename again", s.sink.Rename(bg, "a", "b", 7))
	s.holds(map[string]string{"a": "another one", "b": "content"})
}

func testRenameReplaces(_ *testing.T, s *suite) {
	s.place("a", "from")
	s.place("x/b", "to be replaced")
	s.must("rename", s.sink.Rename(bg, "a", "x/b", 4))
	s.holds(map[string]string{"x/b": "from"})
}

// testRedo does a record's work, stops after every step of it, and does all of
// it again in a new process, as a restart does.
func testRedo(t *testing.T, s *suite) {
	type step func() error
	placed := func(staged, name string, size int64) step {
		return func() error { return s.sink.Place(bg, staged, name, size) }
	}
	renamed := func(from, to string, size int64) step {
		return func() error { return s.sink.Rename(bg, from, to, size) }
	}
	removed := func(name string) step { return func() error { return s.sink.Remove(bg, name) } }
	settled := func() error { return s.sink.Settle(bg) }
	record := []step{
		placed("new", "in/new", 3),
		placed("changed", "in/old", 11),
		renamed("in/moved", "out/of/moved", 5),
		placed("after", "in/moved", 10), // takes the name that the move left
		removed("in/gone"),
		removed("gone/with/its/folders"),
		placed("empty", "gone", 0), // takes the name of the folder
		settled,
	}
	want := map[string]string{"in/new": "new", "in/old": "changed now", "out/of/moved": "moved", "in/moved": "after that", "gone": ""}
	for stop := range len(record) + 1 {
		t.Run(fmt.Sprint("after ", stop), func(t *testing.T) {
			s.t = t
			for name, content := range map[string]string{
				"in/old": "old", "in/moved": "moved", "in/gone": "gone", "gone/with/its/folders": "gone",
			} {
				s.place(name, content)
			}
			for staged, content := range map[string]string{"new": "new", "changed": "changed now", "after": "after that", "empty": ""} {
				s.stage(staged, content)
			}
			s.settle()
			for i, do := range record[:stop] {
				s.must(fmt.Sprint("step ", i), do())
			}
			s.reopen()
			for i, do := range record {
				s.must(fmt.Sprint("redo of step ", i), do())
			}
			s.holds(want)
			s.stagedIs("")
			for name := range maps.Clone(want) {
				s.remove(name)
			}
			s.holds(nil)
		})
	}
	s.t = t
}
