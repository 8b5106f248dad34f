package snowflake_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	emulator "mooring/emulator/snowflake"
	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// recorder is a transport that answers nothing and remembers where requests go.
type recorder struct{ hosts *[]string }

func (r recorder) Client(bool) *http.Client { return &http.Client{Transport: r} }
func (r recorder) Operator() *http.Client   { return r.Client(false) }
func (r recorder) RoundTrip(q *http.Request) (*http.Response, error) {
	*r.hosts = append(*r.hosts, q.URL.Scheme+"://"+q.URL.Host)
	return nil, &errs.Error{Kind: errs.Unavailable, Origin: errs.Provider, Scope: errs.ScopeConnection, Msg: "not reached"}
}

// table is an emulator with a small table, whose key is ID.
func table(t testing.TB, o emulator.Options, n int) *emulator.Server {
	t.Helper()
	srv := start(t, o)
	tab := srv.Table(items, []emulator.Column{{Name: "ID", Type: emulator.Number}, {Name: "V", Type: emulator.Varchar}})
	for i := range n {
		tab.Insert(emulator.Row{i, fmt.Sprint("value ", i)})
	}
	return srv
}

var keyed = map[string]any{"primary_key_columns": []string{"ID"}}

func TestRefusalsByCode(t *testing.T) {
	const conn, path = errs.ScopeConnection, errs.ScopePath
	for _, c := range []struct {
		op    emulator.Operation
		code  string
		kind  errs.Kind
		scope errs.Scope
	}{
		{emulator.Login, "390100", errs.Unauthenticated, conn},
		{emulator.Login, "390102", errs.Unauthenticated, conn},
		{emulator.Login, "390303", errs.Unauthenticated, conn},
		{emulator.Login, "390318", errs.Unauthenticated, conn},
		{emulator.Login, "390186", errs.PermissionDenied, conn},
		{emulator.Login, "390189", errs.PermissionDenied, conn},
		{emulator.Login, "390201", errs.PermissionDenied, conn},
		{emulator.Login, "390420", errs.PermissionDenied, conn},
		{emulator.Login, "390422", errs.PermissionDenied, conn},
		{emulator.Query, "390111", errs.Unavailable, conn},
		{emulator.Query, "390114", errs.Unavailable, conn},
		{emulator.Query, "390115", errs.Unavailable, conn},
		{emulator.Query, "390104", errs.Unavailable, conn},
		{emulator.Query, "000606", errs.PermissionDenied, conn},
		{emulator.Query, "000904", errs.Invalid, path},
		{emulator.Query, "002003", errs.NotFound, path},
		{emulator.Query, "003001", errs.PermissionDenied, path},
		{emulator.Query, "000604", errs.Unavailable, path},
		{emulator.Query, "000605", errs.Unavailable, path},
		{emulator.Query, "000630", errs.Unavailable, path},
		{emulator.Query, "001003", errs.Invalid, path},
	} {
		srv := table(t, emulator.Options{}, 1)
		srv.Inject(emulator.Fault{Match: emulator.On(c.op), Action: emulator.Reply(c.code)})
		_, err := open(t, srv, settings(keyed)).Changes(t.Context(), driver.Scope{Path: items}, nil)
		e := kind(t, err, c.kind, c.scope)
		if e.Code != c.code || e.Msg == "" {
			t.Errorf("%s: %v", c.code, err)
		}
		if n := srv.Count(emulator.Login); c.op == emulator.Login && n != 1 && !strings.HasPrefix(c.code, "3903") { // a locked user stays locked longer
			t.Errorf("%s: %d logins", c.code, n)
		}
	}
}

func TestWeather(t *testing.T) {
	for _, c := range []struct {
		op     emulator.Operation
		action emulator.Action
		kind   errs.Kind
	}{
		{emulator.Login, emulator.Status(403), errs.Unauthenticated}, // another account, or host
		{emulator.Login, emulator.Status(404), errs.NotFound},        // no such account
		{emulator.Login, emulator.Status(500), errs.Unavailable},
		{emulator.Login, emulator.Status(503), errs.Unavailable},
		{emulator.Login, emulator.Status(429), errs.Throttled},
		{emulator.Login, emulator.Drop(), errs.Unavailable},
		{emulator.Login, emulator.CutShort(10), errs.Unavailable},
		{emulator.Query, emulator.Status(503), errs.Unavailable},
		{emulator.Query, emulator.Status(429), errs.Throttled},
		{emulator.Query, emulator.Status(401), errs.Unavailable},
		{emulator.Query, emulator.Drop(), errs.Unavailable},
		{emulator.Query, emulator.Truncate(50), errs.Unavailable},
		{emulator.Chunk, emulator.Status(403), errs.Unavailable},
		{emulator.Chunk, emulator.Status(503), errs.Unavailable},
		{emulator.Chunk, emulator.Truncate(20), errs.Unavailable},
		{emulator.Chunk, emulator.CutShort(20), errs.Unavailable},
	} {
		srv := table(t, emulator.Options{ChunkRows: 10}, 100)
		fault := srv.Inject(emulator.Fault{Match: emulator.On(c.op), Action: c.action})
		src := open(t, srv, settings(keyed))
		_, err := src.Changes(t.Context(), driver.Scope{Path: items}, nil)
		e := kind(t, err, c.kind, errs.ScopeOf(err))
		if n := srv.Count(c.op); c.op != emulator.Chunk && n != 1 { // retrying is not the driver's
			t.Errorf("%s: %d requests", c.op, n)
		}
		for _, leak := range []string{"http://", "request_guid", "token", password} {
			if strings.Contains(strings.ToLower(err.Error()+e.Message()), leak) {
				t.Errorf("%s: the error tells of %q: %v", c.op, leak, err)
			}
		}
		fault.Remove() // and then it goes on
		if all, _ := follow(t, src, items, nil); len(all) != 100 {
			t.Errorf("%s: %d rows after the weather", c.op, len(all))
		}
	}
}

func TestSessionsThatEndAreMadeAnew(t *testing.T) {
	for name, action := range map[string]emulator.Action{
		"gone": emulator.EndSession(), "expired": emulator.Expire(), "expired for good": emulator.ExpireMaster(),
		"390104": emulator.Reply("390104"), "390111": emulator.Reply("390111"), "390114": emulator.Reply("390114"), "390112": emulator.Reply("390112"),
	} {
		srv := table(t, emulator.Options{}, 10)
		src := open(t, srv, settings(keyed))
		if all, _ := follow(t, src, items, nil); len(all) != 10 {
			t.Fatal(len(all))
		}
		srv.Inject(emulator.Fault{Match: emulator.On(emulator.Query), Times: 1, Action: action})
		if all, _ := follow(t, src, items, nil); len(all) != 10 {
			t.Errorf("%s: %d rows", name, len(all))
		}
	}
}

func TestRolesAndGrants(t *testing.T) {
	srv := emulator.Start(t)
	srv.Role("READER")
	srv.User("MOORING", password).Role("READER")
	srv.Warehouse("WH")
	srv.Table(items, []emulator.Column{{Name: "ID", Type: emulator.Number}}).Insert(emulator.Row{1})
	read := func() error {
		_, err := open(t, srv, settings(map[string]any{"role": "reader"})).Changes(t.Context(), driver.Scope{Path: items}, nil)
		return err
	}
	kind(t, read(), errs.NotFound, errs.ScopePath) // what a role may not see does not exist
	srv.Grant("READER", emulator.Select, items)
	kind(t, read(), errs.PermissionDenied, errs.ScopeConnection) // no warehouse
	srv.Grant("READER", emulator.Usage, "WH")
	must(t, read())
}

func TestAsyncQueries(t *testing.T) {
	srv := table(t, emulator.Options{Async: true, ChunkRows: 7}, 50)
	if all, _ := follow(t, open(t, srv, settings(keyed)), items, nil); len(all) != 50 {
		t.Errorf("%d rows", len(all))
	}
}

func TestNamesAreNeverSQL(t *testing.T) {
	srv := start(t, emulator.Options{})
	odd := `DB."pub""lic; --"."ta ble.'""x"`
	srv.Table(odd, []emulator.Column{{Name: `i"d; DROP`, Type: emulator.Varchar}}).Insert(emulator.Row{"'; DROP TABLE x --"})
	for _, path := range []string{odd, `"ta ble.'""x"`} {
		src := open(t, srv, settings(map[string]any{"primary_key_columns": []string{`"i""d; DROP"`}, "schema": `"pub""lic; --"`}))
		all, _ := follow(t, src, path, nil)
		if len(all) != 1 || all[0].Item.ID != odd+"/'; DROP TABLE x --" {
			t.Fatalf("%+v", all)
		}
		if got := read(t, src, all[0].Item); got != string(all[0].Item.Inline) {
			t.Errorf("%s", got)
		}
	}
	src := open(t, srv, settings(nil))
	n := srv.Count()
	for _, path := range []string{"", ".", "a..b", "a.b.c.d", `"`, `"x`, `""`, "DB.PUBLIC.x;y", "x y", "x'--", `"a"b`, "DB.PUBLIC.x\x00", "../x", "1x"} {
		_, err := src.Changes(t.Context(), driver.Scope{Path: path}, nil)
		kind(t, err, errs.Invalid, errs.ScopePath)
	}
	if srv.Count() != n {
		t.Error("a path that is none was asked about")
	}
}

func TestMissingColumnsOfTheConfiguration(t *testing.T) {
	srv := table(t, emulator.Options{}, 1)
	for _, fields := range []map[string]any{
		{"primary_key_columns": []string{"NOPE"}}, {"incremental_column": "nope"}, {"primary_key_columns": []string{`"id"`}},
	} {
		src := open(t, srv, settings(fields))
		_, err := src.Changes(t.Context(), driver.Scope{Path: items}, nil)
		kind(t, err, errs.Invalid, errs.ScopePath)
		_, err = src.Check(t.Context(), items) // the test says so already
		kind(t, err, errs.Invalid, errs.ScopePath)
	}
}

func TestWhereRequestsGo(t *testing.T) {
	for account, want := range map[string]string{
		"myorg-acct": "https://myorg-acct.snowflakecomputing.com:443", "MYORG-my_acct": "https://myorg-my-acct.snowflakecomputing.com:443",
		"ab12345.eu-west-1": "https://ab12345.eu-west-1.snowflakecomputing.com:443", "ab12345.us-east-2.aws": "https://ab12345.us-east-2.aws.snowflakecomputing.com:443",
		"ab12345.cn-northwest-1": "https://ab12345.cn-northwest-1.snowflakecomputing.cn:443", "ab12345": "https://ab12345.snowflakecomputing.com:443",
	} {
		var hosts []string
		src, err := openWith(t, settings(map[string]any{"account": account}), driver.Options{Transport: recorder{&hosts}})
		must(t, err)
		_, err = src.Check(t.Context(), "")
		kind(t, err, errs.Unavailable, errs.ScopeConnection)
		if fmt.Sprint(hosts) != "["+want+"]" {
			t.Errorf("%s: %v, want %s", account, hosts, want)
		}
	}
	for _, account := range []string{"", "evil.example/x", "a@b", "a b", "a:1", ".x", "x..y", "-x"} {
		if _, err := openWith(t, settings(map[string]any{"account": account}), driver.Options{Transport: recorder{}}); !errs.Is(err, errs.Invalid) {
			t.Errorf("%q: %v", account, err)
		}
	}
}

func TestTheServerKnowsTheTimeout(t *testing.T) {
	for takes, late := range map[time.Duration]bool{59 * time.Second: false, 61 * time.Second: true} {
		srv := table(t, emulator.Options{}, 1)
		srv.Inject(emulator.Fault{Match: emulator.OnSQL("SELECT*FROM*"), Action: emulator.Takes(takes)})
		_, err := open(t, srv, settings(keyed)).Changes(t.Context(), driver.Scope{Path: items}, nil)
		if !late {
			must(t, err)
			continue
		}
		if e := kind(t, err, errs.Unavailable, errs.ScopePath); e.Code != "000630" {
			t.Errorf("%v", err)
		}
	}
}

// TestAPartThatIsGoneIsAskedForAgain loses the URL of a part of a result midway.
func TestAPartThatIsGoneIsAskedForAgain(t *testing.T) {
	srv := table(t, emulator.Options{ChunkRows: 10}, 100)
	fields := settings(keyed)
	fields.Fields["fetch_size"] = int64(10)
	src := open(t, srv, fields)
	var got []driver.Change
	var cur driver.Cursor
	failures := 0
	srv.Inject(emulator.Fault{Match: emulator.On(emulator.Chunk), After: 4, Times: 20, Action: emulator.Status(403)})
	for tries := 0; tries < 50; tries++ {
		p, err := src.Changes(t.Context(), driver.Scope{Path: items}, cur)
		if err != nil {
			kind(t, err, errs.Unavailable, errs.ScopeOf(err))
			failures++
			continue
		}
		got = append(got, p.Changes...)
		if cur = p.Next; !p.More {
			break
		}
	}
	if len(got) != 100 || failures == 0 {
		t.Errorf("%d rows after %d failures", len(got), failures)
	}
}
