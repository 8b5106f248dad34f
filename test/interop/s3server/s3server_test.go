//go:build interop

package s3server_test

import (
	"context"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"mooring/test/interop/s3server"
)

func client(s *s3server.Server, secret string) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(s.URL),
		Region:       s.Region,
		Credentials:  credentials.NewStaticCredentialsProvider(s.AccessKey, secret, ""),
		UsePathStyle: true,
	})
}

func TestHoldsObjects(t *testing.T) {
	s := s3server.Start(t, os.Getenv(s3server.Env))
	c, ctx, bucket := client(s, s.SecretKey), t.Context(), aws.String("harbour")

	if _, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket}); err != nil {
		t.Fatalf("create the bucket: %v", err)
	}
	want := []string{"a.txt", "folder/b.txt", "folder/ö c.txt"}
	for _, key := range want {
		_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: aws.String(key), Body: strings.NewReader("is " + key)})
		if err != nil {
			t.Fatalf("put %q: %v", key, err)
		}
	}
	if got := list(ctx, t, c, bucket); !slices.Equal(got, want) {
		t.Errorf("list gives %q, want %q", got, want)
	}
	for _, key := range want {
		out, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: aws.String(key)})
		if err != nil {
			t.Fatalf("get %q: %v", key, err)
		}
		b, err := io.ReadAll(out.Body)
		if err != nil || string(b) != "is "+key {
			t.Errorf("get %q gives %q, %v", key, b, err)
		}
	}
}

func list(ctx context.Context, t *testing.T, c *s3.Client, bucket *string) []string {
	t.Helper()
	var keys []string
	// One key a page, so that paging is seen too.
	p := s3.NewListObjectsV2Paginator(c, &s3.ListObjectsV2Input{Bucket: bucket, MaxKeys: aws.Int32(1)})
	for p.HasMorePages() {
		page, err := p.NextPage(ctx)
		if err != nil {
			t.Fatalf("list: %v", err)
		}
		for _, o := range page.Contents {
			keys = append(keys, aws.ToString(o.Key))
		}
	}
	return keys
}

func TestRefusesAWrongSecret(t *testing.T) {
	s := s3server.Start(t, os.Getenv(s3server.Env))
	if _, err := client(s, "not "+s.SecretKey).ListBuckets(t.Context(), &s3.ListBucketsInput{}); err == nil ||
		!strings.Contains(err.Error(), "SignatureDoesNotMatch") {
		t.Errorf("a wrong secret gives %v, want SignatureDoesNotMatch", err)
	}
}

func TestServersAreSeparateAndEnd(t *testing.T) {
	var a, b *s3server.Server
	ok := t.Run("running", func(t *testing.T) {
		a, b = s3server.Start(t, os.Getenv(s3server.Env)), s3server.Start(t, os.Getenv(s3server.Env))
		if a.URL == b.URL || a.AccessKey == b.AccessKey || a.SecretKey == b.SecretKey {
			t.Errorf("two servers share an address or a key: %s %s", a.URL, b.URL)
		}
	})
	if !ok {
		return
	}
	for _, s := range []*s3server.Server{a, b} {
		if c, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://")); err == nil {
			_ = c.Close()
			t.Errorf("%s still listens after the test that started it", s.URL)
		}
	}
}
