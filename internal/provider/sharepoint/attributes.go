package sharepoint

import (
	"context"
	"time"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// identity is who did something, or who may.
type identity struct {
	User        *person `json:"user"`
	Group       *person `json:"group"`
	Application *person `json:"application"`
	SiteUser    *person `json:"siteUser"`
	SiteGroup   *person `json:"siteGroup"`
}

type person struct {
	ID    string `json:"id"`
	Name  string `json:"displayName"`
	Email string `json:"email"`
	Login string `json:"loginName"`
}

// who describes an identity: its kind, id, name and e-mail address.
func (i identity) who() map[string]any {
	for _, k := range []struct {
		kind string
		*person
	}{{"user", i.User}, {"group", i.Group}, {"application", i.Application}, {"user", i.SiteUser}, {"group", i.SiteGroup}} {
		if k.person != nil {
			return texts("type", k.kind, "id", k.ID, "name", k.Name, "email", k.Email, "login", k.Login)
		}
	}
	return nil
}

// name of a person, or what there is in its place.
func (i identity) name() string {
	w := i.who()
	for _, key := range []string{"email", "name", "login", "id"} {
		if s, ok := w[key].(string); ok {
			return s
		}
	}
	return ""
}

// texts makes a map of pairs, without those that are empty.
func texts(pairs ...string) map[string]any {
	out := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			out[pairs[i]] = pairs[i+1]
		}
	}
	return out
}

// Attributes implements driver.Attributer. Properties are name, size, mimeType,
// webUrl, createdDateTime, lastModifiedDateTime, createdBy, lastModifiedBy, eTag,
// cTag, and, by a request of five times the price, permissions.
func (s *source) Attributes(ctx context.Context, item driver.Item, want driver.Want) (driver.Attributes, error) {
	t := target{op: "sharepoint.attributes", scope: errs.ScopeObject, what: "file"}
	drive, id, ok := split(item.ID)
	if !ok {
		return driver.Attributes{}, t.failure(errs.NotFound, errs.ScopeObject, "", "this is not the id of an item")
	}
	w, err := s.look(ctx, t, drive, id, item.Version)
	if err != nil {
		return driver.Attributes{}, err
	}
	out := driver.Attributes{MIME: w.File.MIME, Properties: map[string]any{}}
	if want.Properties {
		out.Properties = texts("name", w.Name, "mimeType", w.File.MIME, "webUrl", w.WebURL, "createdDateTime", stamp(w.Created),
			"lastModifiedDateTime", stamp(w.Modified), "createdBy", w.CreatedBy.name(), "lastModifiedBy", w.ModifiedBy.name(), "eTag", w.ETag, "cTag", w.CTag)
		out.Properties["size"] = w.size()
	}
	if want.Permissions {
		if out.Properties["permissions"], err = s.permissions(ctx, t, drive, id); err != nil {
			return driver.Attributes{}, err
		}
	}
	return out, nil
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// permission is who may do what with an item. A sharing link's address is not
// read: whoever has it may use it.
type permission struct {
	Roles     []string   `json:"roles"`
	Granted   identity   `json:"grantedToV2"`
	Identity  identity   `json:"grantedTo"`
	Several   []identity `json:"grantedToIdentitiesV2"`
	Inherited *struct{}  `json:"inheritedFrom"`
	Link      *struct {
		Scope string `json:"scope"`
		Type  string `json:"type"`
	} `json:"link"`
}

// maxPermissions of one file are told, which are more than people understand.
const maxPermissions = 500

// permissions lists who may see an item: a map each of roles, inherited, grantedTo
// (a list of type, id, name, email) and link (scope, type).
func (s *source) permissions(ctx context.Context, t target, drive, id string) ([]any, error) {
	out := []any{}
	link := s.base.String() + address(drive, id) + "/permissions"
	for link != "" && len(out) < maxPermissions {
		if !s.own(link) {
			return nil, t.notGraph()
		}
		var page struct {
			Value []permission `json:"value"`
			Next  string       `json:"@odata.nextLink"`
		}
		if err := s.follow(ctx, t, link, &page); err != nil {
			return nil, err
		}
		for i := range page.Value {
			out = append(out, page.Value[i].described())
		}
		if len(page.Value) == 0 || page.Next == link {
			break
		}
		link = page.Next
	}
	return out[:min(len(out), maxPermissions)], nil
}

func (p *permission) described() map[string]any {
	roles, to := []any{}, []any{}
	for _, r := range p.Roles {
		roles = append(roles, r)
	}
	one := p.Granted
	if one.who() == nil {
		one = p.Identity
	}
	for _, i := range append([]identity{one}, p.Several...) {
		if w := i.who(); w != nil {
			to = append(to, w)
		}
	}
	out := map[string]any{"roles": roles, "inherited": p.Inherited != nil, "grantedTo": to}
	if p.Link != nil {
		out["link"] = texts("scope", p.Link.Scope, "type", p.Link.Type)
	}
	return out
}
