//go:build interop

package msgraph

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mooring/emulator/msgraph"
	"mooring/test/binary"
)

const patience = 3 * time.Minute

// rclone runs the program against a server.
type rclone struct {
	t      *testing.T
	binary string
	config string
}

// newRclone configures a remote named graph; the lines say how it signs in.
func newRclone(t *testing.T, w *world, lines ...string) *rclone {
	t.Helper()
	r := &rclone{t: t, binary: tool(t, "MOORING_TEST_RCLONE"), config: filepath.Join(t.TempDir(), "rclone.conf")}
	lines = append([]string{
		"[graph]", "type = onedrive", "client_id = " + client, "client_secret = " + secret,
		"drive_id = " + w.drive, "drive_type = documentLibrary", "tenant_url = " + w.URL, "tenant_api_version = v1.0",
		"token_url = " + w.LoginURL() + "/" + tenant + "/oauth2/v2.0/token", "list_chunk = 100",
	}, lines...)
	if err := os.WriteFile(r.config, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return r
}

// app signs in as the app itself.
func app() []string { return []string{"client_credentials = true", "tenant = " + tenant} }

// consented signs in with the refresh token of a user.
func consented(t *testing.T, w *world) []string {
	t.Helper()
	token, err := json.Marshal(map[string]any{
		"access_token": "stale", "token_type": "Bearer", "refresh_token": w.Consent(tenant, client, user),
		"expiry": time.Now().Add(-time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	return []string{"token = " + string(token)}
}

// try runs a command and returns what it prints.
func (r *rclone) try(args ...string) ([]byte, error) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.binary, append([]string{"--config", r.config, "--low-level-retries", "3", "--retries", "1"}, args...)...)
	cmd.Env = binary.Env(r.t.TempDir())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("rclone %s: %w\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return out, err
}

func (r *rclone) run(args ...string) []byte {
	r.t.Helper()
	out, err := r.try(args...)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

// listed is an entry of lsjson.
type listed struct {
	Path   string
	Size   int64
	IsDir  bool
	ID     string
	Hashes map[string]string
}

// list returns the files below a path of the remote, by id.
func (r *rclone) list(path string, flags ...string) map[string]listed {
	r.t.Helper()
	var entries []listed
	if err := json.Unmarshal(r.run(append([]string{"lsjson", "-R", "--hash", "graph:" + path}, flags...)...), &entries); err != nil {
		r.t.Fatal(err)
	}
	files := map[string]listed{}
	for _, e := range entries {
		if _, id, ok := strings.Cut(e.ID, "#"); ok { // rclone writes drive#item
			e.ID = id
		}
		if !e.IsDir {
			files[e.ID] = e
		}
	}
	return files
}

// agree says where a listing differs from the tree.
func agree(t *testing.T, got map[string]listed, want map[string]msgraph.Entry) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d files, want %d", len(got), len(want))
	}
	for id, e := range want {
		hash := ""
		for _, h := range got[id].Hashes {
			hash = h
		}
		sum, err := hex.DecodeString(hash)
		if err != nil {
			t.Fatal(err)
		}
		if g := got[id]; g.Path != e.Path || g.Size != e.Size || hash == "" || !sameHash(sum, e.QuickXorHash) {
			t.Errorf("%s: %+v, want %+v", e.Path, g, e)
		}
	}
}

func TestRcloneListsAndReads(t *testing.T) {
	for name, auth := range map[string]func(*testing.T, *world) []string{
		"client credentials": func(*testing.T, *world) []string { return app() },
		"refresh token":      consented,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // rclone waits most of its time
			o := msgraph.Documented()
			o.RefuseReused = true
			w := fill(msgraph.Start(t, o))
			r := newRclone(t, w, auth(t, w)...)

			agree(t, r.list(""), w.Snapshot(w.drive, w.root))
			agree(t, r.list("docs"), w.Snapshot(w.drive, w.docs))
			if got := r.run("cat", "graph:docs/report.txt"); string(got) != "ahoy, harbour\n" {
				t.Errorf("cat gave %q", got)
			}
			if got := r.run("cat", "--offset", "6", "--count", "7", "graph:docs/report.txt"); string(got) != "harbour" {
				t.Errorf("the range is %q", got)
			}
			copied(t, r, w)
			if v := w.Violations(); len(v) > 0 {
				t.Errorf("violations: %v", v)
			}
		})
	}
}

// copied copies the library to a folder and compares.
func copied(t *testing.T, r *rclone, w *world) {
	t.Helper()
	dir := t.TempDir()
	r.run("copy", "--checksum", "graph:", dir)
	want := w.Snapshot(w.drive, w.root)
	for _, e := range want {
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(e.Path)))
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != e.SHA256 {
			t.Errorf("%s: the content differs", e.Path)
		}
	}
	r.run("check", "--one-way", "graph:", dir) // hashes the copies anew, with rclone's own quickXorHash
}

func TestRcloneListsByDelta(t *testing.T) {
	o := msgraph.Documented()
	o.FunctionLinks = true
	w := fill(msgraph.Start(t, o))
	r := newRclone(t, w, append(app(), "delta = true")...)
	agree(t, r.list("", "--fast-list"), w.Snapshot(w.drive, w.root))
	if w.Count(msgraph.Delta) < 3 || w.Count(msgraph.ListChildren) > 0 {
		t.Errorf("%d pages of deltas and %d of children", w.Count(msgraph.Delta), w.Count(msgraph.ListChildren))
	}
	agree(t, r.list("docs", "--fast-list"), w.Snapshot(w.drive, w.docs))

	w.Write(w.drive, w.report, []byte("changed"))
	w.Rename(w.drive, w.big, "bigger.bin")
	w.Delete(w.drive, w.empty)
	agree(t, r.list("", "--fast-list"), w.Snapshot(w.drive, w.root))
}

func TestRcloneFallsBackToTheRootDelta(t *testing.T) {
	o := msgraph.Documented()
	o.FolderDeltaRefused = true
	w := fill(msgraph.Start(t, o))
	r := newRclone(t, w, append(app(), "delta = true")...)
	agree(t, r.list("docs", "--fast-list"), w.Snapshot(w.drive, w.docs))
	if w.Count(msgraph.Delta) < 2 {
		t.Error("no delta was asked for")
	}
}

func TestRcloneFollowsAShortcut(t *testing.T) {
	w := fill(msgraph.Start(t))
	w.RemoteItem(w.drive, w.root, "shared", w.targetDrive, w.targetFolder)
	r := newRclone(t, w, app()...)
	if got := r.list("")[w.outside]; got.Path != "shared/outside.txt" || got.Size != int64(len("elsewhere")) {
		t.Errorf("the shortcut leads to %+v", got)
	}
	dir := t.TempDir()
	r.run("copy", "graph:shared", dir)
	if got, err := os.ReadFile(filepath.Join(dir, "outside.txt")); err != nil || string(got) != "elsewhere" {
		t.Errorf("through the shortcut: %q, %v", got, err)
	}
}

func TestRcloneEndures(t *testing.T) {
	for name, fault := range map[string]msgraph.Fault{
		"throttled":   {Match: msgraph.On(msgraph.ListChildren), Nth: 2, Action: msgraph.Throttle(time.Second)},
		"unavailable": {Match: msgraph.On(msgraph.ListChildren), Nth: 2, Action: msgraph.Unavailable(time.Second)},
		"gateway":     {Match: msgraph.On(msgraph.ListChildren), Nth: 2, Action: msgraph.GatewayError(504)},
		"broken off":  {Match: msgraph.On(msgraph.Download), Nth: 1, Action: msgraph.ShortBody(5)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := fill(msgraph.Start(t))
			injection := w.Inject(fault)
			r := newRclone(t, w, app()...)
			agree(t, r.list(""), w.Snapshot(w.drive, w.root))
			if got := r.run("cat", "graph:docs/report.txt"); string(got) != "ahoy, harbour\n" {
				t.Errorf("the content is %q", got)
			}
			if injection.Hits() != 1 {
				t.Errorf("the fault was met %d times", injection.Hits())
			}
		})
	}
}

func TestRcloneIsRefused(t *testing.T) {
	w := fill(msgraph.Start(t))
	w.Malware(w.drive, w.File(w.drive, w.root, "virus.com", []byte("EICAR")))
	r := newRclone(t, w, app()...)
	if _, err := r.try("cat", "graph:virus.com"); err == nil || !strings.Contains(err.Error(), "malwareDetected") {
		t.Errorf("malware: %v", err)
	}
	if _, err := r.try("lsjson", "graph:nowhere"); err == nil || !strings.Contains(err.Error(), "directory not found") {
		t.Errorf("a folder that does not exist: %v", err)
	}
	w.ExpireSecret(tenant, client)
	fresh := newRclone(t, w, app()...)
	if _, err := fresh.try("lsjson", "graph:"); err == nil || !strings.Contains(err.Error(), "invalid_client") {
		t.Errorf("an expired secret: %v", err)
	}
}

// sameHash compares rclone's form of a hash, hex, with the API's, base64.
func sameHash(sum []byte, text string) bool {
	return base64.StdEncoding.EncodeToString(sum) == text
}
