package s3_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	emulator "mooring/emulator/s3"
	"mooring/internal/provider/driver"
)

// Content is asked for without the SDK's client: where the client would ask, and
// signed for whom it would sign.
func TestContentIsAskedForWhereTheSDKWouldAsk(t *testing.T) {
	keys := rapid.OneOf(rapid.StringMatching(`[ -~]{1,30}`), rapid.StringN(1, 30, 60), rapid.SampledFrom([]string{
		"/", "//a//", "/a", "a/", ".", "..", "../b", "a/./b", "a/../b", "a b+c%20", "a?b#c", "ä/ö", "\x01\x7f", "%", "%2F", "a;b:c@d,e=f&g", "~-_.!*'()",
	}))
	for name, c := range map[string]struct {
		provider string
		fields   map[string]any
	}{
		"aws":               {"s3", map[string]any{"region": "eu-west-1"}},
		"aws, a dotted one": {"s3", map[string]any{"region": "us-gov-west-1"}},
		"aws without TLS":   {"s3", map[string]any{"region": "cn-north-1", "use_ssl": false}},
		"custom":            {"s3", map[string]any{"region": "us-east-1", "endpoint_url": "https://minio.example:9000"}},
		"with a path":       {"s3", map[string]any{"region": "us-east-1", "endpoint_url": "http://minio.example/s3/"}},
		"tigris":            {"tigris", map[string]any{}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := access(c.provider)
			cfg.Fields = c.fields
			r := &recorder{}
			src := open(t, cfg, driver.Options{Transport: r})
			rapid.Check(t, func(t *rapid.T) {
				bucket, key := rapid.SampledFrom([]string{"data", "data.with.dots", "Data_1"}).Draw(t, "bucket"), keys.Draw(t, "key")
				r.urls = nil
				_, statErr := src.Stat(t.Context(), driver.Scope{Path: bucket}, bucket+"/"+key)
				if len(r.urls) != 1 {
					t.Skip("no object has such a key: ", statErr)
				}
				signed := r.header.Get("Authorization")
				if body, err := src.Open(t.Context(), driver.Item{ID: bucket + "/" + key, Size: -1}, 0); err == nil {
					_ = body.Close()
				}
				if len(r.urls) != 2 {
					t.Fatalf("%d requests", len(r.urls))
				}
				client, ours := *r.urls[0], *r.urls[1]
				client.RawQuery, ours.RawQuery = "", ""
				if client.String() != ours.String() || client.RequestURI() != ours.RequestURI() {
					t.Fatalf("%q is asked for at %s, and %s by the SDK", key, &ours, &client)
				}
				if got := r.header.Get("Authorization"); whom(got) != whom(signed) {
					t.Fatalf("signed as %s, and %s by the SDK", got, signed)
				}
			})
		})
	}
}

// whom is the key, day, region and service that a signature is by and for.
func whom(authorization string) string {
	scope, _, _ := strings.Cut(authorization, ",")
	return scope
}

// The emulator verifies signatures, as S3 does, over the path as it was sent.
func TestSignaturesOfOddKeys(t *testing.T) {
	srv := start(t, emulator.Options{})
	keys := []string{"/a", "a//b", "..", "a/../b", "a b+c%20", "a?b#c", "ä/ö", "%2F", "~-_.!*'();:@&=+$,"}
	for _, k := range keys {
		put(t, srv, k, k)
	}
	src := opened(t, srv)
	for _, it := range all(t, src, driver.Scope{Path: "data"}) {
		if got, err := read(t, src, it, 0); err != nil || "data/"+got != it.ID {
			t.Errorf("%s: %q, %v", it.ID, got, err)
		}
		if got, err := read(t, src, it, 1); err != nil || got != it.ID[len("data/")+1:] {
			t.Errorf("%s from 1: %q, %v", it.ID, got, err)
		}
	}
}

// A server whose clock is an hour ahead refuses the first request, and none after.
func TestContentWhileOurClockIsWrong(t *testing.T) {
	theirs := func() time.Time { return time.Now().Add(time.Hour) }
	src, requests := fake(t, func(w http.ResponseWriter, r *http.Request) {
		signed, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
		if err != nil || theirs().Sub(signed).Abs() > 15*time.Minute {
			w.Header().Set("Date", theirs().UTC().Format(http.TimeFormat))
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, "<Error><Code>RequestTimeTooSkewed</Code></Error>")
			return
		}
		_, _ = io.WriteString(w, "x")
	})
	for _, want := range []int{2, 3} {
		if got, err := read(t, src, item("x"), 0); got != "x" || err != nil || *requests != want {
			t.Errorf("%q, %v after %d requests", got, err, *requests)
		}
	}
}
