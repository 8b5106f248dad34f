package engine_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mooring/internal/errs"
	"mooring/internal/provider/providertest"
	"mooring/internal/syncing"
	"mooring/internal/syncing/engine"
)

// Whatever happens in a drive, inside of the scope and outside, and whatever kills
// or fails a run, the bucket holds what a walk of the scope would find.
func TestModelOfAFeed(t *testing.T) {
	outer := t
	rapid.Check(t, func(t *rapid.T) {
		f := providertest.NewFeed(providertest.FeedOptions{PageSize: rapid.IntRange(1, 6).Draw(t, "page"), ChildrenFirst: rapid.Bool().Draw(t, "children first"), Whole: rapid.Bool().Draw(t, "whole"), Narrow: rapid.Bool().Draw(t, "narrow")})
		scope := f.Folder(providertest.Root, "scope")
		m := &feedModel{f: f, root: scope, folders: []string{providertest.Root, scope}, parents: map[string]string{scope: providertest.Root}, names: map[string]string{}}
		src := &meddled{Feed: f}
		m.w = newWorld(outer, src, func(s *syncing.Sync) { s.SourcePath = scope })
		m.w.engine.Limits = engine.Limits{PageItems: rapid.IntRange(1, 5).Draw(t, "items"), ScanRows: 3}
		name := rapid.SampledFrom([]string{"a", "b", "c/d", "é", ".."})
		t.Repeat(map[string]func(*rapid.T){
			"folder": func(t *rapid.T) {
				if len(m.folders) < 8 {
					parent, n := rapid.SampledFrom(m.folders).Draw(t, "parent"), name.Draw(t, "name")
					id := f.Folder(parent, n)
					m.folders, m.parents[id], m.names[id] = append(m.folders, id), parent, n
				}
			},
			"file": func(t *rapid.T) {
				parent, n := rapid.SampledFrom(m.folders).Draw(t, "parent"), name.Draw(t, "name")
				m.file(parent, n, rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "content"))
			},
			"write": func(t *rapid.T) {
				m.one(t, m.files, func(id string) { f.Write(id, []byte(rapid.SampledFrom([]string{"p", "q"}).Draw(t, "content"))) })
			},
			"rename": func(t *rapid.T) {
				m.one(t, m.movable(), func(id string) { m.names[id] = name.Draw(t, "name"); f.Rename(id, m.names[id]) })
			},
			"move":   func(t *rapid.T) { m.one(t, m.movable(), func(id string) { m.move(t, id) }) },
			"delete": func(t *rapid.T) { m.one(t, m.movable(), m.delete) },
			"swap":   func(t *rapid.T) { m.swap(t) },
			"again": func(t *rapid.T) {
				m.one(t, m.files, func(id string) {
					parent, n := m.parents[id], m.names[id]
					m.delete(id)
					m.file(parent, n, "again")
				})
			},
			"expire": func(*rapid.T) { f.ExpireCursors() },
			"kill": func(t *rapid.T) {
				k := &killer{w: m.w}
				k.arm(rapid.SampledFrom(engine.Steps()).Draw(t, "step"), int64(rapid.IntRange(1, 6).Draw(t, "nth")))
				_, _ = m.w.run()
				k.arm("", 0)
				m.w.revive()
			},
			"cut": func(t *rapid.T) {
				m.w.edit(func(s *syncing.Sync) { s.MaxObjectsPerRun = int64(rapid.IntRange(1, 3).Draw(t, "most")) })
				m.w.disturbed()
				m.w.edit(func(s *syncing.Sync) { s.MaxObjectsPerRun = 0 })
			},
			"restart": func(*rapid.T) {
				m.w.reopen()
			},
			"fault": func(t *rapid.T) {
				f.Inject(providertest.Fault{
					Method: rapid.SampledFrom([]string{providertest.Changes, providertest.Open, providertest.Stat, providertest.Walk}).Draw(t, "method"),
					After:  rapid.IntRange(0, 6).Draw(t, "after"), Times: 1, Action: providertest.Fail(errs.Unavailable),
				})
				m.w.disturbed()
				f.ClearFaults()
			},
			"meanwhile": func(t *rapid.T) {
				m.meddle(t, src)
				m.w.disturbed()
				src.plan = nil
			},
			"sync": func(t *rapid.T) { m.sync(t) },
		})
		m.sync(t)
	})
}

// feedModel knows the tree of a feed.
type feedModel struct {
	w              *world
	f              *providertest.Feed
	root           string
	folders, files []string
	parents, names map[string]string
}

func (m *feedModel) one(t *rapid.T, of []string, do func(string)) {
	if len(of) > 0 {
		do(rapid.SampledFrom(of).Draw(t, "of"))
	}
}

// movable are all nodes but the root and the scope.
func (m *feedModel) movable() []string { return append(slices.Clone(m.folders[2:]), m.files...) }

func (m *feedModel) below(id, folder string) bool {
	for ; id != ""; id = m.parents[id] {
		if id == folder {
			return true
		}
	}
	return false
}

func (m *feedModel) move(t *rapid.T, id string) {
	to := rapid.SampledFrom(m.folders).Draw(t, "to")
	if !m.below(to, id) {
		m.parents[id] = to
		m.f.Move(id, to)
	}
}

func (m *feedModel) file(parent, name, content string) {
	id := m.f.File(parent, name, []byte(content))
	m.files, m.parents[id], m.names[id] = append(m.files, id), parent, name
}

// swap puts a folder into one that is below it, which leaves it first.
func (m *feedModel) swap(t *rapid.T) {
	for _, b := range m.folders[2:] {
		a := m.parents[b]
		if len(m.folders) < 4 || a == m.root || a == providertest.Root {
			continue
		}
		m.parents[b], m.parents[a] = m.parents[a], b
		m.f.Move(b, m.parents[b])
		m.f.Move(a, b)
		if rapid.Bool().Draw(t, "once") {
			return
		}
	}
}

func (m *feedModel) delete(id string) {
	m.f.Delete(id)
	gone := func(x string) bool { return m.below(x, id) }
	m.folders, m.files = slices.DeleteFunc(m.folders, gone), slices.DeleteFunc(m.files, gone)
}

// sync compares the incremental state with a walk of the whole tree.
func (m *feedModel) sync(t *rapid.T) {
	m.f.ClearFaults()
	m.w.revive()
	for passes := 0; passes < 2; {
		run, err := m.w.run()
		if err != nil {
			t.Fatalf("an undisturbed run fails: %v", err)
		}
		m.w.sound(run)
		if run.PassEnded {
			passes++
		}
	}
	want := map[string]string{}
	for _, id := range m.files {
		if m.below(id, m.root) {
			want[id] = string(m.f.Content(id))
		}
	}
	if s := m.w.current(); s.HeldPass != "" || len(want) == 0 {
		return // an enumeration that was empty is suspect: its absences are held back
	}
	m.w.matches(t, want, false)
	for id, o := range m.w.objects() {
		if _, there := want[id]; there && o.SourcePath != m.path(id) {
			t.Fatalf("%s has the path %q, want %q", id, o.SourcePath, m.path(id))
		}
	}
}

func (m *feedModel) path(id string) string {
	path := ""
	for ; id != m.root; id = m.parents[id] {
		path = "/" + strings.ReplaceAll(m.names[id], "/", "／") + path
	}
	return path[1:]
}
