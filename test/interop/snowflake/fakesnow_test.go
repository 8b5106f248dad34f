//go:build interop

package snowflake

import (
	"bufio"
	"context"
	"database/sql"
	"net"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	sf "github.com/snowflakedb/gosnowflake"

	"mooring/internal/connection/config"
	"mooring/internal/outbound"
	"mooring/internal/provider/driver"
	"mooring/internal/provider/snowflake"
	"mooring/internal/secret"
)

// pythonEnv names the Python that has fakesnow.
const pythonEnv = "MOORING_TEST_SNOWFLAKE_PYTHON"

const patience = 2 * time.Minute

var listening = regexp.MustCompile(`running on (http://\S+)`)

// fakesnow runs the server and returns its URL.
func fakesnow(t *testing.T) string {
	t.Helper()
	python := os.Getenv(pythonEnv)
	if python == "" {
		t.Fatalf("%s is not set: run make interop", pythonEnv)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	cmd := exec.CommandContext(ctx, python, "-E", "-s", "-B", "-m", "fakesnow", "-s")
	home := t.TempDir()
	cmd.Dir, cmd.Env = home, []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "PYTHONUNBUFFERED=1"}
	log, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	lines := bufio.NewScanner(log)
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // killed on purpose
	})
	for lines.Scan() {
		if m := listening.FindStringSubmatch(lines.Text()); m != nil {
			done := make(chan []string)
			go func() { done <- tail(lines) }()
			t.Cleanup(func() {
				cancel()
				if last := <-done; t.Failed() {
					t.Logf("the end of fakesnow's log:\n%s", strings.Join(last, "\n"))
				}
			})
			return m[1]
		}
		t.Log(lines.Text())
	}
	t.Fatal("fakesnow did not start")
	return ""
}

// tail reads to the end and returns the last lines.
func tail(lines *bufio.Scanner) []string {
	var last []string
	for lines.Scan() {
		if last = append(last, lines.Text()); len(last) > 60 {
			last = last[1:]
		}
	}
	return last
}

// inDatabase is a server before fakesnow that names a database at each login: unlike
// Snowflake, fakesnow describes nothing in a session without a current one, however
// complete the name is.
func inDatabase(t *testing.T, address string) string {
	t.Helper()
	target, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		if q := r.Out.URL.Query(); strings.HasSuffix(r.Out.URL.Path, "/login-request") {
			q.Set("databaseName", "DB")
			q.Set("schemaName", "PUBLIC")
			r.Out.URL.RawQuery = q.Encode()
		}
	}})
	t.Cleanup(srv.Close)
	return srv.URL
}

const password = "any will do here"

// fill runs statements with the driver itself.
func fill(t *testing.T, address string, statements ...string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	host, text, err := net.SplitHostPort(u.Host)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(sf.NewConnector(sf.SnowflakeDriver{}, sf.Config{
		Account: "MYORG-ACCT", User: "MOORING", Password: password, Database: "DB", Schema: "PUBLIC",
		Protocol: "http", Host: host, Port: port, DisableTelemetry: true, //nolint:staticcheck // as long as it works
	}))
	defer func() { _ = db.Close() }()
	for _, st := range statements {
		if _, err := db.ExecContext(t.Context(), st); err != nil {
			t.Fatalf("%.80s: %v", st, err)
		}
	}
}

// open is the adapter, logged in at an address.
func open(t *testing.T, address string, fields map[string]any) driver.Source {
	t.Helper()
	all := map[string]any{
		"account": "MYORG-ACCT", "warehouse": "WH", "database": "DB", "schema": "PUBLIC",
		"query_timeout_seconds": int64(60), "fetch_size": int64(100),
	}
	for name, v := range fields {
		all[name] = v
	}
	g := outbound.New(outbound.Options{AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	t.Cleanup(g.Close)
	src, err := snowflake.Open(t.Context(), config.Config{
		Provider: "snowflake", Fields: all, Credential: "username_password",
		Credentials: map[string]any{"username": "mooring"},
		Secrets:     map[string]secret.String{"password": secret.New(password)},
	}, driver.Options{Transport: g, Endpoints: map[string]string{"api": address}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = src.Close() })
	return src
}
