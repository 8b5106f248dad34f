package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mooring/internal/errs"
)

// run executes a command line as main does, in a home of its own.
func run(t *testing.T, stdin string, args ...string) (out string, err error) {
	t.Helper()
	cmd := root()
	var stdout bytes.Buffer
	cmd.SetArgs(args)
	cmd.SetIn(strings.NewReader(stdin))
	cmd.SetOut(&stdout)
	cmd.SetErr(io.Discard)
	err = cmd.ExecuteContext(t.Context())
	return stdout.String(), err
}

func home(t *testing.T) (config, data string) {
	t.Helper()
	config, data = t.TempDir(), t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", config)
	t.Setenv("HOME", config)
	t.Setenv("MOORING_DATA_DIR", data)
	if err := os.WriteFile(filepath.Join(data, adminKey), []byte("moor_of_the_data_directory\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return config, data
}

// answering is a server on loopback that notes which keys it was sent.
func answering(t *testing.T, answer func(r *http.Request, body map[string]any) (int, any)) (url string, keys *[]string) {
	t.Helper()
	keys = &[]string{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*keys = append(*keys, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		var body map[string]any
		_ = json.NewDecoder(r.Body).Decode(&body)
		status, v := answer(r, body)
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v)
	}))
	t.Cleanup(srv.Close)
	if dir := os.Getenv("MOORING_DATA_DIR"); dir != "" { // as if it ran on that data directory
		if err := os.WriteFile(filepath.Join(dir, addressName), []byte(srv.URL+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return srv.URL, keys
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("unknown flag: --x"), 2},
		{errs.New(errs.Internal, "x", "y"), 1},
		{errs.New(errs.Invalid, "x", "y"), 2},
		{errs.New(errs.Unauthenticated, "x", "y"), 3},
		{errs.New(errs.PermissionDenied, "x", "y"), 4},
		{errs.New(errs.NotFound, "x", "y"), 5},
		{errs.New(errs.AlreadyExists, "x", "y"), 6},
		{errs.New(errs.Conflict, "x", "y"), 6},
		{errs.New(errs.Throttled, "x", "y"), 7},
		{errs.New(errs.Unavailable, "x", "y"), 8},
		{errs.New(errs.Corrupt, "x", "y"), 9},
		{context.Canceled, 130},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("%v: %d, not %d", c.err, got, c.want)
		}
	}
}

func TestExplain(t *testing.T) {
	e := errs.New(errs.Invalid, "connection.create", "request is not valid")
	e.Fields = []errs.Field{{Loc: []any{"body", "permissions", 1}, Msg: "must be \x1b[31mone"}}
	if got := explain(e); got != "request is not valid\n  body.permissions.1: must be \uFFFD[31mone" {
		t.Errorf("%q", got)
	}
	if got := explain(context.Canceled); got != "interrupted" {
		t.Errorf("%q", got)
	}
	if got := explain(errs.New(errs.NotFound, "", "no \u202econnection\r")); got != "no \uFFFDconnection\uFFFD" {
		t.Errorf("%q", got)
	}
}

// TestLookupIsSafeForTerminals: names come from customers' storage.
func TestLookupIsSafeForTerminals(t *testing.T) {
	o := map[string]any{"name": "a\x1b]0;x\a\u009b\u202eb", "in": map[string]any{"n": json.Number("12345678901234567890"), "e": "\u009b\u202e"}, "none": nil}
	for path, want := range map[string]string{
		"name": "a\uFFFD]0;x\uFFFD\uFFFD\uFFFDb", "in.n": "12345678901234567890", "in": "{\"e\":\"\uFFFD\uFFFD\",\"n\":12345678901234567890}", "none": "", "in.n.x": "", "missing.y": "",
	} {
		if got := lookup(o, path); got != want {
			t.Errorf("%s: %q, not %q", path, got, want)
		}
	}
}

// TestWhereAKeyMayBeSent: the data directory's key to the server that runs on it
// alone, and no key in the clear to another machine.
func TestWhereAKeyMayBeSent(t *testing.T) {
	_, data := home(t)
	file := filepath.Join(data, adminKey)
	if err := os.WriteFile(filepath.Join(data, addressName), []byte("http://127.0.0.1:1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		ok   bool
	}{
		{[]string{"--url", "http://127.0.0.1:1"}, true},
		{[]string{"--url", "http://localhost:1"}, true},
		{[]string{"--url", "http://[::1]:1"}, true},
		{nil, true},
		{[]string{"--url", "http://127.0.0.1:2"}, false}, // somebody else's program may listen there
		{[]string{"--url", "https://127.0.0.1:1"}, false},
		{[]string{"--url", "http://127.0.0.1:2", "--api-key-file", file}, true},
		{[]string{"--url", "https://mooring.invalid"}, false},
		{[]string{"--url", "http://127.0.0.1@mooring.invalid"}, false},
		{[]string{"--url", "http://127.0.0.1.mooring.invalid"}, false},
		{[]string{"--url", "http://mooring.invalid", "--api-key-file", file}, false},
		{[]string{"--url", "http://user:password@127.0.0.1:1"}, false},
		{[]string{"--url", "127.0.0.1:1"}, false},
		{[]string{"--url", "localhost:1"}, false},
		{[]string{"--url", "ftp://127.0.0.1"}, false},
		{[]string{"--url", "http://127.0.0.1:1/?a=b"}, false},
		{[]string{"--context", "unknown"}, false},
	} {
		cmd := auditCommand()
		clientFlags(cmd)
		if err := cmd.ParseFlags(append(c.args, "--data-dir", data)); err != nil {
			t.Fatal(err)
		}
		_, err := connect(cmd)
		if (err == nil) != c.ok {
			t.Errorf("%v: %v", c.args, err)
		}
		if err != nil && (exitCode(err) != 2 || strings.Contains(err.Error(), "password@")) {
			t.Errorf("%v: %v", c.args, err)
		}
	}
	for _, args := range [][]string{{"--url", "https://mooring.invalid", "--api-key-file", file}, {"--url", "http://mooring.invalid", "--api-key-file", file, "--insecure-http"}} {
		cmd := auditCommand()
		clientFlags(cmd)
		if err := cmd.ParseFlags(args); err != nil {
			t.Fatal(err)
		}
		if c, err := connect(cmd); err != nil || c.Key.Reveal() != "moor_of_the_data_directory" {
			t.Errorf("%v: %v", args, err)
		}
	}
}

func TestLoginKeepsAServerAndItsKey(t *testing.T) {
	config, _ := home(t)
	url, keys := answering(t, func(*http.Request, map[string]any) (int, any) { return 200, map[string]any{"results": []any{}} })
	if _, err := run(t, "moor_typed\n", "login", "Bad Name", url); exitCode(err) != 2 {
		t.Errorf("a bad name: %v", err)
	}
	if _, err := run(t, "two keys\n", "login", "here", url); exitCode(err) != 2 || len(*keys) > 0 {
		t.Errorf("a bad key: %v", err)
	}
	out, err := run(t, "moor_typed", "login", "here", url+"/", "--json")
	if err != nil || strings.Contains(out, "moor_") || !strings.Contains(out, `"url": "`+url+`"`) {
		t.Fatalf("%s, %v", out, err)
	}
	for _, name := range []string{"here.key", "contexts.json"} {
		if st, err := os.Stat(filepath.Join(config, "mooring", name)); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, st, err)
		}
	}
	if _, err := run(t, "", "connection", "list"); err != nil {
		t.Error(err)
	}
	if _, err := run(t, "", "connection", "list", "--context", "here", "--url", "https://mooring.invalid"); exitCode(err) != 2 {
		t.Errorf("two servers: %v", err)
	}
	for _, k := range *keys {
		if k != "moor_typed" {
			t.Errorf("the key %s was sent", k)
		}
	}
}

func TestErrorsOfTheCommandLine(t *testing.T) {
	_, data := home(t)
	key := filepath.Join(data, adminKey)
	refusal := func(status int, kind string) func(*http.Request, map[string]any) (int, any) {
		return func(*http.Request, map[string]any) (int, any) {
			return status, map[string]any{"error": map[string]any{"message": "no", "details": map[string]any{"kind": kind}}}
		}
	}
	denied, _ := answering(t, refusal(403, "permission_denied"))
	gone, _ := answering(t, refusal(404, "not_found"))
	for _, c := range []struct {
		args []string
		want int
	}{
		{[]string{"connection", "lst"}, 2},
		{[]string{"sync", "dead-letters", "x"}, 2},
		{[]string{"organization", "x"}, 2},
		{[]string{"connection", "list", "--bogus"}, 2},
		{[]string{"connection", "get"}, 2},
		{[]string{"connection", "list", "--url", "http://127.0.0.1:1", "--api-key-file", key}, 8},
		{[]string{"connection", "list", "--url", denied, "--api-key-file", key}, 4},
		{[]string{"connection", "get", "a/ü", "--url", gone, "--api-key-file", key}, 5},
		{[]string{"connection", "resume"}, 2},
		{[]string{"connection", "resume", "a", "--suspended-by", "system"}, 2},
		{[]string{"connection", "resume", "--suspended-by", "system", "--since", "yesterday"}, 2},
		{[]string{"connection"}, 0},
	} {
		if _, err := run(t, "", c.args...); exitCode(err) != c.want {
			t.Errorf("%v: %d (%v), not %d", c.args, exitCode(err), err, c.want)
		}
	}
}

func TestResumeInBulk(t *testing.T) {
	home(t)
	var resumed []string
	url, _ := answering(t, func(r *http.Request, body map[string]any) (int, any) {
		if r.Method == http.MethodPatch {
			id := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
			if resumed = append(resumed, id); id == "conn_c" {
				return 409, map[string]any{"error": map[string]any{"message": "its test failed", "details": map[string]any{"kind": "conflict"}}}
			}
			return 200, map[string]any{"connection_id": id, "status": body["status"]}
		}
		row := func(id, by, changed string) any {
			return map[string]any{"connection_id": id, "suspended_by": by, "updated_at": changed}
		}
		if r.URL.Query().Get("cursor") == "" {
			return 200, map[string]any{"results": []any{row("conn_a", "system", "2026-01-02T00:00:00.000Z"), row("conn_b", "user", "2026-01-02T00:00:00.000Z")},
				"pagination": map[string]any{"next_cursor": "more"}}
		}
		return 200, map[string]any{"results": []any{row("conn_c", "system", "2026-01-02T00:00:00.000Z"), row("conn_d", "system", "2026-01-01T00:00:00.000Z")}}
	})
	out, err := run(t, "", "connection", "resume", "--suspended-by", "system", "--since", "2026-01-02T00:00:00Z", "--url", url)
	if got := strings.Join(resumed, " "); got != "conn_a conn_c" || exitCode(err) != 6 || !strings.Contains(out, "conn_a") {
		t.Errorf("%s, %v, %s", got, err, out)
	}
}

func TestADownloadIsWrittenBesideItsTarget(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "there", "file")
	if err := save(name, strings.NewReader("x")); exitCode(err) != 8 {
		t.Errorf("no such folder: %v", err)
	}
	if err := os.Mkdir(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	if err := os.Chmod(dir, 0o500); err != nil { // nothing can be written here
		t.Fatal(err)
	}
	defer func() { _ = os.Chmod(dir, 0o700) }()
	if err := save(name, strings.NewReader("content")); err != nil {
		t.Fatal(err)
	}
	if raw, err := os.ReadFile(name); err != nil || string(raw) != "content" {
		t.Errorf("%s, %v", raw, err)
	}
}

// A server that was killed leaves its address behind: by now another user's
// program may listen there.
func TestAKeyIsNotSentToTheAddressOfADeadServer(t *testing.T) {
	_, data := home(t)
	url, keys := answering(t, func(*http.Request, map[string]any) (int, any) { return 200, map[string]any{"results": []any{}} })
	l, err := net.Listen("unix", filepath.Join(data, socketName))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run(t, "", "connection", "list"); err != nil || len(*keys) != 1 {
		t.Errorf("while it runs: %v, %v", *keys, err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // as kill -9 leaves it
	_ = l.Close()
	for _, args := range [][]string{{"connection", "list"}, {"connection", "list", "--url", url}} {
		if _, err := run(t, "", args...); exitCode(err) != 2 || len(*keys) != 1 {
			t.Errorf("%v: %v, %v", args, *keys, err)
		}
	}
}
