package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"mooring/internal/access"
	accessservice "mooring/internal/access/service"
	"mooring/internal/audit"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/secret"
	"mooring/internal/surface"
)

// visit is one request on its way.
type visit struct {
	*server
	w    *surface.Answer
	r    *http.Request
	page *page
	// browser is the context of the request without its deadline.
	browser context.Context

	who     accessservice.Principal // zero on pages open to everybody
	session access.Session
	actor   audit.Actor
}

func (v *visit) ctx() context.Context { return v.r.Context() }

// endless takes the deadline off a request whose answer is as long as it is: it
// ends with the browser.
func (v *visit) endless() { v.r = v.r.WithContext(v.browser) }

// org is the visitor's organization.
func (v *visit) org() id.Org { return v.who.Org }

// user is on whose behalf the key acts.
func (v *visit) user() id.User { return v.who.Key.User }

// path is a parameter of the page's path.
func (v *visit) path(name string) string { return v.r.PathValue(name) }

// reach finds what the visitor may use the page on.
func (v *visit) reach() surface.Reach { return v.reachFor(v.page.need) }

// reachFor finds what the visitor may do something else to.
func (v *visit) reachFor(need access.Permission) surface.Reach {
	return surface.Reach{Who: v.who, Need: need, Connections: v.Connections, Buckets: v.Buckets, Syncs: v.Syncs}
}

func (v *visit) from() accessservice.Visitor {
	return accessservice.Visitor{IP: surface.ClientIP(v.r, v.TrustedProxies), UserAgent: surface.Clip(v.r.UserAgent(), surface.MaxUserAgent)}
}

// run admits the visitor and serves the page.
func (v *visit) run() error {
	if err := v.cross.Check(v.r); err != nil {
		return errs.New(errs.PermissionDenied, "web", "another site sent this form, so it was not followed")
	}
	if v.page.need != "" {
		err := v.admit()
		if errs.Is(err, errs.Unauthenticated) {
			return v.askToSignIn()
		}
		if err != nil {
			return err
		}
	}
	return v.page.serve(v)
}

// admit finds out who asks and whether they may. What the key's scopes say is
// decided where the resource is known.
func (v *visit) admit() (err error) {
	if err := v.identify(); err != nil {
		return err
	}
	from := v.from()
	v.actor = v.who.Actor(from.IP, from.UserAgent)
	v.w.Who = slog.Group("", slog.String("org", string(v.who.Org)), slog.String("key", string(v.who.Key.ID)))
	if err := v.Guard.Admit(v.who.Key, v.Now()); err != nil {
		return err
	}
	return surface.Require(v.who, v.page.need)
}

var errSignedOut = errs.New(errs.Unauthenticated, "web", "sign in first")

// identify reads the session's cookie.
func (v *visit) identify() error {
	cookie, err := v.r.Cookie(v.cookieName())
	if err != nil {
		return errSignedOut
	}
	v.who, v.session, err = v.Access.Session(v.ctx(), secret.New(cookie.Value))
	return err
}

// stillAdmitted asks again whether the session goes on, while a stream runs.
func (v *visit) stillAdmitted() bool { return v.identify() == nil && v.who.Allows(v.page.need) }

// askToSignIn sends the visitor to sign in and back to what they wanted to see.
func (v *visit) askToSignIn() error {
	to := "/sign-in"
	if v.r.Method == http.MethodGet && v.r.URL.Path != "/" && !v.enhanced() {
		to += "?next=" + url.QueryEscape(v.r.URL.RequestURI())
	}
	return v.redirect(to)
}

// local is a path of this server to go on to, "/" for anything else.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n") {
		return "/"
	}
	return next
}

// enhanced reports whether htmx asks.
func (v *visit) enhanced() bool { return v.r.Header.Get("HX-Request") == "true" }

// redirect sends the browser to another page; htmx is told to.
func (v *visit) redirect(to string) error {
	if v.enhanced() {
		v.w.Header().Set("HX-Redirect", to)
		v.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	v.w.Header().Set("Location", to)
	v.w.WriteHeader(http.StatusSeeOther)
	return nil
}

// done is redirect after something was done, which the next page says: notices
// are named in the query, so that nobody can make a page say what they like.
func (v *visit) done(to, notice string) error {
	sep := "?"
	if strings.Contains(to, "?") {
		sep = "&"
	}
	return v.redirect(to + sep + "done=" + notice)
}

// maxForm bounds what a form may send: pasted key files are small.
const maxForm = 1 << 20

// form reads what a form sent.
func (v *visit) form() (url.Values, error) {
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxForm)
	if err := v.r.ParseForm(); err != nil {
		var tooBig *http.MaxBytesError
		if errors.As(err, &tooBig) {
			return nil, errs.New(errs.Invalid, "web.form", "the form is larger than 1 MB")
		}
		return nil, errs.New(errs.Invalid, "web.form", "the form can't be read")
	}
	return v.r.PostForm, nil
}

// fail answers with an error, as a page.
func (v *visit) fail(err error) {
	if v.w.Started() {
		panic(http.ErrAbortHandler) // the answer was under way: only a broken connection tells
	}
	status := surface.Status(err, false)
	v.report(err, status)
	title := "Something went wrong"
	switch status {
	case http.StatusNotFound:
		title = "Not found"
	case http.StatusForbidden:
		title = "Not allowed"
	}
	if err := v.show(status, "problem.html", frame{Title: title, Problem: v.problem(err)}); err != nil {
		v.Log.Error("a page can't be rendered", "request_id", v.w.ID, "route", v.w.Route, "error", err)
		http.Error(v.w, "something went wrong", http.StatusInternalServerError)
	}
}

// report writes a fault of ours to the log.
func (v *visit) report(err error, status int) {
	if surface.Fault(status) && v.ctx().Err() == nil {
		v.Log.Error("a request failed", "request_id", v.w.ID, "route", v.w.Route, "kind", errs.KindOf(err).String(), "error", err)
	}
}

// retryAfter is for people: whole seconds.
func retryAfter(d time.Duration) string { return d.Round(time.Second).String() }
