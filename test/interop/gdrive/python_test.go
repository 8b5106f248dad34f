//go:build interop

package gdrive

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"testing"

	"mooring/emulator/gdrive"
)

// pythonEnv names a Python that has Google's client.
const pythonEnv = "MOORING_TEST_GDRIVE_PYTHON"

func TestGoogleClientForPython(t *testing.T) {
	python := os.Getenv(pythonEnv)
	if python == "" {
		t.Fatalf("%s is not set: run make interop", pythonEnv)
	}
	w := build(t, gdrive.Options{RotateRefreshTokens: true, RefuseReused: true})
	fresh, doomed := w.File(w.root, "fresh.txt", []byte("fresh")), w.File(w.root, "doomed.txt", []byte("doomed"))
	steps := steps(t, map[string]func(){
		"rename-and-delete": func() {
			w.Rename(fresh, "renamed.txt")
			w.Delete(doomed)
		},
		"rename-drive": func() { w.RenameDrive(w.team, "Crew") },
		"expire":       w.ExpireAccessTokens,
		"throttle": func() {
			w.Inject(gdrive.Fault{Match: gdrive.On(gdrive.FilesList), Times: 1, Action: gdrive.RateLimited()})
		},
	})
	w.OAuthClient("an-application", "its secret")
	w.User(bob)
	var other struct {
		PrivateKey string `json:"private_key"`
	}
	must(t, json.Unmarshal(w.ServiceAccount("another@emulator.iam.gserviceaccount.com"), &other))
	var names []string
	for _, n := range w.Snapshot(w.docs) {
		if n.Parent == w.docs {
			names = append(names, n.Name)
		}
	}
	slices.Sort(names)
	world, err := json.Marshal(map[string]any{
		"ada": ada, "bob": bob, "robot": robot, "root": w.root, "docs": w.docs, "text": w.text, "big": w.big, "plan": w.plan, "empty": w.empty,
		"abusive": w.abusive, "team": w.team, "teamDoc": w.teamDoc, "names": names, "bigSize": bigSize, "docx": docx,
		"bigSHA256": w.Snapshot(w.root)[w.big].SHA256, "fresh": fresh, "doomed": doomed, "otherKey": other.PrivateKey,
		"clientID": "an-application", "clientSecret": "its secret", "refreshToken": w.Consent("an-application", ada),
	})
	must(t, err)

	cmd := exec.CommandContext(t.Context(), python, "-E", "-s", "-B", "client.py", "--verbose")
	cmd.Env = []string{
		"HOME=" + t.TempDir(), "API=" + w.API(), "TOKEN_URL=" + w.TokenURL(), "STEP_URL=" + steps, "KEY=" + string(w.key), "WORLD=" + string(world),
		"PYTHONUTF8=1",
	}
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("the client does not work: %v", err)
	}
	if !regexp.MustCompile(`(?m)^Ran [1-9]\d* tests? in `).Match(out) {
		t.Error("no test ran")
	}
}

// steps serves functions that the script calls by name.
func steps(t *testing.T, do map[string]func()) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		step := do[r.URL.Path[1:]]
		if step == nil || r.Method != http.MethodPost {
			http.NotFound(w, r)
			return
		}
		step()
	}))
	t.Cleanup(server.Close)
	return server.URL
}
