package web

import (
	"cmp"
	"net/http"
	"strings"
	"time"

	"mooring/internal/access"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/secret"
	"mooring/internal/surface"
)

// LinkPath is where a link for signing in leads, followed by its token.
const LinkPath = "/sign-in/"

func signInPages() []page {
	return []page{
		{"GET /sign-in", "", (*visit).signInForm},
		{"POST /sign-in", "", (*visit).signIn},
		{"GET " + LinkPath + "{token}", "", (*visit).linkForm},
		{"POST " + LinkPath + "{token}", "", (*visit).followLink},
		{"POST /sign-out", access.Read, (*visit).signOut},
	}
}

// cookieName is that of a session. Browsers take one with the lead __Host- from
// this host alone, by TLS, so that a neighbour in the domain can't plant one.
func (s *server) cookieName() string {
	if s.secure() {
		return "__Host-mooring_session"
	}
	return "mooring_session"
}

// setCookie gives the browser its session. It is sent along when another site
// links here (Lax), and not with what other sites send.
func (v *visit) setCookie(value string, expires time.Time) {
	c := &http.Cookie{Name: v.cookieName(), Value: value, Path: "/", HttpOnly: true, Secure: v.secure(), SameSite: http.SameSiteLaxMode, Expires: expires}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(v.w, c)
}

type signInData struct {
	Next  string
	Token string // of a link
}

func (v *visit) signInForm() error {
	if v.identify() == nil {
		return v.redirect("/")
	}
	return v.show(http.StatusOK, "signin.html", frame{Title: "Sign in", Data: signInData{Next: local(v.r.URL.Query().Get("next"))}})
}

func (v *visit) signIn() error {
	form, err := v.form()
	if err != nil {
		return err
	}
	next := local(form.Get("next"))
	session, cookie, err := v.Access.SignIn(v.ctx(), secret.New(strings.TrimSpace(form.Get("key"))), v.from())
	if err != nil {
		return v.again(v.guessed(err), "signin.html", frame{Title: "Sign in", Data: signInData{Next: next}})
	}
	return v.begin(session, cookie, next)
}

// begin ends the session that this browser had and begins another.
func (v *visit) begin(session access.Session, cookie secret.String, next string) error {
	if v.identify() == nil {
		if err := v.Access.EndSession(v.ctx(), v.org(), v.who.Actor(session.IP, session.Agent), v.session.ID); err != nil {
			return err
		}
	}
	v.setCookie(cookie.Reveal(), session.CreatedAt.Add(access.SessionLife))
	return v.redirect(next)
}

var errWrongKey = errs.New(errs.Unauthenticated, "web.signin", "this API key is not valid: it may be mistyped, revoked or expired")

// guessed slows down whoever tries keys and links, together with the API.
func (v *visit) guessed(err error) error {
	if !errs.Is(err, errs.Unauthenticated) {
		return err
	}
	log, attempts, slow := v.Guard.Guessed(v.from().IP, v.Now())
	if log {
		v.Log.Warn("attempts to sign in with what is not valid", "request_id", v.w.ID, "ip", v.from().IP, "attempts", attempts)
	}
	if strings.HasPrefix(v.r.URL.Path, LinkPath) {
		return cmp.Or(slow, err)
	}
	return cmp.Or(slow, error(errWrongKey))
}

// linkForm asks before it uses the link up: programs look at links too.
func (v *visit) linkForm() error {
	token := v.path("token")
	if _, err := v.Access.Offered(v.ctx(), secret.New(token)); err != nil {
		return v.again(v.guessed(err), "signin.html", frame{Title: "Sign in", Data: signInData{Next: "/"}})
	}
	return v.show(http.StatusOK, "signin.html", frame{Title: "Sign in", Data: signInData{Next: "/", Token: token}})
}

func (v *visit) followLink() error {
	session, cookie, err := v.Access.Follow(v.ctx(), secret.New(v.path("token")), v.from())
	if err != nil {
		return v.again(v.guessed(err), "signin.html", frame{Title: "Sign in", Data: signInData{Next: "/"}})
	}
	return v.begin(session, cookie, "/")
}

func (v *visit) signOut() error {
	if err := v.Access.EndSession(v.ctx(), v.org(), v.actor, v.session.ID); err != nil {
		return err
	}
	v.setCookie("", time.Time{})
	v.w.Header().Set("Clear-Site-Data", `"cache"`)
	return v.done("/sign-in", "signed-out")
}

func sessionPages() []page {
	return []page{
		{"GET /sessions", access.Read, (*visit).sessions},
		{"POST /sessions/{session}/end", access.Read, (*visit).endSession},
	}
}

type sessionRow struct {
	access.Session
	KeyName string
	Mine    bool
}

// sessions lists those with the visitor's own key; to an admin of the whole
// organization, all.
func (v *visit) sessions() error {
	rows, err := v.visibleSessions()
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "sessions.html", frame{Title: "Sessions", Section: "sessions", Data: map[string]any{"Rows": rows, "Now": v.now()}})
}

func (v *visit) visibleSessions() (rows []sessionRow, err error) {
	all, err := v.Access.Sessions(v.ctx(), v.org())
	if err != nil {
		return nil, err
	}
	everybody := v.who.Allows(access.Admin) && v.who.Reaches(access.Admin, access.OfOrganization(v.org()))
	names := map[id.APIKey]string{}
	for _, x := range all {
		if x.Key != v.who.Key.ID && !everybody {
			continue
		}
		name, ok := names[x.Key]
		if !ok {
			k, err := v.Store.APIKeys().Get(v.ctx(), v.org(), x.Key)
			if err != nil && !errs.Is(err, errs.NotFound) {
				return nil, err
			}
			name = k.Name
			names[x.Key] = name
		}
		rows = append(rows, sessionRow{Session: x, KeyName: name, Mine: x.ID == v.session.ID})
	}
	return rows, nil
}

func (v *visit) endSession() error {
	rows, err := v.visibleSessions()
	if err != nil {
		return err
	}
	for _, x := range rows {
		if string(x.ID) == v.path("session") {
			if err := v.Access.EndSession(v.ctx(), v.org(), v.actor, x.ID); err != nil {
				return err
			}
			return v.done("/sessions", "ended")
		}
	}
	return surface.Missing("session", v.path("session"))
}
