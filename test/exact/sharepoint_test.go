package exact_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"mooring/emulator/msgraph"
	"mooring/internal/provider/sharepoint"
	"mooring/internal/syncing"
	"mooring/internal/syncing/engine"
)

const (
	graphTenant = "contoso.onmicrosoft.com"
	graphClient = "11111111-2222-3333-4444-555555555555"
	graphSecret = "exact~client~secret"
)

// library is a document library with a folder that is synced, a folder beside it,
// and a model of what is in both.
type library struct {
	*msgraph.Server
	t       testing.TB
	site    string
	drive   string
	scope   string
	clock   *clock
	random  *rand.Rand
	folders []string // ids, the two at the top first
	files   []string
	parent  map[string]string
	made    int
	free    []string // names of what was deleted, to be taken again
	quiet   bool     // the deletion of a folder is told without what was in it
	recent  map[string]bool
}

func newLibrary(t testing.TB, seed uint64, o msgraph.Options) *library {
	t.Helper()
	l := &library{t: t, clock: newClock(), random: rand.New(rand.NewPCG(seed, 1)), parent: map[string]string{}, quiet: o.DeleteFolderOnly, recent: map[string]bool{}}
	o.Now = l.clock.Now
	l.Server = msgraph.Start(t, o)
	l.Tenant(graphTenant)
	l.App(graphTenant, graphClient, graphSecret)
	l.site = l.Site(graphTenant, "contoso.sharepoint.com", "/sites/Finance")
	l.drive = l.Drive(l.site)
	l.scope = l.Folder(l.drive, l.Root(l.drive), "scope")
	l.folders = []string{l.scope, l.Folder(l.drive, l.Root(l.drive), "outside")}
	t.Cleanup(func() {
		for _, v := range l.Violations() {
			t.Errorf("request %d: %s", v.Request, v.Rule)
		}
	})
	return l
}

// rig is a sync of the library's folder.
func (l *library) rig(path string, edit func(*syncing.Sync)) *rig {
	l.t.Helper()
	return newRig(l.t, setup{
		provider: "sharepoint", open: sharepoint.Open, path: path, clock: l.clock, edit: edit,
		endpoints: map[string]string{"api": l.API(), "token": l.LoginURL()},
		config: map[string]any{"site_id": l.site, "credentials": map[string]any{
			"type": "client_credentials", "tenant_id": graphTenant, "client_id": graphClient, "client_secret": graphSecret,
		}},
	})
}

// want is what a fresh walk of a folder finds.
func (l *library) want(folder string) map[string]file {
	out := map[string]file{}
	for id, e := range l.Snapshot(l.drive, folder) {
		if !e.Malware {
			out[l.drive+"/"+id] = file{Path: e.Path, Size: e.Size, SHA256: e.SHA256}
		}
	}
	return out
}

func pick(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }

// name is a new one, or one that something deleted had.
func (l *library) name() string {
	if n := len(l.free); n > 0 && l.random.IntN(3) == 0 {
		name := l.free[n-1]
		l.free = l.free[:n-1]
		return name
	}
	l.made++
	return fmt.Sprintf("%s %d%%.txt", []string{"Bericht", "ä", "a+b", "#"}[l.random.IntN(4)], l.made)
}

func (l *library) content() []byte {
	return fmt.Appendf(nil, "%d %s", l.random.Uint64(), strings.Repeat("x", l.random.IntN(2000)))
}

// below says whether a folder is another one or in it.
func (l *library) below(folder, top string) bool {
	for ; folder != ""; folder = l.parent[folder] {
		if folder == top {
			return true
		}
	}
	return false
}

// step does one random thing.
func (l *library) step() {
	d := l.drive
	into := pick(l.random, l.folders)
	do := l.random.IntN(16)
	switch {
	case do < 3 || len(l.files) < 5:
		id := l.File(d, into, l.name(), l.content())
		l.files, l.parent[id] = append(l.files, id), into
	case do == 3 && len(l.folders) < 40 || len(l.folders) < 6:
		id := l.Folder(d, into, l.name())
		l.folders, l.parent[id] = append(l.folders, id), into
	case do < 6:
		l.Write(d, pick(l.random, l.files), l.content())
	case do == 6:
		l.Rename(d, pick(l.random, l.files), l.name())
	case do == 7:
		l.Rename(d, pick(l.random, l.folders[2:]), l.name())
	case do < 10:
		id := pick(l.random, l.files)
		l.moved(id, into)
	case do < 12:
		if id := pick(l.random, l.folders[2:]); !l.below(into, id) {
			l.moved(id, into)
		}
	case do == 12:
		l.deleted(pick(l.random, l.files))
	case do == 13 && l.random.IntN(3) == 0:
		l.deleted(pick(l.random, l.folders[2:]))
	case do == 14:
		i := l.random.IntN(len(l.files))
		id := l.Recreate(d, l.files[i], l.content())
		l.parent[id] = l.parent[l.files[i]]
		l.files[i] = id
	default:
		l.Share(d, pick(l.random, l.files), "eve@contoso.com")
		l.Unshare(d, pick(l.random, l.files), "eve@contoso.com")
	}
}

// moved moves an item, under a new name so that none is in the way.
func (l *library) moved(id, into string) {
	l.made++
	l.Rename(l.drive, id, fmt.Sprintf("moved %d", l.made))
	l.Move(l.drive, id, into)
	l.parent[id], l.recent[id] = into, true
}

// deleted takes an item away with all below it. Where only the folder is told,
// nobody could know that what was just moved into it is gone, too.
func (l *library) deleted(id string) {
	for x := range l.recent {
		if l.quiet && x != id && l.below(x, id) {
			return
		}
	}
	l.Delete(l.drive, id)
	keep := func(ids []string) (out []string) {
		for _, x := range ids {
			if !l.below(x, id) {
				out = append(out, x)
			}
		}
		return out
	}
	l.files, l.folders = keep(l.files), keep(l.folders)
}

// trouble injects a random fault that passes.
func (l *library) trouble() {
	every := msgraph.On(msgraph.GetItem, msgraph.Delta, msgraph.ListChildren, msgraph.Download)
	delta, download := msgraph.On(msgraph.Delta), msgraph.On(msgraph.Download)
	faults := []msgraph.Fault{
		{Match: every, Action: msgraph.Throttle(time.Second)}, {Match: every, Action: msgraph.Throttle(0)}, {Match: every, Action: msgraph.Unavailable(3 * time.Second)},
		{Match: every, Action: msgraph.Unavailable(0)}, {Match: every, Action: msgraph.GatewayError(502)}, {Match: every, Action: msgraph.Drop()},
		{Match: every, Action: msgraph.Run(l.step)},
		{Match: delta, Action: msgraph.Gone("resyncRequired", true)}, {Match: delta, Action: msgraph.Gone("resyncChangesUploadDifferences", false)},
		{Match: delta, Action: msgraph.DuplicateEntries()}, {Match: delta, Action: msgraph.StaleEntries()}, {Match: delta, Action: msgraph.ReversedPage()},
		{Match: delta, Action: msgraph.EmptyPage()}, {Match: delta, Action: msgraph.Run(l.step)},
		{Match: download, Action: msgraph.ShortBody(7)}, {Match: download, Action: msgraph.DownloadRefused(401)}, {Match: download, Action: msgraph.DownloadRefused(404)},
		{Match: download, Action: msgraph.IgnoreRange()}, {Match: download, Action: msgraph.CorruptByte(0)}, {Match: download, Action: msgraph.WriteFirst(l.content())},
		{Match: every, Action: msgraph.ExpireToken()},
	}
	f := faults[l.random.IntN(len(faults))]
	f.After, f.Times = l.random.IntN(5), 1+l.random.IntN(2)
	l.Inject(f)
}

// Whatever happens in a library, after a sync the bucket holds what is in it.
func TestSharePointIsExact(t *testing.T) {
	for _, c := range []struct {
		name   string
		path   string
		faults bool
		edit   func(*msgraph.Options)
	}{
		{"library", "", false, func(*msgraph.Options) {}},
		{"folder", "/scope", false, func(*msgraph.Options) {}},
		{"folder, deleted as one", "/scope", false, func(o *msgraph.Options) { o.DeleteFolderOnly = true }},
		{"library, faults", "", true, func(o *msgraph.Options) { o.DeleteFolderOnly = true }},
		{"folder, faults", "/scope", true, func(o *msgraph.Options) { o.DeltaWithoutPath = false }},
	} {
		t.Run(c.name, func(t *testing.T) {
			rounds := 60
			if testing.Short() {
				rounds = 12
			}
			o := msgraph.Documented()
			c.edit(&o)
			l := newLibrary(t, uint64(len(c.name)), o)
			top := l.Root(l.drive)
			if c.path != "" {
				top = l.scope
			}
			r := l.rig(c.path, nil)
			for round := range rounds {
				for range 1 + l.random.IntN(25) {
					l.step()
				}
				l.Inject(msgraph.Fault{Match: msgraph.On(msgraph.Delta, msgraph.ListChildren), Action: msgraph.PageAtMost(1 + l.random.IntN(30))})
				if c.faults {
					for range 1 + l.random.IntN(3) {
						l.trouble()
					}
					if _, err := r.run(context.Background()); err != nil && os.Getenv("EXACT_LOG") != "" {
						t.Logf("round %d: %v", round, err)
					}
					l.ClearFaults()
				}
				r.must()
				r.exact(l.want(top))
				l.ClearFaults()
				clear(l.recent)
				if t.Failed() {
					t.Fatalf("in round %d", round)
				}
			}
			if n := r.failures(); n != 0 && !c.faults {
				t.Errorf("%d failures count", n)
			}
		})
	}
}

// A lost cursor makes everything be enumerated anew, in the middle of the first
// enumeration and later: nothing is downloaded again, nothing is taken for
// deleted, and what changed meanwhile arrives.
func TestSharePointEnumeratesAnew(t *testing.T) {
	n := itemsToSync(t)
	o := msgraph.Documented()
	o.LogSize = 1000
	l := newLibrary(t, 3, o)
	var ids []string
	for f := range n / 1000 {
		folder := l.Folder(l.drive, l.scope, fmt.Sprintf("folder %d", f))
		l.folders = append(l.folders, folder)
		for i := range 1000 {
			ids = append(ids, l.Generated(l.drive, folder, fmt.Sprintf("file %d", i), int64(f*1000+i), 16))
		}
	}
	r := l.rig("/scope", func(s *syncing.Sync) { s.MaxObjectsPerRun = int64(n) })
	r.engine.Limits = engine.Limits{}
	settle := func(what string, downloads int) {
		t.Helper()
		before := l.Count(msgraph.Download)
		for range 3 { // one that finds the cursor dead, one that loses it again
			_, _ = r.run(context.Background())
		}
		r.must()
		if got := l.Count(msgraph.Download) - before; got != downloads {
			t.Errorf("%s: %d downloads, want %d", what, got, downloads)
		}
		r.exact(l.want(l.scope))
	}
	pages := n / 1000
	l.Inject(msgraph.Fault{Match: msgraph.On(msgraph.Delta), Nth: pages / 2, Action: msgraph.Gone("resyncChangesApplyDifferences", true)})
	settle("lost in the first enumeration", n)

	change := func() {
		l.Write(l.drive, ids[1], []byte("new content"))
		l.Delete(l.drive, ids[2])
		l.Rename(l.drive, l.folders[2], "renamed")
		l.Move(l.drive, l.folders[3], l.folders[1])
	}
	l.ExpireDeltas("resyncRequired")
	l.ClearFaults()
	l.Inject(msgraph.Fault{Match: msgraph.On(msgraph.Delta), Nth: pages / 2, Action: msgraph.Do(msgraph.Run(change), msgraph.Gone("resyncRequired", false))})
	settle("lost later, and in the enumeration after", 1)
	if letters, failures := r.letters(), r.failures(); letters != 0 || failures != 0 {
		t.Errorf("%d dead letters, %d failures", letters, failures)
	}
}

// Download addresses live an hour, the sync takes three. None fails, and none is
// written anywhere.
func TestSharePointTakesThreeHours(t *testing.T) {
	l := newLibrary(t, 4, msgraph.Documented())
	const files = 180
	for range files {
		l.File(l.drive, l.scope, l.name(), l.content())
	}
	long := l.Generated(l.drive, l.scope, "long", 1, 3<<20)
	began := l.clock.Now()
	pass := func(d time.Duration) msgraph.Action { return msgraph.Run(func() { l.clock.Advance(d) }) }
	downloads := msgraph.On(msgraph.Download)
	l.Inject(msgraph.Fault{Match: downloads, Action: pass(time.Minute)})
	// Of some the address expires on the way to it, others break off in the middle.
	for i := 10; i < files; i += 40 {
		l.Inject(msgraph.Fault{Match: downloads, Nth: i, Action: msgraph.Do(msgraph.Run(l.ExpireDownloadURLs))})
		l.Inject(msgraph.Fault{Match: downloads, Nth: i + 5, Action: msgraph.DownloadRefused(403)})
	}
	l.Inject(msgraph.Fault{Match: msgraph.Match{Operations: downloads.Operations, Item: long}, Times: 3, Action: msgraph.Do(msgraph.ShortBody(1<<20), pass(61*time.Minute))})
	r := l.rig("/scope", nil)
	// One at a time: an hour that passes for one would be two for another, between its token and its request.
	r.engine.Limits = engine.Limits{Transfers: 1}
	r.must()
	r.exact(l.want(l.scope))
	if took := l.clock.Now().Sub(began); took < 3*time.Hour {
		t.Errorf("it took only %v", took)
	}
	if letters, failures := r.letters(), r.failures(); letters != 0 || failures != 0 {
		t.Errorf("%d dead letters, %d failures", letters, failures)
	}
	if n := l.Count(msgraph.Token); n < 3 {
		t.Errorf("%d access tokens in three hours", n)
	}
	for where, b := range r.everything() {
		for _, leak := range []string{"_layouts/download", "downloadUrl", "tempauth", graphSecret, "Bearer"} {
			if bytes.Contains(b, []byte(leak)) {
				t.Errorf("%s holds %q", where, leak)
			}
		}
	}
}
