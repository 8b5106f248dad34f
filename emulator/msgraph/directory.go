package msgraph

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// directory is who and what there is: tenants, their apps, users and sites.
type directory struct {
	tenants map[string]*tenant
	sites   []*site
}

type tenant struct {
	id    string
	apps  map[string]*app
	users []*user
}

type app struct {
	id, secret string
	expired    bool // the secret
	roles      []string
	selected   []string // sites, for Sites.Selected
	redirects  []string
}

type user struct {
	id, upn string
	drive   *drive
}

// site is one SharePoint site. Its id is a triple.
type site struct {
	id, tenant, host, path string
	drives                 []*drive // the default library first
}

func newDirectory() directory { return directory{tenants: map[string]*tenant{}} }

// guid derives an id that is the same in every run.
func guid(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func driveID(parts ...string) string {
	sum := sha256.Sum256([]byte("drive\x00" + strings.Join(parts, "\x00")))
	return "b!" + base64.RawURLEncoding.EncodeToString(append(sum[:], sum[:16]...))
}

func itemID(drive string, n int64) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d", drive, n))
	return "01" + base32.StdEncoding.EncodeToString(sum[:20])
}

// Tenant adds a tenant, or finds it.
func (s *Server) Tenant(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tenant(id)
}

func (s *Server) tenant(id string) *tenant {
	t := s.tenants[id]
	if t == nil {
		t = &tenant{id: id, apps: map[string]*app{}}
		s.tenants[id] = t
	}
	return t
}

// App registers an app, or gives it another secret and other roles. The roles are
// application permissions such as Sites.Read.All or Sites.Selected; none means
// Sites.Read.All.
func (s *Server) App(tenant, clientID, secret string, roles ...string) {
	if len(roles) == 0 {
		roles = []string{"Sites.Read.All"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tenant(tenant)
	a := t.apps[clientID]
	if a == nil {
		a = &app{id: clientID}
		t.apps[clientID] = a
	}
	a.secret, a.roles, a.expired = secret, roles, false
}

// RedirectURI registers where authorize may send codes of an app. Until one is
// registered, any address will do.
func (s *Server) RedirectURI(tenant, clientID, uri string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.app(tenant, clientID)
	a.redirects = append(a.redirects, uri)
}

// ExpireSecret makes the secret of an app expire (AADSTS7000222).
func (s *Server) ExpireSecret(tenant, clientID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.app(tenant, clientID).expired = true
}

// RemoveApp takes an app out of its tenant (AADSTS700016). Access tokens it holds
// stay valid until they expire.
func (s *Server) RemoveApp(tenant, clientID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tenant(tenant).apps, clientID)
}

// Grant lets an app with the role Sites.Selected read a site.
func (s *Server) Grant(tenant, clientID, site string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.app(tenant, clientID)
	a.selected = append(a.selected, site)
}

func (s *Server) app(tenant, clientID string) *app {
	a := s.tenant(tenant).apps[clientID]
	if a == nil {
		panic("msgraph: tenant " + tenant + " has no app " + clientID)
	}
	return a
}

// User adds a user, or finds them, and returns the id of their OneDrive.
func (s *Server) User(tenant, upn string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tenant(tenant)
	if u := t.user(upn); u != nil {
		return u.drive.id
	}
	u := &user{id: guid("user", tenant, upn), upn: upn}
	u.drive = s.addDrive(&drive{id: driveID(tenant, upn), kind: "business", name: "OneDrive", tenant: tenant, owner: upn})
	t.users = append(t.users, u)
	return u.drive.id
}

// user finds one by id or name; nil if there is none.
func (t *tenant) user(name string) *user {
	for _, u := range t.users {
		if strings.EqualFold(u.upn, name) || u.id == name {
			return u
		}
	}
	return nil
}

// Site adds a site with its default library, or finds it, and returns its id. An
// empty path is the root site of the host.
func (s *Server) Site(tenant, hostname, path string) string {
	path = strings.Trim(path, "/")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tenant(tenant)
	if found := s.siteByPath(hostname, path); found != nil {
		return found.id
	}
	collection := path
	if parts := strings.Split(path, "/"); len(parts) > 2 {
		collection = strings.Join(parts[:2], "/") // a subsite shares its collection's id
	}
	w := &site{
		id:     hostname + "," + guid("collection", hostname, collection) + "," + guid("web", hostname, path),
		tenant: tenant, host: hostname, path: path,
	}
	w.drives = []*drive{s.addDrive(&drive{id: driveID(w.id, "Documents"), kind: "documentLibrary", name: "Documents", tenant: tenant, site: w})}
	s.sites = append(s.sites, w)
	return w.id
}

// RemoveSite takes a site away, with its libraries.
func (s *Server) RemoveSite(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.mustSite(id)
	for _, d := range w.drives {
		delete(s.drives, d.id)
	}
	s.sites = slices.DeleteFunc(s.sites, func(o *site) bool { return o == w })
}

// Drive is the id of the default library of a site.
func (s *Server) Drive(site string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mustSite(site).drives[0].id
}

// Library adds another library to a site, or finds it, and returns its drive id.
func (s *Server) Library(site, name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.mustSite(site)
	for _, d := range w.drives {
		if d.name == name {
			return d.id
		}
	}
	d := s.addDrive(&drive{id: driveID(w.id, name), kind: "documentLibrary", name: name, tenant: w.tenant, site: w})
	w.drives = append(w.drives, d)
	return d.id
}

func (s *Server) mustSite(id string) *site {
	if w := s.siteByID(id); w != nil {
		return w
	}
	panic("msgraph: there is no site " + id)
}

// siteByID finds a site by its triple, or by the id of its web or collection.
func (s *Server) siteByID(id string) *site {
	for _, w := range s.sites {
		if w.id == id || slices.Contains(strings.Split(w.id, ",")[1:], id) {
			return w
		}
	}
	return nil
}

func (s *Server) siteByPath(host, path string) *site {
	for _, w := range s.sites {
		if strings.EqualFold(w.host, host) && strings.EqualFold(w.path, path) {
			return w
		}
	}
	return nil
}

// rootSite is the site that the reserved name root means in a tenant.
func (s *Server) rootSite(tenant string) *site {
	for _, w := range s.sites {
		if w.tenant == tenant && w.path == "" {
			return w
		}
	}
	return nil
}
