package s3_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"mooring/emulator/s3"
)

func TestSyntheticBucket(t *testing.T) {
	srv, err := s3.Start(s3.Options{})
	must(t, err)
	defer srv.Close()
	y := s3.Synthetic{Keys: 2500, Size: 1001, Key: func(i int) string { return fmt.Sprintf("d%02d/%04d", i/100, i) }}
	must(t, srv.SyntheticBucket("data", y))
	c := client(t, srv, login{})
	keys := listAll(t, c, list())
	if len(keys) != 2500 || keys[0] != "d00/0000" || keys[2499] != "d24/2499" {
		t.Fatalf("%d keys, from %q to %q", len(keys), keys[0], keys[len(keys)-1])
	}
	in := list()
	in.Prefix, in.StartAfter = aws.String("d07/"), aws.String("d07/0797")
	equal(t, listAll(t, c, in), []string{"d07/0798", "d07/0799"})
	in = list()
	in.Delimiter, in.MaxKeys = aws.String("/"), aws.Int32(30)
	out, err := c.ListObjectsV2(context.Background(), in)
	must(t, err)
	if len(out.CommonPrefixes) != 25 {
		t.Fatalf("%d prefixes", len(out.CommonPrefixes))
	}

	whole := y.Content(42)
	if got, err := read(c, "d00/0042"); err != nil || got != string(whole) {
		t.Fatalf("content differs: %v", err)
	}
	if string(whole) == string(y.Content(43)) {
		t.Fatal("two objects have the same content")
	}
	part, err := c.GetObject(context.Background(), &sdk.GetObjectInput{Bucket: aws.String("data"), Key: aws.String("d00/0042"), Range: aws.String("bytes=13-999")})
	must(t, err)
	got, err := io.ReadAll(part.Body)
	_ = part.Body.Close()
	must(t, err)
	if string(got) != string(whole[13:1000]) {
		t.Fatal("a range is not part of the whole")
	}

	// Writes lie over the generated keys.
	put(t, srv, "d00/0001", "mine")
	put(t, srv, "d00/0001a", "new")
	must(t, srv.Delete("data", "d00/0002"))
	in = list()
	in.MaxKeys = aws.Int32(4)
	out, err = c.ListObjectsV2(context.Background(), in)
	must(t, err)
	equal(t, keysOf(out.Contents), []string{"d00/0000", "d00/0001", "d00/0001a", "d00/0003"})
	if got, err := read(c, "d00/0001"); err != nil || got != "mine" {
		t.Fatalf("%q, %v", got, err)
	}
}

func TestSyntheticMillions(t *testing.T) {
	srv, err := s3.Start(s3.Options{})
	must(t, err)
	defer srv.Close()
	must(t, srv.SyntheticBucket("data", s3.Synthetic{Keys: 10_000_000}))
	in := list()
	in.StartAfter = aws.String("000009999990")
	equal(t, listAll(t, client(t, srv, login{}), in), []string{
		"000009999991", "000009999992", "000009999993", "000009999994", "000009999995",
		"000009999996", "000009999997", "000009999998", "000009999999",
	})
}

// BenchmarkList lists a million keys in pages of a thousand, without and with
// the client's work of decoding them.
func BenchmarkList(b *testing.B) {
	srv, err := s3.Start(s3.Options{})
	must(b, err)
	defer srv.Close()
	must(b, srv.SyntheticBucket("data", s3.Synthetic{Keys: 1_000_000}))
	c := client(b, srv, login{})
	b.Run("server", func(b *testing.B) {
		for b.Loop() {
			if n := countRaw(b, srv, c); n != 1000 {
				b.Fatalf("%d pages", n)
			}
		}
	})
	b.Run("client", func(b *testing.B) {
		for b.Loop() {
			if n := len(listAll(b, c, list())); n != 1_000_000 {
				b.Fatalf("%d keys", n)
			}
		}
	})
}

// countRaw follows the pages of a list by their tokens alone.
func countRaw(b *testing.B, srv *s3.Server, c *sdk.Client) (pages int) {
	b.Helper()
	in := list()
	for {
		var next string
		_, _ = c.ListObjectsV2(context.Background(), in, func(o *sdk.Options) { o.HTTPClient = tokenOnly{&next} })
		if pages++; next == "" {
			return pages
		}
		in.ContinuationToken = aws.String(next)
	}
}

// tokenOnly gives the SDK an empty list and keeps the token of the real one.
type tokenOnly struct{ next *string }

func (c tokenOnly) Do(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	*c.next = between(string(body), "<NextContinuationToken>", "</")
	resp.Body = io.NopCloser(strings.NewReader("<ListBucketResult></ListBucketResult>"))
	return resp, err
}
