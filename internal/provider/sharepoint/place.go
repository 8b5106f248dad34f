package sharepoint

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"mooring/internal/errs"
)

// place is a folder of a library: what a scope's path stands for.
type place struct {
	drive, folder string
	whole         bool   // the folder is the library's root
	paths         []path // of the folder, as what is in it tells them
}

// path is where the provider says that something is. Whether it is escaped is not
// said, so both readings are kept.
type path struct{ raw, plain string }

func pathOf(raw string) path {
	plain, err := url.PathUnescape(raw)
	if err != nil {
		plain = raw
	}
	return path{raw, plain}
}

// spot is a source path, parsed.
type spot struct {
	site    string   // "/sites/name"; "" is what is configured
	library string   // its name; "" is the default one
	drive   string   // a library's id
	item    string   // an item's id
	folders []string // from the library's root
	maybe   bool     // item may be the name of a folder in the root
}

const (
	maxPath   = 2048 // bytes of a source path
	maxDrives = 20   // pages of a site's libraries
)

// spotOf parses a source path. "" is the configured one.
func (s *source) spotOf(t target, p string) (spot, error) {
	if p == "" || p == "/" {
		p = s.folder
		if !strings.HasPrefix(p, "/") {
			p = "/" + p
		}
		folders, err := names(t, p)
		return spot{drive: s.drive, folders: folders}, err
	}
	if !strings.HasPrefix(p, "/") {
		if drive, item, ok := split(p); ok && strings.HasPrefix(drive, "b!") {
			return spot{drive: drive, item: item}, nil
		}
		if !strings.Contains(p, "/") {
			folders, err := names(t, p)
			return spot{drive: s.drive, item: p, folders: folders, maybe: true}, err
		}
	}
	all, err := names(t, p)
	if err != nil {
		return spot{}, err
	}
	if !strings.HasPrefix(p, "/") || all[0] != "sites" && all[0] != "teams" {
		return spot{drive: s.drive, folders: all}, nil
	}
	if len(all) == 1 {
		return spot{}, t.failure(errs.Invalid, errs.ScopePath, "", "the path names no site: write /sites/<site>/<library>/<folder>")
	}
	out := spot{site: "/" + all[0] + "/" + all[1]}
	if len(all) > 2 {
		out.library, out.folders = all[2], all[3:]
	}
	return out, nil
}

// names splits a path into names that SharePoint allows. Others would change the
// meaning of an address.
func names(t target, p string) ([]string, error) {
	bad := t.failure(errs.Invalid, errs.ScopePath, "", `this is no path of folder names: they can't be empty, . or .. or hold any of "*:<>?\|`)
	if len(p) > maxPath || !utf8.ValidString(p) || strings.ContainsAny(p, `"*:<>?\|`) || strings.ContainsFunc(p, unicode.IsControl) {
		return nil, bad
	}
	p = strings.TrimSuffix(strings.TrimPrefix(p, "/"), "/")
	if p == "" {
		return nil, nil
	}
	all := strings.Split(p, "/")
	if slices.ContainsFunc(all, func(n string) bool { return n == "" || n == "." || n == ".." }) {
		return nil, bad
	}
	return all, nil
}

// placeOf resolves a source path, once for a source.
func (s *source) placeOf(ctx context.Context, op, p string) (place, error) {
	s.mu.Lock()
	got, ok := s.places[p]
	s.mu.Unlock()
	if ok {
		return got, nil
	}
	return s.resolve(ctx, op, p)
}

// resolve asks where a source path leads. Errors about what is configured are the
// connection's, others the path's.
func (s *source) resolve(ctx context.Context, op, p string) (place, error) {
	t := target{op: op, scope: errs.ScopePath, what: "folder"}
	at, err := s.spotOf(t, p)
	if err != nil {
		return place{}, err
	}
	base, err := s.library(ctx, t, at)
	if err != nil {
		return place{}, err
	}
	if p == "" || p == "/" {
		t.scope = errs.ScopeConnection
	}
	if len(at.folders) == 0 && at.item == "" {
		t.what = "library"
	}
	got, err := s.find(ctx, t, base, at)
	if err != nil {
		return place{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.places[p] = got
	return got, nil
}

// find asks for a spot's folder in a library.
func (s *source) find(ctx context.Context, t target, base string, at spot) (place, error) {
	var w wireItem
	if at.item != "" {
		err := s.get(ctx, t, base+"/items/"+url.PathEscape(at.item)+selected, &w)
		if err == nil || !at.maybe || !errs.Is(err, errs.NotFound) && !errs.Is(err, errs.Invalid) {
			return t.place(&w, err)
		}
		w = wireItem{}
	}
	way := base + "/root"
	if len(at.folders) > 0 {
		way += ":" + escape(at.folders)
	}
	return t.place(&w, s.get(ctx, t, way+selected, &w))
}

const selected = "?$select=" + fields

// place makes one of the answer that describes its folder.
func (t target) place(w *wireItem, err error) (place, error) {
	switch {
	case err != nil:
		return place{}, err
	case w.ID == "" || w.Parent.DriveID == "":
		return place{}, t.notGraph()
	case !w.holds():
		return place{}, t.failure(errs.Invalid, t.scope, "", "the path leads to a file or a shortcut: give a folder")
	}
	p := place{drive: w.Parent.DriveID, folder: w.ID, whole: w.Root != nil}
	if w.Parent.Path != "" && !p.whole {
		in := pathOf(w.Parent.Path)
		p.paths = []path{{in.raw + "/" + w.Name, in.plain + "/" + w.Name}, {in.raw + "/" + url.PathEscape(w.Name), in.plain + "/" + w.Name}}
	}
	return p, nil
}

// library returns the address of a spot's library.
func (s *source) library(ctx context.Context, t target, at spot) (string, error) {
	switch {
	case at.drive != "":
		return "/drives/" + url.PathEscape(at.drive), nil
	case at.site != "":
		host, err := s.host(ctx, t)
		if err != nil {
			return "", err
		}
		return s.libraryOf(ctx, t, "/sites/"+host+":"+escape(strings.Split(at.site[1:], "/"))+":", at.library)
	case s.site == "" && s.delegated:
		return "/me/drive", nil
	case s.site == "":
		return "", t.failure(errs.Invalid, errs.ScopePath, "",
			"no library is configured: give site_id or drive_id to the connection, or a path /sites/<site>/<library>/<folder>")
	}
	if s.site == "root" || strings.Contains(s.site, ",") {
		return "/sites/" + url.PathEscape(s.site) + "/drive", nil
	}
	t.scope = errs.ScopeConnection
	host, way := hostAndPath(s.site)
	if way == "" {
		return "/sites/" + host + "/drive", nil
	}
	return s.libraryOf(ctx, t, "/sites/"+host+":"+way+":", "")
}

// hostAndPath splits a configured site: a URL, or host:/path. The path is escaped.
func hostAndPath(site string) (host, way string) {
	host, way, _ = strings.Cut(site, ":/")
	if u, err := url.Parse(site); err == nil && u.Host != "" {
		host, way = u.Host, u.Path
	}
	if way = strings.Trim(way, "/"); way == "" {
		return host, ""
	}
	return host, escape(strings.Split(way, "/"))
}

// host finds the tenant's SharePoint host, to which paths of sites belong.
func (s *source) host(ctx context.Context, t target) (string, error) {
	s.mu.Lock()
	host := s.hosts
	s.mu.Unlock()
	switch {
	case host != "":
		return host, nil
	case strings.Contains(s.site, ","):
		host, _, _ = strings.Cut(s.site, ",")
		return host, nil
	case s.site != "" && s.site != "root":
		host, _ = hostAndPath(s.site)
		return host, nil
	}
	t.what = "site"
	var w struct {
		ID string `json:"id"`
	}
	if err := s.get(ctx, t, "/sites/root?$select=id", &w); err != nil {
		return "", err
	}
	host, _, ok := strings.Cut(w.ID, ",")
	if !ok || url.PathEscape(host) != host {
		return "", t.notGraph()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hosts = host
	return host, nil
}

// drives is a page of a site's libraries.
type drives struct {
	Value []struct {
		ID     string `json:"id"`
		Name   string `json:"name"`
		WebURL string `json:"webUrl"`
	} `json:"value"`
	Next string `json:"@odata.nextLink"`
}

// libraryOf finds a library of a site by its name, or by how its address calls it:
// "Documents" is "Shared Documents" there.
func (s *source) libraryOf(ctx context.Context, t target, site, name string) (string, error) {
	if t.what = "site"; name == "" {
		var w struct {
			ID string `json:"id"`
		}
		if err := s.get(ctx, t, site+"/drive?$select=id", &w); err != nil {
			return "", err
		}
		if w.ID == "" {
			return "", t.notGraph()
		}
		return "/drives/" + url.PathEscape(w.ID), nil
	}
	var called, written []string
	link := s.base.String() + site + "/drives?$select=id,name,webUrl"
	for range maxDrives {
		var page drives
		if err := s.follow(ctx, t, link, &page); err != nil {
			return "", err
		}
		for _, d := range page.Value {
			if strings.EqualFold(d.Name, name) {
				called = append(called, d.ID)
			}
			if strings.EqualFold(lastName(d.WebURL), name) {
				written = append(written, d.ID)
			}
		}
		if link = page.Next; link == "" {
			break
		}
		if !s.own(link) {
			return "", t.notGraph()
		}
	}
	found := called
	if len(found) == 0 {
		found = written
	}
	switch len(found) {
	case 0:
		t.what = "library"
		e := t.failure(errs.NotFound, t.scope, "itemNotFound", "the site has no library of this name, or the application may not see it")
		return "", e
	case 1:
		return "/drives/" + url.PathEscape(found[0]), nil
	}
	return "", t.failure(errs.Invalid, t.scope, "", "the site has several libraries of this name: give drive_id or an item's id")
}

// lastName is the last part of an address, unescaped.
func lastName(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	p := strings.TrimSuffix(u.Path, "/")
	return p[strings.LastIndexByte(p, '/')+1:]
}
