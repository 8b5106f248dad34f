//go:build interop

package gdrive

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mooring/emulator/gdrive"
)

// rcloneEnv names the rclone binary.
const rcloneEnv = "MOORING_TEST_RCLONE"

// rclone runs commands on a drive.
type rclone struct {
	t     *testing.T
	bin   string
	env   []string
	proxy proxy
}

// newRclone is rclone as a service account that impersonates ada, in her drive or a
// shared one.
func newRclone(t *testing.T, w *world, sharedDrive string) rclone {
	t.Helper()
	bin := os.Getenv(rcloneEnv)
	if bin == "" {
		t.Fatalf("%s is not set: run make interop", rcloneEnv)
	}
	home := t.TempDir()
	key := filepath.Join(home, "key.json")
	must(t, os.WriteFile(key, w.key, 0o600))
	return rclone{t: t, bin: bin, proxy: startProxy(t, w), env: []string{
		"HOME=" + home, "RCLONE_CONFIG=" + filepath.Join(home, "none"), "TMPDIR=" + home,
		"RCLONE_CONFIG_G_TYPE=drive", "RCLONE_CONFIG_G_SCOPE=drive.readonly", "RCLONE_CONFIG_G_SERVICE_ACCOUNT_FILE=" + key,
		"RCLONE_CONFIG_G_IMPERSONATE=" + ada, "RCLONE_CONFIG_G_TEAM_DRIVE=" + sharedDrive, "RCLONE_CONFIG_G_PACER_MIN_SLEEP=1ms",
	}}
}

// try runs a command and returns what it wrote.
func (r rclone) try(args ...string) (stdout, stderr string, err error) {
	cmd := exec.CommandContext(r.t.Context(), r.bin, append(args, "--http-proxy", r.proxy.url, "--ca-cert", r.proxy.ca, "--retries", "1")...)
	cmd.Env = r.env
	var out, bad bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &bad
	err = cmd.Run()
	return out.String(), bad.String(), err
}

func (r rclone) run(args ...string) string {
	r.t.Helper()
	out, bad, err := r.try(args...)
	if err != nil {
		r.t.Fatalf("rclone %s: %v\n%s", strings.Join(args, " "), err, bad)
	}
	return out
}

// entry is one line of lsjson.
type entry struct {
	Path, ID, MimeType string
	Size               int64
	IsDir              bool
	Hashes             struct{ MD5, SHA1, SHA256 string }
}

func (r rclone) list(args ...string) map[string]entry {
	r.t.Helper()
	var list []entry
	must(r.t, json.Unmarshal([]byte(r.run(append([]string{"lsjson", "-R", "--hash", "g:"}, args...)...)), &list))
	out := map[string]entry{}
	for _, e := range list {
		out[e.Path] = e
	}
	return out
}

func TestRcloneListsADrive(t *testing.T) {
	w := build(t)
	got := newRclone(t, w, "").list("--drive-skip-shortcuts")
	want := map[string]gdrive.Node{}
	for _, n := range w.Snapshot(w.root) {
		if n.Target != "" {
			continue
		}
		path := strings.ReplaceAll(n.Path, "with/slash", "with／slash") // as rclone writes it
		if n.Name == "Plan" {
			path += ".docx"
		}
		want[path] = n
	}
	for path, n := range want {
		e, ok := got[path]
		switch {
		case !ok:
			t.Errorf("rclone does not see %q", path)
		case e.IsDir != n.IsFolder():
			t.Errorf("%q is a folder: %v", path, e.IsDir)
		case n.Size >= 0 && (e.Size != n.Size || e.Hashes.SHA256 != n.SHA256 || len(e.Hashes.MD5) != 32 || len(e.Hashes.SHA1) != 40):
			t.Errorf("rclone sees %+v, there is %+v", e, n)
		}
		delete(got, path)
	}
	for path := range maps.Keys(got) {
		t.Errorf("rclone sees %q, which is not there", path)
	}
}

func TestRcloneFollowsShortcuts(t *testing.T) {
	w := build(t)
	got := newRclone(t, w, "").list()
	if e := got["link.txt"]; e.Size != 5 {
		t.Errorf("the shortcut to a file is %+v", e)
	}
	if e := got["linked"]; !e.IsDir {
		t.Errorf("the shortcut to a folder is %+v", e)
	}
}

func TestRcloneReads(t *testing.T) {
	w := build(t)
	r := newRclone(t, w, "")
	whole := string(gdrive.GeneratedContent(bigSeed, bigSize))
	for _, tc := range []struct {
		name, want string
		args       []string
	}{
		{"a file", "ahoy\n", []string{"g:docs/a.txt"}},
		{"a name with all kinds of characters", "odd", []string{`g:docs/it's \ "odd" & ü.txt`}},
		{"a shortcut", "ahoy\n", []string{"g:link.txt"}},
		{"an export", "the plan, exported", []string{"g:docs/Plan.docx"}},
		{"a part", whole[1000:1500], []string{"g:docs/deep/big.bin", "--offset", "1000", "--count", "500"}},
		{"the end", whole[bigSize-10:], []string{"g:docs/deep/big.bin", "--tail", "10"}},
	} {
		if got := r.run(append([]string{"cat"}, tc.args...)...); got != tc.want {
			t.Errorf("%s: %d bytes, want %d", tc.name, len(got), len(tc.want))
		}
	}
	if _, bad, err := r.try("cat", "g:malware.exe"); err == nil || !strings.Contains(bad, "cannotDownloadAbusiveFile") {
		t.Errorf("malware is read: %v\n%s", err, bad)
	}
	if got := r.run("cat", "g:malware.exe", "--drive-acknowledge-abuse"); got != "boo" {
		t.Errorf("acknowledged malware is %q", got)
	}
}

func TestRcloneCopies(t *testing.T) {
	w := build(t)
	r := newRclone(t, w, "")
	dir := t.TempDir()
	r.run("copy", "g:docs", dir, "--multi-thread-cutoff", "100k", "--multi-thread-streams", "3", "--multi-thread-chunk-size", "64k")
	for path, want := range map[string]string{
		"a.txt": "ahoy\n", "empty.txt": "", "Plan.docx": "the plan, exported", "deep/big.bin": string(gdrive.GeneratedContent(bigSeed, bigSize)),
	} {
		got, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil || string(got) != want {
			t.Errorf("%s: %d bytes, %v", path, len(got), err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "trashed.txt")); err == nil {
		t.Error("the trash was copied")
	}
	r.run("check", "g:docs", dir, "--download=false")
}

func TestRcloneReadsASharedDrive(t *testing.T) {
	w := build(t)
	r := newRclone(t, w, w.team)
	if got := r.list(); len(got) != 2 || got["plans/shared.txt"].ID != w.teamDoc {
		t.Errorf("the shared drive has %+v", got)
	}
	if got := r.run("cat", "g:plans/shared.txt"); got != "for all of us" {
		t.Errorf("the content is %q", got)
	}
	if got := r.run("backend", "drives", "g:"); !strings.Contains(got, w.team) {
		t.Errorf("the drives are %s", got)
	}
}

func TestRcloneUnderstandsErrors(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fault gdrive.Fault
		want  string // in what it says; "" if it gets over it
	}{
		{"throttled", gdrive.Fault{Match: gdrive.On(gdrive.FilesList), Times: 3, Action: gdrive.RateLimited()}, ""},
		{"unavailable", gdrive.Fault{Match: gdrive.On(gdrive.FilesList), Times: 2, Action: gdrive.Unavailable()}, ""},
		{"an empty page", gdrive.Fault{Match: gdrive.On(gdrive.FilesList), Times: 1, Action: gdrive.EmptyPage()}, ""},
		{"forbidden", gdrive.Fault{Match: gdrive.On(gdrive.FilesList), Action: gdrive.Forbidden()}, "insufficientFilePermissions"},
		{"credentials refused", gdrive.Fault{Match: gdrive.On(gdrive.FilesList), Action: gdrive.Unauthorized()}, "authError"},
		{"no token", gdrive.Fault{Match: gdrive.On(gdrive.Token), Action: gdrive.InvalidGrant("Invalid JWT Signature.")}, "invalid_grant"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := build(t)
			injection := w.Inject(tc.fault)
			out, bad, err := newRclone(t, w, "").try("lsjson", "g:docs")
			if injection.Hits() == 0 {
				t.Fatal("the fault was not met")
			}
			if tc.want == "" && (err != nil || !strings.Contains(out, "a.txt")) || tc.want != "" && (err == nil || !strings.Contains(bad, tc.want)) {
				t.Errorf("rclone says %v\n%s%s", err, out, bad)
			}
		})
	}
}
