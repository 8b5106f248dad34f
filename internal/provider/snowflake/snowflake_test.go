package snowflake_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	emulator "mooring/emulator/snowflake"
	"mooring/internal/connection/config"
	"mooring/internal/errs"
	"mooring/internal/outbound"
	"mooring/internal/provider/driver"
	"mooring/internal/provider/providertest"
	"mooring/internal/provider/snowflake"
	"mooring/internal/secret"
)

const (
	password = "correct horse battery staple"
	items    = "DB.PUBLIC.ITEMS"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// start runs an emulator with a user and a warehouse.
func start(t testing.TB, o emulator.Options) *emulator.Server {
	t.Helper()
	srv := emulator.Start(t, o)
	srv.User("MOORING", password)
	srv.Warehouse("WH")
	return srv
}

// settings is a configuration with the emulator's password.
func settings(fields map[string]any) config.Config {
	all := map[string]any{
		"account": "MYORG-ACCT", "warehouse": "WH", "database": "DB", "schema": "PUBLIC",
		"query_timeout_seconds": int64(60), "fetch_size": int64(100),
	}
	for k, v := range fields {
		all[k] = v
	}
	return config.Config{
		Provider: "snowflake", Fields: all, Credential: "username_password",
		Credentials: map[string]any{"username": "mooring"},
		Secrets:     map[string]secret.String{"password": secret.New(password)},
	}
}

func options(t testing.TB, srv *emulator.Server) driver.Options {
	g := outbound.New(outbound.Options{AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	t.Cleanup(g.Close)
	return driver.Options{Transport: g, Endpoints: map[string]string{"api": srv.URL()}, Now: time.Now}
}

func open(t testing.TB, srv *emulator.Server, c config.Config) driver.Source {
	t.Helper()
	src, err := snowflake.Open(t.Context(), c, options(t, srv))
	must(t, err)
	t.Cleanup(func() { _ = src.Close() })
	return src
}

func openWith(t testing.TB, c config.Config, o driver.Options) (driver.Source, error) {
	t.Helper()
	src, err := snowflake.Open(t.Context(), c, o)
	if err == nil {
		t.Cleanup(func() { _ = src.Close() })
	}
	return src, err
}

// follow reads the pages from a cursor on to their end.
func follow(t testing.TB, src driver.Source, path string, cur driver.Cursor) (out []driver.Change, last driver.Page) {
	t.Helper()
	for {
		p, err := src.Changes(t.Context(), driver.Scope{Path: path}, cur)
		must(t, err)
		out = append(out, p.Changes...)
		if cur = p.Next; !p.More {
			return out, p
		}
	}
}

// kind checks an error's kind and scope.
func kind(t testing.TB, err error, k errs.Kind, s errs.Scope) errs.Error {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %v", k)
	}
	e := errs.From(err)
	if errs.KindOf(err) != k || e.Scope != s || e.Origin != errs.Provider {
		t.Errorf("%v: %v, scope %q, origin %v; want %v, %q", err, errs.KindOf(err), e.Scope, e.Origin, k, s)
	}
	return *e
}

var codes = map[errs.Kind]emulator.Action{
	errs.Unauthenticated: emulator.Reply("390100"), errs.PermissionDenied: emulator.Reply("003001"),
	errs.NotFound: emulator.Reply("002003"), errs.Throttled: emulator.Status(429), errs.Unavailable: emulator.Status(503),
}

func TestConformance(t *testing.T) {
	const pageSize = 7
	for name, chunks := range map[string]int{"whole": 0, "chunks": 3} {
		t.Run(name, func(t *testing.T) {
			providertest.Run(t, func(t *testing.T) providertest.Harness {
				srv := start(t, emulator.Options{ChunkRows: chunks})
				columns := []emulator.Column{{Name: "Id", Type: emulator.Varchar}, {Name: "C", Type: emulator.Binary, Nullable: true}}
				table := srv.Table(items, columns)
				srv.Table("DB.PUBLIC.OTHER", columns)
				remove := func(name string) {
					table.Delete(func(r emulator.Record) bool { return r["Id"] == name })
				}
				return providertest.Harness{
					Open: func(t testing.TB) driver.Source {
						return open(t, srv, settings(map[string]any{"primary_key_columns": []string{"ID"}, "fetch_size": int64(pageSize)}))
					},
					Scope: driver.Scope{Path: items}, PageSize: pageSize,
					Outside: &driver.Scope{Path: "DB.PUBLIC.OTHER"}, Missing: "DB.PUBLIC.MISSING",
					Put: func(_ testing.TB, name string, c []byte) {
						remove(name)
						table.Insert(emulator.Row{name, c})
					},
					Delete: func(_ testing.TB, name string) { remove(name) },
					Rel:    func(name string) string { return strings.ReplaceAll(name, "%", "%25") + ".json" },
					Content: func(name string, c []byte) []byte {
						var b strings.Builder
						e := json.NewEncoder(&b)
						e.SetEscapeHTML(false)
						must(t, e.Encode(name))
						return []byte(`{"Id":` + strings.TrimSpace(b.String()) + `,"C":"` + base64.StdEncoding.EncodeToString(c) + `"}`)
					},
					Requests: func() int { return srv.Count() },
					Fail: func(_ testing.TB, k errs.Kind) bool {
						srv.ClearFaults()
						srv.Inject(emulator.Fault{Action: codes[k]})
						return true
					},
					BodyText: "SQL compilation error", Secret: password,
					Break: func(_ testing.TB, _ string, n int64) {
						srv.Inject(emulator.Fault{Match: emulator.OnSQL("SELECT*"), Times: 1, Action: emulator.Truncate(int(n))})
					},
					Block: func(_ testing.TB, started func()) {
						srv.Inject(emulator.Fault{
							Match:  emulator.Match{If: func(emulator.Request) bool { started(); return true }},
							Action: emulator.Delay(time.Hour),
						})
					},
				}
			})
		})
	}
}

func read(t testing.TB, src driver.Source, it driver.Item) string {
	t.Helper()
	r, err := src.Open(t.Context(), it, 0)
	must(t, err)
	b, err := io.ReadAll(r)
	must(t, err)
	return string(b)
}

func contextWithCancel(t testing.TB) (context.Context, context.CancelFunc) {
	return context.WithCancel(t.Context())
}

// waitFor asks until it is so, or the test would take too long.
func waitFor(t testing.TB, is func() bool) bool {
	t.Helper()
	for range 500 {
		if is() {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

// only is a transport that reaches one host.
type only struct {
	t    testing.TB
	host string
}

func (o only) Client(bool) *http.Client { return &http.Client{Transport: o} }
func (o only) Operator() *http.Client   { return o.Client(false) }
func (o only) RoundTrip(q *http.Request) (*http.Response, error) {
	if q.URL.Host != o.host {
		o.t.Errorf("a request to %s", q.URL.Host)
	}
	return http.DefaultTransport.RoundTrip(q)
}
