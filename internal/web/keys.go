package web

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"mooring/internal/access"
	accessservice "mooring/internal/access/service"
	"mooring/internal/errs"
	"mooring/internal/secret"
	"mooring/internal/store"
	"mooring/internal/surface"
)

const keysPath = "/keys"

func keyPages() []page {
	return []page{
		{"GET " + keysPath, access.Admin, (*visit).showKeys},
		{"POST " + keysPath, access.Admin, (*visit).createKey},
		{"POST " + keysPath + "/rotate", access.Admin, (*visit).rotateKey},
		{"POST " + keysPath + "/revoke", access.Admin, (*visit).revokeKey},
	}
}

type keyData struct {
	Now   time.Time
	Email string
	Users []field
	Keys  []access.APIKey
	Made  access.APIKey
	Plain string // of the key that was just made: shown this once
	Form  []field
}

// usersShown is how many users a select offers.
const usersShown = 1000

func (v *visit) showKeys() error { return v.keysPage(http.StatusOK, keyData{}, nil, nil) }

// keysPage shows the keys of the user that the query names, else the visitor's own.
func (v *visit) keysPage(status int, d keyData, sent url.Values, failure error) error {
	if err := v.reach().Covers(access.OfOrganization(v.org())); err != nil {
		return err
	}
	users, err := v.Store.Users().List(v.ctx(), v.org(), store.Page{Limit: usersShown})
	if err != nil {
		return err
	}
	d.Now, d.Email = v.now(), v.r.URL.Query().Get("user")
	var pairs []string
	for _, u := range users.Items {
		pairs = append(pairs, u.Email, u.Email)
		if d.Email == "" && u.ID == v.user() {
			d.Email = u.Email
		}
	}
	d.Users = []field{{Name: "user", Label: "User", Kind: "select", Options: choices(d.Email, pairs...)}}
	if d.Keys, err = v.Access.Keys(v.ctx(), v.org(), d.Email, true); err != nil {
		return err
	}
	f := frame{Title: "API keys", Section: "keys"}
	if failure != nil {
		v.report(failure, status)
		f.Problem = v.problem(failure)
	}
	d.Form = filled([]field{
		{Name: "name", Label: "Name", Kind: "text", Help: "What will use it, such as nightly-report."},
		{Name: "permissions", Label: "Permission", Kind: "select", Help: "Each includes those before it. A key can't be given more than yours has.",
			Options: choices("read", "read", "Read", "write", "Write: test, change, sync", "delete", "Delete: archive, purge", "admin", "Admin: connect, keys, audit")},
		{Name: "expires_at", Label: "Expires", Kind: "date", Optional: true},
		{Name: "rate_limit_override", Label: "Requests a minute", Kind: "number", Optional: true},
	}, sent, f.Problem)
	f.Data = d
	return v.show(status, "keys.html", f)
}

func (v *visit) createKey() error {
	if err := v.reach().Covers(access.OfOrganization(v.org())); err != nil {
		return err
	}
	form, err := v.form()
	if err != nil {
		return err
	}
	r, err := keyRequest(form)
	if err != nil {
		return v.keysPage(http.StatusUnprocessableEntity, keyData{}, form, err)
	}
	k, plain, err := v.Access.CreateKey(v.ctx(), v.org(), &v.who, v.actor, v.r.URL.Query().Get("user"), r)
	if err != nil {
		return v.keysPage(surface.Status(err, true), keyData{}, form, err)
	}
	return v.keyOnce(k, plain)
}

// keyOnce shows a key to whoever made it. The page is not kept by browsers, and
// asking for it again shows no key.
func (v *visit) keyOnce(k access.APIKey, plain secret.String) error {
	return v.keysPage(http.StatusOK, keyData{Made: k, Plain: plain.Reveal()}, nil, nil)
}

func keyRequest(form url.Values) (accessservice.KeyRequest, error) {
	f := errs.NewFields("body")
	r := accessservice.KeyRequest{Name: form.Get("name"), Permissions: []access.Permission{access.Permission(form.Get("permissions"))}}
	if text := form.Get("rate_limit_override"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 1_000_000 {
			f.Add("value_error", "must be from 1 to 1000000", "rate_limit_override")
		}
		r.RateLimit = &n
	}
	if text := form.Get("expires_at"); text != "" {
		day, err := time.Parse(time.DateOnly, text)
		if err != nil {
			f.Add("value_error", "must be a day such as 2027-01-31", "expires_at")
		}
		r.ExpiresAt = &day
	}
	return r, f.Err("web.key")
}

func (v *visit) rotateKey() error {
	if err := v.reach().Covers(access.OfOrganization(v.org())); err != nil {
		return err
	}
	form, err := v.form()
	if err != nil {
		return err
	}
	k, plain, err := v.Access.RotateKey(v.ctx(), v.who, v.actor, v.r.URL.Query().Get("user"), form.Get("key"))
	if err != nil {
		return v.keysPage(surface.Status(err, true), keyData{}, nil, err)
	}
	return v.keyOnce(k, plain)
}

func (v *visit) revokeKey() error {
	if err := v.reach().Covers(access.OfOrganization(v.org())); err != nil {
		return err
	}
	form, err := v.form()
	if err != nil {
		return err
	}
	email := v.r.URL.Query().Get("user")
	if err := v.Access.RevokeKey(v.ctx(), v.who, v.actor, email, form.Get("key")); err != nil {
		return v.keysPage(surface.Status(err, true), keyData{}, nil, err)
	}
	return v.done(withQuery(keysPath, url.Values{"user": {email}}), "revoked")
}

// keyAction is where forms about a user's keys go, "" for the page itself.
func keyAction(action, email string) string {
	path := keysPath
	if action != "" {
		path += "/" + action
	}
	return withQuery(path, url.Values{"user": {email}})
}

func keySign(k access.APIKey, now time.Time) sign {
	switch {
	case k.Status == access.KeyRevoked:
		return sign{"off", "stop", "Revoked"}
	case k.Status == access.KeyExpired || k.ExpiresAt != nil && !k.ExpiresAt.After(now):
		return sign{"off", "stop", "Expired"}
	}
	return sign{"good", "good", "Active"}
}
