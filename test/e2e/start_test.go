package e2e

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mooring/emulator/s3"
	"mooring/test/binary"
)

func TestFirstStartMakesPrivateKeys(t *testing.T) {
	s := Start(t)
	for _, name := range []string{"admin.key", "master.key", "mooring.db"} {
		info, err := os.Stat(filepath.Join(s.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != 0o600 {
			t.Errorf("%s has mode %v, want 0600", name, info.Mode())
		}
	}
	if info, err := os.Stat(filepath.Join(s.Dir, "master.key")); err != nil || info.Size() != 96 {
		t.Errorf("the master key has %d bytes, want 96 (%v)", info.Size(), err)
	}
	err := filepath.WalkDir(s.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s can be reached by others: %v", filepath.Base(path), info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	s.expect(http.StatusOK, http.MethodPost, "/v1/organizations/connections/list", nil)
	s.as("").expect(http.StatusUnauthorized, http.MethodPost, "/v1/organizations/connections/list", nil)
	s.as(s.Key[:len(s.Key)-1]+"_").expect(http.StatusUnauthorized, http.MethodPost, "/v1/organizations/connections/list", nil)
}

func TestRestartKeepsEverything(t *testing.T) {
	from := newStorage(t, s3.Options{})
	from.put("a.txt", "one")
	from.put("b/c.txt", "two")
	s := Start(t)
	j := s.connect(from, sourceBucket, nil)
	j.want(j.pass(), map[string]int64{"discovered": 2, "synced": 2})
	master, key := read(t, s.Dir, "master.key"), read(t, s.Dir, "admin.key")
	s.stop()

	from.ResetRequests()
	again := StartAt(t, s.Dir)
	if read(t, s.Dir, "master.key") != master || read(t, s.Dir, "admin.key") != key {
		t.Error("a restart replaced a key")
	}
	j.server = again
	if got := strings.Join(j.paths(), " "); got != "a.txt b/c.txt" {
		t.Errorf("after the restart the bucket holds %s", got)
	}
	if got := j.content("b/c.txt"); got != "two" {
		t.Errorf("content is %q", got)
	}
	from.put("d.txt", "three")
	j.want(j.again(), map[string]int64{"discovered": 3, "synced": 1, "unchanged": 2}) // the credentials still open
	if n := from.Count(s3.GetObject); n != 1 {
		t.Errorf("%d contents were read after the restart, want 1", n)
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// refused is the output of a server that must not start.
func refused(t *testing.T, dir string, args ...string) string {
	t.Helper()
	p, err := binary.Start(mooring, dir, args...)
	var exit *binary.ExitError
	if !errors.As(err, &exit) {
		if p != nil {
			_ = p.Kill()
		}
		t.Fatalf("the server started, or: %v", err)
	}
	if exit.Code < 1 {
		t.Errorf("exit code %d", exit.Code)
	}
	return exit.Output
}

func TestAnotherMasterKeyIsRefused(t *testing.T) {
	first, second := Start(t), Start(t)
	first.stop()
	second.stop()
	path := filepath.Join(first.Dir, "master.key")
	own := read(t, first.Dir, "master.key")
	if err := os.WriteFile(path, []byte(read(t, second.Dir, "master.key")), 0o600); err != nil {
		t.Fatal(err)
	}
	wrong := refused(t, first.Dir)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	missing := refused(t, first.Dir)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a new master key was made for a store that has one")
	}
	expected := fingerprint.FindString(missing)
	if expected == "" || !strings.Contains(wrong, expected) {
		t.Errorf("both must name the fingerprint that is expected:\n%s\n%s", wrong, missing)
	}
	if err := os.WriteFile(path, []byte(own), 0o600); err != nil {
		t.Fatal(err)
	}
	StartAt(t, first.Dir)
}

func TestSecondProcessOnADirectoryIsRefused(t *testing.T) {
	s := Start(t)
	out := refused(t, s.Dir)
	if !strings.Contains(out, "process") && !strings.Contains(out, "running") && !strings.Contains(out, "use") {
		t.Errorf("the refusal does not say why: %s", out)
	}
	s.expect(http.StatusOK, http.MethodPost, "/v1/organizations/connections/list", nil)
	r := s.cli("", "connection", "list")
	if r.Code != 0 {
		t.Errorf("the first server's socket or key is gone: %+v", r)
	}
}

func TestOperatorCommands(t *testing.T) {
	s := Start(t)
	create := func(name string) *server {
		t.Helper()
		r := s.cli("", "organization", "create", name, name+"@example.com")
		if r.Code != 0 {
			t.Fatalf("organization create: %+v", r)
		}
		file := keyFile.FindString(r.Stdout)
		info, err := os.Stat(file)
		if err != nil || info.Mode() != 0o600 {
			t.Fatalf("the key's file %q: %v", r.Stdout, err)
		}
		key := strings.TrimSpace(read(t, filepath.Dir(file), filepath.Base(file)))
		if strings.Contains(r.Stdout+r.Stderr, key) {
			t.Error("the key was printed")
		}
		return s.as(key)
	}
	list := func(x *server, status int) {
		t.Helper()
		x.expect(status, http.MethodPost, "/v1/organizations/connections/list", nil)
	}
	running := create("running")
	list(running, http.StatusOK)
	old, org := s.Key, defaultOrg(t, s)
	reset := func() {
		t.Helper()
		if r := s.cli("", "key", "reset-admin", org); r.Code != 0 {
			t.Fatalf("key reset-admin: %+v", r)
		}
	}
	reset()
	list(s.as(old), http.StatusUnauthorized)
	fresh := must(s.AdminKey())(t)
	list(s.as(fresh), http.StatusOK)

	s.stop()
	stopped := create("stopped")
	reset()
	again := StartAt(t, s.Dir)
	list(again, http.StatusOK)
	list(again.as(stopped.Key), http.StatusOK)
	list(again.as(running.Key), http.StatusOK)
	list(again.as(fresh), http.StatusUnauthorized)
}
