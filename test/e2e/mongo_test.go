//go:build mongo

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"mooring/emulator/s3"
	"mooring/internal/secret"
	"mooring/internal/store/mongo"
	"mooring/internal/store/raw"
	"mooring/test/binary"
	"mooring/test/mongoserver"
)

// database is a new database, and the flags that name it.
func database(t *testing.T, base, key string) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "uri")
	if err := os.WriteFile(file, []byte(mongoserver.Database(base, mongoserver.NewName())), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"--store-uri-file", file, "--master-key-file", key}
}

func mongoURI(t *testing.T) string {
	t.Helper()
	if uri := mongoserver.Real(); uri != "" {
		return uri
	}
	s := must(mongoserver.Start(t.TempDir()))(t)
	t.Cleanup(s.Kill)
	return s.URI("")
}

// killed runs a command that fills a store and is killed again and again, each
// time later, until it has ended by itself, or was killed when it had done all.
// between is called after each other kill.
func killed(t *testing.T, dir string, args, there []string, between func()) (kills int) {
	t.Helper()
	for wait := 100 * time.Millisecond; ; wait = wait * 5 / 4 {
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		cmd := exec.CommandContext(ctx, mooring, args...)
		cmd.Env = append(binary.Env(filepath.Dir(dir)), "MOORING_DATA_DIR="+dir)
		out, err := cmd.CombinedOutput()
		dead := ctx.Err() != nil
		cancel()
		switch {
		case err == nil:
			if !whole(t, there) {
				t.Errorf("mooring %v has ended, and the store is not whole", args)
			}
			return kills
		case !dead:
			t.Fatalf("mooring %v: %v: %s", args, err, out)
		}
		kills++
		if whole(t, there) {
			return kills
		}
		between()
	}
}

// whole reports whether a store was filled to its end.
func whole(t *testing.T, there []string) bool {
	t.Helper()
	uri := must(os.ReadFile(there[1]))(t)
	s := must(mongo.Open(t.Context(), mongo.Options{URI: secret.New(string(uri))}))(t)
	defer func() { _ = s.Close() }()
	mark := must(s.System().Meta(t.Context(), raw.Mark))(t)
	return mark == nil && len(must(s.System().Organizations(t.Context(), "", 1))(t)) > 0
}

// A store moves from a data directory to MongoDB, by a copy that is killed time
// and again, and from there by a backup of the running server to another
// database. Each time everything is there.
func TestMongoCopyBackupAndRestore(t *testing.T) {
	t.Parallel()
	from := newStorage(t, s3.Options{LogSize: 1})
	const objects = 300
	for i := range objects {
		from.put(fmt.Sprintf("%03d.txt", i), fmt.Sprint(i))
	}
	content := filepath.Join(t.TempDir(), "content")
	first := Start(t, "--destination", content)
	j := first.connect(from, sourceBucket, nil)
	j.pass()
	base, key := mongoURI(t), filepath.Join(first.Dir, "master.key")
	there := database(t, base, key)
	copying := append([]string{"store", "copy", "--from", first.Dir}, there...)
	refusedOn := func(dir string, reason string, args ...string) {
		t.Helper()
		declined(t, on(t, dir, args...), 6, reason)
	}
	refusedOn(t.TempDir(), "in use", copying...)
	first.stop()

	scratch := filepath.Join(t.TempDir(), "scratch")
	serving := append([]string{"serve", "--listen", "127.0.0.1:0", "--destination", content, "--shared-data-dir"}, there...)
	begun := false
	kills := killed(t, scratch, copying, there, func() {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		env := append(binary.Env(filepath.Dir(scratch)), "MOORING_DATA_DIR="+scratch)
		r := must(binary.Run(ctx, mooring, env, "", serving...))(t)
		if r.Code != 6 {
			t.Errorf("a store that is copied by half is served: %+v", r)
		}
		begun = true
	})
	if !begun || kills == 0 {
		t.Error("the copy was never killed")
	}
	refusedOn(scratch, "holds something", copying...)

	follow := func(name string, flags []string) *server {
		t.Helper()
		dir := filepath.Join(t.TempDir(), name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "admin.key"), []byte(first.Key+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		s := StartAt(t, dir, append([]string{"--destination", content, "--shared-data-dir"}, flags...)...)
		j.server = s
		s.expect(200, "POST", binary.Path("organizations", "connections", j.connection, "test"), nil)
		j.number = lastRun(j)
		return s
	}
	second := follow("second", there)
	j.want(j.again(), map[string]int64{"discovered": objects, "unchanged": objects})
	from.put("new.txt", "new")
	j.again()
	if v := verify(j, false); v["failed"] != 0 || v["unchanged"] != objects+1 {
		t.Errorf("verified %v", v)
	}

	saved := filepath.Join(t.TempDir(), "backup")
	good(t, second.cli("", append([]string{"backup", saved}, there...)...))
	second.stop()
	elsewhere := database(t, base, key)
	restoring := append([]string{"restore", saved}, elsewhere...)
	killed(t, scratch, restoring, elsewhere, func() {})
	refusedOn(scratch, "holds something", restoring...)
	good(t, on(t, scratch, append(restoring, "--replace")...))
	third := follow("third", elsewhere)
	j.want(j.again(), map[string]int64{"discovered": objects + 1, "unchanged": objects + 1})
	good(t, third.cli("", "audit", "verify"))
	third.stop()

	back := filepath.Join(t.TempDir(), "back") // and from MongoDB to a data directory
	bring(t, first.Dir, back)
	good(t, on(t, back, "restore", saved))
	if err := os.WriteFile(filepath.Join(back, "admin.key"), []byte(first.Key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	j.server = StartAt(t, back, "--destination", content)
	j.number = lastRun(j)
	j.want(j.again(), map[string]int64{"discovered": objects + 1, "unchanged": objects + 1})
}
