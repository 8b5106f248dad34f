package sharepoint

import (
	"context"
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// Browse implements driver.Source. Below /sites are the sites that the application
// may see, below a site its libraries, below these folders and files. The top is
// the configured folder; where nothing is configured, the sites.
func (s *source) Browse(ctx context.Context, path, page string, limit int) (driver.Listing, error) {
	t := target{op: "sharepoint.browse", scope: errs.ScopePath, what: "folder"}
	rest, err := query(page)
	if err != nil {
		return driver.Listing{}, err
	}
	limit = max(1, min(limit, 1000))
	path = strings.TrimSuffix(path, "/")
	switch all := strings.Split(path, "/"); {
	case path == "" && !s.configured(), path == "/sites", path == "/teams":
		return s.sites(ctx, t, rest, limit)
	case len(all) == 3 && all[0] == "" && (all[1] == "sites" || all[1] == "teams"):
		return s.libraries(ctx, t, path, rest, limit)
	}
	p, err := s.placeOf(ctx, t.op, path)
	if err != nil {
		return driver.Listing{}, mistake(err)
	}
	var got items
	if err := s.list(ctx, t, address(p.drive, p.folder)+"/children", selected[1:], rest, limit, &got); err != nil {
		return driver.Listing{}, err
	}
	if got.Value == nil {
		return driver.Listing{}, t.notGraph()
	}
	top := path
	if top == "" {
		top = "/" + strings.Trim(s.folder, "/")
	}
	var out driver.Listing
	for i := range got.Value {
		it := p.item(&got.Value[i])
		if it.Path = it.ID; strings.HasPrefix(top, "/") {
			it.Path = strings.TrimSuffix(top, "/") + "/" + it.Name
		}
		out.Items = append(out.Items, it)
	}
	out.Next = token(got.Next)
	return out, nil
}

// mistake makes an error that was found without asking the provider the caller's.
func mistake(err error) error {
	if e := errs.From(err); e.Kind == errs.Invalid && e.Code == "" && e.RequestID == "" {
		return errs.New(errs.Invalid, "sharepoint.browse", e.Msg)
	}
	return err
}

// list asks for a page of a list. Of Graph's link to it only the query is kept and
// put behind the address that belongs to the path: a page's name comes from
// outside, and must not lead elsewhere.
func (s *source) list(ctx context.Context, t target, way, first, rest string, limit int, out any) error {
	q := rest
	if q == "" {
		q = first + "&$top=" + strconv.Itoa(limit)
	}
	err := s.get(ctx, t, way+"?"+q, out)
	if rest != "" && errs.Is(err, errs.Invalid) {
		return stalePage()
	}
	return err
}

func stalePage() error {
	return errs.New(errs.CursorExpired, "sharepoint.browse", "the cursor is not one of this listing, or no longer: start again without one")
}

// token names a page by the query of Graph's link to it.
func token(link string) string {
	u, err := url.Parse(link)
	if err != nil || u.RawQuery == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte(u.RawQuery))
}

func query(page string) (string, error) {
	b, err := base64.RawURLEncoding.DecodeString(page)
	if err == nil && page != "" {
		_, err = url.ParseQuery(string(b))
	}
	odd := func(r rune) bool { return r <= ' ' || r > '~' || r == '#' }
	if err != nil || strings.ContainsFunc(string(b), odd) {
		return "", stalePage()
	}
	return string(b), nil
}

// sites lists the sites that can be written as a path.
func (s *source) sites(ctx context.Context, t target, rest string, limit int) (driver.Listing, error) {
	t.what = "site"
	var got struct {
		Value []struct {
			Name    string `json:"name"`
			Display string `json:"displayName"`
			WebURL  string `json:"webUrl"`
		} `json:"value"`
		Next string `json:"@odata.nextLink"`
	}
	if err := s.list(ctx, t, "/sites", "search=*&$select=id,name,displayName,webUrl", rest, limit, &got); err != nil {
		return driver.Listing{}, err
	}
	out := driver.Listing{Next: token(got.Next)}
	for _, w := range got.Value {
		u, err := url.Parse(w.WebURL)
		if err != nil {
			continue
		}
		at := strings.TrimSuffix(u.Path, "/")
		if all := strings.Split(at, "/"); len(all) != 3 || all[1] != "sites" && all[1] != "teams" {
			continue // the root site and sites within sites are configured as site_id
		}
		if w.Display == "" {
			w.Display = w.Name
		}
		out.Items = append(out.Items, driver.Item{ID: at, Path: at, Name: w.Display, Folder: true, Size: -1})
	}
	return out, nil
}

// libraries lists those of a site.
func (s *source) libraries(ctx context.Context, t target, path, rest string, limit int) (driver.Listing, error) {
	t.what = "site"
	all, err := names(t, path)
	if err != nil {
		return driver.Listing{}, mistake(err)
	}
	host, err := s.host(ctx, t)
	if err != nil {
		return driver.Listing{}, err
	}
	var got drives
	if err := s.list(ctx, t, "/sites/"+host+":"+escape(all)+":/drives", "$select=id,name,webUrl", rest, limit, &got); err != nil {
		return driver.Listing{}, err
	}
	out := driver.Listing{Next: token(got.Next)}
	for _, d := range got.Value {
		out.Items = append(out.Items, driver.Item{ID: idOf(d.ID, "root"), Path: path + "/" + d.Name, Name: d.Name, Folder: true, Size: -1})
	}
	return out, nil
}
