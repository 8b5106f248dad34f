//go:build interop

package interop

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring/test/binary"
	"mooring/test/interop/s3server"
)

var mooring string

func TestMain(m *testing.M) { os.Exit(binary.Main(m, &mooring)) }

const (
	bucketName = "harbour"
	patience   = 10 * time.Minute
	readObject = "s3_GetObject"
	// Two pages of 500 in each of four shards may be under way in a run.
	underWay = 4 * 2 * 500
)

// world is a server of ours that syncs from one that is not.
type world struct {
	t   *testing.T
	ctx context.Context
	s3  *s3server.Server
	srv *binary.Server
	binary.API
	bucket, sync string
	number       int64
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	w := &world{t: t, ctx: ctx, s3: s3server.Start(t, os.Getenv(s3server.Env))}
	w.start(filepath.Join(t.TempDir(), "data"))
	return w
}

func (w *world) start(dir string) {
	w.t.Helper()
	var err error
	if w.srv, err = binary.Start(mooring, dir, "--log-level", "info"); err != nil {
		w.t.Fatal(err)
	}
	srv := w.srv
	w.t.Cleanup(func() {
		if err := srv.Stop(); err != nil && srv.State().ExitCode() > 0 {
			w.t.Errorf("the server ended badly: %v", err)
		}
		if w.t.Failed() {
			log := srv.Log.String()
			w.t.Logf("the end of the server's log:\n%s", log[max(0, len(log)-8000):])
		}
	})
	key, err := srv.AdminKey()
	if err != nil {
		w.t.Fatal(err)
	}
	w.API = binary.API{URL: srv.URL, Key: key}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) config() binary.S3 {
	return binary.S3{Endpoint: w.s3.URL, Region: w.s3.Region, KeyID: w.s3.AccessKey, Secret: w.s3.SecretKey}
}

// begin makes connection, bucket and sync; its first run starts at once.
func (w *world) begin() {
	w.t.Helper()
	conn, err := w.Connect(w.ctx, "versitygw", w.config())
	w.must(err)
	w.bucket, err = w.Bucket(w.ctx, "copy")
	w.must(err)
	w.sync, err = w.Sync(w.ctx, w.bucket, conn, bucketName, binary.Object{"delete_policy": "delete", "max_delete_percent": 50})
	w.must(err)
}

func (w *world) pass() map[string]int64 {
	w.t.Helper()
	run, err := w.WaitPass(w.ctx, w.bucket, w.sync, w.number)
	w.must(err)
	w.number = binary.Int(run, "number")
	if !binary.Balanced(run) {
		w.t.Errorf("run %d does not balance: %v", w.number, binary.Ledger(run))
	}
	w.t.Logf("run %d: %v in %v s", w.number, binary.Ledger(run), run["duration_seconds"])
	return binary.Ledger(run)
}

func (w *world) again() map[string]int64 {
	w.t.Helper()
	w.must(w.Trigger(w.ctx, w.bucket, w.sync))
	return w.pass()
}

func (w *world) reads() int {
	w.t.Helper()
	n, err := w.s3.Requests(readObject)
	w.must(err)
	return n
}

// compare holds the catalogue and the files on disk against the source: every
// name, size and hash, each once and nothing else.
func (w *world) compare(source map[string]file) {
	w.t.Helper()
	objects, err := w.Objects(w.ctx, w.bucket)
	w.must(err)
	met := map[string]bool{}
	wrong := 0
	complain := func(format string, args ...any) {
		w.t.Helper()
		if wrong++; wrong <= 20 {
			w.t.Errorf(format, args...)
		}
	}
	for _, o := range objects {
		path := binary.Text(o, "source_path")
		want, known := source[path]
		if !known || met[path] {
			complain("the catalogue has %q: known %v, met before %v", path, known, met[path])
		} else if binary.Int(o, "size_bytes") != want.size || binary.Text(o, "content_hash") != "sha256:"+want.hash {
			complain("%q is %v bytes, %v in the catalogue; %v at the source", path, o["size_bytes"], o["content_hash"], want)
		}
		met[path] = true
	}
	if len(objects) != len(source) {
		complain("the catalogue has %d objects, the source %d", len(objects), len(source))
	}
	disk := w.onDisk()
	for key, want := range source {
		if !plain.MatchString(key) {
			continue
		}
		if got, ok := disk[key]; !ok || got != want {
			complain("on disk %q is %v (there: %v), want %v", key, got, ok, want)
		}
	}
	byContent := func(files map[string]file) (all []string) {
		for _, f := range files {
			all = append(all, fmt.Sprint(f))
		}
		slices.Sort(all)
		return all
	}
	if !slices.Equal(byContent(disk), byContent(source)) {
		complain("the files on disk (%d) do not hold what the source (%d) does", len(disk), len(source))
	}
}

// plain are keys that stand on disk under their own name.
var plain = regexp.MustCompile(`^[a-z0-9_][a-z0-9._-]*(/[a-z0-9_][a-z0-9._-]*)*[a-z0-9_]$`)

// onDisk hashes the destination's files, by their path in the bucket's folder.
func (w *world) onDisk() map[string]file {
	w.t.Helper()
	bucket, err := w.Want(w.ctx, http.MethodGet, binary.Path("buckets", w.bucket), nil)
	w.must(err)
	root := filepath.Join(w.srv.Dir, "buckets", binary.Text(bucket, "internal_id"), w.bucket)
	all := map[string]file{}
	w.must(filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		in, err := os.Open(path)
		if err != nil {
			return err
		}
		defer in.Close()
		h := sha256.New()
		n, err := io.Copy(h, in)
		rel, _ := filepath.Rel(root, path)
		all[filepath.ToSlash(rel)] = file{n, hex.EncodeToString(h.Sum(nil))}
		return err
	}))
	return all
}

// A real tree arrives whole although the server is killed on the way, a second
// run reads nothing, and a third follows exactly what has changed.
func TestRealTreeArrivesWhole(t *testing.T) {
	w := newWorld(t)
	source := upload(t, w.s3, bucketName, realTree(t))
	w.begin()
	kills := 0
	for _, share := range []int{10, 3, 2} {
		at := len(source) / share
		w.must(binary.Until(w.ctx, "enough contents were read", func() (bool, error) {
			return w.reads() >= at, nil
		}))
		w.must(w.srv.Kill())
		kills++
		w.start(w.srv.Dir)
	}
	w.pass()
	w.compare(source)
	w.once(len(source))
	n := w.reads()
	t.Logf("%d contents were read %d times over %d kills", len(source), n, kills)
	if n > len(source)+kills*underWay {
		t.Errorf("%d contents were read %d times after %d kills", len(source), n, kills)
	}

	if l := w.again(); l["unchanged"] != int64(len(source)) || l["synced"]+l["duplicate"]+l["failed"]+l["skipped"]+l["deleted"] != 0 {
		t.Errorf("second run: %v", l)
	}
	if more := w.reads() - n; more != 0 {
		t.Errorf("the second run read %d contents", more)
	}
	w.change(source, n)
}

// once checks that the runs together have synced each object once.
func (w *world) once(objects int) {
	w.t.Helper()
	runs, err := w.Runs(w.ctx, w.bucket, w.sync)
	w.must(err)
	var got int64
	for _, r := range runs {
		got += binary.Ledger(r)["synced"] + binary.Ledger(r)["duplicate"]
		if !binary.Balanced(r) || r["status"] == "IN_PROGRESS" {
			w.t.Errorf("run %d: %v %v", binary.Int(r, "number"), r["status"], r["ledger"])
		}
	}
	if got != int64(objects) {
		w.t.Errorf("%d runs synced %d objects, want %d", len(runs), got, objects)
	}
}

// change rewrites one object with as many bytes, deletes one and adds two.
func (w *world) change(source map[string]file, before int) {
	w.t.Helper()
	keys := slices.Sorted(maps.Keys(source))
	changed, deleted := keys[len(keys)/3], keys[len(keys)/2]
	same := strings.Repeat("x", int(source[changed].size))
	source[changed] = put(w.t, w.s3, bucketName, changed, same)
	remove(w.t, w.s3, bucketName, deleted)
	delete(source, deleted)
	for _, key := range []string{"added/one.txt", "added/with space & 100%+ü.txt"} {
		source[key] = put(w.t, w.s3, bucketName, key, "content of "+key)
	}
	l := w.again()
	if l["synced"]+l["duplicate"] != 3 || l["unchanged"] != int64(len(source)-3) || l["deleted"] != 1 || l["failed"]+l["skipped"] != 0 {
		w.t.Errorf("third run: %v", l)
	}
	if more := w.reads() - before; more != 3 {
		w.t.Errorf("the third run read %d contents, want 3", more)
	}
	w.compare(source)
}

func TestWrongSecretIsRefusedAndNothingSaved(t *testing.T) {
	w := newWorld(t)
	wrong := w.config()
	wrong.Secret = strings.Repeat("wrong", 9)
	unknown := w.config()
	unknown.KeyID = "AKIANOBODYKNOWSTHIS0"
	for name, c := range map[string]struct {
		config binary.S3
		says   string
	}{
		"wrong secret":     {wrong, "secret_access_key"},
		"unknown key":      {unknown, "access_key_id"},
		"nobody listening": {binary.S3{Endpoint: "http://127.0.0.1:1", Region: "us-east-1", KeyID: w.s3.AccessKey, Secret: w.s3.SecretKey}, "127.0.0.1:1"},
	} {
		out, err := w.Do(w.ctx, http.MethodPost, "/v1/organizations/connections", binary.Object{"name": name, "provider_type": "s3", "provider_config": c.config.Config()})
		w.must(err)
		if out.Status != http.StatusBadRequest || !strings.Contains(string(out.Raw), c.says) {
			t.Errorf("%s: %d, want 400 and a message that names %s: %s", name, out.Status, c.says, out.Raw)
		}
		if strings.Contains(string(out.Raw), c.config.Secret) {
			t.Errorf("%s: the answer holds the secret", name)
		}
	}
	list, err := w.List(w.ctx, http.MethodPost, "/v1/organizations/connections/list", nil)
	w.must(err)
	if len(list) != 0 {
		t.Errorf("refused connections were saved: %v", list)
	}
	if _, err := w.Connect(w.ctx, "right", w.config()); err != nil {
		t.Errorf("the right credentials: %v", err)
	}
}
