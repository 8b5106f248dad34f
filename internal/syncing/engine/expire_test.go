package engine_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/bucket"
	"mooring/internal/id"
	"mooring/internal/key"
	"mooring/internal/provider/driver"
	"mooring/internal/provider/providertest"
	"mooring/internal/sink"
	"mooring/internal/syncing"
)

// wholeSink has every file, with the size that they all have.
type wholeSink struct{ sink.Sink }

func (wholeSink) Stat(context.Context, string) (int64, error)         { return 1, nil }
func (wholeSink) Rename(context.Context, string, string, int64) error { return nil }

// catalogued puts what a feed enumerates into the catalogue as if it had been
// synced. Every file has one byte.
func (w *world) catalogued(f *providertest.Feed, scope string) {
	w.t.Helper()
	ctx, folders := context.Background(), map[string]string{"": ""}
	var cur driver.Cursor
	for {
		p, err := f.Changes(ctx, driver.Scope{Path: scope}, cur)
		if err != nil {
			w.t.Fatal(err)
		}
		var rows []bucket.Object
		for _, c := range p.Changes {
			it := c.Item
			path := folders[it.Parent] + it.Name
			if it.Folder {
				folders[it.ID] = path + "/"
				continue
			}
			rows = append(rows, bucket.Object{
				ID: id.ObjectOf(w.bucket.ID, w.conn.ID, it.ID), Org: w.org, Bucket: w.bucket.ID, Connection: w.conn.ID, Sync: w.sync, SourceID: key.Key(it.ID),
				Parent: it.Parent, SourcePath: path, Name: path, Size: 1, Version: it.Version, State: bucket.Present, CreatedAt: w.clock(), UpdatedAt: w.clock(),
			})
		}
		if err := w.store.Catalogue().Upsert(ctx, w.org, w.bucket.ID, rows); err != nil {
			w.t.Fatal(err)
		}
		if cur = p.Next; !p.More {
			return
		}
	}
}

// manyItems is how many items the tests of long feeds have: MOORING_TEST_ITEMS, a
// multiple of 1000, else 20,000.
func manyItems(t *testing.T) int {
	text := os.Getenv("MOORING_TEST_ITEMS")
	switch {
	case text == "" && testing.Short():
		return 10_000
	case text == "":
		return 20_000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 10_000 || n%1000 != 0 {
		t.Fatalf("MOORING_TEST_ITEMS is a multiple of 1000 from 10000 on, such as 100000, not %q", text)
	}
	return n
}

// A cursor dies in the middle of an enumeration, and once more when the feed is
// followed: what is unchanged is not read again, what is there is not deleted,
// and what changed in between arrives.
func TestDeadCursorsAmongManyItems(t *testing.T) {
	n := manyItems(t)
	f := providertest.NewFeed(providertest.FeedOptions{})
	var files, folders []string
	for i := range n {
		if i%1000 == 0 {
			folders = append(folders, f.Folder(providertest.Root, fmt.Sprint("d", i/1000)))
		}
		files = append(files, f.File(folders[len(folders)-1], fmt.Sprint("f", i), []byte{byte(i)}))
	}
	w := newWorld(t, f, nil)
	w.sink = wholeSink{w.sink}
	w.catalogued(f, "")
	expire := func(c providertest.Call) {
		f.ExpireCursors()
		f.Delete(files[c.Page*1000-1000]) // before the page that is asked for, and after it
		f.Delete(files[n-c.Page])
		f.Write(files[1], fmt.Append(nil, c.N%10))
		f.Move(files[2+c.Page], folders[3])
	}
	half, expired := n/2000, 0
	f.ResetCounts()
	f.SetGate(func(_ context.Context, c providertest.Call) error {
		if c.Method == providertest.Changes && c.Page == half && expired < 1 {
			expired++
			expire(c)
		}
		return nil
	})
	if run := w.ok(); run.PassEnded || run.Ledger.Deleted != 0 || run.Ledger.Synced != 0 {
		t.Errorf("the pass whose cursor died: %v", run.Ledger)
	}
	w.check(w.ok(), syncing.Ledger{Discovered: int64(n - 2), Synced: 1, Unchanged: int64(n - 3), Moved: 1, Deleted: 2})
	if opens := f.Count(providertest.Open); opens != 1 {
		t.Errorf("one changed file took %d downloads", opens)
	}

	expire(providertest.Call{Page: half + 1, N: 7})
	w.ok()
	w.check(w.ok(), syncing.Ledger{Discovered: int64(n - 4), Synced: 1, Unchanged: int64(n - 5), Moved: 1, Deleted: 2})
	if opens := f.Count(providertest.Open); opens != 2 {
		t.Errorf("two changed files took %d downloads", opens)
	}
	if s, err := w.store.Catalogue().Stats(context.Background(), w.org, w.bucket.ID); err != nil || s.Objects != int64(n-4) {
		t.Errorf("%d objects are left of %d, %v", s.Objects, n-4, err)
	}
}

// A folder of many files and folders goes by one change: its records are bounded,
// and killed in the middle the rest goes too.
func TestAFolderOfManyFilesGoesInBoundedRecords(t *testing.T) {
	n := manyItems(t) / 2 // each is asked about before it is deleted
	f := providertest.NewFeed(providertest.FeedOptions{})
	top := f.Folder(providertest.Root, "top")
	keep := f.File(providertest.Root, "keep", []byte("k"))
	parent := top
	for i := range n {
		if i%100 == 0 {
			parent = f.Folder(top, fmt.Sprint("a name of a folder that is as long as people like ", i))
		}
		f.File(parent, fmt.Sprint("f", i), []byte{byte(i)})
	}
	w := newWorld(t, f, nil)
	whole := wholeSink{w.sink}
	w.sink = whole
	w.catalogued(f, "")
	w.check(w.ok(), syncing.Ledger{Discovered: int64(n + 1), Unchanged: int64(n + 1)})
	f.Delete(top)
	k := &killer{w: w}
	k.arm("apply.folded", 3)
	if _, err := w.run(); err == nil {
		t.Fatal("it was not killed")
	}
	k.arm("", 0)
	w.sink = whole
	largest := 0
	w.engine.Hooks.Step = func(name string) {
		if name != "commit.appended" {
			return
		}
		records, err := w.store.Pages().Pending(context.Background(), w.org, w.sync, "", 100)
		if err != nil {
			t.Error(err)
		}
		for i := range records {
			largest = max(largest, sizeOf(t, &records[i]))
		}
	}
	run := w.ok()
	if run.Ledger.Deleted != int64(n) || !run.PassEnded {
		t.Errorf("%v", run.Ledger)
	}
	if largest > syncing.MaxRecordBytes {
		t.Errorf("a record has %d bytes", largest)
	}
	t.Logf("%d files, the largest record has %d bytes", n, largest)
	objects := w.objects()
	if len(objects) != 1 || objects[keep].State != bucket.Present {
		t.Errorf("%d objects are left", len(objects))
	}
	left, err := w.store.Tree().Children(context.Background(), w.org, w.sync, top, "", 10)
	if err != nil || len(left) != 0 {
		t.Errorf("folders are left in the index: %v, %v", left, err)
	}
}

func sizeOf(t *testing.T, r *syncing.Record) int {
	t.Helper()
	b, err := bson.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return len(b)
}
