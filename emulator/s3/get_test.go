package s3_test

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"mooring/emulator/s3"
)

func get(key string) *sdk.GetObjectInput {
	return &sdk.GetObjectInput{Bucket: aws.String("data"), Key: aws.String(key)}
}

func head(key string) *sdk.HeadObjectInput {
	return &sdk.HeadObjectInput{Bucket: aws.String("data"), Key: aws.String(key)}
}

func TestRanges(t *testing.T) {
	srv := start(t, s3.Options{})
	put(t, srv, "a", "0123456789")
	put(t, srv, "empty", "")
	c := client(t, srv, login{})
	for _, tt := range []struct{ key, header, want, contentRange string }{
		{"a", "bytes=0-0", "0", "bytes 0-0/10"},
		{"a", "bytes=3-5", "345", "bytes 3-5/10"},
		{"a", "bytes=7-", "789", "bytes 7-9/10"},
		{"a", "bytes=7-100", "789", "bytes 7-9/10"},
		{"a", "bytes=-4", "6789", "bytes 6-9/10"},
		{"a", "bytes=-40", "0123456789", "bytes 0-9/10"},
		{"a", "bytes=5-3", "0123456789", ""}, // not a range: ignored
		{"a", "bytes=1-2,4-5", "0123456789", ""},
		{"a", "chars=1-2", "0123456789", ""},
	} {
		in := get(tt.key)
		in.Range = aws.String(tt.header)
		out, err := c.GetObject(context.Background(), in)
		if err != nil {
			t.Fatalf("%s: %v", tt.header, err)
		}
		got, err := io.ReadAll(out.Body)
		_ = out.Body.Close()
		if err != nil || string(got) != tt.want || aws.ToString(out.ContentRange) != tt.contentRange || aws.ToInt64(out.ContentLength) != int64(len(tt.want)) {
			t.Errorf("%s: %q, %q, %v", tt.header, got, aws.ToString(out.ContentRange), err)
		}
	}
	for key, header := range map[string]string{"a": "bytes=10-", "empty": "bytes=0-"} {
		in := get(key)
		in.Range = aws.String(header)
		_, err := c.GetObject(context.Background(), in)
		wantCode(t, err, "InvalidRange", 416)
	}
}

func TestConditions(t *testing.T) {
	clock := newClock()
	srv := start(t, s3.Options{Now: clock.now})
	put(t, srv, "a", "first")
	c := client(t, srv, login{})
	ctx := context.Background()
	out, err := c.HeadObject(ctx, head("a"))
	must(t, err)
	etag := out.ETag
	earlier, later := clock.now().Add(-time.Hour), clock.now().Add(time.Hour)

	with := func(change func(*sdk.GetObjectInput)) error {
		in := get("a")
		change(in)
		out, err := c.GetObject(ctx, in)
		if err == nil {
			_ = out.Body.Close()
		}
		return err
	}
	must(t, with(func(in *sdk.GetObjectInput) { in.IfMatch = etag }))
	must(t, with(func(in *sdk.GetObjectInput) { in.IfMatch = aws.String("*") }))
	must(t, with(func(in *sdk.GetObjectInput) { in.IfMatch, in.IfUnmodifiedSince = etag, &earlier }))
	must(t, with(func(in *sdk.GetObjectInput) { in.IfUnmodifiedSince = &later }))
	must(t, with(func(in *sdk.GetObjectInput) { in.IfModifiedSince = &earlier }))
	must(t, with(func(in *sdk.GetObjectInput) { in.IfNoneMatch = aws.String(`"other"`) }))
	wantCode(t, with(func(in *sdk.GetObjectInput) { in.IfMatch = aws.String(`"other"`) }), "PreconditionFailed", 412)
	wantCode(t, with(func(in *sdk.GetObjectInput) { in.IfUnmodifiedSince = &earlier }), "PreconditionFailed", 412)
	for _, change := range []func(*sdk.GetObjectInput){
		func(in *sdk.GetObjectInput) { in.IfNoneMatch = etag },
		func(in *sdk.GetObjectInput) { in.IfModifiedSince = &later },
	} {
		if err := with(change); statusOf(err) != 304 {
			t.Fatalf("%v, want 304", err)
		}
	}

	clock.advance(time.Minute)
	must(t, srv.Touch("data", "a"))
	wantCode(t, with(func(in *sdk.GetObjectInput) { in.IfMatch = etag }), "PreconditionFailed", 412)
	out, err = c.HeadObject(ctx, head("a"))
	must(t, err)
	if aws.ToString(out.ETag) == aws.ToString(etag) || !out.LastModified.Equal(clock.now()) {
		t.Fatalf("touched: %s, %s", aws.ToString(out.ETag), out.LastModified)
	}
	if got, err := read(c, "a"); err != nil || got != "first" {
		t.Fatalf("%q, %v", got, err)
	}
	if srv.Touch("data", "missing") == nil {
		t.Fatal("a missing object was touched")
	}
}

func TestAttributes(t *testing.T) {
	srv := start(t, s3.Options{})
	must(t, srv.Put("data", "a", []byte("x"), s3.PutOptions{
		ContentType: "text/plain", Metadata: map[string]string{"Color": "blue", "name": "Zoë"},
		Tags: map[string]string{"team": "storage", "a b": "c&d"}, ETag: "opaque",
	}))
	c := client(t, srv, login{})
	out, err := c.HeadObject(context.Background(), head("a"))
	must(t, err)
	if aws.ToString(out.ContentType) != "text/plain" || out.Metadata["color"] != "blue" || aws.ToString(out.ETag) != `"opaque"` || aws.ToInt32(out.TagCount) != 2 {
		t.Fatalf("%+v", out)
	}
	if got := out.Metadata["name"]; got != "=?utf-8?q?Zo=C3=AB?=" {
		t.Fatalf("metadata that is not ASCII: %q", got)
	}
	tags, err := c.GetObjectTagging(context.Background(), &sdk.GetObjectTaggingInput{Bucket: aws.String("data"), Key: aws.String("a")})
	must(t, err)
	got := map[string]string{}
	for _, tag := range tags.TagSet {
		got[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	if len(got) != 2 || got["team"] != "storage" || got["a b"] != "c&d" {
		t.Fatalf("%v", got)
	}
	put(t, srv, "plain", "x")
	out, err = c.HeadObject(context.Background(), head("plain"))
	must(t, err)
	if want := fmt.Sprintf(`"%x"`, md5.Sum([]byte("x"))); aws.ToString(out.ETag) != want {
		t.Fatalf("ETag %s, want %s", aws.ToString(out.ETag), want)
	}
}

func TestArchivedObjects(t *testing.T) {
	srv := start(t, s3.Options{})
	c := client(t, srv, login{})
	for _, class := range []string{"GLACIER", "DEEP_ARCHIVE"} {
		must(t, srv.Put("data", class, []byte("x"), s3.PutOptions{StorageClass: class}))
		out, err := c.HeadObject(context.Background(), head(class))
		must(t, err)
		if string(out.StorageClass) != class {
			t.Fatalf("storage class %q", out.StorageClass)
		}
		_, err = read(c, class)
		wantCode(t, err, "InvalidObjectState", 403)
	}
	must(t, srv.Put("data", "ia", []byte("x"), s3.PutOptions{StorageClass: "STANDARD_IA"}))
	if got, err := read(c, "ia"); err != nil || got != "x" {
		t.Fatalf("%q, %v", got, err)
	}
}

func TestMissing(t *testing.T) {
	srv := start(t, s3.Options{})
	c := client(t, srv, login{})
	_, err := read(c, "missing")
	wantCode(t, err, "NoSuchKey", 404)
	if _, err = c.HeadObject(context.Background(), head("missing")); statusOf(err) != 404 {
		t.Fatal(err)
	}
	in := get("missing")
	in.VersionId = aws.String("v1")
	_, err = c.GetObject(context.Background(), in)
	wantCode(t, err, "NoSuchVersion", 404)
	put(t, srv, "a", "x")
	in = get("a")
	in.PartNumber = aws.Int32(1)
	_, err = c.GetObject(context.Background(), in)
	wantCode(t, err, "NotImplemented", 501)
	in = get("a")
	in.ResponseContentType = aws.String("text/x-other")
	out, err := c.GetObject(context.Background(), in)
	must(t, err)
	_ = out.Body.Close()
	if aws.ToString(out.ContentType) != "text/x-other" {
		t.Fatalf("%q", aws.ToString(out.ContentType))
	}
}

// The SDK verifies what it is given, so a value that is wrong fails the read.
func TestChecksums(t *testing.T) {
	srv := start(t, s3.Options{})
	c := client(t, srv, login{})
	data := []byte(strings.Repeat("checksum me ", 1000))
	for _, algorithm := range []s3.ChecksumAlgorithm{s3.CRC32, s3.CRC32C, s3.CRC64NVME, s3.SHA1, s3.SHA256} {
		key := string(algorithm)
		must(t, srv.Put("data", key, data, s3.PutOptions{Checksum: algorithm}))
		in := get(key)
		in.ChecksumMode = types.ChecksumModeEnabled
		out, err := c.GetObject(context.Background(), in)
		must(t, err)
		if _, err := io.ReadAll(out.Body); err != nil {
			t.Errorf("%s: %v", algorithm, err)
		}
		_ = out.Body.Close()
		if out.ChecksumType != types.ChecksumTypeFullObject || sumOf(out) == "" {
			t.Errorf("%s: type %q, value %q", algorithm, out.ChecksumType, sumOf(out))
		}
	}
	plain, err := c.GetObject(context.Background(), get("sha256"))
	must(t, err)
	_ = plain.Body.Close()
	if plain.ChecksumSHA256 != nil {
		t.Fatal("a checksum that was not asked for")
	}
	in := get("sha256")
	in.ChecksumMode, in.Range = types.ChecksumModeEnabled, aws.String("bytes=0-9")
	part, err := c.GetObject(context.Background(), in)
	must(t, err)
	_ = part.Body.Close()
	if part.ChecksumSHA256 != nil {
		t.Fatal("a checksum of the whole with a part of it")
	}
	h := head("sha256")
	h.ChecksumMode = types.ChecksumModeEnabled
	out, err := c.HeadObject(context.Background(), h)
	must(t, err)
	want := sha256.Sum256(data)
	if aws.ToString(out.ChecksumSHA256) != base64.StdEncoding.EncodeToString(want[:]) || out.ChecksumType != types.ChecksumTypeFullObject {
		t.Fatalf("%+v", out)
	}
}

func sumOf(out *sdk.GetObjectOutput) string {
	for _, v := range []*string{out.ChecksumCRC32, out.ChecksumCRC32C, out.ChecksumCRC64NVME, out.ChecksumSHA1, out.ChecksumSHA256} {
		if v != nil {
			return *v
		}
	}
	return ""
}

func TestCompositeChecksumAndMultipartETag(t *testing.T) {
	srv := start(t, s3.Options{})
	must(t, srv.Put("data", "a", []byte("0123456789"), s3.PutOptions{PartSize: 4, Checksum: s3.SHA256, ChecksumType: s3.Composite}))
	h := head("a")
	h.ChecksumMode = types.ChecksumModeEnabled
	out, err := client(t, srv, login{}).HeadObject(context.Background(), h)
	must(t, err)
	var sums, md5s []byte
	for _, part := range []string{"0123", "4567", "89"} {
		s, m := sha256.Sum256([]byte(part)), md5.Sum([]byte(part))
		sums, md5s = append(sums, s[:]...), append(md5s, m[:]...)
	}
	all := sha256.Sum256(sums)
	if want := base64.StdEncoding.EncodeToString(all[:]) + "-3"; aws.ToString(out.ChecksumSHA256) != want || out.ChecksumType != types.ChecksumTypeComposite {
		t.Fatalf("%s %s, want %s", aws.ToString(out.ChecksumSHA256), out.ChecksumType, want)
	}
	if want := fmt.Sprintf(`"%x-3"`, md5.Sum(md5s)); aws.ToString(out.ETag) != want {
		t.Fatalf("ETag %s, want %s", aws.ToString(out.ETag), want)
	}
	if srv.Put("data", "b", nil, s3.PutOptions{Checksum: s3.SHA256, ChecksumType: s3.Composite}) == nil {
		t.Fatal("a composite checksum without parts")
	}
	if srv.Put("data", "b", nil, s3.PutOptions{Checksum: "md9"}) == nil {
		t.Fatal("an unknown algorithm")
	}
}

func TestSecondStartOnOneAddressFails(t *testing.T) {
	srv := start(t, s3.Options{})
	if _, err := s3.Start(s3.Options{Listen: strings.TrimPrefix(srv.URL(), "http://")}); err == nil {
		t.Fatal("two servers on one address")
	}
	must(t, srv.Close())
	must(t, srv.Close())
	if resp, err := http.Get(srv.URL()); err == nil {
		_ = resp.Body.Close()
		t.Fatal("a closed server answers")
	}
}
