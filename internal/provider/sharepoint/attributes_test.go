package sharepoint_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"mooring/emulator/msgraph"
	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

func attributes(t testing.TB, src driver.Source, it driver.Item, want driver.Want) driver.Attributes {
	t.Helper()
	out, err := src.(driver.Attributer).Attributes(t.Context(), it, want)
	must(t, err)
	return out
}

func TestProperties(t *testing.T) {
	g := start(t)
	g.File(g.drive, g.Root(g.drive), "f.txt", []byte("content"))
	src := g.opened()
	it := g.item(src, "f.txt")
	p := attributes(t, src, it, driver.Want{Properties: true}).Properties
	if p["name"] != "f.txt" || p["size"] != int64(7) || !strings.HasPrefix(p["webUrl"].(string), "https://"+host) || p["createdDateTime"] == nil || p["permissions"] != nil {
		t.Errorf("%v", p)
	}
	if g.Count(msgraph.ListPermissions) != 0 {
		t.Error("permissions were read though nobody asked")
	}
}

func TestPermissions(t *testing.T) {
	g := start(t)
	id := g.File(g.drive, g.Root(g.drive), "f.txt", []byte("content"))
	g.Share(g.drive, id, "eve@contoso.com")
	src := g.opened()
	text, _ := json.Marshal(attributes(t, src, g.item(src, "f.txt"), driver.Want{Permissions: true}).Properties["permissions"])
	if !strings.Contains(string(text), `{"grantedTo":[{"email":"eve@contoso.com","name":"eve@contoso.com","type":"user"}],"inherited":false,"roles":["read"]}`) {
		t.Errorf("%s", text)
	}
	g.Inject(msgraph.Fault{Match: msgraph.On(msgraph.ListPermissions), Action: msgraph.ReplyCode("accessDenied")})
	_, err := src.(driver.Attributer).Attributes(t.Context(), g.item(src, "f.txt"), driver.Want{Permissions: true})
	kind(t, err, errs.PermissionDenied, errs.ScopeObject)
}

// A sharing link lets whoever has it in: it is not told.
func TestPermissionsWithoutLinks(t *testing.T) {
	src, _ := stub(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/permissions") {
			_, _ = w.Write([]byte(`{"value":[{"id":"1","roles":["write"],"shareId":"u!s","link":{"scope":"anonymous","type":"edit","webUrl":"https://contoso.sharepoint.com/:x:/g/SECRET"},
				"grantedToIdentitiesV2":[{"siteUser":{"id":"7","loginName":"i:0#.f|membership|x"}}],"inheritedFrom":{"id":"p"}}]}`))
			return
		}
		_, _ = w.Write([]byte(`{"id":"i","name":"f","size":3,"eTag":"e","file":{}}`))
	})
	text, _ := json.Marshal(attributes(t, src, driver.Item{ID: "b!d/i", Version: "ee:3"}, driver.Want{Permissions: true}).Properties["permissions"])
	want := `[{"grantedTo":[{"id":"7","login":"i:0#.f|membership|x","type":"user"}],"inherited":true,"link":{"scope":"anonymous","type":"edit"},"roles":["write"]}]`
	if string(text) != want {
		t.Errorf("%s", text)
	}
}

func TestWalkOfAWideAndDeepFolder(t *testing.T) {
	g := start(t)
	d, root := g.drive, g.Root(g.drive)
	top := g.Folder(d, root, "top")
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		sub := g.Folder(d, top, name)
		g.File(d, g.Folder(d, g.Folder(d, sub, "x"), "y"), name+".txt", []byte(name))
		g.Package(d, sub, "notes", "oneNote")
	}
	src := g.opened()
	files, most := 0, 0
	g.Inject(msgraph.Fault{Match: msgraph.On(msgraph.ListChildren), Action: msgraph.PageAtMost(2)})
	for cur := driver.Cursor(nil); ; {
		p, err := src.(driver.Walker).Walk(t.Context(), driver.Scope{}, d+"/"+top, cur)
		must(t, err)
		for _, c := range p.Changes {
			if !c.Item.Folder {
				files++
			}
		}
		most = max(most, len(p.Next))
		if cur = p.Next; len(cur) == 0 {
			break
		}
	}
	if files != 7 || most > 1500 {
		t.Errorf("%d files, want 7; the longest cursor has %d bytes", files, most)
	}
	// A folder that vanishes meanwhile ends nothing.
	p, err := src.(driver.Walker).Walk(t.Context(), driver.Scope{}, d+"/"+top, nil)
	must(t, err)
	g.Delete(d, top)
	if _, err = src.(driver.Walker).Walk(t.Context(), driver.Scope{}, d+"/"+top, p.Next); err != nil {
		t.Error(err)
	}
	_, err = src.(driver.Walker).Walk(t.Context(), driver.Scope{}, d+"/"+top, driver.Cursor("x"))
	kind(t, err, errs.CursorExpired, errs.ScopePath)
}
