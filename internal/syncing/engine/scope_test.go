package engine_test

import (
	"context"
	"fmt"
	"testing"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
	"mooring/internal/provider/providertest"
	"mooring/internal/syncing"
	"mooring/internal/syncing/engine"
)

// scoped makes a feed with a scope, a place beside it, and a sync of the scope.
func scoped(t *testing.T, o providertest.FeedOptions) (w *world, f *providertest.Feed, in, out string) {
	f = providertest.NewFeed(o)
	in, out = f.Folder(providertest.Root, "in"), f.Folder(providertest.Root, "out")
	w = newWorld(t, f, func(s *syncing.Sync) { s.SourcePath = in })
	return w, f, in, out
}

// A folder that nobody has told of is asked for once, however many changes name
// it, and not again by later runs.
func TestAnUnknownFolderIsAskedForOnce(t *testing.T) {
	w, f, in, out := scoped(t, providertest.FeedOptions{PageSize: 100})
	far := f.Folder(out, "far")
	keep := f.File(in, "keep", []byte("keep"))
	w.ok()
	for round := range 3 {
		for i := range 1000 {
			f.File(far, fmt.Sprint(round, "-", i), []byte("x"))
		}
		f.ResetCounts()
		w.check(w.ok(), syncing.Ledger{})
		want := 0
		if round == 0 {
			want = 1
		}
		if n := f.Count(providertest.Stat); n != want {
			t.Errorf("round %d: Stat was asked %d times, want %d", round, n, want)
		}
	}
	w.holds(feedWant(f, keep))
}

// A folder that enters the scope is walked once, not once for each level, and
// killed in the middle it is walked anew without a second download.
func TestAFolderThatEntersIsWalked(t *testing.T) {
	w, f, in, out := scoped(t, providertest.FeedOptions{PageSize: 10})
	w.engine.Limits = engine.Limits{PageItems: 4}
	keep := f.File(in, "keep", []byte("keep"))
	files, parent := []string{keep}, f.Folder(out, "d")
	top := parent
	for i := range 40 {
		files = append(files, f.File(parent, fmt.Sprint("f", i), fmt.Append(nil, "content ", i)))
		if i%8 == 7 {
			parent = f.Folder(parent, fmt.Sprint("d", i))
		}
	}
	w.ok()
	w.holds(feedWant(f, keep))
	f.ResetCounts()
	f.Move(top, in)
	w.edit(func(s *syncing.Sync) { s.MaxObjectsPerRun = 15 })
	for runs := 1; ; runs++ {
		run := w.ok()
		if run.PassEnded {
			break
		}
		if runs > 5 {
			t.Fatal("it does not end")
		}
	}
	w.holds(feedWant(f, files...))
	if n := f.Count(providertest.Open); n != 40 {
		t.Errorf("40 files took %d downloads", n)
	}
	if n := f.Count(providertest.Walk); n > 3*5 {
		t.Errorf("three runs walked %d pages", n)
	}
	w.edit(func(s *syncing.Sync) { s.MaxObjectsPerRun = 0 })
	f.Move(top, out)
	w.check(w.ok(), syncing.Ledger{Deleted: 40})
	w.holds(feedWant(f, keep))
}

// Half a folder has entered when its run is killed, and the folder leaves again:
// nothing of it stays.
func TestAFolderThatLeavesWhileItIsWalked(t *testing.T) {
	for _, whole := range []bool{false, true} {
		w, f, in, out := scoped(t, providertest.FeedOptions{PageSize: 10, Whole: whole})
		w.engine.Limits = engine.Limits{PageItems: 2}
		keep := f.File(in, "keep", []byte("keep"))
		top := f.Folder(out, "d")
		sub := f.Folder(top, "sub")
		for i := range 20 {
			f.File(sub, fmt.Sprint("f", i), fmt.Append(nil, "content ", i))
		}
		w.ok()
		f.Move(top, in)
		k := &killer{w: w}
		k.arm(engine.StepFolded, 5)
		if _, err := w.run(); err == nil {
			t.Fatal("it was not killed")
		}
		k.arm("", 0)
		if n := len(w.objects()); n < 3 {
			t.Fatalf("only %d objects are there: the test shows nothing", n)
		}
		f.Move(top, out)
		w.ok()
		w.holds(feedWant(f, keep))
	}
}

// A folder enters while its scope is enumerated, after the enumeration has passed
// by what is below it.
func TestAFolderThatEntersDuringTheEnumeration(t *testing.T) {
	for _, o := range []providertest.FeedOptions{{}, {ChildrenFirst: true}, {Whole: true}, {Whole: true, ChildrenFirst: true}} {
		o.PageSize = 4
		w, f, in, out := scoped(t, o)
		var files []string
		top := f.Folder(out, "d")
		for i := range 10 {
			files = append(files, f.File(top, fmt.Sprint("f", i), fmt.Append(nil, "content ", i)), f.File(in, fmt.Sprint("g", i), fmt.Append(nil, "other ", i)))
		}
		f.SetGate(func(_ context.Context, c providertest.Call) error {
			if c.Method == providertest.Changes && c.N == 4 {
				f.Move(top, in)
			}
			return nil
		})
		w.ok()
		w.ok()
		w.holds(feedWant(f, files...))
	}
}

// A folder moves into another that has entered, of which only a later page tells:
// it has not left, and nothing below it is noted as absent.
func TestAFolderThatMovesWhereOnlyALaterPageLeads(t *testing.T) {
	w, f, in, out := scoped(t, providertest.FeedOptions{PageSize: 1, Whole: true})
	a, b := f.Folder(in, "a"), f.Folder(out, "b")
	x, keep := f.File(a, "x", []byte("x")), f.File(in, "keep", []byte("keep"))
	w.edit(func(s *syncing.Sync) { s.MaxDeletePercent = 1 })
	w.ok()
	f.Move(a, b)
	f.Move(b, in)
	run := w.ok()
	if run.Suspect || run.Reason != "" {
		t.Errorf("the run is suspect: %q", run.Reason)
	}
	w.holds(feedWant(f, x, keep))
	w.paths(map[string]string{x: "b/a/x"})
}

// Two folders change places, told of on two pages: in between they form a loop.
func TestFoldersThatSwap(t *testing.T) {
	w, f, in, _ := scoped(t, providertest.FeedOptions{PageSize: 1})
	a := f.Folder(in, "a")
	b := f.Folder(a, "b")
	x, y := f.File(a, "x", []byte("x")), f.File(b, "y", []byte("y"))
	w.ok()
	f.Move(b, in)
	f.Rename(a, "a2")
	f.Move(a, b)
	f.Move(y, a)
	w.ok()
	w.holds(feedWant(f, x, y))
	w.paths(map[string]string{x: "b/a2/x", y: "b/a2/y"})
}

// looping tells that two folders are in each other, and Stat says so too.
type looping struct {
	portable
	a, b string
}

func (s looping) Changes(ctx context.Context, sc driver.Scope, c driver.Cursor) (driver.Page, error) {
	p, err := s.portable.Changes(ctx, sc, c)
	if err == nil && !p.Snapshot {
		p.Changes = append(p.Changes, driver.Change{Item: s.item(s.a, s.b)}, driver.Change{Item: s.item(s.b, s.a)})
	}
	return p, err
}

func (s looping) Stat(ctx context.Context, sc driver.Scope, id string) (driver.Item, error) {
	switch id {
	case s.a:
		return s.item(s.a, s.b), nil
	case s.b:
		return s.item(s.b, s.a), nil
	}
	return s.portable.Stat(ctx, sc, id)
}

func (looping) item(id, parent string) driver.Item {
	return driver.Item{ID: id, Name: id, Parent: parent, Folder: true, Size: -1}
}

func TestALoopOfFoldersStopsAndDeletesNothing(t *testing.T) {
	f, a, b, files := drive()
	w := newWorld(t, f, nil)
	w.ok()
	w.engine.Open = opener(looping{portable{f}, a, b})
	run, err := w.run()
	if !errs.Is(err, errs.Corrupt) || run.Status != syncing.RunFailed || errs.From(err).Origin != errs.Ours {
		t.Errorf("a loop ends with %s, %v", run.Status, err)
	}
	if n := f.Count(providertest.Stat); n > 10 {
		t.Errorf("a loop took %d requests", n)
	}
	w.holds(feedWant(f, files...))
	w.engine.Open = opener(portable{f})
	w.ok()
	w.holds(feedWant(f, files...))
	w.paths(map[string]string{files[2]: "A/B/two.txt"})
}

// A file that moves to another folder of the same name has that folder's fate
// from then on.
func TestAFileInAnotherFolderOfTheSameName(t *testing.T) {
	w, f, in, out := scoped(t, providertest.FeedOptions{})
	one, two := f.Folder(in, "same"), f.Folder(in, "same")
	x, keep := f.File(one, "x", []byte("x")), f.File(in, "keep", []byte("keep"))
	w.ok()
	f.Move(x, two)
	w.ok()
	f.Move(two, out)
	w.ok()
	w.holds(feedWant(f, keep))
}

// What an incomplete page tells deletes nothing, and is not forgotten either.
func TestAnIncompletePageOfAFeedDeletesNothing(t *testing.T) {
	w, f, in, _ := scoped(t, providertest.FeedOptions{})
	a := f.Folder(in, "a")
	b := f.Folder(a, "b")
	x, keep := f.File(b, "x", []byte("x")), f.File(in, "keep", []byte("keep"))
	w.ok()
	before := feedWant(f, x, keep)
	f.Delete(a)
	f.Inject(providertest.Fault{Method: providertest.Changes, Times: 1, Action: providertest.Incomplete()})
	if run := w.ok(); !run.Suspect {
		t.Error("the run is not suspect")
	}
	w.holds(before)
	w.ok()
	w.holds(feedWant(f, keep))
}

// An incomplete walk is made anew by the next pass.
func TestAnIncompleteWalkIsMadeAnew(t *testing.T) {
	w, f, in, out := scoped(t, providertest.FeedOptions{})
	a := f.Folder(out, "a")
	x, keep := f.File(a, "x", []byte("x")), f.File(in, "keep", []byte("keep"))
	w.ok()
	f.Move(a, in)
	f.Inject(providertest.Fault{Method: providertest.Walk, Times: 1, Action: providertest.EmptyListing()})
	f.Inject(providertest.Fault{Method: providertest.Walk, Times: 1, Action: providertest.Incomplete()})
	w.ok()
	w.holds(feedWant(f, keep))
	w.ok()
	w.holds(feedWant(f, x, keep))
}
