package s3

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"

	emulator "mooring/emulator/s3"
	"mooring/internal/bucket"
	"mooring/internal/sink"
	"mooring/internal/sink/sinktest"
)

var (
	bg      = context.Background()
	aBucket = bucket.Bucket{Org: "int_a", ID: "bkt_a", Rules: bucket.Rules{MaxComponent: 255, MaxPath: 900}}
)

// harness is a bucket of an emulator.
type harness struct {
	*emulator.Server
	o Options
}

const target = "target"

func serve(t *testing.T, o Options) harness {
	t.Helper()
	s, err := emulator.Start(emulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.CreateBucket(target); err != nil {
		t.Fatal(err)
	}
	o.Endpoint, o.Region, o.Bucket = s.URL(), "us-east-1", target
	o.Credentials = credentials.NewStaticCredentialsProvider(emulator.DefaultAccessKeyID, emulator.DefaultSecretAccessKey, "")
	return harness{s, o}
}

func (h harness) Destination(t *testing.T) sink.Destination { return h.open(t) }

func (h harness) open(t *testing.T) *Destination {
	t.Helper()
	d, err := New(h.o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (h harness) part(t *testing.T) *part {
	t.Helper()
	s, err := h.open(t).Bucket(bg, aBucket)
	if err != nil {
		t.Fatal(err)
	}
	p, ok := s.(*part)
	if !ok {
		t.Fatalf("the sink is a %T", s)
	}
	return p
}

func TestConformance(t *testing.T) {
	for name, o := range map[string]Options{
		"whole bucket":                    {},
		"below a prefix, in small pieces": {Prefix: "some/prefix", PartSize: 10_000, CopyLimit: 100_000, CopyPart: 60_000},
	} {
		t.Run(name, func(t *testing.T) {
			sinktest.Run(t, func(t *testing.T) sinktest.Harness { return serve(t, o) })
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// stage writes content and finishes it.
func stage(t testing.TB, s sink.Sink, staged, content string) {
	t.Helper()
	w, err := s.Stage(bg, staged, int64(len(content)))
	must(t, err)
	_, err = io.WriteString(w, content)
	must(t, err)
	must(t, w.Close())
}

func read(t testing.TB, s sink.Sink, name string) string {
	t.Helper()
	r, err := s.Open(bg, name, 0)
	must(t, err)
	defer r.Close()
	all, err := io.ReadAll(r)
	must(t, err)
	return string(all)
}

func (h harness) keys(t testing.TB) string {
	t.Helper()
	keys, err := h.Keys(target)
	must(t, err)
	return strings.Join(keys, " ")
}
