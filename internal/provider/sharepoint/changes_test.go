package sharepoint_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"mooring/emulator/msgraph"
	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

func TestKindsOfItems(t *testing.T) {
	g := start(t)
	d, root := g.drive, g.Root(g.drive)
	notebook := g.Package(d, root, "Notes", "oneNote")
	g.File(d, notebook, "Section.one", []byte("section"))
	other := g.Library(g.site, "Archive")
	g.RemoteItem(d, root, "Shortcut", other, g.Folder(other, g.Root(other), "target"))
	g.Malware(d, g.File(d, root, "virus.exe", []byte("X5O!")))
	g.File(d, root, "plain.txt", []byte("text"))
	src := g.opened()
	changes, _ := all(t, src, "", nil)
	for name, want := range map[string]driver.Item{
		"Notes":       {Folder: true, Skip: "package", Size: -1},
		"Section.one": {Parent: d + "/" + notebook, Size: 7},
		"Shortcut":    {Skip: "remote_item", Size: -1},
		"virus.exe":   {Skip: "malware", Size: 4},
		"plain.txt":   {Size: 4, MIME: "text/plain; charset=utf-8"},
	} {
		it := named(t, changes, name)
		if it.Folder != want.Folder || it.Skip != want.Skip || it.Parent != want.Parent || want.Skip == "" && it.Size != want.Size || want.MIME != "" && it.MIME != want.MIME {
			t.Errorf("%s: %+v", name, it)
		}
		stat, err := src.Stat(t.Context(), driver.Scope{}, it.ID)
		if must(t, err); !reflect.DeepEqual(stat, it) {
			t.Errorf("Stat of %s: %+v; listed %+v", name, stat, it)
		}
	}
	if len(changes) != 5 {
		t.Errorf("%d changes, want 5", len(changes))
	}
	if _, err := read(t, src, named(t, changes, "virus.exe"), 0); err == nil {
		t.Error("malware is read")
	} else if e := kind(t, err, errs.Conflict, errs.ScopeObject); e.Code != "malwareDetected" {
		t.Errorf("malware's code is %q", e.Code)
	}
}

func TestAPageTellsEachItemOnce(t *testing.T) {
	g := start(t)
	g.File(g.drive, g.Root(g.drive), "a", []byte("1"))
	g.File(g.drive, g.Root(g.drive), "b", []byte("2"))
	for name, action := range map[string]msgraph.Action{"duplicate": msgraph.DuplicateEntries(), "stale": msgraph.StaleEntries()} {
		g.ClearFaults()
		g.Inject(msgraph.Fault{Match: msgraph.On(msgraph.Delta), Action: action})
		changes, _ := all(t, g.opened(), "", nil)
		if len(changes) != 2 || named(t, changes, "a").Version == "" || named(t, changes, "b").Version == "" {
			t.Errorf("%s: %+v", name, changes)
		}
	}
}

func TestEveryLossOfACursorIsToldAsOne(t *testing.T) {
	for _, code := range []string{"resyncRequired", "resyncChangesApplyDifferences", "resyncChangesUploadDifferences", "syncStateNotFound", "ResyncSomethingElse"} {
		for _, location := range []bool{true, false} {
			g := start(t)
			for i := range 6 {
				g.File(g.drive, g.Root(g.drive), fmt.Sprint(i), []byte("x"))
			}
			src := g.opened()
			before, cur := all(t, src, "", nil)
			f := g.Inject(msgraph.Fault{Match: msgraph.On(msgraph.Delta), Action: msgraph.Gone(code, location)})
			_, err := src.Changes(t.Context(), driver.Scope{}, cur)
			kind(t, err, errs.CursorExpired, errs.ScopePath)
			f.Remove()
			// What is enumerated anew has the versions it had.
			after, _ := all(t, src, "", nil)
			for i := range before {
				if now := named(t, after, before[i].Item.Name); now.Version != before[i].Item.Version {
					t.Errorf("%s: version %q became %q", before[i].Item.Name, before[i].Item.Version, now.Version)
				}
			}
		}
	}
}

func TestAnEnumerationMayLoseItsCursorMidway(t *testing.T) {
	g := start(t)
	for i := range 6 {
		g.File(g.drive, g.Root(g.drive), fmt.Sprint(i), []byte("x"))
	}
	src := g.opened()
	g.Inject(msgraph.Fault{Match: msgraph.On(msgraph.Delta), Action: msgraph.PageAtMost(2)})
	first, err := src.Changes(t.Context(), driver.Scope{}, nil)
	must(t, err)
	g.ExpireDeltas("resyncRequired")
	_, err = src.Changes(t.Context(), driver.Scope{}, first.Next)
	kind(t, err, errs.CursorExpired, errs.ScopePath)
}

func TestVersions(t *testing.T) {
	g := start(t)
	d, root := g.drive, g.Root(g.drive)
	folder := g.Folder(d, root, "folder")
	id := g.File(d, root, "a.docx", []byte("one"))
	src := g.opened()
	first := g.item(src, "a.docx")
	same := func(what string) {
		t.Helper()
		changes, _ := all(t, src, "", nil)
		it := named(t, changes, "b.docx")
		if it.Version != first.Version {
			t.Errorf("%s: version %q became %q", what, first.Version, it.Version)
		}
		if stat, err := src.Stat(t.Context(), driver.Scope{}, it.ID); err != nil || stat.Version != first.Version {
			t.Errorf("%s: Stat says %q, %v", what, stat.Version, err)
		}
	}
	g.Rename(d, id, "b.docx")
	same("a new name")
	g.Move(d, id, folder)
	same("a move")
	g.Share(d, id, "eve@contoso.com")
	same("sharing")
	g.Write(d, id, []byte("two"))
	if changes, _ := all(t, src, "", nil); named(t, changes, "b.docx").Version == first.Version {
		t.Error("other content has the same version")
	}
}

// Files whose hash Graph does not know have a version all the same, and what was
// listed without a hash can be read with one.
func TestWithoutHashes(t *testing.T) {
	g := start(t)
	d := g.drive
	id := g.File(d, g.Root(d), "f", []byte("one"))
	src := g.opened()
	hidden := g.Inject(msgraph.Fault{Match: msgraph.On(msgraph.Delta, msgraph.GetItem), Action: msgraph.WithoutHashes()})
	it := g.item(src, "f")
	again := g.item(src, "f")
	stat, err := src.Stat(t.Context(), driver.Scope{}, it.ID)
	if must(t, err); it.Version == "" || it.Version != again.Version || it.Version != stat.Version {
		t.Errorf("versions %q, %q, %q", it.Version, again.Version, stat.Version)
	}
	if got, err := read(t, src, it, 0); err != nil || got != "one" {
		t.Errorf("read %q, %v", got, err)
	}
	hidden.Remove()
	if got, err := read(t, src, it, 0); err != nil || got != "one" {
		t.Errorf("with a hash: read %q, %v", got, err)
	}
	g.Write(d, id, []byte("two"))
	_, err = read(t, src, it, 0)
	kind(t, err, errs.Stale, errs.ScopeObject)
}

// A scope whose folder is gone is an error, and never that all of it is deleted.
func TestTheScopesFolderIsDeleted(t *testing.T) {
	g := start(t)
	d := g.drive
	top := g.Folder(d, g.Root(d), "top")
	f := g.File(d, top, "f", []byte("x"))
	src := g.opened()
	_, cur := all(t, src, "/top", nil)
	g.Delete(d, top)
	_, err := src.Changes(t.Context(), driver.Scope{Path: "/top"}, cur)
	kind(t, err, errs.NotFound, errs.ScopePath)
	_, err = src.Stat(t.Context(), driver.Scope{Path: "/top"}, d+"/"+f)
	kind(t, err, errs.NotFound, errs.ScopePath)
	// Another one of the name is another folder.
	g.Folder(d, g.Root(d), "top")
	_, err = g.opened().Changes(t.Context(), driver.Scope{Path: "/top"}, cur)
	kind(t, err, errs.CursorExpired, errs.ScopePath)
}

func TestALibraryThatIsGone(t *testing.T) {
	g := start(t)
	g.File(g.drive, g.Root(g.drive), "f", []byte("x"))
	src := g.opened()
	it := g.item(src, "f")
	_, cur := all(t, src, "", nil)
	g.RemoveSite(g.site)
	_, err := src.Changes(t.Context(), driver.Scope{}, cur)
	kind(t, err, errs.NotFound, errs.ScopePath)
	_, err = src.Stat(t.Context(), driver.Scope{}, it.ID)
	kind(t, err, errs.NotFound, errs.ScopePath)
	_, err = g.opened().Check(t.Context(), "")
	kind(t, err, errs.NotFound, errs.ScopeConnection)
}

func TestACursorIsBoundToWhoAsks(t *testing.T) {
	g := start(t)
	g.File(g.drive, g.Root(g.drive), "f", []byte("x"))
	g.App(tenant, "another", secretly)
	_, cur := all(t, g.opened(), "", nil)
	src := g.open(map[string]any{"site_id": g.site, "credentials": map[string]any{
		"type": "client_credentials", "tenant_id": tenant, "client_id": "another", "client_secret": secretly,
	}})
	_, err := src.Changes(t.Context(), driver.Scope{}, cur)
	kind(t, err, errs.CursorExpired, errs.ScopePath)
	for _, secret := range []string{secretly, "_layouts", "access_token"} {
		if strings.Contains(string(cur), secret) {
			t.Errorf("the cursor holds %q", secret)
		}
	}
	var c map[string]any
	must(t, json.Unmarshal(cur, &c))
	c["l"] = "http://127.0.0.1:1/v1.0/steal"
	forged, _ := json.Marshal(c)
	_, err = g.opened().Changes(t.Context(), driver.Scope{}, forged)
	kind(t, err, errs.CursorExpired, errs.ScopePath)
}

// Answers that are not Graph's never pass for an empty library.
func TestStrangeAnswers(t *testing.T) {
	for name, body := range map[string]string{
		"html": "<html>", "no value": `{"@odata.deltaLink":"%s/v1.0/x"}`, "no link": `{"value":[]}`, "half": `{"value":[`,
		"foreign next": `{"value":[],"@odata.nextLink":"https://elsewhere.example/v1.0/x"}`, "foreign delta": `{"value":[],"@odata.deltaLink":"https://elsewhere.example/x"}`,
		"user in link": `{"value":[],"@odata.nextLink":"http://a:b@127.0.0.1/x"}`, "no id": `{"value":[{"name":"x"}],"@odata.deltaLink":"%s/v1.0/x"}`,
	} {
		t.Run(name, func(t *testing.T) {
			var base string
			src, url := stub(t, func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/root") {
					fmt.Fprint(w, root)
				} else {
					fmt.Fprint(w, strings.ReplaceAll(body, "%s", base))
				}
			})
			base = url
			_, err := src.Changes(t.Context(), driver.Scope{}, nil)
			kind(t, err, errs.Corrupt, errs.ScopePath)
		})
	}
}

// What has neither a name nor a deleted facet is not there: an item that lives
// has a name. It counts as gone, which is confirmed before anything is deleted.
func TestAnItemWithoutAName(t *testing.T) {
	var base string
	src, url := stub(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/root") {
			fmt.Fprint(w, root)
		} else {
			fmt.Fprintf(w, `{"value":[{"id":"root1","root":{},"folder":{}},{"id":"i1","file":{}},{"id":"i2","folder":{},"deleted":{}}],"@odata.deltaLink":"%s/v1.0/x"}`, base)
		}
	})
	base = url
	p, err := src.Changes(t.Context(), driver.Scope{}, nil)
	must(t, err)
	if len(p.Changes) != 2 || !p.Changes[0].Gone || !p.Changes[1].Gone || !p.Changes[1].Item.Folder || p.Changes[1].Item.ID != "b!d/i2" {
		t.Errorf("%+v", p.Changes)
	}
}

// A link that Graph gave and then can't read is as good as lost; the first request
// of an enumeration has none to lose.
func TestALinkThatGraphCannotRead(t *testing.T) {
	var base string
	src, url := stub(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/root"):
			fmt.Fprint(w, root)
		case strings.HasSuffix(r.URL.Path, "/delta"):
			fmt.Fprintf(w, `{"value":[{"id":"s1","name":"shortcut","folder":{},"remoteItem":{}}],"@odata.deltaLink":"%s/v1.0/bad"}`, base)
		default:
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"error":{"code":"invalidRequest"}}`)
		}
	})
	base = url
	p, err := src.Changes(t.Context(), driver.Scope{}, nil)
	must(t, err)
	if it := p.Changes[0].Item; it.Folder || it.Skip != "remote_item" {
		t.Errorf("a shortcut to a folder: %+v", it)
	}
	_, err = src.Changes(t.Context(), driver.Scope{}, p.Next)
	kind(t, err, errs.CursorExpired, errs.ScopePath)
	if _, err = src.Browse(t.Context(), "", "JHNraXB0b2tlbj14", 10); !errs.Is(err, errs.CursorExpired) || errs.From(err).Origin != errs.Ours {
		t.Errorf("a page of a listing that Graph can't read: %v", err)
	}
}

func TestEmptyPages(t *testing.T) {
	g := start(t)
	for i := range 6 {
		g.File(g.drive, g.Root(g.drive), fmt.Sprint(i), []byte("x"))
	}
	src := g.opened()
	g.Inject(msgraph.Fault{Match: msgraph.On(msgraph.Delta), Action: msgraph.PageAtMost(2)})
	g.Inject(msgraph.Fault{Match: msgraph.On(msgraph.Delta), Times: 4, Action: msgraph.EmptyPage()})
	if changes, _ := all(t, src, "", nil); len(changes) != 6 {
		t.Errorf("%d changes, want 6", len(changes))
	}
	g.Inject(msgraph.Fault{Match: msgraph.On(msgraph.Delta), Action: msgraph.EmptyPage()})
	p, err := src.Changes(t.Context(), driver.Scope{}, nil)
	must(t, err)
	_, err = src.Changes(t.Context(), driver.Scope{}, p.Next)
	kind(t, err, errs.Corrupt, errs.ScopePath)
}
