package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"mooring/internal/access"
	"mooring/internal/audit"
	"mooring/internal/secret"
	"mooring/internal/web"
)

func TestSignInByKey(t *testing.T) {
	w := newWorld(t)
	b := w.stranger()
	if got := b.want(http.StatusSeeOther, "/connections?q=x", nil); got.to() != "/sign-in?next="+url.QueryEscape("/connections?q=x") {
		t.Errorf("a stranger is sent to %s", got.to())
	}
	got := b.want(http.StatusUnauthorized, "/sign-in", url.Values{"key": {"moor_wrong"}})
	if !strings.Contains(got.body, "not valid") || strings.Contains(got.body, "moor_wrong") {
		t.Errorf("a wrong key is answered\n%s", got.body)
	}
	got = b.want(http.StatusSeeOther, "/sign-in", url.Values{"key": {w.admin.Reveal()}, "next": {"/connections?q=x"}})
	if got.to() != "/connections?q=x" {
		t.Errorf("after signing in: %s", got.to())
	}
	c := b.cookies["mooring_session"]
	if c == nil || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" {
		t.Errorf("the cookie is %+v", c)
	}
	b.want(http.StatusOK, "/connections", nil)
	kept := c.Value
	b.want(http.StatusSeeOther, "/sign-out", url.Values{})
	if len(b.cookies) != 0 {
		t.Error("signing out leaves the cookie")
	}
	b.cookies["mooring_session"] = &http.Cookie{Name: "mooring_session", Value: kept}
	b.want(http.StatusSeeOther, "/connections", nil)
}

func TestNobodyIsSentElsewhere(t *testing.T) {
	w := newWorld(t)
	for _, next := range []string{"https://evil.example/", "//evil.example/", "/\\evil.example", "evil", "javascript:alert(1)"} {
		got := w.stranger().want(http.StatusSeeOther, "/sign-in", url.Values{"key": {w.admin.Reveal()}, "next": {next}})
		if got.to() != "/" {
			t.Errorf("%s leads to %s", next, got.to())
		}
	}
}

func TestCookiesBehindTLS(t *testing.T) {
	w := newWorld(t)
	w.server.PublicURL = "https://mooring.example"
	w.handler = web.New(w.server)
	c := w.signedIn(w.admin).cookies["__Host-mooring_session"]
	if c == nil || !c.Secure || c.Path != "/" || c.Domain != "" {
		t.Errorf("the cookie is %+v", c)
	}
}

func TestLinksSignInOnce(t *testing.T) {
	w := newWorld(t)
	link := func() string {
		token, _, err := w.server.Access.Link(t.Context(), w.org.Organization.ID)
		if err != nil {
			t.Fatal(err)
		}
		return web.LinkPath + token.Reveal()
	}
	first := link()
	w.stranger().want(http.StatusOK, first, nil) // looking uses nothing up
	b := w.stranger()
	b.want(http.StatusSeeOther, first, url.Values{})
	b.want(http.StatusOK, "/connections", nil)
	for _, form := range []url.Values{nil, {}} {
		w.stranger().want(http.StatusUnauthorized, first, form)
	}
	many, begun := link(), make(chan bool)
	for range 16 { // at once
		go func() { begun <- w.stranger().send(many, url.Values{}).status == http.StatusSeeOther }()
	}
	n := 0
	for range 16 {
		if <-begun {
			n++
		}
	}
	if n != 1 {
		t.Errorf("a link signed %d in that were as fast", n)
	}
	late := link()
	w.pass(access.LinkLife)
	w.stranger().want(http.StatusUnauthorized, late, url.Values{})
	for _, bad := range []string{"x", "a-b-c", strings.Repeat("a", 5000), first[len(web.LinkPath):] + "x"} {
		w.stranger().want(http.StatusUnauthorized, web.LinkPath+bad, url.Values{})
	}
}

// TestSessionsEnd: with the key, however that ends, and with time.
func TestSessionsEnd(t *testing.T) {
	w := newWorld(t)
	who, err := w.server.Access.Authenticate(t.Context(), w.admin)
	if err != nil {
		t.Fatal(err)
	}
	by := who.Actor("", "")
	for name, end := range map[string]func(string){
		"revoked":                               func(key string) { err = w.server.Access.RevokeKey(t.Context(), who, by, w.org.User.Email, key) },
		"rotated":                               func(key string) { _, _, err = w.server.Access.RotateKey(t.Context(), who, by, w.org.User.Email, key) },
		"idle":                                  func(string) { w.pass(access.SessionIdle) },
		"begun while the clock was a day ahead": func(string) { w.pass(-24 * time.Hour) },
	} {
		b := w.signedIn(w.key("a "+name, access.Read))
		b.want(http.StatusOK, "/connections", nil)
		if end("a " + name); err != nil {
			t.Fatal(err)
		}
		b.want(http.StatusSeeOther, "/connections", nil)
	}
	b := w.signedIn(w.admin)
	for range 30 { // in use, but for so long
		w.pass(6 * time.Hour)
		if b.send("/connections", nil).status == http.StatusSeeOther {
			return
		}
	}
	t.Error("a session in use goes on for more than a week")
}

func TestSessionsAreListedAndEnded(t *testing.T) {
	w := newWorld(t)
	admin, reader := w.signedIn(w.admin), w.signedIn(w.key("a reader", access.Read))
	if got := reader.want(http.StatusOK, "/sessions", nil); strings.Contains(got.body, "admin-key") {
		t.Error("a reader sees the admin's session")
	}
	got := admin.want(http.StatusOK, "/sessions", nil)
	i := strings.Index(got.body, "/sessions/ses_")
	if i < 0 || !strings.Contains(got.body, "a reader") {
		t.Fatalf("the admin does not see the reader's session\n%s", got.body)
	}
	path, _, _ := strings.Cut(got.body[i:], `"`)
	w.signedIn(w.key("another", access.Read)).want(http.StatusNotFound, path, url.Values{})
	admin.want(http.StatusSeeOther, path, url.Values{})
	reader.want(http.StatusSeeOther, "/sessions", nil)
}

func TestSigningInIsAudited(t *testing.T) {
	w := newWorld(t)
	b := w.signedIn(w.admin)
	b.want(http.StatusSeeOther, "/sign-out", url.Values{})
	for _, action := range []string{audit.SessionStarted, audit.SessionEnded} {
		list, err := w.store.Audit().List(t.Context(), w.org.Organization.ID, audit.Filter{Action: action}, 0, 10)
		if err != nil || len(list) != 1 || list[0].Actor.ID != string(w.org.Key.ID) || list[0].Actor.IP == "" {
			t.Errorf("%s: %+v, %v", action, list, err)
		}
	}
}

func TestTryingToSignInIsSlowedDown(t *testing.T) {
	w := newWorld(t)
	statuses := map[int]int{}
	for range 100 {
		statuses[w.stranger().send("/sign-in", url.Values{"key": {"moor_nobody"}}).status]++
	}
	if statuses[http.StatusTooManyRequests] < 50 || statuses[http.StatusUnauthorized] < 20 {
		t.Errorf("statuses %v", statuses)
	}
	w.signedIn(w.admin)
	if strings.Contains(w.log.String(), "moor_nobody") {
		t.Error("the log holds what was tried")
	}
}

// TestOtherSitesAreRefused: whatever they send, with the cookie or without.
func TestOtherSitesAreRefused(t *testing.T) {
	w := newWorld(t)
	b := w.signedIn(w.admin)
	path := b.connect("a")
	for _, from := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Sec-Fetch-Site", "", "Origin", "https://evil.example"}, {"Sec-Fetch-Site", "", "Origin", "null"}} {
		for _, p := range web.Pages() {
			if p.Method == http.MethodPost {
				b.want(http.StatusForbidden, strings.NewReplacer("{connection}", path[len("/connections/"):], "{provider}", "s3", "{token}", "x", "{session}", "x").Replace(p.Path), url.Values{}, from...)
			}
		}
	}
	if w.stored(path).Status != "ACTIVE" {
		t.Error("another site's form was followed")
	}
	b.want(http.StatusSeeOther, path+"/suspend", url.Values{}, "Sec-Fetch-Site", "", "Origin", "http://example.com") // this one, in an old browser
}

// TestAssets: kept for ever under the hash of their content, and nothing else is there.
func TestAssets(t *testing.T) {
	w := newWorld(t)
	b := w.stranger()
	page := b.want(http.StatusOK, "/sign-in", nil).body
	found := 0
	for part := range strings.SplitSeq(page, `"`) {
		if !strings.HasPrefix(part, "/assets/") {
			continue
		}
		found++
		got := b.want(http.StatusOK, part, nil)
		if !strings.Contains(got.header.Get("Cache-Control"), "immutable") || got.header.Get("Content-Security-Policy") == "" {
			t.Errorf("%s: %v", part, got.header)
		}
		b.want(http.StatusNotFound, strings.Replace(part, "/assets/", "/assets/0", 1), nil)
	}
	if found < 4 {
		t.Errorf("%d assets", found)
	}
}

// A session's cookie is no API key, and the other way round.
func TestCookiesAreNoKeys(t *testing.T) {
	w := newWorld(t)
	cookie := w.signedIn(w.admin).cookies["mooring_session"].Value
	if _, err := w.server.Access.Authenticate(t.Context(), secret.New(cookie)); err == nil {
		t.Error("a cookie is taken as a key")
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/connections", nil)
	r.AddCookie(&http.Cookie{Name: "mooring_session", Value: w.admin.Reveal()})
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	if rec.Code != http.StatusSeeOther {
		t.Errorf("a key as a cookie: %d", rec.Code)
	}
}
