package sharepoint_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"mooring/emulator/msgraph"
	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// sample fills a library so that its files tell where they are.
func (g *graph) sample(drive, mark string) (folder string) {
	root := g.Root(drive)
	g.File(drive, root, mark+"-root", []byte(mark))
	folder = g.Folder(drive, root, "50% & more")
	g.File(drive, folder, mark+"-folder", []byte(mark))
	sub := g.Folder(drive, folder, "it's + é #1")
	g.File(drive, sub, mark+"-sub", []byte(mark))
	return folder
}

// inside lists the names that Parent says are directly in the scope's folder.
func inside(changes []driver.Change) (out []string) {
	for _, c := range changes {
		if c.Item.Parent == "" && !c.Item.Folder {
			out = append(out, c.Item.Name)
		}
	}
	return out
}

func TestPlaces(t *testing.T) {
	g := start(t)
	folder := g.sample(g.drive, "finance")
	archive := g.Library(g.site, "Archive 2020")
	inArchive := g.sample(archive, "archive")
	top := g.Drive(g.Site(tenant, host, ""))
	g.sample(top, "root")
	teams := g.Drive(g.Site(tenant, host, "/teams/hr"))
	g.sample(teams, "hr")
	own := g.User(tenant, "ada@contoso.com")
	g.sample(own, "ada")
	refresh := func() string { return g.Consent(tenant, client, "ada@contoso.com") }

	const name, sub = "50% & more", "it's + é #1"
	site := map[string]any{"site_id": g.site}
	for _, c := range []struct {
		what   string
		config map[string]any
		path   string
		want   string
	}{
		{"triple", site, "", "finance-root"},
		{"slash", site, "/", "finance-root"},
		{"URL", map[string]any{"site_id": "https://" + host + "/sites/Finance"}, "", "finance-root"},
		{"URL of the root site", map[string]any{"site_id": "https://" + host + "/"}, "", "root-root"},
		{"host and path", map[string]any{"site_id": host + ":/teams/hr"}, "", "hr-root"},
		{"root", map[string]any{"site_id": "root"}, "", "root-root"},
		{"drive", map[string]any{"drive_id": archive}, "", "archive-root"},
		{"drive of a site", map[string]any{"site_id": g.site, "drive_id": archive}, "", "archive-root"},
		{"folder_path", map[string]any{"site_id": g.site, "folder_path": name}, "", "finance-folder"},
		{"folder_path, slash", map[string]any{"site_id": g.site, "folder_path": "/" + name + "/"}, "", "finance-folder"},
		{"own", delegated(refresh()), "", "ada-root"},
		{"own, path", delegated(refresh()), "/" + name, "ada-folder"},
		{"path", site, "/" + name, "finance-folder"},
		{"path, slash at its end", site, "/" + name + "/" + sub + "/", "finance-sub"},
		{"path without slash", site, name + "/" + sub, "finance-sub"},
		{"path in any case", site, "/" + strings.ToUpper(name), "finance-folder"},
		{"one name", site, name, "finance-folder"},
		{"item", site, folder, "finance-folder"},
		{"item of another drive", site, archive + "/" + inArchive, "archive-folder"},
		{"root of another drive", site, archive + "/root", "archive-root"},
		{"site", map[string]any{}, "/sites/Finance", "finance-root"},
		{"site and library", map[string]any{}, "/sites/Finance/Archive 2020", "archive-root"},
		{"site, library and folder", map[string]any{}, "/sites/Finance/Archive 2020/" + name + "/" + sub, "archive-sub"},
		{"team and library as addressed", map[string]any{}, "/teams/hr/Documents", "hr-root"},
		{"another site than configured", site, "/teams/hr", "hr-root"},
		{"another site, by URL", map[string]any{"site_id": host + ":/sites/Finance"}, "/teams/hr/documents", "hr-root"},
	} {
		t.Run(c.what, func(t *testing.T) {
			src := g.open(c.config)
			g.ResetRequests()
			p, err := src.Changes(t.Context(), driver.Scope{Path: c.path}, nil)
			must(t, err)
			if n := g.Count() - g.Count(msgraph.Token, msgraph.Delta); n > 4 {
				t.Errorf("%d requests to find it", n)
			}
			if got := inside(p.Changes); !slices.Equal(got, []string{c.want}) {
				t.Errorf("inside are %q, want %q", got, c.want)
			}
			g.ResetRequests()
			_, err = g.open(c.config).Check(t.Context(), c.path)
			must(t, err)
			// An application without a site has to learn the tenant's host first.
			if n := g.Count(); n > 4 || n > 3 && (c.path == "" || c.config["site_id"] != nil) {
				t.Errorf("Check took %d requests", n)
			}
			it := named(t, p.Changes, c.want)
			stat, err := src.Stat(t.Context(), driver.Scope{Path: c.path}, it.ID)
			if must(t, err); stat.Parent != "" {
				t.Errorf("Stat: %+v", stat)
			}
		})
	}
}

func TestWrongPlaces(t *testing.T) {
	g := start(t)
	g.sample(g.drive, "finance")
	file := g.File(g.drive, g.Root(g.drive), "file.txt", []byte("x"))
	site := map[string]any{"site_id": g.site}
	conn, path := errs.ScopeConnection, errs.ScopePath
	for _, c := range []struct {
		what   string
		config map[string]any
		path   string
		kind   errs.Kind
		scope  errs.Scope
	}{
		{"nothing configured", map[string]any{}, "", errs.Invalid, path},
		{"nothing configured, path", map[string]any{}, "/A", errs.Invalid, path},
		{"no such site configured", map[string]any{"site_id": host + ":/sites/no"}, "", errs.NotFound, conn},
		{"no such drive configured", map[string]any{"drive_id": "b!no"}, "", errs.NotFound, conn},
		{"no such folder configured", map[string]any{"site_id": g.site, "folder_path": "no"}, "", errs.NotFound, conn},
		{"no such folder", site, "/no", errs.NotFound, path},
		{"no such item or folder", site, "01NOSUCHITEM", errs.NotFound, path},
		{"no such site", site, "/sites/no/Documents", errs.NotFound, path},
		{"no such library", site, "/sites/Finance/no", errs.NotFound, path},
		{"no such folder there", site, "/sites/Finance/Documents/no", errs.NotFound, path},
		{"a file", site, "/file.txt", errs.Invalid, path},
		{"a file by its id", site, file, errs.Invalid, path},
		{"only /sites", site, "/sites", errs.Invalid, path},
		{"dots", site, "/A/../B", errs.Invalid, path},
		{"empty name", site, "/A//B", errs.Invalid, path},
		{"colon", site, "/A:/children", errs.Invalid, path},
		{"question", site, "A?x=1", errs.Invalid, path},
		{"control", site, "/A\nB", errs.Invalid, path},
		{"no UTF-8", site, "/\xff", errs.Invalid, path},
		{"long", site, "/" + strings.Repeat("x", 3000), errs.Invalid, path},
	} {
		t.Run(c.what, func(t *testing.T) {
			_, err := g.open(c.config).Changes(t.Context(), driver.Scope{Path: c.path}, nil)
			kind(t, err, c.kind, c.scope)
		})
	}
}

func TestLibrariesOfOneName(t *testing.T) {
	src, _ := stub(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/sites/root"):
			_, _ = w.Write([]byte(`{"id":"contoso.sharepoint.com,1,2"}`))
		case r.URL.Query().Get("page") == "2":
			_, _ = w.Write([]byte(`{"value":[{"id":"b!2","name":"twice"},{"id":"b!3","name":"Dokumente","webUrl":"https://contoso.sharepoint.com/sites/S/Shared%20Documents"}]}`))
		case strings.HasSuffix(r.URL.Path, "/drives"):
			_, _ = w.Write([]byte(`{"value":[{"id":"b!1","name":"Twice"}],"@odata.nextLink":"http://` + r.Host + r.URL.EscapedPath() + `?page=2"}`))
		case strings.HasSuffix(r.URL.Path, "/drives/b!3/root"):
			_, _ = w.Write([]byte(strings.ReplaceAll(root, "b!d", "b!3")))
		default:
			w.WriteHeader(404)
		}
	})
	_, err := src.Check(t.Context(), "/sites/S/twice")
	kind(t, err, errs.Invalid, errs.ScopePath)
	r, err := src.Check(t.Context(), "/sites/S/Shared Documents")
	if must(t, err); r.Details["drive_id"] != "b!3" {
		t.Errorf("found %v", r.Details)
	}
}

func TestCheckWithoutALibrary(t *testing.T) {
	g := start(t)
	g.Site(tenant, host, "")
	r, err := g.open(map[string]any{}).Check(t.Context(), "")
	if must(t, err); r.Details["note"] != nil {
		t.Errorf("%+v", r)
	}
	g.App(tenant, client, secretly, "Sites.Selected")
	r, err = g.open(map[string]any{}).Check(t.Context(), "")
	if must(t, err); r.Details["note"] == nil {
		t.Errorf("of a denial nothing is said: %+v", r)
	}
	// The selected site is readable, others are not.
	g.Grant(tenant, client, g.site)
	_, err = g.opened().Check(t.Context(), "")
	must(t, err)
	hr := g.Site(tenant, host, "/teams/hr")
	_, err = g.open(map[string]any{"site_id": hr}).Check(t.Context(), "")
	if e := kind(t, err, errs.PermissionDenied, errs.ScopeConnection); e.Code != "accessDenied" {
		t.Errorf("code %q", e.Code)
	}
}

// Stat decides by folders, not by how their path is written.
func TestStatOfWhatIsBeside(t *testing.T) {
	g := start(t)
	d, root := g.drive, g.Root(g.drive)
	top := g.Folder(d, root, "a%20b")
	in := g.File(d, g.Folder(d, top, "sub"), "in", []byte("x"))
	out := g.File(d, g.Folder(d, root, "a%20b-not"), "out", []byte("x"))
	src := g.opened()
	scope := driver.Scope{Path: "/a%20b"}
	_, err := src.Stat(t.Context(), scope, d+"/"+in)
	must(t, err)
	for _, id := range []string{d + "/" + out, d + "/" + root, d + "/" + top, "b!other/" + in, "nonsense", "", d + "/"} {
		_, err = src.Stat(t.Context(), scope, id)
		kind(t, err, errs.NotFound, errs.ScopeObject)
	}
	// The folder gets another name while a source knows it by the old one.
	g.Rename(d, top, "new name")
	it, err := src.Stat(t.Context(), scope, d+"/"+in)
	if must(t, err); it.Name != "in" {
		t.Errorf("%+v", it)
	}
}

func TestBrowseFromSitesToFiles(t *testing.T) {
	g := start(t)
	g.sample(g.drive, "finance")
	g.Library(g.site, "Archive")
	g.Site(tenant, host, "/teams/hr")
	g.Site(tenant, host, "")
	src := g.open(map[string]any{})
	step := func(path string, want ...string) (ids map[string]string) {
		t.Helper()
		l, err := src.Browse(t.Context(), path, "", 100)
		must(t, err)
		var got []string
		ids = map[string]string{}
		for _, it := range l.Items {
			got = append(got, it.Path)
			ids[it.Path] = it.ID
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("below %q are %q, want %q", path, got, want)
		}
		return ids
	}
	step("", "/sites/Finance", "/teams/hr")
	step("/sites", "/sites/Finance", "/teams/hr")
	libraries := step("/sites/Finance", "/sites/Finance/Archive", "/sites/Finance/Documents")
	folders := step("/sites/Finance/Documents", "/sites/Finance/Documents/50% & more", "/sites/Finance/Documents/finance-root")
	step("/sites/Finance/Documents/50% & more", "/sites/Finance/Documents/50% & more/finance-folder", "/sites/Finance/Documents/50% & more/it's + é #1")
	// Ids lead to the same places as paths, as sources too.
	for _, path := range []string{libraries["/sites/Finance/Documents"], folders["/sites/Finance/Documents/50% & more"]} {
		l, err := src.Browse(t.Context(), path, "", 100)
		if must(t, err); len(l.Items) != 2 {
			t.Errorf("below %s are %+v", path, l.Items)
		}
		_, err = src.Check(t.Context(), path)
		must(t, err)
	}
	if l, err := g.open(map[string]any{"site_id": g.site, "folder_path": "50% & more"}).Browse(t.Context(), "", "", 1); err != nil || len(l.Items) != 1 || l.Next == "" {
		t.Errorf("%+v, %v", l, err)
	}
}

func TestBrowseWithAForeignPage(t *testing.T) {
	g := start(t)
	g.sample(g.drive, "finance")
	src := g.opened()
	for _, page := range []string{"!", "x", "aHR0cHM6Ly9lbHNld2hlcmU_eD0x", strings.Repeat("A", 4)} {
		if _, err := src.Browse(t.Context(), "/50% & more", page, 10); err != nil && !errs.Is(err, errs.CursorExpired) {
			t.Errorf("page %q: %v", page, err)
		}
	}
	if _, err := src.Browse(t.Context(), "/a//b", "", 10); !errs.Is(err, errs.Invalid) || errs.From(err).Origin != errs.Ours {
		t.Errorf("a path that is none: %v", err)
	}
}
