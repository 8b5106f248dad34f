package s3

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	emulator "mooring/emulator/s3"
	"mooring/internal/bucket"
	"mooring/internal/errs"
)

func TestErrors(t *testing.T) {
	h := serve(t, Options{})
	for code, says := range map[string]string{
		"AccessDenied": "permission", "NoSuchBucket": "does not exist", "InvalidAccessKeyId": "credentials", "RequestTimeTooSkewed": "clock", "SomethingNew": "did not do",
	} {
		in := h.Inject(emulator.Fault{Match: emulator.On(emulator.PutObject), Action: emulator.ReplyCode(code)})
		_, err := h.open(t).Bucket(bg, bucket.Bucket{Org: "int_a", ID: "bkt_new"}) // which probes
		e := errs.From(err)
		if e.Kind != errs.Unavailable || e.Origin != errs.Ours || e.Code != code || !strings.Contains(e.Message(), says) || strings.Contains(e.Message(), target) {
			t.Errorf("%s: %v", code, err)
		}
		in.Remove()
	}
	h.o.Credentials = credentials.NewStaticCredentialsProvider(emulator.DefaultAccessKeyID, "another secret", "")
	h.Inject(emulator.Fault{Action: emulator.EchoCredentials()})
	if _, err := h.part(t).Stat(bg, "f"); err == nil || strings.Contains(err.Error(), emulator.DefaultSecretAccessKey) {
		t.Errorf("a service that echoes what it was sent: %v", err)
	}
	must(t, h.Close())
	if _, err := h.part(t).Stat(bg, "f"); !errs.Is(err, errs.Unavailable) {
		t.Errorf("nobody listens: %v", err)
	}
}

// A service that knows neither conditions on copies and deletions nor deletions
// in batches is used without.
func TestPoorerServices(t *testing.T) {
	h := serve(t, Options{})
	conditional := func(r emulator.Request) bool { return r.IfMatch != "" || r.IfNoneMatch != "" }
	h.Inject(emulator.Fault{Match: emulator.Match{Operations: []emulator.Operation{emulator.CopyObject, emulator.DeleteObject}, If: conditional}, Action: emulator.ReplyCode("NotImplemented")})
	h.Inject(emulator.Fault{Match: emulator.On(emulator.DeleteObjects, emulator.ListMultipartUploads), Action: emulator.ReplyCode("NotImplemented")})
	p := h.part(t)
	for _, content := range []string{"one", "another"} {
		stage(t, p, "s", content)
		must(t, p.Place(bg, "s", "f", int64(len(content))))
		must(t, p.Settle(bg))
	}
	must(t, p.Rename(bg, "f", "g", 7))
	must(t, p.Sweep(bg, func(string) bool { return false }))
	if got := h.keys(t); got != "int_a/bkt_a/g" {
		t.Errorf("left: %s", got)
	}
	must(t, p.Destroy(bg))
	if got := h.keys(t); got != "" {
		t.Errorf("left: %s", got)
	}
}

// Faults that pass are outlived.
func TestPassingFaults(t *testing.T) {
	h := serve(t, Options{PartSize: 1000})
	h.Inject(emulator.Fault{Match: emulator.On(emulator.UploadPart), Nth: 2, Action: emulator.InternalError()})
	h.Inject(emulator.Fault{Match: emulator.On(emulator.CopyObject), Nth: 1, Action: emulator.SlowDown(0)})
	h.Inject(emulator.Fault{Match: emulator.On(emulator.GetObject), Nth: 1, Action: emulator.ResetAfter(1500)})
	h.Inject(emulator.Fault{Match: emulator.On(emulator.GetObject), Nth: 2, Action: emulator.ShortBody(700)})
	p, content := h.part(t), strings.Repeat("0123456789", 500)
	stage(t, p, "s", content)
	must(t, p.Place(bg, "s", "f", 5000))
	if got := read(t, p, "f"); got != content {
		t.Errorf("%d bytes were read", len(got))
	}
}

// A file that is replaced while the connection to it is broken is not read on as
// if it were the same.
func TestReadBrokenAndReplaced(t *testing.T) {
	h := serve(t, Options{})
	p := h.part(t)
	stage(t, p, "s", strings.Repeat("a", 200_000))
	must(t, p.Place(bg, "s", "f", 200_000))
	h.Inject(emulator.Fault{Match: emulator.On(emulator.GetObject), Nth: 1, Action: emulator.ResetAfter(100_000)})
	h.Inject(emulator.Fault{Match: emulator.On(emulator.GetObject), Nth: 2, Action: emulator.Run(func() {
		must(t, h.Put(target, "int_a/bkt_a/f", []byte(strings.Repeat("b", 200_000)), emulator.PutOptions{}))
	})})
	r, err := p.Open(bg, "f", 0)
	must(t, err)
	defer r.Close()
	if got, err := io.ReadAll(r); !errs.Is(err, errs.Unavailable) || strings.Contains(string(got), "b") {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func uploads(t *testing.T, p *part) int {
	t.Helper()
	out, err := p.d.client.ListMultipartUploads(bg, &sdk.ListMultipartUploadsInput{Bucket: aws.String(target)})
	must(t, err)
	return len(out.Uploads)
}

// What a killed worker was uploading is swept with what it had staged, and so is
// all of it when the bucket goes. Whatever is not the bucket's stays.
func TestUnfinishedUploads(t *testing.T) {
	h := serve(t, Options{PartSize: 1000})
	for _, neighbour := range []string{"f", "int_a/bkt_a", "int_a/bkt_ab/f", "int_a/bkt_", "xint_a/bkt_a/f"} {
		must(t, h.Put(target, neighbour, nil, emulator.PutOptions{}))
	}
	for _, staged := range []string{"keep", "drop", "other"} {
		w, err := h.part(t).Stage(bg, staged, 5000)
		must(t, err)
		_, err = w.Write(make([]byte, 2500))
		must(t, err)
	}
	p := h.part(t)
	stage(t, p, "whole", "content")
	must(t, p.Place(bg, "whole", "f", 7))
	must(t, p.Sweep(bg, func(staged string) bool { return staged != "drop" }))
	if n := uploads(t, p); n != 2 {
		t.Errorf("%d uploads are left", n)
	}
	must(t, p.Destroy(bg))
	if n := uploads(t, p); n != 0 {
		t.Errorf("%d uploads are left of a bucket that is gone", n)
	}
	if got := h.keys(t); got != "f int_a/bkt_ int_a/bkt_a int_a/bkt_ab/f xint_a/bkt_a/f" {
		t.Errorf("left: %s", got)
	}
}

// Content being written is held within a bound: more than that waits, and stops
// waiting with its context.
func TestMemoryIsBounded(t *testing.T) {
	h := serve(t, Options{PartSize: 1000, Memory: 4000})
	p := h.part(t)
	a, err := p.Stage(bg, "a", 2000)
	must(t, err)
	b, err := p.Stage(bg, "b", 1_000_000)
	must(t, err)
	ctx, cancel := context.WithTimeout(bg, 20*time.Millisecond)
	defer cancel()
	if _, err := p.Stage(ctx, "c", 500); !errs.Is(err, errs.Canceled) {
		t.Errorf("a third writer: %v", err)
	}
	a.Abort()
	ctx, cancel = context.WithTimeout(bg, 20*time.Millisecond)
	defer cancel()
	if _, err := p.Stage(ctx, "c", -1); !errs.Is(err, errs.Canceled) {
		t.Errorf("content of unknown size beside another's: %v", err)
	}
	b.Abort()
	stage(t, p, "c", "content")
}
