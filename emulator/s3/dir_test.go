package s3_test

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"mooring/emulator/s3"
)

// overlay serves a directory with these files as bucket data.
func overlay(t *testing.T, files map[string]string, opts s3.DirOptions) (*s3.Server, string) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		write(t, dir, name, content)
	}
	srv, err := s3.Start(s3.Options{})
	must(t, err)
	t.Cleanup(func() { _ = srv.Close() })
	must(t, srv.DirOverlay("data", dir, opts))
	return srv, dir
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(content), 0o644))
}

func TestDirOrder(t *testing.T) {
	want := []string{".hidden", "a b", "a!/x", "a-b/x", "a.txt", "a/b/c", "a/b.txt", "a/b0", "a0", "b/deep/er/file", "é"}
	// The order within a/: "b.txt" (0x2e) is before "b/c" (0x2f).
	want[5], want[6] = want[6], want[5]
	files := map[string]string{}
	for _, key := range want {
		files[key] = "content of " + key
	}
	srv, dir := overlay(t, files, s3.DirOptions{})
	must(t, os.MkdirAll(filepath.Join(dir, "empty", "empty"), 0o755))
	c := client(t, srv, login{})
	for size := int32(1); size <= 5; size++ {
		in := list()
		in.MaxKeys = aws.Int32(size)
		equal(t, listAll(t, c, in), want)
	}
	for i, key := range want {
		in := list()
		in.StartAfter = aws.String(key)
		equal(t, listAll(t, c, in), want[i+1:])
		if got, err := read(c, key); err != nil || got != files[key] {
			t.Fatalf("%q, %v", got, err)
		}
	}
	in := list()
	in.Prefix, in.Delimiter = aws.String("a/"), aws.String("/")
	out, err := c.ListObjectsV2(context.Background(), in)
	must(t, err)
	equal(t, keysOf(out.Contents), []string{"a/b.txt", "a/b0"})
	if len(out.CommonPrefixes) != 1 || aws.ToString(out.CommonPrefixes[0].Prefix) != "a/b/" {
		t.Fatalf("%+v", out.CommonPrefixes)
	}
}

func TestDirIsSeenAsItIs(t *testing.T) {
	srv, dir := overlay(t, map[string]string{"a": "1", "b/c": "2"}, s3.DirOptions{})
	c := client(t, srv, login{})
	equal(t, mustKeys(t, srv), []string{"a", "b/c"})
	before, err := srv.ETag("data", "b/c")
	must(t, err)
	if again, _ := srv.ETag("data", "b/c"); again != before || !strings.HasSuffix(before, "-1") {
		t.Fatalf("ETag %q, then %q", before, again)
	}
	write(t, dir, "b/d", "3")
	write(t, dir, "b/c", "another size")
	must(t, os.Remove(filepath.Join(dir, "a")))
	equal(t, mustKeys(t, srv), []string{"b/c", "b/d"})
	_, err = c.GetObject(context.Background(), &sdk.GetObjectInput{Bucket: aws.String("data"), Key: aws.String("b/c"), IfMatch: aws.String(before)})
	wantCode(t, err, "PreconditionFailed", 412)
	if got, err := read(c, "b/c"); err != nil || got != "another size" {
		t.Fatalf("%q, %v", got, err)
	}
	// The same size at another time is another version as well.
	before, _ = srv.ETag("data", "b/c")
	must(t, os.Chtimes(filepath.Join(dir, "b", "c"), time.Time{}, time.Unix(1_000_000_000, 0)))
	if after, _ := srv.ETag("data", "b/c"); after == before {
		t.Fatal("the ETag stayed")
	}
}

// A directory whose time of modification is old is read once, and read again when
// that time moves.
func TestDirCacheFollowsChanges(t *testing.T) {
	srv, dir := overlay(t, map[string]string{"d/a": "1"}, s3.DirOptions{})
	old := time.Now().Add(-time.Hour)
	for _, d := range []string{dir, filepath.Join(dir, "d")} {
		must(t, os.Chtimes(d, old, old))
	}
	equal(t, mustKeys(t, srv), []string{"d/a"})
	equal(t, mustKeys(t, srv), []string{"d/a"})
	write(t, dir, "d/b", "2")
	equal(t, mustKeys(t, srv), []string{"d/a", "d/b"})
}

// A directory that changes twice within one tick of the clock has the same time of
// modification before and after. One that is young is therefore always read.
func TestDirCacheDistrustsTheYoung(t *testing.T) {
	srv, dir := overlay(t, map[string]string{"a": "1"}, s3.DirOptions{})
	tick := time.Now().Add(time.Hour)
	must(t, os.Chtimes(dir, tick, tick))
	equal(t, mustKeys(t, srv), []string{"a"})
	write(t, dir, "b", "2")
	must(t, os.Chtimes(dir, tick, tick))
	equal(t, mustKeys(t, srv), []string{"a", "b"})
}

// A file name need not be UTF-8.
func TestDirNamesThatAreNotUTF8(t *testing.T) {
	name := "latin1-\xe9/\xff"
	dir := t.TempDir()
	if os.Mkdir(filepath.Join(dir, "latin1-\xe9"), 0o755) != nil {
		t.Skip("this file system has no such names")
	}
	write(t, dir, name, "content")
	srv, err := s3.Start(s3.Options{})
	must(t, err)
	t.Cleanup(func() { _ = srv.Close() })
	must(t, srv.DirOverlay("data", dir, s3.DirOptions{}))
	c := client(t, srv, login{})
	in := list()
	in.EncodingType = types.EncodingTypeUrl
	equal(t, listAll(t, c, in), []string{"latin1-%E9/%FF"})
	if got, err := read(c, name); err != nil || got != "content" {
		t.Fatalf("%q, %v", got, err)
	}
	_, err = read(client(t, srv, login{id: s3.DefaultAccessKeyID, secret: "wrong"}), name)
	wantCode(t, err, "SignatureDoesNotMatch", 403)
}

func TestDirIsNeverWritten(t *testing.T) {
	srv, dir := overlay(t, map[string]string{"a": "1", "b/c": "2", "d": "3"}, s3.DirOptions{})
	before := snapshot(t, dir)
	c := client(t, srv, login{})
	ctx := context.Background()
	_, err := c.PutObject(ctx, &sdk.PutObjectInput{Bucket: aws.String("data"), Key: aws.String("a"), Body: strings.NewReader("new")})
	must(t, err)
	_, err = c.PutObject(ctx, &sdk.PutObjectInput{Bucket: aws.String("data"), Key: aws.String("../outside"), Body: strings.NewReader("new")})
	must(t, err)
	_, err = c.DeleteObject(ctx, &sdk.DeleteObjectInput{Bucket: aws.String("data"), Key: aws.String("b/c")})
	must(t, err)
	etag, err := srv.ETag("data", "d")
	must(t, err)
	must(t, srv.Touch("data", "d"))
	if touched, _ := srv.ETag("data", "d"); touched == etag {
		t.Fatal("Touch changed nothing")
	}
	equal(t, listAll(t, c, list()), []string{"../outside", "a", "d"})
	for key, want := range map[string]string{"a": "new", "d": "3", "../outside": "new"} {
		if got, err := read(c, key); err != nil || got != want {
			t.Fatalf("%s: %q, %v", key, got, err)
		}
	}
	_, err = read(c, "b/c")
	wantCode(t, err, "NoSuchKey", 404)
	put(t, srv, "b/c", "back")
	if got, err := read(c, "b/c"); err != nil || got != "back" {
		t.Fatalf("%q, %v", got, err)
	}
	if after := snapshot(t, dir); after != before {
		t.Fatalf("the directory was\n%sand is\n%s", before, after)
	}
}

// snapshot writes down names, times and contents of a directory.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		content := []byte{}
		if !d.IsDir() {
			content, err = os.ReadFile(path)
		}
		b.WriteString(path + " " + info.ModTime().String() + " " + string(content) + "\n")
		return err
	}))
	return b.String()
}

func TestDirStaysInside(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("symbolic links need privileges")
	}
	secret := t.TempDir()
	write(t, secret, "secret", "outside")
	srv, dir := overlay(t, map[string]string{"real": "inside", "sub/x": "inside"}, s3.DirOptions{})
	for name, target := range map[string]string{
		"absolute": filepath.Join(secret, "secret"), "up": "../" + filepath.Base(secret) + "/secret",
		"updir": secret, "loop": ".", "linkdir": "sub", "self": "self", "broken": "nothing", "good": "real",
	} {
		must(t, os.Symlink(target, filepath.Join(dir, name)))
	}
	c := client(t, srv, login{})
	equal(t, listAll(t, c, list()), []string{"good", "real", "sub/x"})
	if got, err := read(c, "good"); err != nil || got != "inside" {
		t.Fatalf("%q, %v", got, err)
	}
	for _, key := range []string{"absolute", "up", "updir/secret", "linkdir/x", "loop/real", "sub/../real", "./real", "sub//x", "/real", "sub", "sub/"} {
		if _, err := read(c, key); err == nil {
			t.Errorf("%q can be read", key)
		}
	}
}

func TestDirOptions(t *testing.T) {
	srv, _ := overlay(t, map[string]string{".git/config": "x", "a": "x", "b/.hidden": "x", "b/c": "x"}, s3.DirOptions{
		Skip: func(path string, dir bool) bool { return path == ".git" && dir || strings.HasSuffix(path, "/.hidden") },
	})
	equal(t, mustKeys(t, srv), []string{"a", "b/c"})
	if _, err := read(client(t, srv, login{}), ".git/config"); err == nil {
		t.Fatal("a skipped file can be read")
	}
	if err := srv.DirOverlay("other", filepath.Join(t.TempDir(), "missing"), s3.DirOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("a missing directory: %v", err)
	}
}

func TestDirUnreadableIsNotSilent(t *testing.T) {
	if os.Geteuid() == 0 || runtime.GOOS == "windows" {
		t.Skip("everything can be read here")
	}
	for _, leaveOut := range []bool{false, true} {
		opts := s3.DirOptions{}
		if leaveOut {
			opts.OnError = func(string, error) error { return nil }
		}
		srv, dir := overlay(t, map[string]string{"a": "x", "b/c": "x"}, opts)
		must(t, os.Chmod(filepath.Join(dir, "b"), 0))
		t.Cleanup(func() { _ = os.Chmod(filepath.Join(dir, "b"), 0o755) })
		keys, err := srv.Keys("data")
		if leaveOut != (err == nil) {
			t.Fatalf("leaving out %t: %q, %v", leaveOut, keys, err)
		}
	}
}

// changing is a client that alters a file when it has the first bytes.
type changing struct {
	header http.Header
	n      int
	change func()
}

func (c *changing) Header() http.Header { return c.header }
func (c *changing) WriteHeader(int)     {}
func (c *changing) Write(p []byte) (int, error) {
	if c.n == 0 {
		c.change()
	}
	c.n += len(p)
	return len(p), nil
}

// A file that changes while it is being read must not look complete.
func TestDirFileChangesMidway(t *testing.T) {
	const size = 1 << 20
	srv, dir := overlay(t, map[string]string{"big": strings.Repeat("x", size)}, s3.DirOptions{})
	url := presign(t, srv, login{}, "big")
	get := func(change func()) (n int, aborted bool) {
		w := &changing{header: http.Header{}, change: change}
		defer func() { n, aborted = w.n, recover() != nil }()
		srv.Handler().ServeHTTP(w, httptest.NewRequest("GET", url, nil))
		return
	}
	if n, aborted := get(func() {}); n != size || aborted {
		t.Fatalf("%d bytes, aborted %t", n, aborted)
	}
	n, aborted := get(func() { must(t, os.Chtimes(filepath.Join(dir, "big"), time.Time{}, time.Unix(1_000_000_000, 0))) })
	if n == 0 || n >= size || !aborted {
		t.Fatalf("%d bytes, aborted %t", n, aborted)
	}
	n, aborted = get(func() { must(t, os.Truncate(filepath.Join(dir, "big"), size/2)) })
	if n == 0 || n >= size || !aborted {
		t.Fatalf("%d bytes of a shorter file, aborted %t", n, aborted)
	}
}
