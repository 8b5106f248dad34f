package msgraph

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
)

// position is what a delta token stands for. Clients must not look into it.
type position struct {
	Item  string // the folder; its id is that of no other drive's
	After int64  // changes up to this one are known
	// Since is where an enumeration started: what was deleted before is not
	// mentioned. It is zero when changes are followed.
	Since      int64  `json:",omitempty"`
	Generation int    `json:",omitempty"`
	Options    string // of the request that got the link
}

func (p position) token() string {
	b, _ := json.Marshal(p) // strings and numbers can be
	return base64.RawURLEncoding.EncodeToString(b)
}

// ExpireDeltas makes every delta token given so far die: it is answered with 410,
// this code (see Gone) and a Location.
func (s *Server) ExpireDeltas(code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.generation++
	s.expiredCode = code
}

// options are the query options that a link repeats.
func (x *exchange) options() string {
	return x.query.Get("$select") + "&" + x.query.Get("$top")
}

// delta gives a page of the changes in a folder.
func (x *exchange) delta(d *drive, top *item) (answer, *Error) {
	if !top.holds() || x.s.opts.FolderDeltaRefused && top != d.root {
		return answer{}, &Error{Code: "notSupported", Message: "view.delta can only be called on the root."}
	}
	n, err := x.pageSize()
	if err != nil {
		return answer{}, err
	}
	if x.query.Has("$select") && !strings.Contains(","+strings.ReplaceAll(x.query.Get("$select"), " ", "")+",", ",deleted,") {
		x.s.log.violation(x.entry, SelectWithoutDeleted)
	}
	at, err := x.position(d, top)
	if err != nil {
		return answer{}, err
	}
	values, at, more := x.changes(at, top, n)
	out := object{"@odata.context": x.context("Collection(driveItem)"), "value": x.arrange(values)}
	if more {
		out["@odata.nextLink"] = x.link("token", at.token())
	} else {
		at.Since = 0
		out["@odata.deltaLink"] = x.link("token", at.token())
	}
	return x.ok(out)
}

// position reads the token of a request.
func (x *exchange) position(d *drive, top *item) (position, *Error) {
	fresh := position{Item: top.id, Since: d.changes.last, Generation: x.s.generation, Options: x.options()}
	token := x.query.Get("token")
	if token == "" {
		token = x.addr.token
	}
	switch token {
	case "":
		return fresh, nil
	case "latest":
		fresh.After, fresh.Since = d.changes.last, 0
		return fresh, nil
	}
	if t, err := time.Parse(time.RFC3339, token); err == nil {
		fresh.After, fresh.Since = d.changes.before(t), 0
		return fresh, nil
	}
	var p position
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || json.Unmarshal(raw, &p) != nil || p.Item != top.id {
		return p, &Error{Code: "invalidRequest", Message: "The provided token is malformed or belongs to another resource."}
	}
	if p.Generation != x.s.generation {
		e := gone(x.s.expiredCode)
		e.Header = map[string][]string{"Location": {x.freshDelta()}}
		return p, e
	}
	if p.Options != x.options() {
		x.s.log.violation(x.entry, LinkRewritten)
		p.Options = x.options()
	}
	return p, nil
}

// freshDelta is a link that starts the enumeration anew.
func (x *exchange) freshDelta() string {
	link := x.link("token", "")
	return strings.TrimSuffix(strings.TrimSuffix(link, "token="), "&")
}

// changes gives the objects of a page, the position behind it, and whether there
// are more.
func (x *exchange) changes(at position, top *item, n int) ([]object, position, bool) {
	d := top.drive
	p := &page{x: x, top: top, enumeration: at.Since > 0, since: at.Since, given: map[*item]bool{}}
	if x.plan.page.empty {
		return []object{}, at, true
	}
	taken := 0
	for _, c := range d.changes.after(at.After) {
		if !c.current() || !p.tells(c.item) {
			at.After = c.seq
			continue
		}
		if taken == n {
			return p.values(), at, true
		}
		p.add(c.item)
		at.After = c.seq
		taken++
	}
	return p.values(), at, false
}

// page is the part of a delta that is given at once.
type page struct {
	x           *exchange
	top         *item
	enumeration bool
	since       int64
	given       map[*item]bool
	objects     []object
}

func (p *page) values() []object {
	if p.objects == nil {
		return []object{}
	}
	return p.objects
}

// tells says whether a change belongs into the answer. An enumeration does not
// mention what was deleted before it began, nor what was deleted since and has
// been replaced by an item of the same name, though earlier pages gave it: so it
// was seen (microsoftgraph/microsoft-graph-docs-contrib#8794).
func (p *page) tells(i *item) bool {
	if i.deleted && p.enumeration && (i.seq <= p.since || i.displaced()) {
		return false
	}
	return i.within(p.top) || p.left(i)
}

// left says whether an item was moved out of the folder that is asked about.
func (p *page) left(i *item) bool {
	if p.enumeration || i.within(p.top) {
		return false
	}
	for _, f := range i.former {
		if f.within(p.top) {
			return true
		}
	}
	return false
}

// add puts an item on the page. One that has changed comes with the folders it is
// in, up to the root.
func (p *page) add(i *item) {
	if !p.enumeration && !strings.Contains(strings.ToLower(p.x.r.Header.Get("deltaExcludeParent")), "true") {
		p.parents(i)
	}
	p.given[i] = true
	if i.deleted || p.left(i) {
		p.put(p.deletion(i))
		return
	}
	o := p.x.renderPlain(i, !p.x.s.opts.DeltaWithoutPath)
	if i.sharedSeq == i.seq && strings.Contains(strings.ToLower(p.x.entry.Prefer), "deltashowsharingchanges") {
		o["@microsoft.graph.sharedChanged"] = "True"
	}
	if p.x.plan.page.stale && i.parent != nil {
		p.put(older(o, i))
	}
	p.put(o)
}

func (p *page) put(o object) { p.objects = append(p.objects, p.x.selected(o)) }

// parents puts the folders above an item on the page that are not on it yet.
func (p *page) parents(i *item) {
	if i == p.top || i.parent == nil || i.parent.deleted || !i.parent.within(p.top) || p.given[i.parent] {
		return
	}
	p.parents(i.parent)
	p.given[i.parent] = true
	p.put(p.x.renderPlain(i.parent, !p.x.s.opts.DeltaWithoutPath))
}

// deletion is what remains of an item: neither name nor cTag.
func (p *page) deletion(i *item) object {
	o := object{
		"id": i.id, "deleted": object{"state": "deleted"}, "size": 0,
		"parentReference": i.reference(false),
	}
	switch {
	case i.content != nil:
		o["file"] = object{}
	case i.isFolder():
		o["folder"] = object{"childCount": 0}
	}
	return o
}

// older is an earlier version of an item.
func older(o object, i *item) object {
	out := object{}
	for name, value := range o {
		out[name] = value
	}
	out["name"] = "before " + i.name
	out["eTag"] = `"{` + i.guid + `},0"`
	return out
}
