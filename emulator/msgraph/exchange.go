package msgraph

import (
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"mooring/emulator/internal/wire"
)

// maxForm bounds the body of a request to the token endpoint.
const maxForm = 1 << 20

// exchange is one request on its way through the server.
type exchange struct {
	s      *Server
	r      *http.Request
	w      *wire.Writer
	addr   address
	query  url.Values
	form   url.Values // of the token endpoint
	bearer string
	entry  *Request
	plan   plan // what the injected faults make of it
}

// answer is a success.
type answer struct {
	status  int
	header  http.Header
	body    any       // JSON, unless nil
	content io.Reader // otherwise these bytes
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := s.receive(w, r)
	s.log.add(x.entry)
	x.disturb()
	if x.plan.drop {
		x.w.Reset()
	}
	a, err := x.answer()
	if err != nil {
		x.fail(err)
		return
	}
	for name, values := range a.header {
		x.w.Header()[name] = values
	}
	if a.body != nil {
		x.json(a.status, a.body)
		return
	}
	x.w.WriteHeader(a.status)
	if a.content != nil && r.Method != http.MethodHead {
		_, _ = io.Copy(x.w, a.content)
	}
}

// receive reads what a request asks.
func (s *Server) receive(w http.ResponseWriter, r *http.Request) *exchange {
	x := &exchange{s: s, r: r, query: r.URL.Query(), addr: parsePath(r.URL.Path)}
	e := &Request{
		Time: s.now(), ID: guid("request", strconv.FormatUint(s.ids.Add(1), 10)), Operation: x.addr.op, Method: r.Method,
		URL: r.URL.RequestURI(), Query: x.query, Tenant: x.addr.tenant, Range: r.Header.Get("Range"),
		UserAgent: r.UserAgent(), Prefer: strings.Join(r.Header.Values("Prefer"), ", "), Bearer: r.Header.Get("Authorization") != "",
	}
	x.entry = e
	x.w = x.writer(w)
	w.Header().Set("request-id", e.ID)
	w.Header().Set("client-request-id", x.clientID())
	if !x.methodAllowed() {
		x.addr.op, e.Operation = Unknown, Unknown
	}
	if x.addr.op == Token {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		_ = r.ParseForm()
		x.form = r.PostForm
		e.Grant, e.ClientID = x.form.Get("grant_type"), x.client()
		return x
	}
	if scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Bearer") {
		x.bearer = token
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.access[x.bearer]; a != nil {
		e.Tenant, e.ClientID = a.tenant, a.client
	}
	if d, i, err := x.resolve(); err == nil && d != nil {
		e.Drive = d.id
		if i != nil {
			e.Item, e.Path = i.id, i.path()
		}
	}
	return x
}

func (x *exchange) methodAllowed() bool {
	if x.addr.op == Token {
		return x.r.Method == http.MethodPost
	}
	return x.r.Method == http.MethodGet || x.r.Method == http.MethodHead && x.addr.op == Download
}

// clientID is the id that the client gave its request, else ours.
func (x *exchange) clientID() string {
	if id := x.r.Header.Get("Client-Request-Id"); id != "" {
		return id
	}
	return x.entry.ID
}

// base is the address that the client used.
func (x *exchange) base() string {
	scheme := "http://"
	if x.r.TLS != nil {
		scheme = "https://"
	}
	return scheme + x.r.Host
}

// resolve finds the drive and the item that a request names. The lock is held.
func (x *exchange) resolve() (*drive, *item, *Error) {
	a := x.addr
	if a.op == Download {
		i, err := x.s.ticket(a.ticket)
		if err != nil {
			return nil, nil, err
		}
		return i.drive, i, nil
	}
	d, err := x.drive()
	if err != nil || d == nil || a.item == "" {
		return d, nil, err
	}
	i := d.item(a.item)
	if i != nil {
		i = i.at(a.path)
	}
	if i == nil {
		return d, nil, failure("itemNotFound")
	}
	return d, i, nil
}

// drive finds the drive of a request; nil if it names none.
func (x *exchange) drive() (*drive, *Error) {
	a := x.addr
	if a.drive != "" {
		if d := x.s.drives[a.drive]; d != nil {
			return d, nil
		}
		return nil, failure("itemNotFound")
	}
	if a.op == GetSite || a.op == SearchSites || a.op == ListDrives {
		return nil, nil
	}
	switch {
	case a.user != "":
		u, err := x.user()
		if err != nil {
			return nil, err
		}
		return u.drive, nil
	case a.host != "" || a.site != "":
		w, err := x.site()
		if err != nil {
			return nil, err
		}
		return w.drives[0], nil
	}
	return nil, nil
}

// site finds the site of a request.
func (x *exchange) site() (*site, *Error) {
	a := x.addr
	var w *site
	switch {
	case a.host != "":
		w = x.s.siteByPath(a.host, a.sitePath)
	case strings.EqualFold(a.site, "root"):
		w = x.s.rootSite(x.entry.Tenant)
	default:
		w = x.s.siteByID(a.site)
	}
	if w == nil {
		return nil, &Error{Code: "itemNotFound", Message: "Requested site could not be found"}
	}
	return w, nil
}

// user finds the user of a request; me is who the token speaks for.
func (x *exchange) user() (*user, *Error) {
	name := x.addr.user
	if name == "me" {
		a := x.s.access[x.bearer]
		if a == nil || a.user == "" {
			return nil, &Error{Status: http.StatusBadRequest, Code: "BadRequest", Message: "/me request is only valid with delegated authentication flow."}
		}
		name = a.user
	}
	if t := x.s.tenants[x.entry.Tenant]; t != nil {
		if u := t.user(name); u != nil {
			return u, nil
		}
	}
	return nil, &Error{Status: http.StatusNotFound, Code: "Request_ResourceNotFound", Message: "The user does not exist."}
}

// answer does what is asked.
func (x *exchange) answer() (answer, *Error) {
	switch {
	case x.plan.reply != nil:
		return answer{}, x.plan.reply
	case x.entry.Operation == Token:
		return x.token()
	case x.entry.Operation == Authorize:
		return x.authorize()
	case x.entry.Operation == OpenID:
		return x.openID()
	case x.entry.Operation == Download:
		return x.download()
	}
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	who, err := x.authenticate()
	if err != nil {
		return answer{}, err
	}
	if err := x.spend(who); err != nil {
		return answer{}, err
	}
	if err := x.refuseOptions(); err != nil {
		return answer{}, err
	}
	return x.perform(who)
}

// perform does what is asked by one who is known. The lock is held.
func (x *exchange) perform(who *access) (answer, *Error) {
	switch x.entry.Operation {
	case Unknown:
		return answer{}, failure("BadRequest")
	case SearchSites:
		return x.searchSites(who)
	case GetSite:
		return x.getSite(who)
	case ListDrives:
		return x.listDrives(who)
	}
	d, i, err := x.resolve()
	if d != nil {
		if denied := x.may(who, d); denied != nil {
			return answer{}, denied
		}
	}
	if err != nil {
		return answer{}, err
	}
	switch x.entry.Operation {
	case GetDrive:
		return x.getDrive(d)
	case GetItem:
		return x.getItem(i)
	case ListChildren:
		return x.listChildren(i)
	case Delta:
		return x.delta(d, i)
	case GetContent:
		return x.getContent(i)
	default:
		return x.listPermissions(i)
	}
}

// supportedOptions are the system query options that are understood.
var supportedOptions = map[string]bool{"$select": true, "$top": true, "$skiptoken": true}

// refuseOptions refuses what would otherwise be ignored.
func (x *exchange) refuseOptions() *Error {
	for name := range x.query {
		if strings.HasPrefix(name, "$") && !supportedOptions[name] {
			return &Error{Code: "notSupported", Message: "The emulator has no " + name}
		}
	}
	return nil
}
