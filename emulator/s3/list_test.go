package s3_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"mooring/emulator/s3"
)

func TestListOrderIsThatOfBytes(t *testing.T) {
	srv := start(t, s3.Options{})
	want := []string{"A", "B", "a", "a ", "a!", "a/", "a/b", "a0", "b", "é", "\uFFEE", "\U0001F600"}
	shuffled := slices.Clone(want)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	for _, key := range shuffled {
		put(t, srv, key, "x")
	}
	for size := int32(1); size <= 13; size++ {
		in := list()
		in.MaxKeys = aws.Int32(size)
		equal(t, listAll(t, client(t, srv, login{}), in), want)
	}
}

func TestListEncoding(t *testing.T) {
	srv := start(t, s3.Options{})
	for _, key := range oddKeys {
		put(t, srv, key, "x")
	}
	c := client(t, srv, login{})
	in := list()
	in.EncodingType = types.EncodingTypeUrl
	in.MaxKeys = aws.Int32(3)
	var got []string
	for _, key := range listAll(t, c, in) {
		plain, err := url.QueryUnescape(key)
		must(t, err)
		got = append(got, plain)
	}
	equal(t, got, oddKeys)

	// Without the encoding a control character is a reference that XML 1.0 does
	// not allow, and Go's decoder fails: the page is lost, as with S3.
	if _, err := c.ListObjectsV2(context.Background(), list()); err == nil || statusOf(err) != 200 {
		t.Fatalf("a key with U+0001 came through plain XML: %v", err)
	}
	must(t, srv.Delete("data", oddKeys[0]))
	equal(t, listAll(t, c, list()), oddKeys[1:])
}

func TestSpacesInEncodedKeys(t *testing.T) {
	for percent, want := range map[bool]string{false: "a+b/c%2Bd", true: "a%20b/c%2Bd"} {
		srv := start(t, s3.Options{PercentSpaces: percent})
		put(t, srv, "a b/c+d", "x")
		in := list()
		in.EncodingType, in.Prefix, in.StartAfter = types.EncodingTypeUrl, aws.String("a "), aws.String("a ")
		out, err := client(t, srv, login{}).ListObjectsV2(context.Background(), in)
		must(t, err)
		equal(t, keysOf(out.Contents), []string{want})
		if prefix := want[:strings.Index(want, "b")]; aws.ToString(out.Prefix) != prefix || aws.ToString(out.StartAfter) != prefix || out.EncodingType != "url" {
			t.Fatalf("prefix %q, start-after %q, encoding %q", aws.ToString(out.Prefix), aws.ToString(out.StartAfter), out.EncodingType)
		}
	}
}

func TestListDelimiter(t *testing.T) {
	srv := start(t, s3.Options{})
	for _, key := range []string{"a", "b/1", "b/2", "b/c/3", "b0", "d//e", "d/f", "z/"} {
		put(t, srv, key, "x")
	}
	c := client(t, srv, login{})
	entries := func(prefix, delimiter, after string, size int32) (got []string) {
		in := list()
		in.Prefix, in.Delimiter, in.MaxKeys = aws.String(prefix), aws.String(delimiter), aws.Int32(size)
		if after != "" {
			in.StartAfter = aws.String(after)
		}
		p := sdk.NewListObjectsV2Paginator(c, in)
		for p.HasMorePages() {
			out, err := p.NextPage(context.Background())
			must(t, err)
			page := keysOf(out.Contents)
			for _, g := range out.CommonPrefixes {
				page = append(page, aws.ToString(g.Prefix)+"*")
			}
			if len(page) > int(size) || int(aws.ToInt32(out.KeyCount)) != len(page) {
				t.Fatalf("page of %d: %q, KeyCount %d", size, page, aws.ToInt32(out.KeyCount))
			}
			slices.Sort(page)
			got = append(got, page...)
		}
		return got
	}
	for _, size := range []int32{1, 2, 3, 1000} {
		equal(t, entries("", "/", "", size), []string{"a", "b/*", "b0", "d/*", "z/*"})
		equal(t, entries("b/", "/", "", size), []string{"b/1", "b/2", "b/c/*"})
		equal(t, entries("d/", "/", "", size), []string{"d//*", "d/f"})
		equal(t, entries("", "//", "", size), []string{"a", "b/1", "b/2", "b/c/3", "b0", "d//*", "d/f", "z/"})
		equal(t, entries("", "/", "b/", size), []string{"b0", "d/*", "z/*"})
		equal(t, entries("", "/", "b/1", size), []string{"b/*", "b0", "d/*", "z/*"})
	}
}

func TestListRandomized(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for round := range 30 {
		srv := start(t, s3.Options{})
		c := client(t, srv, login{})
		have := map[string]bool{}
		for range 60 {
			key := randomKey(r)
			if r.IntN(4) == 0 {
				delete(have, key)
				must(t, srv.Delete("data", key))
				continue
			}
			have[key] = true
			put(t, srv, key, "x")
		}
		prefix, after := randomKey(r)[:1], randomKey(r)
		var want []string
		for key := range have {
			if strings.HasPrefix(key, prefix) && key > after {
				want = append(want, key)
			}
		}
		slices.Sort(want)
		in := list()
		in.Prefix, in.StartAfter, in.MaxKeys = aws.String(prefix), aws.String(after), aws.Int32(1+r.Int32N(5))
		if got := listAll(t, c, in); !slices.Equal(got, want) {
			t.Fatalf("round %d, prefix %q after %q: got %q, want %q", round, prefix, after, got, want)
		}
	}
}

func randomKey(r *rand.Rand) string {
	b := make([]byte, 1+r.IntN(4))
	for i := range b {
		b[i] = "ab/+"[r.IntN(4)]
	}
	return string(b)
}

func TestListV1(t *testing.T) {
	srv := start(t, s3.Options{})
	for _, key := range []string{"a/1", "a/2", "b", "c/1", "d"} {
		put(t, srv, key, "x")
	}
	c := client(t, srv, login{})
	var got []string
	marker := ""
	for range 10 {
		out, err := c.ListObjects(context.Background(), &sdk.ListObjectsInput{
			Bucket: aws.String("data"), Delimiter: aws.String("/"), Marker: aws.String(marker), MaxKeys: aws.Int32(1),
		})
		must(t, err)
		got = append(got, keysOf(out.Contents)...)
		for _, g := range out.CommonPrefixes {
			got = append(got, aws.ToString(g.Prefix))
		}
		if !aws.ToBool(out.IsTruncated) {
			break
		}
		marker = aws.ToString(out.NextMarker)
	}
	equal(t, got, []string{"a/", "b", "c/", "d"})
}

func TestListEdges(t *testing.T) {
	srv := start(t, s3.Options{})
	put(t, srv, "a", "x")
	put(t, srv, "b", "x")
	c := client(t, srv, login{})
	ctx := context.Background()

	in := list()
	in.MaxKeys = aws.Int32(0)
	out, err := c.ListObjectsV2(ctx, in)
	must(t, err)
	if len(out.Contents) != 0 || aws.ToBool(out.IsTruncated) {
		t.Fatalf("max-keys=0: %+v", out)
	}
	in.MaxKeys = aws.Int32(5000)
	out, err = c.ListObjectsV2(ctx, in)
	must(t, err)
	if aws.ToInt32(out.MaxKeys) != 1000 || len(out.Contents) != 2 {
		t.Fatalf("max-keys=5000: %+v", out)
	}
	in.MaxKeys = aws.Int32(-1)
	_, err = c.ListObjectsV2(ctx, in)
	wantCode(t, err, "InvalidArgument", 400)
	in = list()
	in.ContinuationToken = aws.String("made up")
	_, err = c.ListObjectsV2(ctx, in)
	wantCode(t, err, "InvalidArgument", 400)
	in = list()
	in.EncodingType = "base64"
	_, err = c.ListObjectsV2(ctx, in)
	wantCode(t, err, "InvalidArgument", 400)
	_, err = c.ListObjectsV2(ctx, &sdk.ListObjectsV2Input{Bucket: aws.String("nothing")})
	wantCode(t, err, "NoSuchBucket", 404)

	// The token wins over start-after, and is not a key.
	in = list()
	in.MaxKeys = aws.Int32(1)
	out, err = c.ListObjectsV2(ctx, in)
	must(t, err)
	in.ContinuationToken, in.StartAfter = out.NextContinuationToken, aws.String("zzz")
	out, err = c.ListObjectsV2(ctx, in)
	must(t, err)
	equal(t, keysOf(out.Contents), []string{"b"})
}

func TestListFields(t *testing.T) {
	clock := newClock()
	srv := start(t, s3.Options{Now: clock.now})
	must(t, srv.Put("data", "multi", []byte("0123456789"), s3.PutOptions{
		PartSize: 4, StorageClass: "GLACIER", Checksum: s3.SHA256, ChecksumType: s3.Composite,
	}))
	in := list()
	in.FetchOwner = aws.Bool(true)
	out, err := client(t, srv, login{}).ListObjectsV2(context.Background(), in)
	must(t, err)
	o := out.Contents[0]
	if aws.ToInt64(o.Size) != 10 || o.StorageClass != "GLACIER" || !o.LastModified.Equal(clock.now()) || o.Owner == nil ||
		!strings.HasSuffix(aws.ToString(o.ETag), `-3"`) || o.ChecksumType != "COMPOSITE" || !slices.Contains(o.ChecksumAlgorithm, "SHA256") {
		t.Fatalf("%+v", o)
	}
}

func TestListBuckets(t *testing.T) {
	srv := start(t, s3.Options{})
	for i := range 5 {
		must(t, srv.CreateBucket(fmt.Sprintf("more-%d", i)))
	}
	must(t, srv.CreateBucketIn("far", "ap-south-1"))
	c := client(t, srv, login{})
	names := func(in *sdk.ListBucketsInput) (got []string) {
		p := sdk.NewListBucketsPaginator(c, in)
		for p.HasMorePages() {
			out, err := p.NextPage(context.Background())
			must(t, err)
			for _, b := range out.Buckets {
				got = append(got, aws.ToString(b.Name))
			}
		}
		return got
	}
	all := []string{"data", "far", "more-0", "more-1", "more-2", "more-3", "more-4"}
	equal(t, names(&sdk.ListBucketsInput{}), all)
	equal(t, names(&sdk.ListBucketsInput{MaxBuckets: aws.Int32(2)}), all)
	equal(t, names(&sdk.ListBucketsInput{Prefix: aws.String("more-"), MaxBuckets: aws.Int32(2)}), all[2:])
	equal(t, names(&sdk.ListBucketsInput{BucketRegion: aws.String("ap-south-1")}), []string{"far"})
}

func TestManyKeys(t *testing.T) {
	srv := start(t, s3.Options{})
	const n = 100_000
	want := make([]string, n)
	for i := range want {
		want[i] = fmt.Sprintf("dir-%03d/%06d", i%997, i)
	}
	for _, key := range want {
		put(t, srv, key, "")
	}
	slices.Sort(want)
	equal(t, listAll(t, client(t, srv, login{}), list()), want)
	if got := srv.Count(s3.ListObjectsV2); got != n/1000 {
		t.Fatalf("%d requests", got)
	}
}
