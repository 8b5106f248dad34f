package engine_test

import (
	"fmt"
	"testing"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
	"mooring/internal/provider/providertest"
	"mooring/internal/syncing"
)

func tagMapping(field, tag string, required bool) *syncing.Mapping {
	return &syncing.Mapping{Entries: map[string]syncing.MappingEntry{
		field: {Target: syncing.TargetField, Source: syncing.Source{Type: "tag", Key: tag}, Required: required},
	}}
}

func (w *world) mapAs(m *syncing.Mapping) {
	w.t.Helper()
	w.edit(func(s *syncing.Sync) { s.Mapping, s.MappingRevision = m, s.MappingRevision+1 })
}

func TestNewMappingIsAppliedWithoutDownloads(t *testing.T) {
	f, keys := flat(providertest.FlatOptions{}, 6)
	for i, k := range keys {
		f.SetAttributes(k, driver.Attributes{Tags: map[string]string{"n": fmt.Sprint(i)}, MIME: "text/x-special"})
	}
	w := newWorld(t, f, nil)
	w.ok()
	opens := f.Count(providertest.Open)
	w.mapAs(tagMapping("number", "n", true))
	w.check(w.ok(), syncing.Ledger{Discovered: 6, Unchanged: 6, Remapped: 6})
	if n := f.Count(providertest.Open) - opens; n != 0 {
		t.Errorf("a new mapping opened %d items", n)
	}
	for i, k := range keys {
		o := w.objects()[f.ID(k)]
		if o.Fields["number"] != fmt.Sprint(i) || o.Mapping != 1 || o.MIME != "text/x-special" || len(o.Blobs) != 1 {
			t.Errorf("%s: fields %v, mapping %d, %s", k, o.Fields, o.Mapping, o.MIME)
		}
	}
	w.holds(want(f, keys...))
	asked := f.Count(providertest.Attributes)
	w.check(w.ok(), syncing.Ledger{Discovered: 6, Unchanged: 6})
	if n := f.Count(providertest.Attributes) - asked; n != 0 {
		t.Errorf("an unchanged pass asked for attributes %d times", n)
	}
}

func TestRequiredFieldFailsItsItemUntilTheMappingChanges(t *testing.T) {
	f, keys := flat(providertest.FlatOptions{}, 3)
	f.SetAttributes(keys[0], driver.Attributes{Tags: map[string]string{"n": "0"}})
	w := newWorld(t, f, func(s *syncing.Sync) { s.Mapping, s.MappingRevision = tagMapping("number", "n", true), 1 })
	run := w.ok()
	w.check(run, syncing.Ledger{Discovered: 3, Synced: 1, Failed: 2})
	if run.Status != syncing.RunWithErrors || run.Ledger.FailedBy[errs.Invalid.String()] != 2 {
		t.Errorf("run %s, failed by %v", run.Status, run.Ledger.FailedBy)
	}
	if n := f.Count(providertest.Open); n != 1 {
		t.Errorf("items that can't be mapped were opened: %d", n)
	}
	w.letters(2)
	w.check(w.ok(), syncing.Ledger{Discovered: 3, Unchanged: 1, Skipped: 2})
	w.mapAs(tagMapping("number", "n", false))
	w.check(w.ok(), syncing.Ledger{Discovered: 3, Unchanged: 1, Synced: 2, Remapped: 1})
	w.letters(0)
	w.holds(want(f, keys...))
}

// A feed does not name again what a new mapping or other filters concern: its
// scope is enumerated, and nothing is downloaded that is there already.
func TestANewMappingReachesWhatAFeedDoesNotName(t *testing.T) {
	f, _, _, files := drive()
	w := newWorld(t, f, nil)
	w.ok()
	opens := f.Count(providertest.Open)
	w.mapAs(&syncing.Mapping{Entries: map[string]syncing.MappingEntry{
		"folder": {Target: syncing.TargetField, Source: syncing.Source{Type: "folder_path", FullPath: true}},
	}})
	f.Delete(files[0])
	w.check(w.ok(), syncing.Ledger{Discovered: 2, Unchanged: 2, Remapped: 2, Deleted: 1})
	for _, i := range files[1:] {
		if o := w.objects()[i]; o.Mapping != 1 || o.Fields["folder"] == nil {
			t.Errorf("%s: mapping %d, fields %v", o.SourcePath, o.Mapping, o.Fields)
		}
	}
	w.check(w.ok(), syncing.Ledger{})
	w.edit(func(s *syncing.Sync) { s.Filters = &syncing.Filters{Exclude: []string{"two*"}} })
	w.check(w.ok(), syncing.Ledger{Discovered: 2, Unchanged: 1, Filtered: 1})
	w.edit(func(s *syncing.Sync) { s.Filters = nil })
	w.check(w.ok(), syncing.Ledger{Discovered: 2, Unchanged: 2})
	if n := f.Count(providertest.Open) - opens; n != 0 {
		t.Errorf("a new mapping opened %d items", n)
	}
}

func TestAnItemThatTheOldMappingRefusedComesWithTheNewOne(t *testing.T) {
	f, _, _, files := drive()
	required := &syncing.Mapping{Entries: map[string]syncing.MappingEntry{
		"n": {Target: syncing.TargetField, Source: syncing.Source{Type: "filename_regex", Pattern: "^(one|two)"}, Required: true},
	}}
	w := newWorld(t, f, func(s *syncing.Sync) { s.Mapping, s.MappingRevision = required, 1 })
	w.check(w.ok(), syncing.Ledger{Discovered: 3, Synced: 2, Failed: 1})
	w.mapAs(nil)
	w.check(w.ok(), syncing.Ledger{Discovered: 3, Synced: 1, Unchanged: 2, Remapped: 2})
	w.letters(0)
	w.holds(feedWant(f, files...))
}
