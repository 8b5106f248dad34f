package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"mooring/emulator/s3"
	"mooring/test/binary"
)

var (
	fingerprint = regexp.MustCompile(`\b[0-9a-f]{8,64}\b`)
	keyFile     = regexp.MustCompile(`/\S+\.key`)
)

// defaultOrg is the id of the organization of a server's admin key, as an
// answer tells it.
func defaultOrg(t *testing.T, s *server) string {
	t.Helper()
	out := must(s.List(s.ctx, http.MethodPost, "/v1/buckets/list", object{}))(t)
	if len(out) > 0 {
		return binary.Text(out[0], "internal_id")
	}
	return binary.Text(s.expect(http.StatusOK, http.MethodPost, "/v1/buckets", object{"bucket_name": "probe", "bucket_schema": object{"properties": object{}}}), "internal_id")
}

// files are the destination's files by their path below it.
func files(t *testing.T, s *server) map[string]string {
	t.Helper()
	root := filepath.Join(s.Dir, "buckets")
	all := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		rel, _ := filepath.Rel(root, path)
		all[rel] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// file is the one file that has a content.
func file(t *testing.T, s *server, content string) string {
	t.Helper()
	found := ""
	for path, c := range files(t, s) {
		if c == content {
			if found != "" {
				t.Fatalf("two files have the content %q", content)
			}
			found = filepath.Join(s.Dir, "buckets", path)
		}
	}
	if found == "" {
		t.Fatalf("no file has the content %q", content)
	}
	return found
}

func TestMainJobOverHTTP(t *testing.T) {
	from := newStorage(t, s3.Options{})
	from.put("a.txt", "first")
	from.put("raw/b c.txt", "second")
	from.put("raw/ü/100%.txt", "third")
	from.put("raw/copy.txt", "third")
	from.put("skip.tmp", "not wanted")
	s := Start(t)

	created := s.expect(http.StatusOK, http.MethodPost, "/v1/organizations/connections", object{"name": "probe", "provider_type": "s3", "provider_config": from.Config()})
	if created["status"] != "ACTIVE" || strings.Contains(string(must(s.Do(s.ctx, http.MethodGet, "/v1/organizations/connections/probe", nil))(t).Raw), from.Secret) {
		t.Errorf("created: %v", created)
	}
	tested := s.expect(http.StatusOK, http.MethodPost, "/v1/organizations/connections/probe/test", nil)
	if tested["success"] != true {
		t.Errorf("test: %v", tested)
	}
	j := s.connect(from, sourceBucket, object{"file_filters": object{"exclude_patterns": []string{"*.tmp"}}, "delete_policy": "delete", "max_delete_percent": 100})
	j.want(j.pass(), map[string]int64{"discovered": 5, "synced": 3, "duplicate": 1, "filtered": 1})
	if got, want := strings.Join(j.paths(), "|"), "a.txt|raw/b c.txt|raw/copy.txt|raw/ü/100%.txt"; got != want {
		t.Errorf("objects %s, want %s", got, want)
	}
	for path, want := range map[string]string{"a.txt": "first", "raw/b c.txt": "second", "raw/ü/100%.txt": "third", "raw/copy.txt": "third"} {
		if got := j.content(path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}

	from.ResetRequests()
	j.want(j.again(), map[string]int64{"discovered": 5, "unchanged": 4, "filtered": 1})
	if n := from.Count(s3.GetObject); n != 0 {
		t.Errorf("a run without news read %d contents", n)
	}
	from.put("a.txt", "first, changed")
	from.put("new.txt", "fourth")
	if err := from.Delete(sourceBucket, "raw/b c.txt"); err != nil {
		t.Fatal(err)
	}
	j.want(j.again(), map[string]int64{"discovered": 5, "synced": 2, "unchanged": 2, "filtered": 1, "deleted": 1})
	if got, want := strings.Join(j.paths(), "|"), "a.txt|new.txt|raw/copy.txt|raw/ü/100%.txt"; got != want {
		t.Errorf("objects %s, want %s", got, want)
	}
	if got := j.content("a.txt"); got != "first, changed" {
		t.Errorf("a.txt is %q", got)
	}
	if got := len(files(t, s)); got != 4 {
		t.Errorf("%d files, want 4: %v", got, files(t, s))
	}
}

func TestVerifyRepairsDamage(t *testing.T) {
	from := newStorage(t, s3.Options{})
	for _, name := range []string{"whole", "damaged", "shortened", "missing"} {
		from.put(name, "the content of "+name)
	}
	s := Start(t)
	j := s.connect(from, sourceBucket, nil)
	j.want(j.pass(), map[string]int64{"discovered": 4, "synced": 4})
	damaged, shortened := file(t, s, "the content of damaged"), file(t, s, "the content of shortened")
	before := must(os.Stat(damaged))(t)
	if err := os.WriteFile(damaged, []byte("THE content of damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(damaged, time.Time{}, before.ModTime()); err != nil { // only its bytes tell
		t.Fatal(err)
	}
	if err := os.Truncate(shortened, 3); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(file(t, s, "the content of missing")); err != nil {
		t.Fatal(err)
	}

	const conflict = 6 // the run is still being closed
	err := binary.Until(s.ctx, "a verification is taken", func() (bool, error) {
		r := s.cli("", "sync", "verify", j.bucket, j.sync, "--repair")
		if r.Code != 0 && r.Code != conflict {
			t.Fatalf("verify: %+v", r)
		}
		return r.Code == 0, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = binary.Until(s.ctx, "what was damaged is whole", func() (bool, error) {
		whole := 0
		for _, c := range files(t, s) {
			if strings.HasPrefix(c, "the content of ") {
				whole++
			}
		}
		return whole == 4, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"whole", "damaged", "shortened", "missing"} {
		if got := j.content(name); got != "the content of "+name {
			t.Errorf("%s is %q", name, got)
		}
	}
}

func TestDeadLettersAreRetried(t *testing.T) {
	from := newStorage(t, s3.Options{})
	from.put("good", "good content")
	from.put("bad", "bad content")
	fault := from.Inject(s3.Fault{Match: s3.Match{Operations: []s3.Operation{s3.GetObject}, Key: "bad"}, Action: s3.CorruptByte(2)})
	if err := from.Put(sourceBucket, "bad", []byte("bad content"), s3.PutOptions{Checksum: s3.SHA256}); err != nil {
		t.Fatal(err)
	}
	s := Start(t)
	j := s.connect(from, sourceBucket, nil)
	j.want(j.pass(), map[string]int64{"discovered": 2, "synced": 1, "failed": 1})
	letters := must(s.List(s.ctx, http.MethodGet, binary.Path("buckets", j.bucket, "syncs", j.sync, "dead-letters"), nil))(t)
	if len(letters) != 1 || letters[0]["source_path"] != "bad" || letters[0]["kind"] != "corrupt" {
		t.Fatalf("dead letters: %v", letters)
	}
	from.ResetRequests()
	j.want(j.again(), map[string]int64{"discovered": 2, "unchanged": 1, "skipped": 1})
	if n := from.Count(s3.GetObject); n != 0 {
		t.Errorf("a dead letter was read %d times without being asked for", n)
	}
	fault.Remove()
	if r := s.cli("", "sync", "dead-letters", "retry", j.bucket, j.sync); r.Code != 0 {
		t.Fatalf("retry: %+v", r)
	}
	err := binary.Until(s.ctx, "the dead letter has arrived", func() (bool, error) { return len(j.paths()) == 2, nil })
	if err != nil {
		t.Fatal(err)
	}
	if got := j.content("bad"); got != "bad content" {
		t.Errorf("bad is %q", got)
	}
	if letters = must(s.List(s.ctx, http.MethodGet, binary.Path("buckets", j.bucket, "syncs", j.sync, "dead-letters"), nil))(t); len(letters) != 0 {
		t.Errorf("dead letters after the retry: %v", letters)
	}
}

func TestPauseResumeArchive(t *testing.T) {
	from := newStorage(t, s3.Options{})
	from.put("a", "1")
	s := Start(t)
	j := s.connect(from, sourceBucket, nil)
	j.pass()
	path := func(op string) string { return binary.Path("buckets", j.bucket, "syncs", j.sync, op) }
	if got := s.expect(http.StatusOK, http.MethodPost, path("pause"), nil); got["status"] != "SUSPENDED" || got["is_active"] != false {
		t.Errorf("paused: %v", got)
	}
	from.put("b", "2")
	s.expect(http.StatusConflict, http.MethodPost, path("trigger"), nil)
	if got := s.expect(http.StatusOK, http.MethodPost, path("resume"), nil); got["status"] != "ACTIVE" {
		t.Errorf("resumed: %v", got)
	}
	j.want(j.pass(), map[string]int64{"discovered": 2, "synced": 1, "unchanged": 1})

	one := "/v1/organizations/connections/" + j.connection
	if got := s.expect(http.StatusOK, http.MethodDelete, one, nil); got["status"] != "ARCHIVED" {
		t.Errorf("archived: %v", got)
	}
	got := s.expect(http.StatusOK, http.MethodGet, one, nil)
	if got["status"] != "ARCHIVED" || got["is_active"] != false || got["credentials_destroyed"] != true {
		t.Errorf("archived: %v", got)
	}
	from.ResetRequests()
	s.expect(http.StatusConflict, http.MethodPost, one+"/test", nil)
	s.expect(http.StatusConflict, http.MethodPatch, one, object{"status": "ACTIVE"})
	if n := from.Count(); n != 0 {
		t.Errorf("an archived connection was contacted %d times", n)
	}
	if got := j.content("b"); got != "2" { // what it brought stays
		t.Errorf("b is %q", got)
	}
}
