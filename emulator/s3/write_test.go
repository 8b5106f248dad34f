package s3_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"mooring/emulator/s3"
)

func upload(key, data string) *sdk.PutObjectInput {
	return &sdk.PutObjectInput{Bucket: aws.String("data"), Key: aws.String(key), Body: strings.NewReader(data)}
}

func TestPutObject(t *testing.T) {
	clock := newClock()
	srv := start(t, s3.Options{Now: clock.now})
	c := client(t, srv, login{})
	ctx := context.Background()
	in := upload("a", "content")
	in.ContentType, in.CacheControl, in.Metadata = aws.String("text/plain"), aws.String("no-store"), map[string]string{"Color": "blue"}
	in.Tagging, in.StorageClass = aws.String("team=storage"), types.StorageClassStandardIa
	in.ChecksumAlgorithm = types.ChecksumAlgorithmSha256
	_, err := c.PutObject(ctx, in)
	must(t, err)
	g := get("a")
	g.ChecksumMode = types.ChecksumModeEnabled
	out, err := c.GetObject(ctx, g)
	must(t, err)
	body, err := io.ReadAll(out.Body)
	_ = out.Body.Close()
	if err != nil || string(body) != "content" || aws.ToString(out.ContentType) != "text/plain" || aws.ToString(out.CacheControl) != "no-store" ||
		out.Metadata["color"] != "blue" || aws.ToInt32(out.TagCount) != 1 || out.StorageClass != "STANDARD_IA" ||
		out.ChecksumSHA256 == nil || !out.LastModified.Equal(clock.now()) {
		t.Fatalf("%q, %v, %+v", body, err, out)
	}
	bad := upload("b", "content")
	bad.ChecksumSHA256 = aws.String("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	_, err = c.PutObject(ctx, bad)
	wantCode(t, err, "BadDigest", 400)
	_, err = c.PutObject(ctx, &sdk.PutObjectInput{Bucket: aws.String("nothing"), Key: aws.String("a")})
	wantCode(t, err, "NoSuchBucket", 404)
	equal(t, mustKeys(t, srv), []string{"a"})
}

// With TLS the SDK sends a stream in chunks, unsigned, with a checksum behind it.
func TestPutStream(t *testing.T) {
	srv := start(t, s3.Options{})
	tls := httptest.NewTLSServer(srv.Handler())
	defer tls.Close()
	content := strings.Repeat("stream", 50_000)
	c := sdk.New(sdk.Options{
		BaseEndpoint: aws.String(tls.URL), Region: srv.Region(), Credentials: login{}, UsePathStyle: true,
		RetryMaxAttempts: 1, HTTPClient: tls.Client(),
	})
	in := upload("a", "")
	in.Body = struct{ io.Reader }{strings.NewReader(content)} // can't be sought
	in.ContentLength = aws.Int64(int64(len(content)))
	in.ChecksumAlgorithm = types.ChecksumAlgorithmCrc32c
	_, err := c.PutObject(context.Background(), in)
	must(t, err)
	g := get("a")
	g.ChecksumMode = types.ChecksumModeEnabled
	out, err := c.GetObject(context.Background(), g)
	must(t, err)
	defer out.Body.Close()
	got, err := io.ReadAll(out.Body)
	if err != nil || string(got) != content || out.ChecksumCRC32C == nil {
		t.Fatalf("%d bytes, %v, checksum %v", len(got), err, out.ChecksumCRC32C)
	}
}

func TestConditionalWrites(t *testing.T) {
	srv := start(t, s3.Options{})
	c := client(t, srv, login{})
	ctx := context.Background()
	must(t, srv.Put("data", "a", []byte("0123456789"), s3.PutOptions{PartSize: 4})) // an ETag that gofakes3 can't express
	etag, err := srv.ETag("data", "a")
	must(t, err)

	in := upload("a", "new")
	in.IfNoneMatch = aws.String("*")
	_, err = c.PutObject(ctx, in)
	wantCode(t, err, "PreconditionFailed", 412)
	in = upload("a", "new")
	in.IfMatch = aws.String(`"other"`)
	_, err = c.PutObject(ctx, in)
	wantCode(t, err, "PreconditionFailed", 412)
	in = upload("missing", "new")
	in.IfMatch = aws.String(etag)
	_, err = c.PutObject(ctx, in)
	wantCode(t, err, "NoSuchKey", 404)
	_, err = c.DeleteObject(ctx, &sdk.DeleteObjectInput{Bucket: aws.String("data"), Key: aws.String("a"), IfMatch: aws.String(`"other"`)})
	wantCode(t, err, "PreconditionFailed", 412)

	in = upload("a", "new")
	in.IfMatch = aws.String(etag)
	_, err = c.PutObject(ctx, in)
	must(t, err)
	in = upload("b", "new")
	in.IfNoneMatch = aws.String("*")
	_, err = c.PutObject(ctx, in)
	must(t, err)
	etag, _ = srv.ETag("data", "a")
	_, err = c.DeleteObject(ctx, &sdk.DeleteObjectInput{Bucket: aws.String("data"), Key: aws.String("a"), IfMatch: aws.String(etag)})
	must(t, err)
	equal(t, mustKeys(t, srv), []string{"b"})
}

// Of many writers that each want to be first, one is.
func TestConditionalWriteIsAtomic(t *testing.T) {
	srv := start(t, s3.Options{})
	c := client(t, srv, login{})
	var wg sync.WaitGroup
	won := make(chan int, 16)
	for i := range 16 {
		wg.Go(func() {
			in := upload("a", fmt.Sprint(i))
			in.IfNoneMatch = aws.String("*")
			if _, err := c.PutObject(context.Background(), in); err == nil {
				won <- i
			}
		})
	}
	wg.Wait()
	close(won)
	var winners []string
	for i := range won {
		winners = append(winners, fmt.Sprint(i))
	}
	got, err := read(c, "a")
	must(t, err)
	equal(t, winners, []string{got})
}

func TestMultipartUpload(t *testing.T) {
	srv := start(t, s3.Options{})
	c := client(t, srv, login{})
	ctx := context.Background()
	key, bucket := aws.String("big file"), aws.String("data")
	begun, err := c.CreateMultipartUpload(ctx, &sdk.CreateMultipartUploadInput{
		Bucket: bucket, Key: key, Metadata: map[string]string{"color": "blue"}, ChecksumAlgorithm: types.ChecksumAlgorithmSha256,
	})
	must(t, err)
	var done []types.CompletedPart
	var md5s []byte
	for n, data := range []string{strings.Repeat("a", 70_000), strings.Repeat("b", 50_000), "c"} {
		out, err := c.UploadPart(ctx, &sdk.UploadPartInput{
			Bucket: bucket, Key: key, UploadId: begun.UploadId, PartNumber: aws.Int32(int32(n + 1)), Body: strings.NewReader(data),
		})
		must(t, err)
		done = append(done, types.CompletedPart{ETag: out.ETag, PartNumber: aws.Int32(int32(n + 1))})
		m := md5.Sum([]byte(data))
		md5s = append(md5s, m[:]...)
	}
	equal(t, mustKeys(t, srv), nil)
	complete := func(parts []types.CompletedPart) (*sdk.CompleteMultipartUploadOutput, error) {
		return c.CompleteMultipartUpload(ctx, &sdk.CompleteMultipartUploadInput{
			Bucket: bucket, Key: key, UploadId: begun.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
		})
	}
	_, err = complete([]types.CompletedPart{done[1], done[0]})
	wantCode(t, err, "InvalidPartOrder", 400)
	_, err = complete([]types.CompletedPart{{ETag: aws.String(`"bogus"`), PartNumber: aws.Int32(1)}})
	wantCode(t, err, "InvalidPart", 400)
	out, err := complete(done)
	must(t, err)
	if want := fmt.Sprintf(`"%x-3"`, md5.Sum(md5s)); aws.ToString(out.ETag) != want {
		t.Fatalf("ETag %s, want %s", aws.ToString(out.ETag), want)
	}
	h := head("big file")
	h.ChecksumMode = types.ChecksumModeEnabled
	is, err := c.HeadObject(ctx, h)
	must(t, err)
	if aws.ToInt64(is.ContentLength) != 120_001 || is.Metadata["color"] != "blue" || is.ChecksumType != types.ChecksumTypeComposite || !strings.HasSuffix(aws.ToString(is.ChecksumSHA256), "-3") {
		t.Fatalf("%+v", is)
	}
	if got, err := read(c, "big file"); err != nil || got != strings.Repeat("a", 70_000)+strings.Repeat("b", 50_000)+"c" {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
}

func TestAbortedUploadLeavesNothing(t *testing.T) {
	srv := start(t, s3.Options{})
	c := client(t, srv, login{})
	ctx := context.Background()
	begun, err := c.CreateMultipartUpload(ctx, &sdk.CreateMultipartUploadInput{Bucket: aws.String("data"), Key: aws.String("a")})
	must(t, err)
	_, err = c.AbortMultipartUpload(ctx, &sdk.AbortMultipartUploadInput{Bucket: aws.String("data"), Key: aws.String("a"), UploadId: begun.UploadId})
	must(t, err)
	_, err = c.UploadPart(ctx, &sdk.UploadPartInput{
		Bucket: aws.String("data"), Key: aws.String("a"), UploadId: begun.UploadId, PartNumber: aws.Int32(1), Body: bytes.NewReader(nil),
	})
	wantCode(t, err, "NoSuchUpload", 404)
	equal(t, mustKeys(t, srv), nil)
}

func TestCopyDeleteAndTag(t *testing.T) {
	srv := start(t, s3.Options{})
	c := client(t, srv, login{})
	ctx := context.Background()
	bucket := aws.String("data")
	must(t, srv.Put("data", "a", []byte("0123456789"), s3.PutOptions{PartSize: 4, Metadata: map[string]string{"color": "blue"}, Tags: map[string]string{"k": "v"}}))
	etag, err := srv.ETag("data", "a")
	must(t, err)
	_, err = c.CopyObject(ctx, &sdk.CopyObjectInput{Bucket: bucket, Key: aws.String("b"), CopySource: aws.String("data/a"), CopySourceIfMatch: aws.String("other")})
	wantCode(t, err, "PreconditionFailed", 412)
	_, err = c.CopyObject(ctx, &sdk.CopyObjectInput{Bucket: bucket, Key: aws.String("b"), CopySource: aws.String("data/a"), CopySourceIfMatch: aws.String(etag)})
	must(t, err)
	_, err = c.CopyObject(ctx, &sdk.CopyObjectInput{Bucket: bucket, Key: aws.String("b"), CopySource: aws.String("data/missing")})
	wantCode(t, err, "NoSuchKey", 404)
	out, err := c.HeadObject(ctx, head("b"))
	must(t, err)
	if out.Metadata["color"] != "blue" || aws.ToInt32(out.TagCount) != 1 {
		t.Fatalf("%+v", out)
	}
	if got, err := read(c, "b"); err != nil || got != "0123456789" {
		t.Fatalf("%q, %v", got, err)
	}

	_, err = c.PutObjectTagging(ctx, &sdk.PutObjectTaggingInput{Bucket: bucket, Key: aws.String("b"), Tagging: &types.Tagging{
		TagSet: []types.Tag{{Key: aws.String("x"), Value: aws.String("1")}, {Key: aws.String("y"), Value: aws.String("2")}},
	}})
	must(t, err)
	tags, err := c.GetObjectTagging(ctx, &sdk.GetObjectTaggingInput{Bucket: bucket, Key: aws.String("b")})
	must(t, err)
	if len(tags.TagSet) != 2 || aws.ToString(tags.TagSet[1].Value) != "2" {
		t.Fatalf("%+v", tags.TagSet)
	}
	_, err = c.DeleteObjectTagging(ctx, &sdk.DeleteObjectTaggingInput{Bucket: bucket, Key: aws.String("b")})
	must(t, err)
	if out, err = c.HeadObject(ctx, head("b")); err != nil || out.TagCount != nil {
		t.Fatalf("%+v, %v", out, err)
	}

	_, err = c.DeleteObjects(ctx, &sdk.DeleteObjectsInput{Bucket: bucket, Delete: &types.Delete{Objects: []types.ObjectIdentifier{
		{Key: aws.String("a")}, {Key: aws.String("b")}, {Key: aws.String("missing")},
	}}})
	must(t, err)
	equal(t, mustKeys(t, srv), nil)
}

func TestBucketsThroughTheAPI(t *testing.T) {
	srv := start(t, s3.Options{})
	c := client(t, srv, login{})
	ctx := context.Background()
	_, err := c.CreateBucket(ctx, &sdk.CreateBucketInput{Bucket: aws.String("new")})
	must(t, err)
	if srv.CreateBucket("new") == nil {
		t.Fatal("a bucket was created twice")
	}
	_, err = c.CreateBucket(ctx, &sdk.CreateBucketInput{Bucket: aws.String("new")})
	wantCode(t, err, "BucketAlreadyExists", 409)
	must(t, srv.Put("new", "a", nil, s3.PutOptions{}))
	_, err = c.DeleteBucket(ctx, &sdk.DeleteBucketInput{Bucket: aws.String("new")})
	wantCode(t, err, "BucketNotEmpty", 409)
	must(t, srv.Delete("new", "a"))
	_, err = c.DeleteBucket(ctx, &sdk.DeleteBucketInput{Bucket: aws.String("new")})
	must(t, err)
	if _, err = c.HeadBucket(ctx, &sdk.HeadBucketInput{Bucket: aws.String("new")}); statusOf(err) != 404 {
		t.Fatal(err)
	}
	put(t, srv, "a", "x")
	versions, err := c.ListObjectVersions(ctx, &sdk.ListObjectVersionsInput{Bucket: aws.String("data")})
	must(t, err)
	if len(versions.Versions) != 1 || aws.ToString(versions.Versions[0].VersionId) != "null" {
		t.Fatalf("%+v", versions.Versions)
	}
	_, err = c.GetObjectAttributes(ctx, &sdk.GetObjectAttributesInput{
		Bucket: aws.String("data"), Key: aws.String("a"), ObjectAttributes: []types.ObjectAttributes{types.ObjectAttributesEtag},
	})
	wantCode(t, err, "NotImplemented", 501)
}
