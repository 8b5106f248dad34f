package snowflake

import (
	"encoding/json"
	"strings"
	"time"
)

// session is one login. Its fields are guarded by the server's lock.
type session struct {
	id            int64
	user          string
	role          string
	warehouse     string
	database      string
	schema        string
	token         string
	expires       time.Time
	master        string
	masterExpires time.Time
	params        map[string]string
	zone          *time.Location
	results       []*query // with chunks or a result URL, oldest first
}

type loginBody struct {
	Data struct {
		Account       string         `json:"ACCOUNT_NAME"`
		Login         string         `json:"LOGIN_NAME"`
		Password      string         `json:"PASSWORD"`
		Authenticator string         `json:"AUTHENTICATOR"`
		Token         string         `json:"TOKEN"`
		Parameters    map[string]any `json:"SESSION_PARAMETERS"`
	} `json:"data"`
}

// loginUser is who a login says it is, proven or not.
func loginUser(body []byte) string {
	var b loginBody
	if json.Unmarshal(body, &b) != nil {
		return ""
	}
	var c claims
	if parts := strings.Split(b.Data.Token, "."); b.Data.Login == "" && len(parts) == 3 && decodePart(parts[1], &c) {
		_, b.Data.Login, _ = strings.Cut(c.Subject, ".")
	}
	return strings.ToUpper(b.Data.Login)
}

func (x *exchange) login() {
	var b loginBody
	if err := json.Unmarshal(x.body, &b); err != nil {
		x.failed(fail("390100"), nil)
		return
	}
	s := x.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opts.Account != "" && locator(b.Data.Account) != locator(s.opts.Account) {
		x.raw(403, "text/plain", nil) // as there is no such account behind any host
		return
	}
	u, f := s.authenticate(b)
	if f == nil && u.locked {
		f = fail("390102")
	}
	var ses *session
	if f == nil {
		ses, f = s.open(x, u, b.Data.Parameters)
	}
	if f != nil {
		x.failed(f, nil)
		return
	}
	s.log.change(x.entry, func(*Request) { s.log.logins++ })
	x.succeed(map[string]any{
		"token": ses.token, "validityInSeconds": int(s.opts.SessionLife.Seconds()),
		"masterToken": ses.master, "masterValidityInSeconds": int(s.opts.MasterLife.Seconds()),
		"sessionId": ses.id, "displayUserName": ses.user, "serverVersion": serverVersion,
		"parameters": ses.wireParams(),
		"sessionInfo": map[string]any{
			"databaseName": orNull(ses.database), "schemaName": orNull(ses.schema),
			"warehouseName": orNull(ses.warehouse), "roleName": ses.role,
		},
	})
}

func (s *Server) authenticate(b loginBody) (*User, *failure) {
	d := b.Data
	switch strings.ToUpper(d.Authenticator) {
	case "SNOWFLAKE_JWT":
		return s.verifyJWT(d.Token, d.Account)
	case "", "SNOWFLAKE":
		u := s.users[strings.ToUpper(d.Login)]
		if u != nil && u.locked {
			return u, nil
		}
		if u == nil || u.password == "" || u.password != d.Password {
			return nil, fail("390100")
		}
		return u, nil
	}
	return nil, failf("390100", "Authenticator is not supported here.")
}

// open makes a session in the role, warehouse, database and schema that are asked
// for.
func (s *Server) open(x *exchange, u *User, params map[string]any) (*session, *failure) {
	q := x.r.URL.Query()
	ses := &session{id: s.ids.Add(1), user: u.name, params: map[string]string{}, zone: s.zone}
	validate := true
	for name, value := range params {
		if name == "CLIENT_VALIDATE_DEFAULT_PARAMETERS" {
			validate = value != false && value != "false"
			continue
		}
		if f := ses.set(name, paramText(value)); f != nil {
			return nil, f
		}
	}
	ses.role = u.defaultRole
	if ses.role == "" {
		ses.role = adminRole
	}
	if name := q.Get("roleName"); name != "" {
		ses.role = objectName(name)
		if s.roles[ses.role] == nil {
			return nil, failf("390189", "Role '%s' specified in the connect string does not exist or not authorized. Contact your local system administrator, or attempt to login with another role.", ses.role)
		}
		if !u.holds(ses.role) {
			return nil, failf("390186", "Role '%s' specified in the connect string is not granted to this user. Contact your local system administrator, or attempt to login with another role.", ses.role)
		}
	}
	warehouse := u.defaultWarehouse
	if name := q.Get("warehouse"); name != "" {
		warehouse = objectName(name)
	}
	if warehouse != "" && s.mayUse(ses.role, warehouse) {
		ses.warehouse = warehouse
	} else if validate && q.Get("warehouse") != "" {
		return nil, failf("390201", "The requested warehouse does not exist or not authorized: %s", warehouse)
	}
	if f := s.place(ses, q.Get("databaseName"), q.Get("schemaName"), validate); f != nil {
		return nil, f
	}
	s.issue(ses)
	ses.master, ses.masterExpires = token(), s.now().Add(s.opts.MasterLife)
	s.sessions[ses.id] = ses
	return ses, nil
}

// place sets the database and schema of a new session.
func (s *Server) place(ses *session, database, schema string, validate bool) *failure {
	if database != "" {
		database = objectName(database)
		if s.visible(ses.role, path{database}) {
			ses.database = database
		} else if validate {
			return failf("390201", "The requested database does not exist or not authorized: %s", database)
		}
	}
	if schema != "" && ses.database != "" {
		schema = objectName(schema)
		if s.visible(ses.role, path{ses.database, schema}) {
			ses.schema = schema
		} else if validate {
			return failf("390201", "The requested schema does not exist or not authorized: %s", schema)
		}
	}
	if ses.schema == "" && ses.database != "" && s.visible(ses.role, path{ses.database, "PUBLIC"}) {
		ses.schema = "PUBLIC"
	}
	return nil
}

func (s *Server) mayUse(role, warehouse string) bool {
	return s.warehouses[warehouse] && s.roles[role].may(Usage, path{warehouse}.key())
}

// issue gives a session a new token.
func (s *Server) issue(ses *session) {
	ses.token, ses.expires = token(), s.now().Add(s.opts.SessionLife)
}

// session finds who presents the request's token, be it a session's or a master
// token, and expired or not.
func (x *exchange) session() *session {
	t := x.bearer()
	if t == "" {
		return nil
	}
	x.s.mu.RLock()
	defer x.s.mu.RUnlock()
	for _, ses := range x.s.sessions {
		if ses.token == t || ses.master == t {
			return ses
		}
	}
	return nil
}

// authorized finds the session of a request whose token is valid.
func (x *exchange) authorized() (*session, *failure) {
	ses := x.session()
	if ses == nil {
		return nil, fail("390111")
	}
	x.s.mu.RLock()
	defer x.s.mu.RUnlock()
	switch now := x.s.now(); {
	case ses.token != x.bearer():
		return nil, fail("390104")
	case !now.Before(ses.masterExpires):
		return nil, fail("390114")
	case !now.Before(ses.expires):
		return nil, fail("390112")
	}
	return ses, nil
}

func (x *exchange) renew() {
	var b struct {
		Old  string `json:"oldSessionToken"`
		Type string `json:"requestType"`
	}
	err := json.Unmarshal(x.body, &b)
	ses := x.session()
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	switch {
	case ses == nil:
		x.failed(fail("390111"), nil)
		return
	case err != nil || b.Type != "RENEW" || ses.master != x.bearer() || ses.token != b.Old:
		x.failed(fail("390115"), nil)
		return
	case !x.s.now().Before(ses.masterExpires):
		x.failed(fail("390114"), nil)
		return
	}
	x.s.issue(ses)
	ses.master = token()
	ses.masterExpires = x.s.now().Add(x.s.opts.MasterLife)
	x.succeed(map[string]any{
		"sessionToken": ses.token, "validityInSecondsST": int(x.s.opts.SessionLife.Seconds()),
		"masterToken": ses.master, "validityInSecondsMT": int(x.s.opts.MasterLife.Seconds()),
		"sessionId": ses.id,
	})
}

func (x *exchange) heartbeat() {
	if _, f := x.authorized(); f != nil {
		x.failed(f, nil)
		return
	}
	x.succeed(nil)
}

func (x *exchange) logout() {
	ses, f := x.authorized()
	if f != nil {
		x.failed(f, nil)
		return
	}
	x.s.end(ses)
	x.succeed(nil)
}

// end forgets a session and its results.
func (s *Server) end(ses *session) {
	if ses == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, ses.id)
	for _, q := range ses.results {
		delete(s.queries, q.id)
	}
}

// expire ends the token of a session, or both of its tokens.
func (s *Server) expire(ses *session, master bool) {
	if ses == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ses.expires = time.Time{}
	if master {
		ses.masterExpires = time.Time{}
	}
}

// Sessions returns how many sessions are open.
func (s *Server) Sessions() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.sessions)
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
