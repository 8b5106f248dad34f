package sharepoint_test

import (
	"io"
	"net/netip"
	"path"
	"strings"
	"testing"
	"time"

	"mooring/emulator/msgraph"
	"mooring/internal/connection/config"
	"mooring/internal/errs"
	"mooring/internal/outbound"
	"mooring/internal/provider"
	"mooring/internal/provider/driver"
	"mooring/internal/provider/providertest"
	"mooring/internal/provider/sharepoint"
)

const (
	tenant   = "contoso.onmicrosoft.com"
	client   = "11111111-2222-3333-4444-555555555555"
	secretly = "s3cr3t~value.of-the-client"
	host     = "contoso.sharepoint.com"
	bodyText = "text of the provider's body"
	page     = 5
)

// graph is an emulator with an application and a site.
type graph struct {
	*msgraph.Server
	t     testing.TB
	site  string
	drive string
	guard *outbound.Guard
}

func start(t testing.TB, o ...msgraph.Options) *graph {
	t.Helper()
	s := msgraph.Start(t, o...)
	s.Tenant(tenant)
	s.App(tenant, client, secretly)
	g := &graph{Server: s, t: t, guard: outbound.New(outbound.Options{AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})}
	t.Cleanup(g.guard.Close)
	g.site = s.Site(tenant, host, "/sites/Finance")
	g.drive = s.Drive(g.site)
	t.Cleanup(func() {
		for _, v := range s.Violations() {
			t.Errorf("request %d: %s", v.Request, v.Rule)
		}
	})
	return g
}

// options are what an adapter gets on the emulator.
func (g *graph) options() driver.Options {
	return driver.Options{
		Transport: g.guard, Endpoints: map[string]string{"api": g.API(), "token": g.LoginURL()}, Tokens: provider.NewTokens(time.Now), Now: time.Now,
	}
}

// decode reads a provider_config.
func decode(t testing.TB, fields map[string]any) config.Config {
	t.Helper()
	if fields["credentials"] == nil {
		fields["credentials"] = map[string]any{"type": "client_credentials", "tenant_id": tenant, "client_id": client, "client_secret": secretly}
	}
	c, err := config.Decode("sharepoint", fields, errs.NewFields("provider_config"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (g *graph) open(fields map[string]any) driver.Source {
	g.t.Helper()
	src, err := sharepoint.Open(g.t.Context(), decode(g.t, fields), g.options())
	if err != nil {
		g.t.Fatal(err)
	}
	return src
}

// opened is the usual source: the default library of the site.
func (g *graph) opened() driver.Source { return g.open(map[string]any{"site_id": g.site}) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// all follows a scope from a cursor to its end.
func all(t testing.TB, src driver.Source, scope string, cur driver.Cursor) (out []driver.Change, next driver.Cursor) {
	t.Helper()
	for {
		p, err := src.Changes(t.Context(), driver.Scope{Path: scope}, cur)
		must(t, err)
		out = append(out, p.Changes...)
		if cur = p.Next; !p.More {
			return out, cur
		}
	}
}

// named returns the one item of a name.
func named(t testing.TB, changes []driver.Change, name string) driver.Item {
	t.Helper()
	for _, c := range changes {
		if c.Item.Name == name {
			return c.Item
		}
	}
	t.Fatalf("there is no %q", name)
	return driver.Item{}
}

func (g *graph) item(src driver.Source, name string) driver.Item {
	g.t.Helper()
	changes, _ := all(g.t, src, "", nil)
	return named(g.t, changes, name)
}

func read(t testing.TB, src driver.Source, it driver.Item, off int64) (string, error) {
	t.Helper()
	r, err := src.Open(t.Context(), it, off)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(r)
	_ = r.Close()
	return string(b), err
}

// kind checks an error's kind and scope.
func kind(t testing.TB, err error, k errs.Kind, s errs.Scope) errs.Error {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %v", k)
	}
	e := errs.From(err)
	if e.Kind != k || e.Scope != s || e.Origin != errs.Provider {
		t.Errorf("%v: %v, scope %q, origin %v; want %v, %q", err, e.Kind, e.Scope, e.Origin, k, s)
	}
	return *e
}

// tree names items of a library by path.
type tree struct {
	*graph
	ids map[string]string
}

func (tr *tree) folder(p string) string {
	if id, ok := tr.ids[p]; ok {
		return id
	}
	dir, name := path.Split(p)
	tr.ids[p] = tr.Folder(tr.drive, tr.folder(strings.TrimSuffix(dir, "/")), name)
	return tr.ids[p]
}

func (tr *tree) put(_ testing.TB, p string, content []byte) {
	if id, ok := tr.ids[p]; ok {
		tr.Write(tr.drive, id, content)
		return
	}
	dir, name := path.Split(p)
	tr.ids[p] = tr.File(tr.drive, tr.folder(strings.TrimSuffix(dir, "/")), name, content)
}

func (tr *tree) remove(_ testing.TB, p string) {
	tr.Delete(tr.drive, tr.ids[p])
	delete(tr.ids, p)
}

var api = msgraph.On(msgraph.SearchSites, msgraph.GetSite, msgraph.ListDrives, msgraph.GetDrive, msgraph.GetItem, msgraph.ListChildren,
	msgraph.Delta, msgraph.GetContent, msgraph.ListPermissions)

func (g *graph) fail(_ testing.TB, k errs.Kind) bool {
	reply, ok := map[errs.Kind]msgraph.Error{
		errs.Unauthenticated:  {Code: "InvalidAuthenticationToken"},
		errs.PermissionDenied: {Code: "accessDenied"},
		errs.NotFound:         {Code: "itemNotFound"},
		errs.Throttled:        {Code: "activityLimitReached", Inner: []string{"throttledRequest", "quota"}},
		errs.Unavailable:      {Code: "serviceNotAvailable"},
	}[k]
	reply.Message = bodyText + " " + secretly
	g.ClearFaults()
	g.Inject(msgraph.Fault{Match: api, Action: msgraph.Reply(reply)})
	return ok
}

func TestConformance(t *testing.T) {
	var odd []string
	for _, n := range providertest.OddNames {
		if !strings.ContainsAny(n, "\"*:<>?\\|\t\n\r\x01\x7f") && !strings.Contains(n, "..") && !strings.Contains(n, "//") && !strings.HasPrefix(n, "./") {
			odd = append(odd, n)
		}
	}
	for name, o := range map[string]func(*msgraph.Options){
		"documented": func(*msgraph.Options) {}, "folders only": func(o *msgraph.Options) { o.DeleteFolderOnly = true },
		"paths in deltas": func(o *msgraph.Options) { o.DeltaWithoutPath = false },
	} {
		t.Run(name, func(t *testing.T) {
			providertest.Run(t, func(t *testing.T) providertest.Harness {
				opts := msgraph.Documented()
				o(&opts)
				g := start(t, opts)
				root := g.Root(g.drive)
				top, out := g.Folder(g.drive, root, "top"), g.Folder(g.drive, root, "elsewhere")
				g.File(g.drive, out, "beside", []byte("not of the scope"))
				tr := &tree{g, map[string]string{"": top}}
				opener := g.options()
				return providertest.Harness{
					Open: func(t testing.TB) driver.Source {
						src, err := sharepoint.OpenPaged(decode(t, map[string]any{"site_id": g.site}), opener, page)
						must(t, err)
						return src
					},
					Scope: driver.Scope{Path: "/top"}, Outside: &driver.Scope{Path: "/elsewhere"}, Missing: "/no/such",
					Put: tr.put, Delete: tr.remove, PageSize: page, Odd: odd, Folders: true, Feed: true, Unordered: true,
					Requests: func() int { return g.Count() }, Fail: g.fail, BodyText: bodyText, Secret: secretly,
					Break: func(_ testing.TB, name string, n int64) {
						g.Inject(msgraph.Fault{Match: msgraph.Match{Operations: []msgraph.Operation{msgraph.Download}, Item: tr.ids[name]}, Times: 1, Action: msgraph.ShortBody(n)})
					},
					Block: func(_ testing.TB, started func()) {
						g.Inject(msgraph.Fault{Match: api, Action: msgraph.Do(msgraph.Run(started), msgraph.Wait(nil))})
					},
					ExpireCursors: func(testing.TB) { g.ExpireDeltas("resyncRequired") },
					Rename:        func(_ testing.TB, folder, name string) { g.Rename(g.drive, tr.ids[folder], name) },
					MoveOut:       func(_ testing.TB, name string) { g.Move(g.drive, tr.ids[name], out) },
					MoveIn: func(_ testing.TB, name string) {
						g.Move(g.drive, tr.ids[name], tr.folder(strings.TrimSuffix(strings.TrimPrefix(path.Dir("/"+name), "/"), "/")))
					},
				}
			})
		})
	}
}
