// Package sinktest is the conformance suite of destinations, and a destination
// in memory that can crash, to test others with.
package sinktest

import (
	"context"
	"errors"
	"io"
	"sort"
	"strings"
	"testing"

	"mooring/internal/bucket"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/sink"
)

// Harness is one destination's storage, made for one test.
type Harness interface {
	// Destination opens the storage anew, as a restarted process does: what
	// earlier ones hold in memory is not shared.
	Destination(t *testing.T) sink.Destination
}

// Run runs the suite. open makes an empty storage.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, *suite)
	}{
		{"Rules", testRules},
		{"Stage", testStage},
		{"StageReplacesAnOlderOne", testStageReplaces},
		{"Abort", testAbort},
		{"Place", testPlace},
		{"PlaceReplaces", testPlaceReplaces},
		{"PlaceAgain", testPlaceAgain},
		{"PlaceRefusesTheWrongSize", testPlaceWrongSize},
		{"PlaceLate", testPlaceLate},
		{"PlaceBesideAFolder", testPlaceBesideFolder},
		{"Rename", testRename},
		{"RenameAgain", testRenameAgain},
		{"RenameReplaces", testRenameReplaces},
		{"Redo", testRedo},
		{"Stat", testStat},
		{"Open", testOpen},
		{"OpenStaysWithItsContent", testOpenReplaced},
		{"Remove", testRemove},
		{"RemoveEmptiesFolders", testRemoveFolders},
		{"Sweep", testSweep},
		{"Names", testNames},
		{"NamesStopsWhenToldTo", testNamesStop},
		{"Destroy", testDestroy},
		{"BucketsAreApart", testApart},
		{"EveryCharacter", testCharacters},
		{"LongNames", testLongNames},
		{"HostileNames", testHostileNames},
		{"HostileStagingNames", testHostileStaged},
		{"Canceled", testCanceled},
		{"Free", testFree},
		{"ConcurrentItems", testConcurrentItems},
		{"ConcurrentFolder", testConcurrentFolder},
		{"ConcurrentPlacesOfOneName", testConcurrentName},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := open(t)
			s := &suite{t: t, h: h, bucket: bucket.Bucket{Org: id.NewOrg(), ID: id.NewBucket()}}
			s.reopen()
			test.run(t, s)
		})
	}
}

// suite is a sink under test and the short forms of what is done to it.
type suite struct {
	t      testing.TB
	h      Harness
	dest   sink.Destination
	bucket bucket.Bucket
	sink   sink.Sink
}

// reopen goes on as a new process.
func (s *suite) reopen() {
	s.t.Helper()
	tt, ok := s.t.(*testing.T)
	if !ok {
		s.t.Fatal("the suite runs in tests only")
	}
	s.dest = s.h.Destination(tt)
	s.sink = s.open(s.bucket)
	if s.bucket.Rules == (bucket.Rules{}) {
		s.bucket.Rules = s.sink.Rules()
	}
}

func (s *suite) open(b bucket.Bucket) sink.Sink {
	s.t.Helper()
	opened, err := s.dest.Bucket(context.Background(), b)
	s.must("open the bucket", err)
	return opened
}

func (s *suite) must(what string, err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
}

// is fails unless err is of a kind, and of our own origin.
func (s *suite) is(what string, err error, k errs.Kind) {
	s.t.Helper()
	if !errs.Is(err, k) || errs.From(err).Origin != errs.Ours {
		s.t.Errorf("%s: %v, not %v of ours", what, err, k)
	}
}

func (s *suite) stage(staged, content string) {
	s.t.Helper()
	w, err := s.sink.Stage(context.Background(), staged, int64(len(content)))
	s.must("stage "+staged, err)
	_, err = io.WriteString(w, content)
	s.must("write "+staged, err)
	s.must("close "+staged, w.Close())
}

func (s *suite) place(name, content string) {
	s.t.Helper()
	s.stage("s", content)
	s.must("place "+name, s.sink.Place(context.Background(), "s", name, int64(len(content))))
}

func (s *suite) settle() {
	s.t.Helper()
	s.must("settle", s.sink.Settle(context.Background()))
}

func (s *suite) read(name string, off int64) (string, error) {
	r, err := s.sink.Open(context.Background(), name, off)
	if err != nil {
		return "", err
	}
	content, err := io.ReadAll(r)
	return string(content), errors.Join(err, r.Close())
}

func (s *suite) remove(name string) {
	s.t.Helper()
	s.must("remove "+name, s.sink.Remove(context.Background(), name))
}

// holds fails unless exactly these names are placed, with these contents. It
// asks Names, Stat and Open.
func (s *suite) holds(want map[string]string) {
	s.t.Helper()
	got := map[string]int64{}
	s.must("names", s.sink.Names(context.Background(), func(name string, size int64) error {
		if _, twice := got[name]; twice {
			s.t.Errorf("%q is named twice", name)
		}
		got[name] = size
		return nil
	}))
	for name, content := range want {
		if size, ok := got[name]; !ok || size != int64(len(content)) {
			s.t.Errorf("%q is named: %t, with size %d, not %d", name, ok, size, len(content))
		}
		size, err := s.sink.Stat(context.Background(), name)
		if err != nil || size != int64(len(content)) {
			s.t.Errorf("stat %q: %d, %v, not %d", name, size, err, len(content))
		}
		if r, err := s.read(name, 0); err != nil || r != content {
			s.t.Errorf("read %q: %.40q, %v, not %.40q", name, r, err, content)
		}
		delete(got, name)
	}
	for name := range got {
		s.t.Errorf("%q is named, and should not be there", name)
	}
}

// staged lists what is staged. It asks Sweep, keeping everything.
func (s *suite) staged() string {
	s.t.Helper()
	var all []string
	s.must("sweep", s.sink.Sweep(context.Background(), func(staged string) bool {
		all = append(all, staged)
		return true
	}))
	sort.Strings(all)
	return strings.Join(all, " ")
}

func (s *suite) stagedIs(want string) {
	s.t.Helper()
	if got := s.staged(); got != want {
		s.t.Errorf("staged: %q, not %q", got, want)
	}
}
