package s3_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"mooring/emulator/s3"
)

// oddKeys are legal keys that servers and clients like to rewrite, in the byte
// order of UTF-8.
var oddKeys = []string{
	"\x01control", " leading space", "%2F", "+plus+", "../up", "./here", "//twice", "/rooted", "a b/c+d%20e",
	"a/../b", "a//b", "a/b/", "a/b/.", "amp&<>\"'", "cr\rlf", "dir/", "emoji\uFFEE", "emoji\U0001F600", "line\nbreak", "q?x=1#y", "über/ключ",
}

func TestOddKeysSurvive(t *testing.T) {
	srv := start(t, s3.Options{})
	c := client(t, srv, login{})
	for _, key := range oddKeys {
		_, err := c.PutObject(context.Background(), &sdk.PutObjectInput{
			Bucket: aws.String("data"), Key: aws.String(key), Body: strings.NewReader("content of " + key),
		})
		if err != nil {
			t.Fatalf("put %q: %v", key, err)
		}
	}
	for _, key := range oddKeys {
		got, err := read(c, key)
		if err != nil || got != "content of "+key {
			t.Errorf("read %q: %q, %v", key, got, err)
		}
	}
	keys, err := srv.Keys("data")
	must(t, err)
	if len(keys) != len(oddKeys) {
		t.Fatalf("the bucket holds %q", keys)
	}
	for _, key := range oddKeys {
		_, err := c.DeleteObject(context.Background(), &sdk.DeleteObjectInput{Bucket: aws.String("data"), Key: aws.String(key)})
		must(t, err)
	}
	if keys, _ = srv.Keys("data"); len(keys) != 0 {
		t.Fatalf("left after deleting: %q", keys)
	}
}
