//go:build interop

package fuzzapi

import (
	"context"
	_ "embed" // the configuration
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring/emulator/s3"
	"mooring/test/binary"
)

const (
	pythonEnv = "MOORING_TEST_FUZZAPI_PYTHON" // the Python that has Schemathesis
	timeEnv   = "MOORING_FUZZAPI_TIME"        // how long to fuzz, as 1h, with a seed of its own; unset: the fixed, short run
)

const (
	seed     = "20"
	examples = "40" // of each operation; a run of about two minutes
	patience = 10 * time.Minute
	source   = "harbour"
	keyName  = "fuzzer"
)

//go:embed schemathesis.toml
var checks string

func TestAPIKeepsItsDocument(t *testing.T) {
	python := os.Getenv(pythonEnv)
	if python == "" {
		t.Fatalf("%s is not set: run make interop", pythonEnv)
	}
	limits := []string{"--max-examples", examples, "--seed", seed}
	wait := patience
	if text := os.Getenv(timeEnv); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d < time.Second {
			t.Fatalf("%s is a duration such as 1h", timeEnv)
		}
		limits, wait = []string{"--max-time", fmt.Sprint(int(d.Seconds()))}, d+patience
	}
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()

	server, api := serve(ctx, t)
	storage := storage(t)
	config, err := json.Marshal(storage.Config())
	if err != nil {
		t.Fatal(err)
	}
	connection, dictionaries := furnish(ctx, t, api, storage)
	newKey(ctx, t, api, "spare")
	key := newKey(ctx, t, api, keyName)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "schemathesis.toml"), []byte(checks+dictionaries), 0o600); err != nil {
		t.Fatal(err)
	}
	hooks, err := filepath.Abs("hooks.py")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, python, append([]string{"-B", "-m", "schemathesis.cli", "run", "--no-color", server.URL + "/openapi.json"}, limits...)...)
	cmd.Dir = dir
	cmd.Env = append(binary.Env(t.TempDir()), "SCHEMATHESIS_HOOKS="+hooks, "MOORING_API_KEY="+key, "MOORING_KEY_NAME="+keyName, "PYTHONUTF8=1",
		"MOORING_CONNECTION="+connection, "MOORING_PROVIDER_CONFIG="+string(config), "MOORING_SOURCE="+source)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("the server does not keep its own document: %v", err)
	}
	if !regexp.MustCompile(`(?m)^\s*\d{4,} generated`).Match(out) {
		t.Error("fewer than a thousand requests were made")
	}
	checkLog(t, server)
	if _, err := api.Want(ctx, http.MethodGet, "/v1/organizations/users", nil); err != nil {
		t.Errorf("the server does not serve any more: %v", err)
	}
}

// checkLog refuses panics and faults, also those that no check of an answer sees.
func checkLog(t *testing.T, server *binary.Server) {
	t.Helper()
	n := 0
	for line := range strings.Lines(server.Log.String()) {
		if strings.Contains(line, "level=ERROR") || strings.Contains(line, "panic") {
			if n++; n <= 10 {
				t.Errorf("the server logs: %s", line)
			}
		}
	}
}

func serve(ctx context.Context, t *testing.T) (*binary.Server, binary.API) {
	t.Helper()
	mooring, err := binary.Build(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	server, err := binary.Start(mooring, filepath.Join(t.TempDir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil && server.State().ExitCode() > 0 {
			t.Errorf("the server ended badly: %v", err)
		}
	})
	key, err := server.AdminKey()
	if err != nil {
		t.Fatal(err)
	}
	return server, binary.API{URL: server.URL, Key: key}
}

// newKey makes a key that may do all.
func newKey(ctx context.Context, t *testing.T, api binary.API, name string) string {
	t.Helper()
	key, err := api.Want(ctx, http.MethodPost, binary.Path("organizations", "users", user(ctx, t, api), "api-keys"),
		binary.Object{"name": name, "permissions": []string{"read", "write", "delete", "admin"}})
	if err != nil {
		t.Fatal(err)
	}
	return binary.Text(key, "key")
}

func user(ctx context.Context, t *testing.T, api binary.API) string {
	t.Helper()
	users, err := api.List(ctx, http.MethodGet, "/v1/organizations/users", nil)
	if err != nil || len(users) != 1 {
		t.Fatalf("the users are %v, %v", users, err)
	}
	return binary.Text(users[0], "email")
}

// storage is a storage that works, to connect to.
func storage(t *testing.T) binary.S3 {
	t.Helper()
	storage, err := s3.Start(s3.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = storage.Close() })
	if err := storage.CreateBucket(source); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		if err := storage.Put(source, fmt.Sprintf("media/ü %02d.txt", i), []byte(strings.Repeat("ahoy", i)), s3.PutOptions{ContentType: "text/plain"}); err != nil {
			t.Fatal(err)
		}
	}
	return binary.S3{Endpoint: storage.URL(), Region: storage.Region(), KeyID: s3.DefaultAccessKeyID, Secret: s3.DefaultSecretAccessKey}
}

// furnish puts one of everything into the server, and returns its connection and
// the section of the configuration that names all.
func furnish(ctx context.Context, t *testing.T, api binary.API, from binary.S3) (connection, dictionaries string) {
	t.Helper()
	must := func(id string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	connection = must(api.Connect(ctx, "archive", from))
	bucket := must(api.Bucket(ctx, "media"))
	sync := must(api.Sync(ctx, bucket, connection, source+"/media", nil))
	run, err := api.WaitPass(ctx, bucket, sync, 0)
	if err != nil {
		t.Fatal(err)
	}
	hook, err := api.Want(ctx, http.MethodPost, "/v1/webhooks", binary.Object{"url": from.Endpoint + "/hook"})
	if err != nil {
		t.Fatal(err)
	}
	objects, err := api.Objects(ctx, bucket)
	if err != nil {
		t.Fatal(err)
	}
	audits, err := api.List(ctx, http.MethodGet, "/v1/organizations/audit/logs", nil)
	if err != nil {
		t.Fatal(err)
	}
	first := func(list []binary.Object, field string) string {
		if len(list) == 0 || binary.Text(list[0], field) == "" {
			t.Fatalf("there is no %s", field)
		}
		return binary.Text(list[0], field)
	}
	return connection, section(map[string][]string{
		"connections": {connection, "archive"}, "buckets": {bucket, "media"}, "syncs": {sync}, "runs": {binary.Text(run, "sync_run_id")},
		"objects": {first(objects, "object_id")}, "webhooks": {binary.Text(hook, "webhook_id")}, "users": {user(ctx, t, api)}, "keys": {"spare"},
		"audits": {first(audits, "audit_id")}, "providers": {"google_drive", "sharepoint"}, "namespaces": {"default"},
	})
}

func section(dictionaries map[string][]string) string {
	var b strings.Builder
	b.WriteString("\n[dictionaries]\n")
	for name, values := range dictionaries {
		quoted := make([]string, len(values))
		for i, v := range values {
			if v == "" || strings.ContainsAny(v, "\"\\\n") {
				panic("no value for " + name)
			}
			quoted[i] = `"` + v + `"`
		}
		fmt.Fprintf(&b, "%s = { values = [%s] }\n", name, strings.Join(slices.Sorted(slices.Values(quoted)), ", "))
	}
	return b.String()
}
