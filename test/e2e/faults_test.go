//go:build linux

package e2e

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mooring/emulator/s3"
	"mooring/test/binary"
)

// A file of the data directory that is damaged ends the start with what is
// wrong with which file. The file put back, all is there.
func TestDamagedFilesAreSaid(t *testing.T) {
	from := newStorage(t, s3.Options{})
	from.put("a.txt", "one")
	s := Start(t)
	j := s.connect(from, sourceBucket, nil)
	j.pass()
	s.stop()
	for _, c := range []struct {
		what, file, said string
		damage           func([]byte) []byte
	}{
		{"no database", "mooring.db", "database", func(b []byte) []byte { return append([]byte("this was somebody's letter"), b[26:]...) }},
		{"a database of zeros", "mooring.db", "database", func(b []byte) []byte { return make([]byte, len(b)) }},
		{"the schema is garbage", "mooring.db", "database", func(b []byte) []byte {
			return append(append(bytes.Clone(b[:100]), bytes.Repeat([]byte{0xa5}, 3996)...), b[4096:]...)
		}},
		{"a short master key", "master.key", "master key", func(b []byte) []byte { return b[:95] }},
		{"an empty master key", "master.key", "master key", func([]byte) []byte { return nil }},
		{"a flipped bit of the master key", "master.key", "master key", func(b []byte) []byte { b[40] ^= 1; return b }},
	} {
		t.Run(c.what, func(t *testing.T) {
			path := filepath.Join(s.Dir, c.file)
			was := []byte(read(t, s.Dir, c.file))
			write(t, path, c.damage(bytes.Clone(was)))
			out := refused(t, s.Dir)
			if !strings.Contains(strings.ToLower(out), c.said) || strings.Contains(out, "goroutine ") {
				t.Errorf("it says: %s", out)
			}
			write(t, path, was)
		})
	}
	again := StartAt(t, s.Dir)
	j.server = again
	if got := j.content("a.txt"); got != "one" {
		t.Errorf("a.txt is %q", got)
	}
	j.want(j.again(), map[string]int64{"discovered": 1, "unchanged": 1})
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// An admin key that was written by half is told from a server that refuses, and
// the operator has it replaced.
func TestHalfWrittenAdminKey(t *testing.T) {
	s := Start(t)
	whole := read(t, s.Dir, "admin.key")
	for part, said := range map[string]string{"": "admin.key", whole[:9]: "key"} {
		write(t, filepath.Join(s.Dir, "admin.key"), []byte(part))
		if r := s.cli("", "connection", "list"); r.Code == 0 || !strings.Contains(r.Stderr, said) || len(part) > 0 && strings.Contains(r.Stderr, part) {
			t.Errorf("with %d characters of the key: %+v", len(part), r)
		}
	}
	s.stop()
	again := StartAt(t, s.Dir) // a start does not depend on it
	if r := again.cli("", "key", "reset-admin"); r.Code != 0 {
		t.Fatalf("%+v", r)
	}
	if r := again.cli("", "connection", "list"); r.Code != 0 {
		t.Errorf("with the new key: %+v", r)
	}
	again.as(strings.TrimSpace(whole)).expect(http.StatusUnauthorized, http.MethodPost, "/v1/organizations/connections/list", nil)
}

// small mounts a disk with little room.
func small(t *testing.T, size string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may mount a small disk")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// On a disk that is full nothing is taken that can't be kept, and the error says
// so; what was there is served, and with room again all goes on.
func TestFullDisk(t *testing.T) {
	disk := small(t, "24m")
	from := newStorage(t, s3.Options{})
	from.put("a.txt", "one")
	s := StartAt(t, filepath.Join(disk, "data"))
	j := s.connect(from, sourceBucket, nil)
	j.pass()
	fill(t, filepath.Join(disk, "filler"))
	from.put("b.txt", strings.Repeat("two", 100_000))

	var refusal binary.Answer
	for i := range 2000 { // what the database has left in its pages may be taken
		refusal = must(s.Do(s.ctx, http.MethodPost, "/v1/buckets", object{"bucket_name": "b" + strconv.Itoa(i), "description": strings.Repeat("x", 200)}))(t)
		if refusal.Status != http.StatusOK {
			break
		}
	}
	if said := strings.ToLower(string(refusal.Raw)); refusal.Status != http.StatusServiceUnavailable || !strings.Contains(said, "full") && !strings.Contains(said, "space") && !strings.Contains(said, "disk") {
		t.Errorf("a write on a full disk: %d %s", refusal.Status, refusal.Raw)
	}
	if got := j.content("a.txt"); got != "one" {
		t.Errorf("a.txt is %q", got)
	}
	if err := os.Remove(filepath.Join(disk, "filler")); err != nil {
		t.Fatal(err)
	}
	ledger := j.again()
	for ledger["discovered"] == 0 || ledger["failed"] > 0 { // a run that met the full disk
		ledger = j.again()
	}
	if got := j.paths(); len(got) != 2 {
		t.Errorf("the bucket holds %v", got)
	}
	s.stop()
	j.server = StartAt(t, s.Dir)
	if got := j.content("b.txt"); len(got) != 300_000 {
		t.Errorf("b.txt has %d bytes", len(got))
	}
}

// fill takes all the room there is.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
}

// A disk that can't be written to is said at the start.
func TestReadOnlyDisk(t *testing.T) {
	disk := small(t, "24m")
	s := StartAt(t, filepath.Join(disk, "data"))
	s.expect(http.StatusOK, http.MethodPost, "/v1/buckets", object{"bucket_name": "kept"})
	s.stop()
	remount := func(flags uintptr) {
		t.Helper()
		if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT|flags, "size=24m"); err != nil {
			t.Fatal(err)
		}
	}
	remount(syscall.MS_RDONLY)
	if out := strings.ToLower(refused(t, s.Dir)); !strings.Contains(out, "read-only") && !strings.Contains(out, "writ") {
		t.Errorf("it says: %s", out)
	}
	remount(0)
	StartAt(t, s.Dir).expect(http.StatusOK, http.MethodGet, "/v1/buckets/kept", nil)
}

// With too few file descriptors for what is asked of it the server makes people
// wait, and is as before once they have gone.
func TestFewFileDescriptors(t *testing.T) {
	wrapper := filepath.Join(t.TempDir(), "mooring")
	if err := os.WriteFile(wrapper, []byte("#!/bin/sh\nulimit -n 64\nexec '"+mooring+"' \"$@\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	p, err := binary.Start(wrapper, filepath.Join(t.TempDir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Stop() })
	api := binary.API{URL: p.URL, Key: must(p.AdminKey())(t)}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := api.Bucket(ctx, "before"); err != nil {
		t.Fatal(err)
	}
	var idle []net.Conn
	for range 200 {
		c, err := net.DialTimeout("tcp", strings.TrimPrefix(p.URL, "http://"), time.Second)
		if err != nil {
			break
		}
		idle = append(idle, c)
	}
	if len(idle) < 64 {
		t.Fatalf("only %d connections could be made", len(idle))
	}
	starved, end := context.WithTimeout(ctx, 2*time.Second)
	_, _ = api.Bucket(starved, "meanwhile") // may wait, may be answered
	end()
	for _, c := range idle {
		_ = c.Close()
	}
	http.DefaultClient.CloseIdleConnections() // one that was there before needs no descriptor
	if err := binary.Until(ctx, "it answers again", func() (bool, error) {
		short, end := context.WithTimeout(ctx, 5*time.Second)
		defer end()
		got, err := api.Do(short, http.MethodPost, "/v1/buckets", object{"bucket_name": "after"})
		return err == nil && (got.Status == http.StatusOK || got.Status == http.StatusConflict), nil
	}); err != nil {
		t.Fatalf("%v\n%s", err, p.Log.String())
	}
	if err := p.Stop(); err != nil {
		t.Errorf("it ended badly: %v\n%s", err, p.Log.String())
	}
}

// A server that is asked to end ends, at any moment, and the next one goes on
// where it was: with every object once.
func TestTermAtAnyMoment(t *testing.T) {
	from := newStorage(t, s3.Options{LogSize: 1})
	const objects = 120
	for i := range objects {
		from.put("d/"+strconv.Itoa(i)+".txt", "content "+strconv.Itoa(i))
	}
	slow := from.Inject(s3.Fault{Match: s3.On(s3.GetObject), Action: s3.Delay(10 * time.Millisecond)})
	s := Start(t)
	j := s.connect(from, sourceBucket, nil)
	for round := range 6 {
		at := from.Count(s3.GetObject) + round
		if err := binary.Until(s.ctx, "more was read", func() (bool, error) {
			runs, err := j.Runs(s.ctx, j.bucket, j.sync)
			return len(runs) > 0 && runs[len(runs)-1]["pass_ended"] == true || from.Count(s3.GetObject) >= at, err
		}); err != nil {
			t.Fatal(err)
		}
		s.stop() // fails unless it ends in time and with code 0
		s = StartAt(t, s.Dir)
		j.server = s
		// Now, since the first success has them forgotten.
		c := s.expect(http.StatusOK, http.MethodGet, "/v1/organizations/connections/"+j.connection, nil)
		if binary.Int(c, "consecutive_failures") != 0 || binary.Text(c, "status") != "ACTIVE" {
			t.Errorf("a stop was taken for a failure: %v", c)
		}
	}
	slow.Remove()
	j.pass()
	if got := j.paths(); len(got) != objects {
		t.Errorf("%d of %d objects are there", len(got), objects)
	}
	j.want(j.again(), map[string]int64{"discovered": objects, "unchanged": objects})
	for _, run := range must(j.Runs(j.server.ctx, j.bucket, j.sync))(t) {
		if strings.Contains(binary.Text(run, "reason"), "killed") {
			t.Errorf("a run was not given the time to end: %v", run)
		}
	}
}
