package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"mooring/internal/access"
	"mooring/internal/connection"
	"mooring/internal/connection/config"
	connectionservice "mooring/internal/connection/service"
	"mooring/internal/errs"
	"mooring/internal/store"
	"mooring/internal/surface"
)

const (
	connectionsPath = "/connections"
	connectionPath  = connectionsPath + "/{connection}"
)

func connectionPages() []page {
	return []page{
		{"GET /{$}", access.Read, func(v *visit) error { return v.redirect(connectionsPath) }},
		{"GET " + connectionsPath, access.Read, (*visit).listConnections},
		{"GET " + connectionPath, access.Read, (*visit).showConnection},
		{"POST " + connectionPath + "/test", access.Write, (*visit).testConnection},
		{"POST " + connectionPath + "/suspend", access.Write, (*visit).suspendConnection},
		{"POST " + connectionPath + "/resume", access.Write, (*visit).resumeConnection},
		{"POST " + connectionPath + "/archive", access.Delete, (*visit).archiveConnection},
	}
}

// connectionsShown is how many stand on one page.
const connectionsShown = 50

type connectionList struct {
	Now     time.Time
	Filters []field
	Rows    []connection.Connection
	Total   int64
	All     bool // no filter narrows the list
	First   bool
	Next    string // address of the next page
	Here    string // address of the first
}

// listConnections answers within one page of the store, however many there are.
func (v *visit) listConnections() error {
	q := v.r.URL.Query()
	f := connection.Filter{Search: q.Get("q"), Provider: q.Get("provider")}
	status := q.Get("status")
	if status != "" {
		f.Status = connection.ParseStatus(status)
	}
	if q.Get("unused") != "" {
		f.UnusedSince = v.now().AddDate(0, 0, -90)
	}
	page := store.Page{Limit: connectionsShown, Cursor: q.Get("cursor")}
	found, total, err := surface.List(v.ctx(), v.who, page, surface.Source[connection.Connection]{
		List: func(ctx context.Context, p store.Page) (store.List[connection.Connection], error) {
			return v.Connections.List(ctx, v.org(), f, p)
		},
		Count:    func(ctx context.Context) (int64, error) { return v.Connections.Count(ctx, v.org(), f) },
		Resource: func(c connection.Connection) access.Resource { return access.OfConnection(v.org(), c.ID) },
		Position: func(c connection.Connection) surface.Position {
			return surface.Position{Created: c.CreatedAt, ID: string(c.ID)}
		},
	})
	if err != nil {
		return err
	}
	providers := []string{"", "Any"}
	for _, s := range config.Specs() {
		providers = append(providers, s.Provider, s.Title)
	}
	narrowed := said(q, "q", "provider", "status", "unused")
	data := connectionList{
		Now: v.now(), Rows: found.Items, Total: total, All: len(narrowed) == 0, First: page.Cursor == "", Here: withQuery(connectionsPath, narrowed),
		Filters: []field{
			{Name: "q", Label: "Name contains", Kind: "search", Value: q.Get("q")},
			{Name: "provider", Label: "Provider", Kind: "select", Options: choices(f.Provider, providers...)},
			{Name: "status", Label: "Status", Kind: "select", Options: choices(status, "", "Any", "ACTIVE", "Active", "FAILED", "Failing", "SUSPENDED", "Suspended", "ARCHIVED", "Archived")},
			{Name: "unused", Label: "Use", Kind: "select", Options: choices(q.Get("unused"), "", "Any", "90", "Not in 90 days")},
		},
	}
	if found.Next != "" {
		narrowed.Set("cursor", found.Next)
		data.Next = withQuery(connectionsPath, narrowed)
	}
	return v.show(http.StatusOK, "connections.html", frame{Title: "Connections", Section: "connections", Data: data})
}

func withQuery(path string, q url.Values) string {
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// said are those parts of a query that are there and not empty.
func said(q url.Values, names ...string) url.Values {
	out := url.Values{}
	for _, name := range names {
		if q.Get(name) != "" {
			out.Set(name, q.Get(name))
		}
	}
	return out
}

// sign is how a state is shown: a tone, an icon and words, never a colour alone.
type sign struct{ Tone, Icon, Text string }

func connectionSign(c connection.Connection) sign {
	switch c.Status {
	case connection.Active:
		return sign{"good", "good", "Active"}
	case connection.Failed:
		return sign{"warn", "bad", "Failing"}
	case connection.Suspended:
		return sign{"bad", "stop", "Suspended"}
	}
	return sign{"off", "", "Archived"}
}

// connectionURL is the page of a connection.
func connectionURL(c connection.Connection) string {
	return connectionsPath + "/" + url.PathEscape(string(c.ID))
}

func (v *visit) connection() (connection.Connection, error) {
	return v.reach().Connection(v.ctx(), v.path("connection"))
}

func (v *visit) showConnection() error {
	c, err := v.connection()
	if err != nil {
		return err
	}
	return v.connectionPage(http.StatusOK, c, nil, nil)
}

// testConnection answers with the page and the result: a test changes nothing
// that could not be seen again.
func (v *visit) testConnection() error {
	c, err := v.connection()
	if err != nil {
		return err
	}
	result, err := v.Connections.Test(v.ctx(), v.org(), v.actor, string(c.ID))
	if err != nil {
		return v.connectionPage(surface.Status(err, true), c, err, nil)
	}
	if c, err = v.connection(); err != nil {
		return err
	}
	return v.connectionPage(http.StatusOK, c, nil, &result)
}

// change updates a connection and goes back to its page.
func (v *visit) change(r connectionservice.UpdateRequest, notice string) error {
	c, err := v.connection()
	if err != nil {
		return err
	}
	if _, err := v.Connections.Update(v.ctx(), v.org(), v.actor, string(c.ID), r); err != nil {
		if fresh, again := v.connection(); again == nil {
			c = fresh
		}
		return v.connectionPage(surface.Status(err, true), c, err, nil)
	}
	return v.done(connectionURL(c), notice)
}

func (v *visit) suspendConnection() error {
	form, err := v.form()
	if err != nil {
		return err
	}
	return v.change(connectionservice.UpdateRequest{Status: new(string(connection.Suspended)), Reason: surface.Clip(form.Get("reason"), 1000)}, "suspended")
}

// resumeConnection tests first: what does not work stays suspended.
func (v *visit) resumeConnection() error {
	return v.change(connectionservice.UpdateRequest{Status: new(string(connection.Active))}, "resumed")
}

func (v *visit) archiveConnection() error {
	c, err := v.connection()
	if err != nil {
		return err
	}
	form, err := v.form()
	if err != nil {
		return err
	}
	if form.Get("confirm") != c.Name {
		f := errs.NewFields("body")
		f.Add("value_error", "must be the connection's name, to make sure that it is this one", "confirm")
		return v.connectionPage(http.StatusUnprocessableEntity, c, f.Err("web.archive"), nil)
	}
	if _, err := v.Connections.Archive(v.ctx(), v.org(), v.actor, string(c.ID)); err != nil {
		return v.connectionPage(surface.Status(err, true), c, err, nil)
	}
	return v.done(connectionURL(c), "archived")
}

// secretNames are the secrets that a connection has, for people; never a value.
func secretNames(s config.Sealed) (names []string) {
	for name := range s.Secrets {
		names = append(names, labelOf(name))
	}
	slices.Sort(names)
	return names
}
