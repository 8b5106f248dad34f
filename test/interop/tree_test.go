//go:build interop

package interop

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"mooring/test/interop/s3server"
)

const (
	wantFiles = 20_000
	maxTotal  = 1 << 30
	maxFile   = 8 << 20
	uploads   = 16
)

// file is one file of the source.
type file struct {
	size int64
	hash string // SHA-256
}

// realTree finds a real tree: the Go module cache, and where that is small the
// sources of Go. It returns the files' paths by key.
func realTree(t *testing.T) map[string]string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOMODCACHE", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"mod", "go"}
	tree := map[string]string{}
	var total int64
	for i, root := range strings.Fields(string(out)) {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if len(tree) >= wantFiles+500 {
				return fs.SkipAll
			}
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			info, err := d.Info()
			if err != nil || info.Size() > maxFile || total+info.Size() > maxTotal {
				return err
			}
			rel, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			if key := names[i] + "/" + filepath.ToSlash(rel); holds(key) {
				tree[key] = path
				total += info.Size()
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(tree) < wantFiles {
		t.Fatalf("the module cache and the sources of Go have %d files that fit, want %d", len(tree), wantFiles)
	}
	t.Logf("%d files, %d bytes", len(tree), total)
	return tree
}

// holds says whether the server, which keeps objects as files, can hold a key.
func holds(key string) bool {
	if len(key) > 900 {
		return false
	}
	for part := range strings.SplitSeq(key, "/") {
		if len(part) > 200 {
			return false
		}
	}
	return true
}

func client(s *s3server.Server) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(s.URL), Region: s.Region, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(s.AccessKey, s.SecretKey, ""),
	})
}

// upload puts a tree into a bucket and says what it holds.
func upload(t *testing.T, s *s3server.Server, bucket string, tree map[string]string) map[string]file {
	t.Helper()
	c := client(s)
	if _, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
		t.Fatal(err)
	}
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(uploads)
	type entry struct {
		key string
		file
	}
	done := make(chan entry, uploads)
	source := map[string]file{}
	gathered := make(chan struct{})
	go func() {
		defer close(gathered)
		for e := range done {
			source[e.key] = e.file
		}
	}()
	for key, path := range tree {
		group.Go(func() error {
			f, err := uploadFile(ctx, c, bucket, key, path)
			done <- entry{key, f}
			return err
		})
	}
	err := group.Wait()
	close(done)
	<-gathered
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func uploadFile(ctx context.Context, c *s3.Client, bucket, key, path string) (file, error) {
	in, err := os.Open(path)
	if err != nil {
		return file{}, err
	}
	defer in.Close()
	h := sha256.New()
	n, err := io.Copy(h, in)
	if err == nil {
		_, err = in.Seek(0, io.SeekStart)
	}
	if err == nil {
		_, err = c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(key), Body: in, ContentLength: aws.Int64(n)})
	}
	return file{n, hex.EncodeToString(h.Sum(nil))}, err
}

func put(t *testing.T, s *s3server.Server, bucket, key, content string) file {
	t.Helper()
	_, err := client(s).PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(key), Body: strings.NewReader(content)})
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.Sum256([]byte(content))
	return file{int64(len(content)), hex.EncodeToString(h[:])}
}

func remove(t *testing.T, s *s3server.Server, bucket, key string) {
	t.Helper()
	if _, err := client(s).DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)}); err != nil {
		t.Fatal(err)
	}
}
