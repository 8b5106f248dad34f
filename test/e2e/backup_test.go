package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring/emulator/s3"
	"mooring/test/binary"
)

// on runs a command on a data directory that no server serves.
func on(t *testing.T, dir string, args ...string) binary.Result {
	t.Helper()
	env := append(binary.Env(filepath.Dir(dir)), "MOORING_DATA_DIR="+dir)
	return must(binary.Run(t.Context(), mooring, env, "", args...))(t)
}

// good is a command that must succeed.
func good(t *testing.T, r binary.Result) binary.Result {
	t.Helper()
	if r.Code != 0 {
		t.Fatalf("exit code %d: %s", r.Code, r.Stderr)
	}
	return r
}

// declined is a command that must end with a code and name a reason.
func declined(t *testing.T, r binary.Result, code int, reason string) {
	t.Helper()
	if r.Code != code || !strings.Contains(r.Stderr, reason) || strings.Contains(r.Stderr, "goroutine") {
		t.Errorf("exit code %d, want %d with %q: %s", r.Code, code, reason, r.Stderr)
	}
}

// bring puts the master key of a data directory into another one.
func bring(t *testing.T, from, to string) {
	t.Helper()
	key, err := os.ReadFile(filepath.Join(from, "master.key"))
	if err == nil {
		err = os.MkdirAll(to, 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(to, "master.key"), key, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A store is backed up while it works, goes on, and is lost. Restored beside the
// same folder of content, which knows what came later, everything is right
// again after the next runs.
func TestBackupAndRestore(t *testing.T) {
	from := newStorage(t, s3.Options{})
	for i := range 40 {
		from.put(fmt.Sprintf("docs/%02d.txt", i), fmt.Sprintf("content %d", i))
	}
	from.put("becomes-a-folder", "a file")
	from.put("goes", "goes")
	content := filepath.Join(t.TempDir(), "content")
	first := Start(t, "--destination", content)
	j := first.connect(from, sourceBucket, object{"delete_policy": "delete", "max_delete_percent": 100})
	j.pass()

	saved := filepath.Join(t.TempDir(), "backup")
	r := good(t, first.cli("", "backup", "--json", saved))
	var manifest struct {
		Fingerprint string `json:"master_key_fingerprint"`
		Frozen      bool   `json:"frozen"`
	}
	if err := json.Unmarshal([]byte(r.Stdout), &manifest); err != nil || !manifest.Frozen || manifest.Fingerprint == "" {
		t.Fatalf("%v: %s", err, r.Stdout)
	}
	// What comes after the backup: new, changed, renamed and deleted objects, a file
	// in the place of a folder, and another connection.
	from.put("docs/00.txt", "changed!!")
	from.put("docs/new.txt", "new")
	from.put("comes-and-goes", "comes and goes")
	from.drop("docs/01.txt")
	from.drop("goes")
	from.drop("becomes-a-folder")
	from.put("becomes-a-folder/file", "in a folder")
	j.again()
	from.drop("comes-and-goes")
	j.again()
	first.kill()

	dir := filepath.Join(t.TempDir(), "restored")
	r = good(t, on(t, dir, "restore", saved))
	if !strings.Contains(r.Stderr, manifest.Fingerprint) {
		t.Errorf("restore does not say which master key is missing: %s", r.Stderr)
	}
	declined(t, on(t, dir, "serve", "--listen", "127.0.0.1:0"), 2, manifest.Fingerprint)
	bring(t, first.Dir, dir)
	good(t, on(t, dir, "key", "reset-admin")) // the old admin key is known as a hash only
	second := StartAt(t, dir, "--destination", content)
	j.server, j.number = second, 0
	second.as(first.Key).expect(401, "GET", binary.Path("organizations", "connections", j.connection), nil)
	second.expect(200, "POST", binary.Path("organizations", "connections", j.connection, "test"), nil) // opens what is sealed
	j.number = lastRun(j)
	j.again()
	verified := verify(j, true)
	if verified["failed"] != 0 {
		t.Errorf("after the first run files are wrong: %v", verified)
	}
	want := map[string]string{"docs/00.txt": "changed!!", "docs/new.txt": "new", "becomes-a-folder/file": "in a folder"}
	for i := 2; i < 40; i++ {
		want[fmt.Sprintf("docs/%02d.txt", i)] = fmt.Sprintf("content %d", i)
	}
	holdsExactly(t, j, want)
	from.ResetRequests()
	n := int64(len(want))
	j.want(j.again(), map[string]int64{"discovered": n, "unchanged": n})
	if out := good(t, second.cli("", "audit", "verify")); strings.Contains(out.Stdout, "broken") {
		t.Errorf("the trail: %s", out.Stdout)
	}
}

// lastRun is the number of the last run of a job's sync.
func lastRun(j *job) int64 {
	j.t.Helper()
	runs := must(j.Runs(j.ctx, j.bucket, j.sync))(j.t)
	var last int64
	for _, r := range runs {
		last = max(last, binary.Int(r, "number"))
	}
	return last
}

// verify has the files of a job's bucket hashed anew and returns the ledger.
func verify(j *job, repair bool) map[string]int64 {
	j.t.Helper()
	args := []string{"sync", "verify", j.bucket, j.sync}
	if repair {
		args = append(args, "--repair")
	}
	last := lastRun(j)
	var ledger map[string]int64
	begun := false
	err := binary.Until(j.ctx, "a verification has ended", func() (bool, error) {
		if !begun {
			r := j.cli("", args...)
			if begun = r.Code == 0; !begun && r.Code != 6 { // the run before is still being closed
				j.t.Fatalf("verify: %+v", r)
			}
			return false, nil
		}
		runs, err := j.Runs(j.ctx, j.bucket, j.sync)
		for _, r := range runs {
			if binary.Int(r, "number") > last && binary.Text(r, "kind") == "verify" && binary.Text(r, "status") != "IN_PROGRESS" {
				ledger, j.number = binary.Ledger(r), binary.Int(r, "number")
			}
		}
		return ledger != nil, err
	})
	if err != nil {
		j.t.Fatal(err)
	}
	return ledger
}

// drop deletes what a storage holds.
func (s *storage) drop(key string) {
	s.t.Helper()
	if err := s.Delete(sourceBucket, key); err != nil {
		s.t.Fatal(err)
	}
}

// holdsExactly compares what the bucket holds with what the source does.
func holdsExactly(t *testing.T, j *job, want map[string]string) {
	t.Helper()
	paths := j.paths()
	if len(paths) != len(want) {
		t.Errorf("the bucket has %d objects, want %d: %v", len(paths), len(want), paths)
	}
	for path, content := range want {
		if got := j.content(path); got != content {
			t.Errorf("%s holds %q, want %q", path, got, content)
		}
	}
}

// A backup under load is the store at one moment, and can be restored.
func TestBackupUnderLoad(t *testing.T) {
	from := newStorage(t, s3.Options{LogSize: 1})
	const objects = 400
	for i := range objects {
		from.put(fmt.Sprintf("%03d.txt", i), fmt.Sprint(i))
	}
	slow := from.Inject(s3.Fault{Match: s3.On(s3.GetObject), Action: s3.Delay(20 * time.Millisecond)})
	s := Start(t)
	j := s.connect(from, sourceBucket, nil)
	if err := binary.Until(s.ctx, "content was read", func() (bool, error) { return from.Count(s3.GetObject) > 50, nil }); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	var running sync.WaitGroup
	for i := range 3 {
		running.Go(func() {
			if r := s.cli("", "backup", filepath.Join(folder, fmt.Sprint(i))); r.Code != 0 {
				t.Errorf("backup %d: %s", i, r.Stderr)
			}
		})
	}
	running.Wait()
	slow.Remove()
	j.pass()
	arrivedAll := len(j.paths())
	if arrivedAll != objects {
		t.Errorf("%d objects arrived beside the backups, want %d", arrivedAll, objects)
	}
	s.stop()
	for i := range 3 {
		dir := filepath.Join(t.TempDir(), "restored")
		bring(t, s.Dir, dir)
		good(t, on(t, dir, "restore", filepath.Join(folder, fmt.Sprint(i))))
		good(t, on(t, dir, "key", "reset-admin"))
		restored := StartAt(t, dir)
		again := &job{server: restored, connection: j.connection, bucket: j.bucket, sync: j.sync}
		again.pass() // goes on where the backup stood; the folder is empty
		if v := verify(again, true); v["failed"] > 0 {
			again.pass() // due at once
		}
		if v := verify(again, false); v["failed"] != 0 || v["unchanged"] != objects {
			t.Errorf("backup %d: verified %v", i, v)
		}
		restored.stop()
	}
}

// A backup that is not whole is refused before anything is changed.
func TestRestoreRefuses(t *testing.T) {
	s := Start(t)
	saved := filepath.Join(t.TempDir(), "backup")
	good(t, s.cli("", "backup", saved))
	declined(t, s.cli("", "backup", saved), 6, "exists")
	declined(t, s.cli("", "restore", "--replace", saved), 6, "in use")
	streamed := s.cli("", "backup", "-")
	if streamed.Code != 0 {
		t.Fatal(streamed.Stderr)
	}
	whole := must(os.ReadFile(saved))(t)
	s.stop()
	declined(t, on(t, s.Dir, "restore", saved), 6, "--replace")

	dir := filepath.Join(t.TempDir(), "target")
	write := func(content []byte) string {
		t.Helper()
		name := filepath.Join(t.TempDir(), "damaged")
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	for at := 0; at < len(whole); at += max(1, len(whole)/25) {
		declined(t, on(t, dir, "restore", write(whole[:at])), 9, "damaged or not complete")
		if at < 10 { // flags and time of the compression that no content depends on
			continue
		}
		changed := bytes.Clone(whole)
		changed[at] ^= 0x20
		declined(t, on(t, dir, "restore", write(changed)), 9, "damaged or not complete")
	}
	declined(t, on(t, dir, "restore", write(append(bytes.Clone(whole), 0))), 9, "damaged or not complete")
	declined(t, on(t, dir, "restore", filepath.Join(dir, "nothing")), 5, "can't be read")
	if _, err := os.Stat(filepath.Join(dir, "mooring.db")); !os.IsNotExist(err) {
		t.Errorf("a refused restore has made a database: %v", err)
	}
	other := Start(t)
	other.stop()
	declined(t, on(t, other.Dir, "restore", "--replace", saved), 2, "another master key")
	good(t, on(t, dir, "restore", write([]byte(streamed.Stdout))))
	good(t, on(t, dir, "restore", "--replace", saved))
}
