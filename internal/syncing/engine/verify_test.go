package engine_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"mooring/internal/provider/driver"
	"mooring/internal/provider/providertest"
	"mooring/internal/store"
	"mooring/internal/syncing"
	"mooring/internal/syncing/engine"
)

func (w *world) verify(repair bool) engine.Verification {
	w.t.Helper()
	v, err := w.engine.Verify(context.Background(), w.org, w.sync, store.Lease{Fence: 1}, "wrk_test", repair, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

func (w *world) file(name string) string {
	return filepath.Join(w.dir, "dest", string(w.org), string(w.bucket.ID), name)
}

func TestVerifyFindsAndRepairs(t *testing.T) {
	flatSource, keys := flat(providertest.FlatOptions{PageSize: 4}, 10)
	feed, _, _, files := drive()
	for name, src := range map[string]driver.Source{"snapshot": flatSource, "feed": feed} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, src, nil)
			w.ok()
			n, damaged, missing, want := int64(10), "d0/f000", "d1/f001", want(flatSource, keys...)
			if name == "feed" {
				n, damaged, missing, want = 3, "top.txt", "A/one.txt", feedWant(feed, files...)
			}
			if v := w.verify(false); v.Run.Ledger.Unchanged != n || len(v.Faults) != 0 || v.Run.Status != syncing.RunCompleted || v.Run.Kind != syncing.KindVerify {
				t.Errorf("a whole bucket: %+v", v)
			}
			whole, err := os.ReadFile(w.file(damaged))
			if err != nil {
				t.Fatal(err)
			}
			whole[0] ^= 0xff // of the same size: a pass does not notice
			if err := os.WriteFile(w.file(damaged), whole, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(w.file(missing)); err != nil {
				t.Fatal(err)
			}
			totals := w.current().Totals
			v := w.verify(true)
			if l := v.Run.Ledger; l.Failed != 2 || l.FailedBy["missing"] != 1 || l.FailedBy["damaged"] != 1 || !l.Balanced() || v.Run.Status != syncing.RunWithErrors || len(v.Faults) != 2 {
				t.Errorf("found %v, %+v", l, v.Faults)
			}
			if s := w.current(); s.Totals.Discovered != totals.Discovered || s.NextSyncAt.After(w.clock()) {
				t.Errorf("a verification counts as a sync, or the repair is not due: %v, %v", s.Totals, s.NextSyncAt)
			}
			w.ok()
			w.holds(want)
			w.letters(0)
			if v := w.verify(false); len(v.Faults) != 0 {
				t.Errorf("after the repair: %+v", v.Faults)
			}
		})
	}
}

func TestPreviewTellsAndWritesNothing(t *testing.T) {
	f, keys := flat(providertest.FlatOptions{PageSize: 4}, 10)
	f.PutSkipped("y", nil, "archived_storage_class")
	f.Put("x.tmp", nil)
	w := newWorld(t, f, func(s *syncing.Sync) { s.Filters = &syncing.Filters{Exclude: []string{"*.tmp"}} })
	look := func(o engine.PreviewOptions) engine.Preview {
		t.Helper()
		p, err := w.engine.Preview(context.Background(), w.current(), o)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if p := look(engine.PreviewOptions{}); p.Listed != 12 || p.Transfer != 10 || p.Filtered["exclude_patterns"] != 1 || p.Skipped["archived_storage_class"] != 1 || p.Delete != 0 || !p.Complete || len(p.Samples) != 12 {
		t.Errorf("before the first run: %+v", p)
	}
	if len(w.objects()) != 0 || len(w.files()) != 0 || w.current().RunCounter != 0 {
		t.Fatal("a preview wrote something")
	}
	w.ok()
	f.Put(keys[0], []byte("changed"))
	f.Delete(keys[9])
	if p := look(engine.PreviewOptions{}); p.Transfer != 1 || p.Unchanged != 8 || p.Delete != 1 || p.Suspect != "" {
		t.Errorf("after changes: %+v", p)
	}
	// d0 and the first of d1 are on the first page: what lies beyond is not judged.
	if p := look(engine.PreviewOptions{Pages: 1, Samples: 1}); p.Complete || p.Listed != 4 || p.Delete != 1 || len(p.Samples) != 3 {
		t.Errorf("of one page: %+v", p)
	}
	w.edit(func(s *syncing.Sync) { s.MaxDeletePercent = 5 })
	if p := look(engine.PreviewOptions{}); p.Suspect == "" {
		t.Errorf("a suspect pass is not foretold: %+v", p)
	}
	for _, k := range append(keys, "y", "x.tmp") {
		f.Delete(k)
	}
	if p := look(engine.PreviewOptions{}); p.Suspect == "" || p.Delete != 10 {
		t.Errorf("an empty source: %+v", p)
	}
}

func TestPreviewOfAFeed(t *testing.T) {
	f, a, _, files := drive()
	w := newWorld(t, f, nil)
	look := func() engine.Preview {
		t.Helper()
		p, err := w.engine.Preview(context.Background(), w.current(), engine.PreviewOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if p := look(); p.Transfer != 3 || p.Samples[0].Path != "top.txt" {
		t.Errorf("before the first run: %+v", p)
	}
	w.ok()
	f.Write(files[1], []byte("changed"))
	f.Delete(files[0])
	f.File(a, "new", []byte("new"))
	if p := look(); p.Transfer != 2 || p.Delete != 1 || p.Listed != 2 {
		t.Errorf("after changes: %+v", p)
	}
	w.ok()
}
