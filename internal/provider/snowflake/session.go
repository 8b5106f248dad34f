package snowflake

import (
	"context"
	"crypto/rsa"
	"database/sql"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/snowflakedb/gosnowflake"

	_ "mooring/internal/provider/snowflake/quiet" // before the driver is initialised

	"mooring/internal/errs"
	"mooring/internal/secret"
)

// login is how a session is made.
type login struct {
	protocol  string
	host      string
	port      int
	account   string // locator, or organization-account
	user      string
	password  secret.String
	key       *rsa.PrivateKey
	role      string
	warehouse string
	timeout   time.Duration // of one statement
	transport http.RoundTripper
}

// config is the driver's, with a warehouse or without.
func (l login) config(warehouse bool) gosnowflake.Config {
	c := gosnowflake.Config{
		Account: l.account, User: l.user, Role: l.role, Host: l.host, Port: l.port, Protocol: l.protocol,
		Transporter: l.transport, DisableOCSPChecks: true, Application: "Mooring", MaxRetryCount: 1,
		DisableQueryContextCache: true, Params: map[string]*string{},
	}
	//nolint:staticcheck // deprecated, and without a successor so far
	c.DisableTelemetry, c.LoginTimeout, c.ClientTimeout = true, time.Minute, l.timeout+time.Minute
	//nolint:staticcheck // likewise; nothing is kept in files
	c.ClientRequestMfaToken, c.ClientStoreTemporaryCredential = gosnowflake.ConfigBoolFalse, gosnowflake.ConfigBoolFalse
	if warehouse {
		c.Warehouse = l.warehouse
	}
	if l.key != nil {
		c.Authenticator, c.PrivateKey = gosnowflake.AuthTypeJwt, l.key
	} else {
		c.Password = l.password.Reveal()
	}
	for k, v := range map[string]string{
		"GO_QUERY_RESULT_FORMAT": "JSON", "QUERY_TAG": "mooring",
		"STATEMENT_TIMEOUT_IN_SECONDS": strconv.Itoa(int(l.timeout / time.Second)),
		// An account may have set these otherwise, and what is read depends on them.
		"TIMEZONE": "UTC", "DATE_INPUT_FORMAT": "AUTO", "TIMESTAMP_INPUT_FORMAT": "AUTO", "BINARY_OUTPUT_FORMAT": "HEX",
		"TIMESTAMP_OUTPUT_FORMAT": strings.Trim(formatTZ, "'"),
	} {
		c.Params[k] = &v
	}
	return c
}

// sessions are the logins of a source.
type sessions struct {
	login login
	mu    sync.Mutex
	dbs   [kinds]*sql.DB
}

// kind is what a session is for.
type kind int

const (
	asking   kind = iota // without a warehouse: no statement can resume one
	checking             // likewise, until a check has tried the warehouse
	reading              // with it
	kinds
)

// A session's tokens last four hours. One that nobody uses is given up.
const (
	sessionLife = 3 * time.Hour
	sessionIdle = 5 * time.Minute
)

// get returns the pool of a kind.
func (s *sessions) get(k kind) *sql.DB {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dbs[k] == nil {
		silence()
		db := sql.OpenDB(gosnowflake.NewConnector(gosnowflake.SnowflakeDriver{}, s.login.config(k == reading)))
		db.SetConnMaxLifetime(sessionLife)
		db.SetConnMaxIdleTime(sessionIdle)
		db.SetMaxIdleConns(4)
		s.dbs[k] = db
	}
	return s.dbs[k]
}

// drop forgets a pool whose session has ended: the driver would go on with it.
func (s *sessions) drop(db *sql.DB) {
	s.mu.Lock()
	for i := range s.dbs {
		if s.dbs[i] == db {
			s.dbs[i] = nil
		}
	}
	s.mu.Unlock()
	go func() { _ = db.Close() }() // waits for statements that are under way
}

// end logs out.
func (s *sessions) end() error {
	s.mu.Lock()
	dbs := s.dbs
	s.dbs = [kinds]*sql.DB{}
	s.mu.Unlock()
	for _, db := range dbs {
		if db != nil {
			_ = db.Close()
		}
	}
	return nil
}

// result is an open result set. Close it.
type result struct {
	*sql.Rows
	conn  *sql.Conn
	op    string
	notes *notes
	cells []sql.NullString
	into  []any        // pointers to cells
	rows  atomic.Int64 // that have been read
	left  atomic.Bool  // somebody hangs in reading it
}

// Close gives the result up, and stops what is still being fetched of it.
func (r *result) Close() {
	r.notes.halt()
	if r.left.Load() {
		go r.free() // it waits for who hangs
		return
	}
	r.free()
}

func (r *result) free() {
	_ = r.Rows.Close()
	_ = r.conn.Close()
}

// Next goes on to the next row.
func (r *result) Next() bool {
	r.rows.Add(1)
	return r.Rows.Next()
}

// fail classifies what ended the rows, nil at their end.
func (r *result) fail() error {
	if err := r.Err(); err != nil {
		return classify(r.op, err, r.notes, errs.ScopePath)
	}
	return nil
}

// query runs a statement. ctx bounds the statement's start; the result lives on
// until it is closed. A session that has ended is made anew once.
func (s *sessions) query(ctx context.Context, op string, k kind, st statement) (*result, error) {
	db := s.get(k)
	r, err := s.once(ctx, op, db, st)
	if err != nil && sessionGone(codeOf(err)) && ctx.Err() == nil {
		s.drop(db)
		return s.once(ctx, op, s.get(k), st)
	}
	return r, err
}

// once runs a statement. It returns as soon as ctx ends: the driver then tells
// Snowflake to stop, which nobody has to wait for.
func (s *sessions) once(ctx context.Context, op string, db *sql.DB, st statement) (*result, error) {
	if err := ctx.Err(); err != nil {
		return nil, ended(op, err)
	}
	life, n := noted(context.WithoutCancel(ctx))
	done := make(chan outcome, 1)
	var asked context.Context
	asked, n.giveUp = context.WithCancel(life)
	go func() { done <- start(life, asked, db, st) }()
	limit := time.NewTimer(s.login.timeout + 30*time.Second) // after the server's own
	defer limit.Stop()
	select {
	case o := <-done:
		if o.err != nil {
			n.giveUp()
			n.halt()
			return nil, classify(op, o.err, n, errs.ScopePath)
		}
		return &result{Rows: o.rows, conn: o.conn, op: op, notes: n}, nil
	case <-limit.C:
	case <-ctx.Done():
	}
	n.giveUp()
	time.AfterFunc(sideTime, n.halt)
	go func() {
		if o := <-done; o.rows != nil {
			_ = o.rows.Close()
			_ = o.conn.Close()
		}
		n.halt()
	}()
	if err := ctx.Err(); err != nil {
		return nil, ended(op, err)
	}
	return nil, &errs.Error{
		Kind: errs.Unavailable, Origin: errs.Provider, Scope: errs.ScopePath, Op: op, Code: "000630", Msg: classes[630].msg,
	}
}

// outcome is what a statement led to. conn is open if rows is.
type outcome struct {
	conn *sql.Conn
	rows *sql.Rows
	err  error
}

// start logs in, unless there is a session, then runs a statement. asked ends only
// the statement: a login that is given up midway may leave a session that nobody
// knows to end.
func start(life, asked context.Context, db *sql.DB, st statement) outcome {
	conn, err := db.Conn(life)
	if err != nil {
		return outcome{err: err}
	}
	rows, err := conn.QueryContext(asked, st.text, st.binds...) //nolint:rowserrcheck // by the result
	if err != nil {
		_ = conn.Close()
		return outcome{err: err}
	}
	return outcome{conn, rows, nil}
}

// all runs a statement and reads its rows, at most so many: of each the columns
// that are named, or all.
func (s *sessions) all(ctx context.Context, op string, k kind, st statement, most int, names ...string) ([][]sql.NullString, error) {
	r, err := s.query(ctx, op, k, st)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	at, err := r.columnsAt(names)
	if err != nil {
		return nil, err
	}
	return during(ctx, r, func() ([][]sql.NullString, error) { return r.take(most, at) })
}

// take reads rows, at most so many: of each the columns at these places, or all.
func (r *result) take(most int, at []int) (out [][]sql.NullString, _ error) {
	for len(out) < most && r.Next() {
		row, err := r.row()
		if err != nil {
			return nil, err
		}
		if len(at) == 0 {
			out = append(out, slices.Clone(row))
			continue
		}
		picked := make([]sql.NullString, len(at))
		for i, j := range at {
			picked[i] = row[j]
		}
		out = append(out, picked)
	}
	return out, r.fail()
}

// columnsAt finds columns of a result by name.
func (r *result) columnsAt(names []string) ([]int, error) {
	all, err := r.Columns()
	if err != nil {
		return nil, classify(r.op, err, r.notes, errs.ScopePath)
	}
	out := make([]int, len(names))
	for i, n := range names {
		out[i] = -1
		for j, c := range all {
			if strings.EqualFold(n, c) {
				out[i] = j
			}
		}
		if out[i] < 0 {
			return nil, &errs.Error{Kind: errs.Unavailable, Origin: errs.Provider, Scope: errs.ScopeConnection, Op: r.op, Msg: "Snowflake's answer lacks the column " + n}
		}
	}
	return out, nil
}

// row reads the current row, which is valid until the next.
func (r *result) row() ([]sql.NullString, error) {
	if r.into == nil {
		columns, err := r.Columns()
		if err != nil {
			return nil, classify(r.op, err, r.notes, errs.ScopePath)
		}
		r.cells, r.into = make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range r.cells {
			r.into[i] = &r.cells[i]
		}
	}
	if err := r.Scan(r.into...); err != nil {
		return nil, classify(r.op, err, r.notes, errs.ScopePath)
	}
	return r.cells, nil
}
