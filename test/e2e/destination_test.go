package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring/emulator/s3"
	"mooring/test/binary"
)

const (
	vault      = "vault"
	vaultKey   = "AKIADESTINATION00000"
	vaultToken = "destination~canary~secret" // of the destination's access key
)

// newVault is a second storage, with a neighbour's objects, and the settings
// that make it the destination "archive".
func newVault(t *testing.T) (to *s3.Server, config string) {
	t.Helper()
	to = must(s3.Start(s3.Options{Keys: []s3.AccessKey{{ID: vaultKey, Secret: vaultToken}}}))(t)
	t.Cleanup(func() { _ = to.Close() })
	if err := to.CreateBucket(vault); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	secret, config := filepath.Join(dir, "secret"), filepath.Join(dir, "mooring.toml")
	text := fmt.Sprintf("[destinations.archive]\nkind = 's3'\nendpoint = '%s'\nregion = 'us-east-1'\nbucket = '%s'\nprefix = 'mooring/content'\naccess_key_id = '%s'\nsecret_access_key_file = '%s'\n",
		to.URL(), vault, vaultKey, secret)
	for name, content := range map[string]string{secret: vaultToken + "\n", config: text} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to, config
}

// A bucket in an S3 destination: the server is killed while it syncs, a damaged
// object is found and healed, and with the bucket everything goes that is its.
func TestS3Destination(t *testing.T) {
	const objects, large = 240, 20 << 20
	from := newStorage(t, s3.Options{LogSize: 1})
	want := map[string]string{"large.bin": strings.Repeat("0123456789abcdef", large/16)}
	for i := range objects {
		want[fmt.Sprintf("%c/a b+c/%03d.txt", 'a'+i%5, i)] = fmt.Sprintf("content of %d", i)
	}
	for key, content := range want {
		from.put(key, content)
	}
	slow := from.Inject(s3.Fault{Match: s3.On(s3.GetObject), Action: s3.Delay(10 * time.Millisecond)})
	to, config := newVault(t)
	s := Start(t, "--config", config)

	refused := s.expect(http.StatusUnprocessableEntity, http.MethodPost, "/v1/buckets", object{"bucket_name": "lost", "destination": "nowhere"})
	if text := fmt.Sprint(refused); !strings.Contains(text, "archive, default") || strings.Contains(text, vaultToken) {
		t.Errorf("an unknown destination: %s", text)
	}
	bucket := s.expect(http.StatusOK, http.MethodPost, "/v1/buckets", object{"bucket_name": "kept", "destination": "archive"})
	j := &job{server: s, bucket: binary.Text(bucket, "bucket_id")}
	root := "mooring/content/" + binary.Text(bucket, "internal_id") + "/" + j.bucket + "/"
	neighbours := []string{"f", "mooring/content", "mooring/content/f", strings.TrimSuffix(root, "/") + "x/f", "other/" + root + "f"}
	for _, key := range neighbours {
		if err := to.Put(vault, key, []byte("a neighbour's"), s3.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	j.connection = must(s.Connect(s.ctx, "storage", from.S3))(t)
	j.sync = must(s.Sync(s.ctx, j.bucket, j.connection, sourceBucket, nil))(t)
	for _, at := range []int{20, 90, 170} {
		err := binary.Until(s.ctx, "more objects were placed", func() (bool, error) { return to.Count(s3.CopyObject) >= at, nil })
		if err != nil {
			t.Fatal(err)
		}
		s.kill()
		s = StartAt(t, s.Dir, "--config", config)
		j.server = s
	}
	slow.Remove()
	j.pass()
	placed := func() (names []string) {
		for _, key := range must(to.Keys(vault))(t) {
			if name, ok := strings.CutPrefix(key, root); ok {
				names = append(names, name)
			}
		}
		return names
	}
	for _, name := range placed() {
		if _, ok := want[name]; !ok {
			t.Errorf("%q is left in the destination", name)
		}
	}
	if got := j.paths(); len(got) != len(want) || len(placed()) != len(want) {
		t.Errorf("%d objects in the catalogue and %d in the destination, want %d", len(got), len(placed()), len(want))
	}
	for _, path := range []string{"large.bin", "a/a b+c/000.txt"} {
		if got := j.content(path); got != want[path] {
			t.Errorf("%s holds %d bytes: %.40q", path, len(got), got)
		}
	}
	j.want(j.again(), map[string]int64{"discovered": objects + 1, "unchanged": objects + 1})

	// The same size, other bytes: only reading it tells.
	if err := to.Put(vault, root+"b/a b+c/001.txt", []byte("CONTENT OF 1"), s3.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if r := s.cli("", "sync", "verify", j.bucket, j.sync, "--repair"); r.Code != 0 {
		t.Fatalf("verify: %+v", r)
	}
	err := binary.Until(s.ctx, "the damaged object is healed", func() (bool, error) {
		return j.content("b/a b+c/001.txt") == "content of 1", nil
	})
	if err != nil {
		t.Fatal(err)
	}

	s.expect(http.StatusOK, http.MethodDelete, binary.Path("buckets", j.bucket), nil)
	err = binary.Until(s.ctx, "the bucket's objects are gone", func() (bool, error) { return len(placed()) == 0, nil })
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(neighbours)
	if got := must(to.Keys(vault))(t); !slices.Equal(got, neighbours) {
		t.Errorf("left in the destination: %q", got)
	}
}

// A destination that the settings no longer hold is missed with a clear error
// by whoever needs it, and nobody else.
func TestDestinationRemovedFromTheSettings(t *testing.T) {
	from := newStorage(t, s3.Options{})
	from.put("f.txt", "content")
	to, config := newVault(t)
	s := Start(t, "--config", config)
	bucket := s.expect(http.StatusOK, http.MethodPost, "/v1/buckets", object{"bucket_name": "kept", "destination": "archive"})
	j := &job{server: s, bucket: binary.Text(bucket, "bucket_id")}
	j.connection = must(s.Connect(s.ctx, "storage", from.S3))(t)
	j.sync = must(s.Sync(s.ctx, j.bucket, j.connection, sourceBucket, nil))(t)
	j.pass()
	before := must(to.Keys(vault))(t)
	s.stop()

	s = StartAt(t, s.Dir)
	j.server = s
	id := binary.Text(j.object("f.txt"), "object_id")
	out := s.expect(http.StatusConflict, http.MethodGet, binary.Path("buckets", j.bucket, "objects", id, "content"), nil)
	if !strings.Contains(fmt.Sprint(out), "archive") {
		t.Errorf("the content of its objects: %v", out)
	}
	other := must(s.Bucket(s.ctx, "elsewhere"))(t)
	k := &job{server: s, bucket: other}
	k.sync = must(s.Sync(s.ctx, other, j.connection, sourceBucket, nil))(t)
	k.pass()
	if got := k.content("f.txt"); got != "content" {
		t.Errorf("a bucket in another destination holds %q", got)
	}
	s.stop()

	s = StartAt(t, s.Dir, "--config", config)
	j.server = s
	if got := j.content("f.txt"); got != "content" {
		t.Errorf("once it is defined again: %q", got)
	}
	if after := must(to.Keys(vault))(t); !slices.Equal(before, after) {
		t.Errorf("it held %q, and now %q", before, after)
	}
}
