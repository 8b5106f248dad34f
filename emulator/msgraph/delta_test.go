package msgraph_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"mooring/emulator/msgraph"
)

func (w *world) rootDelta() string { return "/drives/" + w.drive + "/root/delta" }

// names gives the entries of a delta in their order; a deleted one is its id.
func names(entries []map[string]any) string {
	var out []string
	for _, e := range entries {
		name, _ := e["name"].(string)
		if e["deleted"] != nil {
			name = "-" + e["id"].(string)
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

func TestDeltaFollowsATree(t *testing.T) {
	o := msgraph.Documented()
	o.PageSize = 2
	w := newWorld(t, o)
	docs := w.s.Folder(w.drive, w.root, "docs")
	a := w.s.File(w.drive, docs, "a.txt", []byte("a"))
	b := w.s.File(w.drive, docs, "b.txt", []byte("b"))

	first, link := w.delta(w.rootDelta())
	if all := latest(first); len(all) != 4 || all[w.root]["root"] == nil || all[a]["name"] != "a.txt" {
		t.Fatalf("the enumeration gave %v", all)
	}
	w.s.Write(w.drive, a, []byte("aa"))
	w.s.Rename(w.drive, docs, "papers")
	w.s.Delete(w.drive, b)
	next, link := w.delta(link)
	all := latest(next)
	if all[a]["size"] != 2.0 || all[docs]["name"] != "papers" || all[b]["deleted"] == nil {
		t.Errorf("the changes are %v", next)
	}
	for _, gone := range []string{"name", "cTag"} {
		if all[b][gone] != nil {
			t.Errorf("a deletion says %s", gone)
		}
	}
	if all[a]["cTag"] != nil || dig(all[a], "parentReference", "path") != nil || dig(all[a], "parentReference", "id") != docs {
		t.Errorf("a change says %v", all[a])
	}
	if again, _ := w.delta(link); len(again) != 0 {
		t.Errorf("nothing changed, and yet: %v", again)
	}
	if v := w.s.Violations(); len(v) != 0 {
		t.Errorf("violations: %v", v)
	}
}

// A change comes with the folders it is in, and without what is below it.
func TestDeltaGivesParentsAndNoDescendants(t *testing.T) {
	w := newWorld(t)
	a := w.s.Folder(w.drive, w.root, "a")
	b := w.s.Folder(w.drive, a, "b")
	w.s.File(w.drive, b, "deep", nil)
	c := w.s.Folder(w.drive, w.root, "c")
	_, link := w.delta(w.rootDelta())
	w.s.Rename(w.drive, b, "bb")
	if got, _ := w.delta(link); names(got) != "root a bb" {
		t.Errorf("a folder renamed: %s", names(got))
	}
	w.s.Move(w.drive, b, c)
	if got, _ := w.delta(link); names(got) != "root c bb" {
		t.Errorf("a folder moved: %s", names(got))
	}
	r := w.want(200, link, "deltaExcludeParent", "true")
	if names(r.values()) != "bb" {
		t.Errorf("without parents: %s", names(r.values()))
	}
}

func TestDeltaOfDeletedFolders(t *testing.T) {
	for _, only := range []bool{false, true} {
		w := newWorld(t, msgraph.Options{DeleteFolderOnly: only})
		a := w.s.Folder(w.drive, w.root, "a")
		f := w.s.File(w.drive, a, "f", nil)
		_, link := w.delta(w.rootDelta())
		w.s.Delete(w.drive, a)
		want := "root -" + a + " -" + f
		if only {
			want = "root -" + a
		}
		if got, _ := w.delta(link); names(got) != want {
			t.Errorf("only %v: %s, want %s", only, names(got), want)
		}
		if got, _ := w.delta(w.rootDelta()); names(got) != "root" {
			t.Errorf("a new enumeration tells of the dead: %s", names(got))
		}
	}
}

// What replaces an item while a client enumerates hides that the item was deleted;
// a client that follows changes is told.
func TestRecreatedDuringAnEnumeration(t *testing.T) {
	w := newWorld(t)
	f := w.s.File(w.drive, w.root, "f", nil)
	w.s.File(w.drive, w.root, "g", nil)
	_, known := w.delta(w.rootDelta())
	first := w.want(200, w.rootDelta()+"?$top=2")
	f2 := w.s.Recreate(w.drive, f, []byte("2"))
	rest, _ := w.delta(first.str("@odata.nextLink"))
	if names(first.values()) != "root f" || names(rest) != "g f" || rest[1]["id"] != f2 {
		t.Errorf("the enumeration gave %s, then %s", names(first.values()), names(rest))
	}
	if got, _ := w.delta(known); names(got) != "root -"+f+" f" {
		t.Errorf("the changes are %s", names(got))
	}
}

func TestChangesDuringAnEnumerationComeAgain(t *testing.T) {
	w := newWorld(t)
	f := w.s.File(w.drive, w.root, "f", nil)
	w.s.File(w.drive, w.root, "g", nil)
	first := w.want(200, w.rootDelta()+"?$top=2")
	w.s.Write(w.drive, f, []byte("changed"))
	rest, _ := w.delta(first.str("@odata.nextLink"))
	if names(rest) != "g f" || rest[1]["size"] != 7.0 {
		t.Errorf("then came %v", rest)
	}
}

func TestSelectStrips(t *testing.T) {
	w := newWorld(t)
	f := w.s.File(w.drive, w.root, "f", nil)
	q := "?$select=" + url.QueryEscape("id,name,size") + "&$top=1"
	_, link := w.delta(w.rootDelta() + q)
	if !strings.Contains(link, "%24select=") && !strings.Contains(link, "$select=id%2Cname%2Csize") || !strings.Contains(link, "$top=1") {
		t.Errorf("the link does not repeat the options: %s", link)
	}
	w.s.Delete(w.drive, f)
	got, _ := w.delta(link)
	if last := got[len(got)-1]; last["id"] != f || last["deleted"] != nil || last["parentReference"] != nil {
		t.Errorf("not stripped: %v", last)
	}
	if v := w.s.Violations(); len(v) == 0 || v[0].Rule != msgraph.SelectWithoutDeleted {
		t.Errorf("violations: %v", v)
	}
	w.s.ResetRequests()
	_, link = w.delta(w.rootDelta() + "?$select=id,deleted")
	w.want(200, strings.Replace(link, "deleted", "deleted%2Cname", 1))
	if v := w.s.Violations(); len(v) != 1 || v[0].Rule != msgraph.LinkRewritten {
		t.Errorf("violations: %v", v)
	}
}

func TestDeltaTokens(t *testing.T) {
	c := newClock()
	w := newWorldAt(t, c)
	w.s.File(w.drive, w.root, "old", nil)
	c.advance(time.Minute)
	then := c.Now()
	r := w.want(200, w.rootDelta()+"?token=latest")
	if len(r.values()) != 0 || r.str("@odata.deltaLink") == "" {
		t.Errorf("the latest: %s", r.text)
	}
	c.advance(time.Minute)
	w.s.File(w.drive, w.root, "new", nil)
	for name, link := range map[string]string{
		"from the latest": r.str("@odata.deltaLink"),
		"from a time":     w.rootDelta() + "?token=" + url.QueryEscape(then.Format(time.RFC3339)),
		"as a function":   w.rootDelta() + "(token='" + then.Format(time.RFC3339) + "')",
	} {
		if got, _ := w.delta(link); names(got) != "root new" {
			t.Errorf("%s: %s", name, names(got))
		}
	}
	w.want(400, w.rootDelta()+"?token=nonsense")
	other := w.s.Library(w.site, "Other")
	w.want(400, "/drives/"+other+"/root/delta?"+strings.SplitN(r.str("@odata.deltaLink"), "?", 2)[1])
}

func TestLinksMayBeFunctions(t *testing.T) {
	w := newWorld(t, msgraph.Options{FunctionLinks: true})
	w.s.File(w.drive, w.root, "f", nil)
	all, link := w.delta("/drives('" + w.drive + "')/items('" + w.root + "')/delta?$top=1&$select=id,name,deleted")
	if names(all) != "root f" || strings.Contains(link, "?token") || strings.Contains(link, "&token") {
		t.Errorf("%s, %s", names(all), link)
	}
	w.s.File(w.drive, w.root, "g", nil)
	if got, _ := w.delta(link); names(got) != "root g" || got[1]["size"] != nil {
		t.Errorf("then %v", got)
	}
	w.s.ExpireDeltas("resyncRequired")
	if got, _ := w.delta(w.want(410, link).header.Get("Location")); names(got) != "root f g" {
		t.Errorf("anew: %v", got)
	}
	if v := w.s.Violations(); len(v) != 0 {
		t.Errorf("violations: %v", v)
	}
}

func TestFolderDeltas(t *testing.T) {
	w := newWorld(t)
	in := w.s.Folder(w.drive, w.root, "in")
	f := w.s.File(w.drive, in, "f", nil)
	out := w.s.File(w.drive, w.root, "out", nil)
	all, link := w.delta("/drives/" + w.drive + "/root:/in:/delta")
	if names(all) != "in f" {
		t.Errorf("the folder has %s", names(all))
	}
	w.s.Move(w.drive, f, w.root)
	w.s.Move(w.drive, out, in)
	if got, _ := w.delta(link); names(got) != "-"+f+" in out" {
		t.Errorf("after the moves: %s", names(got))
	}
	refusing := newWorld(t, msgraph.Options{FolderDeltaRefused: true})
	in = refusing.s.Folder(refusing.drive, refusing.root, "in")
	r := refusing.want(501, "/drives/"+refusing.drive+"/items/"+in+"/delta")
	if r.str("error", "code") != "notSupported" || r.str("error", "message") != "view.delta can only be called on the root." {
		t.Errorf("refused with %s", r.text)
	}
	refusing.want(200, refusing.rootDelta())
}

func TestDeadDeltas(t *testing.T) {
	for code, inner := range map[string]any{
		"resyncRequired": nil, "syncStateNotFound": nil,
		"resyncChangesApplyDifferences": "resyncApplyDifferences", "resyncChangesUploadDifferences": "resyncUploadDifferences",
	} {
		w := newWorld(t)
		w.s.File(w.drive, w.root, "f", nil)
		_, link := w.delta(w.rootDelta() + "?$select=id,name,deleted")
		w.s.ExpireDeltas(code)
		r := w.want(410, link)
		if r.str("error", "code") != code || dig(r.body, "error", "innerError", "code") != inner {
			t.Errorf("%s: %s", code, r.text)
		}
		if got, _ := w.delta(r.header.Get("Location")); names(got) != "root f" || got[1]["size"] != nil {
			t.Errorf("%s: the location gives %v", code, got)
		}
		w.s.Inject(msgraph.Fault{Match: msgraph.On(msgraph.Delta), Nth: 1, Action: msgraph.Gone(code, false)})
		if r := w.want(410, w.rootDelta()); r.header.Get("Location") != "" {
			t.Errorf("%s: a location: %v", code, r.header)
		}
		w.s.Inject(msgraph.Fault{Match: msgraph.On(msgraph.Delta), Nth: 1, Action: msgraph.Gone(code, true)})
		w.want(200, w.want(410, w.rootDelta()+"?token=latest").header.Get("Location"))
	}
}

func TestStrangePages(t *testing.T) {
	for name, tc := range map[string]struct {
		action msgraph.Action
		want   string
	}{
		"empty":      {msgraph.EmptyPage(), "root a f"},
		"short":      {msgraph.PageAtMost(1), "root a f"},
		"reversed":   {msgraph.ReversedPage(), "f a root"},
		"duplicates": {msgraph.DuplicateEntries(), "root root a a f f"},
		"stale":      {msgraph.StaleEntries(), "root before a a before f f"},
		"both":       {msgraph.Do(msgraph.PageAtMost(2), msgraph.ReversedPage()), "a root f"},
	} {
		w := newWorld(t)
		w.s.File(w.drive, w.s.Folder(w.drive, w.root, "a"), "f", nil)
		fault := w.s.Inject(msgraph.Fault{Match: msgraph.On(msgraph.Delta), Nth: 1, Action: tc.action})
		if got, _ := w.delta(w.rootDelta()); names(got) != tc.want || fault.Hits() != 1 {
			t.Errorf("%s: %s", name, names(got))
		}
	}
	w := newWorld(t)
	lost := w.s.File(w.drive, w.root, "lost", nil)
	w.s.Inject(msgraph.Fault{Match: msgraph.On(msgraph.Delta), Nth: 1, Action: msgraph.OmitEntries(lost)})
	got, link := w.delta(w.rootDelta())
	again, _ := w.delta(link)
	if names(got) != "root" || len(again) != 0 {
		t.Errorf("not lost: %s, %s", names(got), names(again))
	}
}

func TestSharingChanges(t *testing.T) {
	w := newWorld(t)
	f := w.s.File(w.drive, w.root, "f", nil)
	_, link := w.delta(w.rootDelta())
	w.s.Share(w.drive, f, "eve@elsewhere.example")
	r := w.want(200, link, "Prefer", "deltashowsharingchanges")
	if got := r.values(); len(got) != 2 || got[1]["@microsoft.graph.sharedChanged"] != "True" {
		t.Errorf("the change is %v", got)
	}
}

// A large drive has cheap pages, and a cheap delta after it.
func TestLargeDrive(t *testing.T) {
	n := 100_000
	if testing.Short() {
		n = 10_000
	}
	w := newWorld(t)
	folder := ""
	for i := range n {
		if i%1000 == 0 {
			folder = w.s.Folder(w.drive, w.root, fmt.Sprintf("folder-%03d", i/1000))
		}
		w.s.Generated(w.drive, folder, fmt.Sprintf("file-%06d", i), int64(i), 10)
	}
	q := "?$top=1000&$select=id,name,deleted,parentReference"
	all, link := w.delta(w.rootDelta() + q)
	if len(latest(all)) != n+n/1000+1 || w.s.Count(msgraph.Delta) != (n+n/1000)/1000+1 {
		t.Errorf("%d items in %d pages", len(latest(all)), w.s.Count(msgraph.Delta))
	}
	w.s.Delete(w.drive, folder)
	if got, _ := w.delta(link); len(latest(got)) != 1002 { // root, the folder, what was in it
		t.Errorf("%d changes", len(latest(got)))
	}
}
