package msgraph

import (
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
)

const (
	timeFormat = "2006-01-02T15:04:05Z"
	maxPage    = 5000
)

// authenticate finds who presents a token. The lock is held.
func (x *exchange) authenticate() (*access, *Error) {
	e := failure("InvalidAuthenticationToken")
	e.Header = http.Header{"Www-Authenticate": {`Bearer realm="", authorization_uri="` + x.base() + `/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000"`}}
	if x.bearer == "" {
		return nil, e
	}
	who := x.s.access[x.bearer]
	switch {
	case who == nil:
		e.Message = "CompactToken parsing failed with error code: 80049217"
		return nil, e
	case !x.s.now().Before(who.expires):
		e.Message = "Lifetime validation failed, the token is expired."
		return nil, e
	}
	return who, nil
}

// readRoles are the application permissions that let read every site.
var readRoles = []string{"Sites.Read.All", "Sites.ReadWrite.All", "Sites.FullControl.All", "Sites.Manage.All", "Files.Read.All", "Files.ReadWrite.All"}

// may says whether somebody may read a drive.
func (x *exchange) may(who *access, d *drive) *Error {
	if d.tenant != who.tenant {
		return failure("itemNotFound")
	}
	if d.site == nil && who.user != "" {
		if u := x.s.tenants[who.tenant].user(who.user); u != nil && u.drive == d {
			return nil
		}
		return failure("accessDenied")
	}
	return x.maySite(who, d.site)
}

// maySite says whether somebody may read a site, or with nil a OneDrive.
func (x *exchange) maySite(who *access, w *site) *Error {
	if w != nil && w.tenant != who.tenant {
		return failure("itemNotFound")
	}
	if who.user != "" {
		return nil
	}
	for _, r := range who.roles {
		if slices.Contains(readRoles, r) {
			return nil
		}
	}
	a := x.s.tenants[who.tenant].apps[who.client]
	if w != nil && a != nil && slices.Contains(who.roles, "Sites.Selected") && slices.Contains(a.selected, w.id) {
		return nil
	}
	return failure("accessDenied")
}

// context is the @odata.context of an answer.
func (x *exchange) context(what string) string { return x.base() + "/v1.0/$metadata#" + what }

func (x *exchange) searchSites(who *access) (answer, *Error) {
	values := []object{}
	for _, w := range x.s.sites {
		if w.tenant == who.tenant && x.maySite(who, w) == nil && strings.Contains(strings.ToLower(w.host+"/"+w.path), strings.ToLower(strings.Trim(x.query.Get("search"), "*"))) {
			values = append(values, x.renderSite(w))
		}
	}
	return x.ok(object{"@odata.context": x.context("sites"), "value": values})
}

func (x *exchange) getSite(who *access) (answer, *Error) {
	w, err := x.site()
	if err == nil {
		err = x.maySite(who, w)
	}
	if err != nil {
		return answer{}, err
	}
	return x.entity("sites/$entity", x.renderSite(w))
}

func (x *exchange) listDrives(who *access) (answer, *Error) {
	var drives []*drive
	if x.addr.user != "" {
		u, err := x.user()
		if err != nil {
			return answer{}, err
		}
		drives = []*drive{u.drive}
	} else {
		w, err := x.site()
		if err != nil {
			return answer{}, err
		}
		drives = w.drives
	}
	values := []object{}
	for _, d := range drives {
		if err := x.may(who, d); err != nil {
			return answer{}, err
		}
		values = append(values, x.selected(x.renderDrive(d)))
	}
	return x.ok(object{"@odata.context": x.context("drives"), "value": values})
}

func (x *exchange) getDrive(d *drive) (answer, *Error) {
	return x.entity("drives/$entity", x.renderDrive(d))
}

func (x *exchange) getItem(i *item) (answer, *Error) {
	return x.entity("items/$entity", x.renderItem(i))
}

// entity answers with one object, as far as it was selected.
func (x *exchange) entity(context string, o object) (answer, *Error) {
	out := x.selected(o)
	out["@odata.context"] = x.context(context)
	return x.ok(out)
}

func (x *exchange) ok(o object) (answer, *Error) { return answer{status: http.StatusOK, body: o}, nil }

// pageSize is what the client asks for with $top, or the service's choice.
func (x *exchange) pageSize() (int, *Error) {
	n := x.s.opts.PageSize
	if top := x.query.Get("$top"); top != "" {
		asked, err := strconv.Atoi(top)
		if err != nil || asked < 1 {
			return 0, &Error{Code: "invalidRequest", Message: "Invalid value for $top"}
		}
		n = min(asked, maxPage)
	}
	if x.plan.page.limit > 0 {
		n = min(n, x.plan.page.limit)
	}
	return n, nil
}

// listChildren gives a page of what is directly in a folder, in the order of
// names. Its $skiptoken is the last name given, so that what is written meanwhile
// may be missed, as with the service.
func (x *exchange) listChildren(i *item) (answer, *Error) {
	n, err := x.pageSize()
	if err != nil {
		return answer{}, err
	}
	if !i.holds() {
		return x.ok(object{"@odata.context": x.context("children"), "value": []object{}})
	}
	list := i.list()
	last := x.query.Get("$skiptoken")
	if last != "" {
		list = list[sort.Search(len(list), func(k int) bool { return fold(list[k].name) > last }):]
	}
	if x.plan.page.empty {
		n = 0
	}
	page := list[:min(n, len(list))]
	values := make([]object, 0, len(page))
	for _, c := range page {
		values = append(values, x.selected(x.renderItem(c)))
	}
	out := object{"@odata.context": x.context("children"), "value": x.arrange(values)}
	if len(page) < len(list) {
		if len(page) > 0 {
			last = fold(page[len(page)-1].name)
		}
		out["@odata.nextLink"] = x.link("$skiptoken", last)
	}
	return x.ok(out)
}

// arrange does to a page what faults want.
func (x *exchange) arrange(values []object) []object {
	values = slices.DeleteFunc(values, func(v object) bool {
		id, _ := v["id"].(string)
		return slices.Contains(x.plan.page.omit, id)
	})
	if x.plan.page.reverse {
		slices.Reverse(values)
	}
	if x.plan.page.duplicate {
		var twice []object
		for _, v := range values {
			twice = append(twice, v, v)
		}
		values = twice
	}
	return values
}

// link is the address of the request with one parameter changed, and the other
// options repeated.
func (x *exchange) link(parameter, value string) string {
	var pairs []string
	for _, name := range []string{"$select", "$top"} {
		if x.query.Has(name) {
			pairs = append(pairs, name+"="+url.QueryEscape(x.query.Get(name)))
		}
	}
	path := x.r.URL.EscapedPath()
	if x.addr.op == Delta {
		path = path[:strings.LastIndex(strings.TrimSuffix(path, "/"), "/")] // without a token
		if x.s.opts.FunctionLinks && value != "" {
			return x.base() + path + "/microsoft.graph.delta(token='" + value + "')?" + strings.Join(pairs, "&")
		}
		path += "/delta"
	}
	pairs = append(pairs, parameter+"="+url.QueryEscape(value))
	return x.base() + path + "?" + strings.Join(pairs, "&")
}

func (x *exchange) listPermissions(i *item) (answer, *Error) {
	values := []object{{
		"id": guid("owner", i.drive.id), "roles": []string{"owner"},
		"grantedToV2": object{"user": object{"displayName": "Owner", "email": i.drive.owner}},
	}}
	for _, who := range i.shared {
		values = append(values, object{
			"id": guid("permission", i.id, who), "roles": []string{"read"},
			"grantedToV2": object{"user": object{"displayName": who, "email": who}},
		})
	}
	return x.ok(object{"@odata.context": x.context("permissions"), "value": values})
}
