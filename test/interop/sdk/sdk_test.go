//go:build interop

package sdk

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"mooring/emulator/s3"
	"mooring/test/binary"
)

// pythonEnv names the Python that runs the script.
const pythonEnv = "MOORING_TEST_SDK_PYTHON"

const (
	patience     = 5 * time.Minute
	sourceBucket = "harbour"
)

// temporary is accepted beside the emulator's default key.
var temporary = s3.AccessKey{ID: "ASIATEMPORARY0000000", Secret: "temporary/secret/of/forty/characters/000", SessionToken: "a-session-token"}

func TestOfficialSDK(t *testing.T) {
	python := os.Getenv(pythonEnv)
	if python == "" {
		t.Fatalf("%s is not set: run make interop", pythonEnv)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()

	storage := storage(t)
	all, flags := clouds(t)
	described, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	server, key := serve(ctx, t, flags...)
	email := admin(ctx, t, binary.API{URL: server.URL, Key: key})

	cmd := exec.CommandContext(ctx, python, "-E", "-s", "-B", "sdk_test.py", "--verbose")
	cmd.Env = append(binary.Env(t.TempDir()),
		"MOORING_URL="+server.URL, "MOORING_API_KEY="+key, "MOORING_EMAIL="+email, "CLOUDS="+string(described),
		"S3_ENDPOINT="+storage.URL(), "S3_REGION="+storage.Region(), "S3_KEY="+s3.DefaultAccessKeyID, "S3_SECRET="+s3.DefaultSecretAccessKey,
		"S3_TEMPORARY_KEY="+temporary.ID, "S3_TEMPORARY_SECRET="+temporary.Secret, "S3_SESSION_TOKEN="+temporary.SessionToken)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("the SDK does not work: %v", err)
		log := server.Log.String()
		t.Logf("the end of the server's log:\n%s", log[max(0, len(log)-8000):])
	}
	if !regexp.MustCompile(`(?m)^Ran [1-9]\d* tests? in `).Match(out) {
		t.Error("no test ran")
	}
}

// serve runs the built binary and returns its admin key.
func serve(ctx context.Context, t *testing.T, args ...string) (*binary.Server, string) {
	t.Helper()
	mooring, err := binary.Build(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	server, err := binary.Start(mooring, filepath.Join(t.TempDir(), "data"), args...)
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
	return server, key
}

// admin is the address of the first user, whose keys the SDK manages: it has no
// way to ask for it.
func admin(ctx context.Context, t *testing.T, api binary.API) string {
	t.Helper()
	users, err := api.List(ctx, http.MethodGet, "/v1/organizations/users", nil)
	if err != nil || len(users) != 1 {
		t.Fatalf("the users are %v, %v", users, err)
	}
	return binary.Text(users[0], "email")
}

// storage is what the script syncs from.
func storage(t *testing.T) *s3.Server {
	t.Helper()
	server, err := s3.Start(s3.Options{Keys: []s3.AccessKey{{ID: s3.DefaultAccessKeyID, Secret: s3.DefaultSecretAccessKey}, temporary}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	if err := server.CreateBucket(sourceBucket); err != nil {
		t.Fatal(err)
	}
	for _, o := range []struct {
		key, content string
		s3.PutOptions
	}{
		{"media/2025-01-02 talk.txt", "ahoy", s3.PutOptions{
			ContentType: "text/plain", Tags: map[string]string{"category": "SPORTS"}, Metadata: map[string]string{"author": " Ada ", "facts": `{"pages": 3}`},
		}},
		{"media/legal/2023/signed.pdf", "%PDF and so on", s3.PutOptions{ContentType: "application/pdf"}},
		{"media/ü @?&+%.csv", "odd", s3.PutOptions{}},
		{"media/left-out.tmp", "not to be synced", s3.PutOptions{}},
	} {
		if err := server.Put(sourceBucket, o.key, []byte(o.content), o.PutOptions); err != nil {
			t.Fatal(err)
		}
	}
	return server
}
