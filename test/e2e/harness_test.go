package e2e

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"mooring/emulator/s3"
	"mooring/test/binary"
)

type object = binary.Object

// mooring is the binary that all tests run.
var mooring string

func TestMain(m *testing.M) { os.Exit(binary.Main(m, &mooring)) }

// patience bounds what a test waits for in all.
const patience = 2 * time.Minute

// server is a running server and a client of its API with the admin key.
type server struct {
	*binary.Server
	binary.API
	t   *testing.T
	ctx context.Context
}

// Start runs the server on a new data directory.
func Start(t *testing.T, args ...string) *server {
	t.Helper()
	return StartAt(t, filepath.Join(t.TempDir(), "data"), args...)
}

// StartAt runs the server on a data directory. It is stopped with the test, and
// its log is shown if the test has failed.
func StartAt(t *testing.T, dir string, args ...string) *server {
	t.Helper()
	p, err := binary.Start(mooring, dir, args...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(func() {
		cancel()
		if err := p.Stop(); err != nil && p.State().ExitCode() > 0 {
			t.Errorf("the server ended badly: %v", err)
		}
		if t.Failed() {
			t.Logf("log of %s:\n%s", filepath.Base(p.Dir), p.Log.String())
		}
	})
	key, err := p.AdminKey()
	if err != nil {
		t.Fatal(err)
	}
	return &server{Server: p, API: binary.API{URL: p.URL, Key: key}, t: t, ctx: ctx}
}

func (s *server) stop() {
	s.t.Helper()
	if err := s.Stop(); err != nil {
		s.t.Fatalf("stop: %v", err)
	}
}

func (s *server) kill() {
	s.t.Helper()
	if err := s.Kill(); err != nil {
		s.t.Fatal(err)
	}
}

// must takes the result of a call and ends the test on its error.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// expect sends a request that must be answered with a status.
func (s *server) expect(status int, method, path string, body any) object {
	s.t.Helper()
	out, err := s.Do(s.ctx, method, path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	if out.Status != status {
		s.t.Fatalf("%s %s: %d, want %d: %s", method, path, out.Status, status, out.Raw)
	}
	return out.Object
}

// as is the same server with another key.
func (s *server) as(key string) *server {
	other := *s
	other.Key = key
	return &other
}

// cli runs a command as a user of this server's machine.
func (s *server) cli(stdin string, args ...string) binary.Result {
	s.t.Helper()
	env := append(binary.Env(filepath.Dir(s.Dir)), "MOORING_DATA_DIR="+s.Dir, "MOORING_URL="+s.Server.URL)
	r, err := binary.Run(s.ctx, mooring, env, stdin, args...)
	if err != nil {
		s.t.Fatalf("mooring %v: %v", args, err)
	}
	return r
}

// storage is an S3 emulator and how to connect to it.
type storage struct {
	*s3.Server
	binary.S3
	t *testing.T
}

const sourceBucket = "harbour"

func newStorage(t *testing.T, o s3.Options) *storage {
	t.Helper()
	server := must(s3.Start(o))(t)
	t.Cleanup(func() { _ = server.Close() })
	s := &storage{Server: server, t: t, S3: binary.S3{
		Endpoint: server.URL(), Region: "us-east-1", KeyID: s3.DefaultAccessKeyID, Secret: s3.DefaultSecretAccessKey,
	}}
	if len(o.Keys) > 0 {
		k := o.Keys[0]
		s.KeyID, s.Secret, s.SessionToken = k.ID, k.Secret, k.SessionToken
	}
	if err := server.CreateBucket(sourceBucket); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *storage) put(key, content string) {
	s.t.Helper()
	if err := s.Put(sourceBucket, key, []byte(content), s3.PutOptions{}); err != nil {
		s.t.Fatal(err)
	}
}

// job is a connection, a bucket and a sync.
type job struct {
	*server
	connection, bucket, sync string
	number                   int64 // of the last run waited for
}

// connect makes a job of a storage: its first run begins at once.
func (s *server) connect(from *storage, path string, more object) *job {
	s.t.Helper()
	j := &job{server: s}
	j.connection = must(s.Connect(s.ctx, "storage", from.S3))(s.t)
	j.bucket = must(s.Bucket(s.ctx, "media"))(s.t)
	j.sync = must(s.Sync(s.ctx, j.bucket, j.connection, path, more))(s.t)
	return j
}

// pass waits for the end of the next pass and returns its last run's ledger.
func (j *job) pass() map[string]int64 {
	j.t.Helper()
	run := must(j.WaitPass(j.ctx, j.bucket, j.sync, j.number))(j.t)
	j.number = binary.Int(run, "number")
	if !binary.Balanced(run) {
		j.t.Errorf("run %d does not balance: %v", j.number, binary.Ledger(run))
	}
	return binary.Ledger(run)
}

// again triggers a run and waits for its pass.
func (j *job) again() map[string]int64 {
	j.t.Helper()
	if err := j.Trigger(j.ctx, j.bucket, j.sync); err != nil {
		j.t.Fatal(err)
	}
	return j.pass()
}

// want compares the outcomes of a ledger; those not named must be zero.
func (j *job) want(got, want map[string]int64) {
	j.t.Helper()
	for _, name := range []string{"discovered", "synced", "unchanged", "filtered", "duplicate", "skipped", "failed", "deleted"} {
		if got[name] != want[name] {
			j.t.Errorf("ledger %v, want %v", got, want)
			return
		}
	}
}

// paths are the source paths of what the bucket holds, in order.
func (j *job) paths() (all []string) {
	j.t.Helper()
	for _, o := range must(j.Objects(j.ctx, j.bucket))(j.t) {
		all = append(all, binary.Text(o, "source_path"))
	}
	slices.Sort(all)
	return all
}

// object finds an object by its source path.
func (j *job) object(path string) object {
	j.t.Helper()
	for _, o := range must(j.Objects(j.ctx, j.bucket))(j.t) {
		if binary.Text(o, "source_path") == path {
			return o
		}
	}
	j.t.Fatalf("the bucket has no %q", path)
	return nil
}

// content downloads an object.
func (j *job) content(path string) string {
	j.t.Helper()
	id := binary.Text(j.object(path), "object_id")
	out := must(j.Do(j.ctx, http.MethodGet, binary.Path("buckets", j.bucket, "objects", id, "content"), nil))(j.t)
	if out.Status != http.StatusOK {
		j.t.Fatalf("content of %q: %d %s", path, out.Status, out.Raw)
	}
	return string(out.Raw)
}

// seen gathers answers.
type seen struct {
	mu  sync.Mutex
	all []byte
}

func (s *seen) add(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, b...)
}
