package engine_test

import (
	"context"
	"sync"

	"pgregory.net/rapid"

	"mooring/internal/provider/driver"
	"mooring/internal/provider/providertest"
)

// meddled is a feed whose drive is changed while it is read.
type meddled struct {
	*providertest.Feed
	mu    sync.Mutex
	calls int
	plan  map[int][]func() // what happens before the nth request
}

// before lets happen what is planned before a request.
func (f *meddled) before() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	for _, do := range f.plan[f.calls] {
		do()
	}
}

func (f *meddled) Changes(ctx context.Context, scope driver.Scope, cur driver.Cursor) (driver.Page, error) {
	f.before()
	return f.Feed.Changes(ctx, scope, cur)
}

func (f *meddled) Stat(ctx context.Context, scope driver.Scope, id string) (driver.Item, error) {
	f.before()
	return f.Feed.Stat(ctx, scope, id)
}

func (f *meddled) Walk(ctx context.Context, scope driver.Scope, folder string, cur driver.Cursor) (driver.Page, error) {
	f.before()
	return f.Feed.Walk(ctx, scope, folder, cur)
}

// meddle plans changes for the next run.
func (m *feedModel) meddle(t *rapid.T, f *meddled) {
	f.calls, f.plan = 0, map[int][]func(){}
	for range rapid.IntRange(1, 4).Draw(t, "changes") {
		kind := rapid.IntRange(0, 4).Draw(t, "kind")
		what, to := rapid.IntRange(0, 99).Draw(t, "what"), rapid.IntRange(0, 99).Draw(t, "to")
		at := rapid.IntRange(1, 12).Draw(t, "before request")
		f.plan[at] = append(f.plan[at], func() { m.happen(kind, what, to) })
	}
}

func (m *feedModel) happen(kind, what, to int) {
	all := m.movable()
	if len(all) == 0 && kind > 0 {
		return
	}
	folder := m.folders[to%len(m.folders)]
	switch kind {
	case 0:
		m.file(folder, "new", "new")
	case 1:
		m.delete(all[what%len(all)])
	default:
		if id := all[what%len(all)]; !m.below(folder, id) {
			m.parents[id] = folder
			m.f.Move(id, folder)
		}
	}
}
