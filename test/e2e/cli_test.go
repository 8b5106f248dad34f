package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"mooring/emulator/s3"
	"mooring/test/binary"
)

// config is the provider_config as a user would pipe it in.
func (s *storage) config() string {
	raw, err := json.Marshal(s.Config())
	if err != nil {
		s.t.Fatal(err)
	}
	return string(raw)
}

// answer runs a command with --json that must succeed.
func (s *server) answer(stdin string, args ...string) object {
	s.t.Helper()
	r := s.cli(stdin, append(args, "--json")...)
	if r.Code != 0 {
		s.t.Fatalf("mooring %v: %+v", args, r)
	}
	out := object{}
	dec := json.NewDecoder(strings.NewReader(r.Stdout))
	dec.UseNumber()
	if err := dec.Decode(&out); err != nil {
		s.t.Fatalf("mooring %v: %v: %s", args, err, r.Stdout)
	}
	return out
}

func TestMainJobOnTheCommandLine(t *testing.T) {
	from := newStorage(t, s3.Options{})
	from.put("raw/a.txt", "first")
	from.put("raw/deep/b.txt", "second")
	from.put("other/c.txt", "third")
	s := Start(t)

	created := s.answer(from.config(), "connection", "create", "archive", "--provider", "s3")
	if created["status"] != "ACTIVE" {
		t.Errorf("created: %v", created)
	}
	if r := s.cli("", "connection", "test", "archive"); r.Code != 0 {
		t.Errorf("test: %+v", r)
	}
	if r := s.cli("", "connection", "browse", "archive", "/"+sourceBucket+"/raw"); r.Code != 0 || !strings.Contains(r.Stdout, "a.txt") || !strings.Contains(r.Stdout, "deep") {
		t.Errorf("browse: %+v", r)
	}
	bucket := binary.Text(s.answer("", "bucket", "create", "media"), "bucket_id")
	sync := binary.Text(s.answer("", "sync", "create", bucket, "--connection", binary.Text(created, "connection_id"), "--path", sourceBucket+"/raw"), "sync_config_id")
	j := &job{server: s, bucket: bucket, sync: sync}
	j.want(j.pass(), map[string]int64{"discovered": 2, "synced": 2})

	from.put("raw/new.txt", "fourth")
	trigger := s.cli("", "sync", "trigger", bucket, sync, "--wait")
	if trigger.Code != 0 || !regexp.MustCompile(`synced\s+1\b`).MatchString(trigger.Stdout) {
		t.Errorf("trigger --wait: %+v", trigger)
	}
	watched := s.cli("", "run", "watch", bucket, sync)
	if watched.Code != 0 || !regexp.MustCompile(`discovered\s+3\b`).MatchString(watched.Stdout) {
		t.Errorf("run watch: %+v", watched)
	}
	if r := s.cli("", "run", "list", bucket, sync); r.Code != 0 || strings.Count(r.Stdout, "COMPLETED") < 2 {
		t.Errorf("run list: %+v", r)
	}
	j.downloads()
	if r := s.cli("", "sync", "pause", bucket, sync); r.Code != 0 || !strings.Contains(r.Stdout, "SUSPENDED") {
		t.Errorf("pause: %+v", r)
	}
	if r := s.cli("", "sync", "resume", bucket, sync); r.Code != 0 || !strings.Contains(r.Stdout, "ACTIVE") {
		t.Errorf("resume: %+v", r)
	}
	if r := s.cli("", "connection", "archive", "archive"); r.Code != 0 {
		t.Errorf("archive: %+v", r)
	}
	if r := s.cli("", "audit", "list"); r.Code != 0 || !strings.Contains(r.Stdout, "storage_connection_created") {
		t.Errorf("audit list: %+v", r)
	}
}

// downloads compares what the command writes with the source, to standard
// output and to a file.
func (j *job) downloads() {
	j.t.Helper()
	out := j.answer("", "bucket", "objects", j.bucket)
	results, _ := out["results"].([]any)
	want := map[string]string{"raw/a.txt": "first", "raw/deep/b.txt": "second", "raw/new.txt": "fourth"}
	if len(results) != len(want) {
		j.t.Fatalf("objects: %v", out)
	}
	file := filepath.Join(j.t.TempDir(), "out")
	for _, r := range results {
		o, _ := r.(object)
		path, id := binary.Text(o, "source_path"), binary.Text(o, "object_id")
		if r := j.cli("", "bucket", "download", j.bucket, id); r.Code != 0 || r.Stdout != want[path] {
			j.t.Errorf("download of %s: %+v", path, r)
		}
		r := j.cli("", "bucket", "download", j.bucket, id, "--output", file)
		if b, err := os.ReadFile(file); r.Code != 0 || err != nil || string(b) != want[path] {
			j.t.Errorf("download of %s to a file: %+v, %q, %v", path, r, b, err)
		}
	}
}

func TestExitCodes(t *testing.T) {
	from := newStorage(t, s3.Options{})
	s := Start(t)
	if r := s.cli(from.config(), "connection", "create", "taken", "--provider", "s3"); r.Code != 0 {
		t.Fatal(r)
	}
	user := "admin@localhost.invalid"
	weak := binary.Text(s.answer("", "key", "create", user, "weak", "--permission", "read"), "key")
	weakFile := filepath.Join(t.TempDir(), "weak.key")
	if err := os.WriteFile(weakFile, []byte(weak+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	badFile := filepath.Join(t.TempDir(), "bad.key")
	if err := os.WriteFile(badFile, []byte("mk_nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	wrong := *from
	wrong.Secret = strings.Repeat("wrong", 8)
	for _, c := range []struct {
		code  int
		stdin string
		args  []string
		says  string
	}{
		{0, "", []string{"connection", "get", "taken"}, ""},
		{0, "", []string{"--help"}, ""},
		{2, "", []string{"nonsense"}, "nonsense"},
		{2, "", []string{"connection", "list", "--nonsense"}, "nonsense"},
		{2, "", []string{"connection", "create", "x"}, "provider"},
		{2, "not json", []string{"connection", "create", "x", "--provider", "s3"}, "JSON"},
		{2, `{"region": "us-east-1", "credentials": {"type": "access_key", "access_key_id": "AKIAIOSFODNN7EXAMPLE"}}`, []string{"connection", "create", "x", "--provider", "s3"}, "secret_access_key"},
		{2, wrong.config(), []string{"connection", "create", "x", "--provider", "s3"}, "secret"},
		{3, "", []string{"connection", "list", "--api-key-file", badFile}, "key"},
		{4, from.config(), []string{"connection", "create", "x", "--provider", "s3", "--api-key-file", weakFile}, "admin"},
		{5, "", []string{"connection", "get", "nobody"}, ""},
		{6, from.config(), []string{"connection", "create", "taken", "--provider", "s3"}, "taken"},
		{8, "", []string{"connection", "list", "--url", "http://127.0.0.1:1", "--api-key-file", weakFile}, "127.0.0.1:1"},
		{2, "", []string{"connection", "list", "--url", "http://127.0.0.1:1"}, "only sent to the server that runs on it"},
	} {
		r := s.cli(c.stdin, c.args...)
		if r.Code != c.code || !strings.Contains(r.Stderr, c.says) {
			t.Errorf("mooring %s: exit code %d, want %d and %q: %s", strings.Join(c.args, " "), r.Code, c.code, c.says, r.Stderr)
		}
		if c.code != 0 && r.Stdout != "" {
			t.Errorf("mooring %s fails and prints %q to standard output", strings.Join(c.args, " "), r.Stdout)
		}
		for _, secret := range []string{from.Secret, wrong.Secret, weak, s.Key} {
			if strings.Contains(r.Stdout+r.Stderr, secret) {
				t.Errorf("mooring %s prints a secret", strings.Join(c.args, " "))
			}
		}
	}
	if list := must(s.List(s.ctx, http.MethodPost, "/v1/organizations/connections/list", nil))(t); len(list) != 1 {
		t.Errorf("refused commands left connections: %v", list)
	}
}

var ledgerLine = regexp.MustCompile(`discovered (\d+) = synced (\d+) \+ unchanged (\d+) \+ filtered (\d+) \+ duplicate (\d+) \+ skipped (\d+) \+ failed (\d+)`)

func TestDemo(t *testing.T) {
	own := t.TempDir()
	before := map[string]string{"a.txt": "mine", "sub/b.txt": "mine too", "sub/copy.txt": "mine too"}
	for name, content := range before {
		path := filepath.Join(own, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"demo", "--once"}, {"demo", "--once", own}} {
		home := t.TempDir()
		r, err := binary.Run(t.Context(), mooring, binary.Env(home), "", args...)
		if err != nil || r.Code != 0 {
			t.Fatalf("%v: %v %+v", args, err, r)
		}
		ledgers := ledgerLine.FindAllStringSubmatch(r.Stdout, -1)
		if len(ledgers) != 2 {
			t.Fatalf("%v prints %d ledgers, want 2:\n%s", args, len(ledgers), r.Stdout)
		}
		var synced int
		for _, l := range ledgers {
			var n [7]int
			for i := range n {
				n[i], _ = strconv.Atoi(l[i+1])
			}
			if n[0] == 0 || n[0] != n[1]+n[2]+n[3]+n[4]+n[5]+n[6] {
				t.Errorf("%v: %s does not balance", args, l[0])
			}
			synced = n[1]
		}
		if synced != 1 {
			t.Errorf("%v: the second run synced %d, want 1", args, synced)
		}
		if left, _ := filepath.Glob(filepath.Join(home, ".local", "share", "*")); len(left) > 0 {
			t.Errorf("%v left %v", args, left)
		}
	}
	for name, content := range before {
		if got := read(t, own, name); got != content {
			t.Errorf("the demo changed %s to %q", name, got)
		}
	}
}
