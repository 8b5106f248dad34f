package s3_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	emulator "mooring/emulator/s3"
	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

func sums(t testing.TB, src driver.Source, it driver.Item, off int64) map[string]bool {
	t.Helper()
	r, err := src.Open(t.Context(), it, off)
	must(t, err)
	defer r.Close()
	out := map[string]bool{}
	for _, s := range r.(driver.Checksummed).Checksums() {
		out[s.Algorithm] = s.Certain
	}
	return out
}

func TestChecksums(t *testing.T) {
	content := bytes.Repeat([]byte("x"), 1000)
	for name, c := range map[string]struct {
		opts emulator.PutOptions
		want map[string]bool
	}{
		"plain":     {emulator.PutOptions{}, map[string]bool{"md5": false}},
		"sha256":    {emulator.PutOptions{Checksum: emulator.SHA256}, map[string]bool{"sha256": true, "md5": false}},
		"sha1":      {emulator.PutOptions{Checksum: emulator.SHA1}, map[string]bool{"sha1": true, "md5": false}},
		"crc32":     {emulator.PutOptions{Checksum: emulator.CRC32}, map[string]bool{"crc32": true, "md5": false}},
		"crc32c":    {emulator.PutOptions{Checksum: emulator.CRC32C}, map[string]bool{"crc32c": true, "md5": false}},
		"crc64nvme": {emulator.PutOptions{Checksum: emulator.CRC64NVME}, map[string]bool{"crc64nvme": true, "md5": false}},
		"multipart": {emulator.PutOptions{PartSize: 600}, map[string]bool{}},
		"multipart, whole": {
			emulator.PutOptions{PartSize: 600, Checksum: emulator.CRC64NVME}, map[string]bool{"crc64nvme": true},
		},
		"multipart, composite": {
			emulator.PutOptions{PartSize: 600, Checksum: emulator.SHA256, ChecksumType: emulator.Composite}, map[string]bool{},
		},
		"KMS": {emulator.PutOptions{ETag: "0123456789abcdef0123456789abcdef"}, map[string]bool{"md5": false}},
	} {
		t.Run(name, func(t *testing.T) {
			srv := start(t, emulator.Options{})
			must(t, srv.Put("data", "k", content, c.opts))
			src := opened(t, srv)
			it := one(t, src, "data")
			if d := cmp.Diff(c.want, sums(t, src, it, 0)); d != "" {
				t.Error(d)
			}
			delete(c.want, "sha256")
			for _, certain := range sums(t, src, it, 5) {
				if certain {
					t.Error("a part's answer has a certain checksum")
				}
			}
			// The SDK must not judge by them: that is for whoever reads.
			srv.Inject(emulator.Fault{Match: emulator.On(emulator.GetObject), Action: emulator.ChecksumMismatch()})
			if got, err := read(t, src, it, 0); len(got) != len(content) || err != nil {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
}

func TestRequestsForContent(t *testing.T) {
	srv := start(t, emulator.Options{})
	put(t, srv, "k", "0123456789")
	src := opened(t, srv)
	it := one(t, src, "data")
	etag, _ := srv.ETag("data", "k")
	srv.ResetRequests()
	for _, off := range []int64{0, 4} {
		if _, err := read(t, src, it, off); err != nil {
			t.Error(err)
		}
	}
	got := srv.Requests()
	if len(got) != 2 || got[0].Range != "" || got[1].Range != "bytes=4-" {
		t.Fatalf("%+v", got)
	}
	for _, r := range got {
		if r.IfMatch != `"`+etag+`"` || r.ChecksumMode != "ENABLED" || r.Operation != emulator.GetObject {
			t.Errorf("%+v", r)
		}
	}
}

func TestWhatChangesWhileItIsRead(t *testing.T) {
	srv := start(t, emulator.Options{})
	content := strings.Repeat("0123456789", 1000)
	put(t, srv, "k", content)
	src := opened(t, srv)
	it := one(t, src, "data")
	srv.Inject(emulator.Fault{Match: emulator.On(emulator.GetObject), Times: 1, Action: emulator.ShortBody(4000)})
	got, err := read(t, src, it, 0)
	if len(got) != 4000 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	must(t, srv.Touch("data", "k"))
	_, err = read(t, src, it, 4000)
	kind(t, err, errs.Stale, errs.ScopeObject)
	_, err = read(t, src, it, int64(len(content)))
	kind(t, err, errs.Stale, errs.ScopeObject)
	_, err = read(t, src, it, int64(len(content))+1)
	kind(t, err, errs.Stale, errs.ScopeObject)
	must(t, srv.Delete("data", "k"))
	_, err = read(t, src, it, 0)
	kind(t, err, errs.NotFound, errs.ScopeObject)
}

func TestBrokenConnections(t *testing.T) {
	srv := start(t, emulator.Options{})
	content := strings.Repeat("0123456789", 50_000)
	put(t, srv, "k", content)
	src := opened(t, srv)
	it := one(t, src, "data")
	dropped := srv.Inject(emulator.Fault{Match: emulator.On(emulator.GetObject), Action: emulator.Drop()})
	_, err := read(t, src, it, 0)
	kind(t, err, errs.Unavailable, errs.ScopeConnection)
	dropped.Remove()
	srv.Inject(emulator.Fault{Match: emulator.On(emulator.GetObject), Times: 1, Action: emulator.ResetAfter(200_000)})
	got, err := read(t, src, it, 0)
	if !errs.Retryable(err) && !errors.Is(err, io.ErrUnexpectedEOF) || len(got) > 200_000 {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	rest, err := read(t, src, it, int64(len(got)))
	if got+rest != content || err != nil {
		t.Errorf("resumed at %d: %d bytes, %v", len(got), len(got)+len(rest), err)
	}
	srv.Inject(emulator.Fault{Match: emulator.On(emulator.ListObjectsV2), Times: 1, Action: emulator.ShortBody(100)})
	_, err = src.Changes(t.Context(), data, nil)
	kind(t, err, errs.Unavailable, errs.ScopeConnection)
}

func TestAttributes(t *testing.T) {
	srv := start(t, emulator.Options{})
	must(t, srv.Put("data", "k", []byte("x"), emulator.PutOptions{
		ContentType: "text/plain", Tags: map[string]string{"Team": "A & B", "é": "ü"},
		Metadata: map[string]string{"Owner": "me", "title": "=?UTF-8?B?w6k=?=", "q": "=?UTF-8?Q?=C3=A9t=C3=A9?="},
	}))
	src := opened(t, srv)
	it := one(t, src, "data")
	a := src.(driver.Attributer)
	srv.ResetRequests()
	got, err := a.Attributes(t.Context(), it, driver.Want{Metadata: true, Tags: true})
	must(t, err)
	want := driver.Attributes{
		MIME: "text/plain", Metadata: map[string]string{"owner": "me", "title": "é", "q": "été"}, Tags: map[string]string{"Team": "A & B", "é": "ü"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if got, err = a.Attributes(t.Context(), it, driver.Want{Tags: true}); err != nil || got.Metadata != nil || srv.Count(emulator.HeadObject) != 1 {
		t.Errorf("only tags: %+v, %v", got, err)
	}
	must(t, srv.Touch("data", "k"))
	_, err = a.Attributes(t.Context(), it, driver.Want{Metadata: true})
	kind(t, err, errs.Stale, errs.ScopeObject)
}
