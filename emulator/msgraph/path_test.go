package msgraph_test

import (
	"net/url"
	"strings"
	"testing"
)

func TestAddresses(t *testing.T) {
	w := newWorld(t)
	w.s.Site(tenant, host, "")
	sub := w.s.Site(tenant, host, "/teams/x/below")
	docs := w.s.Folder(w.drive, w.root, "My docs")
	quoted := w.s.File(w.drive, docs, "items('a')", nil)
	file := w.s.File(w.drive, docs, "100% #1 & ü 日本.txt", []byte("x"))
	library := w.s.Library(w.site, "Archive")
	d, name := "/drives/"+w.drive, url.PathEscape("100% #1 & ü 日本.txt")
	triple := strings.Split(w.site, ",")
	if len(triple) != 3 || triple[0] != host || !strings.HasPrefix(w.drive, "b!") {
		t.Errorf("the site is %s, the drive %s", w.site, w.drive)
	}
	for path, id := range map[string]string{
		"/sites/" + host + ":/teams/x":                        w.site,
		"/sites/" + host + ":/TEAMS/X:":                       w.site,
		"/sites/" + host + "%3A%2Fteams%2Fx":                  w.site,
		"/sites/" + w.site:                                    w.site,
		"/sites/" + url.PathEscape(w.site):                    w.site,
		"/sites/" + triple[2]:                                 w.site,
		"/sites/" + host + ":/teams/x/below":                  sub,
		"/sites/root":                                         w.s.Site(tenant, host, ""),
		"/sites/" + host:                                      w.s.Site(tenant, host, ""),
		"/sites/" + host + ":/teams/x:/drive":                 w.drive,
		"/sites/" + w.site + "/drive":                         w.drive,
		"/sites/" + w.site + "/drives/" + library:             library,
		"/sites/" + w.site + "/drive/root":                    w.root,
		"/sites/" + host + ":/teams/x:/drive/root:/My%20docs": docs,
		d: w.drive,
		"/drives('" + w.drive + "')/items('" + docs + "')":          docs,
		d + "/root:/My%20docs/items('a')":                           quoted,
		d + "/root":                                                 w.root,
		d + "/items/root":                                           w.root,
		d + "/items/" + docs:                                        docs,
		d + "/root:/My%20docs":                                      docs,
		d + "/root:/my%20DOCS:":                                     docs,
		d + "/root:/My%20docs/" + name:                              file,
		d + "/root:/My%20docs/" + name + ":":                        file,
		d + "/items/" + docs + ":/" + name:                          file,
		d + "/items/" + docs + ":/" + name + ":":                    file,
		d + "/items/root%3A%2FMy%20docs%2F" + name + "%3A":          file,
		"/users/" + user + "/drive":                                 w.s.User(tenant, user),
		"/drives/" + w.s.User(tenant, user) + "/items/root":         w.s.Root(w.s.User(tenant, user)),
		d + "/items/" + docs + "?$select=id,name&$unknown_is=%20no": "",
	} {
		if id == "" {
			w.want(501, path)
			continue
		}
		if r := w.want(200, path); r.str("id") != id {
			t.Errorf("%s is %s, want %s", path, r.str("id"), id)
		}
	}
	for _, path := range []string{
		"/sites/" + host + ":/teams/y", "/sites/nobody", "/drives/b!nothing", "/drives/" + strings.ToUpper(w.drive),
		d + "/items/01NOTHING", d + "/root:/nothing", d + "/root:/My%20docs/nothing:/children", "/users/nobody@contoso.example/drive",
	} {
		w.want(404, path)
	}
	for _, path := range []string{"/", "/drives", d + "/nonsense", d + "/items/" + docs + "/thumbnails", "/me/drive"} {
		w.want(400, path)
	}
	if r := w.get(w.s.URL + "/v2.0/drives/" + w.drive); r.status != 400 {
		t.Errorf("another version: %d", r.status)
	}
}

func TestChildrenByPages(t *testing.T) {
	w := newWorld(t)
	docs := w.s.Folder(w.drive, w.root, "docs")
	for _, name := range []string{"c", "B", "a", "d", "E"} {
		w.s.File(w.drive, docs, name, []byte(name))
	}
	for _, at := range []string{"/items/" + docs, "/root:/docs:"} {
		link, names := "/drives/"+w.drive+at+"/children?$top=2&$select=id,name", ""
		for pages := 0; link != "" && pages < 9; pages++ {
			r := w.want(200, link)
			for _, e := range r.values() {
				names += e["name"].(string)
				if e["size"] != nil || e["id"] == nil {
					t.Errorf("selected: %v", e)
				}
			}
			link = r.str("@odata.nextLink")
		}
		if names != "aBcdE" {
			t.Errorf("the names are %s", names)
		}
	}
	w.want(400, "/drives/"+w.drive+"/root/children?$top=none")
	w.want(501, "/drives/"+w.drive+"/root/children?$filter=x")
}

func TestItems(t *testing.T) {
	c := newClock()
	w := newWorldAt(t, c)
	docs := w.s.Folder(w.drive, w.root, "docs")
	file := w.s.File(w.drive, docs, "a.txt", []byte("Jolly"))
	get := func(id string) reply { return w.want(200, "/drives/"+w.drive+"/items/"+id) }
	f := get(file)
	for _, tc := range []struct {
		want any
		path []string
	}{
		{"a.txt", []string{"name"}}, {5.0, []string{"size"}}, {"text/plain; charset=utf-8", []string{"file", "mimeType"}},
		{w.drive, []string{"parentReference", "driveId"}}, {"documentLibrary", []string{"parentReference", "driveType"}},
		{docs, []string{"parentReference", "id"}}, {"/drives/" + w.drive + "/root:/docs", []string{"parentReference", "path"}},
		{strings.Split(w.site, ",")[1], []string{"parentReference", "siteId"}},
		{"2026-11-23T12:00:00Z", []string{"lastModifiedDateTime"}}, {nil, []string{"folder"}}, {nil, []string{"deleted"}},
	} {
		if got := dig(f.body, tc.path...); got != tc.want {
			t.Errorf("%v is %v, want %v", tc.path, got, tc.want)
		}
	}
	folder := get(docs)
	if dig(folder.body, "folder", "childCount") != 1.0 || folder.body["cTag"] != nil || folder.body["size"] != 5.0 {
		t.Errorf("the folder is %s", folder.text)
	}
	w.s.Rename(w.drive, file, "b.txt")
	renamed := get(file)
	if renamed.str("eTag") == f.str("eTag") || renamed.str("cTag") != f.str("cTag") {
		t.Errorf("after the renaming: %s, %s", renamed.str("eTag"), renamed.str("cTag"))
	}
	w.s.Write(w.drive, file, []byte("Roger!"))
	if size := get(docs).body["size"]; size != 6.0 {
		t.Errorf("the folder has %v bytes", size)
	}
	if written := get(file); written.str("cTag") == f.str("cTag") || dig(written.body, "file", "hashes", "quickXorHash") == dig(f.body, "file", "hashes", "quickXorHash") {
		t.Errorf("after the writing: %s", written.text)
	}
	notes := get(w.s.Package(w.drive, w.root, "Notes", "oneNote"))
	if notes.body["file"] != nil || notes.body["folder"] != nil || dig(notes.body, "package", "type") != "oneNote" {
		t.Errorf("the package is %s", notes.text)
	}
	other := w.s.Library(w.site, "Other")
	target := w.s.Folder(other, w.s.Root(other), "target")
	remote := get(w.s.RemoteItem(w.drive, w.root, "short", other, target))
	if remote.body["folder"] != nil || dig(remote.body, "remoteItem", "id") != target || dig(remote.body, "remoteItem", "parentReference", "driveId") != other {
		t.Errorf("the shortcut is %s", remote.text)
	}
	w.s.Share(w.drive, file, "eve@elsewhere.example")
	if get(file).body["shared"] == nil || len(w.want(200, "/drives/"+w.drive+"/items/"+file+"/permissions").values()) != 2 {
		t.Error("sharing does not show")
	}
	w.s.Unshare(w.drive, file, "eve@elsewhere.example")
	if get(file).body["shared"] != nil {
		t.Error("sharing does not end")
	}
}
