//go:build unix

package chaos

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strings"
	"syscall"
	"testing"

	"mooring/internal/bucket"
	"mooring/internal/event"
	"mooring/internal/id"
	"mooring/internal/sink"
	"mooring/internal/store"
	"mooring/internal/syncing"
)

// audit looks at what workers have left, once all of them have ended.
type audit struct {
	t    *testing.T
	ctx  context.Context
	s    setup
	st   store.Store
	sink sink.Sink
}

func newAudit(t *testing.T, s setup) *audit {
	t.Helper()
	a := &audit{t: t, ctx: t.Context(), s: s}
	var err error
	if a.st, err = s.store(a.ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.st.Close() })
	b, err := a.st.Buckets().Get(a.ctx, s.IDs.Org, s.IDs.Bucket)
	if err != nil {
		t.Fatal(err)
	}
	open, err := s.sinks()
	if err != nil {
		t.Fatal(err)
	}
	if a.sink, err = open(a.ctx, b); err != nil {
		t.Fatal(err)
	}
	return a
}

// close lets the next worker have the store. A child that is being started by
// another seed shares our lock on it until that child's exec: wait for this.
func (a *audit) close() {
	a.t.Helper()
	if err := a.st.Close(); err != nil {
		a.t.Error(err)
	}
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
}

// pages reads a whole list.
func pages[T any](t *testing.T, read func(store.Page) (store.List[T], error)) (all []T) {
	t.Helper()
	for p := (store.Page{Limit: 1000}); ; {
		list, err := read(p)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, list.Items...)
		if p.Cursor = list.Next; p.Cursor == "" {
			return all
		}
	}
}

// content compares catalogue and files with the source: each object once, with
// its content, under a name of its own, and nothing else.
func (a *audit) content(src *storage) {
	a.t.Helper()
	objects := pages(a.t, func(p store.Page) (store.List[bucket.Object], error) {
		return a.st.Catalogue().List(a.ctx, a.s.IDs.Org, a.s.IDs.Bucket, bucket.Filter{Sort: "source_path"}, p)
	})
	files := map[string]int64{}
	err := a.sink.Names(a.ctx, func(name string, size int64) error {
		files[name] = size
		return nil
	})
	if err != nil {
		a.t.Fatal(err)
	}
	met := map[string]bool{}
	for _, o := range objects {
		want, known := src.objects[o.SourcePath]
		switch {
		case !known:
			a.t.Errorf("the catalogue has %q, the source does not", o.SourcePath)
		case met[o.SourcePath]:
			a.t.Errorf("the catalogue has %q twice", o.SourcePath)
		case o.SHA256 != hash(want) || o.Size != int64(len(want)):
			a.t.Errorf("the catalogue has another content for %q", o.SourcePath)
		case a.read(o.Name) != string(want):
			a.t.Errorf("the file of %q has another content", o.SourcePath)
		}
		met[o.SourcePath] = true
		if _, ok := files[o.Name]; !ok {
			a.t.Errorf("no file, or another object's, under the name of %q", o.SourcePath)
		}
		delete(files, o.Name)
	}
	for k := range src.objects {
		if !met[k] {
			a.t.Errorf("%q is missing", k)
		}
	}
	for name := range files {
		a.t.Errorf("a file %q that no object has", name)
	}
	a.stats(int64(len(src.objects)))
}

func hash(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

func (a *audit) read(name string) string {
	a.t.Helper()
	f, err := a.sink.Open(a.ctx, name, 0)
	if err != nil {
		a.t.Errorf("open %q: %v", name, err)
		return ""
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(f)
	if err != nil {
		a.t.Errorf("read %q: %v", name, err)
	}
	return string(b)
}

func (a *audit) stats(objects int64) {
	a.t.Helper()
	b, err := a.st.Buckets().Get(a.ctx, a.s.IDs.Org, a.s.IDs.Bucket)
	if err != nil {
		a.t.Fatal(err)
	}
	if b.Stats.Objects != objects {
		a.t.Errorf("the bucket counts %d objects, want %d", b.Stats.Objects, objects)
	}
}

// ledgers checks that every run has ended, that its ledger balances, that runs
// add up to what the sync says, and that each content was processed once.
func (a *audit) ledgers(processed, deleted int64) {
	a.t.Helper()
	runs := pages(a.t, func(p store.Page) (store.List[syncing.Run], error) {
		return a.st.Runs().List(a.ctx, a.s.IDs.Org, syncing.RunFilter{Sync: a.s.IDs.Sync}, p)
	})
	var sum syncing.Ledger
	for _, r := range runs {
		sum.Add(r.Ledger)
		if !r.Ledger.Balanced() {
			a.t.Errorf("run %d does not balance: %v", r.Number, r.Ledger)
		}
		if r.Status == syncing.RunInProgress || r.Status == syncing.RunFailed {
			a.t.Errorf("run %d is %s: %s", r.Number, r.Status, r.Reason)
		}
		if r.Suspect {
			a.t.Errorf("run %d is suspect: %s", r.Number, r.Reason)
		}
	}
	if got := sum.Synced + sum.Duplicate; got != processed || sum.Deleted != deleted || sum.Failed != 0 {
		a.t.Errorf("processed %d objects, want %d; deleted %d, want %d; failed %d", got, processed, sum.Deleted, deleted, sum.Failed)
	}
	s, err := a.st.Syncs().Get(a.ctx, a.s.IDs.Org, a.s.IDs.Sync)
	if err != nil {
		a.t.Fatal(err)
	}
	if !s.Totals.Balanced() || s.Totals.Synced != sum.Synced || s.Totals.Duplicate != sum.Duplicate || s.Totals.Deleted != sum.Deleted ||
		s.Totals.Bytes != sum.Bytes || s.TotalBytes != sum.Bytes {
		a.t.Errorf("the sync's totals are not the sum of its runs:\n%v, %d bytes\n%v, %d bytes", s.Totals, s.TotalBytes, sum, sum.Bytes)
	}
}

// events checks that what happened was told, and once.
func (a *audit) events(src *storage) {
	a.t.Helper()
	keys := map[string]string{}
	for t := range src.told {
		keys[string(id.ObjectOf(a.s.IDs.Bucket, a.s.IDs.Conn, sourceBucket+"/"+t.key))] = t.key
	}
	got := map[telling]int{}
	for _, m := range a.messages() {
		object, _ := m.Data["object_id"].(string)
		if kind, ok := strings.CutPrefix(m.Type, "object."); ok {
			got[telling{kind, keys[object]}]++
		}
	}
	for t, n := range src.told {
		if got[t] != n && !src.shared[t.key] {
			a.t.Errorf("events tell %d times that %q was %s, want %d", got[t], t.key, t.kind, n)
		}
		delete(got, t)
	}
	for t, n := range got {
		if !src.shared[t.key] {
			a.t.Errorf("events tell %d times that %q was %s: it was not", n, t.key, t.kind)
		}
	}
}

// messages are all that receivers are told, in order. Each has an id of its own,
// and the revisions of an object grow.
func (a *audit) messages() (all []event.Message) {
	a.t.Helper()
	ids, revisions := map[string]bool{}, map[string]int64{}
	for after := int64(0); ; {
		list, err := a.st.Events().List(a.ctx, a.s.IDs.Org, after, 1000)
		if err != nil {
			a.t.Fatal(err)
		}
		for _, e := range list {
			after = e.Sequence
			for _, m := range e.Messages() {
				if ids[m.ID] {
					a.t.Errorf("two messages have the id %s", m.ID)
				}
				ids[m.ID] = true
				all = append(all, m)
				object, ok := m.Data["object_id"].(string)
				if !ok {
					continue
				}
				revision, _ := m.Data["revision"].(int64)
				if revision <= revisions[object] {
					a.t.Errorf("%s of %s has revision %d after %d", m.Type, object, revision, revisions[object])
				}
				revisions[object] = revision
			}
		}
		if len(list) == 0 {
			return all
		}
	}
}

// tidy checks that nothing waits: no record, nothing staged, no dead letter.
func (a *audit) tidy() {
	a.t.Helper()
	records, err := a.st.Pages().Pending(a.ctx, a.s.IDs.Org, a.s.IDs.Sync, "", 10)
	if err != nil || len(records) > 0 {
		a.t.Errorf("%d records wait after the last run (%v)", len(records), err)
	}
	err = a.sink.Sweep(a.ctx, func(staged string) bool {
		a.t.Errorf("%q is staged after the last run", staged)
		return true
	})
	if err != nil {
		a.t.Error(err)
	}
	n, err := a.st.DeadLetters().Count(a.ctx, a.s.IDs.Org, a.s.IDs.Sync, syncing.DeadLetterFilter{})
	if err != nil || n != 0 {
		a.t.Errorf("%d dead letters (%v)", n, err)
	}
}
