// Package snowflake is the adapter for Snowflake: each row of a table or view is
// an item, its content a JSON object.
//
// A scope is DATABASE.SCHEMA.TABLE, or less where the configuration has the rest.
// An item's id is the scope in full, a slash and the row's key: the text of the
// primary_key_columns, which is injective, or without them a hash of the row.
//
// Without an incremental_column every enumeration is a snapshot, ordered by id:
// the server sorts by the text of the key, so that a page follows from the key
// before it, in any process. With one, the enumeration is followed by a feed that
// reads what has a watermark since, and tells no deletion. See incremental.go.
//
// What only asks (Check, Browse, whether there is anything new) is done in a
// session without a warehouse, in which no statement can resume one.
package snowflake

import (
	"context"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"mooring/internal/connection/config"
	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// source is an open connection.
type source struct {
	sessions
	warehouse        string
	database, schema string // where a path names none
	keyNames         []string
	markName         string
	overlap          time.Duration
	pageRows         int
	now              func() time.Time

	shapes shapes
	scans  scans
}

var _ driver.Source = (*source)(nil)

// Open is the driver.Opener of the provider snowflake.
func Open(_ context.Context, c config.Config, o driver.Options) (driver.Source, error) {
	if o.Transport == nil {
		return nil, errs.New(errs.Internal, "snowflake.open", "no transport was given")
	}
	s := &source{
		markName: c.Text("incremental_column"), now: o.Now,
		pageRows: int(c.Number("fetch_size")), overlap: defaultOverlap,
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.pageRows <= 0 {
		s.pageRows = 1000
	}
	if n, ok := c.Fields["incremental_overlap_seconds"].(int64); ok {
		s.overlap = time.Duration(n) * time.Second
	}
	s.keyNames, _ = c.Fields["primary_key_columns"].([]string)
	l, err := loginOf(c, o)
	if err != nil {
		return nil, err
	}
	l.transport = wire{next: o.Transport.Client(false).Transport, now: s.now, tls: l.protocol == "https"}
	s.login = l
	if c.Text("warehouse") == "" {
		return nil, invalid("warehouse is missing")
	}
	for field, into := range map[string]*string{"database": &s.database, "schema": &s.schema, "warehouse": &s.warehouse} {
		name, ok := configured(c.Text(field))
		if !ok {
			return nil, invalid(field + " is not a name: one with other characters than letters, digits, _ and $ stands in double quotes")
		}
		*into = name
	}
	return s, nil
}

// identifier is what may stand before .snowflakecomputing.com.
var identifier = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9][A-Za-z0-9-]*)*$`)

// loginOf reads how to log in.
func loginOf(c config.Config, o driver.Options) (login, error) {
	account := c.Text("account")
	if !identifier.MatchString(account) || len(account) > 255 {
		return login{}, invalid("account must look like organization-account or locator.region")
	}
	locator, _, _ := strings.Cut(account, ".")
	l := login{
		protocol: "https", host: hostOf(account), port: 443, account: locator,
		user: c.Text("username"), role: c.Text("role"), warehouse: c.Text("warehouse"),
		timeout: time.Duration(c.Number("query_timeout_seconds")) * time.Second,
	}
	if l.timeout <= 0 {
		l.timeout = 5 * time.Minute
	}
	if l.user == "" {
		return l, invalid("username is missing")
	}
	if e := o.Endpoints["api"]; e != "" {
		if err := l.redirect(e); err != nil {
			return l, err
		}
	}
	switch c.Credential {
	case "key_pair":
		var err error
		l.key, err = parseKey(c.Secrets["private_key"], c.Secrets["private_key_passphrase"])
		return l, err
	case "username_password":
		if l.password = c.Secrets["password"]; l.password.IsZero() {
			return l, invalid("password is missing")
		}
		return l, nil
	}
	return l, invalid("credentials of type " + c.Credential + " are not for this provider")
}

// hostOf is the host of an account. Host names have no underscores; the regions
// in China have a domain of their own.
func hostOf(account string) string {
	host := strings.ReplaceAll(strings.ToLower(account), "_", "-")
	if _, region, ok := strings.Cut(host, "."); ok && strings.HasPrefix(region, "cn-") {
		return host + ".snowflakecomputing.cn"
	}
	return host + ".snowflakecomputing.com"
}

// redirect sends requests to the operator's endpoint instead.
func (l *login) redirect(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" {
		return invalid("the endpoint is not a URL such as https://snowflake.example.com:8443")
	}
	l.protocol, l.host, l.port = u.Scheme, u.Hostname(), map[string]int{"http": 80, "https": 443}[u.Scheme]
	if u.Port() != "" {
		if l.port, err = strconv.Atoi(u.Port()); err != nil {
			return invalid("the endpoint's port is not a number")
		}
	}
	if strings.Contains(l.host, ":") {
		l.host = "[" + l.host + "]"
	}
	return nil
}

// Close implements driver.Source. What is being read is given up.
func (s *source) Close() error {
	s.scans.close()
	return s.end()
}

// shapes remembers what tables look like, for a short while.
type shapes struct {
	mu    sync.Mutex
	known map[table]remembered
}

type remembered struct {
	shape *shape
	at    time.Time
}

const (
	shapeLife = time.Minute
	maxShapes = 100
)

// shape asks what a table's rows look like.
func (s *source) shape(ctx context.Context, op string, t table) (*shape, error) {
	s.shapes.mu.Lock()
	r, ok := s.shapes.known[t]
	s.shapes.mu.Unlock()
	if age := s.now().Sub(r.at); ok && age >= 0 && age < shapeLife {
		return r.shape, nil
	}
	sh, err := s.describe(ctx, op, asking, t)
	if err != nil {
		return nil, err
	}
	s.shapes.mu.Lock()
	defer s.shapes.mu.Unlock()
	if s.shapes.known == nil || len(s.shapes.known) >= maxShapes {
		s.shapes.known = map[table]remembered{}
	}
	s.shapes.known[t] = remembered{sh, s.now()}
	return sh, nil
}

// forget makes the next use of a table look at it again.
func (s *source) forget(t table) {
	s.shapes.mu.Lock()
	defer s.shapes.mu.Unlock()
	delete(s.shapes.known, t)
}

// maxColumns is more than a table can have.
const maxColumns = 5000

func (s *source) describe(ctx context.Context, op string, k kind, t table) (*shape, error) {
	rows, err := s.all(ctx, op, k, describe(t), maxColumns, "name", "type")
	if err != nil {
		return nil, err
	}
	columns := make([]column, len(rows))
	for i, r := range rows {
		columns[i] = newColumn(r[0].String, r[1].String)
	}
	if len(columns) == 0 {
		return nil, &errs.Error{Kind: errs.NotFound, Origin: errs.Provider, Scope: errs.ScopePath, Op: op, Code: "002003", Msg: msgMissing}
	}
	return s.newShape(op, t, columns)
}
