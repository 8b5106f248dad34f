package web

import (
	"net/http"
	"net/url"
	"time"

	"mooring/internal/access"
	"mooring/internal/store"
	"mooring/internal/surface"
)

const settingsPath = "/settings"

func settingsPages() []page {
	return []page{
		{"GET " + settingsPath, access.Admin, (*visit).showSettings},
		{"POST " + settingsPath + "/namespaces", access.Admin, (*visit).createNamespace},
		{"POST " + settingsPath + "/users", access.Admin, (*visit).createUser},
		{"POST " + settingsPath + "/reads", access.Admin, (*visit).auditReads},
	}
}

type settingsData struct {
	Now           time.Time
	Version       string
	Organization  access.Organization
	Namespaces    []access.Namespace
	Users         []access.User
	NamespaceForm []field
	UserForm      []field
}

func (v *visit) showSettings() error { return v.settingsPage(http.StatusOK, nil, nil) }

func (v *visit) settingsPage(status int, sent url.Values, failure error) error {
	if err := v.reach().Covers(access.OfOrganization(v.org())); err != nil {
		return err
	}
	org, err := v.Store.Organizations().Get(v.ctx(), v.org(), v.org())
	if err != nil {
		return err
	}
	spaces, err := v.namespaces()
	if err != nil {
		return err
	}
	users, err := v.Store.Users().List(v.ctx(), v.org(), store.Page{Limit: usersShown})
	if err != nil {
		return err
	}
	f := frame{Title: "Settings", Section: "settings"}
	if failure != nil {
		v.report(failure, status)
		f.Problem = v.problem(failure)
	}
	f.Data = settingsData{
		Now: v.now(), Version: v.Version, Organization: org, Namespaces: spaces, Users: users.Items,
		NamespaceForm: filled([]field{{Name: "namespace_name", Label: "Name", Kind: "text", Help: "Buckets live in namespaces. With several, requests to the API have to name one."}}, sent, f.Problem),
		UserForm: filled([]field{
			{Name: "email", Label: "E-mail address", Kind: "text", Help: "A user holds keys. No mail is sent."},
			{Name: "user_name", Label: "Name", Kind: "text", Optional: true},
		}, sent, f.Problem),
	}
	return v.show(status, "settings.html", f)
}

// set changes a setting of the organization and goes back to the page.
func (v *visit) set(notice string, do func(form url.Values) error) error {
	if err := v.reach().Covers(access.OfOrganization(v.org())); err != nil {
		return err
	}
	form, err := v.form()
	if err != nil {
		return err
	}
	if err := do(form); err != nil {
		return v.settingsPage(surface.Status(err, true), form, err)
	}
	return v.done(settingsPath, notice)
}

func (v *visit) createNamespace() error {
	return v.set("namespace-made", func(form url.Values) error {
		_, err := v.Access.CreateNamespace(v.ctx(), v.org(), v.actor, form.Get("namespace_name"))
		return err
	})
}

func (v *visit) createUser() error {
	return v.set("user-made", func(form url.Values) error {
		_, err := v.Access.CreateUser(v.ctx(), v.org(), v.actor, form.Get("email"), form.Get("user_name"))
		return err
	})
}

func (v *visit) auditReads() error {
	return v.set("saved", func(form url.Values) error {
		_, err := v.Access.SetReadAuditing(v.ctx(), v.org(), v.actor, new(form.Get("reads") != ""))
		return err
	})
}
